//! Named limits, each with its reason.

/// Legs of a bilateral trade (SETTLEMENT 2.3).
pub const TRADE_LEGS_MAX: u32 = 8;
/// Fills of one batch: with two signed orders each, a batch stays below half of the largest transaction.
pub const FILLS_MAX: u32 = 16;
/// Accounts that one page of payoffs handles, so that an operation's work is bounded.
pub const PAGE_MAX: u32 = 64;
/// Counterparties that one absorption reduces for each position, for the same reason.
pub const REDUCED_MAX: usize = 64;
/// Curves of one oracle statement: expiries of one feed.
pub const CURVES_MAX: u32 = 64;
/// Perpetuals of one feed with a funding rate.
pub const FUNDING_MAX: u32 = 16;
/// Feeds that one account may be asked to name rounds of.
pub const FEEDS_MAX: u32 = 256;
/// Instruments of a market that were not purged: a round prices all of its feed.
pub const INSTRUMENTS_MAX: usize = 4_096;
/// Instruments in which an account may hold positions at most, whatever the parameters say.
pub const POSITIONS_MAX: u32 = 1_024;
/// Shards that one operation across shards may involve besides this one.
pub const PEERS_MAX: u32 = 8;
/// What an account may have in doubt at most, whatever the parameters say.
pub const DOUBTS_MAX: u32 = 64;
/// Lines of credit that one account may grant.
pub const BUDGETS_MAX: usize = 32;
/// Order fills and lines that one block forgets at its end, so that its work is bounded.
pub const FORGET_MAX: usize = 256;
/// Atoms of one asset that may be in a market: sums of amounts and of amounts times the scale stay within `i128`.
pub const SUPPLY_MAX: u128 = 1 << 92;
/// A funding index is below this in magnitude, in quote atoms a lot, so that cells stay within their limit.
pub const FUNDING_INDEX_MAX: i64 = 1 << 60;
/// Highest identifier of an instrument. Those above stand for collateral in risk tables.
pub const INSTRUMENT_ID_MAX: u32 = (1 << 31) - 1;
