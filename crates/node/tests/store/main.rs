//! Whole validators on good and on bad stores: what they find again, and what they refuse and how they say so.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

mod committee;
mod damage;
mod database;
mod disk;
mod flood;
mod pruning;
mod restart;
mod startup;
mod sync;
