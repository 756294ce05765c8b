//! `quorate bench soak`: sustained load for a long time, and what memory and disk do meanwhile.

mod plot;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use quorate_node::config::Pruning;
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::Execution;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};

use crate::args::BenchSoakArgs;
use crate::devnet::{Committee, Member, Network, Notes, Plan, Progress, as_count, check};
use crate::failure::{Failure, Kind, OrFail};
use crate::load::{Load, Tally};
use crate::output::{self, grouped};
use crate::scrape::Scraper;

use super::flood::Flooder;
use super::lay_out;
use super::measure::resident_mib;

const HEIGHT: &str = "quorate_height";
const TRANSACTIONS: &str = "quorate_transactions_committed_total";
const MIB: f64 = (1u64 << 20) as f64;
/// Rows of the table.
const ROWS: usize = 12;
/// Bytes of a segment of the log: small, so that what is cut in steps looks as flat as it is.
const SEGMENT_BYTES: u64 = 4 << 20;
/// How long the end waits for what was accepted.
const PATIENCE: Duration = Duration::from_secs(60);

/// One validator's directory and process, at their worst among all validators, at one instant.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) height: u64,
    pub(super) transactions: u64,
    pub(super) resident_mib: f64,
    pub(super) log_mib: f64,
    pub(super) tables_mib: f64,
}

#[derive(Serialize)]
struct Flood {
    style: &'static str,
    streamed_mib: f64,
}

#[derive(Serialize)]
struct Report {
    validators: u16,
    offered_tps: u64,
    seconds: f64,
    committed_tps: f64,
    /// Growth over the second half of the run, by least squares.
    resident_mib_per_hour: f64,
    log_mib_per_hour: f64,
    tables_mib_per_hour: f64,
    /// What of the tables' growth is headers and certificates, which are kept for ever: their bytes.
    kept_mib_per_hour: f64,
    refused: u64,
    unsent: u64,
    /// Samples that are missing because a validator did not answer in time.
    samples_missed: u32,
    certificates_verified: usize,
    /// How a member flooded the others, and what it sent them.
    #[serde(skip_serializing_if = "Option::is_none")]
    flood: Option<Flood>,
    samples: Vec<Sample>,
}

/// Samples that may be missing one after the other, on a machine that is busy with other things, before that is a failure.
const MISSED_IN_A_ROW_MAX: u32 = 10;

pub(super) async fn run(args: &BenchSoakArgs, json: bool) -> Result<(), Failure> {
    let plan = Plan {
        validators: args.validators,
        wave: 5,
        execution: Execution::Ledger,
        accounts: args.accounts,
        transfer_fee: 1,
        pruning: Pruning {
            receipt_heights: args.receipt_heights,
            log_rounds: args.log_rounds,
            log_bytes: 0,
            segment_bytes: SEGMENT_BYTES,
        },
    };
    let (_directory, network) = lay_out("soak", false, &plan).await?;
    let mut committee = Committee::start(&network).await?;
    let ran = Box::pin(attend(args, &network, &mut committee)).await;
    committee.stop().await;
    let report = ran?;
    if let Some(path) = &args.svg {
        let picture = plot::svg(&report.samples);
        write_file(
            path,
            picture.as_bytes(),
            Audience::Everybody,
            Existing::Replace,
        )
        .or_fail(Kind::File)?;
    }
    output::print(json, &report, text)?;
    Ok(())
}

async fn attend(
    args: &BenchSoakArgs,
    network: &Network,
    committee: &mut Committee,
) -> Result<Report, Failure> {
    // Whoever keeps to the rules: all, or all but the last.
    let honest = network.validators.len() - usize::from(args.flood.is_some());
    let mut flooder = None;
    if let Some(style) = args.flood {
        committee.kill(honest).await?;
        flooder = Some(Flooder::start(network, honest, style).await?);
    }
    let mut sources = network.transfers(1);
    sources.truncate(honest);
    let load = Load::start(sources, args.load).await?;
    let notes = Notes::new();
    let begun = Instant::now();
    let end = begun + Duration::from_secs(args.seconds);
    let mut clock = tokio::time::interval(Duration::from_secs(args.every));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    let mut samples = Vec::new();
    let (mut missed, mut missed_in_a_row) = (0, 0);
    while Instant::now() < end {
        tokio::select! {
            _ = clock.tick() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
        (0..honest).try_for_each(|position| committee.require_running(position))?;
        let members = &committee.members()[..honest];
        match sample(network, members, begun.elapsed()).await {
            Ok(sample) => {
                missed_in_a_row = 0;
                notes.progress(&line(&sample));
                samples.push(sample);
            }
            Err(failure) if missed_in_a_row < MISSED_IN_A_ROW_MAX => {
                missed_in_a_row += 1;
                missed += 1;
                notes.keep(&format!("a sample is missing: {failure}"));
            }
            Err(failure) => return Err(failure),
        }
    }
    let tally = load.stop().await;
    let mut flood = None;
    if let (Some(flooder), Some(style)) = (flooder, args.flood) {
        flood = Some(Flood {
            style: style.name(),
            streamed_mib: flooder.done().streamed_mib,
        });
        flooder.stop().await;
    }
    notes.keep("load ended; checking");
    notes.end();
    let members = &committee.members()[..honest];
    let progress = Progress::new(members);
    progress.drained(tally.accepted, PATIENCE).await;
    let checked = Box::pin(check(network, members, true)).await?;
    let report = report(args, samples, &tally, checked.certificates_verified)?;
    Ok(Report {
        flood,
        samples_missed: missed,
        ..report
    })
}

fn report(
    args: &BenchSoakArgs,
    samples: Vec<Sample>,
    tally: &Tally,
    certificates_verified: usize,
) -> Result<Report, Failure> {
    let last = samples.last().copied().ok_or_else(|| {
        let error = anyhow!("it ended before the first sample: give it more --seconds");
        Failure::new(Kind::NothingCommitted, error)
    })?;
    let half = &samples[samples.len() / 2..];
    let slope = |of: fn(&Sample) -> f64| per_hour(half, of);
    // A header and a signature, and their keys.
    let kept = |sample: &Sample| sample.height as f64 * KEPT_BYTES / MIB;
    Ok(Report {
        validators: args.validators,
        offered_tps: args.load,
        seconds: last.seconds,
        committed_tps: last.transactions as f64 / last.seconds,
        resident_mib_per_hour: slope(|sample| sample.resident_mib),
        log_mib_per_hour: slope(|sample| sample.log_mib),
        tables_mib_per_hour: slope(|sample| sample.tables_mib),
        kept_mib_per_hour: per_hour(half, kept),
        refused: tally.refused(),
        unsent: tally.unsent,
        samples_missed: 0,
        certificates_verified,
        flood: None,
        samples,
    })
}

/// Bytes of a header and a certificate's signature with their keys.
const KEPT_BYTES: f64 = 304.0 + 48.0 + 16.0;

async fn sample(
    network: &Network,
    members: &[Member],
    elapsed: Duration,
) -> Result<Sample, Failure> {
    let scraper = Scraper::new();
    let mut sample = Sample {
        seconds: elapsed.as_secs_f64(),
        height: 0,
        transactions: 0,
        resident_mib: 0.0,
        log_mib: 0.0,
        tables_mib: 0.0,
    };
    for (member, files) in members.iter().zip(&network.validators) {
        let scrape = scraper
            .fetch(&member.metrics)
            .await
            .or_fail(Kind::Endpoint)?;
        let count = |name| as_count(scrape.sum(name));
        sample.height = sample.height.max(count(HEIGHT));
        sample.transactions = sample.transactions.max(count(TRANSACTIONS));
        let resident = resident_mib(member).or_fail(Kind::ValidatorEnded)?;
        sample.resident_mib = sample.resident_mib.max(resident);
        let data = data_directory(&files.directory);
        sample.log_mib = sample.log_mib.max(bytes_below(&data.join("log")) / MIB);
        let tables = std::fs::metadata(data.join("tables.redb"));
        let tables = tables.map_or(0.0, |tables| tables.len() as f64);
        sample.tables_mib = sample.tables_mib.max(tables / MIB);
    }
    Ok(sample)
}

fn data_directory(validator: &Path) -> PathBuf {
    validator.join("data")
}

/// Bytes of all files of a directory.
fn bytes_below(directory: &Path) -> f64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    // A file that goes away meanwhile counts nothing.
    let sizes = entries.filter_map(|entry| entry.metadata().ok());
    sizes.map(|metadata| metadata.len() as f64).sum()
}

/// The slope of a straight line through samples, by least squares, in units an hour.
fn per_hour(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (time, value) = (mean(&|sample| sample.seconds), mean(&|sample| of(sample)));
    let spread: f64 = samples
        .iter()
        .map(|sample| (sample.seconds - time).powi(2))
        .sum();
    if spread == 0.0 {
        return 0.0;
    }
    let both: f64 = samples
        .iter()
        .map(|sample| (sample.seconds - time) * (of(sample) - value))
        .sum();
    both / spread * 3600.0
}

fn line(sample: &Sample) -> String {
    format!(
        "{:5.0} s  {} transactions  height {}  memory {:.0} MiB  log {:.0} MiB  tables {:.0} MiB",
        sample.seconds,
        grouped(sample.transactions),
        grouped(sample.height),
        sample.resident_mib,
        sample.log_mib,
        sample.tables_mib
    )
}

fn text(report: &Report) -> String {
    let step = report.samples.len().div_ceil(ROWS).max(1);
    let shown = report
        .samples
        .iter()
        .rev()
        .step_by(step)
        .collect::<Vec<_>>();
    let rows = shown.into_iter().rev().map(|sample| {
        [
            format!("{:.1}", sample.seconds / 60.0),
            grouped(sample.transactions),
            grouped(sample.height),
            format!("{:.0}", sample.resident_mib),
            format!("{:.0}", sample.log_mib),
            format!("{:.0}", sample.tables_mib),
        ]
    });
    let head = [
        "minute",
        "transactions",
        "height",
        "memory MiB",
        "log MiB",
        "tables MiB",
    ];
    let mut text = output::table(head, rows);
    text.push('\n');
    if report.samples_missed > 0 {
        let missed = format!("{} of the samples", report.samples_missed);
        text.push_str(&output::list([("missing", missed)]));
    }
    if let Some(flood) = &report.flood {
        let sent = format!(
            "{}, {:.0} MiB streamed by the last member",
            flood.style, flood.streamed_mib
        );
        text.push_str(&output::list([("flood", sent)]));
    }
    text.push_str(&output::list([
        (
            "load",
            format!(
                "{} transfers a second offered, {:.0} committed, {} refused, {} unsent",
                grouped(report.offered_tps),
                report.committed_tps,
                grouped(report.refused),
                grouped(report.unsent)
            ),
        ),
        (
            "growth",
            format!(
                "in the second half, MiB an hour: memory {:+.1}, log {:+.1}, tables {:+.1}, of which headers and \
                 certificates {:.1}",
                report.resident_mib_per_hour,
                report.log_mib_per_hour,
                report.tables_mib_per_hour,
                report.kept_mib_per_hour
            ),
        ),
        (
            "checked",
            format!(
                "{} certificates verified, all balances proved, supply exact",
                report.certificates_verified
            ),
        ),
    ]));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope() {
        let sample = |minute: u32| Sample {
            seconds: f64::from(minute) * 60.0,
            height: 0,
            transactions: 0,
            resident_mib: 100.0 + f64::from(minute) * 0.5,
            log_mib: 7.0,
            tables_mib: 0.0,
        };
        let samples: Vec<Sample> = (0..10).map(sample).collect();
        let resident = per_hour(&samples, |sample| sample.resident_mib);
        assert!((resident - 30.0).abs() < 1e-9, "{resident}");
        assert_eq!(per_hour(&samples, |sample| sample.log_mib), 0.0);
        assert_eq!(per_hour(&samples[..1], |sample| sample.log_mib), 0.0);
    }
}
