//! Tests of the canonical encodings from outside the crate.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod canonical;
mod conformance;
mod documents;
mod generate;
mod limits;
mod rules;
mod state;
