//! Prices and margin, as pure functions of integers.
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

mod escrow;
mod explain;
mod few;
mod lane;
mod liquidation;
mod portfolio;
mod robust;
mod sums;
mod table;
mod total;
mod verdict;

pub use escrow::{BUDGETS_MAX, BudgetId, Escrow, EscrowError, LaneId};
pub use explain::{
    Explanation, FeedExplanation, OperationExplanation, OperationValue, PositionValue, explain,
};
pub use liquidation::{LiquidationError, MarkedPosition};
pub use portfolio::{
    CASH_LIMIT, Change, LEGS_MAX, MarginError, PENDING_MAX, POSITIONS_MAX, Portfolio,
    QUANTITY_LIMIT, surplus,
};
pub use robust::{Lane, robust, upper};
pub use table::{ADD_ON_LIMIT, AddOn, CELL_LIMIT, Row, SCENARIOS_MAX, ScenarioTable, TableError};
pub use verdict::{Verdict, is_risk_reducing, verdict};
