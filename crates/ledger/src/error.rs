//! Why the ledger cannot start or go on.

use quorate_types::{AssetId, CodecError, GenesisError, Hash32, Height, StateKey};

/// Why a ledger cannot be made or a commit not be executed. A transaction that is merely rejected is no such error; it
/// has a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The genesis content is refused.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The header to restore from belongs to another chain, shard or epoch.
    #[error("the header belongs to another chain, shard or epoch")]
    ForeignHeader,
    /// A stored value is malformed.
    #[error("the value of {key:?} is malformed: {error}")]
    Value {
        /// Its key.
        key: StateKey,
        /// What is wrong.
        error: CodecError,
    },
    /// A stored value belongs under another key, or its key is none of this chain.
    #[error("the value under {key:?} does not belong there")]
    Misplaced {
        /// The key.
        key: StateKey,
    },
    /// Two stored values have one key.
    #[error("{key:?} has two values")]
    Duplicate {
        /// The key.
        key: StateKey,
    },
    /// The stored values have another root than the header.
    #[error("the stored state has root {found}, its header says {expected}")]
    StateRoot {
        /// Root in the header.
        expected: Hash32,
        /// Root of the values.
        found: Hash32,
    },
    /// The commit is not the next one.
    #[error("commit {found} given, {expected} is next")]
    Height {
        /// The next height.
        expected: Height,
        /// The height given.
        found: Height,
    },
    /// The count of all transactions leaves its range.
    #[error("the count of transactions leaves its range")]
    Count,
    /// Balances and fees of an asset do not add up to its supply: a defect of this program or of its memory.
    #[error("balances and fees of asset {asset} do not add up to its supply")]
    Conservation {
        /// The asset.
        asset: AssetId,
    },
}
