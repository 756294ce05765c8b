//! Whole committees of processes: they agree under load, survive kill -9, and stop when asked to.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bank;
mod committee;
mod db;
mod devnet;
mod feeder;
mod kill;
mod start;
