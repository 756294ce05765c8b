//! The listeners over loopback, with validators made of memory behind them.
#![allow(
    clippy::unwrap_used,
    reason = "a test's helper fails by panicking, as the test does"
)]

mod admin;
mod chain;
mod finality;
mod flood;
mod peer_fake;
mod peers;
mod public;
mod tls;
