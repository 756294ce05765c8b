//! Tests of the light client from outside the crate.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![allow(clippy::disallowed_methods, reason = "tests read vectors and records")]

mod bundle;
mod certificate;
mod chain;
mod committee;
mod example;
mod known_answers;
mod proofs;
