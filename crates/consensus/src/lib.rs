//! placeholder docs, replaced below
#![forbid(unsafe_code)]

mod authors;
mod checkpoint;
mod coin;
mod committer;
mod dag;
mod engine;
mod fetch;
mod intake;
mod io;
mod options;
mod rule;
mod status;
mod verify;

pub use checkpoint::Checkpoint;
pub use coin::leaders;
pub use engine::Consensus;
pub use io::{Effect, Input, Source};
#[cfg(any(test, feature = "mutants"))]
pub use options::Mutation;
pub use options::{FetchOptions, Options, Pacing};
pub use status::{Decided, Refused, Status};
pub use verify::{BlockError, VerifiedBlock, Verifier, VerifierError};
