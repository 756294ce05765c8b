//! What was pruned.

use quorate_store::tables::{Batch, Table, Tables};
use quorate_types::Round;

use super::error::NodeError;

const PRUNED: Table = Table("pruned");
/// Key in [`PRUNED`] of the lowest round (big-endian) whose blocks are kept.
const ROUND: &[u8] = b"round";

/// Where what is kept begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    /// The lowest round whose blocks are kept; 1 if none was pruned.
    pub(crate) round: Round,
}

impl Floor {
    /// As the last transaction left it.
    pub(crate) fn restore(tables: &Tables) -> Result<Self, NodeError> {
        let number = |key| -> Result<Option<u64>, NodeError> {
            let stored = tables.get(PRUNED, key)?;
            stored
                .map(|bytes| bytes.try_into().map(u64::from_be_bytes))
                .transpose()
                .map_err(|_| NodeError::StoredFloor)
        };
        Ok(Self {
            round: Round(number(ROUND)?.unwrap_or(1)),
        })
    }

    /// Notes that the node joined at a point: it holds no blocks below the point's garbage-collection round.
    pub(crate) fn put_joined(batch: &mut Batch, gc_round: Round) {
        batch.put(PRUNED, ROUND, gc_round.0.to_be_bytes());
    }
}
