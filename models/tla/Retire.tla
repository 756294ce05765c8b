------------------------------- MODULE Retire -------------------------------
\* A decider shard stalls and is retired, while its old committee is merely slow (SHARDING 1.6).
\*
\* The old committee certifies a chain of at most Heights commits; one of them holds its decision. Each other shard consumes a
\* prefix of the chain, and so does the beacon, which anchors. The beacon freezes the term, waits for every other shard's
\* acknowledgement, and retires the term above the highest prefix that anybody consumed; the new committee goes on there,
\* and decides to abort if that prefix holds no decision.
\*
\* What the engine of crates/beacon does: Freeze, FreezeAck, Retire and Anchor of engine/stalled.rs and engine/anchor.rs.
\* Each constant below switches one rule off; the broken twins must fail (.ci/check-models).
EXTENDS Naturals, FiniteSets

CONSTANTS
  Shards,            \* the other shards
  Heights,           \* how far the old committee gets
  WaitForAll,        \* Retire waits for all acknowledgements
  RefuseFrozen,      \* who froze consumes nothing more of the term
  CountAnchors,      \* what the beacon anchored counts as consumed
  RefuseAnchors,     \* the beacon anchors nothing of a frozen term
  CountAll           \* Retire takes the highest acknowledgement, not just any

VARIABLES
  chain,      \* how many commits the old committee certified
  decided,    \* height of the old committee's decision, 0 if none; the decision is COMMIT
  consumed,   \* by each other shard: its prefix of the old chain
  frozen,     \* by each other shard: whether it ordered the freeze
  acks,       \* what each acknowledged; "none" before
  anchored,   \* the beacon's prefix
  beacon,     \* "open", "frozen", "retired"
  last,       \* height above which the term is void
  learnt      \* by each other shard: whether it took the new committee's word

vars == <<chain, decided, consumed, frozen, acks, anchored, beacon, last, learnt>>

Max(S) == CHOOSE x \in S : \A y \in S : y <= x

Init ==
  /\ chain = 0
  /\ decided = 0
  /\ consumed = [s \in Shards |-> 0]
  /\ frozen = [s \in Shards |-> FALSE]
  /\ acks = [s \in Shards |-> "none"]
  /\ anchored = 0
  /\ beacon = "open"
  /\ last = 0
  /\ learnt = [s \in Shards |-> FALSE]

\* The old committee does not know that it is given up: it certifies at any time.
Certify ==
  /\ chain < Heights
  /\ chain' = chain + 1
  /\ UNCHANGED <<decided, consumed, frozen, acks, anchored, beacon, last, learnt>>

Decide ==
  /\ chain < Heights
  /\ decided = 0
  /\ chain' = chain + 1
  /\ decided' = chain + 1
  /\ UNCHANGED <<consumed, frozen, acks, anchored, beacon, last, learnt>>

Consume(s) ==
  /\ consumed[s] < chain
  /\ RefuseFrozen => ~frozen[s]
  /\ ~learnt[s]
  /\ \E h \in (consumed[s] + 1)..chain : consumed' = [consumed EXCEPT ![s] = h]
  /\ UNCHANGED <<chain, decided, frozen, acks, anchored, beacon, last, learnt>>

Anchor ==
  /\ anchored < chain
  /\ RefuseAnchors => beacon = "open"
  /\ \E h \in (anchored + 1)..chain : anchored' = h
  /\ UNCHANGED <<chain, decided, consumed, frozen, acks, beacon, last, learnt>>

Freeze ==
  /\ beacon = "open"
  /\ beacon' = "frozen"
  /\ UNCHANGED <<chain, decided, consumed, frozen, acks, anchored, last, learnt>>

Acknowledge(s) ==
  /\ beacon # "open"
  /\ ~frozen[s]
  /\ frozen' = [frozen EXCEPT ![s] = TRUE]
  /\ acks' = [acks EXCEPT ![s] = consumed[s]]
  /\ UNCHANGED <<chain, decided, consumed, anchored, beacon, last, learnt>>

Known == {acks[s] : s \in {t \in Shards : acks[t] # "none"}} \cup (IF CountAnchors THEN {anchored} ELSE {0})

Retire ==
  /\ beacon = "frozen"
  /\ WaitForAll => \A s \in Shards : acks[s] # "none"
  /\ beacon' = "retired"
  /\ \E h \in Known : (CountAll => h = Max(Known)) /\ last' = h
  /\ UNCHANGED <<chain, decided, consumed, frozen, acks, anchored, learnt>>

\* A shard takes the new committee's word: what it held back is decided by the old chain up to last, or aborted.
Learn(s) ==
  /\ beacon = "retired"
  /\ frozen[s]
  /\ ~learnt[s]
  /\ learnt' = [learnt EXCEPT ![s] = TRUE]
  /\ UNCHANGED <<chain, decided, consumed, frozen, acks, anchored, beacon, last>>

Next ==
  \/ Certify
  \/ Decide
  \/ \E s \in Shards : Consume(s)
  \/ Anchor
  \/ Freeze
  \/ \E s \in Shards : Acknowledge(s)
  \/ Retire
  \/ \E s \in Shards : Learn(s)

Spec == Init /\ [][Next]_vars

\* What the old committee's decision means to a shard: COMMIT once its prefix holds it.
Committed(s) == decided # 0 /\ consumed[s] >= decided
\* ABORT once the new committee says so: the retired prefix holds no decision.
Aborted(s) == learnt[s] /\ ~(decided # 0 /\ decided <= last)

\* Nobody consumed what the retirement made void.
NoOrphan == beacon = "retired" => \A s \in Shards : consumed[s] <= last
\* Nor is anything void that was anchored: ANCHORED is irrevocable.
AnchorsStay == beacon = "retired" => anchored <= last
\* No shard commits what another one aborts.
Atomic == \A s, t \in Shards : ~(Committed(s) /\ Aborted(t))
\* For counting: states in which a shard was retired and everybody knows.
Done == beacon = "retired" /\ \A s \in Shards : learnt[s]
=============================================================================
