//! placeholder docs, replaced below
#![forbid(unsafe_code)]

mod checkpoint;
mod engine;
mod io;
mod options;
mod status;
mod verify;

pub use checkpoint::Checkpoint;
pub use engine::Consensus;
pub use io::{Effect, Input, Source};
#[cfg(any(test, feature = "mutants"))]
pub use options::Mutation;
pub use options::{FetchOptions, Options, Pacing};
pub use status::{Decided, Refused, Status};
pub use verify::{BlockError, VerifiedBlock, Verifier, VerifierError};
