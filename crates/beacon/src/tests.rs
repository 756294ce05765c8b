//! Tests of the engine, and the engine broken on purpose.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod build;
mod codec;
mod fake;
mod handover;
mod simulation;
mod table;
mod world;

/// A rule of the engine, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A seed is taken before the registry is frozen.
    SeedBeforeFreeze,
    /// Committees are drawn from who is registered when the seed comes.
    LiveRegistry,
    /// One member that is ready is enough.
    SkipReadiness,
    /// Whoever signs is taken for a ready member.
    ReadyByAnybody,
    /// A shard gets a second next committee while it may hand over to the first.
    TwoSuccessors,
    /// A key that is in use counts as fresh.
    OldKey,
    /// A record has the epoch of the one before.
    TwoRecords,
    /// A record skips an epoch.
    SkipEpoch,
    /// A record is not issued before all shards handed over.
    WaitForShards,
    /// Anchors may go back.
    AnchorBack,
    /// Certificates of a frozen term are anchored.
    AnchorFrozen,
    /// Shards that are not stalled are frozen.
    FreezeAnybody,
    /// A term is retired before all other shards acknowledged.
    RetireEarly,
    /// Operators' operations can be replayed.
    SequenceUnchecked,
    /// An operator may take over another one's validator.
    ForeignIdentity,
    /// Two validators may have one encryption key.
    ForeignEncryptionKey,
}
