//! How a shard's engine is set up.

use std::collections::BTreeMap;

use quorate_types::{AssetId, ShardId};

use crate::transaction::Network;

/// Parameters that all validators of a shard share: they are part of what its log means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// What all shards have in common.
    pub network: Network,
    /// This shard.
    pub shard: ShardId,
    /// W: most messages to one peer that it has not acknowledged. Beyond it clients are refused, and answers to other shards
    /// wait in their turn. At least 1.
    pub window: u64,
    /// Most transactions remembered in each of the two roles. Beyond it clients are refused, and offers are voted down.
    pub transactions_max: usize,
    /// Most atoms of an asset that are taken from a peer in one epoch before an anchored certificate covers them; without an
    /// entry there is no limit (SHARDING 1.6).
    pub caps: BTreeMap<(ShardId, AssetId), u128>,
    /// A deliberate mistake.
    #[cfg(any(test, feature = "mutants"))]
    pub mutation: Option<Mutation>,
}

impl Options {
    /// Without caps. The window holds a commit's worth of answers to a full bundle, four times over; a hundred thousand
    /// transactions are some hundred megabytes at their largest.
    #[must_use]
    pub const fn new(network: Network, shard: ShardId) -> Self {
        Self {
            network,
            shard,
            window: 1024,
            transactions_max: 100_000,
            caps: BTreeMap::new(),
            #[cfg(any(test, feature = "mutants"))]
            mutation: None,
        }
    }

    #[cfg(any(test, feature = "mutants"))]
    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}

/// A deliberate mistake: tests must notice each of them.
#[cfg(any(test, feature = "mutants"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// Transactions do not expire at the decider.
    NeverExpires,
    /// Messages that were consumed are applied again.
    SequenceUnchecked,
    /// Messages of a channel are applied in any order, any number of times.
    LooseOrder,
    /// A decided transaction is forgotten at once by its participants.
    TombstoneDropped,
    /// A decided transaction may be forgotten before its expiry has passed.
    ForgetEarly,
    /// The first YES commits.
    FirstYesCommits,
    /// A cancel aborts what is committed.
    CancelAfterCommit,
    /// YES is voted and nothing is held.
    YesWithoutHold,
    /// A release leaves the hold in the books.
    HoldStays,
    /// Certificates of a frozen shard are taken.
    FrozenTaken,
    /// A frozen shard is retired before everybody has answered.
    RetireUnacknowledged,
    /// Certificates above an epoch's last height are taken.
    TermUnchecked,
    /// What was consumed is not compared with what a new certificate says was there.
    PrefixUnchecked,
    /// Credits above a cap are made at once.
    CapUnchecked,
}
