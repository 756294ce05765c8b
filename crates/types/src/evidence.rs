//! What convicts a validator.

use crate::block::BlockRef;
use crate::ids::{Height, Round, ValidatorIndex};

/// Proof, or grounds, of a validator's misbehaviour, kept for operators and for the beacon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two blocks of one author at one round.
    Equivocation {
        /// The block met first.
        first: BlockRef,
        /// The other one.
        second: BlockRef,
    },
    /// A coin share that does not verify, inside a signed block.
    BadCoinShare {
        /// Who signed the block.
        author: ValidatorIndex,
        /// The coin's round.
        round: Round,
    },
    /// A finality share that does not verify, or is over another header than the certified one.
    BadFinalityShare {
        /// Whose connection it came over.
        author: ValidatorIndex,
        /// The height.
        height: Height,
    },
}
