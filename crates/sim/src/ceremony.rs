//! Worlds of key ceremonies: n members that run the very [`Engine`](quorate_dkg::Engine) and
//! [`KeyHolder`](quorate_dkg::KeyHolder) that the node runs, with real cryptography, each world from one seed.
//!
//! Around them a world simulates
//! - outboxes that peers read in order, each at its own pace, in an order that an adversary chooses ([`Schedule`]): there is
//!   no clock, for no rule reads one;
//! - disks that make records durable after a while, and crashes of honest members at any step, which lose what is not
//!   durable, all of it or a part; restarts from the rest, and one lost disk;
//! - liars, at most f with the lost disk: silent, or dealing what they should not ([`DealingLie`]), or telling each member
//!   something else about dealings, proposals, votes, coins, the certificate and what they are asked for. They are real
//!   members whose words are twisted on their way out.
//!
//! Checked at every step: no honest member contradicts what it said before, crashes or not, none takes another for a
//! liar, all evidence convicts and convicts liars only, and whoever could convict does. At the end: all honest members
//! have the same result and their shares, q of them sign, q - 1 do not ([`BrokenPromise`]). And there is an end
//! ([`CeremonyStall`]), within bounds on steps and rounds.

mod checks;
mod failure;
mod liar;
mod mix;
mod node;
mod options;
mod report;
mod schedule;
mod setup;
mod world;

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

pub use failure::{BrokenPromise, CeremonyCause, CeremonyFailure, CeremonyStall, Limit};
use mix::CeremonyMix;
pub use options::{CeremonyFault, CeremonyOptions, DealingLie, Schedule};
pub use report::{CeremonyReport, CeremonySummary};
use world::World;

use crate::runner::{in_parallel, unwinding};
use crate::trace::Timeline;

/// Runs one seed. One that fails is run again to write its timeline.
///
/// # Errors
/// [`CeremonyFailure`].
pub fn run_ceremony(
    options: &CeremonyOptions,
    seed: u64,
) -> Result<CeremonyReport, Box<CeremonyFailure>> {
    let cause = match run_once(options, seed, None) {
        Ok(report) if options.check_determinism => match run_once(options, seed, None) {
            Ok(again) if again == report => return Ok(report),
            Ok(again) => CeremonyCause::Determinism {
                first: report.trace_hash,
                second: again.trace_hash,
            },
            Err(cause) => cause,
        },
        Ok(report) => return Ok(report),
        Err(cause) => cause,
    };
    let timeline = Timeline::default();
    let _ = run_once(options, seed, Some(Arc::clone(&timeline)));
    let moments = std::mem::take(&mut *timeline.lock().unwrap_or_else(PoisonError::into_inner));
    Err(Box::new(CeremonyFailure {
        members: options.members,
        seed,
        cause,
        mix: CeremonyMix::draw(seed, options).to_string(),
        timeline: VecDeque::into(moments),
    }))
}

fn run_once(
    options: &CeremonyOptions,
    seed: u64,
    timeline: Option<Timeline>,
) -> Result<CeremonyReport, CeremonyCause> {
    let run = || {
        let mix = CeremonyMix::draw(seed, options);
        World::new(seed, options, mix, timeline).run()
    };
    unwinding(run).unwrap_or_else(|message| Err(CeremonyCause::Crash(message)))
}

/// Runs all seeds of the options, on as many threads as they say, and tells `progress` of each as it ends.
///
/// # Panics
/// If the number of members is outside 4..=128.
pub fn run_ceremonies(
    options: &CeremonyOptions,
    progress: impl FnMut(u64, &Result<CeremonyReport, Box<CeremonyFailure>>),
) -> CeremonySummary {
    assert!(
        (4..=128).contains(&options.members),
        "a ceremony has 4 to 128 members"
    );
    let run = |seed| run_ceremony(options, seed);
    let mut summary = CeremonySummary::default();
    for outcome in in_parallel(&options.seeds, options.threads, run, progress) {
        match outcome {
            Ok(report) => summary.reports.push(report),
            Err(failure) => summary.failures.push(*failure),
        }
    }
    summary
}
