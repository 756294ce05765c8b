//! `quorate bench flood`: what a member that floods the others, and clients that do, cost those who keep to the rules.
//!
//! Windows under the same load follow one another: quiet, with the last member flooding in one way, quiet, in another way,
//! quiet, with clients flooding. While it does not flood, that member is absent. What is compared are transactions that the
//! honest members' own clients handed in and saw certified.

mod flooder;
mod source;

use std::time::Duration;

use quorate_node::config::{Config, Pruning};
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::Execution;
use serde::Serialize;

use crate::args::BenchFloodArgs;
use crate::devnet::{Committee, Member, Network, Plan};
use crate::failure::{Failure, Kind, OrFail};
use crate::load::{Load, Opaque, Tally};
use crate::output::{self, grouped};

use super::lay_out;
use super::measure::{Gauge, Quantiles, resident_mib};
pub(super) use flooder::Flooder;
pub(crate) use source::Style;

/// Bytes of a transaction.
const TRANSACTION_BYTES: usize = 512;
/// Connections of flooding clients to each validator.
const CLIENT_CONNECTIONS: u16 = 8;

/// One window.
#[derive(Serialize)]
struct Window {
    flood: &'static str,
    certified_tps: f64,
    certificate_ms: Quantiles,
    rounds_per_second: f64,
    refused: u64,
    resident_mib_max: f64,
    /// What the flood sent or asked for: bytes streamed, calls answered, calls refused.
    streamed_mib: f64,
    answered: u64,
    turned_away: u64,
}

#[derive(Serialize)]
struct Report {
    validators: u16,
    offered_tps: u64,
    window_seconds: u64,
    windows: Vec<Window>,
    /// Throughput while a member floods, by that of the quiet windows.
    member_ratio: f64,
    /// What flooding clients offered, and how many of those transactions were refused with RESOURCE_EXHAUSTED.
    client_flood_tps: u64,
    client_flood_accepted: u64,
    client_flood_refused: u64,
}

pub(super) async fn run(args: &BenchFloodArgs, json: bool) -> Result<(), Failure> {
    let plan = Plan {
        validators: args.validators,
        wave: 5,
        execution: Execution::Opaque,
        accounts: 2,
        transfer_fee: 1,
        pruning: Pruning::default(),
    };
    let (_directory, network) = lay_out("flood", false, &plan).await?;
    for files in &network.validators {
        let mut config = Config::read(&files.config).or_fail(Kind::File)?;
        config.limits.pool_transactions = args.pool;
        let text = config.to_toml();
        let (audience, existing) = (Audience::Everybody, Existing::Replace);
        write_file(&files.config, text.as_bytes(), audience, existing).or_fail(Kind::File)?;
    }
    let mut committee = Committee::start(&network).await?;
    let ran = Box::pin(attend(args, &network, &mut committee)).await;
    committee.stop().await;
    output::print(json, &ran?, text)?;
    Ok(())
}

/// The honest members under load, window by window.
struct Bench {
    load: Load,
    gauge: Gauge,
    members: Vec<Member>,
    seconds: Duration,
    windows: Vec<Window>,
}

async fn attend(
    args: &BenchFloodArgs,
    network: &Network,
    committee: &mut Committee,
) -> Result<Report, Failure> {
    let liar = network.validators.len() - 1;
    committee.kill(liar).await?;
    let members = committee.members()[..liar].to_vec();
    let mut bench = Bench {
        load: Load::start(sources(network, 1), args.load).await?,
        gauge: Gauge::new(&members),
        members,
        seconds: Duration::from_secs(args.seconds),
        windows: Vec::new(),
    };
    for style in [Style::Twins, Style::FarRounds] {
        bench.window("none", None).await?;
        let flooder = Flooder::start(network, liar, style).await?;
        bench.window(style.name(), Some(&flooder)).await?;
        flooder.stop().await;
    }
    bench.window("none", None).await?;
    let flood = Load::start(sources(network, CLIENT_CONNECTIONS), args.client_flood).await?;
    bench.window("clients", None).await?;
    let flooded = flood.stop().await;
    bench.load.stop().await;
    (0..liar).try_for_each(|position| committee.require_running(position))?;
    Ok(report(args, bench.windows, &flooded))
}

/// Clients of all members but the last.
fn sources(network: &Network, connections: u16) -> Vec<(String, Opaque)> {
    let honest = &network.validators[..network.validators.len() - 1];
    (0..connections)
        .flat_map(|_| honest)
        .map(|files| (files.public_url(), Opaque::new(TRANSACTION_BYTES)))
        .collect()
}

impl Bench {
    async fn window(
        &mut self,
        flood: &'static str,
        flooder: Option<&Flooder>,
    ) -> Result<(), Failure> {
        eprintln!("window of {} s, flood: {flood}", self.seconds.as_secs());
        // What was begun before is over, and the flood is under way.
        tokio::time::sleep(self.seconds / 5).await;
        let measured = self.gauge.measure(&self.load, self.seconds).await?;
        let mut resident_mib_max: f64 = 0.0;
        for member in &self.members {
            let resident = resident_mib(member).or_fail(Kind::ValidatorEnded)?;
            resident_mib_max = resident_mib_max.max(resident);
        }
        let done = flooder.map(Flooder::done).unwrap_or_default();
        self.windows.push(Window {
            flood,
            certified_tps: measured.certified_tps,
            certificate_ms: measured.certificate_ms,
            rounds_per_second: measured.rounds_per_second,
            refused: measured.refused,
            resident_mib_max,
            streamed_mib: done.streamed_mib,
            answered: done.answered,
            turned_away: done.turned_away,
        });
        Ok(())
    }
}

fn report(args: &BenchFloodArgs, windows: Vec<Window>, clients: &Tally) -> Report {
    let mean = |wanted: &dyn Fn(&Window) -> bool| {
        let of = windows.iter().filter(|window| wanted(window));
        let (count, sum) = of.fold((0.0, 0.0), |(count, sum), window| {
            (count + 1.0, sum + window.certified_tps)
        });
        if count == 0.0 { 0.0 } else { sum / count }
    };
    let quiet = mean(&|window| window.flood == "none");
    let flooded = mean(&|window| !matches!(window.flood, "none" | "clients"));
    Report {
        validators: args.validators,
        offered_tps: args.load,
        window_seconds: args.seconds,
        member_ratio: if quiet > 0.0 { flooded / quiet } else { 0.0 },
        client_flood_tps: args.client_flood,
        client_flood_accepted: clients.accepted,
        client_flood_refused: ["POOL_FULL", "TOO_MUCH_TRAFFIC"]
            .iter()
            .filter_map(|reason| clients.refused.get(reason))
            .sum(),
        windows,
    }
}

fn text(report: &Report) -> String {
    let milliseconds =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.0}"));
    let rows = report.windows.iter().map(|window| {
        [
            window.flood.to_owned(),
            format!("{:.0}", window.certified_tps),
            milliseconds(window.certificate_ms.p50),
            milliseconds(window.certificate_ms.p99),
            format!("{:.1}", window.rounds_per_second),
            format!("{:.0}", window.resident_mib_max),
            format!("{:.0}", window.streamed_mib),
            grouped(window.answered),
            grouped(window.turned_away),
        ]
    });
    let head = [
        "flood",
        "certified tps",
        "p50 ms",
        "p99 ms",
        "rounds/s",
        "memory MiB",
        "streamed MiB",
        "answered",
        "turned away",
    ];
    let mut text = output::table(head, rows);
    text.push('\n');
    text.push_str(&output::list([
        (
            "member",
            format!(
                "{:.1}% of the quiet throughput while it floods",
                report.member_ratio * 100.0
            ),
        ),
        (
            "clients",
            format!(
                "{} a second offered beyond the load; {} taken, {} refused with RESOURCE_EXHAUSTED",
                grouped(report.client_flood_tps),
                grouped(report.client_flood_accepted),
                grouped(report.client_flood_refused)
            ),
        ),
    ]));
    text
}
