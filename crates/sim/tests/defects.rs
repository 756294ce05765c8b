//! Deliberate defects, one at a time, each of which seeds must notice: `docs/invariants.md` lists them by name.
//! `cargo test --release -p quorate-sim --features mutants --test defects -- --nocapture` prints which seed noticed what.
#![cfg(feature = "mutants")]

use quorate_sim::{
    Behaviour, Cause, DriverFault, Mutation, Scenario, Schedule, SimOptions, Violation, run_seed,
    run_seeds,
};

/// Seeds within which a defect must be noticed.
const SEEDS: u64 = 500;

/// A world with a liar among four, where nobody holds messages back: votes split by chance find most.
fn liar() -> SimOptions {
    SimOptions {
        schedule: Some(Schedule::Free),
        behaviours: Some(vec![Behaviour::Equivocating]),
        ..SimOptions::new(4, 0..SEEDS)
    }
}

fn scenario(scenario: Scenario) -> SimOptions {
    SimOptions {
        scenario,
        ..SimOptions::new(4, 0..SEEDS)
    }
}

/// What the first seed that fails says.
fn caught(options: &SimOptions) -> Cause {
    let defect = (options.mutation, options.driver_fault);
    let failed = options.seeds.clone().find_map(|seed| {
        let failure = run_seed(options, seed).err()?;
        Some((seed, failure.cause))
    });
    let (seed, cause) = failed.unwrap_or_else(|| panic!("{defect:?} passes {SEEDS} seeds"));
    println!("{defect:?}: seed {seed}: {}: {cause}", cause.name());
    cause
}

fn with_mutation(mutation: Mutation, options: SimOptions) -> Cause {
    caught(&SimOptions {
        mutation: Some(mutation),
        ..options
    })
}

fn with_fault(fault: DriverFault, options: SimOptions) -> Cause {
    caught(&SimOptions {
        driver_fault: Some(fault),
        ..options
    })
}

fn is_fork(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Safety(
            Violation::Commit { .. } | Violation::Header { .. } | Violation::Diverged { .. }
        )
    )
}

#[test]
fn a_certificate_below_the_quorum_forks() {
    let cause = with_mutation(Mutation::CertificateBelowQuorum, liar());
    assert!(is_fork(&cause), "{cause:?}");
}

#[test]
fn a_slot_judged_by_one_twin_forks() {
    let cause = with_mutation(Mutation::SkipPerTwin, liar());
    assert!(is_fork(&cause), "{cause:?}");
}

#[test]
fn an_anchor_one_round_too_early_forks() {
    let cause = with_mutation(
        Mutation::AnchorTooEarly,
        // One seed in a hundred or so finds it; these begin shortly before one.
        SimOptions {
            seeds: 170..170 + SEEDS,
            ..liar()
        },
    );
    assert!(is_fork(&cause), "{cause:?}");
}

#[test]
fn garbage_collected_by_the_own_round_forks() {
    let cause = with_mutation(Mutation::GarbageByOwnRound, SimOptions::new(4, 0..SEEDS));
    assert!(is_fork(&cause), "{cause:?}");
}

#[test]
fn a_coin_that_nobody_verifies_forks() {
    let cause = with_fault(DriverFault::CoinUnverified, liar());
    assert!(is_fork(&cause), "{cause:?}");
}

#[test]
fn a_certificate_that_nobody_verifies_is_shown() {
    let cause = with_fault(DriverFault::CertificateUnverified, liar());
    assert!(
        matches!(cause, Cause::Safety(Violation::Certificate { .. })),
        "{cause:?}"
    );
}

#[test]
fn blocks_without_a_quorum_of_parents_fork() {
    let cause = with_fault(DriverFault::ParentsUnchecked, liar());
    assert!(is_fork(&cause), "{cause:?}");
}

/// A validator that finds out that it has sent what it does not know of asks the others; if all have, nobody goes on.
#[test]
fn sending_before_durable_is_caught() {
    with_fault(
        DriverFault::SendBeforeDurable,
        scenario(Scenario::CrashOften),
    );
}

#[test]
fn a_forgotten_log_is_caught() {
    let cause = with_fault(DriverFault::ForgetLog, scenario(Scenario::CrashOften));
    assert!(matches!(cause, Cause::Safety(_)), "{cause:?}");
}

#[test]
fn a_torn_tail_that_is_not_cut_cannot_be_read_again() {
    let cause = with_fault(DriverFault::KeepTornTail, scenario(Scenario::CrashAll));
    assert!(
        matches!(cause, Cause::Safety(Violation::Restart { .. })),
        "{cause:?}"
    );
}

#[test]
fn a_checkpoint_without_its_state_is_refused() {
    let cause = with_fault(DriverFault::HalfCheckpoint, scenario(Scenario::CrashOften));
    assert!(
        matches!(cause, Cause::Safety(Violation::Restart { .. })),
        "{cause:?}"
    );
}

#[test]
fn a_state_whose_chunks_nobody_verified_is_refused() {
    let mut options = scenario(Scenario::StateSync);
    let liar = Behaviour::Equivocating;
    options.behaviours = Some(vec![liar]);
    let cause = with_fault(DriverFault::ChunksUnverified, options);
    assert!(
        matches!(cause, Cause::Safety(Violation::Restart { .. })),
        "{cause:?}"
    );
}

#[test]
fn a_validator_that_does_not_ask_after_its_disk_was_lost_equivocates() {
    let cause = with_fault(DriverFault::NoGuard, SimOptions::new(4, 0..SEEDS));
    assert!(
        matches!(
            cause,
            Cause::Safety(Violation::Equivocation { .. } | Violation::FalseEvidence { .. })
        ),
        "{cause:?}"
    );
}

#[test]
fn missing_greetings_are_caught_as_a_stall() {
    let cause = with_fault(DriverFault::NoGreeting, scenario(Scenario::CrashAll));
    assert!(matches!(cause, Cause::Liveness(_)), "{cause:?}");
}

#[test]
fn payload_that_is_not_proposed_again_is_caught_as_owed() {
    // With nobody who lies or holds messages back, blocks are late by chance, and only then never output. One seed in some
    // hundreds finds it; these begin shortly before one.
    let options = SimOptions {
        behaviours: Some(Vec::new()),
        schedule: Some(Schedule::Free),
        ..SimOptions::new(4, 425..425 + SEEDS)
    };
    let cause = with_fault(DriverFault::DropReclaimed, options);
    assert!(
        matches!(&cause, Cause::Liveness(stall) if stall.owed > 0),
        "{cause:?}"
    );
}

#[test]
fn a_failure_names_the_command_that_replays_it() {
    let mut options = scenario(Scenario::CrashOften);
    options.seeds = 0..3;
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
