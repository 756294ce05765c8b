//! Whole key generations: engines over a network that delivers in any order, with and without real cryptography.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![allow(
    clippy::disallowed_methods,
    reason = "a failing seed is replayed from the environment"
)]

mod ceremonies;
mod key_holders;
mod liars;
mod log;
mod refusals;
mod restarts;
mod work;
mod world;
