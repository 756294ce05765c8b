//! What a decider does: its log is the decision, and the first writer wins (SHARDING 1.2, points 4 and 5, and 1.4).
//!
//! COMMIT when every voter voted YES and the decider's own accounts can pay at that place of its log. ABORT on the first of: a NO,
//! an own account that cannot pay, a cancel by one of the transaction's keys, the epoch after the expiry, the beacon's force.
//! No rule reads a clock.
//!
//! **Forgetting.** Votes come in order and are consumed once, and a commit consumes one of every voter. So *a vote for a
//! transaction that is not known here means that it was not committed*: a decision can be forgotten after its expiry without
//! asking anybody, and a late vote is answered with ABORT.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::{Blake3, DomainTag, Encode, Epoch, Hash32, ShardId};

use crate::message::Outcome;
use crate::transaction::{Participant, SignedAtomic};
use crate::verified::Verified;

/// What a decider remembers of a transaction; nothing before it heard of it, and after it forgot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deciding {
    /// Not decided.
    Pending(Pending),
    /// Decided.
    Done { outcome: Outcome, expiry: Epoch },
}

/// A transaction whose voters were asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    pub(crate) signed: Arc<Verified<SignedAtomic>>,
    /// Lock versions of those who voted YES.
    pub(crate) votes: BTreeMap<ShardId, Vec<u64>>,
}

impl Pending {
    pub(crate) const fn new(signed: Arc<Verified<SignedAtomic>>) -> Self {
        Self {
            signed,
            votes: BTreeMap::new(),
        }
    }

    /// Whether every voter voted YES.
    pub(crate) fn is_complete(&self) -> bool {
        let mut voters = self.signed.transaction.voters();
        voters.all(|voter| self.votes.contains_key(&voter.shard))
    }

    /// What a commit rests on.
    pub(crate) fn votes_digest(&self) -> Hash32 {
        let mut bytes = self.signed.id().to_bytes();
        for (shard, lock_versions) in &self.votes {
            shard.encode(&mut bytes);
            quorate_types::encode_list(lock_versions, &mut bytes);
        }
        Hash32(Blake3::new(DomainTag::AtomicVotes).chain(bytes).finish())
    }
}

/// What to do with a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnVote {
    /// Count it.
    Count,
    /// Remember the transaction that it carries, ask the voters, and count it.
    Learn,
    /// Answer ABORT, and remember nothing.
    AnswerAbort,
    /// It is decided, and the voter is told.
    Ignore,
    /// An honest voter does not say this.
    Alarm,
}

/// How a vote meets what is known. `carries` says whether it brings the transaction along, `expired` whether the
/// decider is past its expiry. A vote that brings nothing, for what is not known, answers a question that was asked and
/// forgotten; forgetting is only done after expiry.
pub(crate) const fn on_vote(state: Option<&Deciding>, expired: bool, carries: bool) -> OnVote {
    match state {
        Some(Deciding::Pending(_)) => OnVote::Count,
        Some(Deciding::Done {
            outcome: Outcome::Abort,
            ..
        }) => OnVote::Ignore,
        // A commit consumed the one vote of everybody.
        Some(Deciding::Done {
            outcome: Outcome::Commit,
            ..
        }) => OnVote::Alarm,
        None if carries && !expired => OnVote::Learn,
        None => OnVote::AnswerAbort,
    }
}

impl Deciding {
    /// Decided, and past the epoch of expiry.
    pub(crate) fn may_forget(&self, epoch: Epoch) -> bool {
        match self {
            Self::Pending(_) => false,
            Self::Done { expiry, .. } => epoch > *expiry,
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

/// Whom the decision on a transaction is told: all others for a commit; for an abort those
/// that may hold something, since the rest know nothing of it.
pub(crate) fn told(signed: &SignedAtomic, outcome: Outcome) -> impl Iterator<Item = &Participant> {
    let transaction = &signed.transaction;
    let others = transaction.participants.iter();
    others.filter(move |participant| {
        let other = participant.shard != transaction.decider;
        other && (outcome == Outcome::Commit || participant.votes())
    })
}
