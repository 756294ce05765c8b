//! One validator of one shard, without its sockets, disks and threads.
//!
//! [`Validator`] composes agreement (`quorate-consensus`), the collection of finality shares into certificates
//! ([`finality`](crate::FinalityStatus)) and the rules of durability into a single state machine:
//! `step(now, Input, &mut effects)`. The node drives it with real sockets and disks, the simulator with seeded ones; both
//! run exactly this code.
//!
//! What it guarantees its driver in return for carrying out every [`Effect`] in order:
//! * nothing that binds the validator (own block, vote) leaves in an effect that is not gated by the [`Effect::Persist`] of
//!   the [`Record`] that binds it;
//! * after a crash, [`Validator::recover`] with the surviving prefix of the log and the last checkpoint gives a validator
//!   that never contradicts what had left before;
//! * no block is proposed that may repeat one of before a restart, not even if the disk was lost (see [`Greeting`]);
//! * certificates come out in order of height, without gaps.
//!
//! What it does not do: execute commits ([`Effect::Execute`] hands them to the ledger), touch secret keys
//! ([`Effect::Compute`] hands [`Job`]s to a [`Cryptography`]), admit transactions ([`Pool`] holds them for the driver).
//!
//! Model: n validators, at most f = floor((n-1)/3) Byzantine, an asynchronous network; see CONSENSUS in the design
//! documents and `docs/ARCHITECTURE.md`.
#![forbid(unsafe_code)]

mod carried;
mod cryptography;
mod finality;
mod guard;
mod job;
mod pool;
mod record;
mod validator;

pub use carried::Carried;
pub use cryptography::{BlsCryptography, Cryptography, KeyError, ProposalError};
pub use finality::{FINALITY_WINDOW, FinalityStatus};
pub use guard::Greeting;
pub use job::{Candidate, CandidateVerdict, CoinVerdict, Job, Proof};
pub use pool::{Pool, PoolFull, PoolLimits, Taken};
pub use record::{Logged, LoggedError, Record};
pub use validator::{CHECKPOINT_HEIGHTS, Effect, Input, Resume, Validator};
