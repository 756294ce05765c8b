//! The wire API: generated code of `proto/`.
//!
//! What is signed or hashed never depends on protobuf: messages carry canonical encodings of [`quorate_types`], and
//! decoded fields beside them for people and scripts. Generated types stop at this crate and `quorate-node`.
#![forbid(unsafe_code)]

mod generated;

pub use generated::quorate::{admin, common, ledger, peer, submit, types};

pub use common::v1::ErrorReason;

/// The encoded `FileDescriptorSet` of all of `proto/`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
