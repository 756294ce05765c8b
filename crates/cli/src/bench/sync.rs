//! `quorate bench sync`: a member that missed everything comes back while load goes on.
//!
//! The last member is killed as soon as all have answered, and started again when the others have certified so many heights that it
//! joins by state sync. What is measured: when it first shows a balance that the light client accepts, at or above the height that the
//! others had when it was started, when it has caught up with them, what it took from them, and what that did to the others' throughput.

use std::time::Duration;

use anyhow::{Context, anyhow};
use quorate_node::config::{Config, Pruning};
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::{Execution, Height};
use serde::Serialize;
use tokio::time::Instant;

use crate::args::BenchSyncArgs;
use crate::client::Client;
use crate::devnet::{Accounts, Committee, Member, Network, Notes, Plan, as_count};
use crate::failure::{Failure, Kind, OrFail};
use crate::load::Load;
use crate::output::{self, grouped};
use crate::scrape::{Scrape, Scraper};
use crate::trust::Trust;

use super::lay_out;
use super::measure::Gauge;

const CERTIFIED: &str = "quorate_certified_height";
const SYNC_HEIGHT: &str = "quorate_sync_height";
const SYNC_BYTES: &str = "quorate_sync_bytes_total";
/// How long throughput is measured before the member comes back.
const BEFORE: Duration = Duration::from_secs(10);
/// How often to look.
const POLL: Duration = Duration::from_millis(20);
/// How often to look while the member is away.
const SLOW_POLL: Duration = Duration::from_millis(500);
/// How long the member may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Whoever is no further behind than this has caught up: about what is on the way between any two members.
const CAUGHT_UP: u64 = 16;

#[derive(Serialize)]
struct Report {
    validators: u16,
    offered_tps: u64,
    accounts: u16,
    /// Certified heights of the others when the member was started, and its own.
    tip: u64,
    own: u64,
    /// Where it joined.
    joined_at: u64,
    /// From its start to the first proof of a balance at or above that tip.
    first_proof_ms: f64,
    /// The height of that proof.
    proved_at: u64,
    /// From its start until it was next to the others' tip.
    caught_up_ms: f64,
    /// Bytes of point, commits and state that it took.
    sync_bytes: u64,
    /// What the others' clients saw certified a second, before and meanwhile.
    tps_before: f64,
    tps_meanwhile: f64,
}

pub(super) async fn run(args: &BenchSyncArgs, json: bool) -> Result<(), Failure> {
    let plan = Plan {
        validators: args.validators,
        wave: 5,
        execution: Execution::Ledger,
        accounts: args.accounts,
        transfer_fee: 1,
        pruning: Pruning::default(),
    };
    let (_directory, network) = lay_out("sync", false, &plan).await?;
    join_early(&network, args.behind)?;
    let mut committee = Committee::start(&network).await?;
    let ran = Box::pin(attend(args, &network, &mut committee)).await;
    committee.stop().await;
    output::print(json, &ran?, text)?;
    Ok(())
}

/// Has the last member join by state sync when it is half as far behind as it will be.
fn join_early(network: &Network, behind: u64) -> Result<(), Failure> {
    let files = network.validators.last().context("there are members")?;
    let mut config = Config::read(&files.config).or_fail(Kind::File)?;
    config.sync.behind_heights = config.sync.behind_heights.min(behind / 2);
    let text = config.to_toml();
    let (audience, existing) = (Audience::Everybody, Existing::Replace);
    write_file(&files.config, text.as_bytes(), audience, existing).or_fail(Kind::File)?;
    Ok(())
}

async fn attend(
    args: &BenchSyncArgs,
    network: &Network,
    committee: &mut Committee,
) -> Result<Report, Failure> {
    let absent = network.validators.len() - 1;
    let member = committee.members()[absent].clone();
    let own = certified(&member).await?;
    committee.kill(absent).await?;
    let others = committee.members()[..absent].to_vec();
    let mut sources = network.transfers(1);
    sources.truncate(absent);
    let load = Load::start(sources, args.load).await?;
    let notes = Notes::new();
    wait_for(&others[0], args.behind, committee, &notes).await?;
    let mut gauge = Gauge::new(&others);
    let before = gauge.measure(&load, BEFORE).await?;

    let tip = certified(&others[0]).await?;
    notes.keep(&format!(
        "{} starts, {} heights behind",
        member.name,
        tip - own
    ));
    let (started, begun) = (Instant::now(), gauge.begin(&load).await?);
    committee.restart(absent, &network.validators[absent])?;
    let proved_at = first_proof(network, &member, tip, committee, absent).await?;
    let first_proof = started.elapsed();
    notes.keep(&format!(
        "a balance is proved at height {proved_at}; catching up"
    ));
    catch_up(&member, &others[0], started).await?;
    let caught_up = started.elapsed();
    let meanwhile = gauge.end(&begun, &load).await?;
    let scrape = scrape(&member).await?;
    let joined_at = as_count(scrape.sum(SYNC_HEIGHT));
    if joined_at == 0 {
        let error = anyhow!(
            "{} caught up block by block: give it more --behind",
            member.name
        );
        return Err(Failure::new(Kind::NothingCommitted, error));
    }
    notes.end();
    load.stop().await;
    Ok(Report {
        validators: args.validators,
        offered_tps: args.load,
        accounts: args.accounts,
        tip,
        own,
        joined_at,
        first_proof_ms: milliseconds(first_proof),
        proved_at,
        caught_up_ms: milliseconds(caught_up),
        sync_bytes: as_count(scrape.sum(SYNC_BYTES)),
        tps_before: before.certified_tps,
        tps_meanwhile: meanwhile.certified_tps,
    })
}

async fn scrape(member: &Member) -> Result<Scrape, Failure> {
    let scraped = Scraper::new().fetch(&member.metrics).await;
    scraped.or_fail(Kind::Endpoint)
}

async fn certified(member: &Member) -> Result<u64, Failure> {
    Ok(as_count(scrape(member).await?.sum(CERTIFIED)))
}

/// Waits until a member has certified a height.
async fn wait_for(
    member: &Member,
    height: u64,
    committee: &mut Committee,
    notes: &Notes,
) -> Result<(), Failure> {
    let others = committee.members().len() - 1;
    loop {
        (0..others).try_for_each(|position| committee.require_running(position))?;
        let reached = certified(member).await?;
        notes.progress(&format!("height {reached} of {height}"));
        if reached >= height {
            return Ok(());
        }
        tokio::time::sleep(SLOW_POLL).await;
    }
}

/// Asks for a balance until one is proved at `tip` or above; the light client checks certificate and proof. The height.
async fn first_proof(
    network: &Network,
    member: &Member,
    tip: u64,
    committee: &mut Committee,
    position: usize,
) -> Result<u64, Failure> {
    let trust = Trust::from_genesis(&network.genesis, "the genesis of this network".into())?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        committee.require_running(position)?;
        // It does not answer while it joins.
        if let Ok(client) = Client::connect(&member.public).await
            && let Ok(info) = client.info().await
            && let Some(height) = info.head_height.filter(|height| *height >= tip)
        {
            let mut accounts = Accounts::new(&client, &trust, Height(height));
            accounts.prove(&network.account(0)).await?;
            return Ok(height);
        }
        tokio::time::sleep(POLL).await;
    }
    Err(late(member))
}

async fn catch_up(member: &Member, other: &Member, started: Instant) -> Result<(), Failure> {
    while started.elapsed() < PATIENCE {
        let (there, here) = (certified(other).await?, certified(member).await?);
        if here + CAUGHT_UP >= there {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(late(member))
}

fn late(member: &Member) -> Failure {
    let error = anyhow!(
        "{} has not caught up within {} s",
        member.name,
        PATIENCE.as_secs()
    );
    Failure::new(Kind::NothingCommitted, error)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn text(report: &Report) -> String {
    output::list([
        (
            "behind",
            format!(
                "{} heights: {} of {}",
                grouped(report.tip - report.own),
                grouped(report.own),
                grouped(report.tip)
            ),
        ),
        (
            "joined at",
            format!(
                "height {}, with {} bytes from its peers",
                grouped(report.joined_at),
                grouped(report.sync_bytes)
            ),
        ),
        (
            "first proof",
            format!(
                "after {:.0} ms: a balance at height {}, verified by the light client",
                report.first_proof_ms,
                grouped(report.proved_at)
            ),
        ),
        ("caught up", format!("after {:.0} ms", report.caught_up_ms)),
        (
            "the others",
            format!(
                "{:.0} transfers a second certified before, {:.0} meanwhile, of {} offered",
                report.tps_before,
                report.tps_meanwhile,
                grouped(report.offered_tps)
            ),
        ),
    ])
}
