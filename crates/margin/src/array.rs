//! Risk arrays: the value of one lot in every scenario, and marks.
//!
//! A risk array is computed once for each instrument and round, and transactions do nothing but add up its cells, as with
//! the arrays that CME's SPAN publishes, except that everyone recomputes them. The cell of a node and a volatility is
//!
//! `floor(multiplier * value / 10^8)` quote atoms per lot,
//!
//! where `value` is that of one unit at the node's price, with deviations times the volatility's factor and the slices left
//! until expiry, and nothing else: no quantity, no rounding of a position. So the value of a position is its quantity times
//! the cell, exactly linear, and a position is worth at most an atom per lot more than its cells say.
//!
//! - An option is Black's formula on the forward of the node's price, with the deviation of the smile at its moneyness
//!   there, discounted. So the smile moves with the price.
//! - A future is worth the forward and a perpetual the price: the whole of it, since what was paid stands in cash.
//! - With no slice left an instrument is worth its payoff at the node's price.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use thiserror::Error;

use crate::black76::{DEVIATION_LIMIT, FORWARD_LIMIT, OptionKind, option_pair};
use crate::contract::{Contract, SLICES_LIMIT, SLICES_PER_YEAR, slices_left};
use crate::fixed::Fixed;
use crate::grid::{CELLS, Grid, GridError, VOLATILITIES};
use crate::market::{Curve, FACTOR_SCALE, Market, RATIO_SCALE};
use crate::rounding::floor_atoms;
use crate::wide::mul_shift;

/// The value of one lot of an instrument in every scenario around a centre.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RiskArray {
    /// The node that the price lies next to.
    pub centre: i32,
    /// Quote atoms per lot, each below `2^62` in magnitude: nodes from the lowest price up, for each node the volatility
    /// factors in their order. [`Window::cells`](crate::Window::cells) gives the part that a rule looks at.
    pub cells: [i64; CELLS],
}

impl RiskArray {
    /// The cell of a node, counted from the lowest of the array, and a volatility. `None` outside the array.
    #[must_use]
    pub fn cell(&self, node: usize, volatility: usize) -> Option<i64> {
        if volatility >= VOLATILITIES {
            return None;
        }
        let nodes = self.cells.as_chunks::<VOLATILITIES>().0;
        nodes.get(node).map(|cells| cells[volatility])
    }
}

/// Why an instrument has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ArrayError {
    /// The grid does not reach around the price.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The feed has no curve for an expiry in the future.
    #[error("no curve for the expiry at {expiry_ms} ms")]
    NoCurve {
        /// The expiry, in milliseconds.
        expiry_ms: u64,
    },
    /// An expiry is more than ten years away.
    #[error("the expiry at {expiry_ms} ms is more than ten years away")]
    TooFar {
        /// The expiry, in milliseconds.
        expiry_ms: u64,
    },
    /// A forward reaches the limit of prices.
    #[error("the forward of price {price} is out of bounds")]
    Forward {
        /// The price whose forward it is, in 1e-8 quote.
        price: i64,
    },
}

/// The risk arrays of many instruments of one feed, in their order. What instruments of one expiry share is computed once,
/// and an instrument that cannot be priced does not keep others from it.
///
/// # Errors
///
/// [`ArrayError::Grid`] if the nodes around the price are not all prices within bounds: then no instrument has an array.
pub fn risk_arrays(
    grid: Grid,
    market: &Market,
    contracts: &[Contract],
) -> Result<Vec<Result<RiskArray, ArrayError>>, ArrayError> {
    let centre = grid.centre(market.price())?;
    let prices = grid.prices_around(centre)?;
    let mut expiries = BTreeMap::new();
    let arrays = contracts.iter().map(|contract| {
        let expiry = match expiries.entry(contract.terms().expiry_ms()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let expiry = Expiry::new(market, *entry.key(), &prices);
                entry.insert(expiry)
            }
        };
        let expiry = expiry.as_ref().map_err(|error| *error)?;
        Ok(expiry.array(*contract, centre, market.volatility_factors()))
    });
    Ok(arrays.collect())
}

/// The risk array of one instrument.
///
/// # Errors
///
/// [`ArrayError`].
pub fn risk_array(
    grid: Grid,
    market: &Market,
    contract: Contract,
) -> Result<RiskArray, ArrayError> {
    let mut arrays = risk_arrays(grid, market, &[contract])?;
    arrays.pop().expect("one array for one contract")
}

/// The value of one lot at the feed's price itself, not at a node, with deviations as they are: quote atoms per lot, rounded
/// as cells are.
///
/// # Errors
///
/// [`ArrayError`], but never [`ArrayError::Grid`].
pub fn mark(market: &Market, contract: Contract) -> Result<i64, ArrayError> {
    let expiry = Expiry::new(market, contract.terms().expiry_ms(), &[market.price()])?;
    let mut values = [0];
    let point = &expiry.points[0];
    let strike = Strike::of(contract);
    expiry.values(contract, strike, point, &[FACTOR_SCALE], &mut values);
    Ok(values[0])
}

/// What instruments of one expiry share: time and forwards.
struct Expiry<'a> {
    /// Absent where there is no time value: at and after expiry, and for perpetuals.
    time: Option<Time<'a>>,
    points: Vec<Point>,
}

struct Time<'a> {
    curve: &'a Curve,
    years: Fixed,
    discount: Fixed,
}

/// One price of the underlying, in 1e-8 quote, and what follows from it.
struct Point {
    price: i64,
    /// In 1e-8 quote.
    forward: Fixed,
    /// The natural logarithm of `forward`; only used where there is time.
    log_forward: Fixed,
}

/// An option's strike, in 1e-8 quote, and its natural logarithm.
#[derive(Clone, Copy)]
struct Strike {
    kind: OptionKind,
    strike: Fixed,
    log_strike: Fixed,
}

impl Strike {
    fn of(contract: Contract) -> Option<Self> {
        let (kind, strike) = contract.terms().option()?;
        let strike = Fixed::from(strike);
        let log_strike = strike.ln().expect("strikes are positive");
        Some(Self {
            kind,
            strike,
            log_strike,
        })
    }
}

impl<'a> Expiry<'a> {
    fn new(market: &'a Market, expiry_ms: Option<u64>, prices: &[i64]) -> Result<Self, ArrayError> {
        let time = match expiry_ms {
            Some(expiry_ms) => Time::until(market, expiry_ms)?,
            None => None,
        };
        let curve = time.as_ref().map(|time| time.curve);
        let points = prices.iter().map(|price| Point::new(*price, curve));
        let points = points.collect::<Result<_, _>>()?;
        Ok(Self { time, points })
    }

    fn array(&self, contract: Contract, centre: i32, factors: &[u32; VOLATILITIES]) -> RiskArray {
        let mut cells = [0; CELLS];
        let nodes = cells.as_chunks_mut::<VOLATILITIES>().0;
        let strike = Strike::of(contract);
        for (point, values) in self.points.iter().zip(nodes) {
            self.values(contract, strike, point, factors, values);
        }
        RiskArray { centre, cells }
    }

    /// Values of one lot at a price, one for each volatility factor, in quote atoms.
    fn values(
        &self,
        contract: Contract,
        strike: Option<Strike>,
        point: &Point,
        factors: &[u32],
        values: &mut [i64],
    ) {
        match (&self.time, strike) {
            (Some(time), Some(strike)) => {
                let multiplier = contract.multiplier();
                time.option_values(multiplier, strike, point, factors, values);
            }
            (Some(time), None) => {
                let forward = time.curve.forward_numerator(point.price);
                let numerator = i128::from(contract.multiplier()) * forward;
                values.fill(cell(floor_atoms(numerator / i128::from(RATIO_SCALE))));
            }
            (None, _) => {
                let payoff = contract.payoff(point.price, 1);
                let payoff = payoff.expect("the market's and the nodes' prices are checked");
                values.fill(cell(payoff));
            }
        }
    }
}

impl<'a> Time<'a> {
    fn option_values(
        &self,
        multiplier: u32,
        Strike {
            kind,
            strike,
            log_strike,
        }: Strike,
        point: &Point,
        factors: &[u32],
        values: &mut [i64],
    ) {
        let moneyness = Fixed::from_raw(log_strike.raw() - point.log_forward.raw());
        // Where forward and strike are nearly equal, the difference of their logarithms may have the other sign.
        let log_ratio = Fixed::from_raw(if point.forward <= strike {
            moneyness.raw().max(0)
        } else {
            (-moneyness.raw()).max(0)
        });
        let deviation = self.curve.svi().deviation(moneyness, self.years);
        let deviation = deviation.expect("forwards and strikes bound moneyness, slices the years");
        for (value, factor) in values.iter_mut().zip(factors) {
            let scaled = deviation.raw() * i128::from(*factor) / i128::from(FACTOR_SCALE);
            let deviation = Fixed::from_raw(scaled).min(DEVIATION_LIMIT);
            let pair = option_pair(point.forward, strike, log_ratio, deviation);
            let price = pair.of(kind).times(self.discount);
            // The floor of a floor's quotient is that of the whole.
            let numerator = mul_shift(price.raw(), i128::from(multiplier));
            let numerator = numerator.expect("prices are below 2^55, multipliers below 2^32");
            *value = cell(floor_atoms(numerator));
        }
    }

    fn until(market: &'a Market, expiry_ms: u64) -> Result<Option<Self>, ArrayError> {
        let slices = slices_left(market.now_ms(), expiry_ms);
        if slices == 0 {
            return Ok(None);
        }
        if slices > SLICES_LIMIT {
            return Err(ArrayError::TooFar { expiry_ms });
        }
        let curve = market.curve(expiry_ms);
        let curve = curve.ok_or(ArrayError::NoCurve { expiry_ms })?;
        let years = Fixed::from_ratio(i128::from(slices), i128::from(SLICES_PER_YEAR))
            .expect("a year has slices");
        let discount = curve.discount(years);
        Ok(Some(Self {
            curve,
            years,
            discount,
        }))
    }
}

impl Point {
    fn new(price: i64, curve: Option<&Curve>) -> Result<Self, ArrayError> {
        let Some(curve) = curve else {
            let forward = Fixed::from(price);
            return Ok(Self {
                price,
                forward,
                log_forward: Fixed::ZERO,
            });
        };
        let forward = Fixed::from_ratio(curve.forward_numerator(price), i128::from(RATIO_SCALE))
            .filter(|forward| *forward < FORWARD_LIMIT)
            .ok_or(ArrayError::Forward { price })?;
        let log_forward = forward.ln().expect("a tenth of a unit at least");
        Ok(Self {
            price,
            forward,
            log_forward,
        })
    }
}

fn cell(atoms: i128) -> i64 {
    i64::try_from(atoms).expect("a lot at any price is worth less than 2^62 atoms")
}
