//! How long a transaction takes on a wide-area network: whole validators, virtual time.
//!
//! Nothing goes wrong in such a world but that some validators may be down from the start. Cryptography and disks take their time,
//! and the coin is the threshold coin. What is measured is what a client of one validator sees: from handing in a transaction
//! to that validator's commit of it, and to the certificate of that commit's height.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_types::{Commit, Execution, Height, RuleParameters, Timestamp, ValidatorIndex};

use crate::failure::Cause;
use crate::mix::{FaultWeights, Mix};
use crate::options::SimOptions;
use crate::regions::one_way_micros;
use crate::runner::unwinding;
use crate::schedule::Schedule;
use crate::world::World;

/// How long messages take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Each message any time between two bounds, in milliseconds.
    Uniform {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// Validators sit in ten regions of a public cloud, one after the other; messages between two take half of the round trip
    /// that was measured there, and up to 5 ms more.
    Regions,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct LatencyOptions {
    /// n, from 4 to 128.
    pub validators: u16,
    /// How many of them, at most f, are down from the start: the last ones.
    pub crashed: u16,
    /// The commit rule.
    pub rule: RuleParameters,
    /// The network.
    pub links: Links,
    /// Transactions a second, over all validators.
    pub load: u64,
    /// Virtual seconds in which transactions are sent that count, after two that warm up.
    pub seconds: u64,
    /// What chance is drawn from.
    pub seed: u64,
}

/// Quantiles of a time, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of all took at most this.
    pub p50: u64,
    /// Nine in ten.
    pub p90: u64,
    /// Ninety-nine in a hundred.
    pub p99: u64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Transactions that count.
    pub transactions: usize,
    /// From handing in to the commit at the validator that took it.
    pub commit: Quantiles,
    /// From handing in to the certificate there.
    pub certificate: Quantiles,
    /// Mean time of a round, in microseconds.
    pub round: u64,
    /// Virtual time of all of it, in microseconds.
    pub micros: u64,
    /// Messages that were sent.
    pub messages: u64,
}

/// Time before transactions count, in microseconds.
const WARM_UP: u64 = 2_000_000;
/// How long the last transactions may take, in microseconds.
const PATIENCE: u64 = 60_000_000;
/// About a round, in microseconds.
const ROUND: u64 = 100_000;
/// More rounds than any world here has.
const FAULT_ROUNDS: u64 = 1 << 40;
/// What a sync of the log takes, in microseconds: a solid-state disk.
const SYNC: (u64, u64) = (300, 1_500);
/// What a job of cryptography takes, in microseconds: signing a block with its coin share takes less than half a millisecond, and
/// making a coin of 34 of 50 shares about one and a half.
const JOB: (u64, u64) = (200, 1_500);

/// Runs the world.
///
/// # Errors
/// [`Cause`]: a promise was broken, or transactions were not ordered in time.
///
/// # Panics
/// If the number of validators is outside 4..=128, more than f are down, nothing is sent, or the rule is not one.
pub fn measure_latency(options: &LatencyOptions) -> Result<Latency, Cause> {
    let LatencyOptions {
        validators: size, ..
    } = *options;
    assert!(
        (4..=128).contains(&size),
        "a committee has 4 to 128 members"
    );
    assert!(options.crashed <= (size - 1) / 3, "at most f may be down");
    assert!(
        options.load > 0 && options.seconds > 0,
        "something must be sent"
    );
    let world = SimOptions::new(size, options.seed..options.seed + 1);
    let run = || {
        let mut world = World::new(options.seed, &world, mix(options), (None, None));
        if options.links == Links::Regions {
            world.set_delays(one_way_micros);
        }
        let first = Timestamp(WARM_UP);
        let last = first.plus_micros(options.seconds * 1_000_000);
        world.measure(size - options.crashed, (first, last), PATIENCE)
    };
    unwinding(run).unwrap_or_else(|message| Err(Cause::Crash(message)))
}

fn mix(options: &LatencyOptions) -> Mix {
    let (delay, jitter) = match options.links {
        Links::Uniform { least, most } => (least * 1_000, (most - least) * 1_000),
        // Delays are set from the table.
        Links::Regions => (0, 5_000),
    };
    Mix {
        real_cryptography: false,
        rule: options.rule,
        execution: Execution::Opaque,
        behaviours: vec![Vec::new(); usize::from(options.validators)],
        schedule: Schedule::Free,
        delay: (delay, delay),
        jitter,
        straggle: 0,
        loss: 0,
        duplicate: 0,
        retransmit: 0,
        sync: SYNC,
        job: JOB,
        segment_bytes: 64 << 20,
        fault_interval: 0,
        faults: FaultWeights::default(),
        fault_length: 0,
        down_max: 0,
        joins: 0,
        point_interval: u64::MAX,
        load_interval: (1_000_000 / options.load).max(1),
        // Never: the world ends before.
        fault_rounds: FAULT_ROUNDS,
        fault_time: FAULT_ROUNDS * 4 * ROUND,
    }
}

/// Takes the times of transactions, each of which begins with its number.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    /// By number, less one.
    times: Vec<Option<Times>>,
    /// By validator and height, transactions of its own that wait for the certificate.
    uncertified: BTreeMap<(ValidatorIndex, Height), Vec<usize>>,
    /// How many have no certificate yet.
    waiting: usize,
}

/// When what happened to one transaction.
#[derive(Clone, Copy, Debug)]
struct Times {
    taken: Timestamp,
    committed: Option<Timestamp>,
    certified: Option<Timestamp>,
}

/// The number less one that a transaction begins with.
fn position(transaction: &[u8]) -> Option<usize> {
    let number = u64::from_le_bytes(*transaction.first_chunk()?);
    usize::try_from(number.checked_sub(1)?).ok()
}

impl Stopwatch {
    /// A validator took a transaction.
    pub(crate) fn taken(&mut self, transaction: &Bytes, now: Timestamp) {
        let Some(position) = position(transaction) else {
            return;
        };
        if self.times.len() <= position {
            self.times.resize(position + 1, None);
        }
        self.waiting += 1;
        self.times[position] = Some(Times {
            taken: now,
            committed: None,
            certified: None,
        });
    }

    /// A validator commits; its own blocks hold what it took.
    pub(crate) fn committed(&mut self, at: ValidatorIndex, commit: &Commit, now: Timestamp) {
        let own = commit.blocks.iter().filter(|block| block.author() == at);
        for position in own.flat_map(|block| block.payload().filter_map(position)) {
            if let Some(Some(times)) = self.times.get_mut(position) {
                times.committed.get_or_insert(now);
                let waiting = self.uncertified.entry((at, commit.height)).or_default();
                waiting.push(position);
            }
        }
    }

    /// A validator has the certificate of a height.
    pub(crate) fn certified(&mut self, at: ValidatorIndex, height: Height, now: Timestamp) {
        for position in self.uncertified.remove(&(at, height)).unwrap_or_default() {
            if let Some(times) = &mut self.times[position]
                && times.certified.is_none()
            {
                times.certified = Some(now);
                self.waiting -= 1;
            }
        }
    }

    /// Whether all that was taken has its certificate.
    pub(crate) const fn is_complete(&self) -> bool {
        self.waiting == 0
    }

    /// Quantiles to the commit and to the certificate, and of how many transactions, of those taken in an interval.
    pub(crate) fn quantiles(
        &self,
        (first, last): (Timestamp, Timestamp),
    ) -> Option<(Quantiles, Quantiles, usize)> {
        let counted = self.times.iter().flatten();
        let counted = counted.filter(|times| times.taken >= first && times.taken < last);
        let (mut commits, mut certificates) = (Vec::new(), Vec::new());
        for times in counted {
            commits.push(times.committed?.micros_since(times.taken));
            certificates.push(times.certified?.micros_since(times.taken));
        }
        let count = commits.len();
        Some((
            Quantiles::of(&mut commits)?,
            Quantiles::of(&mut certificates)?,
            count,
        ))
    }
}

impl Quantiles {
    fn of(times: &mut [u64]) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let quantile = |hundredths: usize| times[last * hundredths / 100];
        Some(Self {
            p50: quantile(50),
            p90: quantile(90),
            p99: quantile(99),
        })
    }
}
