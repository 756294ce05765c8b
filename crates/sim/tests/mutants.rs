//! Commit rules broken on purpose, which seeds must notice.
#![cfg(feature = "mutants")]

use quorate_sim::{Behaviour, Mutation, Scenario, SimOptions, run_seed};

/// The first of some seeds that a mutant fails.
fn caught_by(
    mutation: Mutation,
    validators: u16,
    seeds: u64,
    behaviours: &[Behaviour],
) -> Option<u64> {
    let mut options = SimOptions::new(validators, 0..seeds);
    options.mutation = Some(mutation);
    options.scenario = Scenario::Swarm;
    options.behaviours = (!behaviours.is_empty()).then(|| behaviours.to_vec());
    (0..seeds).find(|seed| run_seed(&options, *seed).is_err())
}

#[test]
fn a_certificate_below_the_quorum_is_caught() {
    let seed = caught_by(
        Mutation::CertificateBelowQuorum,
        4,
        500,
        &[Behaviour::Equivocating],
    );
    assert!(seed.is_some());
    println!("seed {seed:?}");
}

#[test]
fn a_skip_judged_per_twin_is_caught() {
    let seed = caught_by(Mutation::SkipPerTwin, 4, 500, &[Behaviour::Equivocating]);
    assert!(seed.is_some());
    println!("seed {seed:?}");
}

#[test]
fn an_anchor_one_round_too_early_is_caught() {
    let seed = caught_by(Mutation::AnchorTooEarly, 4, 500, &[]);
    assert!(seed.is_some());
    println!("seed {seed:?}");
}
