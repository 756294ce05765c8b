//! What follows from an entry of the log.

use alloc::boxed::Box;
use alloc::vec::Vec;

use quorate_types::{
    Committee, CommitteeHash, EncryptionKey, Epoch, EpochRecordHash, Height, IdentityKey, ShardId,
    ShardKey, TranscriptHash,
};

/// What an entry of the log, or a new height, led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// What is to be done, in order. All replicas get the same.
    pub effects: Vec<Effect>,
}

/// Something for the driver of a beacon's member to do or to tell. Each says when it is safe; nothing here waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sign [`quorate_types::epoch_seed_message`] of this epoch with the share of the beacon's key, but **not before** the
    /// beacon's height `frozen_at` is certified: whoever knew the seed earlier could still choose who is registered. The
    /// combined signature comes back as [`Operation::Seed`](super::Operation::Seed).
    SignSeed {
        /// The epoch.
        epoch: Epoch,
        /// The height whose certificate makes the freeze final.
        frozen_at: Height,
    },
    /// A committee was drawn for a shard's next term: its members are to make a key among themselves, to fetch the shard's
    /// state, and to bring [`Operation::Propose`](super::Operation::Propose) and
    /// [`Operation::Ready`](super::Operation::Ready).
    Staff {
        /// The shard.
        shard: ShardId,
        /// The epoch in which the term is to begin.
        epoch: Epoch,
        /// Who is to sit, in ascending order of identity: the order in the ceremony and in the committee.
        seats: Vec<Seat>,
        /// q of the new committee.
        quorum: u16,
    },
    /// A quorum of an incoming committee is ready: the shard's sitting members are to count it as seen
    /// ([`handover`](crate::handover)) and to stop once enough of them did.
    Turn {
        /// The shard.
        shard: ShardId,
        /// The incoming committee.
        committee: Box<Committee>,
        /// The transcript that made its key.
        transcript: TranscriptHash,
    },
    /// A shard's last certificate of a term is anchored: the next committee goes on at the height above it.
    HandedOver {
        /// The shard.
        shard: ShardId,
        /// The last height of the old term.
        last: Height,
        /// The new key.
        key: Box<ShardKey>,
    },
    /// Sign [`EpochRecordHash::signing_bytes`] with the share of the beacon's key. The combined signature comes back as
    /// [`Operation::Certify`](super::Operation::Certify). The record is the beacon's newest.
    SignRecord {
        /// The record's epoch.
        epoch: Epoch,
        /// Its hash.
        hash: EpochRecordHash,
    },
    /// A validator was ejected: it is not drawn any more.
    Ejected {
        /// Its identity.
        identity: IdentityKey,
    },
    /// A shard's term contradicts itself. If it is the running one, nothing of it counts any more until it is retired.
    Forked {
        /// The shard.
        shard: ShardId,
        /// The term.
        epoch: Epoch,
    },
    /// Tell all other shards to abort, as deciders, what waits for this one.
    ForceAbort {
        /// The stalled shard.
        shard: ShardId,
        /// The newest epoch record when it was ordered.
        epoch: Epoch,
    },
    /// Tell all other shards to take nothing more of this term, and to answer with the highest certificate of it that they
    /// consumed.
    Freeze {
        /// The stalled shard.
        shard: ShardId,
        /// Its term.
        epoch: Epoch,
    },
    /// Tell all shards that a term is over and what follows it. What the old committee certified above `last` is void.
    Retire {
        /// The shard.
        shard: ShardId,
        /// The retired term.
        epoch: Epoch,
        /// The highest height of the retired term that anybody consumed: the new committee goes on above it.
        last: Height,
        /// The new committee.
        committee: CommitteeHash,
        /// Its key.
        key: Box<ShardKey>,
    },
}

/// A seat of a committee that is to make its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Who is to sit.
    pub identity: IdentityKey,
    /// What its shares are to be encrypted to.
    pub encryption_key: EncryptionKey,
}
