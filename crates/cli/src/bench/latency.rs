//! `quorate bench latency`: how long transactions take on a wide-area network, in simulated time.
//!
//! Whole validators run in the simulator, with the threshold coin, syncs of the log and the time that cryptography takes, so that
//! committees can be measured that no single machine could run in real time. The figures are functions of the arguments.

use anyhow::anyhow;
use quorate_sim::{Latency, LatencyOptions, Links, measure_latency};
use quorate_types::RuleParameters;
use serde::Serialize;

use crate::args::BenchLatencyArgs;
use crate::commands::sim::kind_of;
use crate::failure::{Failure, Kind};
use crate::output;

/// Rounds of blocks that the commit rule keeps.
const GC_DEPTH: u64 = 64;

/// One world's row; times are in milliseconds.
#[derive(Serialize)]
struct Row {
    validators: u16,
    down: u16,
    links: String,
    w: u8,
    leaders: u16,
    transactions: usize,
    round_ms: f64,
    commit_p50_ms: f64,
    commit_p90_ms: f64,
    commit_p99_ms: f64,
    certificate_p50_ms: f64,
    certificate_p90_ms: f64,
    certificate_p99_ms: f64,
    messages: u64,
}

pub(super) fn run(args: &BenchLatencyArgs, json: bool) -> Result<(), Failure> {
    let most_down = (args.validators - 1) / 3;
    if let Some(down) = args.down.iter().find(|down| **down > most_down) {
        let error = anyhow!(
            "--down {down}: of {} validators, at most {most_down} may be down",
            args.validators
        );
        return Err(Failure::new(Kind::Usage, error));
    }
    if args.leaders > args.validators {
        let error = anyhow!(
            "--leaders {}: there are {} validators",
            args.leaders,
            args.validators
        );
        return Err(Failure::new(Kind::Usage, error));
    }
    let mut rows = Vec::new();
    for links in &args.links {
        for wave in &args.waves {
            for down in &args.down {
                rows.push(measure(args, *links, *wave, *down)?);
            }
        }
    }
    output::print(json, &rows, |rows| text(rows))?;
    Ok(())
}

fn measure(args: &BenchLatencyArgs, links: Links, wave: u8, down: u16) -> Result<Row, Failure> {
    let name = match links {
        Links::Uniform { least, most } => format!("{least}-{most} ms"),
        Links::Regions => "regions".to_owned(),
    };
    eprintln!(
        "{} validators, {down} down, links of {name}, w = {wave}: {} simulated seconds",
        args.validators, args.seconds
    );
    let options = LatencyOptions {
        validators: args.validators,
        crashed: down,
        rule: RuleParameters {
            wave,
            leaders: args.leaders,
            gc_depth: GC_DEPTH,
        },
        links,
        load: args.load,
        seconds: args.seconds,
        seed: args.seed,
    };
    let Latency {
        transactions,
        commit,
        certificate,
        round,
        messages,
        ..
    } = measure_latency(&options).map_err(|cause| {
        let kind = kind_of(&cause);
        Failure::new(kind, anyhow!("{cause}"))
    })?;
    Ok(Row {
        validators: args.validators,
        down,
        links: name,
        w: wave,
        leaders: args.leaders,
        transactions,
        round_ms: milliseconds(round),
        commit_p50_ms: milliseconds(commit.p50),
        commit_p90_ms: milliseconds(commit.p90),
        commit_p99_ms: milliseconds(commit.p99),
        certificate_p50_ms: milliseconds(certificate.p50),
        certificate_p90_ms: milliseconds(certificate.p90),
        certificate_p99_ms: milliseconds(certificate.p99),
        messages,
    })
}

fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1e3
}

fn text(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        let three = |p50: f64, p90: f64, p99: f64| format!("{p50:.0} / {p90:.0} / {p99:.0}");
        [
            row.validators.to_string(),
            row.down.to_string(),
            row.links.clone(),
            row.w.to_string(),
            row.leaders.to_string(),
            format!("{:.0}", row.round_ms),
            three(row.commit_p50_ms, row.commit_p90_ms, row.commit_p99_ms),
            three(
                row.certificate_p50_ms,
                row.certificate_p90_ms,
                row.certificate_p99_ms,
            ),
            format!("{:.1}", row.commit_p50_ms / row.round_ms),
        ]
    });
    let head = [
        "n",
        "down",
        "links",
        "w",
        "leaders",
        "round ms",
        "commit p50 / p90 / p99 ms",
        "certificate p50 / p90 / p99 ms",
        "p50 in rounds",
    ];
    output::table(head, rows)
}
