//! `quorate bench bank`: moves money through a committee of processes while they are killed, frozen and cut off, and then
//! audits every transfer that a client was told of.

mod audit;
mod links;
mod storm;
mod tellers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow};
use quorate_node::config::{Config, Pruning};
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::Execution;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::lay_out;
use crate::args::BenchBankArgs;
use crate::devnet::{Committee, Network, Notes, Plan};
use crate::failure::{Failure, Kind, OrFail};
use crate::output::{self, grouped};

use audit::Audited;
use links::Link;
use storm::{Links, Storm};
use tellers::{Acknowledged, Bank, Teller};

/// Fee of a transfer, so that fees take part in the sums.
const TRANSFER_FEE: u128 = 1;
/// How long, once everything is mended, the last transfers and the slowest validator may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the run came to.
#[derive(Serialize)]
struct Report {
    validators: u16,
    clients: u16,
    seconds: f64,
    seed: u64,
    faults: BTreeMap<&'static str, u64>,
    acknowledged: u64,
    /// Attempts without an answer that says what became of the transfer.
    retries: u64,
    acknowledgement_p50_ms: f64,
    acknowledgement_p99_ms: f64,
    /// The longest time in which nobody had a transfer acknowledged.
    silence_ms_max: f64,
    /// From the end of all faults to the last teller's last acknowledgement.
    recovery_ms: f64,
    #[serde(flatten)]
    audited: Audited,
}

pub(super) async fn run(args: &BenchBankArgs, json: bool) -> Result<(), Failure> {
    let plan = Plan {
        validators: args.validators,
        wave: 5,
        execution: Execution::Ledger,
        accounts: args.clients.saturating_mul(args.validators),
        transfer_fee: TRANSFER_FEE,
        pruning: Pruning::default(),
    };
    let (directory, network) = lay_out("bank", args.keep, &plan).await?;
    let links = reroute(&network).await?;
    let mut committee = Committee::start(&network).await?;
    let ran = Box::pin(attend(args, &network, &links, &mut committee)).await;
    committee.stop().await;
    if args.keep {
        eprintln!("kept {}", directory.path().display());
    }
    let report = ran?;
    output::print(json, &report, text)?;
    if report.audited.lost + report.audited.disagreements > 0 {
        let error = anyhow!("the audit failed: see LOST and DISAGREEMENT above");
        return Err(Failure::new(Kind::Disagreement, error));
    }
    Ok(())
}

/// Has every validator reach every other through a link of its own.
async fn reroute(network: &Network) -> Result<Links, Failure> {
    let mut links = Links::new();
    for (from, files) in network.validators.iter().enumerate() {
        let mut config = Config::read(&files.config).or_fail(Kind::File)?;
        for (to, other) in network.validators.iter().enumerate() {
            if from == to {
                continue;
            }
            let link = Link::start(other.listen.peer).await?;
            config.peers[to].address = link.address().to_string();
            links.insert((from, to), link);
        }
        let text = config.to_toml();
        write_file(
            &files.config,
            text.as_bytes(),
            Audience::Everybody,
            Existing::Replace,
        )
        .context("cannot write a configuration")?;
    }
    Ok(links)
}

async fn attend(
    args: &BenchBankArgs,
    network: &Network,
    links: &Links,
    committee: &mut Committee,
) -> Result<Report, Failure> {
    let notes = Notes::new();
    let bank = Arc::new(Bank::new(network)?);
    let mut tellers = JoinSet::new();
    for account in 0..network.accounts.len() {
        tellers.spawn(Teller::new(Arc::clone(&bank), account, args.seed).work());
    }
    let begun = Instant::now();
    let interval = Duration::from_millis(args.fault_interval_ms);
    let mut storm = Storm::new(network, links, args.seed, interval);
    let end = begun + Duration::from_secs(args.seconds);
    storm.rage(committee, end, &notes).await?;
    bank.closing.store(true, Ordering::Relaxed);
    let healed = Instant::now();
    notes.keep("everything is mended; tellers finish their last transfers");
    let finished = tokio::time::timeout(PATIENCE, all(&mut tellers)).await;
    let acknowledged = finished.map_err(|_| {
        let error = anyhow!(
            "a transfer is not acknowledged {} s after the last fault ended; {} were before",
            PATIENCE.as_secs(),
            bank.acknowledged.load(Ordering::Relaxed)
        );
        Failure::new(Kind::NothingCommitted, error)
    })??;
    let recovery = healed.elapsed();
    committee.require_all_running()?;
    let audited = audit::run(network, &bank, committee, &acknowledged, PATIENCE, &notes).await?;
    notes.end();
    let took = quantiles(acknowledged.iter().map(|transfer| transfer.took));
    Ok(Report {
        validators: args.validators,
        clients: u16::try_from(network.accounts.len()).unwrap_or(u16::MAX),
        seconds: begun.elapsed().as_secs_f64(),
        seed: args.seed,
        faults: storm.counts(),
        acknowledged: acknowledged.len() as u64,
        retries: bank.retries.load(Ordering::Relaxed),
        acknowledgement_p50_ms: took.0,
        acknowledgement_p99_ms: took.1,
        silence_ms_max: silence(begun, &acknowledged).as_secs_f64() * 1e3,
        recovery_ms: recovery.as_secs_f64() * 1e3,
        audited,
    })
}

/// What all tellers were told.
async fn all(
    tellers: &mut JoinSet<Result<Vec<Acknowledged>, Failure>>,
) -> Result<Vec<Acknowledged>, Failure> {
    let mut acknowledged = Vec::new();
    while let Some(teller) = tellers.join_next().await {
        acknowledged.extend(teller.context("a teller panicked")??);
    }
    Ok(acknowledged)
}

/// Median and 99th percentile in milliseconds.
fn quantiles(times: impl Iterator<Item = Duration>) -> (f64, f64) {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or(0.0)
    };
    (at(50), at(99))
}

/// The longest time between two acknowledgements, whosever.
fn silence(begun: Instant, acknowledged: &[Acknowledged]) -> Duration {
    let mut instants: Vec<Instant> = acknowledged.iter().map(|transfer| transfer.at).collect();
    instants.sort_unstable();
    let before = std::iter::once(begun).chain(instants.iter().copied());
    let gaps = instants
        .iter()
        .zip(before)
        .map(|(after, before)| *after - before);
    gaps.max().unwrap_or_default()
}

fn text(report: &Report) -> String {
    let audited = &report.audited;
    let mut text = output::list([
        (
            "committee",
            format!(
                "{} validators, {} clients, {:.0} s, seed {}",
                report.validators, report.clients, report.seconds, report.seed
            ),
        ),
        (
            "acknowledged",
            format!(
                "{} transfers, each with a verified receipt; {} attempts had no answer and were made again",
                grouped(report.acknowledged),
                grouped(report.retries)
            ),
        ),
        (
            "acknowledgement",
            format!(
                "p50 {:.0} ms, p99 {:.0} ms; longest silence {:.1} s",
                report.acknowledgement_p50_ms,
                report.acknowledgement_p99_ms,
                report.silence_ms_max / 1e3
            ),
        ),
        (
            "recovery",
            format!(
                "{:.1} s after the last fault, all transfers under way were acknowledged",
                report.recovery_ms / 1e3
            ),
        ),
        (
            "lost",
            format!(
                "{} acknowledged transfers; {} receipts were shown again under the same headers",
                audited.lost,
                grouped(audited.receipts)
            ),
        ),
        (
            "disagreements",
            format!(
                "{} among {} headers up to height {} on all validators; no evidence against anybody",
                audited.disagreements,
                grouped(audited.headers),
                audited.height
            ),
        ),
        (
            "supply",
            format!(
                "{} exact: {} balances proved, each what the acknowledged transfers make it, and {} fees",
                audited.supply, audited.balances, audited.fees
            ),
        ),
    ]);
    let rows = report
        .faults
        .iter()
        .map(|(fault, count)| [(*fault).to_owned(), grouped(*count)]);
    text.push_str(&output::table(["fault", "times"], rows));
    text
}
