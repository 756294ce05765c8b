//! Every way to lie and every scheduler, one at a time: each does what it is there for, and no harm.

use quorate_sim::{Behaviour, Report, Scenario, Schedule, SimOptions, run_seed};

/// Rounds until the faults end: enough for each lie to be told many times.
const ROUNDS: u64 = 50;

fn run(options: &SimOptions, seed: u64) -> Report {
    run_seed(options, seed).unwrap_or_else(|failure| {
        panic!("{}", failure.timeline_text());
    })
}

/// A short world of four with one liar.
fn world(lie: Behaviour, scenario: Scenario) -> SimOptions {
    SimOptions {
        scenario,
        fault_rounds: Some(ROUNDS),
        behaviours: Some(vec![lie]),
        ..SimOptions::new(4, 0..0)
    }
}

fn calm(lie: Behaviour) -> Report {
    let report = run(&world(lie, Scenario::Calm), 3);
    let lies = if lie == Behaviour::Honest { 0 } else { 1 };
    assert_eq!(report.lies, vec![lie; lies]);
    report
}

/// What honest validators have evidence of: equivocations, coin shares, finality shares.
const fn shown(report: &Report) -> [bool; 3] {
    [
        report.equivocations > 0,
        report.bad_coin_shares > 0,
        report.bad_finality_shares > 0,
    ]
}

#[test]
fn without_a_liar_nothing_is_refused_or_shown() {
    let report = calm(Behaviour::Honest);
    assert_eq!((report.refused, shown(&report)), (0, [false; 3]));
}

#[test]
fn two_blocks_of_one_slot_convict() {
    for lie in [
        Behaviour::Equivocating,
        Behaviour::Splitting,
        Behaviour::InventingParents,
    ] {
        assert_eq!(shown(&calm(lie)), [true, false, false], "{lie:?}");
    }
}

#[test]
fn blocks_withheld_until_too_late_are_asked_for_and_convict_nobody() {
    let report = calm(Behaviour::Withholding);
    assert!(report.fetches > calm(Behaviour::Honest).fetches);
    assert_eq!((report.refused, shown(&report)), (0, [false; 3]));
}

#[test]
fn leaving_parents_out_is_allowed() {
    for lie in [Behaviour::OmittingParents, Behaviour::Shunning] {
        let report = calm(lie);
        assert_eq!((report.refused, shown(&report)), (0, [false; 3]), "{lie:?}");
    }
}

#[test]
fn bad_shares_convict() {
    let report = calm(Behaviour::BadCoinShares);
    assert_eq!(shown(&report), [false, true, false]);
    let report = calm(Behaviour::BadFinalityShares);
    assert_eq!(shown(&report), [false, false, true]);
}

/// Seed 19 runs the real cryptography.
#[test]
fn bad_coin_shares_convict_under_real_keys_too() {
    let report = run(&world(Behaviour::BadCoinShares, Scenario::Calm), 19);
    assert!(report.real_cryptography);
    assert_eq!(shown(&report), [false, true, false]);
}

#[test]
fn what_is_out_of_place_is_refused() {
    for lie in [Behaviour::Replaying, Behaviour::Spamming] {
        assert!(calm(lie).refused > 0, "{lie:?}");
    }
}

#[test]
fn junk_answers_are_refused_and_asked_for_again_elsewhere() {
    let report = run(&world(Behaviour::JunkAnswers, Scenario::LossyPartitions), 1);
    assert!(report.fetches > 0 && report.refused > 0, "{report:?}");
}

#[test]
fn false_greetings_do_not_stop_those_who_lost_their_disks() {
    let mut options = world(Behaviour::FalseGreetings, Scenario::LostDisks);
    options.validators = 7;
    let report = run(&options, 2);
    assert!(report.forgotten > 0, "{report:?}");
}

#[test]
fn every_scheduler_holds_messages_back_and_stops_nothing() {
    for schedule in Schedule::HOSTILE {
        let options = SimOptions {
            schedule: Some(schedule),
            ..world(Behaviour::Honest, Scenario::Calm)
        };
        let report = run(&options, 3);
        assert_eq!(report.schedule, schedule);
        assert!(report.held_back > 0 && report.refused == 0, "{report:?}");
    }
}

#[test]
fn a_scheduler_that_knows_the_coin_keeps_leaders_from_being_committed() {
    let mut options = world(Behaviour::Honest, Scenario::Calm);
    let free = run(&options, 3);
    options.schedule = Some(Schedule::AgainstLeaders);
    let hostile = run(&options, 3);
    let rate = |report: &Report| report.commits * 1000 / report.rounds;
    assert!(rate(&hostile) < rate(&free), "{hostile:?}\n{free:?}");
}
