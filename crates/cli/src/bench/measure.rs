//! What happened between two instants.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::time::Instant;

use crate::devnet::Member;
use crate::failure::{Failure, Kind, OrFail};
use crate::load::{Load, Tally};
use crate::scrape::{Histogram, Scrape, Scraper};

const ROUND: &str = "quorate_round";
const HEIGHT: &str = "quorate_height";
const TRANSACTIONS: &str = "quorate_transactions_committed_total";
const WAITING: &str = "quorate_pool_transactions";
const SENT_BYTES: &str = "quorate_peer_sent_bytes_total";
const COMMIT: &str = "quorate_commit_latency_seconds";
const CERTIFICATE: &str = "quorate_certificate_latency_seconds";

/// Microseconds in a unit of /proc's processor times: Linux shows them in hundredths of a second to all programs.
const TICK_MICROS: f64 = 10_000.0;
/// How often to look whether pools are empty.
const POLL: Duration = Duration::from_millis(100);

/// Reads validators' metrics and the system's account of their processes.
pub(crate) struct Gauge {
    members: Vec<Member>,
    scraper: Scraper,
}

/// Where a measurement begins.
pub(crate) struct Begun {
    reading: Reading,
    tally: Tally,
}

/// All validators at one instant.
struct Reading {
    at: Instant,
    scrapes: Vec<Scrape>,
    processor_micros: f64,
}

/// Quantiles in milliseconds; none without observations.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) p99: Option<f64>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) committed_tps: f64,
    /// What clients of these validators handed in and saw certified, a second.
    pub(crate) certified_tps: f64,
    /// Processor time of all validators for each committed transaction.
    pub(crate) cpu_us_per_transaction: f64,
    /// From arrival in a pool to execution there.
    pub(crate) commit_ms: Quantiles,
    /// From arrival in a pool to the certificate there.
    pub(crate) certificate_ms: Quantiles,
    pub(crate) rounds_per_second: f64,
    pub(crate) heights_per_second: f64,
    /// Bytes of consensus messages, sent by all validators, for each committed transaction.
    pub(crate) wire_bytes_per_transaction: f64,
    /// The most memory that any one validator ever had resident.
    pub(crate) rss_mib_max: f64,
    /// From the instant a transaction was due to the validator's answer.
    pub(crate) submit_ms: Quantiles,
    pub(crate) committed: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) unsent: u64,
    pub(crate) failed: u64,
    #[serde(skip)]
    pub(crate) seconds: f64,
}

impl Gauge {
    pub(crate) fn new(members: &[Member]) -> Self {
        Self {
            members: members.to_vec(),
            scraper: Scraper::new(),
        }
    }

    /// Measures for `duration` under a load that runs already.
    pub(crate) async fn measure(
        &mut self,
        load: &Load,
        duration: Duration,
    ) -> Result<Measured, Failure> {
        let begun = self.begin(load).await?;
        tokio::time::sleep_until(begun.reading.at + duration).await;
        self.end(&begun, load).await
    }

    /// Begins to measure under a load that runs already.
    pub(crate) async fn begin(&self, load: &Load) -> Result<Begun, Failure> {
        load.take_delays();
        Ok(Begun {
            reading: self.read().await?,
            tally: load.tally(),
        })
    }

    /// What happened since.
    pub(crate) async fn end(&self, begun: &Begun, load: &Load) -> Result<Measured, Failure> {
        let (after, tally) = (self.read().await?, load.tally());
        let measured = Measured::between(&begun.reading, &after, &tally.since(&begun.tally));
        Ok(Measured {
            submit_ms: Quantiles::of_delays(&load.take_delays()),
            rss_mib_max: self.memory_mib().or_fail(Kind::ValidatorEnded)?,
            ..measured
        })
    }

    /// Waits until no transaction waits in any pool, but no longer than `most`.
    pub(crate) async fn wait_until_idle(&mut self, most: Duration) -> Result<(), Failure> {
        let end = Instant::now() + most;
        while Instant::now() < end {
            let reading = self.read().await?;
            if reading.total(WAITING) == 0.0 {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn read(&self) -> Result<Reading, Failure> {
        let mut scrapes = Vec::new();
        for member in &self.members {
            scrapes.push(
                self.scraper
                    .fetch(&member.metrics)
                    .await
                    .or_fail(Kind::Endpoint)?,
            );
        }
        let mut processor_micros = 0.0;
        for member in &self.members {
            let stat = read_process(member, "stat").or_fail(Kind::ValidatorEnded)?;
            let ticks =
                processor_ticks(&stat).with_context(|| format!("/proc/{}/stat", member.pid));
            processor_micros += ticks? * TICK_MICROS;
        }
        Ok(Reading {
            at: Instant::now(),
            scrapes,
            processor_micros,
        })
    }

    fn memory_mib(&self) -> anyhow::Result<f64> {
        let mut most: f64 = 0.0;
        for member in &self.members {
            most = most.max(memory_mib(member, "VmHWM:")?);
        }
        Ok(most)
    }
}

impl Reading {
    fn total(&self, name: &str) -> f64 {
        self.scrapes.iter().map(|scrape| scrape.sum(name)).sum()
    }

    fn mean(&self, name: &str) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let count = self.scrapes.len().max(1) as f64;
        self.total(name) / count
    }

    fn latency(&self, earlier: &Self, name: &str) -> Histogram {
        let pairs = self.scrapes.iter().zip(&earlier.scrapes);
        pairs.fold(Histogram::default(), |merged, (after, before)| {
            merged.merged(&after.histogram(name).since(&before.histogram(name)))
        })
    }
}

impl Measured {
    fn between(before: &Reading, after: &Reading, tally: &Tally) -> Self {
        let seconds = after.at.duration_since(before.at).as_secs_f64();
        let committed = after.mean(TRANSACTIONS) - before.mean(TRANSACTIONS);
        let each = |amount: f64| {
            if committed > 0.0 {
                amount / committed
            } else {
                0.0
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts from floats saturate"
        )]
        let committed_whole = committed.round() as u64;
        Self {
            committed_tps: committed / seconds,
            certified_tps: after.latency(before, CERTIFICATE).count() / seconds,
            cpu_us_per_transaction: each(after.processor_micros - before.processor_micros),
            commit_ms: Quantiles::of(&after.latency(before, COMMIT)),
            certificate_ms: Quantiles::of(&after.latency(before, CERTIFICATE)),
            rounds_per_second: (after.mean(ROUND) - before.mean(ROUND)) / seconds,
            heights_per_second: (after.mean(HEIGHT) - before.mean(HEIGHT)) / seconds,
            wire_bytes_per_transaction: each(after.total(SENT_BYTES) - before.total(SENT_BYTES)),
            rss_mib_max: 0.0,
            submit_ms: Quantiles::of_delays(&[]),
            committed: committed_whole,
            accepted: tally.accepted,
            refused: tally.refused(),
            unsent: tally.unsent,
            failed: tally.failed,
            seconds,
        }
    }
}

impl Quantiles {
    fn of(histogram: &Histogram) -> Self {
        let milliseconds = |quantile| histogram.quantile(quantile).map(|seconds| seconds * 1e3);
        Self {
            p50: milliseconds(0.5),
            p90: milliseconds(0.9),
            p99: milliseconds(0.99),
        }
    }

    /// Of ascending microseconds.
    fn of_delays(delays: &[u32]) -> Self {
        let milliseconds = |hundredths: usize| {
            let rank = (delays.len() * hundredths).div_ceil(100).saturating_sub(1);
            delays.get(rank).map(|micros| f64::from(*micros) / 1e3)
        };
        Self {
            p50: milliseconds(50),
            p90: milliseconds(90),
            p99: milliseconds(99),
        }
    }
}

fn read_process(member: &Member, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{}/{file}", member.pid);
    std::fs::read_to_string(&path).with_context(|| format!("{}: cannot read {path}", member.name))
}

/// User and system time of a process out of its `stat` file (proc(5), fields 14 and 15).
fn processor_ticks(stat: &str) -> anyhow::Result<f64> {
    // The name in parentheses may hold anything, so fields are counted after its end.
    let (_, fields) = stat.rsplit_once(')').context("no process name")?;
    let mut times = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    let user = times.next().context("no user time")??;
    let system = times.next().context("no system time")??;
    ensure!(user >= 0.0 && system >= 0.0, "negative times");
    Ok(user + system)
}

/// The memory that a validator has resident now.
pub(crate) fn resident_mib(member: &Member) -> anyhow::Result<f64> {
    memory_mib(member, "VmRSS:")
}

fn memory_mib(member: &Member, field: &str) -> anyhow::Result<f64> {
    let status = read_process(member, "status")?;
    let kib = memory_kib(&status, field);
    Ok(kib.with_context(|| format!("/proc/{}/status", member.pid))? / 1024.0)
}

/// A quantity of memory out of a `status` file.
fn memory_kib(status: &str, field: &str) -> anyhow::Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let value = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {field}"))?;
    Ok(value.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_files_are_read_as_proc_5_says() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194560 300 0 0 0 250 50 9 9 20 0 8 0 100 200 300";
        assert_eq!(processor_ticks(stat).unwrap(), 300.0);
        assert!(processor_ticks("12 quorate S 1").is_err());
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(memory_kib(&own, "VmHWM:").unwrap() >= memory_kib(&own, "VmRSS:").unwrap());
    }

    #[test]
    fn quantiles_of_delays_are_ranks() {
        let delays: Vec<u32> = (1..=100).map(|milliseconds| milliseconds * 1_000).collect();
        let quantiles = Quantiles::of_delays(&delays);
        assert_eq!(quantiles.p50, Some(50.0));
        assert_eq!(quantiles.p99, Some(99.0));
        assert_eq!(Quantiles::of_delays(&[]).p50, None);
        assert_eq!(Quantiles::of_delays(&[7_000]).p99, Some(7.0));
    }

    fn reading(at: Instant, transactions: u32, processor_micros: f64) -> Reading {
        let text = format!(
            "{TRANSACTIONS} {transactions}\n{ROUND} {transactions}\n{SENT_BYTES}{{peer=\"1\"}} {}\n\
             {COMMIT}_bucket{{le=\"0.1\"}} {transactions}\n{COMMIT}_bucket{{le=\"+Inf\"}} {transactions}\n",
            transactions * 100
        );
        Reading {
            at,
            scrapes: vec![Scrape::parse(&text).unwrap(); 2],
            processor_micros,
        }
    }

    #[test]
    fn only_what_happened_in_between_counts() {
        let start = Instant::now();
        let before = reading(start, 1_000, 5e6);
        let after = reading(start + Duration::from_secs(2), 5_000, 7e6);
        let measured = Measured::between(&before, &after, &Tally::default());
        assert_eq!(measured.committed, 4_000);
        assert_eq!(measured.committed_tps, 2_000.0);
        assert_eq!(measured.cpu_us_per_transaction, 500.0);
        assert_eq!(measured.rounds_per_second, 2_000.0);
        assert_eq!(
            measured.wire_bytes_per_transaction, 200.0,
            "both validators' bytes"
        );
        assert_eq!(measured.commit_ms.p50, Some(50.0));
    }
}
