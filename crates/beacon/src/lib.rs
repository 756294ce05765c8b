//! The beacon: who sits in which shard, under which key, and how likely it is that a committee fails.
//!
//! - **Risk.** [`Draw`] is a committee drawn at random from a [`Population`] with Byzantine members; its [`Risk`]s of
//!   each [`Harm`] are exact quotients of integers. [`Plan`] makes an operator's table and [`Advice`] of them.
//! - **Assignment.** [`Assignment`] puts a frozen [`Registry`] of validators into shards from a seed of 32 bytes, and
//!   from one epoch to the next exchanges few members of each shard, so that most of a committee stays.
//! - **The engine.** [`Beacon`] is a state machine over the beacon committee's ordered log: it keeps the registry, counts
//!   epochs, draws committees, records their keys, anchors shards' certificates, ejects the convicted and gives stalled
//!   shards a new committee. See [`engine`].
//! - **The hand-over.** [`StopRule`] says at which height a shard's term ends, from what its committee ordered. See
//!   [`handover`].
//!
//! # Model
//!
//! N validators, K = floor(beta N) of them Byzantine, and the adversary chooses which *before* the seed is known: the
//! registry is frozen first, and the seed, a threshold signature of the beacon, is released after. Then a committee of
//! n is a sample without replacement and its Byzantine members follow the hypergeometric law, in the first epoch as
//! after any number of bounded swaps (see [`Assignment::next`]). An adversary that corrupts whom it likes once the
//! committees are known is outside this model: against it only committees of everybody help.
//!
//! With f = floor((n-1)/3) and a quorum q, n-f <= q <= n, two conflicting certificates take 2q-n Byzantine members
//! and a stall takes n-q+1 silent ones.
//!
//! # What it does not do
//!
//! Nothing here is wired into a validator: no driver orders [`Operation`]s, signs what [`Effect`]s ask for, or carries
//! messages between shards. What shards tell each other about freezes and retirements goes over channels that another
//! crate keeps; [`FreezeAck`] comes out of them. The beacon's own committee is outside: its members, and the resharing
//! that keeps its key, are not in the registry or in epoch records. Operators are fixed at genesis. Two shards that are
//! frozen at once wait for each other's acknowledgement. A validator that left cannot be ejected until it is back.
//! Expiry and fees of operations are not there: whoever orders them bounds them.
//!
//! The largest committee that can run is a limit of `quorate-types`
//! ([`COMMITTEE_MAX`](quorate_types::limits::COMMITTEE_MAX)) and of key generation; risks are given beyond it too.
//!
//! ```
//! use quorate_beacon::{ByzantineShare, Draw, Harm, Population, QuorumRule};
//!
//! // A thousand validators, a fifth of them Byzantine, and one committee of a hundred.
//! let population = Population::new(1000, ByzantineShare::from_ppm(200_000)?)?;
//! let draw = Draw::new(population, 100)?;
//! let quorum = QuorumRule::SEVEN_TENTHS.quorum(100)?;
//! assert_eq!(draw.risk(Harm::Fork { quorum })?.to_string(), "9e-7");
//! assert_eq!(draw.risk(Harm::Stall { quorum })?.to_string(), "4e-3");
//! # Ok::<(), quorate_beacon::RiskError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::as_conversions)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod advice;
mod assignment;
pub mod engine;
mod error;
mod exact;
pub mod handover;
mod plan;
mod quorum;
mod registry;
mod risk;
#[cfg(test)]
mod tests;

pub use advice::Advice;
pub use assignment::{Assignment, Placement, Reassignment, ShardChange, score};
#[cfg(feature = "crypto")]
pub use engine::CryptoVerifier;
pub use engine::{
    Applied, Beacon, BeaconError, BeaconGenesis, BeaconGenesisError, Departure, Effect,
    FirstValidator, FreezeAck, KeyProposal, MemberReady, Operation, Parameters, ParametersError,
    Phase, Registration, Report, Seat, Verifier,
};
pub use error::{AssignmentError, RiskError};
pub use exact::{Decimal, Risk};
pub use handover::{HandoverError, Stop, StopRule};
pub use plan::{Figure, Layout, Plan, PlanInput, QuorumRow};
pub use quorum::{Harm, QuorumRule, faults};
pub use registry::Registry;
pub use risk::{ByzantineShare, Draw, Population, byzantine_max, overlapping_risk, partition_risk};

/// Most validators in a population or registry: ten times the largest network the design is made for, and the exact
/// law of a committee of half of them still takes well under a second.
pub const VALIDATORS_MAX: u32 = 10_000;

/// Most shards.
pub const SHARDS_MAX: u32 = quorate_types::limits::SHARDS_MAX;
