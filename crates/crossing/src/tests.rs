//! Tests that look inside: rules one by one, a model of everything that can happen to three shards, and random traffic.

#![allow(clippy::as_conversions, reason = "counts of tests are small")]

mod atomic;
mod bench;
mod channels;
mod codecs;
mod model;
mod money;
mod recovery;
mod traffic;
