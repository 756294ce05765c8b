//! The files an operator handles: good ones come back as they were, bad ones are refused with the reason.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ceremony;
mod config;
mod genesis;
mod keystore;
