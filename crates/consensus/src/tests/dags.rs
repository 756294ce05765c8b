//! The texts in `tests/dags`, and that deliberate mistakes in the rule do not get past them.

use std::collections::BTreeSet;

use crate::Mutation;
use crate::dag_text::Scenario;

macro_rules! dags {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../tests/dags/", $name, ".dag")))),*]
    };
}

const DAGS: &[(&str, &str)] = dags![
    "direct_commit_w4",
    "direct_commit_w5",
    "direct_skip_w4",
    "direct_skip_w5",
    "equivocation_commit_w4",
    "equivocation_loose_w5",
    "equivocation_split_w4",
    "equivocation_split_w5",
    "garbage_w4",
    "garbage_w5",
    "indirect_commit_w4",
    "indirect_commit_w5",
    "indirect_skip_w4",
    "indirect_skip_w5",
    "late_coin_w4",
    "late_leader_w4",
    "late_leader_w5",
    "missing_parents_w4",
    "missing_parents_w5",
    "undecided_w4",
    "undecided_w5",
];

/// Names of the texts that do not hold with `mutation`, with what they say.
fn failures(mutation: Option<Mutation>) -> Vec<String> {
    let mut failures = Vec::new();
    for (name, text) in DAGS {
        let outcome = Scenario::parse(text).and_then(|scenario| {
            let mut options = scenario.options();
            options.mutation = mutation;
            scenario.run_with(options)
        });
        if let Err(error) = outcome {
            failures.push(format!("{name}.dag, {error}"));
        }
    }
    failures
}

#[test]
fn every_text_holds() {
    assert_eq!(failures(None), Vec::<String>::new());
    let names: BTreeSet<_> = DAGS.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), DAGS.len());
}

#[test]
fn a_certificate_below_a_quorum_is_noticed() {
    assert!(!failures(Some(Mutation::CertificateBelowQuorum)).is_empty());
}

#[test]
fn skipping_by_twin_is_noticed() {
    let failures = failures(Some(Mutation::SkipPerTwin));
    assert!(
        failures
            .iter()
            .any(|failure| failure.starts_with("equivocation_split")),
        "{failures:?}"
    );
}

#[test]
fn an_early_anchor_is_noticed() {
    let failures = failures(Some(Mutation::AnchorTooEarly));
    assert!(
        failures
            .iter()
            .any(|failure| failure.starts_with("indirect_commit")),
        "{failures:?}"
    );
}
