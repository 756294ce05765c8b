//! Runs seeds without building the node: `cargo run --profile quick -p quorate-sim --example seeds -- 4 0 100`.
//!
//! Arguments: validators, first seed, seed after the last; then, if wanted, `ceremony` for key ceremonies instead of the swarm,
//! `twice` to run every seed twice and compare, `timeline` to print all that led to each failure. Prints one line for each seed
//! that fails.

use std::fmt::Display;

use quorate_sim::ceremony::{CeremonyOptions, run_ceremonies};
use quorate_sim::{SimOptions, run_seeds};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> u64 {
        let text = arguments.get(at).map_or("", String::as_str);
        text.parse()
            .expect("three numbers: validators, first seed, seed after the last")
    };
    let validators = u16::try_from(number(0)).expect("at most 128 validators");
    let seeds = number(1)..number(2);
    let known = ["ceremony", "twice", "timeline"];
    for argument in arguments.iter().skip(3) {
        assert!(
            known.contains(&argument.as_str()),
            "{argument:?} is none of {known:?}"
        );
    }
    let wants = |word: &str| arguments.iter().skip(3).any(|argument| argument == word);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let code = if wants("ceremony") {
        let mut options = CeremonyOptions::new(validators, seeds);
        (options.threads, options.check_determinism) = (threads, wants("twice"));
        let summary = run_ceremonies(&options, tell);
        tally(summary.reports.len(), summary.failures.len());
        summary.exit_code()
    } else {
        let mut options = SimOptions::new(validators, seeds);
        (options.threads, options.check_determinism) = (threads, wants("twice"));
        let summary = run_seeds(&options, tell);
        for failure in summary.failures.iter().filter(|_| wants("timeline")) {
            println!("{}", failure.timeline_text());
        }
        let joined: u64 = summary.reports.iter().map(|report| report.joined).sum();
        println!("{joined} state syncs");
        tally(summary.reports.len(), summary.failures.len());
        summary.exit_code()
    };
    std::process::exit(i32::from(code));
}

fn tell<R, F: Display>(_: u64, outcome: &Result<R, F>) {
    if let Err(failure) = outcome {
        println!("{failure}");
    }
}

fn tally(passed: usize, failed: usize) {
    println!("{passed} passed, {failed} failed");
}
