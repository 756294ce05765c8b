//! What consensus hands to the ledger.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::block::{Block, BlockRef};
use crate::ids::Height;

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
    /// The leader's ancestors that no earlier commit had output, then the leader, in the order of execution.
    pub blocks: Vec<Arc<Block>>,
}
