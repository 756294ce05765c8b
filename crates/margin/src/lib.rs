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
//!
//! # Margin over every order
//!
//! [`ScenarioTable`] holds what each instrument is worth in each scenario, [`Portfolio`] what an account holds, [`Lane`]s
//! of [`Change`]s what may still happen to it. [`surplus`] is margin now, [`robust`] and [`upper`] bound it over every
//! order and subset of what is pending, [`verdict()`] draws the conclusion and [`explain`] says why. [`Escrow`] keeps the
//! same figures up to date operation by operation. Cash is `i128` quote atoms, quantities are `i64` lots.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]
#![no_std]

extern crate alloc;

mod array;
mod black76;
mod contract;
mod escrow;
mod explain;
mod few;
mod fixed;
mod grid;
mod implied;
mod lane;
mod liquidation;
mod market;
mod normal;
mod portfolio;
mod robust;
mod rounding;
mod sums;
mod svi;
mod table;
mod total;
mod verdict;
mod wide;

pub use array::{ArrayError, RiskArray, mark, risk_array, risk_arrays};
pub use black76::{
    BlackError, DEVIATION_LIMIT, FORWARD_LEAST, FORWARD_LIMIT, OptionKind, OptionPair, black76,
};
pub use contract::{
    Contract, ContractError, SLICE_MS, SLICES_LIMIT, SLICES_PER_YEAR, Terms, slices_left,
};
pub use escrow::{BUDGETS_MAX, BudgetId, Escrow, EscrowError, LaneId};
pub use explain::{
    Explanation, FeedExplanation, OperationExplanation, OperationValue, PositionValue, explain,
};
pub use fixed::Fixed;
pub use grid::{
    CELLS, GRID_PRICE_LEAST, Grid, GridError, NODES, REACH, STEP_RANGE, VOLATILITIES, Window,
};
pub use implied::{IMPLIED_LIMIT, IMPLIED_RESOLUTION, ImpliedError, implied_deviation};
pub use liquidation::{LiquidationError, MarkedPosition};
pub use market::{Curve, FACTOR_LIMIT, FACTOR_SCALE, Market, MarketError, RATIO_SCALE};
pub use normal::normal_distribution;
pub use portfolio::{
    CASH_LIMIT, Change, LEGS_MAX, MarginError, PENDING_MAX, POSITIONS_MAX, Portfolio, surplus,
};
pub use robust::{Lane, robust, upper};
pub use rounding::{
    FEE_RATE_SCALE, PRICE_LIMIT, QUANTITY_LIMIT, RangeError, SCALE, Transfer, ceil_atoms,
    check_price, check_quantity, fee, floor_atoms, value, value_numerator,
};
pub use svi::{SVI_SCALE, Svi, SviError, SviParameters};
pub use table::{ADD_ON_LIMIT, AddOn, CELL_LIMIT, Row, SCENARIOS_MAX, ScenarioTable, TableError};
pub use verdict::{Verdict, is_risk_reducing, verdict};
pub use wide::{mul_div_floor, mul_shift};
