//! What an operator wants to know about the engine.

#[cfg(any(test, feature = "test-utils"))]
use quorate_types::BlockRef;
use quorate_types::{Height, Round};

/// A view of the engine's state and counters, for metrics. Counters start at zero with the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Round of the last own block.
    pub round: Round,
    /// Highest round with a block in the DAG.
    pub highest_round: Round,
    /// Highest round with blocks of a quorum of authors in the DAG.
    pub quorum_round: Round,
    /// Round of the first undecided slot.
    pub undecided_round: Round,
    /// Blocks below this round are forgotten.
    pub gc_round: Round,
    /// Height of the last commit.
    pub committed_height: Height,
    /// Blocks in the DAG.
    pub held_blocks: usize,
    /// Blocks that wait for a parent.
    pub waiting_blocks: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// Parents that are missing.
    pub missing_blocks: usize,
    /// Second blocks of a slot that nobody has referenced.
    pub unreferenced_twins: usize,
    /// Blocks refused, by reason.
    pub refused: Refused,
    /// Slots decided, by kind.
    pub decided: Decided,
    /// Coins learnt.
    pub coins: u64,
    /// Coin shares that did not verify.
    pub bad_coin_shares: u64,
    /// Slots with more than one block.
    pub equivocations: u64,
    /// Blocks that commits have output.
    pub output_blocks: u64,
}

/// How many blocks were refused, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Below the garbage-collection round.
    pub below_gc: u64,
    /// Too far above what is known.
    pub too_far_ahead: u64,
    /// No room to wait for a parent; the highest round goes first.
    pub waiting_full: u64,
    /// No room for a second block of a slot that nobody has referenced.
    pub twins_full: u64,
    /// In the DAG or waiting already.
    pub known: u64,
}

/// How many slots were decided, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Committed by certificates of a quorum.
    pub direct_commits: u64,
    /// Skipped by a quorum that supports no block of the slot.
    pub direct_skips: u64,
    /// Committed by an anchor.
    pub indirect_commits: u64,
    /// Skipped by an anchor.
    pub indirect_skips: u64,
}

/// What was decided about a slot and how, for tests.
#[cfg(any(test, feature = "test-utils"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A block of the slot was committed.
    Commit {
        /// By certificates, rather than by an anchor.
        direct: bool,
        /// The block.
        block: BlockRef,
    },
    /// The slot was skipped.
    Skip {
        /// By a quorum that supports none of its blocks, rather than by an anchor.
        direct: bool,
    },
}
