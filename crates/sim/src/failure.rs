//! What can go wrong in a run.

use std::fmt;

use quorate_types::{BlockRef, Evidence, HeaderHash, Height, Round, ValidatorIndex};

use crate::convictions::Lie;
use crate::options::Scenario;
use crate::trace::Moment;

/// A broken promise of safety. The messages begin with the invariant's number in `docs/invariants.md`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Two commits at one height.
    #[error(
        "I1: validator {validator} commits {leader:?} at height {height}, where {known:?} was committed before"
    )]
    Commit {
        /// Who committed the second.
        validator: ValidatorIndex,
        /// Where.
        height: Height,
        /// Its leader.
        leader: BlockRef,
        /// The first one's leader.
        known: BlockRef,
    },
    /// Two headers at one height.
    #[error(
        "I2: validator {validator} has another header at height {height} than was seen there before"
    )]
    Header {
        /// Who computed the second.
        validator: ValidatorIndex,
        /// Where.
        height: Height,
    },
    /// An honest validator sent two own blocks of one round.
    #[error("I5: an honest validator sent both {first:?} and {second:?}")]
    Equivocation {
        /// The block sent first.
        first: BlockRef,
        /// The block sent later.
        second: BlockRef,
    },
    /// An honest validator signed two headers of one height.
    #[error("I6: honest validator {validator} signed two headers at height {height}")]
    TwoShares {
        /// Who signed.
        validator: ValidatorIndex,
        /// Where.
        height: Height,
    },
    /// A certificate does not verify, or differs from another of its height.
    #[error("I8: validator {validator} shows a bad certificate of height {height}")]
    Certificate {
        /// Who shows it.
        validator: ValidatorIndex,
        /// Of which height.
        height: Height,
    },
    /// Certificates came out of order.
    #[error("I8: validator {validator} certifies height {height} after {before}")]
    CertificateGap {
        /// Who certifies.
        validator: ValidatorIndex,
        /// What it certifies.
        height: Height,
        /// What it certified before.
        before: Height,
    },
    /// An honest validator was accused.
    #[error("I7: validator {validator} has evidence against an honest one: {evidence:?}")]
    FalseEvidence {
        /// The accuser.
        validator: ValidatorIndex,
        /// The evidence.
        evidence: Evidence,
    },
    /// An honest validator looked at a lie and keeps no evidence of it.
    #[error("I18: validator {validator} has found out {liar}, {lie}, and has no evidence")]
    LetGo {
        /// Who found out.
        validator: ValidatorIndex,
        /// Who lied.
        liar: ValidatorIndex,
        /// How.
        lie: Lie,
    },
    /// What an honest validator had sent was refused as if it were a lie.
    #[error("validator {validator} refuses what the honest {from} sent: {why}")]
    HonestRefused {
        /// Who refuses.
        validator: ValidatorIndex,
        /// Who sent it.
        from: ValidatorIndex,
        /// Why.
        why: Refusal,
    },
    /// A transaction was ordered twice although its client sent it once.
    #[error(
        "I9: {block:?}, output at height {height}, carries a transaction that was ordered before"
    )]
    OrderedTwice {
        /// The block that carries it the second time.
        block: BlockRef,
        /// Where it is output.
        height: Height,
    },
    /// A validator found that it had executed something else than what is certified, or than what it had signed.
    #[error(
        "I2: validator {validator} computed {own} at height {height}, but {certified} is certified or was signed"
    )]
    Diverged {
        /// Who.
        validator: ValidatorIndex,
        /// Where.
        height: Height,
        /// What it computed.
        own: HeaderHash,
        /// What is certified or was signed.
        certified: HeaderHash,
    },
    /// Balances and fees do not add up to the supply.
    #[error("I11: balances of validator {validator} do not add up at height {height}: {error}")]
    Conservation {
        /// Whose state.
        validator: ValidatorIndex,
        /// Where.
        height: Height,
        /// What the ledger says.
        error: quorate_ledger::LedgerError,
    },
    /// A validator cannot start from what it has written itself.
    #[error("I13: validator {validator} cannot restart: {error}")]
    Restart {
        /// Who.
        validator: ValidatorIndex,
        /// Why.
        error: RestartError,
    },
    /// A validator started from a log that its disk had damaged.
    #[error("I17: validator {validator} does not notice that its log is damaged")]
    DamageUsed {
        /// Who.
        validator: ValidatorIndex,
    },
    /// A commit cannot be executed.
    #[error("I12: validator {validator} cannot execute height {height}: {error}")]
    Execution {
        /// Who.
        validator: ValidatorIndex,
        /// Where.
        height: Height,
        /// What the ledger says.
        error: quorate_ledger::LedgerError,
    },
}

/// Why something that was sent as a block was refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no block.
    #[error(transparent)]
    Encoding(#[from] quorate_types::CodecError),
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] quorate_consensus::BlockError),
    /// It is another's block on the sender's stream.
    #[error("block of {author} on another's stream")]
    Foreign {
        /// The block's author.
        author: ValidatorIndex,
    },
    /// It is no chunk of the state that is being joined at.
    #[error(transparent)]
    Chunk(#[from] quorate_sync::Blame),
    /// It is an answer to nothing.
    #[error("nobody asked for block {block:?}")]
    Unasked {
        /// The block.
        block: BlockRef,
    },
}

/// Why a validator cannot start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// The log does not open.
    #[error(transparent)]
    Log(#[from] quorate_store::wal::WalError),
    /// A record of the log does not decode.
    #[error(transparent)]
    Record(#[from] quorate_validator::LoggedError),
    /// A block of the log is not of this committee.
    #[error("block of the log: {0}")]
    Block(#[from] quorate_consensus::BlockError),
    /// The checkpoint does not decode.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] quorate_types::CodecError),
    /// The stored state is not what its header says.
    #[error(transparent)]
    Ledger(#[from] quorate_ledger::LedgerError),
}

/// Where a world stood when it should have gone on: I15 of `docs/invariants.md`, and I10 if transactions are owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// What was waited for.
    pub waiting: Waiting,
    /// The highest round when the network healed.
    pub healed_round: Round,
    /// The highest round now.
    pub round: Round,
    /// The height that every honest validator should have certified.
    pub target: Height,
    /// What each validator has committed and certified.
    pub reached: Vec<(Height, Height)>,
    /// Transactions that honest validators had taken, that nobody has lost, and that are not ordered.
    pub owed: usize,
}

/// What did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Enough heights certified within the bound in rounds.
    Rounds,
    /// The same, within the bound in time.
    Time,
    /// Anything at all: no event was left.
    Events,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = match self.waiting {
            Waiting::Rounds => "too many rounds went by",
            Waiting::Time => "too much time went by",
            Waiting::Events => "nothing is left to happen",
        };
        write!(
            f,
            "{waiting}: healed at round {}, now at round {}, height {} should be certified; committed and certified:",
            self.healed_round, self.round, self.target
        )?;
        for (committed, certified) in &self.reached {
            write!(f, " {committed}/{certified}")?;
        }
        write!(f, "; {} transactions are not ordered", self.owed)
    }
}

/// Why a seed failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A promise of safety was broken.
    Safety(Violation),
    /// Nothing, or not enough, happened after the network had healed.
    Liveness(Stall),
    /// The program panicked, with this message.
    Crash(String),
    /// Two runs of the seed differ: I16 of `docs/invariants.md`.
    Determinism {
        /// Hash of the first run's trace.
        first: [u8; 32],
        /// Hash of the second's.
        second: [u8; 32],
    },
}

impl Cause {
    /// The exit code that tells this kind of failure from the others.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Crash(_) => 3,
            Self::Liveness(_) => 4,
            Self::Safety(_) => 5,
            Self::Determinism { .. } => 6,
        }
    }

    /// One word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash(_) => "crash",
            Self::Liveness(_) => "liveness",
            Self::Safety(_) => "safety",
            Self::Determinism { .. } => "determinism",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safety(violation) => violation.fmt(f),
            Self::Liveness(stall) => stall.fmt(f),
            Self::Crash(message) => write!(f, "panic: {message}"),
            Self::Determinism { first, second } => write!(
                f,
                "two runs have the traces {} and {}",
                hex::encode(first),
                hex::encode(second)
            ),
        }
    }
}

/// A failed seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} of {validators} validators, {}: {cause}", cause.name())]
pub struct Failure {
    /// n.
    pub validators: u16,
    /// The seed.
    pub seed: u64,
    /// What kind of world it was.
    pub scenario: Scenario,
    /// What went wrong.
    pub cause: Cause,
    /// What the seed drew.
    pub mix: String,
    /// The last moments before.
    pub timeline: Vec<Moment>,
}

impl Failure {
    /// The command that shows the failure again.
    #[must_use]
    pub fn replay_command(&self) -> String {
        let Self {
            validators, seed, ..
        } = self;
        let check = if matches!(self.cause, Cause::Determinism { .. }) {
            " --check-determinism"
        } else {
            ""
        };
        let scenario = match self.scenario {
            Scenario::Swarm => String::new(),
            other => format!(" --scenario {}", other.name()),
        };
        let end = seed.saturating_add(1);
        format!("quorate sim --validators {validators} --seeds {seed}..{end}{scenario}{check}")
    }
}
