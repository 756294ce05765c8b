//! Tests of the crate as a whole.

mod cluster;
mod dags;
mod differential;
mod engine;
mod model;
mod verifying;
