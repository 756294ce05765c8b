//! One channel's two ends: what this shard says to a peer, and how far it is with what the peer says.
//!
//! Source: SHARDING 1.2, points 1 and 2.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_types::{
    CodecError, Decode, Encode, Epoch, Hash32, Height, MerkleTree, Mmr, MmrError, Peaks, Reader,
    ShardId,
};

use crate::message::{Body, Credit, Message, Parcel};
use crate::verified::Verified;

/// First byte of a leaf under an outbox root that is a channel's head.
const HEAD: u8 = 1;

/// What a shard's certificate says of its channels. The caller has checked it; see [`Verified::certified`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertifiedRoots {
    /// The shard.
    pub shard: ShardId,
    /// The epoch whose committee certified it.
    pub epoch: Epoch,
    /// The height that was certified.
    pub height: Height,
    /// RFC 6962 root over the shard's conservation line and the heads of its channels.
    pub outbox_root: Hash32,
    /// How final it is.
    pub finality: Finality,
}

/// The two levels of finality of SHARDING 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finality {
    /// The shard's committee certified it. If the shard is retired below, it never happened.
    Shard,
    /// A record of the beacon includes it. It stands, whatever becomes of the shard.
    Anchored,
}

impl Verified<CertifiedRoots> {
    /// Takes roots that the caller has checked:
    ///
    /// 1. a finality certificate over a header with this shard, epoch, height and outbox root verifies under the group key
    ///    that the beacon certified for the shard and the epoch;
    /// 2. for [`Finality::Anchored`], a certified record of the beacon includes that header.
    ///
    /// That the height lies within the epoch's term is checked here, when a bundle is applied.
    #[must_use]
    pub const fn certified(roots: CertifiedRoots) -> Self {
        Self::trust(roots)
    }
}

/// What a shard's certificate says of one of its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelHead {
    /// The shard that speaks.
    pub source: ShardId,
    /// The shard that is spoken to.
    pub destination: ShardId,
    /// How many messages there are.
    pub sent: u64,
    /// Root over them.
    pub root: Hash32,
    /// How many messages of the other direction were consumed: the acknowledgement.
    pub consumed: u64,
}

impl Encode for ChannelHead {
    fn encode(&self, out: &mut Vec<u8>) {
        HEAD.encode(out);
        self.source.encode(out);
        self.destination.encode(out);
        self.sent.encode(out);
        self.root.encode(out);
        self.consumed.encode(out);
    }
}

impl Decode for ChannelHead {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let found = u8::decode(reader)?;
        if found != HEAD {
            return Err(CodecError::Variant {
                value: "channel head",
                found,
            });
        }
        Ok(Self {
            source: Decode::decode(reader)?,
            destination: Decode::decode(reader)?,
            sent: Decode::decode(reader)?,
            root: Decode::decode(reader)?,
            consumed: Decode::decode(reader)?,
        })
    }
}

/// Tree over a shard's conservation line and heads, whose root its header names.
pub(crate) fn outbox_tree(supply: &[u8], heads: &[ChannelHead]) -> MerkleTree {
    let heads = heads.iter().map(Encode::to_bytes);
    MerkleTree::new(std::iter::once(supply.to_vec()).chain(heads))
}

/// What a shard says to one peer: messages in order, those that wait for room, and how many the peer has consumed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outbox {
    tree: Mmr,
    /// Messages that the peer has not acknowledged; the first is `tree.base()`.
    parcels: VecDeque<Arc<Parcel>>,
    /// Bodies that wait until the peer acknowledges, in order.
    backlog: VecDeque<(Body, Vec<Credit>)>,
}

impl Outbox {
    /// How many messages there are.
    pub(crate) const fn sent(&self) -> u64 {
        self.tree.count()
    }

    pub(crate) const fn acknowledged(&self) -> u64 {
        self.tree.base()
    }

    pub(crate) fn root(&self) -> Hash32 {
        self.tree.root()
    }

    /// Messages that are not acknowledged, and those that wait.
    pub(crate) fn load(&self) -> u64 {
        let unacknowledged = self.parcels.len().saturating_add(self.backlog.len());
        u64::try_from(unacknowledged).unwrap_or(u64::MAX)
    }

    /// Says something, at once if there is room in the window and in its turn otherwise.
    pub(crate) fn say(
        &mut self,
        ends: (ShardId, ShardId),
        window: u64,
        body: Body,
        credits: Vec<Credit>,
    ) {
        self.backlog.push_back((body, credits));
        self.settle(ends, window);
    }

    /// Drops what the peer has consumed, and says what waited for it.
    pub(crate) fn acknowledge(
        &mut self,
        ends: (ShardId, ShardId),
        window: u64,
        consumed: u64,
    ) -> Result<(), MmrError> {
        let before = self.tree.base();
        self.tree.drop_before(consumed)?;
        for _ in before..self.tree.base() {
            self.parcels.pop_front();
        }
        self.settle(ends, window);
        Ok(())
    }

    fn settle(&mut self, (source, destination): (ShardId, ShardId), window: u64) {
        while self.tree.count() - self.tree.base() < window
            && let Some((body, credits)) = self.backlog.pop_front()
        {
            let sequence = self.tree.count();
            let message = Message {
                source,
                destination,
                sequence,
                body,
            };
            let message = message.to_bytes();
            self.tree.append(&message);
            self.parcels
                .push_back(Arc::new(Parcel { message, credits }));
        }
    }

    pub(crate) const fn tree(&self) -> &Mmr {
        &self.tree
    }

    /// The messages from `start` on that are still there.
    pub(crate) fn parcels_from(&self, start: u64) -> impl Iterator<Item = &Parcel> {
        let skipped = start.saturating_sub(self.tree.base());
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.parcels.iter().map(Arc::as_ref).skip(skipped)
    }

    /// What waits for room.
    #[cfg(test)]
    pub(crate) fn backlog(&self) -> impl Iterator<Item = &Body> {
        self.backlog.iter().map(|(body, _)| body)
    }
}

/// How far a shard is with what one peer says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Inbox {
    /// Of all messages consumed; their count is the sequence of the next one.
    pub(crate) consumed: Peaks,
    /// Highest certified height that was used.
    pub(crate) height: Height,
    /// Messages below this are under an anchored root.
    pub(crate) anchored: u64,
    /// The peer's committees: first height of each epoch's term, the last few of them.
    pub(crate) terms: Terms,
    /// Certificates up to this epoch are refused.
    pub(crate) frozen: Option<Epoch>,
}

/// When each of a peer's committees certified: from its first height up to the one before the next committee's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Terms(BTreeMap<Epoch, Height>);

/// How many of a peer's terms are remembered. A channel's root has all that came before in it, so old terms are needed only
/// until relayers have the first certificate of the next.
const TERMS_KEPT: usize = 2;

/// Why a certified height is not one of its epoch's term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// The epoch is not one that is known here: it has not begun, or is forgotten.
    #[error("epoch {epoch} is not known here")]
    Unknown {
        /// The epoch.
        epoch: Epoch,
    },
    /// The height comes before the epoch's first.
    #[error("height {height} is before epoch {epoch}, which began at {first}")]
    Before {
        /// The epoch.
        epoch: Epoch,
        /// The height.
        height: Height,
        /// The epoch's first height.
        first: Height,
    },
    /// The height comes after the epoch's last: its committee had no say any more.
    #[error("height {height} is after epoch {epoch}, the next began at {next}")]
    After {
        /// The epoch.
        epoch: Epoch,
        /// The height.
        height: Height,
        /// The next epoch's first height.
        next: Height,
    },
    /// A term does not come after the ones known.
    #[error("epoch {epoch} from height {first} does not come after what is known")]
    Order {
        /// The epoch.
        epoch: Epoch,
        /// Its first height.
        first: Height,
    },
}

impl Terms {
    pub(crate) fn begin(&mut self, epoch: Epoch, first: Height) -> Result<(), TermError> {
        if let Some((last, begun)) = self.0.last_key_value()
            && (*last >= epoch || *begun >= first)
        {
            return Err(TermError::Order { epoch, first });
        }
        self.insert(epoch, first);
        Ok(())
    }

    /// The peer goes on with another committee from `first` on: terms that began there or above never were.
    pub(crate) fn supersede(&mut self, epoch: Epoch, first: Height) -> Result<(), TermError> {
        if self.newest() >= Some(epoch) {
            return Err(TermError::Order { epoch, first });
        }
        self.0.retain(|_, begun| *begun < first);
        self.insert(epoch, first);
        Ok(())
    }

    fn insert(&mut self, epoch: Epoch, first: Height) {
        self.0.insert(epoch, first);
        if self.0.len() > TERMS_KEPT {
            self.0.pop_first();
        }
    }

    pub(crate) fn newest(&self) -> Option<Epoch> {
        self.0.keys().next_back().copied()
    }

    /// Whether the epoch's committee could certify this height (SHARDING 2.6).
    pub(crate) fn check(&self, epoch: Epoch, height: Height) -> Result<(), TermError> {
        let Some(first) = self.0.get(&epoch).copied() else {
            return Err(TermError::Unknown { epoch });
        };
        if height < first {
            return Err(TermError::Before {
                epoch,
                height,
                first,
            });
        }
        match self.0.range(epoch..).nth(1) {
            Some((_, next)) if height >= *next => Err(TermError::After {
                epoch,
                height,
                next: *next,
            }),
            _ => Ok(()),
        }
    }
}
