//! Slices of seeds, and proofs that broken validators are noticed.

use quorate_sim::{
    Behaviour, Cause, DriverFault, Report, Scenario, SimOptions, Violation, run_seed, run_seeds,
};

/// Runs all seeds and fails with the command and the timeline of the first that fails.
fn run(options: &SimOptions) -> Vec<Report> {
    let summary = run_seeds(options, |_, _| {});
    if let Some(failure) = summary.failures.first() {
        panic!(
            "{}\nreplay: {}",
            failure.timeline_text(),
            failure.replay_command()
        );
    }
    summary.reports
}

fn scenario(validators: u16, seeds: std::ops::Range<u64>, scenario: Scenario) -> SimOptions {
    SimOptions {
        scenario,
        ..SimOptions::new(validators, seeds)
    }
}

/// Something of everything must have happened, or the seeds prove nothing.
fn total(reports: &[Report], figure: impl Fn(&Report) -> u64) -> u64 {
    reports.iter().map(figure).sum()
}

#[test]
fn four_validators_keep_all_promises() {
    let reports = run(&SimOptions::new(4, 33..40));
    assert!(reports.iter().any(|report| report.real_cryptography));
    for (what, sum) in [
        ("crashes", total(&reports, |report| report.crashes)),
        ("partitions", total(&reports, |report| report.partitions)),
        ("liars", total(&reports, |report| u64::from(report.liars))),
        ("checkpoints", total(&reports, |report| report.checkpoints)),
        ("torn bytes", total(&reports, |report| report.torn_bytes)),
        ("fetches", total(&reports, |report| report.fetches)),
        ("reclaimed", total(&reports, |report| report.reclaimed)),
        (
            "transactions",
            total(&reports, |report| report.transactions),
        ),
    ] {
        assert!(sum > 0, "no {what} in any of the seeds");
    }
}

#[test]
fn seven_validators_keep_all_promises() {
    run(&SimOptions::new(7, 100..103));
}

#[test]
fn ten_validators_keep_all_promises() {
    run(&SimOptions::new(10, 200..202));
}

/// Seeds that failed once. Both ordered transactions twice: recovery gave back the payload of a lost block although a
/// later block, proposed before the restart, carried it again.
#[test]
fn seeds_that_failed_once_pass() {
    for (validators, seed) in [(7, 802), (10, 143)] {
        run(&SimOptions::new(validators, seed..seed + 1));
    }
}

#[test]
fn a_seed_run_twice_leaves_the_same_trace() {
    let mut options = SimOptions::new(4, 16..20);
    options.check_determinism = true;
    let reports = run(&options);
    options.check_determinism = false;
    options.threads = 2;
    assert_eq!(run(&options), reports, "threads change nothing");
    let mut hashes: Vec<&str> = reports.iter().map(|report| &*report.trace_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), reports.len(), "seeds differ");
}

#[test]
fn all_validators_may_lose_power_at_once() {
    let reports = run(&scenario(4, 0..3, Scenario::CrashAll));
    for report in &reports {
        assert!(report.crashes >= 4, "{report:?}");
    }
    assert!(total(&reports, |report| report.torn_bytes) > 0);
    assert!(total(&reports, |report| report.checkpoints) > 0);
}

#[test]
fn lossy_partitions_delay_and_do_no_harm() {
    let reports = run(&scenario(7, 0..2, Scenario::LossyPartitions));
    for report in &reports {
        assert!(report.partitions > 0 && report.crashes == 0, "{report:?}");
    }
}

#[test]
fn in_a_calm_world_nearly_every_round_commits() {
    for report in run(&scenario(4, 1..4, Scenario::Calm)) {
        assert_eq!(report.crashes + report.partitions, 0);
        assert!(report.commits * 2 > report.rounds, "{report:?}");
        assert!(report.recovery_rounds <= 30, "{report:?}");
    }
}

#[test]
fn liars_within_the_bound_do_no_harm() {
    let mut options = scenario(7, 0..2, Scenario::LossyPartitions);
    options.behaviours = Some(vec![Behaviour::Equivocating; 2]);
    let reports = run(&options);
    assert!(reports.iter().all(|report| report.liars == 2));
}

/// The first failure within forty seeds of a broken driver.
fn caught(fault: DriverFault, scenario: Scenario) -> Option<Cause> {
    caught_in(fault, scenario, 0..40)
}

fn caught_in(fault: DriverFault, scenario: Scenario, seeds: std::ops::Range<u64>) -> Option<Cause> {
    let mut options = SimOptions::new(4, seeds);
    options.scenario = scenario;
    options.driver_fault = Some(fault);
    let mut seeds = options.seeds.clone();
    seeds.find_map(|seed| run_seed(&options, seed).err().map(|failure| failure.cause))
}

/// A validator that finds out that it has sent what it does not know of asks the others; if all have, nobody goes on.
#[test]
fn sending_before_durable_is_caught() {
    let cause = caught(DriverFault::SendBeforeDurable, Scenario::CrashOften);
    assert!(cause.is_some());
}

#[test]
fn a_validator_that_does_not_ask_after_its_disk_was_lost_is_caught_as_equivocation() {
    let cause = caught(DriverFault::NoGuard, Scenario::Swarm);
    assert!(
        matches!(
            cause,
            Some(Cause::Safety(
                Violation::Equivocation { .. } | Violation::FalseEvidence { .. }
            ))
        ),
        "{cause:?}"
    );
}

#[test]
fn lost_disks_and_restored_backups_do_no_harm() {
    let reports = run(&scenario(7, 0..6, Scenario::LostDisks));
    let lost: u64 = reports.iter().map(|report| report.forgotten).sum();
    assert!(lost > 6, "{lost}");
}

#[test]
fn a_forgotten_log_is_caught() {
    let cause = caught(DriverFault::ForgetLog, Scenario::CrashOften);
    assert!(matches!(cause, Some(Cause::Safety(_))), "{cause:?}");
}

#[test]
fn missing_greetings_are_caught_as_a_stall() {
    let cause = caught(DriverFault::NoGreeting, Scenario::CrashAll);
    assert!(matches!(cause, Some(Cause::Liveness(_))), "{cause:?}");
}

#[test]
fn payload_that_is_not_proposed_again_is_caught_as_owed() {
    let cause = caught_in(DriverFault::DropReclaimed, Scenario::Swarm, 100..110);
    assert!(
        matches!(&cause, Some(Cause::Liveness(stall)) if stall.owed > 0),
        "{cause:?}"
    );
}

#[test]
fn a_failure_names_the_command_that_replays_it() {
    let mut options = scenario(4, 0..40, Scenario::CrashOften);
    options.driver_fault = Some(DriverFault::SendBeforeDurable);
    let summary = run_seeds(&options, |_, _| {});
    let failure = summary.failures.first().expect("the driver is broken");
    assert_eq!(summary.exit_code(), failure.cause.exit_code());
    let command = failure.replay_command();
    assert!(
        command.starts_with("quorate sim --validators 4 --seeds "),
        "{command}"
    );
    assert!(summary.table().contains(&command));
    let timeline = failure.timeline_text();
    assert!(timeline.contains("crashes for") && timeline.contains("starts: own round"));
    let again = run_seed(&options, failure.seed).expect_err("it fails again");
    assert_eq!(again.timeline, failure.timeline);
}
