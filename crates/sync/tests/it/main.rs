//! Tests of state sync from outside the crate.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod downloads;
mod offers;
mod points;
mod support;
