//! The file that `quorate margin explain` reads. Amounts and prices are decimal numbers in quotes, so that nothing is rounded.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) account: Account,
    #[serde(default)]
    pub(super) feed: Vec<Feed>,
    #[serde(default)]
    pub(super) instrument: Vec<Instrument>,
    #[serde(default)]
    pub(super) pending: Vec<Pending>,
}

/// A source of prices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feed {
    pub(super) name: String,
    /// Quote for a unit of the underlying.
    pub(super) price: String,
    /// Distance of two price nodes, in 1e-4 of the price's logarithm.
    #[serde(default = "step")]
    pub(super) step: u32,
    /// What volatilities are multiplied by in scenarios, in 1e-4.
    #[serde(default = "factors")]
    pub(super) volatility_factors: [u32; 3],
    /// One more node on each side for the initial margin.
    #[serde(default)]
    pub(super) low_confidence: bool,
    /// The verdict must hold while the price moves by so much, in basis points.
    #[serde(default)]
    pub(super) band_bp: u32,
    #[serde(default)]
    pub(super) curve: Vec<Curve>,
}

/// What prices the instruments of one expiry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Curve {
    pub(super) expires_in_hours: u64,
    /// The forward as a multiple of the price.
    #[serde(default = "one")]
    pub(super) basis: String,
    /// Annual, continuously compounded.
    #[serde(default = "zero")]
    pub(super) rate: String,
    /// The same at all strikes; or a smile.
    pub(super) volatility: Option<String>,
    pub(super) smile: Option<Smile>,
}

/// Raw SVI, in annual variance.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Smile {
    pub(super) level: String,
    pub(super) slope: String,
    pub(super) correlation: String,
    pub(super) shift: String,
    pub(super) width: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Instrument {
    pub(super) name: String,
    pub(super) feed: String,
    pub(super) kind: Kind,
    /// Of an option.
    pub(super) strike: Option<String>,
    /// Of all but a perpetual.
    pub(super) expires_in_hours: Option<u64>,
    /// Units of the underlying in a lot.
    #[serde(default = "one")]
    pub(super) lot: String,
    /// Least margin of a lot held short, in quote.
    #[serde(default = "zero")]
    pub(super) short_minimum: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Call,
    Put,
    Future,
    Perpetual,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    /// Collateral, in quote.
    #[serde(default = "zero")]
    pub(super) cash: String,
    #[serde(default)]
    pub(super) position: Vec<Position>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    pub(super) instrument: String,
    /// Negative if held short.
    pub(super) lots: i64,
    /// The price that a future or perpetual was last settled at.
    pub(super) entry: Option<String>,
}

/// An operation that is seen and not final.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    pub(super) name: String,
    /// Operations of one lane happen in the order of the file or not at all; without a lane it stands alone.
    pub(super) lane: Option<String>,
    /// Quote that it brings, or takes if negative.
    #[serde(default = "zero")]
    pub(super) cash: String,
    #[serde(default)]
    pub(super) leg: Vec<Leg>,
    /// Whether its certificate exists, so that it counts against a margin call.
    #[serde(default)]
    pub(super) certified: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leg {
    pub(super) instrument: String,
    /// Negative if sold.
    pub(super) lots: i64,
    /// Quote for a unit of the underlying; what it makes is paid or received at once.
    pub(super) price: String,
}

const fn step() -> u32 {
    450
}

const fn factors() -> [u32; 3] {
    [7_000, 10_000, 15_000]
}

fn one() -> String {
    "1".into()
}

fn zero() -> String {
    "0".into()
}
