//! What happened: for receipts to clients, metrics, and the alarms of operators. Nothing in this crate reads it back.

use quorate_types::{AccountId, AssetId, CodecError, Epoch, Hash32, ShardId};

use crate::message::{Answer, Outcome, Retire};
use crate::transaction::{AtomicId, TransactionError};

/// One thing that happened, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message was consumed.
    Consumed {
        /// The shard that sent it.
        source: ShardId,
        /// Its place in the channel.
        sequence: u64,
    },
    /// This shard voted.
    Voted {
        /// On what.
        transaction: AtomicId,
        /// What.
        answer: Answer,
    },
    /// This shard decided.
    Decided {
        /// The transaction.
        transaction: AtomicId,
        /// How.
        outcome: Outcome,
    },
    /// This shard's legs of a transaction happened, or never will.
    Applied {
        /// The transaction.
        transaction: AtomicId,
        /// Which of the two.
        outcome: Outcome,
    },
    /// An account was credited by another shard's message.
    Credited {
        /// The shard that it came from.
        source: ShardId,
        /// The account.
        account: AccountId,
        /// What.
        asset: AssetId,
        /// Atoms.
        amount: u128,
        /// The transfer's reference; zero for an atomic transaction.
        reference: Hash32,
    },
    /// A credit could not be made and goes back.
    Bounced {
        /// The shard that it came from, and goes back to.
        source: ShardId,
        /// The account that is missing.
        account: AccountId,
        /// What.
        asset: AssetId,
        /// Atoms.
        amount: u128,
    },
    /// A credit could not be made and is kept for when the account exists.
    Suspended {
        /// The account that is missing.
        account: AccountId,
        /// What.
        asset: AssetId,
        /// Atoms.
        amount: u128,
    },
    /// Credits wait for an anchored certificate: the cap is reached.
    Waiting {
        /// The shard that they came from.
        source: ShardId,
        /// The message's place in the channel.
        sequence: u64,
        /// What.
        asset: AssetId,
        /// Atoms.
        amount: u128,
    },
    /// A decided transaction was forgotten.
    Forgotten {
        /// The transaction.
        transaction: AtomicId,
    },
    /// A shard's certificates are refused from here on.
    Frozen {
        /// The shard.
        shard: ShardId,
        /// Up to this epoch.
        epoch: Epoch,
    },
    /// A frozen shard goes on with another committee.
    Retired(Retire),
    /// Something that honest shards do not do.
    Alarm(Alarm),
}

/// What a shard certified though honest ones do not. It changed nothing here; people must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A message's bytes say nothing.
    Unreadable {
        /// The shard that sent it.
        source: ShardId,
        /// Its place in the channel.
        sequence: u64,
        /// What is wrong.
        error: CodecError,
    },
    /// A message speaks of another place than its own.
    Misplaced {
        /// The shard that sent it.
        source: ShardId,
        /// Its place in the channel.
        sequence: u64,
    },
    /// A transaction that is not well-formed, or not signed.
    Transaction {
        /// The shard that sent it.
        source: ShardId,
        /// The transaction.
        transaction: AtomicId,
        /// What is wrong.
        error: TransactionError,
    },
    /// A message from a shard that has no say in it: not the decider, not a voter, not the beacon.
    NoSay {
        /// The shard that sent it.
        source: ShardId,
        /// Its place in the channel.
        sequence: u64,
    },
    /// A vote that is about other legs, or does not answer what was asked.
    Vote {
        /// The shard that sent it.
        source: ShardId,
        /// The transaction.
        transaction: AtomicId,
    },
    /// A decision against what was voted or decided before.
    Decision {
        /// The shard that sent it.
        source: ShardId,
        /// The transaction.
        transaction: AtomicId,
        /// What it says.
        outcome: Outcome,
    },
    /// An answer that nobody asked for, or an order that cannot be.
    Unasked {
        /// The shard that sent it.
        source: ShardId,
    },
    /// A total would exceed 128 bits: more than there can be.
    Overflow {
        /// The shard that sent it.
        source: ShardId,
        /// The asset.
        asset: AssetId,
    },
    /// The ledger refused what it had promised.
    Ledger {
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
    },
}
