//! Rules of the agreement broken one at a time: the checks that the real rules pass must find each.

use std::collections::BTreeSet;

use quorate_dkg::agreement::{Agreement, Mutation};

use super::{FIRST, INPUTS, TORN, TRAP, WHOLE, explore, machine, torn, trap};
use crate::local::Limits;
use crate::model::World;

fn broken(mutation: Mutation) -> impl Fn(usize) -> Agreement {
    move |me| machine(me).with_mutation(Some(mutation))
}

fn failures(limits: Limits, mutation: Mutation) -> BTreeSet<&'static str> {
    explore(World::new(limits, &INPUTS, broken(mutation))).1
}

/// Whether some round is not bound when its coin is revealed.
fn is_unbound(mutation: Mutation) -> bool {
    let world = World::new(FIRST, &[0b001, 0b011], broken(mutation));
    world.unbound(0).is_some()
}

#[test]
fn a_coin_before_the_output_is_found() {
    let failed = failures(WHOLE, Mutation::CoinBeforeOutput);
    assert!(failed.contains("no coin before the output"), "{failed:?}");
}

#[test]
fn a_third_echo_without_support_is_found() {
    assert!(is_unbound(Mutation::UnsupportedEcho3));
}

#[test]
fn an_output_from_few_is_found() {
    let make = || broken(Mutation::LowOutput);
    let members = torn(make()).expect("the liar can tear them apart");
    let found = World::resume(TORN, 0b001, &members).unbound(0);
    assert!(found.is_some());
}

#[test]
fn approval_by_few_is_found() {
    let failed = failures(FIRST, Mutation::LowApproval);
    assert!(failed.contains("nobody is stuck"), "{failed:?}");
}

#[test]
fn a_decision_on_the_word_of_the_liar_is_found() {
    let failed = failures(FIRST, Mutation::LowFinish);
    assert!(failed.contains("validity"), "{failed:?}");
}

/// Who decides and halts leaves others in an old round.
#[test]
fn halting_on_a_decision_is_found() {
    let make = || broken(Mutation::HaltOnDecide);
    let members = trap(make()).expect("the liar can set the trap");
    let failed = explore(World::resume(TRAP, 0b001, &members)).1;
    assert!(failed.contains("nobody is stuck"), "{failed:?}");
}

#[test]
fn playing_on_after_a_decision_is_found() {
    let failed = failures(WHOLE, Mutation::PlayOn);
    assert!(failed.contains("who decided by a coin stays"), "{failed:?}");
}
