//! The stop commit: tables, and a slow model.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;
use quorate_types::{CommitteeHash, Epoch, EpochSeen, Height, ShardId, ValidatorIndex};

use super::build::{certificate, committee, identity};
use super::fake::group_key;
use crate::handover::{HandoverError, Stop, StopRule};

const NEXT: CommitteeHash = CommitteeHash([1; 32]);
const OTHER: CommitteeHash = CommitteeHash([2; 32]);

fn rule(members: u32) -> StopRule {
    let members: Vec<_> = (0..members).map(identity).collect();
    let sitting = committee(ShardId(0), Epoch(3), group_key(1), &members);
    StopRule::new(&sitting, Height(10))
}

fn seen(author: u16, committee: CommitteeHash) -> (ValidatorIndex, EpochSeen) {
    let epoch = Epoch(4);
    (ValidatorIndex(author), EpochSeen { epoch, committee })
}

#[test]
fn the_term_ends_with_the_first_commit_that_a_quorum_has_seen() {
    let mut rule = rule(4);
    assert_eq!(rule.commit(Height(10), []), Ok(None));
    assert_eq!(
        rule.commit(Height(11), [seen(0, NEXT), seen(1, NEXT)]),
        Ok(None)
    );
    // Again by the same authors: they count once.
    assert_eq!(
        rule.commit(Height(12), [seen(0, NEXT), seen(1, NEXT)]),
        Ok(None)
    );
    let stop = Stop {
        height: Height(13),
        next: NEXT,
    };
    assert_eq!(rule.commit(Height(13), [seen(3, NEXT)]), Ok(Some(stop)));
    assert_eq!(rule.stop(), Some(stop));
    let above = HandoverError::AboveStop {
        last: Height(13),
        found: Height(14),
    };
    assert_eq!(rule.commit(Height(14), [seen(2, NEXT)]), Err(above));
    assert_eq!(rule.require_open(Height(14)), Err(above));
    assert_eq!(rule.require_open(Height(13)), Ok(()));
    assert_eq!(rule.next_committee(Height(12)), Ok(CommitteeHash::ZERO));
    assert_eq!(rule.next_committee(Height(13)), Ok(NEXT));
    assert_eq!(rule.next_committee(Height(14)), Err(above));
}

#[test]
fn commits_come_in_order_and_headers_after_their_commits() {
    let mut rule = rule(4);
    for found in [9, 11].map(Height) {
        let expected = Height(10);
        let refused = Err(HandoverError::OutOfOrder { expected, found });
        assert_eq!(rule.commit(found, []), refused);
    }
    let (next, found) = (Height(10), Height(10));
    let refused = Err(HandoverError::NotCommitted { next, found });
    assert_eq!(rule.next_committee(Height(10)), refused);
}

#[test]
fn other_epochs_strangers_and_second_words_do_not_count() {
    let mut rule = rule(4);
    let old = (
        ValidatorIndex(2),
        EpochSeen {
            epoch: Epoch(3),
            committee: NEXT,
        },
    );
    let said = [
        seen(0, NEXT),
        seen(1, NEXT),
        old,
        seen(4, NEXT),
        seen(99, NEXT),
    ];
    assert_eq!(rule.commit(Height(10), said), Ok(None));
    // Member 2 names another committee first, so its second word is worth nothing.
    assert_eq!(
        rule.commit(Height(11), [seen(2, OTHER), seen(2, NEXT)]),
        Ok(None)
    );
    let stop = Stop {
        height: Height(12),
        next: NEXT,
    };
    assert_eq!(rule.commit(Height(12), [seen(3, NEXT)]), Ok(Some(stop)));
}

#[test]
fn a_header_ends_the_term_exactly_at_its_last_height() {
    let members: Vec<_> = (0..4).map(identity).collect();
    let sitting = committee(ShardId(0), Epoch(3), group_key(1), &members);
    let mut rule = rule(4);
    rule.commit(Height(10), []).unwrap();
    rule.commit(Height(11), (0..4).map(|author| seen(author, NEXT)))
        .unwrap();
    let check = |height, next| rule.require_header(&certificate(&sitting, height, next, 0).header);
    let none = CommitteeHash::ZERO;
    assert_eq!(check(10, none), Ok(()));
    assert_eq!(check(11, NEXT), Ok(()));
    for (height, expected, found) in [(10, none, NEXT), (11, NEXT, none), (11, NEXT, OTHER)] {
        let height_of = Height(height);
        let refused = HandoverError::OtherSuccessor {
            height: height_of,
            expected,
            found,
        };
        assert_eq!(check(height, found), Err(refused));
    }
}

/// The stop by looking at all commits at once.
fn slow(commits: &[Vec<(ValidatorIndex, EpochSeen)>], members: u16, quorum: usize) -> Option<Stop> {
    (1..=commits.len()).find_map(|count| {
        let mut first: BTreeMap<ValidatorIndex, CommitteeHash> = BTreeMap::new();
        for (author, said) in commits[..count].iter().flatten() {
            if author.0 < members && said.epoch == Epoch(4) && !first.contains_key(author) {
                first.insert(*author, said.committee);
            }
        }
        [NEXT, OTHER].into_iter().find_map(|next| {
            let named = first
                .values()
                .filter(|committee| **committee == next)
                .count();
            let height = Height(9 + u64::try_from(count).unwrap());
            (named >= quorum).then_some(Stop { height, next })
        })
    })
}

proptest! {
    #[test]
    fn every_member_finds_the_stop_that_a_look_at_everything_finds(
        size in 4u16..14,
        said in prop::collection::vec(
            prop::collection::vec((0u16..16, 0u8..8, 3u64..5), 0..6),
            1..30,
        ),
    ) {
        let commits: Vec<Vec<_>> = said
            .iter()
            .map(|commit| {
                let word = |(author, other, epoch): &(u16, u8, u64)| {
                    let committee = if *other == 0 { OTHER } else { NEXT };
                    let epoch = Epoch(*epoch);
                    (ValidatorIndex(*author), EpochSeen { epoch, committee })
                };
                commit.iter().map(word).collect()
            })
            .collect();
        let mut rule = rule(u32::from(size));
        let quorum = usize::from(size - (size - 1) / 3);
        for (height, commit) in (10..).map(Height).zip(&commits) {
            let known = rule.stop();
            let taken = rule.commit(height, commit.iter().copied());
            prop_assert_eq!(taken.is_err(), known.is_some());
        }
        prop_assert_eq!(rule.stop(), slow(&commits, size, quorum));
    }
}
