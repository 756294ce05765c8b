//! What befalls the validators and the links between them: one fault after the other, and several at one time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::signal::Signal;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

use super::links::{Link, State};
use crate::devnet::{Committee, Network, Notes};
use crate::failure::Failure;

/// How long a fault lasts, in milliseconds.
const LENGTH_MS: std::ops::Range<u64> = 300..6_000;
/// How late a slow link makes a piece of data, in milliseconds.
const SLOW_MS: std::ops::Range<u64> = 20..300;
/// Of a hundred faults to a validator that would leave too few for a quorum, how many happen all the same.
const BEYOND_F_PERCENT: u64 = 20;

/// Links by the calling validator and the called one.
pub(super) type Links = BTreeMap<(usize, usize), Link>;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    KillAll,
    Stop,
    Partition,
    Isolate,
    Slow,
    Freeze,
    Cut,
}

impl Fault {
    /// The kinds, the more frequent ones several times.
    const ALL: [Self; 11] = [
        Self::Kill,
        Self::Kill,
        Self::KillAll,
        Self::Stop,
        Self::Stop,
        Self::Partition,
        Self::Isolate,
        Self::Slow,
        Self::Slow,
        Self::Freeze,
        Self::Cut,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed (SIGKILL)",
            Self::KillAll => "all killed at once",
            Self::Stop => "frozen (SIGSTOP)",
            Self::Partition => "partitions",
            Self::Isolate => "isolated",
            Self::Slow => "slow links",
            Self::Freeze => "links that carry nothing",
            Self::Cut => "links cut",
        }
    }
}

/// What ends a fault.
enum Mend {
    Restart(usize),
    Continue(usize),
    Links(Vec<(usize, usize)>),
}

/// Does faults to a committee until it is told to heal.
pub(super) struct Storm<'a> {
    network: &'a Network,
    links: &'a Links,
    dice: ChaCha20Rng,
    interval_ms: u64,
    mends: Vec<(Instant, Mend)>,
    /// Validators that are killed or stopped now.
    away: BTreeSet<usize>,
    counts: BTreeMap<Fault, u64>,
}

impl<'a> Storm<'a> {
    /// Faults are drawn from `seed`, one every `interval` on average.
    pub(super) fn new(
        network: &'a Network,
        links: &'a Links,
        seed: u64,
        interval: Duration,
    ) -> Self {
        Self {
            network,
            links,
            dice: ChaCha20Rng::seed_from_u64(seed),
            interval_ms: u64::try_from(interval.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            mends: Vec::new(),
            away: BTreeSet::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Faults until `end`; then everything is mended.
    pub(super) async fn rage(
        &mut self,
        committee: &mut Committee,
        end: Instant,
        notes: &Notes,
    ) -> Result<(), Failure> {
        let mut next = Instant::now() + self.pause();
        while Instant::now() < end {
            let mend = self.mends.iter().map(|(at, _)| *at).min();
            let wake = mend.map_or(next, |mend| mend.min(next)).min(end);
            tokio::time::sleep_until(wake).await;
            self.mend_due(committee, Instant::now())?;
            self.require_rest(committee)?;
            if Instant::now() >= next {
                if let Some(story) = self.strike(committee).await? {
                    notes.keep(&story);
                }
                next = Instant::now() + self.pause();
            }
        }
        self.heal(committee)
    }

    /// Ends all faults.
    fn heal(&mut self, committee: &mut Committee) -> Result<(), Failure> {
        for (_, mend) in std::mem::take(&mut self.mends) {
            self.mend(committee, mend)?;
        }
        Ok(())
    }

    /// How often what happened.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.counts.iter();
        counts
            .map(|(fault, count)| (fault.name(), *count))
            .collect()
    }

    fn draw(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.dice.next_u64() % (range.end - range.start)
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.draw(0..2 * self.interval_ms))
    }

    fn any(&mut self) -> usize {
        let size = self.network.validators.len() as u64;
        usize::try_from(self.draw(0..size)).expect("below the committee's size")
    }

    /// Fails if a validator has ended that nobody killed.
    fn require_rest(&self, committee: &mut Committee) -> Result<(), Failure> {
        for position in 0..self.network.validators.len() {
            if !self.away.contains(&position) {
                committee.require_running(position)?;
            }
        }
        Ok(())
    }

    /// Does one fault and tells it. `None`: it would have left too few validators.
    async fn strike(&mut self, committee: &mut Committee) -> Result<Option<String>, Failure> {
        let kinds = Fault::ALL.len() as u64;
        let kind = usize::try_from(self.draw(0..kinds)).expect("below their number");
        let fault = Fault::ALL[kind];
        let length = Duration::from_millis(self.draw(LENGTH_MS));
        let end = Instant::now() + length;
        let whom = match fault {
            Fault::Kill | Fault::Stop => {
                let victim = self.any();
                let tolerated = (self.network.validators.len() - 1) / 3;
                let beyond = self.away.len() >= tolerated;
                if self.away.contains(&victim) || beyond && self.draw(0..100) >= BEYOND_F_PERCENT {
                    return Ok(None);
                }
                self.take_away(committee, victim, fault, end).await?;
                format!("validator {victim}")
            }
            Fault::KillAll => {
                let present =
                    (0..self.network.validators.len()).filter(|at| !self.away.contains(at));
                for victim in present.collect::<Vec<_>>() {
                    self.take_away(committee, victim, fault, end).await?;
                }
                "everybody".into()
            }
            Fault::Partition | Fault::Isolate | Fault::Slow | Fault::Freeze | Fault::Cut => {
                self.break_links(fault, end)
            }
        };
        *self.counts.entry(fault).or_insert(0) += 1;
        Ok(Some(format!(
            "{}: {whom}, for {:.1} s",
            fault.name(),
            length.as_secs_f64()
        )))
    }

    async fn take_away(
        &mut self,
        committee: &mut Committee,
        victim: usize,
        fault: Fault,
        end: Instant,
    ) -> Result<(), Failure> {
        let mend = if fault == Fault::Stop {
            committee.signal(victim, Signal::SIGSTOP)?;
            Mend::Continue(victim)
        } else {
            committee.kill(victim).await?;
            Mend::Restart(victim)
        };
        self.away.insert(victim);
        self.mends.push((end, mend));
        Ok(())
    }

    /// Puts links into a bad state; says which.
    fn break_links(&mut self, fault: Fault, end: Instant) -> String {
        let victim = self.any();
        let mask = self.dice.next_u64();
        let one = self.any();
        let others = self.network.validators.len() as u64 - 1;
        let step = usize::try_from(1 + self.draw(0..others)).expect("below the committee's size");
        let other = (one + step) % self.network.validators.len();
        // Neither side of a partition is empty.
        let sides = (self.dice.next_u64() | 1 << one) & !(1 << other);
        let side = |at: usize| sides >> at & 1;
        let chosen = |from: usize, to: usize| match fault {
            Fault::Partition => side(from) != side(to),
            Fault::Isolate => from == victim || to == victim,
            // A slow spell is a slow validator's, half of the time.
            Fault::Slow if mask & 1 == 0 => from == victim || to == victim,
            _ => (from, to) == (one, other) || (to, from) == (one, other) && mask & 2 == 0,
        };
        let links: Vec<(usize, usize)> = self
            .links
            .keys()
            .copied()
            .filter(|(from, to)| chosen(*from, *to))
            .collect();
        let state = match fault {
            Fault::Slow => State::Slow(Duration::from_millis(self.draw(SLOW_MS))),
            Fault::Freeze => State::Frozen,
            Fault::Partition | Fault::Isolate if mask & 4 == 0 => State::Frozen,
            _ => State::Cut,
        };
        for link in &links {
            self.links[link].set(state);
        }
        let names: Vec<String> = links
            .iter()
            .map(|(from, to)| format!("{from}>{to}"))
            .collect();
        self.mends.push((end, Mend::Links(links)));
        names.join(" ")
    }

    fn mend_due(&mut self, committee: &mut Committee, now: Instant) -> Result<(), Failure> {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.mends)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.mends = later;
        for (_, mend) in due {
            self.mend(committee, mend)?;
        }
        Ok(())
    }

    fn mend(&mut self, committee: &mut Committee, mend: Mend) -> Result<(), Failure> {
        match mend {
            Mend::Restart(position) => {
                committee.restart(position, &self.network.validators[position])?;
                self.away.remove(&position);
            }
            Mend::Continue(position) => {
                committee.signal(position, Signal::SIGCONT)?;
                self.away.remove(&position);
            }
            Mend::Links(links) => {
                for link in links {
                    // Another fault may have the link in its grip; it ends with the first of the two.
                    self.links[&link].set(State::Good);
                }
            }
        }
        Ok(())
    }
}
