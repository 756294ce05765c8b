//! Deterministic worlds of whole validators, each from one seed.
//!
//! A world runs n [`Validator`](quorate_validator::Validator)s, the very state machines that the node runs, with their
//! ledgers and logs, on one virtual clock: events happen in order of time, and of being added for one instant. Around them it
//! simulates
//! - a network of reliable streams over bad links: delays by link, jitter, stragglers, overtaking, duplicates, loss with
//!   sending again, partitions, one-way cuts and slow links, all of which heal;
//! - disks ([`MemoryDisk`](quorate_store::disk::MemoryDisk)) with group commit and slow syncs that fill up, are lost and come back
//!   with damaged or stale logs, and tables that change by whole transactions;
//! - crashes of the process or of the power, at any event and between any two effects, of one validator, of several or of all,
//!   with torn and lost writes, and restarts that read what is left;
//! - cryptography that takes its time and is answered out of order: one seed in twenty runs the real one, the others
//!   [`KeyedHashCryptography`];
//! - clients that send signed transfers, good and bad, or opaque bytes;
//! - liars, never more than f, each with its own ways to lie ([`Behaviour`]). What they send passes through the checks of the
//!   node; what fails them is refused and counted, and nothing that an honest validator sends ever is;
//! - a scheduler that looks at the messages and at the round, and delays what matters most ([`Schedule`]).
//!
//! Each seed draws its own mix of all that. While things go wrong, safety is checked at every event ([`Violation`] lists the
//! promises). Then everything heals and all honest validators must certify new heights within a bounded number of rounds, and
//! order every transaction they had taken and not lost ([`Stall`]).
//!
//! What it does not simulate: sockets, threads, protobuf, damaged tables, state sync, slow clients.
//!
//! ```
//! use quorate_sim::{SimOptions, run_seed};
//!
//! let report = run_seed(&SimOptions::new(4, 1..2), 1).expect("seed 1 keeps all promises");
//! assert!(report.certificates > 0);
//! ```
#![forbid(unsafe_code)]

mod behaviour;
pub mod ceremony;
mod checker;
mod clients;
mod convictions;
mod cryptography;
mod dice;
mod event;
mod failure;
mod hub;
mod joining;
mod latency;
mod liar;
mod mix;
mod network;
mod options;
mod process;
mod recording;
mod regions;
mod remembered;
mod report;
mod runner;
mod schedule;
mod setup;
mod tables;
mod trace;
mod world;

pub use behaviour::Behaviour;
pub use convictions::Lie;
pub use cryptography::{HashKeys, KeyedHashCryptography};
pub use failure::{Cause, Failure, Refusal, RestartError, Stall, Violation, Waiting};
pub use latency::{Latency, LatencyOptions, Links, Quantiles, measure_latency};
#[cfg(feature = "mutants")]
pub use options::DriverFault;
pub use options::{Scenario, SimOptions};
#[cfg(feature = "mutants")]
pub use quorate_consensus::Mutation;
pub use recording::{
    RecordedBlock, RecordedCertificate, RecordedCommit, RecordedLeaders, Recording,
};
pub use report::{Report, Summary};
pub use runner::{record_seed, run_seed, run_seeds};
pub use schedule::Schedule;
pub use trace::Moment;
