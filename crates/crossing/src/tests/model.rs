//! Everything that can happen to three shards, on the real state machines.
//!
//! D (shard 0) decides; A (1) and B (2) take part; each has one account with one atom. Two transactions want A's atom at once: T1
//! brings the atoms of A and B to D, T2 swaps D's for A's and pays A's to B, which is only paid. A transfer of one atom goes from B to
//! A. A client submits each transaction to any of its shards, in any order, any number of times, and cancels; each shard
//! enters the epoch after the expiry when it likes and forgets what it may; messages are carried whenever anybody likes.
//!
//! **What is left out, and why it may be.** Paths and signatures ([`Bundle::open`](crate::Bundle::open) and the checks of a
//! transaction have tests of their own) and windows: a message that was consumed is acknowledged at once. That only makes room, and
//! with a window that is never full room changes nothing. So where a channel stands by number does not matter, but only
//! what is in it: two states are one ([`Key`]) if epochs, balances, books, memories, messages on their way and what was seen to
//! happen are the same. `what_is_merged_may_be_merged` explores a smaller world without merging, and wants the same keys.
//!
//! **Properties.** In every state I19 to I24 and I26 of `docs/invariants.md`; each conservation line adds up and so do all
//! three. From every state a quiet one can be reached (I27); with B silent for ever, one in which A holds nothing (I28).
//! Numbers of states are pinned, but for the largest world. Each deliberate mistake must be found as what it breaks.

mod explore;
mod world;

use explore::{Explored, explore};
use stateright::{Checker, HasDiscoveries, Model};
use world::{Flaw, Key, Limits, World};

use crate::options::Mutation;

fn run(world: &World) -> Explored<World> {
    explore(world, 3_000_000)
}

/// No promise is broken, a quiet state can always be reached, and things that should happen do.
fn sound(limits: Limits) -> Explored<World> {
    let world = World::new(limits, Flaw::None);
    let explored = run(&world);
    assert_eq!(explored.broken, None);
    assert_eq!(explored.stuck(|state| state.is_quiet(), None), 0);
    // Whoever is silent but the decider, the others get free.
    for (silent, free) in [(1, 2), (2, 1)] {
        let stuck = explored.stuck(|state| state.is_free(free), Some(silent));
        assert_eq!(stuck, 0, "with shard {silent} silent");
    }
    explored
}

#[test]
fn one_transaction_and_a_transfer_are_safe_and_always_end() {
    let explored = sound(Limits {
        transactions: 1,
        ..Limits::ALL
    });
    assert_eq!(explored.count(), 11_594);
    assert!(
        explored.any(|state| state.shows("T1 commits"))
            && explored.any(|state| state.shows("T1 aborts"))
    );
}

#[test]
fn two_conflicting_transactions_are_safe_and_always_end() {
    let explored = sound(Limits {
        transfer: false,
        cancel: false,
        ..Limits::ALL
    });
    assert_eq!(explored.count(), 110_347);
    for sight in ["T1 commits", "T1 aborts", "T2 commits", "T2 aborts"] {
        assert!(explored.any(|state| state.shows(sight)), "{sight}");
    }
    // A silent decider keeps what is held for it: that is what retiring it is for.
    assert!(explored.stuck(|state| state.is_free(1), Some(0)) > 0);
}

/// The checker explores the same world, and finds the same states and no more.
#[test]
fn stateright_finds_the_same_states() {
    let limits = Limits {
        transactions: 1,
        ..Limits::ALL
    };
    let ours = run(&World::new(limits, Flaw::None));
    let checker = World::new(limits, Flaw::None)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    assert_eq!(checker.unique_state_count(), ours.count());
    for property in checker.model().properties() {
        let found = checker.discovery(property.name).is_some();
        let wanted = property.expectation == stateright::Expectation::Sometimes;
        assert_eq!(found, wanted, "{}", property.name);
    }
}

#[test]
fn what_is_merged_may_be_merged() {
    let limits = Limits {
        transactions: 1,
        transfer: false,
        cancel: false,
        ..Limits::ALL
    };
    let merged = run(&World::new(limits, Flaw::None));
    let whole = World::new(
        Limits {
            whole: true,
            ..limits
        },
        Flaw::None,
    );
    let whole = run(&whole);
    assert!(whole.count() > merged.count());
    assert_eq!(whole.keys(Key::merged), merged.keys(Key::merged));
}

#[test]
fn without_cancel_and_expiry_a_silent_voter_keeps_another_one_s_hold() {
    let stuck = |cancel, flaw| {
        let limits = Limits {
            transactions: 1,
            transfer: false,
            cancel,
            ..Limits::ALL
        };
        let explored = run(&World::new(limits, flaw));
        assert_eq!(explored.broken, None);
        explored.stuck(|state| state.is_free(1), Some(2))
    };
    let never = Flaw::Engine(Mutation::NeverExpires);
    assert!(stuck(false, never) > 0);
    // With the expiry alone, or the cancel alone, it does not.
    assert_eq!(stuck(false, Flaw::None), 0);
    assert_eq!(stuck(true, never), 0);
}

#[test]
fn every_deliberate_mistake_is_found_as_what_it_breaks() {
    let engine = Flaw::Engine;
    let pair = Limits {
        transfer: false,
        ..Limits::ALL
    };
    let single = Limits {
        transactions: 1,
        ..Limits::ALL
    };
    let cases = [
        (Flaw::CancelAtParticipant, pair, "I19", 3),
        (Flaw::AbortAfterYes, pair, "I19", 4),
        (engine(Mutation::TombstoneDropped), pair, "I19", 9),
        (engine(Mutation::ForgetEarly), pair, "I20", 4),
        (engine(Mutation::SequenceUnchecked), single, "I21", 3),
        (engine(Mutation::LooseOrder), single, "I21", 3),
        (engine(Mutation::FirstYesCommits), single, "I24", 8),
        (engine(Mutation::CancelAfterCommit), single, "I20", 8),
        (engine(Mutation::YesWithoutHold), single, "I22", 8),
        (engine(Mutation::HoldStays), single, "I22", 8),
    ];
    for (flaw, limits, invariant, most) in cases {
        let explored = run(&World::new(limits, flaw));
        let broken = explored.broken.clone();
        let (what, trace) = broken.unwrap_or_else(|| panic!("{flaw:?} goes unnoticed"));
        println!("{flaw:?} breaks {what}, after {} states:", explored.count());
        for step in &trace {
            println!("    {step:?}");
        }
        assert!(what.starts_with(invariant), "{flaw:?} breaks {what}");
        assert!(trace.len() <= most, "{flaw:?}: {trace:?}");
    }
}
