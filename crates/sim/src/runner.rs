//! Runs seeds.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use crate::failure::{Cause, Failure};
use crate::mix::Mix;
use crate::options::SimOptions;
use crate::recording::{Recorder, Recording};
use crate::report::{Report, Summary};
use crate::trace::Timeline;
use crate::world::World;

/// Runs one seed. One that fails is run again to write its timeline.
///
/// # Errors
/// [`Failure`].
pub fn run_seed(options: &SimOptions, seed: u64) -> Result<Report, Box<Failure>> {
    let quietly = || run_once(options, seed, (None, None));
    let failure = match quietly() {
        Ok(report) if options.check_determinism => match quietly() {
            Ok(again) if again == report => return Ok(report),
            Ok(again) => Cause::Determinism {
                first: decoded(&report.trace_hash),
                second: decoded(&again.trace_hash),
            },
            Err(cause) => cause,
        },
        Ok(report) => return Ok(report),
        Err(cause) => cause,
    };
    let timeline = Timeline::default();
    let _ = run_once(options, seed, (Some(Arc::clone(&timeline)), None));
    let moments = std::mem::take(&mut *timeline.lock().unwrap_or_else(PoisonError::into_inner));
    Err(Box::new(Failure {
        validators: options.validators,
        seed,
        scenario: options.scenario,
        cause: failure,
        mix: Mix::draw(seed, options).to_string(),
        timeline: VecDeque::into(moments),
    }))
}

/// Runs one seed, whether it fails or not, and writes all of it down.
#[must_use]
pub fn record_seed(options: &SimOptions, seed: u64) -> Recording {
    let recorder = Recorder::new(Mutex::new(Recording::new(options, seed)));
    let outcome = run_once(options, seed, (None, Some(Arc::clone(&recorder))));
    let mut recording = recorder.lock().unwrap_or_else(PoisonError::into_inner);
    let mut recording = std::mem::take(&mut *recording);
    recording.passed = outcome.is_ok();
    recording.outcome = match outcome {
        Ok(report) => format!(
            "kept all promises: {} rounds, {} heights committed, {} certified",
            report.rounds, report.commits, report.certificates
        ),
        Err(cause) => format!("{}: {cause}", cause.name()),
    };
    recording
}

fn run_once(
    options: &SimOptions,
    seed: u64,
    writers: (Option<Timeline>, Option<Recorder>),
) -> Result<Report, Cause> {
    let run = || {
        let mix = Mix::draw(seed, options);
        World::new(seed, options, mix, writers).run(seed)
    };
    unwinding(run).unwrap_or_else(|message| Err(Cause::Crash(message)))
}

/// Runs a world, and turns a panic into its message.
pub(crate) fn unwinding<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // The world is gone after a panic, so nothing half-done is seen.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").to_owned()
    })
}

fn decoded(hash: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hash, &mut bytes).expect("reports hold the hexadecimal of 32 bytes");
    bytes
}

/// Runs all seeds of the options, on as many threads as they say, and tells `progress` of each as it ends.
///
/// # Panics
/// If the number of validators is outside 4..=128.
pub fn run_seeds(
    options: &SimOptions,
    progress: impl FnMut(u64, &Result<Report, Box<Failure>>),
) -> Summary {
    assert!(
        (4..=128).contains(&options.validators),
        "a committee has 4 to 128 members"
    );
    let run = |seed| run_seed(options, seed);
    let mut summary = Summary::default();
    for outcome in in_parallel(&options.seeds, options.threads, run, progress) {
        match outcome {
            Ok(report) => summary.reports.push(report),
            Err(failure) => summary.failures.push(*failure),
        }
    }
    summary
}

/// Runs seeds on some threads, tells `progress` of each as it ends, and returns what came of them in order of seed.
pub(crate) fn in_parallel<T: Send>(
    seeds: &Range<u64>,
    threads: usize,
    run: impl Fn(u64) -> T + Sync,
    mut progress: impl FnMut(u64, &T),
) -> impl Iterator<Item = T> {
    let next = AtomicU64::new(seeds.start);
    let (sender, receiver) = mpsc::channel();
    let mut outcomes = BTreeMap::new();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (next, sender, run) = (&next, sender.clone(), &run);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let ended = seed >= seeds.end;
                    if ended || sender.send((seed, run(seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (seed, outcome) in receiver {
            progress(seed, &outcome);
            outcomes.insert(seed, outcome);
        }
    });
    outcomes.into_values()
}
