//! Members, honest and lying, over a network that delivers in any order.
//!
//! Outboxes are read in order; which outbox is read next, when a job is done, when a log is synced and when a request is
//! answered is drawn from a seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_dkg::{
    DealerEvidence, DealingName, Effect, Engine, Input, Job, MemberSet, Message, MessageError,
    Outcome, Record, Role, SignedDealing,
};
use quorate_types::ValidatorIndex;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::liars::Liar;
use crate::log::{Log, contradiction};
use crate::work::{Committee, Work};

/// What is put off until nothing else can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Nothing,
    /// What comes from or goes to these members.
    Members(MemberSet),
    /// What goes from one half to the other.
    Halves,
    /// These members' jobs.
    Jobs(MemberSet),
    /// Whatever would let members of odd index deliver another proposal than that of member 0: they are of another
    /// opinion about these than the rest.
    Proposals,
}

/// An honest member with its driver.
pub(crate) struct Member<W> {
    pub(crate) engine: Engine,
    pub(crate) log: Log,
    pub(crate) work: W,
    jobs: Vec<Job>,
    fetches: Vec<(ValidatorIndex, DealingName)>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) evidence: Vec<DealerEvidence>,
    pub(crate) refused: Vec<(ValidatorIndex, MessageError)>,
    pub(crate) amnesia: bool,
}

/// Something that can happen.
#[derive(Clone, Copy, Debug)]
enum Event {
    Deliver(ValidatorIndex, ValidatorIndex),
    Work(ValidatorIndex, usize),
    Answer(ValidatorIndex, usize),
    Sync(ValidatorIndex),
}

pub(crate) struct World<W> {
    pub(crate) committee: Arc<Committee>,
    pub(crate) rng: ChaCha20Rng,
    /// By index; liars have none.
    pub(crate) members: Vec<Option<Member<W>>>,
    pub(crate) liars: BTreeMap<ValidatorIndex, Liar>,
    late: Late,
    pub(crate) steps: u64,
}

impl<W: Work> World<W> {
    /// All honest, and started.
    pub(crate) fn new(committee: &Arc<Committee>, seed: u64, late: Late) -> Self {
        Self::with_liars(committee, seed, late, BTreeMap::new())
    }

    pub(crate) fn with_liars(
        committee: &Arc<Committee>,
        seed: u64,
        late: Late,
        liars: BTreeMap<ValidatorIndex, Liar>,
    ) -> Self {
        let mut world = Self {
            committee: committee.clone(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            members: Vec::new(),
            liars,
            late,
            steps: 0,
        };
        for me in committee.ceremony.indices() {
            let honest = !world.liars.contains_key(&me);
            world.members.push(None);
            if honest {
                world.restart(me, Log::default(), Role::Member);
            }
        }
        world
    }

    /// Begins a member from a log.
    pub(crate) fn restart(&mut self, me: ValidatorIndex, mut log: Log, role: Role) {
        log.crash();
        let mut engine = Engine::new(self.committee.ceremony.clone(), me, role);
        let mut effects = Vec::new();
        for record in &log.records {
            engine.step(Input::Recovered(record.clone()), &mut effects);
        }
        assert!(effects.is_empty(), "nothing is done during recovery");
        assert_eq!(engine.outbox_len(), log.outbox().count() as u64);
        let seed = self.rng.next_u64();
        self.members[me.position()] = Some(Member {
            engine,
            log,
            work: W::new(&self.committee, me, seed),
            jobs: Vec::new(),
            fetches: Vec::new(),
            outcome: None,
            evidence: Vec::new(),
            refused: Vec::new(),
            amnesia: false,
        });
        self.step(me, Input::Start);
    }

    pub(crate) fn member(&self, me: u16) -> &Member<W> {
        self.members[usize::from(me)].as_ref().unwrap()
    }

    pub(crate) fn honest(&self) -> impl Iterator<Item = (ValidatorIndex, &Member<W>)> {
        let members = (0..).map(ValidatorIndex).zip(&self.members);
        members.filter_map(|(me, member)| Some((me, member.as_ref()?)))
    }

    pub(crate) fn step(&mut self, me: ValidatorIndex, input: Input) {
        let member = self.members[me.position()].as_mut().unwrap();
        let mut effects = Vec::new();
        member.engine.step(input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Persist(record) => member.log.append(record),
                Effect::Fetch { from, dealer, hash } => {
                    assert_ne!(from, me);
                    member.fetches.push((from, (dealer, hash)));
                }
                Effect::Compute(job) => member.jobs.push(job),
                Effect::Refused { from, error } => member.refused.push((from, error)),
                Effect::Evidence(evidence) => member.evidence.push(evidence),
                Effect::Amnesia => member.amnesia = true,
                Effect::Complete(outcome) => {
                    assert!(member.outcome.is_none(), "a result comes once");
                    member.outcome = Some(*outcome);
                }
            }
        }
    }

    /// Lets one thing happen, if anything can.
    pub(crate) fn advance(&mut self) -> bool {
        let events = self.events();
        let count = u32::try_from(events.len()).unwrap();
        if count == 0 {
            return false;
        }
        self.steps += 1;
        let mut event = events[(self.rng.next_u32() % count) as usize];
        if self.is_late(event) {
            let prompt = events.iter().filter(|event| !self.is_late(**event));
            let prompt: Vec<Event> = prompt.copied().collect();
            if let Ok(count @ 1..) = u32::try_from(prompt.len()) {
                event = prompt[(self.rng.next_u32() % count) as usize];
            }
        }
        self.happen(event);
        true
    }

    pub(crate) fn run(&mut self) {
        while self.advance() {
            assert!(self.steps < 400_000, "it does not end");
        }
    }

    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (me, member) in self.honest() {
            for from in self.committee.ceremony.indices() {
                if from != me && self.message(from, me).is_some() {
                    events.push(Event::Deliver(from, me));
                }
            }
            events.extend((0..member.jobs.len()).map(|job| Event::Work(me, job)));
            for (number, (from, name)) in member.fetches.iter().enumerate() {
                // Peers that are waited for in vain get another chance only when something else happened.
                if self.body(*from, name).is_some() || self.liars.contains_key(from) {
                    events.push(Event::Answer(me, number));
                }
            }
            if member.log.durable < member.log.records.len() {
                events.push(Event::Sync(me));
            }
        }
        events
    }

    /// The next message from one member to another, if it can be seen.
    fn message(&self, from: ValidatorIndex, to: ValidatorIndex) -> Option<Message> {
        let reader = self.members[to.position()].as_ref()?;
        if reader.outcome.is_some() || reader.refused.iter().any(|(peer, _)| *peer == from) {
            return None;
        }
        let next = usize::try_from(reader.engine.next_position(from)).unwrap();
        match &self.members[from.position()] {
            Some(member) => member.log.outbox().nth(next).cloned(),
            None => self.liars[&from].outbox_to(to).get(next).cloned(),
        }
    }

    fn body(&self, from: ValidatorIndex, name: &DealingName) -> Option<SignedDealing> {
        let member = self.members[from.position()].as_ref()?;
        member.engine.dealing(name).cloned()
    }

    fn is_late(&self, event: Event) -> bool {
        match (self.late, event) {
            (Late::Members(slow), Event::Deliver(from, to)) => {
                slow.contains(from) || slow.contains(to)
            }
            (Late::Halves, Event::Deliver(from, to)) => {
                let half = self.committee.ceremony.size() / 2;
                (from.0 < half) != (to.0 < half)
            }
            (Late::Jobs(slow), Event::Work(me, _)) => slow.contains(me),
            (Late::Proposals, Event::Deliver(from, to)) if to.0 % 2 == 1 => matches!(
                self.message(from, to),
                Some(Message::ProposalReady { proposer, .. }) if proposer.0 > 0
            ),
            _ => false,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(from, to) => {
                let message = self.message(from, to).unwrap();
                self.lie_after(from, &message);
                let reader = self.members[to.position()].as_ref().unwrap();
                let position = reader.engine.next_position(from);
                let input = Input::Received {
                    from,
                    position,
                    message,
                };
                self.step(to, input);
            }
            Event::Work(me, number) => {
                let member = self.members[me.position()].as_mut().unwrap();
                let job = member.jobs.swap_remove(number);
                let result = member.work.perform(job);
                self.step(me, Input::Done(result));
            }
            Event::Answer(me, number) => {
                let member = self.members[me.position()].as_mut().unwrap();
                let (from, name) = member.fetches.swap_remove(number);
                let dealing = self.body(from, &name);
                let (dealer, hash) = name;
                let input = Input::Fetched {
                    from,
                    dealer,
                    hash,
                    dealing,
                };
                self.step(me, input);
            }
            Event::Sync(me) => {
                let log = &mut self.members[me.position()].as_mut().unwrap().log;
                log.durable += 1;
            }
        }
    }

    /// Liars hear everything that anybody hears.
    fn lie_after(&mut self, from: ValidatorIndex, message: &Message) {
        for (me, liar) in &mut self.liars {
            if *me != from {
                liar.hear(*me, &self.committee, message, &mut self.rng);
            }
        }
    }

    /// Demands one result of everybody, and honesty of the honest.
    pub(crate) fn assert_complete(&self, hint: &str) {
        let mut results = Vec::new();
        for (me, member) in self.honest() {
            let outcome = member.outcome.as_ref();
            let outcome = outcome.unwrap_or_else(|| {
                let waiting: Vec<_> = member
                    .engine
                    .explain()
                    .iter()
                    .map(|w| w.to_string())
                    .collect();
                panic!("{hint}: member {me} has no result: {waiting:#?}")
            });
            assert!(member.engine.explain().is_empty());
            let failures = member.engine.status().failures;
            assert!(failures.is_empty(), "{hint}: member {me}: {failures:?}");
            assert_eq!(
                contradiction(&member.log.records),
                None,
                "{hint}: member {me}"
            );
            for (peer, error) in &member.refused {
                let lied = self.liars.contains_key(peer);
                assert!(
                    lied,
                    "{hint}: member {me} refused honest member {peer}: {error}"
                );
            }
            for evidence in &member.evidence {
                assert!(
                    self.liars.contains_key(&evidence.dealer()),
                    "{hint}: {evidence:?}"
                );
            }
            results.push(outcome);
        }
        let first = results[0];
        assert!(
            results.iter().all(|other| *other == first),
            "{hint}: {results:?}"
        );
        let least = usize::from(self.committee.ceremony.agreement_quorum());
        assert!(first.transcript.dealings.len() >= least);
    }
}

/// A log that lost all but its first `count` entries.
pub(crate) fn prefix(log: &Log, count: usize) -> Log {
    Log {
        records: log.records[..count].to_vec(),
        durable: count,
    }
}

/// Whether an entry is a message.
pub(crate) fn is_outgoing(record: &Record) -> bool {
    matches!(record, Record::Outgoing(_))
}
