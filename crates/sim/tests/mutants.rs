//! Commit rules broken on purpose, which seeds must notice:
//! `cargo test --release -p quorate-sim --features mutants --test mutants`.
//!
//! Each test knows where its seed is, so that it is quick; if what seeds draw changes, widen the range to find another.
#![cfg(feature = "mutants")]

use std::ops::Range;

use quorate_sim::{Behaviour, Cause, Mutation, SimOptions, run_seed};

/// What the first of some seeds says that a mutant fails.
fn caught(mutation: Mutation, seeds: Range<u64>, behaviours: &[Behaviour]) -> Option<(u64, Cause)> {
    let mut options = SimOptions::new(4, seeds.clone());
    options.mutation = Some(mutation);
    options.behaviours = (!behaviours.is_empty()).then(|| behaviours.to_vec());
    seeds.into_iter().find_map(|seed| {
        let failure = run_seed(&options, seed).err()?;
        Some((seed, failure.cause))
    })
}

#[test]
fn a_certificate_below_the_quorum_forks() {
    let liar = [Behaviour::Equivocating];
    let caught = caught(Mutation::CertificateBelowQuorum, 0..40, &liar);
    assert!(matches!(caught, Some((_, Cause::Safety(_)))), "{caught:?}");
}

#[test]
fn an_anchor_one_round_too_early_forks() {
    let caught = caught(Mutation::AnchorTooEarly, 100..140, &[]);
    assert!(matches!(caught, Some((_, Cause::Safety(_)))), "{caught:?}");
}

#[test]
fn a_slot_judged_by_one_twin_forks() {
    let liar = [Behaviour::Equivocating];
    let caught = caught(Mutation::SkipPerTwin, 0..40, &liar);
    assert!(matches!(caught, Some((_, Cause::Safety(_)))), "{caught:?}");
}
