//! Prices and margin, as pure functions of integers.
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]
#![no_std]

extern crate alloc;

mod fixed;
mod normal;
mod rounding;
mod wide;

pub use fixed::Fixed;
pub use normal::normal_distribution;
pub use rounding::{
    FEE_RATE_SCALE, PRICE_LIMIT, QUANTITY_LIMIT, RangeError, SCALE, Transfer, ceil_atoms,
    check_price, check_quantity, fee, floor_atoms, value, value_numerator,
};
pub use wide::{mul_div_floor, mul_shift};
