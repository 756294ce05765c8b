//! Slices of simulated ceremonies, and proofs that broken members are noticed.

use quorate_sim::ceremony::{
    BrokenPromise, CeremonyCause, CeremonyFault, CeremonyOptions, CeremonyReport, DealingLie,
    Schedule, run_ceremonies, run_ceremony,
};
use quorate_types::ValidatorIndex;

/// Runs all seeds and fails with the command and the timeline of the first that fails.
fn run(options: &CeremonyOptions) -> Vec<CeremonyReport> {
    let summary = run_ceremonies(options, |_, _| {});
    if let Some(failure) = summary.failures.first() {
        panic!(
            "{}\nreplay: {}",
            failure.timeline_text(),
            failure.replay_command()
        );
    }
    summary.reports
}

/// Something of everything must have happened, or the seeds prove nothing.
fn total(reports: &[CeremonyReport], figure: impl Fn(&CeremonyReport) -> u64) -> u64 {
    reports.iter().map(figure).sum()
}

#[test]
fn four_members_keep_all_promises() {
    let reports = run(&CeremonyOptions::new(4, 0..14));
    for (what, sum) in [
        ("liars", total(&reports, |report| report.liars)),
        ("convictions", total(&reports, |report| report.convicted)),
        ("crashes", total(&reports, |report| report.crashes)),
        ("lost disks", total(&reports, |report| report.disks_lost)),
        ("requests", total(&reports, |report| report.fetches)),
    ] {
        assert!(sum > 0, "no {what} in any of the seeds");
    }
}

#[test]
fn seven_members_keep_all_promises() {
    run(&CeremonyOptions::new(7, 100..102));
}

#[test]
fn a_seed_run_twice_leaves_the_same_trace() {
    let mut options = CeremonyOptions::new(4, 3..6);
    options.check_determinism = true;
    options.threads = 2;
    let reports = run(&options);
    let mut hashes: Vec<&str> = reports.iter().map(|report| &*report.trace_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), reports.len(), "seeds differ");
}

#[test]
fn lies_in_dealings_convict() {
    for (dealing, seed) in [
        (DealingLie::WrongDegree, 1),
        (DealingLie::WrongCiphertext, 2),
        (DealingLie::Replay, 3),
        (DealingLie::Truncated, 4),
        (DealingLie::Two, 6),
    ] {
        let mut options = CeremonyOptions::new(4, seed..seed + 4);
        options.dealing = Some(dealing);
        options.schedule = Some(Schedule::Random);
        options.crashes = false;
        let reports = run(&options);
        assert!(
            total(&reports, |report| report.convicted) > 0,
            "{dealing:?}"
        );
    }
}

/// A member that had its result and was restarted read the liar's two dealings, and kept no evidence.
#[test]
fn whoever_has_its_result_still_convicts() {
    let options = CeremonyOptions::new(7, 221..222);
    run(&options);
}

/// The first failure within some seeds of a broken driver.
fn caught(fault: CeremonyFault, schedule: Option<Schedule>) -> Option<CeremonyCause> {
    let mut options = CeremonyOptions::new(4, 0..30);
    options.fault = Some(fault);
    options.schedule = schedule;
    let mut seeds = options.seeds.clone();
    seeds.find_map(|seed| {
        run_ceremony(&options, seed)
            .err()
            .map(|failure| failure.cause)
    })
}

#[test]
fn showing_before_durable_is_caught() {
    let cause = caught(CeremonyFault::ShowBeforeDurable, None);
    assert!(matches!(cause, Some(CeremonyCause::Safety(_))), "{cause:?}");
}

#[test]
fn a_forgotten_log_is_caught() {
    let cause = caught(CeremonyFault::ForgetLog, None);
    assert!(
        matches!(
            cause,
            Some(
                CeremonyCause::Safety(
                    BrokenPromise::FalseEvidence { .. } | BrokenPromise::Contradiction { .. }
                ) | CeremonyCause::Liveness(_)
            )
        ),
        "{cause:?}"
    );
}

#[test]
fn requests_without_answers_are_caught() {
    let starved = Schedule::Starve(ValidatorIndex(0));
    let cause = caught(CeremonyFault::NoAnswers, Some(starved));
    assert!(
        matches!(cause, Some(CeremonyCause::Liveness(_))),
        "{cause:?}"
    );
}

#[test]
fn a_failure_names_the_command_that_replays_it() {
    let mut options = CeremonyOptions::new(4, 0..30);
    options.fault = Some(CeremonyFault::ShowBeforeDurable);
    let failed = |seed| run_ceremony(&options, seed).err();
    let failure = options
        .seeds
        .clone()
        .find_map(failed)
        .expect("the driver is broken");
    let command = failure.replay_command();
    let expected = "quorate sim --ceremony --validators 4 --seeds ";
    assert!(command.starts_with(expected), "{command}");
    assert!(failure.timeline_text().contains("reads 0 of"));
    let again = run_ceremony(&options, failure.seed).expect_err("it fails again");
    assert_eq!(again, failure);
}
