//! What consensus hands to the ledger.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::block::{Block, BlockRef};
use crate::codec::Encode;
use crate::ids::{Hash32, Height, Signature};
use crate::merkle::merkle_root;

/// One committed leader and the blocks it orders.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Position of the commit, from 1.
    pub height: Height,
    /// The committed leader block.
    pub leader: BlockRef,
    /// Median of the timestamps that the leader's parents claim, in milliseconds since the Unix epoch; the leader's own
    /// if all its parents are genesis blocks. The ledger keeps it from running backwards.
    pub timestamp_ms: u64,
    /// The coin that named the leader's slot, w-1 rounds above it: who resumes after this commit without its history learns
    /// from it which of the round's slots are decided. Absent only where leaders were named without a coin.
    pub coin: Option<Signature>,
    /// The leader's ancestors that no earlier commit had output, then the leader, in the order of execution.
    pub blocks: Vec<Arc<Block>>,
}

impl Commit {
    /// References of the blocks, in their order: the leaves of the header's `blocks_root`.
    pub fn references(&self) -> impl Iterator<Item = BlockRef> {
        self.blocks.iter().map(|block| block.reference())
    }
}

/// RFC 6962 root over the canonical encodings of a commit's block references.
#[must_use]
pub fn blocks_root(references: impl IntoIterator<Item = BlockRef>) -> Hash32 {
    merkle_root(references.into_iter().map(|reference| reference.to_bytes()))
}
