//! Why an input is refused.

use quorate_types::{IdentityKey, ShardId, limits::COMMITTEE_MIN};

use crate::{SHARDS_MAX, VALIDATORS_MAX};

/// Why a question about risk is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RiskError {
    /// A share is more than the whole.
    #[error("a share of {ppm} parts per million is more than the whole")]
    Share {
        /// The share given, in parts per million.
        ppm: u32,
    },
    /// N is out of bounds.
    #[error("a population has {COMMITTEE_MIN} to {VALIDATORS_MAX} validators, not {found}")]
    Validators {
        /// The number of validators given.
        found: u64,
    },
    /// K is more than N.
    #[error("{byzantine} of {validators} validators cannot be Byzantine")]
    Byzantine {
        /// K.
        byzantine: u32,
        /// N.
        validators: u32,
    },
    /// n is out of bounds.
    #[error("a committee has {COMMITTEE_MIN} to {most} members here, not {found}")]
    Committee {
        /// The size given.
        found: u32,
        /// The most there can be: N, or [`VALIDATORS_MAX`] where no population is given.
        most: u32,
    },
    /// q is outside n-f..=n.
    #[error("quorum {quorum} is outside {least}..={most}")]
    Quorum {
        /// The quorum given.
        quorum: u32,
        /// n - f.
        least: u32,
        /// n.
        most: u32,
    },
    /// A quorum rule asks for more than all members.
    #[error("a quorum of {per_mille} thousandths is more than the whole")]
    QuorumShare {
        /// The rule's share of a committee, in thousandths.
        per_mille: u32,
    },
    /// The number of shards is out of bounds.
    #[error("there are 1 to {SHARDS_MAX} shards, not {found}")]
    Shards {
        /// The number of shards given.
        found: u32,
    },
    /// Disjoint committees do not fit into the population.
    #[error("{shards} disjoint committees of {committee} do not fit into {validators} validators")]
    Overfull {
        /// Shards.
        shards: u32,
        /// n.
        committee: u32,
        /// N.
        validators: u32,
    },
    /// A year without epochs has no risk to speak of.
    #[error("a year has at least one epoch")]
    Epochs,
    /// A text is no number from 0 to 1, or has more digits than a target needs.
    #[error("not a probability such as 1e-9 or 0.001")]
    NotAProbability,
}

/// Why an assignment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// One key is registered twice.
    #[error("the key {key} is registered twice")]
    DuplicateKey {
        /// The key.
        key: IdentityKey,
    },
    /// The registry is out of bounds.
    #[error("a registry has {COMMITTEE_MIN} to {VALIDATORS_MAX} validators, not {found}")]
    Validators {
        /// How many keys it has.
        found: usize,
    },
    /// The number of shards is out of bounds.
    #[error("there are 1 to {SHARDS_MAX} shards, not {found}")]
    Shards {
        /// The number of shards given.
        found: u32,
    },
    /// Drawn committees cannot have this size.
    #[error(
        "a committee drawn from {validators} validators has {COMMITTEE_MIN} to {validators} members, not {seats}"
    )]
    Seats {
        /// The size asked for.
        seats: u32,
        /// N.
        validators: u32,
    },
    /// A shard would be left with too few members: there are too few validators, or so many left one shard that the
    /// bound on moves does not fill it again. A fresh assignment is the way out of the latter.
    #[error("shard {shard} would have {members} members, fewer than {COMMITTEE_MIN}")]
    ShardTooSmall {
        /// The shard.
        shard: ShardId,
        /// How many members it would have.
        members: u32,
    },
}
