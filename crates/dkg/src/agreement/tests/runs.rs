//! Many runs, and what must be true of each; and that the same checks notice broken rules.

use super::network::{Ended, Network, ORDERS, Order};
use crate::agreement::Mutation;

/// Runs beyond this many rounds have probability 2^-30 or so.
const ROUNDS: u32 = 40;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Two honest members decided differently.
    Disagreement,
    /// Honest members had one opinion, and something else was decided.
    Invalid,
    /// Nothing is under way, and not all honest members decided.
    DeadLock,
    /// All decided, and some wait for ever for others to say so.
    NotHalted,
    /// Too many rounds.
    Endless,
}

fn judge(ended: &Ended) -> Result<(), Fault> {
    let decided: Vec<bool> = ended.decided.iter().copied().flatten().collect();
    if decided.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Fault::Disagreement);
    }
    let unanimous = ended.inputs.windows(2).all(|pair| pair[0] == pair[1]);
    if unanimous && decided.iter().any(|value| *value != ended.inputs[0]) {
        return Err(Fault::Invalid);
    }
    if ended.round_max > ROUNDS {
        return Err(Fault::Endless);
    }
    if decided.len() < ended.decided.len() {
        return Err(Fault::DeadLock);
    }
    if !ended.halted {
        return Err(Fault::NotHalted);
    }
    Ok(())
}

fn run(
    members: u16,
    seed: u64,
    order: Order,
    mutation: Option<Mutation>,
) -> (Ended, Result<(), Fault>) {
    let ended = Network::new(members, seed, order, mutation).run(ROUNDS);
    let verdict = judge(&ended);
    (ended, verdict)
}

/// The seeds of a test: `AGREEMENT_SEED` alone, if it is set.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let only = std::env::var("AGREEMENT_SEED").ok();
    match only.and_then(|seed| seed.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    }
}

fn all_end_well(members: u16, count: u64) {
    let mut coins = 0;
    for seed in seeds(count) {
        for order in ORDERS {
            let (ended, verdict) = run(members, seed, order, None);
            assert_eq!(
                verdict,
                Ok(()),
                "{order:?}, seed {seed}: {ended:?}; replay with \
                 AGREEMENT_SEED={seed} cargo test -p quorate-dkg agreement::tests::runs"
            );
            coins += u64::from(ended.used_coin);
        }
    }
    assert!(coins > 0, "some runs must need a real coin");
}

#[test]
fn four_members_agree() {
    all_end_well(4, 300);
}

#[test]
fn seven_members_agree() {
    all_end_well(7, 60);
}

#[test]
fn ten_members_agree() {
    all_end_well(10, 15);
}

/// Looks for a run that goes wrong in this way with a broken rule, and well with the rule whole.
fn caught(members: u16, order: Order, mutation: Mutation, fault: Fault) {
    for seed in 0..3000 {
        let (_, verdict) = run(members, seed, order, Some(mutation));
        if verdict == Err(fault) {
            let (ended, whole) = run(members, seed, order, None);
            assert_eq!(whole, Ok(()), "seed {seed}: {ended:?}");
            return;
        }
    }
    panic!("{mutation:?} went unnoticed");
}

#[test]
fn members_that_stop_answering_when_they_decide_leave_others_waiting() {
    caught(4, Order::New, Mutation::HaltOnDecide, Fault::DeadLock);
}

#[test]
fn members_that_play_on_do_so_for_as_long_as_finishes_are_delayed() {
    caught(7, Order::FinishesLast, Mutation::PlayOn, Fault::Endless);
}

#[test]
fn deciding_on_the_word_of_liars_is_noticed() {
    caught(4, Order::Any, Mutation::LowFinish, Fault::Invalid);
}

#[test]
fn approving_what_few_members_sent_is_noticed() {
    caught(4, Order::Any, Mutation::LowApproval, Fault::DeadLock);
}
