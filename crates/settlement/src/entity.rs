//! What a market's state is made of (SETTLEMENT 2.2). Each entity stands under one key and has one canonical encoding.

mod account;
mod asset;
mod cross;
mod feed;
mod instrument;
mod key;
mod order;
mod parameters;

pub use account::{Account, Position, Status};
pub use asset::{Asset, Collateral};
pub use cross::{Decision, Doubt, PeerOutcome};
pub use feed::{CurvePoint, Feed, FeedRound, FundingRate, Halt};
pub use instrument::{Instrument, Life};
pub(crate) use instrument::{decode_add_on, decode_contract, encode_add_on, encode_contract};
pub use key::{BudgetKey, EntryKey};
pub use order::{Budget, OrderFill};
pub use parameters::{Clock, ParameterState, Parameters};
