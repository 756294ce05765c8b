//! Restarts from every prefix of a log, and lost logs.

use quorate_dkg::{Engine, Input, MemberSet, Phase, Role};
use quorate_types::ValidatorIndex;
use rand_chacha::rand_core::Rng;

use crate::liars::{FOUR, hint, seeds};
use crate::log::Log;
use crate::work::{FakeWork, RealWork};
use crate::world::{Late, World, is_outgoing, prefix};

const ZERO: ValidatorIndex = ValidatorIndex(0);

/// Runs until member 0 has `count` durable entries; whether it came to that.
fn run_until(world: &mut World<FakeWork>, count: usize) -> bool {
    while world.member(0).log.durable < count {
        if !world.advance() {
            return false;
        }
    }
    true
}

#[test]
fn a_restart_at_every_prefix_of_the_log_changes_nothing_that_was_said() {
    for seed in seeds(3) {
        let mut count = 0;
        loop {
            let mut world = World::<FakeWork>::new(&FOUR, seed, Late::Nothing);
            if !run_until(&mut world, count) {
                break;
            }
            let before = prefix(&world.member(0).log, world.member(0).log.durable);
            world.restart(ZERO, before.clone(), Role::Member);
            let said = before.records.iter().filter(|record| is_outgoing(record));
            assert_eq!(world.member(0).engine.outbox_len(), said.count() as u64);
            world.run();
            world.assert_complete(&format!("{} restarted at {count}", hint(seed)));
            let after = &world.member(0).log.records;
            assert_eq!(after[..before.records.len()], before.records);
            count += 1;
        }
        assert!(count > 30, "there were {count} entries to restart from");
    }
}

#[test]
fn everybody_restarts_again_and_again() {
    for seed in seeds(30) {
        let mut world = World::<FakeWork>::new(&FOUR, seed, Late::Nothing);
        let mut crashes = 0;
        while world.advance() {
            if crashes < 40 && world.rng.next_u32().is_multiple_of(40) {
                crashes += 1;
                let me = u16::try_from(world.rng.next_u32() % 4).unwrap();
                let log = world.member(me).log.clone();
                world.restart(ValidatorIndex(me), log, Role::Member);
            }
        }
        world.assert_complete(&hint(seed));
    }
}

#[test]
fn a_restart_with_keys_goes_on() {
    let mut world = World::<RealWork>::new(&FOUR, 11, Late::Nothing);
    for _ in 0..120 {
        world.advance();
    }
    let log = world.member(1).log.clone();
    world.restart(ValidatorIndex(1), log, Role::Member);
    world.run();
    world.assert_complete("restarted");
    // After the end too: the result and the share come again.
    let log = world.member(1).log.clone();
    world.restart(ValidatorIndex(1), log, Role::Member);
    world.run();
    world.assert_complete("restarted after the end");
    assert!(world.member(1).work.holder.share().is_some());
}

/// Its restart takes a short way to the result, past the broadcasts.
#[test]
fn a_complete_member_names_the_keys_dealings_after_a_restart() {
    let mut world = World::<FakeWork>::new(&FOUR, 14, Late::Nothing);
    world.run();
    let log = world.member(1).log.clone();
    world.restart(ValidatorIndex(1), log, Role::Member);
    world.run();
    let member = world.member(1);
    let dealings = &member.outcome.as_ref().unwrap().transcript.dealings;
    let dealers: MemberSet = dealings.iter().map(|dealing| dealing.dealer).collect();
    assert!(dealers.len() >= 3);
    assert!(dealers.is_subset(member.engine.status().dealings_delivered));
}

#[test]
fn a_member_without_its_log_is_silent_and_gets_its_share() {
    let mut world = World::<RealWork>::new(&FOUR, 12, Late::Nothing);
    for _ in 0..150 {
        world.advance();
    }
    world.restart(ZERO, Log::default(), Role::Silent);
    world.run();
    world.assert_complete("one silent");
    assert_eq!(world.member(0).engine.outbox_len(), 0, "it said nothing");
    assert!(world.member(0).work.holder.share().is_some());
}

#[test]
fn a_dealing_signed_by_itself_tells_a_member_that_its_log_is_lost() {
    let mut world = World::<FakeWork>::new(&FOUR, 13, Late::Nothing);
    assert!(run_until(&mut world, 8));
    world.restart(ZERO, Log::default(), Role::Member);
    // Its peers read on from where they were, so nothing it says now is heard.
    world.run();
    assert!(world.member(0).amnesia);
    assert!(world.member(0).outcome.is_some());
    assert_eq!(world.member(0).engine.status().role, Role::Silent);
    assert!(world.honest().all(|(_, member)| member.outcome.is_some()));
}

#[test]
fn the_word_of_more_than_f_peers_silences_and_that_of_f_does_not() {
    let mut engine = Engine::new(FOUR.ceremony.clone(), ZERO, Role::Member);
    let mut out = Vec::new();
    engine.step(Input::Start, &mut out);
    let claim = |from, held| Input::PeerClaims {
        from: ValidatorIndex(from),
        held,
    };
    engine.step(claim(1, 9), &mut out);
    engine.step(claim(1, 9), &mut out);
    assert_eq!(engine.status().role, Role::Member, "member 1 may lie");
    assert!(engine.status().doubted_by.contains(ValidatorIndex(1)));
    engine.step(claim(2, 0), &mut out);
    assert_eq!(engine.status().role, Role::Member);
    engine.step(claim(3, 1), &mut out);
    assert_eq!(engine.status().role, Role::Silent);
    assert_eq!(engine.status().phase, Phase::Dealing);
}
