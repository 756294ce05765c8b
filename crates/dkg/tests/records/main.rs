//! Tests of what a ceremony signs, keeps and hands out.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![allow(clippy::disallowed_methods, reason = "tests read records")]

mod canonical;
mod conformance;
mod definition;
mod evidence;
mod generate;
mod reshare;
mod transcript;
mod world;
