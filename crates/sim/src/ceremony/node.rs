//! One member, honest or not: the driver's part, as the node does it with threads, sockets and a disk.

use std::collections::BTreeSet;

use quorate_dkg::{
    DealerEvidence, DealingName, Effect, Engine, Input, Job, KeyHolder, Message, Outcome, Record,
    Role,
};
use quorate_types::ValidatorIndex;

use crate::ceremony::liar::Liar;
use crate::ceremony::setup::CeremonySetup;

/// A log of records, of which the first ones are durable.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    log: Vec<Record>,
    durable: usize,
    /// Places of the outgoing messages in the log.
    outgoing: Vec<usize>,
}

impl Disk {
    pub(crate) fn append(&mut self, record: Record) {
        if matches!(record, Record::Outgoing(_)) {
            self.outgoing.push(self.log.len());
        }
        self.log.push(record);
    }

    /// How many records are not durable yet.
    pub(crate) fn unsynced(&self) -> usize {
        self.log.len() - self.durable
    }

    pub(crate) fn sync(&mut self) {
        self.durable = self.log.len();
    }

    /// Power is lost: of the tail, `kept` records happen to be there.
    pub(crate) fn cut(&mut self, kept: usize) {
        self.log.truncate(self.durable + kept);
        self.durable = self.log.len();
        self.outgoing.retain(|place| *place < self.durable);
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.log
    }

    /// A message that peers may see.
    pub(crate) fn shown(&self, position: u64, early: bool) -> Option<&Message> {
        let place = *self.outgoing.get(usize::try_from(position).ok()?)?;
        let Record::Outgoing(message) = &self.log[place] else {
            return None;
        };
        (early || place < self.durable).then_some(message)
    }
}

/// A running member.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) holder: KeyHolder,
    pub(crate) jobs: Vec<Job>,
    /// Requests for dealings that are not answered yet.
    pub(crate) requests: Vec<(ValidatorIndex, DealingName)>,
    /// Peers whose connection was cut.
    pub(crate) refused: BTreeSet<ValidatorIndex>,
    /// What evidence came out since the start.
    pub(crate) evidence: Vec<DealerEvidence>,
    pub(crate) outcome: Option<Box<Outcome>>,
}

/// A member, up or down.
pub(crate) struct Node {
    pub(crate) me: ValidatorIndex,
    pub(crate) disk: Disk,
    pub(crate) running: Option<Running>,
    /// How it lies.
    pub(crate) liar: Option<Liar>,
    pub(crate) role: Role,
    /// Step at which it last said something.
    pub(crate) spoke: u64,
}

impl Node {
    pub(crate) const fn new(me: ValidatorIndex, liar: Option<Liar>) -> Self {
        Self {
            me,
            disk: Disk {
                log: Vec::new(),
                durable: 0,
                outgoing: Vec::new(),
            },
            running: None,
            liar,
            role: Role::Member,
            spoke: 0,
        }
    }

    /// Starts from what the disk has, told by peers how much of its outbox they have.
    pub(crate) fn start(
        &mut self,
        setup: &CeremonySetup,
        forget: bool,
        claims: &[(ValidatorIndex, u64)],
        prepare: impl FnOnce(Engine) -> Engine,
    ) -> Vec<Effect> {
        let mut engine = prepare(Engine::new(setup.ceremony.clone(), self.me, self.role));
        let mut out = Vec::new();
        if !forget {
            for record in self.disk.records() {
                engine.step(Input::Recovered(record.clone()), &mut out);
            }
        }
        for (from, held) in claims {
            let (from, held) = (*from, *held);
            engine.step(Input::PeerClaims { from, held }, &mut out);
        }
        engine.step(Input::Start, &mut out);
        let holder = KeyHolder::new(
            &setup.ceremony,
            setup.identities[self.me.position()].clone(),
            setup.encryption[self.me.position()].clone(),
        );
        self.running = Some(Running {
            engine,
            holder: holder.expect("these are a member's secrets"),
            jobs: Vec::new(),
            requests: Vec::new(),
            refused: BTreeSet::new(),
            evidence: Vec::new(),
            outcome: None,
        });
        out
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.running.as_ref()?.outcome.as_deref()
    }

    /// The next message that a peer has to read from this one.
    pub(crate) fn message_for(&self, to: &Self, early: bool) -> Option<(u64, &Message)> {
        let reader = to.running.as_ref()?;
        if reader.outcome.is_some() || reader.refused.contains(&self.me) {
            return None;
        }
        let position = reader.engine.next_position(self.me);
        let message = match &self.liar {
            Some(liar) => liar.told(to.me, position)?,
            None if self.running.is_some() => self.disk.shown(position, early)?,
            None => return None,
        };
        Some((position, message))
    }
}
