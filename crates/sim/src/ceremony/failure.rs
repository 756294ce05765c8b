//! What can go wrong in a ceremony's run.

use std::fmt;

use quorate_dkg::{EvidenceError, JobFailure, Message, MessageError, TranscriptError};
use quorate_types::ValidatorIndex;

use crate::trace::Moment;

/// A broken promise of safety.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenPromise {
    /// Two honest members have different results.
    #[error("members {first} and {second} have different results")]
    Results {
        /// One.
        first: ValidatorIndex,
        /// The other.
        second: ValidatorIndex,
    },
    /// A transcript does not verify.
    #[error("the transcript of member {member}: {error}")]
    Transcript {
        /// Whose.
        member: ValidatorIndex,
        /// Why.
        error: TranscriptError,
    },
    /// An honest member has no share, or one that does not belong to its share key.
    #[error("member {member} does not have its share")]
    Share {
        /// Who.
        member: ValidatorIndex,
    },
    /// A quorum of shares makes no signature.
    #[error("the shares of members {members:?} make no signature")]
    QuorumFails {
        /// Whose shares.
        members: Vec<ValidatorIndex>,
    },
    /// Fewer shares than the quorum are worth a signature.
    #[error("the shares of members {members:?} make a signature although they are too few")]
    TooFewSign {
        /// Whose shares.
        members: Vec<ValidatorIndex>,
    },
    /// An honest member was accused.
    #[error("member {member} accuses {accused}, who is honest")]
    FalseEvidence {
        /// The accuser.
        member: ValidatorIndex,
        /// The accused.
        accused: ValidatorIndex,
    },
    /// Evidence convicts nobody.
    #[error("the evidence of member {member}: {error}")]
    WeakEvidence {
        /// The accuser.
        member: ValidatorIndex,
        /// What is wrong with it.
        error: EvidenceError,
    },
    /// A dealer lied to an honest member, which could have convicted it and did not.
    #[error("member {member} did not convict dealer {dealer}")]
    NoEvidence {
        /// Who should have.
        member: ValidatorIndex,
        /// The liar.
        dealer: ValidatorIndex,
    },
    /// An honest member said two things that exclude each other.
    #[error("member {member} said both {first:?} and {second:?}")]
    Contradiction {
        /// Who.
        member: ValidatorIndex,
        /// What was heard first.
        first: Box<Message>,
        /// What was heard later.
        second: Box<Message>,
    },
    /// An honest member takes another one for a liar.
    #[error("member {member} refuses member {refused}, who is honest: {error}")]
    Refused {
        /// Who refuses.
        member: ValidatorIndex,
        /// Who is refused.
        refused: ValidatorIndex,
        /// Why.
        error: MessageError,
    },
    /// A job of an honest member failed.
    #[error("member {member} could not do a job: {failure}")]
    Job {
        /// Who.
        member: ValidatorIndex,
        /// What failed.
        failure: JobFailure,
    },
}

/// Honest members without a result, when something should have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyStall {
    /// What was exceeded, if anything was still going on.
    pub limit: Option<Limit>,
    /// Who has no result, and what it says that it waits for.
    pub waiting: Vec<(ValidatorIndex, Vec<String>)>,
}

/// A bound that a run must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Steps of the world.
    Steps(u64),
    /// Rounds of an agreement.
    Rounds(u32),
}

impl fmt::Display for CeremonyStall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            None => write!(f, "nothing is left to happen")?,
            Some(Limit::Steps(steps)) => write!(f, "not over after {steps} steps")?,
            Some(Limit::Rounds(round)) => write!(f, "an agreement is in round {round}")?,
        }
        for (member, reasons) in &self.waiting {
            write!(f, "; member {member} waits: {}", reasons.join(", "))?;
        }
        Ok(())
    }
}

/// Why a seed failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CeremonyCause {
    /// A promise of safety was broken.
    Safety(BrokenPromise),
    /// Somebody honest did not get the result.
    Liveness(CeremonyStall),
    /// The program panicked, with this message.
    Crash(String),
    /// Two runs of the seed differ.
    Determinism {
        /// Hash of the first run's trace.
        first: String,
        /// Hash of the second's.
        second: String,
    },
}

impl CeremonyCause {
    /// The exit code that tells this kind of failure from the others; as [`Cause::exit_code`](crate::Cause::exit_code).
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

impl fmt::Display for CeremonyCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safety(broken) => broken.fmt(f),
            Self::Liveness(stall) => stall.fmt(f),
            Self::Crash(message) => write!(f, "panic: {message}"),
            Self::Determinism { first, second } => {
                write!(f, "two runs have the traces {first} and {second}")
            }
        }
    }
}

/// A failed seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} of a ceremony of {members}, {}: {cause}", cause.name())]
pub struct CeremonyFailure {
    /// n.
    pub members: u16,
    /// The seed.
    pub seed: u64,
    /// What went wrong.
    pub cause: CeremonyCause,
    /// What the seed drew.
    pub mix: String,
    /// The last moments before; their times are steps.
    pub timeline: Vec<Moment>,
}

impl CeremonyFailure {
    /// The command that shows the failure again.
    #[must_use]
    pub fn replay_command(&self) -> String {
        let Self { members, seed, .. } = self;
        let check = if matches!(self.cause, CeremonyCause::Determinism { .. }) {
            " --check-determinism"
        } else {
            ""
        };
        let end = seed.saturating_add(1);
        format!("quorate sim --ceremony --validators {members} --seeds {seed}..{end}{check}")
    }

    /// What led to it, line by line.
    #[must_use]
    pub fn timeline_text(&self) -> String {
        let mut text = format!("seed {}: {}\n", self.seed, self.mix);
        for moment in &self.timeline {
            let step = moment.micros;
            let who = moment
                .validator
                .map_or_else(|| "  *".to_owned(), |at| format!("m{at:02}"));
            text.push_str(&format!("{step:>9}  {who}  {}\n", moment.what));
        }
        text.push_str(&format!("{}: {}", self.cause.name(), self.cause));
        text
    }
}
