//! What all validators of a world share: clock, queue, network, chance, and those who watch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_ledger::{PreparedBlock, Snapshot};
use quorate_types::{Block, BlockId, BlockRef, Commit, Evidence, Timestamp, ValidatorIndex};

use crate::checker::Checker;
use crate::dice::Dice;
use crate::event::{Event, Internal, Message, Queue};
use crate::latency::Stopwatch;
use crate::mix::Mix;
use crate::network::Network;
use crate::options::DriverFault;
use crate::schedule::{Held, Scheduler};
use crate::setup::Setup;
use crate::trace::Trace;

/// Everything but the validators.
pub(crate) struct Hub {
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) scheduler: Scheduler,
    pub(crate) dice: Dice,
    pub(crate) mix: Mix,
    pub(crate) setup: Arc<Setup>,
    pub(crate) checker: Checker,
    pub(crate) trace: Trace,
    pub(crate) counters: Counters,
    #[cfg(feature = "mutants")]
    pub(crate) driver_fault: Option<DriverFault>,
    /// How often each validator has been started.
    pub(crate) boots: Vec<u64>,
    /// Who asked whom for what. A request may outlive the boot that made it, and its answer comes to the next one.
    pub(crate) asked: BTreeSet<(ValidatorIndex, ValidatorIndex, BlockRef)>,
    /// Whether the faults are over.
    pub(crate) healed: bool,
    /// Takes transactions' times, where that is what the world is for.
    pub(crate) stopwatch: Option<Stopwatch>,
    /// Blocks with their transactions decoded and the signatures verified, by whoever executed them first.
    pub(crate) prepared: BTreeMap<BlockId, PreparedBlock>,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events: u64,
    pub(crate) messages: u64,
    pub(crate) crashes: u64,
    pub(crate) partitions: u64,
    pub(crate) checkpoints: u64,
    pub(crate) torn_bytes: u64,
    pub(crate) fetches: u64,
    pub(crate) reclaimed: u64,
    pub(crate) forgotten: u64,
    pub(crate) filled: u64,
    pub(crate) damaged: u64,
    pub(crate) joined: u64,
    /// Messages that the scheduler held back.
    pub(crate) held_back: u64,
    /// Blocks that honest validators refused, or bytes that are none.
    pub(crate) refused: u64,
    /// Evidence that honest validators have, by kind.
    pub(crate) equivocations: u64,
    pub(crate) bad_coin_shares: u64,
    pub(crate) bad_finality_shares: u64,
}

impl Counters {
    /// An honest validator has evidence.
    pub(crate) const fn count_evidence(&mut self, evidence: &Evidence) {
        let counter = match evidence {
            Evidence::Equivocation { .. } => &mut self.equivocations,
            Evidence::BadCoinShare { .. } => &mut self.bad_coin_shares,
            Evidence::BadFinalityShare { .. } => &mut self.bad_finality_shares,
        };
        *counter += 1;
    }
}

impl Hub {
    /// Whether all validators make this deliberate mistake.
    #[cfg(feature = "mutants")]
    pub(crate) fn makes(&self, mistake: DriverFault) -> bool {
        self.driver_fault == Some(mistake)
    }

    /// Nobody makes a deliberate mistake.
    #[cfg(not(feature = "mutants"))]
    #[expect(
        clippy::unused_self,
        reason = "it has one where mistakes are compiled in"
    )]
    pub(crate) const fn makes(&self, _: DriverFault) -> bool {
        false
    }

    /// What helps to execute a commit. Verifying signatures is most of the work of executing, and gives the same for all,
    /// so that it is done once in a world; where cryptography is real, everybody does all of it.
    pub(crate) fn prepare(&mut self, commit: &Commit, snapshot: &Snapshot) -> Vec<PreparedBlock> {
        if self.mix.real_cryptography {
            return Vec::new();
        }
        let prepare = |block: &Arc<Block>| {
            let known = self.prepared.entry(block.reference().id);
            known
                .or_insert_with(|| PreparedBlock::new(block, snapshot))
                .clone()
        };
        commit.blocks.iter().map(prepare).collect()
    }

    /// Puts a message on its way, or two of it.
    pub(crate) fn send(&mut self, from: ValidatorIndex, to: ValidatorIndex, message: Message) {
        if let Message::Block(block) | Message::Answer(block) = &message {
            self.trace
                .record(|recording| recording.block(self.now, block));
        }
        let boot = self.boots[to.position()];
        if self.network.duplicates(&self.mix, &mut self.dice) {
            self.transmit_or_hold(from, to, boot, message.clone());
        }
        self.transmit_or_hold(from, to, boot, message);
    }

    /// Puts one message on its way, to the boot of the receiver that it was sent to, unless the scheduler holds it back.
    fn transmit_or_hold(
        &mut self,
        from: ValidatorIndex,
        to: ValidatorIndex,
        boot: u64,
        message: Message,
    ) {
        if self.healed {
            self.transmit(from, to, boot, message);
            return;
        }
        let highest = self.checker.highest_round();
        let setup = Arc::clone(&self.setup);
        let hold = self
            .scheduler
            .hold(self.now, highest, (from, to), &message, &setup);
        let Some(hold) = hold else {
            self.transmit(from, to, boot, message);
            return;
        };
        self.counters.held_back += 1;
        let ticket = self.scheduler.keep(Held {
            from,
            to,
            boot,
            message,
        });
        let at = self.now.plus_micros(hold);
        self.queue.push(at, Event::Release(ticket));
    }

    /// Puts one message on its way, to the boot of the receiver that it was sent to.
    pub(crate) fn transmit(
        &mut self,
        from: ValidatorIndex,
        to: ValidatorIndex,
        boot: u64,
        message: Message,
    ) {
        self.counters.messages += 1;
        let delay = self.network.delay(from, to, &self.mix, &mut self.dice);
        let event = Event::Deliver {
            from,
            to,
            boot,
            message,
        };
        self.queue.push(self.now.plus_micros(delay), event);
    }

    pub(crate) fn peers(&self, me: ValidatorIndex) -> impl Iterator<Item = ValidatorIndex> + use<> {
        self.setup
            .committee
            .indices()
            .filter(move |peer| *peer != me)
    }

    /// Lets something happen inside the present boot of a validator.
    pub(crate) fn after(&mut self, micros: u64, at: ValidatorIndex, what: Internal) {
        let boot = self.boots[at.position()];
        let event = Event::Internal { at, boot, what };
        self.queue.push(self.now.plus_micros(micros), event);
    }

    /// A draw from bounds in microseconds.
    pub(crate) fn draw(&mut self, bounds: (u64, u64)) -> u64 {
        self.dice.between(bounds.0, bounds.1)
    }
}
