//! placeholder docs, replaced below
#![forbid(unsafe_code)]

mod authors;
mod checkpoint;
mod coin;
mod committer;
mod dag;
#[cfg(any(test, feature = "test-utils"))]
pub mod dag_text;
mod engine;
mod fetch;
mod intake;
mod io;
mod options;
mod rule;
mod status;
#[cfg(any(test, feature = "test-utils"))]
pub mod test_utils;
#[cfg(test)]
mod tests;
mod verify;

pub use checkpoint::Checkpoint;
pub use coin::leaders;
pub use engine::Consensus;
pub use io::{Effect, Input, Source};
#[cfg(any(test, feature = "mutants"))]
pub use options::Mutation;
pub use options::{FetchOptions, Options, Pacing};
#[cfg(any(test, feature = "test-utils"))]
pub use status::Verdict;
pub use status::{Decided, Refused, Status};
pub use verify::{BlockError, VerifiedBlock, Verifier, VerifierError};
