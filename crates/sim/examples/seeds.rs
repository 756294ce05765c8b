//! Runs seeds of the swarm without building the node: `cargo run --profile quick -p quorate-sim --example seeds -- 4 0 100`.
//! Prints one line for each that fails; `quorate sim` tells the whole story of it.

use quorate_sim::{SimOptions, run_seeds};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| {
        text.parse::<u64>()
            .expect("arguments are numbers: validators, first seed, seed after the last")
    });
    let mut next = || numbers.next().expect("three numbers");
    let validators = u16::try_from(next()).expect("at most 128 validators");
    let mut options = SimOptions::new(validators, next()..next());
    options.threads = std::thread::available_parallelism().map_or(1, usize::from);
    let summary = run_seeds(&options, |_, outcome| {
        if let Err(failure) = outcome {
            println!("{failure}");
        }
    });
    let joined: u64 = summary.reports.iter().map(|report| report.joined).sum();
    println!(
        "{} passed, {} failed; {joined} state syncs",
        summary.reports.len(),
        summary.failures.len()
    );
    assert!(summary.failures.is_empty(), "some seeds failed");
}
