//! The wire API: generated code of `proto/`, conversions to and from domain types, and errors.
//!
//! What is signed or hashed never depends on protobuf: messages carry canonical encodings of [`quorate_types`], and
//! decoded fields beside them for people and scripts. Converting a message into a domain type reads the canonical bytes
//! alone. Generated types stop at this crate and `quorate-node`.
//!
//! Every error is a [`Fault`]: a gRPC code, a [`common::v1::ErrorReason`] and typed details, which becomes a
//! `google.rpc.Status` at the edge.
//!
//! ```
//! use quorate_rpc::{ErrorReason, Fault, reason_of};
//! let status = tonic::Status::from(Fault::shutting_down());
//! assert_eq!(status.code(), tonic::Code::Unavailable);
//! assert_eq!(reason_of(&status), Some(ErrorReason::ShuttingDown));
//! ```
#![forbid(unsafe_code)]

mod convert;
mod fault;
mod generated;

pub use convert::{ConvertError, fixed_bytes, reject_code_of};
pub use fault::{DOMAIN, Fault, metadata_of, reason_of, retry_after_of};
pub use generated::quorate::{admin, common, ledger, peer, submit, types};

pub use common::v1::ErrorReason;

/// The encoded `FileDescriptorSet` of all of `proto/`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
