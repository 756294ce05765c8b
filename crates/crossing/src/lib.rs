//! What passes between shards.
//!
//! **The ledger does not use it yet.** Nothing of this is wired into a validator: no header names the outbox root that is made
//! here, no transaction of the ledger reaches these operations, and nobody relays.
//!
//! # Channels
//!
//! For every other shard a shard keeps an outbox: a list of messages that only grows, whose root its certificates commit to
//! ([`Crossing::seal`]). Anybody may carry messages and their proof, a [`Bundle`], to the other shard, which orders it in its log
//! and applies it if it starts at the next message or before. So all that a receiver remembers of a channel, for ever, are the
//! peaks of what it consumed. How many messages it consumed rides back in its own certificates: it is the acknowledgement, by
//! which the sender drops messages and keeps a window.
//!
//! A relayer is trusted with nothing. What is checked once is a [`Verified`] value, made by one constructor.
//!
//! # Money
//!
//! - A [`Transfer`] is debited here, and credited there when its receipt arrives. All transfers of a commit to one shard in one
//!   asset are one receipt. There is no vote and no lock, and the only way back is a bounce, if the account is missing.
//! - An [`AtomicTransaction`] has legs on several shards, and one of them, or the beacon, decides in its own log. Who is debited
//!   holds the amount, votes, and lets go on the decider's word alone. What ends a transaction is an entry of the decider's log: the
//!   last vote, a cancel, an epoch.
//! - A [`Supply`] line says for each asset what a shard has, and what it sent and received; [`audit`] adds up one line
//!   of each shard, whatever their heights.
//! - A cap bounds what is taken from a shard before the beacon has anchored it.
//! - A shard that no longer moves is frozen and retired on the beacon's order ([`Crossing::freeze`]).
//!
//! Money itself is behind a small trait, [`Accounts`].
//!
//! # Model
//!
//! Each shard's log is agreed on and each certificate that verifies is its own shard's. At any time any number of shards may
//! be slow or silent for any time; there is no clock. Messages may be carried in any order and any number of times. If up to one
//! third of every committee lies, what holds is I19 to I29 of `docs/invariants.md`. A shard whose committee is captured can
//! credit money that it does not have elsewhere, up to the caps; it can take no hold of another shard and decide nothing that it was
//! not asked to decide, since transactions are signed by those whom they debit and every voter checks that itself.
//!
//! # Decisions
//!
//! - A bundle that overlaps with what was consumed is applied from the next message on, if the overlap is the same as what was
//!   consumed; if not, the sending shard certified two histories ([`DeliverError::Forked`]).
//! - Beyond the window nothing is said to a shard. Requests of clients are refused; what a shard owes in answer to a message waits
//!   in order, since refusing it would let one silent shard block the channels of all others.
//! - What a shard certified and nobody can read is consumed without effect, with an [`Alarm`].
//! - An abort is told to those that vote. A shard that is only paid knows nothing of a transaction before its commit.
//! - A vote brings the transaction along if it came from a client, so a client that vanishes after one submission is harmless.
//! - A late vote on what is not known is answered to that voter alone; every voter that still holds something sends its own.
//!
//! # What it does not do
//!
//! There is no decider-less commit, and none is planned: it gets stuck. Retiring a shard is tested by example; that it splits
//! nobody (I29, and I19 across it) is not model checked yet. Making keys for a retired shard and carrying its state
//! over are the beacon's and state sync's. There is no fee, and no price on what other shards must keep: messages, suspended credits
//! and tombstones are bounded by what clients pay for where they enter.
//!
//! ```
//! use std::collections::BTreeMap;
//! use quorate_crossing::{Accounts, Crossing, Finality, MemoryAccounts, Network, Options, Transfer, Verified};
//! use quorate_types::{AccountId, AssetId, ChainId, Epoch, Hash32, Height, ShardId};
//!
//! let network = Network { chain: ChainId([7; 32]), shards: 3 };
//! let (payer, payee, asset) = (AccountId([1; 32]), AccountId([2; 32]), AssetId(0));
//! let mut here = MemoryAccounts::default();
//! here.open(payer);
//! here.credit(&payer, asset, 10)?;
//! let mut there = MemoryAccounts::default();
//! there.open(payee);
//!
//! let opening = BTreeMap::from([(asset, 10)]);
//! let mut one = Crossing::new(Options::new(network, ShardId(1)), Epoch(0), &opening)?;
//! let mut two = Crossing::new(Options::new(network, ShardId(2)), Epoch(0), &BTreeMap::new())?;
//! two.begin_term(ShardId(1), Epoch(0), Height(1))?;
//!
//! // Debited, and sealed at height 1, whose header is certified.
//! let transfer = Transfer {
//!     payer, destination: ShardId(2), account: payee, asset, amount: 4, reference: Hash32::ZERO,
//! };
//! one.transfer(&mut here, &Verified::<Transfer>::authorised(transfer))?;
//! let sealed = one.seal(&here, Height(1))?;
//! let roots = Verified::certified(sealed.roots(Finality::Shard));
//!
//! // Carried, checked, and credited.
//! let bundle = one.bundle(&sealed, ShardId(2), 0, 100)?.open(&network, &roots)?;
//! two.deliver(&mut there, &bundle, &mut Vec::new())?;
//! assert_eq!((here.available(&payer, asset), there.available(&payee, asset)), (6, 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]

mod accounts;
mod bundle;
mod channel;
mod codec;
mod decider;
mod engine;
mod error;
mod event;
pub mod limits;
mod message;
mod options;
mod participant;
mod supply;
#[cfg(test)]
mod tests;
mod transaction;
mod verified;

pub use accounts::{Accounts, AccountsError, MemoryAccounts};
pub use bundle::{Anchor, Bundle, BundleError, Opened};
pub use channel::{CertifiedRoots, ChannelHead, Finality, TermError};
pub use engine::{Crossing, Delivered, Sealed, Transfer};
pub use error::{DeliverError, OrderError, ProveError, RequestError, SetupError};
pub use event::{Alarm, Event};
pub use message::{
    Answer, Body, Credit, Decision, FreezeAck, Message, Outcome, Parcel, Reason, Receipt, Retire,
    Vote,
};
#[cfg(any(test, feature = "mutants"))]
pub use options::Mutation;
pub use options::Options;
pub use supply::{AssetSupply, AuditError, Flow, GlobalAsset, GlobalSupply, Supply, audit};
pub use transaction::{
    AtomicId, AtomicTransaction, BEACON, Cancel, CreditLeg, DebitLeg, Network, Participant,
    SignedAtomic, TransactionError,
};
pub use verified::Verified;
