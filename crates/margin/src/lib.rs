//! Prices and margin, as pure functions of integers.
//!
//! # Prices
//!
//! - [`value`], [`Transfer`] and [`fee`] turn exact amounts into changes of accounts by the one rounding rule; [`mul_shift`]
//!   and [`mul_div_floor`] multiply where 128 bits are too few.
//! - [`Fixed`] has logarithm, exponential function and root, [`normal_distribution`] is built on them, and [`black76`] on it:
//!   the same result on every machine. [`implied_deviation`] is its inverse, [`Svi`] a smile.
//! - A [`Contract`] has a [`payoff`](Contract::payoff). [`risk_arrays`] values contracts over the scenarios that a [`Grid`]
//!   spans around the price of a [`Market`]; a [`Window`] is the part of them that a rule looks at; [`mark`] values a contract
//!   at the price itself.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]
#![no_std]

extern crate alloc;

mod array;
mod black76;
mod contract;
mod fixed;
mod grid;
mod implied;
mod market;
mod normal;
mod rounding;
mod svi;
mod wide;

pub use array::{ArrayError, RiskArray, mark, risk_array, risk_arrays};
pub use black76::{
    BlackError, DEVIATION_LIMIT, FORWARD_LEAST, FORWARD_LIMIT, OptionKind, OptionPair, black76,
};
pub use contract::{
    Contract, ContractError, SLICE_MS, SLICES_LIMIT, SLICES_PER_YEAR, Terms, slices_left,
};
pub use fixed::Fixed;
pub use grid::{
    CELLS, GRID_PRICE_LEAST, Grid, GridError, NODES, REACH, STEP_RANGE, VOLATILITIES, Window,
};
pub use implied::{IMPLIED_LIMIT, IMPLIED_RESOLUTION, ImpliedError, implied_deviation};
pub use market::{Curve, FACTOR_LIMIT, FACTOR_SCALE, Market, MarketError, RATIO_SCALE};
pub use normal::normal_distribution;
pub use rounding::{
    FEE_RATE_SCALE, PRICE_LIMIT, QUANTITY_LIMIT, RangeError, SCALE, Transfer, ceil_atoms,
    check_price, check_quantity, fee, floor_atoms, value, value_numerator,
};
pub use svi::{SVI_SCALE, Svi, SviError, SviParameters};
pub use wide::{mul_div_floor, mul_shift};
