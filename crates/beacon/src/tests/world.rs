//! A beacon and three abstract shards from one seed, with liars, and an oracle that believes nothing.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use quorate_types::{
    Certificate, Committee, CommitteeHash, EncryptionKey, Epoch, EpochRecord, Height, IdentityKey,
    ShardId, ShardKey, ThresholdKey,
};

use super::Mutation;
use super::build::*;
use super::fake::{Fake, group_key};
use crate::assignment::Placement;
use crate::engine::{Beacon, Effect, FreezeAck, Operation, Phase};

/// What the oracle found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Violation {
    /// A record does not follow the one before.
    Record,
    /// Committees were drawn without a final freeze, or from others than were frozen.
    Draw,
    /// A shard may turn without a quorum of its next committee, or to a key that was used, or has two next committees.
    Turn,
    /// An anchored height went down, or a frozen shard was anchored.
    Anchor,
    /// A shard consumed what a retirement made void.
    Orphan,
    /// A shard is frozen that is neither stalled nor forked.
    Freeze,
    /// What a liar said was taken.
    Taken(Lie),
    /// A refusal changed the state.
    RefusalChanged,
    /// A restored or replayed replica differs.
    Replica,
    /// No record came in time, or a shard never came back.
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lie {
    EarlySeed,
    ForgedSeed,
    Replay,
    ForeignIdentity,
    ForeignEncryptionKey,
    ReadyOutsider,
    UsedKey,
    SecondSuccessor,
    OldAnchor,
    ForgedAnchor,
    UnknownSuccessor,
    SkippedRecord,
    OwnAck,
    EarlyRetire,
}

/// How often what happened, so that nothing is tested in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    pub(super) records: u64,
    pub(super) handovers: u64,
    pub(super) late_handovers: u64,
    pub(super) kept: u64,
    pub(super) retired: u64,
    pub(super) forked: u64,
    pub(super) aborted: u64,
    pub(super) joined: u64,
    pub(super) left: u64,
    pub(super) lies: u64,
    pub(super) restored: u64,
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let length = u64::try_from(from.len()).unwrap();
        let at = usize::try_from(self.below(length)).unwrap();
        from.get(at).copied()
    }
}

/// A shard, as far as the beacon sees it.
struct AbstractShard {
    /// Who runs it now. Ahead of the beacon between a last certificate and its anchor.
    committee: Committee,
    height: u64,
    stalled_until: u64,
    next: Option<(u64, Committee)>,
    /// The highest certificate of each other shard's term that it consumed.
    consumed: BTreeMap<ShardId, Certificate>,
    /// Of which others it takes nothing more.
    froze: BTreeSet<ShardId>,
}

enum Event {
    Say(Box<Operation>),
    /// A shard orders the freeze of another one.
    OrderFreeze {
        by: ShardId,
        of: ShardId,
        epoch: Epoch,
    },
}

impl Event {
    fn say(operation: Operation) -> Self {
        Self::Say(Box::new(operation))
    }
}

/// Who runs each validator, and its encryption key.
type Books = BTreeMap<IdentityKey, (IdentityKey, EncryptionKey)>;

pub(super) struct World {
    beacon: Beacon<Fake>,
    placement: Placement,
    chance: Chance,
    tick: u64,
    events: BTreeMap<u64, Vec<Event>>,
    shards: Vec<AbstractShard>,
    hostile: bool,
    log: Vec<(Height, Vec<Operation>)>,
    // The oracle's own books.
    validators: Books,
    frozen: Option<(Epoch, Height, Books)>,
    candidates: Vec<(Committee, u8)>,
    ready: BTreeMap<(ShardId, CommitteeHash), BTreeSet<IdentityKey>>,
    keys: BTreeSet<ThresholdKey>,
    /// Keys of running terms that were compared with their committees.
    known_keys: Vec<ShardKey>,
    anchored: Vec<u64>,
    anchored_in: Vec<u64>,
    accepted: Vec<Operation>,
    drawn_at: Option<u64>,
    record: EpochRecord,
    next_identity: u32,
    next_key: u64,
    pub(super) stats: Stats,
}

type Checked = Result<(), Violation>;

impl World {
    pub(super) fn new(seed: u64, mutation: Option<Mutation>) -> Self {
        let mut chance = Chance(seed);
        let placement = match chance.below(3) {
            0 => Placement::Everyone,
            1 => Placement::Drawn { seats: 5 },
            _ => Placement::Partition,
        };
        let (mut beacon, _) = start(placement);
        beacon.mutation = mutation;
        let shards: Vec<AbstractShard> = (0..SHARDS)
            .map(|shard| AbstractShard {
                committee: beacon.committee(ShardId(shard)).unwrap().clone(),
                height: 0,
                stalled_until: 0,
                next: None,
                consumed: BTreeMap::new(),
                froze: BTreeSet::new(),
            })
            .collect();
        let validators = (0..VALIDATORS)
            .map(|number| {
                (
                    identity(number),
                    (operator(number / 2), encryption_key(number, 0)),
                )
            })
            .collect();
        let record = beacon.record().clone();
        let mut world = Self {
            keys: shards
                .iter()
                .map(|shard| *shard.committee.group_key())
                .collect(),
            beacon,
            placement,
            chance,
            tick: 0,
            events: BTreeMap::new(),
            shards,
            hostile: true,
            log: Vec::new(),
            validators,
            frozen: None,
            candidates: Vec::new(),
            ready: BTreeMap::new(),
            known_keys: record.shards.clone(),
            anchored: [0; 3].to_vec(),
            anchored_in: [0; 3].to_vec(),
            accepted: Vec::new(),
            drawn_at: None,
            record,
            next_identity: 100,
            next_key: 1_000,
            stats: Stats::default(),
        };
        let first = certify(Epoch(0), world.record.hash());
        world.later(2, Event::say(first));
        world
    }

    /// Runs so many heights with liars and stalls, then some without, in which everything must recover.
    pub(super) fn run(&mut self, heights: u64) -> Checked {
        for _ in 0..heights {
            self.step()?;
        }
        self.hostile = false;
        for shard in &mut self.shards {
            shard.stalled_until = 0;
        }
        let before = self.stats.records;
        for _ in 0..150 {
            self.step()?;
        }
        let stuck = (0..SHARDS)
            .map(ShardId)
            .any(|shard| self.beacon.is_frozen(shard) || self.beacon.is_forked(shard));
        if stuck || self.stats.records < before + 3 {
            return Err(Violation::Stuck);
        }
        self.replay()
    }

    fn step(&mut self) -> Checked {
        self.tick += 1;
        let height = Height(self.tick);
        self.log.push((height, Vec::new()));
        let applied = self.beacon.advance(height).unwrap();
        self.follow(applied.effects)?;
        self.check()?;
        for event in self.events.remove(&self.tick).unwrap_or_default() {
            match event {
                Event::Say(operation) => {
                    self.say(*operation)?;
                }
                Event::OrderFreeze { by, of, epoch } => self.order_freeze(by, of, epoch)?,
            }
        }
        for shard in (0..SHARDS).map(ShardId) {
            self.act(shard)?;
        }
        self.watch_stalls()?;
        if self.hostile {
            self.operators()?;
            if self.chance.one_in(2) {
                self.lie()?;
            }
            self.misfortune()?;
        }
        if self.chance.one_in(60) {
            self.restore()?;
        }
        let length = self.beacon.parameters().turn_length;
        match self.drawn_at {
            Some(at) if self.tick > at + length => Err(Violation::Stuck),
            _ => Ok(()),
        }
    }

    fn later(&mut self, ticks: u64, event: Event) {
        self.events
            .entry(self.tick + ticks)
            .or_default()
            .push(event);
    }

    /// Gives an operation to the beacon. Whether it was taken.
    fn say(&mut self, operation: Operation) -> Result<bool, Violation> {
        let height = Height(self.tick);
        self.log.last_mut().unwrap().1.push(operation.clone());
        let before = self.chance.one_in(16).then(|| self.beacon.to_bytes());
        match self.beacon.apply(height, &operation) {
            Err(_) => match before {
                Some(before) if before != self.beacon.to_bytes() => Err(Violation::RefusalChanged),
                _ => Ok(false),
            },
            Ok(applied) => {
                self.book(&operation)?;
                self.follow(applied.effects)?;
                self.check()?;
                Ok(true)
            }
        }
    }

    /// Keeps the oracle's books of what was taken.
    fn book(&mut self, operation: &Operation) -> Checked {
        match operation {
            Operation::Register(registration) => {
                let entry = (registration.operator, registration.encryption_key);
                self.validators.insert(registration.identity, entry);
                self.accepted.push(operation.clone());
            }
            Operation::Depart(departure) => {
                self.validators.remove(&departure.identity);
                self.accepted.push(operation.clone());
            }
            Operation::Propose(proposal) => {
                let number = proposal.transcript.0[0];
                self.candidates.push((proposal.committee.clone(), number));
            }
            Operation::Ready(ready) => {
                let number = ready.transcript.0[0];
                let of = |(committee, other): &&(Committee, u8)| {
                    *other == number && committee.shard() == ready.shard
                };
                let (committee, _) = self.candidates.iter().find(of).ok_or(Violation::Turn)?;
                if committee.index_of(&ready.member).is_some() {
                    let of = (ready.shard, committee.hash());
                    self.ready.entry(of).or_default().insert(ready.member);
                }
            }
            Operation::Anchor(certificate) => {
                let shard = certificate.header.shard;
                let at = usize::try_from(shard.0).unwrap();
                let height = certificate.header.height.0;
                if height <= self.anchored[at] || self.beacon.is_frozen(shard) {
                    return Err(Violation::Anchor);
                }
                self.anchored[at] = height;
                self.anchored_in[at] = self.record.epoch.0;
            }
            _ => {}
        }
        Ok(())
    }

    /// Does what a driver would do, and compares it with the books.
    fn follow(&mut self, effects: Vec<Effect>) -> Checked {
        for effect in effects {
            match effect {
                Effect::SignSeed { epoch, frozen_at } => {
                    self.frozen = Some((epoch, frozen_at, self.validators.clone()));
                    // Somebody who had all shares already.
                    if self.hostile && self.say(seed_of(epoch))? {
                        return Err(Violation::Taken(Lie::EarlySeed));
                    }
                    let wait = 1 + self.chance.below(3);
                    self.later(wait, Event::say(seed_of(epoch)));
                }
                Effect::Staff {
                    shard,
                    epoch,
                    seats,
                    ..
                } => {
                    let drawn = self
                        .frozen
                        .as_ref()
                        .filter(|(of, at, _)| *of == epoch && at.0 < self.tick);
                    let (_, _, registry) = drawn.ok_or(Violation::Draw)?;
                    for seat in &seats {
                        let entry = registry.get(&seat.identity).ok_or(Violation::Draw)?;
                        if entry.1 != seat.encryption_key {
                            return Err(Violation::Draw);
                        }
                    }
                    self.drawn_at = Some(self.tick);
                    let members: Vec<_> = seats.iter().map(|seat| seat.identity).collect();
                    self.ceremony(shard, epoch, &members);
                }
                Effect::Turn {
                    shard, committee, ..
                } => self.turn(shard, *committee)?,
                Effect::HandedOver { shard, .. } => {
                    self.stats.handovers += 1;
                    let key = self.beacon.key(shard).unwrap();
                    let late = key.epoch <= self.record.epoch;
                    self.stats.late_handovers += u64::from(late);
                    self.forget_term(shard);
                }
                Effect::SignRecord { epoch, hash } => {
                    self.new_record()?;
                    let wait = 1 + self.chance.below(3);
                    self.later(wait, Event::say(certify(epoch, hash)));
                }
                Effect::Ejected { identity } => {
                    self.validators.remove(&identity);
                }
                Effect::Forked { .. } => self.stats.forked += 1,
                Effect::ForceAbort { .. } => self.stats.aborted += 1,
                Effect::Freeze { shard, epoch } => {
                    if !self.is_stalled(shard) && !self.beacon.is_forked(shard) {
                        return Err(Violation::Freeze);
                    }
                    for by in (0..SHARDS).map(ShardId).filter(|by| *by != shard) {
                        let wait = 1 + self.chance.below(10);
                        let of = shard;
                        self.later(wait, Event::OrderFreeze { by, of, epoch });
                    }
                }
                Effect::Retire {
                    shard, last, epoch, ..
                } => self.retired(shard, last, epoch)?,
            }
        }
        Ok(())
    }

    fn new_record(&mut self) -> Checked {
        let record = self.beacon.record().clone();
        record
            .require_follows(&self.record)
            .map_err(|_| Violation::Record)?;
        for (old, new) in self.record.shards.iter().zip(&record.shards) {
            self.stats.kept += u64::from(old == new);
        }
        self.record = record;
        self.candidates.clear();
        self.drawn_at = None;
        self.stats.records += 1;
        Ok(())
    }

    /// What must hold after every operation.
    fn check(&mut self) -> Checked {
        for shard in (0..SHARDS).map(ShardId) {
            let at = usize::try_from(shard.0).unwrap();
            let key = self.beacon.key(shard).unwrap();
            if self.known_keys[at] != *key {
                let committee = self.beacon.committee(shard).unwrap();
                if (key.committee, key.epoch) != (committee.hash(), committee.epoch()) {
                    return Err(Violation::Record);
                }
                self.known_keys[at] = *key;
            }
            if self.beacon.anchored(shard).map_or(0, |height| height.0) < self.anchored[at] {
                return Err(Violation::Anchor);
            }
        }
        if self.record != *self.beacon.record() {
            return Err(Violation::Record);
        }
        Ok(())
    }

    /// Members of an incoming committee make a key, more or less well.
    fn ceremony(&mut self, shard: ShardId, epoch: Epoch, members: &[IdentityKey]) {
        if self.hostile && self.chance.one_in(7) {
            return;
        }
        self.next_key += 1;
        let next = committee(shard, epoch, group_key(self.next_key), members);
        let proposer = self.chance.pick(members).unwrap();
        let wait = 1 + self.chance.below(3);
        self.later(
            wait,
            Event::say(Operation::Propose(propose(&next, proposer, 1))),
        );
        for member in members {
            if self.hostile && self.chance.one_in(12) {
                continue;
            }
            let delay = wait + 1 + self.chance.below(4);
            let word = Operation::Ready(ready(&next, 1, *member));
            if self.chance.one_in(5) {
                self.later(delay + 1, Event::say(word.clone()));
            }
            self.later(delay, Event::say(word));
        }
    }

    fn turn(&mut self, shard: ShardId, next: Committee) -> Checked {
        let ready = self
            .ready
            .get(&(shard, next.hash()))
            .map_or(0, BTreeSet::len);
        if ready < usize::from(next.quorum()) || !self.keys.insert(*next.group_key()) {
            return Err(Violation::Turn);
        }
        let at = usize::try_from(shard.0).unwrap();
        if self.shards[at].next.is_some() && !self.beacon.is_frozen(shard) {
            return Err(Violation::Turn);
        }
        let due = self.tick + 1 + self.chance.below(5);
        self.shards[at].next = Some((due, next));
        Ok(())
    }

    /// Others consume a new term from its beginning.
    fn forget_term(&mut self, shard: ShardId) {
        for other in &mut self.shards {
            other.consumed.remove(&shard);
            other.froze.remove(&shard);
        }
    }

    fn retired(&mut self, shard: ShardId, last: Height, epoch: Epoch) -> Checked {
        for (by, other) in (0..).map(ShardId).zip(&self.shards) {
            let consumed = other
                .consumed
                .get(&shard)
                .map(|certificate| &certificate.header);
            let orphan =
                consumed.is_some_and(|header| header.epoch == epoch && header.height > last);
            // One that did not freeze goes on consuming what is void.
            if by != shard && (orphan || !other.froze.contains(&shard)) {
                return Err(Violation::Orphan);
            }
        }
        let at = usize::try_from(shard.0).unwrap();
        if last.0 < self.anchored[at] {
            return Err(Violation::Anchor);
        }
        self.stats.retired += 1;
        self.anchored_in[at] = self.record.epoch.0;
        self.shards[at].committee = self.beacon.committee(shard).unwrap().clone();
        self.shards[at].height = last.0;
        self.shards[at].next = None;
        self.shards[at].stalled_until = 0;
        self.forget_term(shard);
        Ok(())
    }

    fn order_freeze(&mut self, by: ShardId, of: ShardId, epoch: Epoch) -> Checked {
        let at = usize::try_from(by.0).unwrap();
        let wait = self.shards[at].stalled_until.saturating_sub(self.tick);
        if wait > 0 {
            self.later(wait, Event::OrderFreeze { by, of, epoch });
            return Ok(());
        }
        let other = &mut self.shards[at];
        other.froze.insert(of);
        let consumed = other
            .consumed
            .get(&of)
            .filter(|known| known.header.epoch == epoch);
        let ack = FreezeAck {
            from: by,
            shard: of,
            epoch,
            consumed: consumed.cloned(),
        };
        self.say(Operation::FreezeAck(ack)).map(|_| ())
    }

    /// A shard goes on for one height of the beacon.
    fn act(&mut self, shard: ShardId) -> Checked {
        let at = usize::try_from(shard.0).unwrap();
        if self.shards[at].stalled_until > self.tick {
            return Ok(());
        }
        let steps = self.chance.below(3);
        let state = &mut self.shards[at];
        state.height += steps;
        let due = state
            .next
            .as_ref()
            .is_some_and(|(due, _)| *due <= self.tick);
        let sits = self.beacon.committee(shard) == Some(&state.committee);
        if due
            && sits
            && let Some((_, next)) = state.next.take()
        {
            state.height += 1;
            let last = certificate(&state.committee, state.height, next.hash(), 0);
            state.committee = next;
            let wait = 1 + self.chance.below(if self.hostile { 16 } else { 3 });
            self.later(wait, Event::say(Operation::Anchor(last)));
            return Ok(());
        }
        if state.height == 0 || !sits {
            return Ok(());
        }
        let newest = certificate(&state.committee, state.height, CommitteeHash::ZERO, 0);
        let first = self.beacon.key(shard).unwrap().first;
        if newest.header.height < first {
            return Ok(());
        }
        for (by, other) in (0..).map(ShardId).zip(&mut self.shards) {
            if by != shard && !other.froze.contains(&shard) && self.chance.one_in(3) {
                other.consumed.insert(shard, newest.clone());
            }
        }
        if self.chance.one_in(3) {
            self.say(Operation::Anchor(newest))?;
        }
        Ok(())
    }

    fn is_stalled(&self, shard: ShardId) -> bool {
        let at = usize::try_from(shard.0).unwrap();
        let silent = self.record.epoch.0 - self.anchored_in[at];
        silent >= self.beacon.parameters().stall_epochs
    }

    fn watch_stalls(&mut self) -> Checked {
        for shard in (0..SHARDS).map(ShardId) {
            if self.beacon.is_frozen(shard) {
                if self.chance.one_in(2) {
                    self.say(Operation::Retire { shard })?;
                }
            } else if self.beacon.is_forked(shard) || self.is_stalled(shard) {
                if self.chance.one_in(2) {
                    self.say(Operation::ForceAbort { shard })?;
                }
                if self.chance.one_in(4) {
                    self.say(Operation::Freeze { shard })?;
                }
            }
        }
        Ok(())
    }

    fn operators(&mut self) -> Checked {
        if self.chance.one_in(5) {
            let owner = operator(u32::try_from(self.chance.below(6)).unwrap());
            self.next_identity += 1;
            let (new, key) = (
                identity(self.next_identity),
                encryption_key(self.next_identity, 0),
            );
            let sequence = self.beacon.sequence(&owner);
            let joined = self.say(Operation::Register(register(owner, sequence, new, key)))?;
            self.stats.joined += u64::from(joined);
        }
        let known: Vec<_> = self
            .validators
            .iter()
            .map(|(key, entry)| (*key, *entry))
            .collect();
        if let Some((identity, (owner, _))) = self.chance.pick(&known) {
            let sequence = self.beacon.sequence(&owner);
            if self.chance.one_in(4) {
                self.next_identity += 1;
                let key = encryption_key(self.next_identity, 1);
                self.say(Operation::Register(register(
                    owner, sequence, identity, key,
                )))?;
            } else if known.len() > 13 && self.chance.one_in(5) {
                let left = self.say(Operation::Depart(depart(owner, sequence, identity)))?;
                self.stats.left += u64::from(left);
            }
        }
        Ok(())
    }

    /// Shards stall and fork.
    fn misfortune(&mut self) -> Checked {
        let shard = ShardId(u32::try_from(self.chance.below(u64::from(SHARDS))).unwrap());
        let at = usize::try_from(shard.0).unwrap();
        if self.chance.one_in(120) {
            self.shards[at].stalled_until = self.tick + 20 + self.chance.below(80);
        }
        if self.chance.one_in(400) {
            let committee = self.beacon.committee(shard).unwrap().clone();
            let height = self.shards[at].height + 1;
            let twin = |salt| certificate(&committee, height, CommitteeHash::ZERO, salt);
            self.say(Operation::Fraud {
                first: Box::new(twin(1)),
                second: Box::new(twin(2)),
            })?;
        }
        Ok(())
    }

    /// Says something that must be refused.
    fn lie(&mut self) -> Checked {
        let shard = ShardId(u32::try_from(self.chance.below(u64::from(SHARDS))).unwrap());
        let epoch = Epoch(self.record.epoch.0 + 1);
        let sitting = self.beacon.committee(shard).unwrap().clone();
        let key = *self.beacon.key(shard).unwrap();
        let known: Vec<_> = self
            .validators
            .iter()
            .map(|(key, entry)| (*key, *entry))
            .collect();
        let Some((victim, (owner, victim_key))) = self.chance.pick(&known) else {
            return Ok(());
        };
        let thief = (0..6).map(operator).find(|thief| *thief != owner).unwrap();
        let sequence = self.beacon.sequence(&thief);
        let anchored = self.beacon.anchored(shard).map_or(0, |height| height.0);
        let drawn: Vec<_> = self.beacon.assignment().members(shard).copied().collect();
        let (lie, operation) = match self.chance.below(14) {
            0 if self.beacon.phase() == Phase::Resting => (Lie::EarlySeed, seed_of(epoch)),
            1 => {
                let signature = quorate_types::Signature([1; 48]);
                (Lie::ForgedSeed, Operation::Seed { epoch, signature })
            }
            2 => match self.accepted.len() {
                0 => return Ok(()),
                count => {
                    let at = self.chance.below(u64::try_from(count).unwrap());
                    let again = self.accepted[usize::try_from(at).unwrap()].clone();
                    (Lie::Replay, again)
                }
            },
            3 => {
                let stolen = register(thief, sequence, victim, encryption_key(7, 7));
                (Lie::ForeignIdentity, Operation::Register(stolen))
            }
            4 => {
                self.next_identity += 1;
                let new = identity(self.next_identity);
                let stolen = register(thief, sequence, new, victim_key);
                (Lie::ForeignEncryptionKey, Operation::Register(stolen))
            }
            5 => {
                let of_shard = |(committee, _): &&(Committee, u8)| committee.shard() == shard;
                let Some((committee, number)) = self.candidates.iter().find(of_shard) else {
                    return Ok(());
                };
                let outsider = identity(99_999);
                let word = ready(committee, *number, outsider);
                (Lie::ReadyOutsider, Operation::Ready(word))
            }
            6 => {
                let used = *self.beacon.committee(ShardId(0)).unwrap().group_key();
                if drawn.len() < 4 {
                    return Ok(());
                }
                let again = committee(shard, epoch, used, &drawn);
                (
                    Lie::UsedKey,
                    Operation::Propose(propose(&again, drawn[0], 9)),
                )
            }
            7 if self.beacon.successor(shard).is_some() && !self.beacon.is_frozen(shard) => {
                self.next_key += 1;
                let second = committee(shard, epoch, group_key(self.next_key), &drawn);
                (
                    Lie::SecondSuccessor,
                    Operation::Propose(propose(&second, drawn[1], 8)),
                )
            }
            8 if anchored > 0 => {
                let old = certificate(&sitting, anchored, CommitteeHash::ZERO, 3);
                (Lie::OldAnchor, Operation::Anchor(old))
            }
            9 => {
                let mut forged = certificate(&sitting, anchored + 1, CommitteeHash::ZERO, 0);
                forged.signature.0[9] ^= 1;
                (Lie::ForgedAnchor, Operation::Anchor(forged))
            }
            10 => {
                let height = anchored.max(key.first.0) + 1;
                let lost = certificate(&sitting, height, CommitteeHash([9; 32]), 0);
                (Lie::UnknownSuccessor, Operation::Anchor(lost))
            }
            11 => (Lie::SkippedRecord, certify(epoch, self.record.hash())),
            12 => {
                let ack = FreezeAck {
                    from: shard,
                    shard,
                    epoch: key.epoch,
                    consumed: None,
                };
                (Lie::OwnAck, Operation::FreezeAck(ack))
            }
            13 if !self.beacon.is_frozen(shard) => (Lie::EarlyRetire, Operation::Retire { shard }),
            _ => {
                // Not always a lie: the oracle's books say whether it may be taken.
                if self.is_stalled(shard) {
                    return Ok(());
                }
                return self.say(Operation::Freeze { shard }).map(|_| ());
            }
        };
        self.stats.lies += 1;
        if self.say(operation)? {
            return Err(Violation::Taken(lie));
        }
        Ok(())
    }

    fn restore(&mut self) -> Checked {
        let mut restored =
            Beacon::restore(&self.beacon.to_bytes(), Fake).map_err(|_| Violation::Replica)?;
        if restored.state_hash() != self.beacon.state_hash() {
            return Err(Violation::Replica);
        }
        restored.mutation = self.beacon.mutation;
        self.beacon = restored;
        self.stats.restored += 1;
        Ok(())
    }

    /// Another replica takes the same log.
    fn replay(&self) -> Checked {
        let (mut replica, _) = start(self.placement);
        replica.mutation = self.beacon.mutation;
        for (height, operations) in &self.log {
            let _ = replica.advance(*height).map_err(|_| Violation::Replica)?;
            for operation in operations {
                let _ = replica.apply(*height, operation);
            }
        }
        if replica.state_hash() == self.beacon.state_hash() {
            return Ok(());
        }
        Err(Violation::Replica)
    }
}

/// For tests of encodings.
impl World {
    pub(super) fn state_after(&mut self, heights: u64) -> Vec<u8> {
        for _ in 0..heights {
            self.step().unwrap();
        }
        self.beacon.to_bytes()
    }

    pub(super) fn operations_of(&mut self, heights: u64) -> Vec<Operation> {
        self.state_after(heights);
        let entries = self.log.iter().flat_map(|(_, operations)| operations);
        entries.cloned().collect()
    }
}
