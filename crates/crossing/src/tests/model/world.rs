//! The world that is explored: three shards, two transactions, a transfer, a client and relayers.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use quorate_types::{AccountId, AssetId, Epoch, Hash32, Height, ShardId};
use stateright::{Model, Property};

use super::super::bench::{GOLD, account, cancel, network, sign, transaction};
use super::explore::Graph;
use crate::bundle::Arrival;
use crate::channel::ChannelHead;
use crate::message::{Body, Message, Parcel};
use crate::options::Mutation;
use crate::*;

pub(super) const SHARDS: usize = 3;
/// The last epoch in which the transactions may happen; shards begin in it.
const EXPIRY: Epoch = Epoch(0);
const LATER: Epoch = Epoch(1);
/// Where the later epoch's term begins.
const LATER_HEIGHT: Height = Height(1000);

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    Engine(Mutation),
    /// A participant takes a cancel and lets go of its hold by itself.
    CancelAtParticipant,
    /// A participant that voted YES lets go by itself in the epoch after the expiry.
    AbortAfterYes,
}

/// How much is explored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// T1, or T1 and T2.
    pub(super) transactions: usize,
    pub(super) transfer: bool,
    pub(super) cancel: bool,
    /// Nothing is merged.
    pub(super) whole: bool,
}

impl Limits {
    pub(super) const ALL: Self = Self {
        transactions: 2,
        transfer: true,
        cancel: true,
        whole: false,
    };
}

/// What anybody may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Submit {
        transaction: usize,
        shard: usize,
    },
    Cancel {
        transaction: usize,
    },
    LetGo {
        transaction: usize,
        shard: usize,
    },
    Enter {
        shard: usize,
    },
    Forget {
        transaction: usize,
        shard: usize,
    },
    Transfer,
    Deliver {
        from: usize,
        to: usize,
        sequence: u64,
    },
}

impl Action {
    /// The shard whose log it is an entry of.
    pub(super) fn actor(self) -> u8 {
        let shard = match self {
            Self::Cancel { .. } => 0,
            Self::Transfer => 2,
            Self::Submit { shard, .. }
            | Self::LetGo { shard, .. }
            | Self::Enter { shard }
            | Self::Forget { shard, .. } => shard,
            Self::Deliver { to, .. } => to,
        };
        u8::try_from(shard).expect("three")
    }
}

/// One account, and no lock version: nothing that is explored depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Purse {
    pub(super) account: AccountId,
    pub(super) available: u128,
    pub(super) held: u128,
}

impl Purse {
    fn check(&self, account: &AccountId, there: u128, amount: u128) -> Result<u128, AccountsError> {
        if *account != self.account {
            return Err(AccountsError::Missing { account: *account });
        }
        there.checked_sub(amount).ok_or(AccountsError::Funds {
            account: *account,
            asset: GOLD,
            available: there,
            amount,
        })
    }
}

impl Accounts for Purse {
    fn exists(&self, account: &AccountId) -> bool {
        *account == self.account
    }
    fn available(&self, account: &AccountId, _: AssetId) -> u128 {
        if self.exists(account) {
            self.available
        } else {
            0
        }
    }
    fn lock_version(&self, _: &AccountId) -> u64 {
        0
    }
    fn hold(&mut self, account: &AccountId, _: AssetId, amount: u128) -> Result<(), AccountsError> {
        self.available = self.check(account, self.available, amount)?;
        self.held += amount;
        Ok(())
    }
    fn release(
        &mut self,
        account: &AccountId,
        _: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        self.held = self.check(account, self.held, amount)?;
        self.available += amount;
        Ok(())
    }
    fn debit_held(
        &mut self,
        account: &AccountId,
        _: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        self.held = self.check(account, self.held, amount)?;
        Ok(())
    }
    fn debit(
        &mut self,
        account: &AccountId,
        _: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        self.available = self.check(account, self.available, amount)?;
        Ok(())
    }
    fn credit(
        &mut self,
        account: &AccountId,
        _: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        self.check(account, amount, amount)?;
        self.available += amount;
        Ok(())
    }
    fn totals(&self, _: AssetId) -> (u128, u128) {
        (self.available, self.held)
    }
}

/// What was seen to happen on one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    /// How often it applied COMMIT of each transaction.
    pub(super) commits: [u8; 2],
    pub(super) aborts: [bool; 2],
    /// What it decided: COMMIT, ABORT.
    pub(super) decided: [[bool; 2]; 2],
    /// How many messages of each shard it consumed, one after another.
    pub(super) consumed: [u64; 4],
    /// A message was consumed twice or out of turn.
    pub(super) again: bool,
    /// A transaction was forgotten before its expiry had passed.
    pub(super) early: bool,
    pub(super) transfers: u8,
    pub(super) alarm: Option<String>,
}

impl Seen {
    /// Takes note of what happened; `ids` are the transactions.
    pub(super) fn note(&mut self, events: &[Event], ids: &[AtomicId], epoch: Epoch, expiry: Epoch) {
        let position = |id: &AtomicId| ids.iter().position(|known| known == id).expect("known");
        for event in events {
            match event {
                Event::Consumed { source, sequence } => {
                    let next = &mut self.consumed[usize::try_from(source.0).expect("few")];
                    self.again |= *next != *sequence;
                    *next = (*sequence + 1).max(*next);
                }
                Event::Decided {
                    transaction,
                    outcome,
                } => {
                    let commit = *outcome == Outcome::Commit;
                    self.decided[position(transaction)][usize::from(!commit)] = true;
                }
                Event::Applied {
                    transaction,
                    outcome,
                } => match outcome {
                    Outcome::Commit => self.commits[position(transaction)] += 1,
                    Outcome::Abort => self.aborts[position(transaction)] = true,
                },
                Event::Credited { reference, .. } if *reference != Hash32::ZERO => {
                    self.transfers += 1;
                }
                Event::Forgotten { .. } => self.early |= epoch <= expiry,
                Event::Alarm(alarm) => self.alarm = Some(format!("{alarm:?}")),
                _ => {}
            }
        }
    }
}

/// One shard with what was seen of it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) crossing: Crossing,
    pub(super) purse: Purse,
    pub(super) seen: Seen,
    /// Hash of all that matters, and of all there is if nothing is to be merged.
    pub(super) print: (u64, u64),
}

/// All that tells two states apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key([(u64, u64); SHARDS]);

impl Key {
    /// What matters.
    pub(super) fn merged(&self) -> Self {
        Self(self.0.map(|print| (print.0, 0)))
    }
}

#[derive(Clone)]
pub(super) struct State {
    nodes: [Arc<Node>; SHARDS],
}

impl State {
    pub(super) fn key(&self) -> Key {
        Key([0, 1, 2].map(|shard| self.nodes[shard].print))
    }

    pub(super) fn summary(&self) -> Summary {
        let [decider, ..] = &self.nodes;
        let holds = [0, 1, 2].map(|shard| self.nodes[shard].purse.held > 0);
        Summary {
            quiet: self.nodes.iter().all(|node| node.crossing.is_quiet()),
            holds,
            pending: decider.crossing.is_deciding(),
            commits: [0, 1].map(|at| decider.seen.commits[at] > 0),
            aborts: [0, 1].map(|at| decider.seen.aborts[at]),
        }
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for State {}
impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key())
    }
}

/// What is asked of a state when all are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    quiet: bool,
    holds: [bool; SHARDS],
    pending: bool,
    commits: [bool; 2],
    aborts: [bool; 2],
}

impl Summary {
    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a shard holds nothing, and nothing is undecided.
    pub(super) const fn is_free(&self, shard: usize) -> bool {
        !self.holds[shard] && !self.pending
    }

    pub(super) fn shows(&self, sight: &str) -> bool {
        match sight {
            "T1 commits" => self.commits[0],
            "T1 aborts" => self.aborts[0],
            "T2 commits" => self.commits[1],
            "T2 aborts" => self.aborts[1],
            _ => panic!("{sight}"),
        }
    }
}

type Memory = BTreeMap<Vec<u8>, (Arc<Arrival>, u64)>;

pub(super) struct World {
    limits: Limits,
    flaw: Flaw,
    network: Network,
    pub(super) transactions: Vec<Arc<Verified<SignedAtomic>>>,
    pub(super) cancels: Vec<Verified<Cancel>>,
    pub(super) ids: Vec<AtomicId>,
    /// Messages as they are read, with a hash of what they say.
    memory: Mutex<Memory>,
}

impl World {
    pub(super) fn new(limits: Limits, flaw: Flaw) -> Self {
        let first = transaction(0, EXPIRY.0, &[(1, 1, 1), (2, 2, 1)], &[(0, 0, 2)]);
        let second = transaction(
            0,
            EXPIRY.0,
            &[(0, 0, 1), (1, 1, 1)],
            &[(0, 0, 1), (2, 2, 1)],
        );
        Self::of(network(3), &[sign(first), sign(second)], limits, flaw)
    }

    pub(super) fn of(
        network: Network,
        signed: &[SignedAtomic],
        limits: Limits,
        flaw: Flaw,
    ) -> Self {
        let check = |signed: &SignedAtomic| {
            let checked = Verified::<SignedAtomic>::check(signed.clone(), &network);
            Arc::new(checked.unwrap())
        };
        let cancels = signed.iter().map(|signed| {
            let by = if signed.transaction.decider == ShardId(0) {
                1
            } else {
                2
            };
            Verified::<Cancel>::check(cancel(signed, by), &network).unwrap()
        });
        Self {
            limits,
            flaw,
            network,
            transactions: signed.iter().map(check).collect(),
            cancels: cancels.collect(),
            ids: signed.iter().map(SignedAtomic::id).collect(),
            memory: Mutex::default(),
        }
    }

    /// Whether what was consumed stays, so that it can be carried again.
    const fn keeps(&self) -> bool {
        matches!(
            self.flaw,
            Flaw::Engine(Mutation::SequenceUnchecked | Mutation::LooseOrder)
        ) || self.network.shards > 3
    }

    /// What a message says, whatever its place and the voter's epoch, which nobody reads.
    pub(super) fn read(
        &self,
        head: &ChannelHead,
        sequence: u64,
        parcel: &Parcel,
    ) -> (Arc<Arrival>, u64) {
        let mut memory = self.memory.lock().expect("no panic while locked");
        if let Some(known) = memory.get(&parcel.message) {
            return known.clone();
        }
        let arrival = Arrival::read(&self.network, head, sequence, parcel.clone()).unwrap();
        let message: Message = quorate_types::Decode::from_bytes(&parcel.message).unwrap();
        let mut body = message.body;
        if let Body::Vote(vote) = &mut body {
            vote.epoch = Epoch(0);
        }
        let code = (hash(0, &(body, &parcel.credits)), Arc::new(arrival));
        memory.insert(parcel.message.clone(), (Arc::clone(&code.1), code.0));
        (code.1, code.0)
    }

    fn head(from: usize, to: usize) -> ChannelHead {
        ChannelHead {
            source: shard_id(from),
            destination: shard_id(to),
            sent: 0,
            root: Hash32::ZERO,
            consumed: 0,
        }
    }

    /// A node after it changed.
    pub(super) fn node(&self, crossing: Crossing, purse: Purse, seen: Seen) -> Arc<Node> {
        let own = usize::try_from(crossing.shard().0).expect("few");
        let shards = usize::try_from(self.network.shards).expect("few");
        let mut channels: Vec<Vec<u64>> = Vec::new();
        for peer in (0..shards).filter(|peer| *peer != own) {
            let first = crossing.sent(shard_id(peer)).1;
            let parcels = crossing.unacknowledged(shard_id(peer));
            let codes = (first..)
                .zip(parcels)
                .map(|(sequence, parcel)| self.read(&Self::head(own, peer), sequence, parcel).1);
            channels.push(codes.collect());
        }
        let mut counted = seen.clone();
        if !self.keeps() {
            counted.consumed = [0; 4];
        }
        let matters = (
            crossing.epoch().0,
            &purse,
            &counted,
            crossing.memories(),
            crossing.book(),
            channels,
        );
        let whole = if self.limits.whole {
            hash(1, &(&crossing, &seen))
        } else {
            0
        };
        let print = (hash(2, &matters), whole);
        Arc::new(Node {
            crossing,
            purse,
            seen,
            print,
        })
    }

    /// Does something on one shard.
    fn on(
        &self,
        state: &State,
        shard: usize,
        step: impl FnOnce(&mut Crossing, &mut Purse, &mut Vec<Event>) -> bool,
    ) -> Option<State> {
        let mut node = Node::clone(&state.nodes[shard]);
        let mut events = Vec::new();
        if !step(&mut node.crossing, &mut node.purse, &mut events) {
            return None;
        }
        let epoch = node.crossing.epoch();
        node.seen.note(&events, &self.ids, epoch, EXPIRY);
        let mut next = state.clone();
        next.nodes[shard] = self.node(node.crossing, node.purse, node.seen);
        Some(next)
    }

    fn deliver(&self, state: &State, from: usize, to: usize, sequence: u64) -> Option<State> {
        let sender = &state.nodes[from].crossing;
        let epoch = sender.epoch();
        let height = if epoch == EXPIRY {
            Height(1)
        } else {
            LATER_HEIGHT
        };
        let read =
            |head: &ChannelHead, sequence, parcel: &Parcel| self.read(head, sequence, parcel).0;
        let bundle = sender.opened(shard_id(to), sequence, (epoch, height), read)?;
        let mut next = self.on(state, to, |crossing, purse, events| {
            crossing.deliver(purse, &bundle, events).is_ok()
        })?;
        if !self.keeps() {
            let mut node = Node::clone(&next.nodes[from]);
            node.crossing.acknowledge(shard_id(to), sequence + 1);
            next.nodes[from] = self.node(node.crossing, node.purse, node.seen);
        }
        Some(next)
    }

    fn broken_promise(&self, state: &State) -> Option<String> {
        let seen = [0, 1, 2].map(|shard| &state.nodes[shard].seen);
        for (at, _) in self.ids.iter().enumerate() {
            if seen.iter().any(|seen| seen.decided[at] == [true, true]) {
                return Some(format!("I20: T{} was decided twice", at + 1));
            }
            let commits = seen.iter().any(|seen| seen.commits[at] > 0);
            if commits && seen.iter().any(|seen| seen.aborts[at]) {
                return Some(format!("I19: T{} was committed and aborted", at + 1));
            }
            if seen.iter().any(|seen| seen.commits[at] > 1) {
                return Some(format!("I21: T{} was committed twice on a shard", at + 1));
            }
        }
        if seen.iter().any(|seen| seen.transfers > 1) {
            return Some("I21: the transfer was credited twice".to_owned());
        }
        if seen.iter().any(|seen| seen.again) && self.flaw == Flaw::None {
            return Some("I21: a message was consumed twice".to_owned());
        }
        if seen.iter().any(|seen| seen.early) && self.flaw == Flaw::None {
            return Some("I26: a transaction was forgotten early".to_owned());
        }
        if let Some(broken) = broken_money(&state.nodes) {
            return Some(broken);
        }
        // An alarm is no harm yet. But where nothing is wrong there is none, and what the ledger refuses is an overdraft.
        let alarm = seen.iter().find_map(|seen| seen.alarm.as_ref())?;
        let counts = self.flaw == Flaw::None || alarm.starts_with("Ledger");
        counts.then(|| format!("I23: {alarm}"))
    }
}

/// I22 and I24: holds are those of votes, and money is conserved.
pub(super) fn broken_money(nodes: &[Arc<Node>]) -> Option<String> {
    let mut lines = Vec::new();
    for node in nodes {
        if node.crossing.held_by_votes(GOLD) != node.purse.held {
            return Some(format!(
                "I22: shard {} holds without a vote",
                node.crossing.shard()
            ));
        }
        lines.push(node.crossing.supply(&node.purse));
    }
    match audit(&lines) {
        Err(error @ AuditError::Holds { .. }) => Some(format!("I22: {error}")),
        Err(error) => Some(format!("I24: {error}")),
        Ok(global) => {
            let supply = global.assets.get(&GOLD).map(|gold| gold.supply);
            (supply != Some(3)).then(|| format!("I24: {global:?}"))
        }
    }
}

impl Graph for World {
    type Key = Key;
    type Summary = Summary;
    fn key(&self, state: &State) -> Key {
        state.key()
    }
    fn summary(state: &State) -> Summary {
        state.summary()
    }
    fn actor(action: &Action) -> u8 {
        action.actor()
    }
    fn broken(&self, state: &State) -> Option<String> {
        self.broken_promise(state)
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let nodes = [0, 1, 2].map(|shard| {
            let mut options = Options::new(network(3), shard_id(shard));
            if let Flaw::Engine(mutation) = self.flaw {
                options.mutation = Some(mutation);
            }
            let opening = BTreeMap::from([(GOLD, 1)]);
            let mut crossing = Crossing::new(options, EXPIRY, &opening).unwrap();
            for peer in (0..SHARDS).filter(|peer| *peer != shard) {
                let peer = shard_id(peer);
                crossing.begin_term(peer, EXPIRY, Height(1)).unwrap();
                crossing.begin_term(peer, LATER, LATER_HEIGHT).unwrap();
            }
            let purse = Purse {
                account: account(u8::try_from(shard).expect("three")),
                available: 1,
                held: 0,
            };
            self.node(crossing, purse, Seen::default())
        });
        vec![State { nodes }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for transaction in 0..self.limits.transactions {
            actions.extend((0..SHARDS).map(|shard| Action::Submit { transaction, shard }));
            actions.extend((0..SHARDS).map(|shard| Action::Forget { transaction, shard }));
            if self.limits.cancel {
                actions.push(Action::Cancel { transaction });
            }
            if matches!(self.flaw, Flaw::CancelAtParticipant | Flaw::AbortAfterYes) {
                actions.extend((1..SHARDS).map(|shard| Action::LetGo { transaction, shard }));
            }
        }
        actions.extend((0..SHARDS).map(|shard| Action::Enter { shard }));
        if self.limits.transfer {
            actions.push(Action::Transfer);
        }
        for from in 0..SHARDS {
            for to in (0..SHARDS).filter(|to| *to != from) {
                let next = state.nodes[to].crossing.next_sequence(shard_id(from));
                let sent = state.nodes[from].crossing.sent(shard_id(to)).0;
                let sequences = match self.flaw {
                    Flaw::Engine(Mutation::SequenceUnchecked) => 0..(next + 1).min(sent),
                    Flaw::Engine(Mutation::LooseOrder) => 0..sent,
                    _ => next..(next + 1).min(sent),
                };
                actions.extend(sequences.map(|sequence| Action::Deliver { from, to, sequence }));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let next = match action {
            Action::Submit { transaction, shard } => {
                self.on(state, shard, |crossing, purse, events| {
                    let signed = &self.transactions[transaction];
                    crossing.submit(purse, signed, events).is_ok()
                })
            }
            Action::Cancel { transaction } => self.on(state, 0, |crossing, _, events| {
                crossing.cancel(&self.cancels[transaction], events).is_ok()
            }),
            Action::LetGo { transaction, shard } => {
                self.on(state, shard, |crossing, purse, events| {
                    let early = self.flaw == Flaw::AbortAfterYes && crossing.epoch() == EXPIRY;
                    if !early {
                        crossing.let_go(purse, ShardId(0), self.ids[transaction], events);
                    }
                    !early
                })
            }
            Action::Enter { shard } => self.on(state, shard, |crossing, _, events| {
                crossing.epoch() == EXPIRY && crossing.enter_epoch(LATER, events).is_ok()
            }),
            Action::Forget { transaction, shard } => {
                self.on(state, shard, |crossing, _, events| {
                    crossing.forget_one(self.ids[transaction], events);
                    !events.is_empty()
                })
            }
            Action::Transfer => self.on(state, 2, |crossing, purse, _| {
                if crossing.sent_ever(ShardId(1), GOLD) > 0 {
                    return false;
                }
                let transfer = Verified::<Transfer>::authorised(Transfer {
                    payer: account(2),
                    destination: ShardId(1),
                    account: account(1),
                    asset: GOLD,
                    amount: 1,
                    reference: Hash32([1; 32]),
                });
                let debited = crossing.transfer(purse, &transfer).is_ok();
                debited && crossing.seal(purse, Height(1)).is_ok()
            }),
            Action::Deliver { from, to, sequence } => self.deliver(state, from, to, sequence),
        };
        next.filter(|next| next != state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let sometimes = Property::sometimes;
        vec![
            Property::always("every promise holds", |world: &Self, state: &State| {
                world.broken_promise(state).is_none()
            }),
            sometimes("T1 commits", |_, state: &State| {
                state.summary().shows("T1 commits")
            }),
            sometimes("T1 aborts", |_, state: &State| {
                state.summary().shows("T1 aborts")
            }),
        ]
    }
}

pub(super) fn shard_id(shard: usize) -> ShardId {
    ShardId(u32::try_from(shard).expect("three"))
}

pub(super) fn hash(salt: u8, value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}
