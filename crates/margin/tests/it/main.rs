//! Tests of the crate from outside.
#![allow(clippy::unwrap_used)]

mod escrow;
mod known_answers;
mod properties;
mod samples;
mod theorem;
