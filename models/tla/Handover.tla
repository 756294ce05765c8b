------------------------------ MODULE Handover ------------------------------
\* One shard's term ends and the next one begins, through the beacon's log (SHARDING 2.5).
\*
\* Sitting members put EpochSeen into blocks once the beacon said that a quorum of the next committee is ready. Agreement orders
\* those; each member takes the commits one by one, at its own pace, and stops at the first commit in which a quorum has
\* been seen. At the stop it signs the last header, which names the next committee; q signatures are the hand-over. The next
\* committee goes on above the height of the hand-over, and only once that is anchored or given to it.
\*
\* Agreement itself is taken for granted: the order is one sequence. One member may be Byzantine: it says EpochSeen whenever
\* it likes and signs anything. What is checked is that the stop is the same for all honest members, that nothing is
\* certified above it under the old key, that the term does not end before the next committee is ready, and that heights of
\* the two terms neither overlap nor leave a gap.
\*
\* What crates/beacon does: StopRule of handover.rs, and Ready, Turn and Anchor of the engine.
\* Each constant below switches one rule off; the broken twins must fail (.ci/check-models).
EXTENDS Naturals, FiniteSets

CONSTANTS
  Honest, Liar,        \* sitting members; n = 4, q = 3
  Lies,                \* how many signatures liars give to whatever they like; 1 of f, 3 for a committee that was bought
  Incoming,            \* members of the next committee that have to be ready
  Heights,             \* how many commits there may be
  StopByOrder,         \* a member stops by what was ordered, not by what it has heard
  SeenAfterReady,      \* an honest member says EpochSeen only after the beacon's word
  RefuseAboveStop,     \* an honest member signs nothing above its stop
  QuorumReady,         \* the beacon's word takes a quorum of the next committee
  AnchorOnce           \* the beacon takes one hand-over of a term

VARIABLES
  ready,      \* incoming members that are ready
  word,       \* whether the beacon said that the next committee is ready
  said,       \* sitting members whose EpochSeen is in a block that is not ordered yet
  order,      \* for each commit: the members whose EpochSeen it orders
  length,     \* how many commits are ordered
  taken,      \* by each honest member: how many commits it took
  stop,       \* by each honest member: its stop, 0 before
  signed,     \* by each honest member: the heights it signed, as <<height, final>>
  anchored    \* heights of the hand-overs that the beacon took

vars == <<ready, word, said, order, length, taken, stop, signed, anchored>>

Members == Honest \cup {Liar}
Q == 3
Commits == 1..Heights

Init ==
  /\ ready = {}
  /\ word = FALSE
  /\ said = {}
  /\ order = [h \in Commits |-> {}]
  /\ length = 0
  /\ taken = [m \in Honest |-> 0]
  /\ stop = [m \in Honest |-> 0]
  /\ signed = [m \in Honest |-> {}]
  /\ anchored = {}

BecomeReady ==
  /\ \E m \in Incoming \ ready : ready' = ready \cup {m}
  /\ UNCHANGED <<word, said, order, length, taken, stop, signed, anchored>>

\* Incoming holds just a quorum, so all of it must be ready.
Word ==
  /\ ~word
  /\ QuorumReady => ready = Incoming
  /\ word' = TRUE
  /\ UNCHANGED <<ready, said, order, length, taken, stop, signed, anchored>>

Ordered == UNION {order[h] : h \in 1..length}

Say(m) ==
  /\ m \notin said
  /\ m \notin Ordered
  /\ (m # Liar /\ SeenAfterReady) => word
  /\ said' = said \cup {m}
  /\ UNCHANGED <<ready, word, order, length, taken, stop, signed, anchored>>

\* The next commit orders some of what was said; how much, the network decides.
Commit ==
  /\ length < Heights
  /\ \E S \in SUBSET said :
       /\ order' = [order EXCEPT ![length + 1] = S]
       /\ said' = said \ S
  /\ length' = length + 1
  /\ UNCHANGED <<ready, word, taken, stop, signed, anchored>>

SeenIn(h) == UNION {order[k] : k \in 1..h}

\* A member takes its next commit, decides whether the term ends there, and signs its header.
Take(m) ==
  /\ taken[m] < length
  /\ RefuseAboveStop => stop[m] = 0
  /\ LET h == taken[m] + 1
         seen == IF StopByOrder THEN SeenIn(h) ELSE SeenIn(h) \cup said
         ends == stop[m] = 0 /\ Cardinality(seen) >= Q
     IN /\ taken' = [taken EXCEPT ![m] = h]
        /\ stop' = [stop EXCEPT ![m] = IF ends THEN h ELSE @]
        /\ signed' = [signed EXCEPT ![m] = @ \cup {<<h, ends>>}]
  /\ UNCHANGED <<ready, word, said, order, length, anchored>>

\* Liars sign everything, so a certificate takes q - Lies honest members.
Certified(h, final) == Cardinality({m \in Honest : <<h, final>> \in signed[m]}) + Lies >= Q

Anchor ==
  /\ \E h \in Commits :
       /\ Certified(h, TRUE)
       /\ h \notin anchored
       /\ AnchorOnce => anchored = {}
       /\ anchored' = anchored \cup {h}
  /\ UNCHANGED <<ready, word, said, order, length, taken, stop, signed>>

Next ==
  \/ BecomeReady
  \/ Word
  \/ \E m \in Members : Say(m)
  \/ Commit
  \/ \E m \in Honest : Take(m)
  \/ Anchor

Spec == Init /\ [][Next]_vars

\* All honest members stop at one height.
OneStop == \A m, k \in Honest : (stop[m] # 0 /\ stop[k] # 0) => stop[m] = stop[k]
\* Nobody honest signs above the stop of anybody honest: nothing is certified there, not even with the liar's help.
NothingAbove == \A h \in Commits, k \in Honest :
  (stop[k] # 0 /\ h > stop[k]) => ~Certified(h, TRUE) /\ ~Certified(h, FALSE)
\* A height is certified as the last one or as another one, never as both.
NoTwins == \A h \in Commits : ~(Certified(h, TRUE) /\ Certified(h, FALSE))
\* The term does not end before a quorum of the next committee is ready: there is always somebody who can go on.
ReadyFirst == anchored # {} => ready = Incoming
\* The terms meet in one height.
OneHandover == Cardinality(anchored) <= 1
\* For counting: states in which the term ended and the beacon knows.
Done == anchored # {}
=============================================================================
