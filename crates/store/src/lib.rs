//! Crash-safe storage of a validator.
#![forbid(unsafe_code)]
pub mod disk;
pub mod wal;
