//! Why a market cannot be made or restored. A rejected operation is no such error.

use quorate_margin::{ArrayError, GridError, TableError};
use quorate_types::{AssetId, CodecError, FeedId, InstrumentId};

use crate::entity::EntryKey;

/// Why a market cannot be made or restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// The quote asset is missing, has other than six decimals or a haircut.
    #[error("asset {0} is no quote asset")]
    Quote(AssetId),
    /// An asset without a way to count as collateral, besides the quote asset; or one whose haircuts or lot are out of bounds.
    #[error("asset {0} cannot be collateral as set")]
    Collateral(AssetId),
    /// Settings of a feed that do not work.
    #[error("feed {feed} has a grid that does not work: {error}")]
    Grid {
        /// The feed.
        feed: FeedId,
        /// Why.
        error: GridError,
    },
    /// Bounds or factors of a feed that do not ascend within their range.
    #[error("feed {0} has bounds or factors out of range")]
    Feed(FeedId),
    /// Parameters out of range.
    #[error("parameters are out of range")]
    Parameters,
    /// A key stands twice.
    #[error("{0:?} stands twice")]
    Duplicate(EntryKey),
    /// An entry every market has is missing.
    #[error("{0:?} is missing")]
    Missing(EntryKey),
    /// An entry is malformed.
    #[error("the entry of {key:?} is malformed: {error}")]
    Entry {
        /// Its key.
        key: EntryKey,
        /// Why.
        error: CodecError,
    },
    /// An entry that does not belong under its key, or names something that is not there.
    #[error("the entry of {0:?} does not fit")]
    Misplaced(EntryKey),
    /// An instrument that is held has no price.
    #[error("instrument {instrument} has no price: {error}")]
    Price {
        /// The instrument.
        instrument: InstrumentId,
        /// Why.
        error: ArrayError,
    },
    /// Risk arrays make no table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The state breaks an invariant.
    #[error(transparent)]
    Broken(#[from] crate::check::Violation),
}
