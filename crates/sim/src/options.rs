//! What to simulate.

use std::ops::Range;

#[cfg(feature = "mutants")]
use quorate_consensus::Mutation;

use crate::behaviour::Behaviour;
use crate::schedule::Schedule;

/// A deliberate mistake in what surrounds the commit rule of every validator: its driver, its log, its cryptography. Tests
/// must notice each of them; `docs/invariants.md` says which invariant each breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "mutants"),
    expect(
        unreachable_pub,
        reason = "exported with the feature that makes mistakes"
    )
)]
pub enum DriverFault {
    /// Blocks and shares leave before the records that bind them are durable.
    SendBeforeDurable,
    /// A restart reads nothing of the log, and does not ask the others.
    ForgetLog,
    /// A validator does not ask the others what they hold from it, not even after its disk was lost.
    NoGuard,
    /// Nobody is greeted after a restart, so that nobody streams again what it missed.
    NoGreeting,
    /// The payload of own blocks that will never be output is not proposed again.
    DropReclaimed,
    /// A torn tail of the log is not cut: appending goes on behind it.
    #[cfg(feature = "mutants")]
    KeepTornTail,
    /// A crash may leave a checkpoint without the state that belongs to it.
    HalfCheckpoint,
    /// Shares of a coin are combined, and nobody looks whether the coin verifies. Liars' shares are bad.
    CoinUnverified,
    /// Shares of a header are combined, and nobody looks whether the certificate verifies. Liars' shares are bad.
    CertificateUnverified,
    /// Chunks of a state sync are taken as they come.
    #[cfg(feature = "mutants")]
    ChunksUnverified,
    /// Blocks need no quorum of parents at the round before. Half of a liar's blocks have its own previous block only.
    ParentsUnchecked,
}

/// What one call simulates.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// n, from 4 to 128.
    pub validators: u16,
    /// The seeds, in order.
    pub seeds: Range<u64>,
    /// Run every seed twice and compare the hashes of the traces.
    pub check_determinism: bool,
    /// How many seeds run at one time. Worlds share nothing, so it changes no outcome.
    pub threads: usize,
    /// What the world does to its validators.
    pub scenario: Scenario,
    /// Validators, by index, that do not follow the protocol, at most f of them. None: the seed draws them.
    pub behaviours: Option<Vec<Behaviour>>,
    /// After how many rounds the faults end, at the latest. None: the seed draws it.
    pub fault_rounds: Option<u64>,
    /// What the scheduler is after. None: the seed draws it.
    pub schedule: Option<Schedule>,
    /// A deliberate mistake around every validator's commit rule.
    #[cfg(feature = "mutants")]
    pub driver_fault: Option<DriverFault>,
    /// A deliberate mistake in every validator's commit rule.
    #[cfg(feature = "mutants")]
    pub mutation: Option<Mutation>,
}

/// What kind of world it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Each seed draws its own mix of everything.
    #[default]
    Swarm,
    /// Nothing goes wrong: to measure and to compare with.
    Calm,
    /// All validators at once lose power, again and again.
    CrashAll,
    /// Every network fault at once, and no crashes.
    LossyPartitions,
    /// Links are fast, disks are slow and validators crash often, many of them between two effects.
    CrashOften,
    /// Validators lose their disks and come back with an old copy, or with nothing.
    LostDisks,
    /// Disks fill up for a while, and logs come back damaged.
    LyingDisks,
    /// Validators are away for long, or lose their disks, and join by state sync.
    StateSync,
}

impl Scenario {
    /// What the command line calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Calm => "calm",
            Self::CrashAll => "crash-all",
            Self::LossyPartitions => "lossy-partitions",
            Self::CrashOften => "crash-often",
            Self::LostDisks => "lost-disks",
            Self::LyingDisks => "lying-disks",
            Self::StateSync => "state-sync",
        }
    }
}

impl SimOptions {
    /// Runs of the whole swarm over some seeds.
    #[must_use]
    pub const fn new(validators: u16, seeds: Range<u64>) -> Self {
        Self {
            validators,
            seeds,
            check_determinism: false,
            threads: 1,
            scenario: Scenario::Swarm,
            behaviours: None,
            fault_rounds: None,
            schedule: None,
            #[cfg(feature = "mutants")]
            driver_fault: None,
            #[cfg(feature = "mutants")]
            mutation: None,
        }
    }
}
