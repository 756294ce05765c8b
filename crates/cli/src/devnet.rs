//! `quorate devnet`: a committee of separate processes on this machine, under load and under suspicion.

mod ceremony;
mod check;
mod keys;
mod layout;
mod process;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use quorate_node::config::Pruning;
use quorate_types::Execution;
use serde::Serialize;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::args::DevnetArgs;
use crate::failure::{Failure, Kind};
use crate::load::{Load, Tally};
use crate::output::{self, grouped};

pub(crate) use check::{Accounts, run as check};
pub(crate) use layout::{ASSET, FUNDS, Network, Plan};
pub(crate) use process::{Committee, Member};
pub(crate) use watch::{Notes, Progress, as_count};

use ceremony::KeyFacts;
use check::Checked;

/// How long the end waits for what was accepted to be committed everywhere.
const DRAIN: Duration = Duration::from_secs(15);
/// What must be said about keys whose shares are all on one machine.
pub(crate) const DEVNET_KEYS: &str = "key ceremony between the validators' processes; one machine has all shares: not for real networks";
/// Fee of a transfer, so that fees take part in the sums that are checked.
const TRANSFER_FEE: u128 = 1;

/// What a devnet came to.
#[derive(Serialize)]
struct Summary {
    chain_id: String,
    data_dir: Option<String>,
    key_ceremony: KeyFacts,
    seconds: f64,
    accepted: u64,
    refused: u64,
    unsent: u64,
    #[serde(flatten)]
    checked: Checked,
}

pub(crate) async fn run(args: DevnetArgs, json: bool) -> Result<(), Failure> {
    let directory = Directory::new(args.data_dir.as_ref(), args.keep)?;
    let plan = Plan {
        validators: args.validators,
        wave: args.wave,
        execution: Execution::Ledger,
        accounts: args.accounts,
        transfer_fee: TRANSFER_FEE,
        pruning: Pruning::default(),
    };
    eprintln!("{DEVNET_KEYS}");
    let (network, key) = Box::pin(Network::create(directory.path(), &plan)).await?;
    eprintln!("{}", key.text());
    if args.init_only {
        eprintln!(
            "wrote {} validators to {}; start each with `quorate run --config`",
            plan.validators,
            directory.path().display()
        );
        return Ok(());
    }
    let mut committee = Committee::start(&network).await?;
    let ran = attend(&args, &network, &mut committee).await;
    committee.stop().await;
    let (tally, seconds, checked) = ran?;
    let summary = Summary {
        chain_id: network.genesis.chain_id().to_hex(),
        data_dir: directory.kept().map(|path| path.display().to_string()),
        key_ceremony: key,
        seconds,
        accepted: tally.accepted,
        refused: tally.refused(),
        unsent: tally.unsent,
        checked,
    };
    output::print(json, &summary, text)?;
    Ok(())
}

/// Load, progress and checks while the committee runs.
async fn attend(
    args: &DevnetArgs,
    network: &Network,
    committee: &mut Committee,
) -> Result<(Tally, f64, Checked), Failure> {
    let start = Instant::now();
    let load = Load::start(network.transfers(1), args.load).await?;
    let mut progress = Progress::new(committee.members());
    let end = args
        .seconds
        .map(|seconds| start + Duration::from_secs(seconds));
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    loop {
        tokio::select! {
            _ = second.tick() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
        committee.require_all_running()?;
        progress.show(start.elapsed()).await;
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let tally = load.stop().await;
    progress.note("load ended; waiting for what was accepted, then checking");
    progress.drained(tally.accepted, DRAIN).await;
    progress.end();
    committee.require_all_running()?;
    let checked = check::run(network, committee.members(), args.load > 0).await?;
    Ok((tally, seconds, checked))
}

fn text(summary: &Summary) -> String {
    let checked = &summary.checked;
    let rows = checked.validators.iter().map(|validator| {
        [
            validator.name.clone(),
            grouped(validator.round),
            grouped(validator.height),
            grouped(validator.certified_height),
            grouped(validator.transactions),
            milliseconds(validator.certificate_p50_ms),
            milliseconds(validator.certificate_p99_ms),
        ]
    });
    let head = [
        "validator",
        "round",
        "height",
        "certified",
        "transactions",
        "certificate p50",
        "p99",
    ];
    let mut text = output::table(head, rows);
    text.push('\n');
    text.push_str(&output::list([
        ("chain", summary.chain_id.clone()),
        (
            "agreement",
            format!(
                "{} heights up to {} are the same on all {} validators",
                checked.heights_compared,
                checked.common_height,
                checked.validators.len()
            ),
        ),
        (
            "certificates",
            format!(
                "{} verified by the light client",
                checked.certificates_verified
            ),
        ),
        (
            "receipt",
            format!(
                "transfer {} proved at height {}",
                checked.receipt_transaction, checked.receipt_height
            ),
        ),
        (
            "accounts",
            format!(
                "{} balances proved at height {}",
                checked.accounts_proved, checked.common_height
            ),
        ),
        (
            "conservation",
            format!(
                "{} in accounts + {} fees = {} supply",
                checked.balances, checked.fees, checked.supply
            ),
        ),
        (
            "load",
            format!(
                "{} transfers accepted in {:.1} s, {} refused, {} unsent",
                grouped(summary.accepted),
                summary.seconds,
                grouped(summary.refused),
                grouped(summary.unsent)
            ),
        ),
    ]));
    if let Some(directory) = &summary.data_dir {
        text.push_str(&format!("kept          {directory}\n"));
    }
    text
}

fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.1} ms"))
}

/// Where the network lives.
enum Directory {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Directory {
    fn new(given: Option<&PathBuf>, keep: bool) -> Result<Self, Failure> {
        if let Some(path) = given {
            std::fs::create_dir_all(path)
                .with_context(|| format!("cannot make {}", path.display()))
                .map_err(|error| Failure::new(Kind::File, error))?;
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            if path.join("genesis.json").exists() {
                let error = anyhow!(
                    "{} holds a network already: choose an empty directory, or start its validators with \
                     `quorate run --config`",
                    path.display()
                );
                return Err(Failure::new(Kind::File, error));
            }
            return Ok(Self::Given(path));
        }
        let directory = tempfile::Builder::new()
            .prefix("quorate-devnet-")
            .disable_cleanup(keep)
            .tempdir()
            .context("cannot make a temporary directory")?;
        if keep {
            return Ok(Self::Given(directory.path().to_owned()));
        }
        Ok(Self::Temporary(directory))
    }

    fn path(&self) -> &std::path::Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    fn kept(&self) -> Option<&std::path::Path> {
        match self {
            Self::Given(path) => Some(path),
            Self::Temporary(_) => None,
        }
    }
}
