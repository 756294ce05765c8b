//! Runs seeds.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, mpsc};

use crate::failure::{Cause, Failure};
use crate::mix::Mix;
use crate::options::SimOptions;
use crate::report::{Report, Summary};
use crate::trace::Timeline;
use crate::world::World;

/// Runs one seed. One that fails is run again to write its timeline.
///
/// # Errors
/// [`Failure`].
pub fn run_seed(options: &SimOptions, seed: u64) -> Result<Report, Box<Failure>> {
    let failure = match run_once(options, seed, None) {
        Ok(report) if options.check_determinism => match run_once(options, seed, None) {
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
    let _ = run_once(options, seed, Some(Arc::clone(&timeline)));
    let moments = std::mem::take(&mut *timeline.lock().unwrap_or_else(PoisonError::into_inner));
    Err(Box::new(Failure {
        validators: options.validators,
        seed,
        cause: failure,
        mix: Mix::draw(seed, options).to_string(),
        timeline: VecDeque::into(moments),
    }))
}

fn run_once(options: &SimOptions, seed: u64, timeline: Option<Timeline>) -> Result<Report, Cause> {
    // The world is gone after a panic, so nothing half-done is seen.
    let run = AssertUnwindSafe(|| {
        let mix = Mix::draw(seed, options);
        World::new(seed, options, mix, timeline).run(seed)
    });
    catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Cause::Crash(text.unwrap_or("no message").to_owned()))
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
    mut progress: impl FnMut(u64, &Result<Report, Box<Failure>>),
) -> Summary {
    assert!(
        (4..=128).contains(&options.validators),
        "a committee has 4 to 128 members"
    );
    let next = AtomicU64::new(options.seeds.start);
    let (sender, receiver) = mpsc::channel();
    let mut outcomes = BTreeMap::new();
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let ended = seed >= options.seeds.end;
                    if ended || sender.send((seed, run_seed(options, seed))).is_err() {
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
    let mut summary = Summary::default();
    for outcome in outcomes.into_values() {
        match outcome {
            Ok(report) => summary.reports.push(report),
            Err(failure) => summary.failures.push(*failure),
        }
    }
    summary
}
