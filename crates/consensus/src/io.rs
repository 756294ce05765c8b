//! What goes into the engine and what comes out of it.

use quorate_types::{BlockRef, Commit, Evidence, Round, Signature, ValidatorIndex};

use crate::verify::VerifiedBlock;

/// Where a block came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A peer sent it, of its own accord or as the answer to a fetch.
    Peer(ValidatorIndex),
    /// This validator made it, as the answer to [`Effect::Propose`].
    Own,
    /// It was read back from the log: accepted once before, and stored.
    Recovered,
}

/// Everything the engine reacts to.
#[derive(Clone, Debug)]
pub enum Input {
    /// A block.
    Block {
        /// Where it came from.
        source: Source,
        /// The block.
        block: VerifiedBlock,
    },
    /// The coin of a round: the answer to [`Effect::CombineCoin`], or read back from the log, or had from a peer. The
    /// signature must have been verified against the committee's key.
    Coin {
        /// The round whose shares were combined.
        round: Round,
        /// The combined signature.
        signature: Signature,
        /// Authors whose share, as asked about, does not verify.
        bad: Vec<ValidatorIndex>,
    },
    /// Too few of the shares of the last [`Effect::CombineCoin`] of this round verify: the engine asks again when there
    /// are more.
    CoinShort {
        /// The round.
        round: Round,
        /// Authors whose share, as asked about, does not verify.
        bad: Vec<ValidatorIndex>,
    },
    /// Whether transactions wait for a block of this validator. Serves pacing only.
    PayloadWaiting(bool),
    /// Time passed; see `Consensus::deadline`. One too many does no harm.
    Tick,
}

/// Everything the engine asks of its driver, in the order in which it is to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The block was accepted, and so were its parents before it: append it to the log. Not emitted for
    /// [`Source::Recovered`].
    Store(VerifiedBlock),
    /// Make, sign and store a block of this round with these parents, in this order, and hand it in as
    /// [`Source::Own`]. There is no other such effect until then.
    Propose {
        /// The round.
        round: Round,
        /// The parents: the own previous block first, if there is one, the others ascending by author.
        parents: Vec<BlockRef>,
    },
    /// Ask a peer for blocks; each is handed in as [`Source::Peer`] when it arrives. No answer is no failure: the
    /// engine asks somebody else.
    Fetch {
        /// Whom to ask.
        peer: ValidatorIndex,
        /// The blocks, ascending; at most [`crate::FetchOptions::refs_per_request_max`].
        blocks: Vec<BlockRef>,
    },
    /// Combine these shares of a round's coin, one an author, and answer with [`Input::Coin`] or [`Input::CoinShort`].
    CombineCoin {
        /// The round whose coin it is.
        round: Round,
        /// At least a quorum of shares, ascending by author, parsed but not verified.
        shares: Vec<(ValidatorIndex, Signature)>,
    },
    /// The coin of a round was learnt: append it to the log, so that recovery needs no combining. Not emitted for coins
    /// handed in during recovery.
    CoinKnown {
        /// The round.
        round: Round,
        /// The combined signature.
        signature: Signature,
    },
    /// The next commit; heights are consecutive.
    Commit(Commit),
    /// An own block fell below the garbage-collection round without having been output: what it carries must be
    /// proposed again.
    Dropped {
        /// The own block.
        own: BlockRef,
    },
    /// A validator convicted itself. Once for each slot and kind, and once again when recovery replays the log.
    Evidence(Evidence),
}
