//! One validator as a process: its configuration, its key custody, its threads, its sockets and its disk. And one member
//! of a key ceremony as a process, with the same.
#![forbid(unsafe_code)]

pub mod api;
pub mod ceremony;
pub mod ceremony_file;
pub mod config;
pub mod files;
pub mod genesis_file;
mod json_text;
pub mod keystore;
pub mod metrics;
pub mod net;
mod runtime;
pub mod started;

pub use runtime::database;
pub use runtime::{Addresses, Node, NodeError, StartOptions};
