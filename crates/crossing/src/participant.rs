//! What a participant does: the table of SHARDING 1.4, as functions of its state alone.
//!
//! A participant that voted YES never aborts by itself: it lets go on the decider's word only (SHARDING 1.2, point 6).

use std::sync::Arc;

use quorate_types::Epoch;

use crate::message::Outcome;
use crate::transaction::SignedAtomic;
use crate::verified::Verified;

/// What a participant remembers of a transaction; nothing before it heard of it, and after it forgot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Participation {
    /// The debits are held and YES was voted.
    Yes(Arc<Verified<SignedAtomic>>),
    /// Nothing is held and NO was voted.
    No { expiry: Epoch },
    /// All legs here happened.
    Committed { expiry: Epoch },
    /// Nothing happened here, or ever will.
    Aborted { expiry: Epoch },
}

/// Where an offer to take part comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Client,
    Decider,
}

/// What to do with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnOffer {
    /// Hold the debits and vote YES, or vote NO.
    Try,
    /// Vote NO: too late.
    TooLate,
    /// Tell the client that it is too late, and nobody else.
    Refuse,
    /// It is known.
    Ignore,
}

/// The column "Submit/Prepare".
pub(crate) const fn on_offer(state: Option<&Participation>, expired: bool, via: Via) -> OnOffer {
    match (state, expired, via) {
        (Some(_), _, _) => OnOffer::Ignore,
        (None, false, _) => OnOffer::Try,
        (None, true, Via::Client) => OnOffer::Refuse,
        (None, true, Via::Decider) => OnOffer::TooLate,
    }
}

/// What to do with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDecision {
    /// Debit what is held, credit, remember.
    Apply,
    /// Credit, remember: nothing is debited here.
    Credit,
    /// Let go of what is held, remember.
    Release,
    /// Remember, so that an offer that comes later is ignored.
    Entomb,
    /// Nothing to do.
    Ignore,
    /// An honest decider does not say this.
    Alarm,
}

/// The columns "Decision COMMIT" and "Decision ABORT".
///
/// Of a transaction that is not known a participant cannot tell whether it would debit here. It need not: a decider commits
/// only with the YES of everybody who is debited, and who voted YES remembers until it is decided.
pub(crate) const fn on_decision(
    state: Option<&Participation>,
    outcome: Outcome,
    expired: bool,
) -> OnDecision {
    match (state, outcome) {
        (Some(Participation::Yes(_)), Outcome::Commit) => OnDecision::Apply,
        (Some(Participation::Yes(_)), Outcome::Abort) => OnDecision::Release,
        (None, Outcome::Commit) => OnDecision::Credit,
        (None, Outcome::Abort) if expired => OnDecision::Ignore,
        (None | Some(Participation::No { .. }), Outcome::Abort) => OnDecision::Entomb,
        (Some(Participation::Committed { .. }), Outcome::Commit)
        | (Some(Participation::Aborted { .. }), Outcome::Abort) => OnDecision::Ignore,
        (Some(Participation::No { .. } | Participation::Aborted { .. }), Outcome::Commit)
        | (Some(Participation::Committed { .. }), Outcome::Abort) => OnDecision::Alarm,
    }
}

impl Participation {
    /// The last column: decided, and past the epoch of expiry.
    pub(crate) fn may_forget(&self, epoch: Epoch) -> bool {
        match self {
            Self::Committed { expiry } | Self::Aborted { expiry } => epoch > *expiry,
            Self::Yes(_) | Self::No { .. } => false,
        }
    }

    pub(crate) const fn is_decided(&self) -> bool {
        matches!(self, Self::Committed { .. } | Self::Aborted { .. })
    }

    /// What stays of a transaction once it is decided.
    pub(crate) const fn decided(outcome: Outcome, expiry: Epoch) -> Self {
        match outcome {
            Outcome::Commit => Self::Committed { expiry },
            Outcome::Abort => Self::Aborted { expiry },
        }
    }
}
