//! Why something is refused. Whatever is refused changed nothing.

use quorate_types::{AccountId, AssetId, Epoch, Hash32, Height, MmrError, ShardId};

use crate::accounts::AccountsError;
use crate::channel::TermError;
use crate::message::Outcome;

/// Why an engine cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// There is no such shard.
    #[error("there is no shard {shard}")]
    UnknownShard {
        /// The shard.
        shard: ShardId,
    },
    /// No message could ever be sent.
    #[error("a window of no messages")]
    Window,
    /// What there is of an asset does not fit into 128 bits.
    #[error("asset {asset} exceeds 128 bits")]
    Overflow {
        /// The asset.
        asset: AssetId,
    },
}

/// Why a client's request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The shard is neither the decider nor one that votes.
    #[error("shard {shard} neither decides nor votes on this transaction")]
    NotHere {
        /// This shard.
        shard: ShardId,
    },
    /// The shard is past the transaction's expiry.
    #[error("epoch {epoch} is past the expiry, {expiry}")]
    Expired {
        /// The shard's epoch.
        epoch: Epoch,
        /// The transaction's last.
        expiry: Epoch,
    },
    /// It is decided: first writer wins.
    #[error("it is decided: {outcome:?}")]
    Decided {
        /// How.
        outcome: Outcome,
    },
    /// The peer has not acknowledged enough: try again later.
    #[error("shard {destination} has {load} messages to acknowledge, the window is {window}")]
    Window {
        /// The peer.
        destination: ShardId,
        /// Messages that it has not acknowledged, and those that wait.
        load: u64,
        /// The window.
        window: u64,
    },
    /// Too many transactions are remembered: try again later.
    #[error("{most} transactions are remembered, which is the most")]
    Full {
        /// The limit.
        most: usize,
    },
    /// There is no such shard, or it is this one.
    #[error("there is no other shard {shard}")]
    UnknownShard {
        /// The shard.
        shard: ShardId,
    },
    /// It moves nothing.
    #[error("a transfer of nothing")]
    Nothing,
    /// The account cannot pay, or is missing.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// A total would exceed 128 bits.
    #[error("asset {asset} would exceed 128 bits")]
    Overflow {
        /// The asset.
        asset: AssetId,
    },
    /// Nothing is kept for the account.
    #[error("nothing is kept for account {account}")]
    NothingSuspended {
        /// The account.
        account: AccountId,
    },
}

/// Why a bundle is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// It is for another shard.
    #[error("it is for shard {found}, this is {own}")]
    Destination {
        /// This shard.
        own: ShardId,
        /// The shard named.
        found: ShardId,
    },
    /// There is no such shard, or it is this one.
    #[error("there is no other shard {shard}")]
    UnknownShard {
        /// The shard.
        shard: ShardId,
    },
    /// The certificate is not one of its epoch's term.
    #[error(transparent)]
    Term(#[from] TermError),
    /// The sending shard is frozen.
    #[error("shard {shard} is frozen in epoch {frozen}, the certificate is of epoch {epoch}")]
    Frozen {
        /// The shard.
        shard: ShardId,
        /// The frozen epoch.
        frozen: Epoch,
        /// The certificate's.
        epoch: Epoch,
    },
    /// Messages before it are missing.
    #[error("it starts at message {start}, the next one is {next}")]
    Gap {
        /// Its first message.
        start: u64,
        /// The message that is next here.
        next: u64,
    },
    /// It brings no message and no acknowledgement that is not known.
    #[error("it ends before message {next} and acknowledges nothing new")]
    Stale {
        /// The message that is next here.
        next: u64,
    },
    /// What stands before its messages is not what was consumed here: the sending shard certified two histories.
    #[error("shard {shard} certified {found} where {consumed} was consumed, at message {at}")]
    Forked {
        /// The shard.
        shard: ShardId,
        /// The place in the channel.
        at: u64,
        /// Root over what was consumed.
        consumed: Hash32,
        /// Root over what the certificate says was there.
        found: Hash32,
    },
    /// It acknowledges more than was sent.
    #[error("it acknowledges {claimed} messages, {sent} were sent")]
    Acknowledged {
        /// Messages acknowledged.
        claimed: u64,
        /// Messages sent.
        sent: u64,
    },
}

/// Why a bundle or an anchor cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// There is no channel to that shard.
    #[error("there is no channel to shard {shard}")]
    NoChannel {
        /// The shard.
        shard: ShardId,
    },
    /// The messages were dropped, or are not there yet.
    #[error(transparent)]
    Messages(#[from] MmrError),
}

/// Why an order of the beacon is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Only the beacon gives this order.
    #[error("shard {shard} is not the beacon")]
    NotBeacon {
        /// This shard.
        shard: ShardId,
    },
    /// There is no such shard, or it is the one that would order it.
    #[error("there is no other shard {shard}")]
    UnknownShard {
        /// The shard.
        shard: ShardId,
    },
    /// The epoch does not come after the one there is.
    #[error("epoch {found} does not come after {epoch}")]
    Epoch {
        /// The epoch there is.
        epoch: Epoch,
        /// The epoch given.
        found: Epoch,
    },
    /// A term is out of order.
    #[error(transparent)]
    Term(#[from] TermError),
    /// The shard is frozen already.
    #[error("shard {shard} is frozen")]
    Frozen {
        /// The shard.
        shard: ShardId,
    },
    /// The state is not the one at the last height.
    #[error("the state is of epoch {epoch} at height {height}, the order is for {wanted}")]
    Height {
        /// The epoch of the state.
        epoch: Epoch,
        /// The height of the state.
        height: Height,
        /// The height that the order names.
        wanted: Height,
    },
}
