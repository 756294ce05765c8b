//! Why leaders are drawn by a coin: a scheduler that delays the blocks of known leaders, and nothing else, stops agreement
//! for ever; against a coin it can only guess.
//!
//! Everything runs round by round with the engines themselves. The scheduler loses nothing: a delayed block arrives a
//! few rounds later. `QUORATE_REWRITE=1 cargo test -p quorate-sim --test schedulers` draws docs/scheduler.svg again.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod plot;
mod scheduler;

use scheduler::{Hostile, Leaders, Setting};

/// Rounds of every run.
const ROUNDS: u64 = 2_000;

fn run(size: u16, wave: u8, leaders: Leaders) -> Hostile {
    let mut world = Hostile::new(Setting {
        size,
        wave,
        leaders,
    });
    for _ in 0..ROUNDS {
        world.round();
    }
    world
}

/// Each member leaves the blocks of the f latest leaders out of its own block. That keeps the votes of a wave w = f + 3
/// rounds long apart: some member votes against every leader, and all but one of those who would certify it see that vote.
#[test]
fn known_leaders_never_commit() {
    for (size, wave) in [(4, 4), (7, 5)] {
        let world = run(size, wave, Leaders::RoundRobin);
        assert_eq!(world.committed(), 0, "n = {size}, w = {wave}");
        assert!(world.all_arrives(), "delayed, not lost");
    }
}

/// The same committees, the same scheduler, and only the leaders unknown until it is too late.
#[test]
fn the_coin_commits_more_than_every_third_round() {
    for (size, wave) in [(4, 4), (4, 5), (7, 5), (10, 5)] {
        let world = run(size, wave, Leaders::Coin { seed: 7 });
        let committed = world.committed();
        assert!(
            committed * 3 >= ROUNDS,
            "n = {size}, w = {wave}: {committed} of {ROUNDS} rounds"
        );
        assert!(world.all_arrives());
    }
}

/// Without the scheduler's delays known leaders do commit: it is the delays that stop them.
#[test]
fn known_leaders_commit_while_nobody_is_hostile() {
    let mut world = Hostile::new(Setting {
        size: 4,
        wave: 5,
        leaders: Leaders::RoundRobin,
    });
    world.be_kind();
    for _ in 0..100 {
        world.round();
    }
    assert!(world.committed() > 80, "{} commits", world.committed());
}

#[test]
fn the_picture_in_the_documentation_is_of_these_runs() {
    let lines = [
        ("round-robin, n = 7, w = 5", run(7, 5, Leaders::RoundRobin)),
        ("coin, n = 7, w = 5", run(7, 5, Leaders::Coin { seed: 7 })),
        ("round-robin, n = 4, w = 4", run(4, 4, Leaders::RoundRobin)),
        ("coin, n = 4, w = 5", run(4, 5, Leaders::Coin { seed: 7 })),
    ];
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, world)| (*name, world.history()))
        .collect();
    plot::compare_or_rewrite(&plot::svg(&lines, ROUNDS));
}
