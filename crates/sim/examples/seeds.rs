//! Runs seeds without the `quorate` binary: `cargo run --release -p quorate-sim --example seeds -- 4 0 1000`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use quorate_sim::{SimOptions, run_seeds};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = || numbers.next().and_then(Result::ok);
    let (Some(validators), Some(start), Some(end)) = (next(), next(), next()) else {
        eprintln!("usage: seeds VALIDATORS FIRST END [THREADS]");
        return ExitCode::from(2);
    };
    let Ok(validators @ 4..=128) = u16::try_from(validators) else {
        eprintln!("a committee has 4 to 128 members");
        return ExitCode::from(2);
    };
    let mut options = SimOptions::new(validators, start..end);
    options.threads = next()
        .and_then(|threads| usize::try_from(threads).ok())
        .unwrap_or(1);
    let summary = run_seeds(&options, |_, outcome| {
        if let Err(failure) = outcome {
            println!(
                "{}\n  replay: {}",
                failure.timeline_text(),
                failure.replay_command()
            );
        }
    });
    println!("{}", summary.table());
    ExitCode::from(summary.exit_code())
}
