//! The listeners over loopback, with validators made of memory behind them.

mod admin;
mod chain;
mod finality;
mod peer_fake;
mod peers;
mod public;
mod tls;
