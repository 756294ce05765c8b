//! Tests of the canonical encodings from outside the crate.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![allow(clippy::disallowed_methods, reason = "tests read vectors and records")]

mod canonical;
mod conformance;
mod documents;
mod epochs;
mod generate;
mod limits;
mod rules;
mod state;
