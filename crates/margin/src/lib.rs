//! Prices and margin, as pure functions of integers.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]
#![no_std]

extern crate alloc;

mod black76;
mod fixed;
mod grid;
mod implied;
mod normal;
mod rounding;
mod svi;
mod wide;

pub use black76::{
    BlackError, DEVIATION_LIMIT, FORWARD_LEAST, FORWARD_LIMIT, OptionKind, OptionPair, black76,
};
pub use fixed::Fixed;
pub use grid::{
    CELLS, GRID_PRICE_LEAST, Grid, GridError, NODES, REACH, STEP_RANGE, VOLATILITIES, Window,
};
pub use implied::{IMPLIED_LIMIT, IMPLIED_RESOLUTION, ImpliedError, implied_deviation};
pub use normal::normal_distribution;
pub use rounding::{
    FEE_RATE_SCALE, PRICE_LIMIT, QUANTITY_LIMIT, RangeError, SCALE, Transfer, ceil_atoms,
    check_price, check_quantity, fee, floor_atoms, value, value_numerator,
};
pub use svi::{SVI_SCALE, Svi, SviError, SviParameters};
pub use wide::{mul_div_floor, mul_shift};
