//! One validator as a process: its configuration, its key custody, its threads, its sockets and its disk.
#![forbid(unsafe_code)]

pub mod api;
pub mod config;
pub mod files;
pub mod genesis_file;
pub mod keystore;
pub mod metrics;
pub mod net;
mod runtime;

pub use runtime::{Addresses, Node, NodeError};
