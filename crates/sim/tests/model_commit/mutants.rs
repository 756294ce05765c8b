//! The commit rule broken in one place at a time: agreement must be seen to fail.

use quorate_consensus::{Mutation, Options};

use super::{Limits, QUORUM, World, explore, limits};
use crate::views::Adjust;

fn assert_found(adjust: Adjust, limits: impl Fn(u8) -> Limits) {
    for wave in [4, 5] {
        let (_, failed) = explore(World::new(limits(wave), adjust));
        assert!(failed.contains("agreement"), "w = {wave}: {failed:?}");
    }
}

/// The liar votes for the leader's block and against it: a quorum skips, and one vote less than a quorum certifies.
#[test]
fn a_certificate_below_a_quorum_is_found() {
    let adjust = |options: &mut Options| options.mutation = Some(Mutation::CertificateBelowQuorum);
    assert_found(adjust, |wave| Limits {
        certificate: QUORUM - 1,
        ..limits(wave, 0, 1)
    });
}

/// Only a leader with two blocks can have one of them judged alone.
#[test]
fn skipping_one_twin_for_both_is_found() {
    let adjust = |options: &mut Options| options.mutation = Some(Mutation::SkipPerTwin);
    assert_found(adjust, |wave| limits(wave, 0, 0));
}

/// One block of the certify round need not have the certificates of the others below it.
#[test]
fn an_anchor_too_early_is_found() {
    let adjust = |options: &mut Options| options.mutation = Some(Mutation::AnchorTooEarly);
    assert_found(adjust, |wave| limits(wave, 0, 1));
}
