//! Agreement on an order of blocks: an uncertified DAG, a threshold coin, and the commit rule of Mahi-Mahi.
//!
//! [`Consensus`] is a state machine without I/O: [`Consensus::step`] takes an [`Input`] and the time and appends
//! [`Effect`]s. It keeps the blocks whose ancestors it has, asks peers for those it lacks, says when to make a block
//! and on which parents, which coin shares to combine, and puts out [`Effect::Commit`]s: the same sequence at every
//! honest validator. Blocks come in through a [`Verifier`]; same inputs give same effects.
//!
//! It does not sign, hash payloads, combine shares, read a clock, store or send anything; it executes nothing.
//!
//! Model: n >= 4 validators of which at most f = floor((n-1)/3) are Byzantine, quorum q = n - f (or more); messages
//! take as long as they like. Safety and liveness read no clock: time paces proposals within a bound and spaces out
//! retries.
//!
//! # The rule, and where it differs from the paper
//!
//! The protocol is that of Jovanovic et al., "Mahi-Mahi" (arXiv 2410.08670), for waves of w = 4 or 5 rounds with l
//! leader slots a round.
//!
//! - The coin of round R is a threshold signature under q shares, which the blocks of R carry. It names the slots of
//!   round R-w+1 ([`leaders`]), and nothing about a slot is decided before.
//! - A slot is skipped directly when a quorum of authors at its vote round supports *no* block of the slot. Judging
//!   each twin alone would skip a slot that others commit.
//! - A slot that is not decided directly goes by its anchor, the first slot not skipped at least w rounds above it: that
//!   far up, every block has a certificate of a directly committed leader among its ancestors.
//! - What a commit outputs ends G rounds below its leader. That is part of the rule, so that everybody leaves out the
//!   same; below that, blocks are forgotten, and references to them count as held.
//!
//! # Blocks on their way in
//!
//! A block waits in a bounded buffer until its parents are there; when it is full the highest rounds go first, and no
//! author can fill another's part. Of a slot the first block is taken as it comes. A second one makes evidence, and is
//! taken only if a valid block references it; there is no lower bound on how many such twins are taken, because a
//! validator that refuses what a peer's valid block references cuts itself off. Each is paid for with a block of a
//! later round, and garbage collection removes them.
//!
//! # An example
//!
//! ```
//! # #[cfg(feature = "test-utils")] {
//! use quorate_consensus::dag_text::Scenario;
//!
//! // Everybody votes for A's block at round 1, and certifies it; the coin names A.
//! let scenario = Scenario::parse("wave 4\nvalidators 4\nfull 1..4\nleaders 1 A\ncommit A1 direct")?;
//! let commits = scenario.run()?;
//! assert_eq!(commits.len(), 1);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
