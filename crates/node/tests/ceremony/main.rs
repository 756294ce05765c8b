//! Whole members of key ceremonies, over real sockets and disks.
#![allow(clippy::unwrap_used, reason = "tests")]

mod admin;
mod complete;
mod liar;
mod lost;
mod peers;
mod restart;
mod world;
