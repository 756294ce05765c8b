//! Key ceremonies between processes, as docs/ceremonies.md says: done by commands, spoiled by everything that happens to
//! processes, files and networks.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod faults;
mod key;
mod proxy;
mod refused;
mod reshare;
mod steps;
