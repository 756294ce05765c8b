//! The state machine of one settlement shard: collateral, trades, margin calls, liquidation and expiry of derivatives
//! (SETTLEMENT 2 and 3.4-3.5). **The ledger does not use it yet**: no transaction reaches it, and its entries stand in no
//! state tree.
//!
//! - [`Market`] is the engine. [`Market::apply`] applies one [`SignedOperation`] in a [`Context`] and gives what it did,
//!   [`Applied`], or the [`RejectCode`](quorate_types::RejectCode) of the first check that failed. [`Market::learn`] takes
//!   note of a peer shard's certified receipt, [`Market::end_of_block`] forgets what has run out.
//! - [`Market::take_changes`] hands out changed entries, [`EntryKey`] and canonical bytes, for a state tree to authenticate;
//!   [`Market::restore`] makes the same engine from entries; [`Market::digest`] compares two of them.
//! - [`Market::check`] recomputes the invariants from scratch. Tests and simulations call it after every block.
//! - [`Market::standing`] says where an account stands: equity, M, R and U, from `quorate-margin`.
//! - [`Authenticator`] decides about signatures: [`Cryptography`] verifies them (Ed25519 by ZIP 215, threshold BLS), a
//!   driver may have done so before.
//!
//! Applying is a pure function of the state, the context and the operation: no clock, thread, I/O, randomness or hash order
//! enters it, and all arithmetic is checked. An operation is applied whole or not at all. A margin at hand (V and E of an
//! account) is a cache: it changes how long an operation takes and nothing else.
//!
//! # Money
//!
//! An account has two buckets for each asset. `free` is debited on its owner's word alone; margin, calls, liquidation and
//! losses never touch it. `collateral` stands behind the positions, with *entries*: what futures and perpetuals were
//! bought or sold at and not paid yet. Premiums of options are paid at once. The margin cash is quote collateral, less debt,
//! plus entries; other collateral counts as a position with a haircut, in whole margin lots.
//!
//! *One rounding rule.* Every change of an account is the floor of its exact amount, and what is left over goes to dust,
//! which counts 1e-8 of an atom: so conservation is an equality at all times, also while an expiry is half paid out, when
//! parts of atoms are under way in the instrument's `pool`. A fee rounds up. A funding index is a whole number of atoms a
//! lot, so that funding leaves nothing over; what is below an atom is carried to the next round.
//!
//! *Marks are lazy.* No round touches an account: margin counts entries and marks together. [`Body::Mark`] turns gains
//! into collateral that can be released, and losses into less of it, as far as it goes; it changes no margin.
//!
//! # Who may do what
//!
//! Before anything else, in this order: chain, shard (1003, 1004), number of signers and signatures (1002), two different
//! signers (5005), last round (1005), accounts (2001), signatures (1002), numbers of all lanes (2002, 2009). From there on a
//! rejection burns the signers' numbers and nothing else. Fees of transactions are the ledger's envelope, not part of this.
//!
//! | Operation | Rules, besides balances and ranges |
//! | --- | --- |
//! | `Deposit` | certified by the bridge; numbers of a source in order, each once (6005, 1007) |
//! | `Post`, `Release`, `Withdraw` | posting repays debt first; a release needs R >= 0 and fresh prices |
//! | `OracleUpdate` | certified; round and time after the last (3008), not stale or ahead (3006), certain enough (3009), prices all that is held (3005); a jump beyond the band halts the feed (9002 for what needs it) until as many later rounds as are set confirm it |
//! | `Trade`, `Novate` | trading (3001, 3002, 3003), tick (3004), price near the mark (3007), fee (5004), open interest (4004); both sides R >= 0, or short before and reducing risk (4001, 4002, 4003) |
//! | `FillBatch` | the venue's next (5008); both orders signed, unexpired (5001), not overfilled (5002), within limit (5003), fee cap (5004), reduce-only (5006); within the line if one was granted (5007), otherwise as a trade; all fills or none |
//! | `GrantBudget`, `RevokeBudget` | R less all lines >= 0; revoked lines serve until the unbonding rounds are over |
//! | `Mark`, `Fund` | by anybody; funding once for each round (3008) |
//! | `SettlePrice`, `ExpirePage` | certified, not before expiry (8001), once (8003); pages of holders, each paid once (8002) |
//! | `MarginCall` | at the present rounds (3008), U < 0 (7001) |
//! | `Liquidate` | U < 0 (7001), after the call ran out or at once if severe (7002), discount granted by the auction (7005), no more than restores initial margin (7003), the liquidator's R >= 0 (7004) |
//! | `Absorb` | after the auction's rounds (7002), worth less than nothing (7006), U < 0 (7001) |
//! | `CrossPrepare`, `CrossCommit`, `CrossAbort` | see below |
//! | `SetParameters`, `List` | certified by governance; next version, later epoch (9003) |
//!
//! # In doubt across shards
//!
//! `CrossPrepare` puts quote atoms into the account's escrow: a debit needs R >= 0 with it and reserves that much
//! collateral, and the account trades on inside what is left. Whether peers prepared or refused comes as [`PeerReceipt`]s
//! in [`Certified`], whose certificates the caller has verified. When all have prepared, `CrossCommit` applies it, and it
//! cannot fail for want of margin; when one has refused, `CrossAbort` releases it. Each ends once (6002). Until its
//! deadline, a credit that all peers prepared counts in U, so that no call is accepted that it would cure; any other counts
//! nowhere, so that no promise delays one.
//!
//! # Decisions where SETTLEMENT leaves room
//!
//! - *A deposit opens the account* that it is for if need be, and reaches closed ones: numbers of a source have no gaps, so no
//!   deposit may wait for somebody.
//! - *A gap in an oracle's rounds* is allowed: a statement that is lost must not stop a feed. Rounds only grow.
//! - *An account that promised something* (R was not negative) is held to R >= 0 even by what reduces its risk alone.
//! - *The buffer* that a liquidation restores is initial margin. The discount is on values that change hands, and at most the
//!   slice's share of the account's equity, so that a penalty drives nobody below zero. Slices leave out quote collateral.
//! - *Accounts being liquidated* may reduce risk; nothing else of theirs that takes value away is accepted (2004).
//! - *Debt* arises where a payoff or a loss exceeds quote collateral, whatever else the account owns; posting, marks and
//!   sales repay it. Any operation that touches a called account which has maintenance margin and no debt ends its call.
//! - *Insurance takes the collateral of an absorbed account* but the quote asset, in kind. Counterparties are ranked by
//!   the size of their position for what they are worth, and bear at most what they have above maintenance margin. What
//!   is left then stays as debt: nobody else pays.
//! - *A line of credit* is the same amount in every scenario of one feed, and is used up scenario by scenario over all 39 cells
//!   of the risk arrays.
//! - *What is in doubt is cash.* Positions stay on their account's shard.
//! - *A refusal is the certified receipt of 6004*: after its deadline an operation can never be prepared here any more.
//!
//! # What it does not do
//!
//! It has no lists of accounts touched (1006) and no dependencies between operations (1007 is for deposits), no keys with a
//! scope besides the owner's, no transfers between accounts' free balances (the ledger has them), no cross-shard positions,
//! no parallel executor, and it never forgets decisions across shards or names of purged instruments. An order is not
//! cancelled: it expires.
//!
//! # Example
//!
//! ```
//! use std::collections::BTreeMap;
//! use quorate_settlement::{Asset, Facts, Market, Parameters};
//! use quorate_types::{AssetId, ChainId, ShardId, ThresholdKey};
//!
//! let quote = AssetId(1);
//! let key = ThresholdKey([0; 96]);
//! let facts = Facts { chain: ChainId([1; 32]), shard: ShardId(0), quote, bridge: key, governance: key };
//! let assets = BTreeMap::from([(quote, Asset::new(6, None))]);
//! let market = Market::new(facts, Parameters::default(), assets, BTreeMap::new())?;
//!
//! let restored = Market::restore(facts, market.entries())?;
//! assert_eq!(restored.digest(), market.digest());
//! # Ok::<(), quorate_settlement::MarketError>(())
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]

mod applied;
mod authentic;
mod check;
mod codec;
mod entity;
mod error;
pub mod limits;
mod market;
mod mutation;
mod operation;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;

pub use applied::{Applied, BalanceDelta, Bucket, Context, Event};
pub use authentic::{Authenticator, Certified, Cryptography};
pub use check::Violation;
pub use entity::{
    Account, Asset, Budget, BudgetKey, Clock, Collateral, CurvePoint, Decision, Doubt, EntryKey,
    Feed, FeedRound, FundingRate, Halt, Instrument, Life, OrderFill, ParameterState, Parameters,
    PeerOutcome, Position, Status,
};
pub use error::MarketError;
pub use market::{Facts, Market, Standing};
#[cfg(any(test, feature = "mutants"))]
pub use mutation::Mutation;
pub use operation::{
    Body, DepositStatement, Fill, Leg, Listing, NamedRound, Operation, OracleStatement, Order,
    ParameterChange, PeerReceipt, SettlementStatement, SignedOperation, SignedOrder, Signer,
};
