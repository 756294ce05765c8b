//! Tests of the light client from outside the crate.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod certificate;
mod chain;
mod committee;
mod example;
mod known_answers;
mod proofs;
