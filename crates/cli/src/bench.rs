//! `quorate bench`: measures a committee of separate processes on this machine.
//!
//! The load is open: it does not slow down when validators do (see [`crate::load`]). Latencies are the validators' own,
//! from arrival in a pool to commit and certificate at the validator that received the transaction; how long submissions
//! took is measured here, from the instant they were due.

mod bank;
mod ceremony;
mod flood;
mod latency;
mod measure;
mod search;
mod soak;
mod sync;

use anyhow::Context;
use quorate_node::config::Pruning;
use quorate_types::Execution;
use serde::Serialize;
use std::time::Duration;
use tempfile::TempDir;

use crate::args::{BenchArgs, BenchCommand, Load as Offered};
use crate::devnet::{Committee, DEVNET_KEYS, Network, Plan};
use crate::failure::{Failure, Kind};
use crate::load::{Load, Opaque, Source};
use crate::output::{self, grouped};

pub(crate) use flood::Style;
use measure::{Gauge, Measured, Quantiles};

/// Fee of a transfer.
const TRANSFER_FEE: u128 = 1;
/// Most transfers that are signed before the start, so that signing does not compete with the validators: about 100 MiB.
const SIGNED_AHEAD_MAX: u64 = 400_000;

/// The result, one object.
#[derive(Serialize)]
struct Report {
    validators: u16,
    payload: &'static str,
    transaction_bytes: usize,
    w: u8,
    seconds: f64,
    offered_tps: u64,
    #[serde(flatten)]
    measured: Measured,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    probes: Vec<search::Probe>,
}

pub(crate) async fn run(args: BenchArgs, json: bool) -> Result<(), Failure> {
    match &args.command {
        Some(BenchCommand::Ceremony(args)) => return ceremony::run(args, json),
        Some(BenchCommand::Soak(args)) => return Box::pin(soak::run(args, json)).await,
        Some(BenchCommand::Bank(args)) => return Box::pin(bank::run(args, json)).await,
        Some(BenchCommand::Sync(args)) => return Box::pin(sync::run(args, json)).await,
        Some(BenchCommand::Flood(args)) => return Box::pin(flood::run(args, json)).await,
        Some(BenchCommand::Latency(args)) => return latency::run(args, json),
        None => {}
    }
    let plan = Plan {
        validators: args.validators,
        wave: args.wave,
        execution: if args.opaque {
            Execution::Opaque
        } else {
            Execution::Ledger
        },
        accounts: if args.opaque { 2 } else { args.accounts },
        transfer_fee: TRANSFER_FEE,
        pruning: Pruning::default(),
    };
    let (_directory, network) = lay_out("bench", false, &plan).await?;
    let mut committee = Committee::start(&network).await?;
    let report = if args.opaque {
        let size = usize::try_from(args.transaction_bytes).unwrap_or(usize::MAX);
        let endpoints = network.endpoints(args.connections).into_iter();
        let sources = endpoints
            .map(|endpoint| (endpoint, Opaque::new(size)))
            .collect();
        attend(&args, sources, &mut committee).await
    } else {
        let mut sources = network.transfers(args.connections);
        if let Offered::Rate(rate) = args.load {
            let wanted = rate
                .saturating_mul(args.seconds + args.warmup)
                .min(SIGNED_AHEAD_MAX);
            let each = wanted.div_ceil(u64::from(args.accounts));
            for (_, source) in &mut sources {
                source.prepare(usize::try_from(each).unwrap_or(usize::MAX));
            }
        }
        attend(&args, sources, &mut committee).await
    };
    committee.stop().await;
    let report = report?;
    output::print(json, &report, text)?;
    if report.measured.committed == 0 {
        let error = anyhow::anyhow!("nothing was committed");
        return Err(Failure::new(Kind::NothingCommitted, error));
    }
    Ok(())
}

/// Lays out a network in a directory that goes away with what is returned, unless it is to be kept.
async fn lay_out(name: &str, keep: bool, plan: &Plan) -> Result<(TempDir, Network), Failure> {
    let directory = tempfile::Builder::new()
        .prefix(&format!("quorate-{name}-"))
        .disable_cleanup(keep)
        .tempdir()
        .context("cannot make a temporary directory")?;
    eprintln!("{DEVNET_KEYS}");
    let (network, key) = Box::pin(Network::create(directory.path(), plan)).await?;
    eprintln!("{}", key.text());
    Ok((directory, network))
}

async fn attend<S: Source>(
    args: &BenchArgs,
    sources: Vec<(String, S)>,
    committee: &mut Committee,
) -> Result<Report, Failure> {
    let transaction_bytes = sources
        .first()
        .map_or(0, |(_, source)| source.transaction_bytes());
    let first = match args.load {
        Offered::Rate(rate) => rate,
        Offered::Max => 0,
    };
    let load = Load::start(sources, first).await?;
    let mut gauge = Gauge::new(committee.members());
    let (offered_tps, probes) = match args.load {
        Offered::Rate(rate) => (rate, Vec::new()),
        Offered::Max => search::run(&load, &mut gauge, committee).await?,
    };
    load.set_rate(offered_tps);
    eprintln!("offering {} transactions a second", grouped(offered_tps));
    tokio::time::sleep(Duration::from_secs(args.warmup)).await;
    let measured = gauge
        .measure(&load, Duration::from_secs(args.seconds))
        .await;
    load.stop().await;
    committee.require_all_running()?;
    let measured = measured?;
    Ok(Report {
        validators: args.validators,
        payload: if args.opaque { "opaque" } else { "transfers" },
        transaction_bytes,
        w: args.wave,
        seconds: measured.seconds,
        offered_tps,
        measured,
        probes,
    })
}

fn text(report: &Report) -> String {
    let measured = &report.measured;
    let quantiles = |quantiles: &Quantiles| {
        let one =
            |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.1}"));
        format!(
            "p50 {}  p90 {}  p99 {} ms",
            one(quantiles.p50),
            one(quantiles.p90),
            one(quantiles.p99)
        )
    };
    let what = format!(
        "{} of {} bytes, w = {}",
        report.payload, report.transaction_bytes, report.w
    );
    output::list([
        ("validators", format!("{}; {what}", report.validators)),
        (
            "offered",
            format!(
                "{} a second for {:.1} s",
                grouped(report.offered_tps),
                report.seconds
            ),
        ),
        (
            "committed",
            format!("{:.0} a second", measured.committed_tps),
        ),
        (
            "not taken",
            format!(
                "{} refused, {} unsent, {} lost",
                measured.refused, measured.unsent, measured.failed
            ),
        ),
        ("submit", quantiles(&measured.submit_ms)),
        ("commit", quantiles(&measured.commit_ms)),
        ("certificate", quantiles(&measured.certificate_ms)),
        (
            "rounds",
            format!(
                "{:.1} a second, {:.1} heights a second",
                measured.rounds_per_second, measured.heights_per_second
            ),
        ),
        (
            "processor",
            format!(
                "{:.1} us a transaction, all validators",
                measured.cpu_us_per_transaction
            ),
        ),
        (
            "wire",
            format!(
                "{:.0} bytes a transaction, all validators",
                measured.wire_bytes_per_transaction
            ),
        ),
        (
            "memory",
            format!("{:.0} MiB at most in one validator", measured.rss_mib_max),
        ),
    ])
}
