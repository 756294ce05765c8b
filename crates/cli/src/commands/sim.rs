//! `quorate sim`.

mod page;

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::Path;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use quorate_sim::ceremony::{
    CeremonyCause, CeremonyOptions, CeremonyReport, CeremonySummary, run_ceremonies,
};
use quorate_sim::{Cause, Report, Scenario, SimOptions, Summary, record_seed, run_seeds};
use serde::Serialize;

use crate::args::{SimArgs, World};
use crate::failure::{Failure, Kind};
use crate::output;

#[derive(Serialize)]
struct Shown<'a, R> {
    passed: usize,
    failed: usize,
    failures: Vec<ShownFailure>,
    reports: &'a [R],
}

#[derive(Serialize)]
struct ShownFailure {
    seed: u64,
    kind: &'static str,
    cause: String,
    replay: String,
}

pub(crate) fn run(args: SimArgs, json: bool) -> Result<(), Failure> {
    if args.ceremony {
        return run_ceremony_worlds(&args, json);
    }
    let options = SimOptions {
        check_determinism: args.check_determinism,
        threads: threads(&args),
        scenario: match args.scenario {
            World::Swarm => Scenario::Swarm,
            World::Calm => Scenario::Calm,
            World::CrashAll => Scenario::CrashAll,
            World::LossyPartitions => Scenario::LossyPartitions,
            World::CrashOften => Scenario::CrashOften,
            World::LostDisks => Scenario::LostDisks,
            World::LyingDisks => Scenario::LyingDisks,
            World::StateSync => Scenario::StateSync,
        },
        ..SimOptions::new(args.validators, args.seeds.clone())
    };
    let bar = bar(args.seeds.end - args.seeds.start);
    let summary = run_seeds(&options, |_, outcome| {
        bar.inc(1);
        if let Err(failure) = outcome {
            bar.suspend(|| eprintln!("{failure}\n  replay: {}", failure.replay_command()));
        }
    });
    bar.finish_and_clear();
    if args.timeline {
        for failure in &summary.failures {
            eprintln!("{}", failure.timeline_text());
        }
    }
    if let Some(file) = &args.html {
        write_page(&options, &summary, file)?;
    }
    output::print(json, &Shown::new(&summary), |_| summary.table())?;
    verdict(worst(&summary), summary.failures.len(), args.seeds.count())
}

/// Draws the first seed that failed, or the first of all if none did.
fn write_page(options: &SimOptions, summary: &Summary, file: &Path) -> Result<(), Failure> {
    let failed = summary.failures.first().map(|failure| failure.seed);
    let seed = failed.unwrap_or(options.seeds.start);
    let page = page::page(&record_seed(options, seed)).context("the recording is no JSON")?;
    std::fs::write(file, page)
        .with_context(|| format!("cannot write {}", file.display()))
        .map_err(|error| Failure::new(Kind::File, error))?;
    eprintln!("seed {seed} is drawn in {}", file.display());
    Ok(())
}

fn run_ceremony_worlds(args: &SimArgs, json: bool) -> Result<(), Failure> {
    let options = CeremonyOptions {
        check_determinism: args.check_determinism,
        threads: threads(args),
        ..CeremonyOptions::new(args.validators, args.seeds.clone())
    };
    let bar = bar(args.seeds.end - args.seeds.start);
    let summary = run_ceremonies(&options, |_, outcome| {
        bar.inc(1);
        if let Err(failure) = outcome {
            bar.suspend(|| eprintln!("{failure}\n  replay: {}", failure.replay_command()));
        }
    });
    bar.finish_and_clear();
    if args.timeline {
        for failure in &summary.failures {
            eprintln!("{}", failure.timeline_text());
        }
    }
    output::print(json, &Shown::of_ceremonies(&summary), |_| summary.table())?;
    let causes = summary.failures.iter().map(|failure| &failure.cause);
    let worst = causes.max_by_key(|cause| cause.exit_code());
    let kind = worst.map(|cause| match cause {
        CeremonyCause::Crash(_) => Kind::SeedPanicked,
        CeremonyCause::Liveness(_) => Kind::SeedStalled,
        CeremonyCause::Safety(_) => Kind::PromiseBroken,
        CeremonyCause::Determinism { .. } => Kind::NotDeterministic,
    });
    verdict(kind, summary.failures.len(), args.seeds.clone().count())
}

fn threads(args: &SimArgs) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    args.threads.map_or(processors, usize::from)
}

fn verdict(worst: Option<Kind>, failed: usize, seeds: usize) -> Result<(), Failure> {
    match worst {
        None => Ok(()),
        Some(kind) => Err(Failure::new(
            kind,
            anyhow!("{failed} of {seeds} seeds failed"),
        )),
    }
}

impl<'a> Shown<'a, CeremonyReport> {
    fn of_ceremonies(summary: &'a CeremonySummary) -> Self {
        let failures = summary.failures.iter().map(|failure| ShownFailure {
            seed: failure.seed,
            kind: failure.cause.name(),
            cause: failure.cause.to_string(),
            replay: failure.replay_command(),
        });
        Self {
            passed: summary.reports.len(),
            failed: summary.failures.len(),
            failures: failures.collect(),
            reports: &summary.reports,
        }
    }
}

impl<'a> Shown<'a, Report> {
    fn new(summary: &'a Summary) -> Self {
        let failures = summary.failures.iter().map(|failure| ShownFailure {
            seed: failure.seed,
            kind: failure.cause.name(),
            cause: failure.cause.to_string(),
            replay: failure.replay_command(),
        });
        Self {
            passed: summary.reports.len(),
            failed: summary.failures.len(),
            failures: failures.collect(),
            reports: &summary.reports,
        }
    }
}

/// The worst of all failures, in the order of [`Summary::exit_code`].
fn worst(summary: &Summary) -> Option<Kind> {
    let causes = summary.failures.iter().map(|failure| &failure.cause);
    causes.max_by_key(|cause| cause.exit_code()).map(kind_of)
}

/// The kind of failure that a world's is.
pub(crate) const fn kind_of(cause: &Cause) -> Kind {
    match cause {
        Cause::Crash(_) => Kind::SeedPanicked,
        Cause::Liveness(_) => Kind::SeedStalled,
        Cause::Safety(_) => Kind::PromiseBroken,
        Cause::Determinism { .. } => Kind::NotDeterministic,
    }
}

fn bar(seeds: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left");
    ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
