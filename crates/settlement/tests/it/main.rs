//! Markets from outside: every code, what each rule gives by hand, the doubt rule, real signatures, and seeds.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![allow(unused_must_use, reason = "most tests ask the market, not the receipt")]

mod codes;
mod doubt;
mod encodings;
mod expiry;
mod extremes;
mod liquidation;
mod mutants;
mod oracle;
mod seeds;
mod signatures;
mod support;
mod venue;
