//! Tests of the ledger from outside the crate.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod admission;
mod chunk;
mod ledger;
mod model;
mod rules;
mod support;
mod tree;
