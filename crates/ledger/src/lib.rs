//! The ledger of a shard: what executing committed transactions does to accounts.
//!
//! - [`Ledger`] executes [`Commit`](quorate_types::Commit)s in order of height and gives an [`Execution`] for each: a
//!   header to certify, a receipt for every ordered transaction, the state's new values and a [`Snapshot`].
//! - [`Snapshot`] is the state at one height: accounts, assets and proofs of them, while execution goes on.
//! - [`StateTree`] is the authenticated tree below it (docs/adr/0002-state-tree.md).
//! - [`PreparedBlock`] is a block decoded and with signatures verified before its turn, on any thread.
//! - [`Admission`] decides which transactions a validator takes into its pool.
//!
//! Execution is a pure function of genesis and commits: no clock, thread, I/O, randomness, floating-point number or
//! iteration order of a hash table enters it. All arithmetic is checked.
//!
//! # Rules
//!
//! Checks run from top to bottom and the first that fails gives the receipt's code. *Nothing* means the transaction left
//! no trace but its receipt. *Sequence, fee* means that it took its number in the lane and, if the fee is within
//! `max_fee` and the signer's balance covers it, the fee.
//!
//! | Check | Code | Burns |
//! | --- | --- | --- |
//! | The bytes are one canonical transaction | 1001 `BadEncoding` | nothing |
//! | Chain | 1003 `WrongChain` | nothing |
//! | Shard | 1004 `WrongShard` | nothing |
//! | The access list names all accounts touched | 1006 `AccessList` | nothing |
//! | Exactly one signature | 1002 `BadSignature` | nothing |
//! | It is by key 0, the owner's | 2003 `KeyScope` | nothing |
//! | The signing account exists (transfer) | 2001 `NoAccount` | nothing |
//! | The signature is the owner's | 1002 `BadSignature` | nothing |
//! | The account does not exist (creation) | 2007 `AccountExists` | nothing |
//! | The sequence number is the lane's next; for a creation lane 0, number 0 | 2002 `BadSequence` | nothing |
//! | The account has room for another lane | 2009 `TooManyLanes` | nothing |
//! | The leader's round is within `valid_until_round` | 1005 `Expired` | nothing |
//! | The lane has a number after this one | 9001 `Overflow` | nothing |
//! | There are no dependencies (see below) | 1007 `DependencyMissing` | sequence, fee (creation: nothing) |
//! | The fee is within `max_fee` | 5004 `FeeCap` | sequence |
//! | The asset exists | 2008 `NoAsset` | sequence, fee |
//! | The credited account exists | 2001 `NoAccount` | sequence, fee |
//! | Amount and fee have a sum | 9001 `Overflow` | sequence, fee |
//! | The signer's free balance covers amount and fee | 2005 `InsufficientFree` | sequence, fee |
//!
//! Decisions where SETTLEMENT 2.3 leaves room:
//!
//! - *Undecodable bytes* can only come from a Byzantine proposer. They have a receipt like all else that is ordered, so
//!   that receipts and transactions count alike; its transaction id is the hash of the whole bytes under the tag of
//!   transaction ids.
//! - *An expired transaction burns nothing*: the signature was permission up to a round, and whoever signed may reuse the
//!   number afterwards without a proposer being able to spoil it with the old transaction.
//! - *Dependencies* must be empty until causal execution exists. A transaction with any is rejected, never executed
//!   before its parents.
//! - *A creation* is signed by the key it names, costs nothing, and takes number 0 of lane 0.
//! - *A transfer to oneself, or of 0 atoms*, is applied: it must be covered like any other, costs the fee and takes its
//!   number. Its deltas list the fee alone; deltas never list a change of zero.
//! - *The verdict on a signature* is that of ZIP 215 whether it was verified alone, in a batch or before its turn.
//!
//! # Invariants
//!
//! Balances and collected fees of each asset add up to its supply, exactly: every commit's changes are checked to sum to
//! zero before they are taken over, and debug builds recompute the sums over all accounts. Numbers of a lane are used
//! once, in order. Supplies fit `i128` ([`Genesis::validate`](quorate_types::Genesis::validate)), so no credit of what
//! was debited can leave its range.
//!
//! # What it does not do
//!
//! It neither stores anything (drivers persist [`Execution::changes`] and hand them to [`Ledger::restore`]) nor starts
//! threads, and it trusts the order and content of commits: those are the consensus engine's.
//!
//! ```
//! use quorate_ledger::StateTree;
//! use quorate_types::{Hash32, SparseLeaf};
//!
//! let key = Hash32([7; 32]);
//! let mut tree = StateTree::new();
//! tree.apply([(SparseLeaf::new(key, b"ten"), 10)]);
//! let before = tree.clone();
//! tree.apply([(SparseLeaf::new(key, b"nine"), 9)]);
//!
//! let (value, proof) = before.prove(&key);
//! assert_eq!(value, Some(&10));
//! assert_eq!(proof.verify_present(&before.root(), &key, b"ten"), Ok(()));
//! assert!(proof.verify_present(&tree.root(), &key, b"ten").is_err());
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]

mod admission;
mod chunk;
mod error;
mod ledger;
mod prepare;
mod rules;
mod signatures;
mod state;
mod tree;
mod working;

pub use admission::{Admission, AdmissionError, AdmissionLimits, Authenticated};
pub use chunk::{ChunkError, KeyRange, StateChunk};
pub use error::LedgerError;
pub use ledger::{Execution, Ledger, receipt_proof};
pub use prepare::PreparedBlock;
pub use rules::Rules;
pub use state::Snapshot;
pub use tree::StateTree;
