//! Looks for the highest load that is still committed in full.

use std::time::Duration;

use serde::Serialize;

use super::measure::{Gauge, Measured};
use crate::devnet::Committee;
use crate::failure::Failure;
use crate::load::Load;
use crate::output::grouped;

/// Where the search starts, in transactions a second.
const FIRST: u64 = 2_000;
/// Where it ends at the latest.
const LAST: u64 = 4_000_000;
/// A probe is good if at least this part of what was offered is committed.
const COMMITTED_LEAST: f64 = 0.95;
/// And if certificates of all but a hundredth come within this time.
const CERTIFICATE_P99_MS_MOST: f64 = 2_000.0;
/// How long a probe runs before it is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a probe is measured.
const PROBE: Duration = Duration::from_secs(4);
/// How long pools may take to empty between probes.
const DRAIN: Duration = Duration::from_secs(30);
/// How often the interval between the best good and the least bad load is halved.
const REFINEMENTS: u32 = 3;

/// One try.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Probe {
    pub(crate) offered_tps: u64,
    pub(crate) committed_tps: f64,
    pub(crate) certificate_p99_ms: Option<f64>,
    pub(crate) sustained: bool,
}

/// The highest load found to be sustained, and all tries.
pub(crate) async fn run(
    load: &Load,
    gauge: &mut Gauge,
    committee: &mut Committee,
) -> Result<(u64, Vec<Probe>), Failure> {
    let mut search = Search::new();
    let mut probes = Vec::new();
    while let Some(offered) = search.next() {
        load.set_rate(offered);
        tokio::time::sleep(SETTLE).await;
        let measured = gauge.measure(load, PROBE).await?;
        let probe = Probe::judge(offered, &measured);
        eprintln!(
            "{:>9} offered, {:>9.0} committed a second: {}",
            grouped(offered),
            probe.committed_tps,
            if probe.sustained {
                "sustained"
            } else {
                "too much"
            }
        );
        search.judged(offered, probe.sustained);
        probes.push(probe);
        load.set_rate(0);
        gauge.wait_until_idle(DRAIN).await?;
        committee.require_all_running()?;
    }
    Ok((search.best(), probes))
}

impl Probe {
    #[expect(clippy::cast_precision_loss, reason = "loads are far below 2^52")]
    fn judge(offered_tps: u64, measured: &Measured) -> Self {
        let complete = measured.committed_tps >= COMMITTED_LEAST * offered_tps as f64;
        let p99 = measured.certificate_ms.p99;
        Self {
            offered_tps,
            committed_tps: measured.committed_tps,
            certificate_p99_ms: p99,
            sustained: complete && p99.is_some_and(|p99| p99 <= CERTIFICATE_P99_MS_MOST),
        }
    }
}

/// Doubles until it is too much, then halves the interval.
struct Search {
    good: u64,
    bad: Option<u64>,
    refinements: u32,
}

impl Search {
    const fn new() -> Self {
        Self {
            good: 0,
            bad: None,
            refinements: REFINEMENTS,
        }
    }

    fn next(&mut self) -> Option<u64> {
        match self.bad {
            None if self.good == 0 => Some(FIRST),
            None => (self.good < LAST).then_some(self.good * 2),
            // Even the first was too much: go down until something is sustained.
            Some(bad) if self.good == 0 => (bad > 1).then_some(bad / 2),
            Some(bad) => {
                self.refinements = self.refinements.checked_sub(1)?;
                Some(self.good.midpoint(bad))
            }
        }
    }

    fn judged(&mut self, offered: u64, sustained: bool) {
        if sustained {
            self.good = self.good.max(offered);
        } else {
            self.bad = Some(self.bad.map_or(offered, |bad| bad.min(offered)));
        }
    }

    fn best(&self) -> u64 {
        self.good.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(limit: u64) -> (u64, usize) {
        let mut search = Search::new();
        let mut tries = 0;
        while let Some(offered) = search.next() {
            search.judged(offered, offered <= limit);
            tries += 1;
        }
        (search.best(), tries)
    }

    #[test]
    fn the_search_comes_close_from_below_and_ends() {
        for limit in [3, 100, 1_999, 2_000, 2_001, 5_000, 77_777, 1_000_000] {
            let (best, tries) = found(limit);
            assert!(best <= limit && best * 8 >= limit * 7, "{best} for {limit}");
            assert!(tries < 20, "{tries} tries for {limit}");
        }
        assert_eq!(found(0).0, 1);
        assert!(found(u64::MAX).0 >= LAST);
    }
}
