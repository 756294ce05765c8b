//! The engine.

use std::ops::RangeInclusive;

use quorate_types::{BlockRef, Committee, Height, Round, Timestamp, ValidatorIndex};

use crate::checkpoint::Checkpoint;
use crate::io::{Effect, Input};
use crate::options::Options;
use crate::status::Status;
use crate::verify::VerifiedBlock;

/// One validator's view of the DAG and what it has decided.
#[derive(Debug)]
pub struct Consensus {
    checkpoint: Checkpoint,
    status: Status,
}

impl Consensus {
    /// Begins at a checkpoint, or at genesis, in recovery: no [`Effect::Propose`], [`Effect::Fetch`] or
    /// [`Effect::CombineCoin`] comes out before [`Consensus::start`].
    #[must_use]
    pub fn new(
        committee: Committee,
        me: ValidatorIndex,
        options: Options,
        checkpoint: Option<Checkpoint>,
    ) -> Self {
        let _ = (committee, me, options);
        Self {
            checkpoint: checkpoint.unwrap_or_else(Checkpoint::genesis),
            status: Status::default(),
        }
    }
    /// Ends recovery.
    pub fn start(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let _ = (now, out);
    }
    /// Makes sure that no block is proposed at `round` or below: for a validator that lost its log and has asked its
    /// peers for the highest round they hold from it.
    pub fn propose_past(&mut self, round: Round) {
        let _ = round;
    }
    /// Takes one input and appends what is to be done to `out`.
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Effect>) {
        let _ = (now, input, out);
    }
    /// When to hand in [`Input::Tick`], if nothing else comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        None
    }
    /// Round of the last own block.
    #[must_use]
    pub fn round(&self) -> Round {
        self.status.round
    }
    /// Highest round with a block in the DAG.
    #[must_use]
    pub fn highest_round(&self) -> Round {
        self.status.highest_round
    }
    /// Height of the last commit.
    #[must_use]
    pub fn committed_height(&self) -> Height {
        self.checkpoint.height
    }
    /// Blocks below this round are forgotten.
    #[must_use]
    pub fn gc_round(&self) -> Round {
        self.checkpoint.gc_round
    }
    /// The rounds whose blocks are not refused. A driver does better to read a peer's stream no further than this
    /// than to have blocks refused and ask for them again.
    #[must_use]
    pub fn window(&self) -> RangeInclusive<Round> {
        self.gc_round()..=self.highest_round()
    }
    /// State and counters.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
    /// A block of the DAG.
    #[must_use]
    pub fn block(&self, reference: &BlockRef) -> Option<&VerifiedBlock> {
        let _ = reference;
        None
    }
    /// What a restart needs besides the log.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint.clone()
    }
}
