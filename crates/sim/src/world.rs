//! A world: validators, what connects them, and what befalls them.
//!
//! First everything goes wrong that the seed has drawn, and only safety is asked for. Then the network heals, all that are
//! down come back, and every honest validator must certify new heights within a bounded number of rounds.

mod disks;
mod faults;
mod joins;
mod measure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_types::{Execution, Height, Round, Timestamp, ValidatorIndex};

use crate::checker::Checker;
use crate::clients::Clients;
use crate::dice::Dice;
use crate::event::{Event, Internal, Message, Queue};
use crate::failure::{Cause, Stall, Violation, Waiting};
use crate::hub::{Counters, Hub};
use crate::joining::Joining;
use crate::mix::Mix;
use crate::network::{HEALED_DELAY, Network};
use crate::options::SimOptions;
use crate::process::{Process, Remains};
use crate::recording::Recorder;
use crate::report::Report;
use crate::schedule::{Held, Scheduler};
use crate::setup::Setup;
use crate::trace::{Kind, Timeline, Trace};

/// Rounds within which all must have certified the target after healing. A slot is committed with probability above one
/// third each round under any scheduler and nearly always under this phase's; most of the bound is for those far behind.
const LIVENESS_ROUNDS: u64 = 120;
/// The same in microseconds: idle validators make ten rounds a second.
const LIVENESS_TIME: u64 = 60_000_000;
/// Heights to certify beyond the highest one committed when the network healed.
const LIVENESS_HEIGHTS: u64 = 5;

/// Validators and everything around them.
pub(crate) struct World {
    hub: Hub,
    nodes: Vec<Node>,
    /// The last copy of each validator's disk.
    backups: Vec<Option<Remains>>,
    /// Who lost its disk and does not take part again yet.
    forgetful: BTreeSet<ValidatorIndex>,
    clients: Clients,
    healed: Option<Healed>,
}

/// A validator, or what is left of it.
enum Node {
    Up(Box<Process>),
    Down(Box<Remains>),
    Joining(Box<Joining>),
}

/// Where the world stood when the network healed.
#[derive(Clone, Copy, Debug)]
struct Healed {
    at: Timestamp,
    round: Round,
    target: Height,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        options: &SimOptions,
        mix: Mix,
        (timeline, recorder): (Option<Timeline>, Option<Recorder>),
    ) -> Self {
        let size = options.validators;
        let setup = Arc::new(Setup::new(seed, options, &mix));
        let mut dice = Dice::new(seed, size, "world");
        let network = Network::new(size, &mix, &mut dice);
        let unique = mix.execution == Execution::Opaque;
        let hub = Hub {
            now: Timestamp(0),
            queue: Queue::default(),
            seed,
            network,
            scheduler: Scheduler::new(seed, &mix, &setup.committee),
            dice,
            setup,
            checker: Checker::new(mix.honest(), unique),
            mix,
            trace: Trace::new(timeline).recording(recorder),
            counters: Counters::default(),
            #[cfg(feature = "mutants")]
            driver_fault: options.driver_fault,
            boots: vec![0; usize::from(size)],
            asked: BTreeSet::new(),
            healed: false,
            stopwatch: None,
            prepared: BTreeMap::new(),
        };
        let nodes = (0..size).map(|_| Node::Down(Box::default())).collect();
        Self {
            hub,
            nodes,
            backups: (0..size).map(|_| None).collect(),
            forgetful: BTreeSet::new(),
            clients: Clients::default(),
            healed: None,
        }
    }

    /// Runs both phases.
    pub(crate) fn run(mut self, seed: u64) -> Result<Report, Cause> {
        for at in self.hub.setup.committee.indices() {
            self.start(at);
        }
        self.schedule_fault();
        self.schedule_client();
        while let Some((now, event)) = self.hub.queue.pop() {
            self.hub.now = now;
            self.hub.counters.events += 1;
            self.happen(event);
            if let Some(violation) = self.hub.checker.violation() {
                return Err(Cause::Safety(violation.clone()));
            }
            match self.healed {
                None if self.faults_are_over() => self.heal(),
                None => {}
                Some(healed) => {
                    if self.all_reached(healed.target) {
                        return self.finish(seed, healed);
                    }
                    self.check_patience(healed)?;
                }
            }
        }
        Err(self.stall(Waiting::Events))
    }

    fn faults_are_over(&self) -> bool {
        let mix = &self.hub.mix;
        self.hub.checker.highest_round().0 >= mix.fault_rounds || self.hub.now.0 >= mix.fault_time
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver {
                from,
                to,
                boot,
                message,
            } => self.deliver(from, to, boot, message),
            Event::Internal { at, boot, what } => self.internal(at, boot, what),
            Event::Restart { at, boot } => {
                if self.hub.boots[at.position()] == boot {
                    self.restart(at);
                }
            }
            Event::Fault => {
                if self.healed.is_none() {
                    self.fault();
                    self.schedule_fault();
                }
            }
            Event::Release(ticket) => {
                if let Some(held) = self.hub.scheduler.release(ticket) {
                    let Held {
                        from,
                        to,
                        boot,
                        message,
                    } = held;
                    self.hub.transmit(from, to, boot, message);
                }
            }
            Event::Mend(mend) => self.mend(mend),
            Event::Client => {
                if self.healed.is_none() {
                    self.client();
                    self.schedule_client();
                }
            }
        }
    }

    fn deliver(&mut self, from: ValidatorIndex, to: ValidatorIndex, boot: u64, message: Message) {
        if self.hub.boots[to.position()] != boot {
            return;
        }
        let Some(message) = self.hub.network.pass(from, to, boot, message) else {
            return;
        };
        let (number, bytes) = summary(&message);
        self.hub
            .trace
            .note(self.hub.now, Kind::Deliver, to, number, &bytes);
        if let Node::Up(process) = &mut self.nodes[to.position()] {
            process.deliver(from, message, &mut self.hub);
            let left_behind = process.take_left_behind();
            self.bury(to);
            if left_behind {
                self.look_ahead(to, from);
            }
        }
    }

    fn internal(&mut self, at: ValidatorIndex, boot: u64, what: Internal) {
        if self.hub.boots[at.position()] != boot {
            return;
        }
        let number = match &what {
            Internal::Tick => 0,
            Internal::LogSynced => 1,
            Internal::TablesSynced => 2,
            Internal::Job { .. } => 3,
            Internal::Executed => 4,
            Internal::Join => 5,
        };
        self.hub
            .trace
            .note(self.hub.now, Kind::Internal, at, number, &[]);
        match &mut self.nodes[at.position()] {
            Node::Up(process) => {
                process.internal(what, &mut self.hub);
                self.bury(at);
            }
            Node::Joining(_) => self.join(at),
            Node::Down(_) => {}
        }
    }

    /// Starts a validator that is down.
    fn start(&mut self, at: ValidatorIndex) {
        let node = &mut self.nodes[at.position()];
        let Node::Down(remains) = node else {
            return;
        };
        let mut remains = std::mem::take(remains);
        let damaged = remains.damaged;
        self.hub.boots[at.position()] += 1;
        let boot = self.hub.boots[at.position()];
        self.hub
            .trace
            .note(self.hub.now, Kind::Restart, at, boot, &[]);
        match Process::start(at, &mut remains, &mut self.hub) {
            Ok(process) => *node = Node::Up(Box::new(process)),
            Err(error) => {
                *node = Node::Down(remains);
                self.refused(at, error);
                return;
            }
        }
        if damaged {
            self.hub
                .checker
                .report(Violation::DamageUsed { validator: at });
        }
    }

    /// Lets a running validator die now, to be restarted after a while.
    fn crash(&mut self, at: ValidatorIndex, outage: u64) {
        let node = &mut self.nodes[at.position()];
        let before = std::mem::replace(node, Node::Down(Box::default()));
        let remains = match before {
            Node::Up(process) => Box::new(process.crash(&mut self.hub)),
            Node::Joining(joining) => joining.remains,
            Node::Down(_) => {
                *node = before;
                return;
            }
        };
        *node = Node::Down(remains);
        self.hub.counters.crashes += 1;
        self.hub.boots[at.position()] += 1;
        let boot = self.hub.boots[at.position()];
        self.hub
            .trace
            .note(self.hub.now, Kind::Crash, at, outage, &[]);
        self.hub.trace.say(self.hub.now, Some(at), || {
            format!("crashes for {outage} µs")
        });
        let restart = Event::Restart { at, boot };
        self.hub
            .queue
            .push(self.hub.now.plus_micros(outage), restart);
    }

    /// Whether a validator died amid what it did: then it is down from now on.
    fn bury(&mut self, at: ValidatorIndex) {
        let dead = self.process(at).is_some_and(Process::is_dead);
        if dead {
            let outage = self.draw_outage();
            self.crash(at, outage);
        }
    }

    fn process(&self, at: ValidatorIndex) -> Option<&Process> {
        match &self.nodes[at.position()] {
            Node::Up(process) => Some(process),
            Node::Down(_) | Node::Joining(_) => None,
        }
    }

    fn schedule_client(&mut self) {
        let interval = self.hub.mix.load_interval;
        if interval > 0 {
            let after = self.hub.dice.between(1, 2 * interval);
            self.hub
                .queue
                .push(self.hub.now.plus_micros(after), Event::Client);
        }
    }

    fn client(&mut self) {
        let size = u64::from(self.hub.setup.committee.size());
        let at = self.hub.dice.below(size);
        let at = ValidatorIndex(u16::try_from(at).expect("below n"));
        self.hub.trace.note(self.hub.now, Kind::Client, at, 0, &[]);
        if let Node::Up(process) = &mut self.nodes[at.position()] {
            self.clients.send(at, process, &mut self.hub);
            self.bury(at);
        }
    }

    /// From now on nothing goes wrong.
    fn heal(&mut self) {
        self.hub.healed = true;
        for at in self.hub.setup.committee.indices() {
            self.give_room(at);
        }
        self.hub
            .queue
            .hasten(self.hub.now.plus_micros(HEALED_DELAY.1));
        for (from, to, boot, message) in self.hub.network.heal() {
            self.hub.transmit(from, to, boot, message);
        }
        for (_, held) in self.hub.scheduler.release_all() {
            let Held {
                from,
                to,
                boot,
                message,
            } = held;
            self.hub.transmit(from, to, boot, message);
        }
        let mut highest = Height(0);
        for at in self.hub.setup.committee.indices() {
            if let Node::Up(process) = &mut self.nodes[at.position()] {
                process.stop_fuse();
                highest = highest.max(process.validator().status().committed_height);
            }
            self.start(at);
        }
        // A validator that was down may have committed more than those that were up.
        for at in self.hub.setup.committee.indices() {
            let status = self.process(at).map(|process| process.validator().status());
            highest = highest.max(status.map_or(highest, |status| status.committed_height));
        }
        self.clients.forget_lost(&self.hub);
        let healed = Healed {
            at: self.hub.now,
            round: self.hub.checker.highest_round(),
            target: Height(highest.0 + LIVENESS_HEIGHTS),
        };
        self.hub.trace.note(
            self.hub.now,
            Kind::Heal,
            ValidatorIndex(0),
            healed.round.0,
            &[],
        );
        self.hub.trace.say(self.hub.now, None, || {
            let Healed { round, target, .. } = healed;
            format!("the network heals at round {round}; all must certify height {target}")
        });
        self.hub
            .trace
            .record(|recording| recording.healed = Some(healed.at.0));
        self.healed = Some(healed);
    }

    fn is_honest(&self, at: ValidatorIndex) -> bool {
        self.hub.mix.behaviours[at.position()].is_empty()
    }

    /// Whether every honest validator has certified the target, and all that clients are owed is ordered.
    fn all_reached(&self, target: Height) -> bool {
        let mut honest = self.hub.setup.committee.indices();
        let reached = |at| {
            self.process(at)
                .is_some_and(|process| process.validator().finality().certified >= target)
        };
        honest.all(|at| !self.is_honest(at) || reached(at))
            && self
                .clients
                .owed(&self.hub, |at| self.is_honest(at))
                .next()
                .is_none()
    }

    fn check_patience(&self, healed: Healed) -> Result<(), Cause> {
        if self.hub.checker.highest_round().0 > healed.round.0 + LIVENESS_ROUNDS {
            return Err(self.stall(Waiting::Rounds));
        }
        if self.hub.now.micros_since(healed.at) > LIVENESS_TIME {
            return Err(self.stall(Waiting::Time));
        }
        Ok(())
    }

    fn stall(&self, waiting: Waiting) -> Cause {
        let reached = self.hub.setup.committee.indices().map(|at| {
            self.process(at).map_or((Height(0), Height(0)), |process| {
                let validator = process.validator();
                (
                    validator.status().committed_height,
                    validator.finality().certified,
                )
            })
        });
        let owed = self.clients.owed(&self.hub, |at| self.is_honest(at));
        Cause::Liveness(Stall {
            waiting,
            healed_round: self.healed.map_or(Round(0), |healed| healed.round),
            round: self.hub.checker.highest_round(),
            target: self.healed.map_or(Height(0), |healed| healed.target),
            reached: reached.collect(),
            owed: owed.count(),
        })
    }

    fn finish(mut self, seed: u64, healed: Healed) -> Result<Report, Cause> {
        let mut transactions = 0;
        for at in self.hub.setup.committee.indices() {
            if let Node::Up(process) = &self.nodes[at.position()] {
                process.check_conservation(&mut self.hub);
                transactions = process.ledger().head().transactions_total.max(transactions);
            }
        }
        self.hub.checker.judge();
        if let Some(violation) = self.hub.checker.violation() {
            return Err(Cause::Safety(violation.clone()));
        }
        let Hub {
            checker, counters, ..
        } = &self.hub;
        Ok(Report {
            validators: self.hub.setup.committee.size(),
            seed,
            real_cryptography: self.hub.mix.real_cryptography,
            rounds: checker.highest_round().0,
            commits: checker.commits(),
            certificates: checker.certificates(),
            transactions,
            crashes: counters.crashes,
            partitions: counters.partitions,
            liars: self.hub.mix.liars(),
            lies: self.hub.mix.behaviours.concat(),
            schedule: self.hub.mix.schedule,
            held_back: counters.held_back,
            refused: counters.refused,
            equivocations: counters.equivocations,
            bad_coin_shares: counters.bad_coin_shares,
            bad_finality_shares: counters.bad_finality_shares,
            checkpoints: counters.checkpoints,
            torn_bytes: counters.torn_bytes,
            fetches: counters.fetches,
            reclaimed: counters.reclaimed,
            forgotten: counters.forgotten,
            filled: counters.filled,
            damaged: counters.damaged,
            joined: counters.joined,
            messages: counters.messages,
            events: counters.events,
            micros: self.hub.now.0,
            recovery_rounds: checker.highest_round().0 - healed.round.0,
            trace_hash: hex::encode(self.hub.trace.hash()),
        })
    }
}

/// What the trace notes of a message.
fn summary(message: &Message) -> (u64, [u8; 32]) {
    match message {
        Message::Block(block) | Message::Answer(block) => (block.round().0, block.reference().id.0),
        Message::Bytes(bytes) => (bytes.len() as u64, [4; 32]),
        Message::Share(share) => (share.height.0, share.header_hash.0),
        Message::Certificate(certificate) => (certificate.header.height.0, [1; 32]),
        Message::Fetch(blocks) => (blocks.len() as u64, [2; 32]),
        Message::Hello {
            certified, held, ..
        } => (certified.0 ^ held.0.rotate_left(32), [3; 32]),
    }
}
