//! Assignments: who sits where, how little changes from epoch to epoch, and that chance alone decides.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_beacon::{
    Assignment, AssignmentError, Draw, Placement, Population, QuorumRule, Registry, ShardChange,
    score,
};
use quorate_types::{Hash32, IdentityKey, ShardId};

const RULE: QuorumRule = QuorumRule::SEVEN_TENTHS;

fn key(number: u32) -> IdentityKey {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    IdentityKey(bytes)
}

fn seed(number: u32) -> Hash32 {
    let mut bytes = [0x5e; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Hash32(bytes)
}

fn registry(numbers: impl IntoIterator<Item = u32>) -> Registry {
    Registry::new(numbers.into_iter().map(key).collect()).unwrap()
}

fn partition(shards: u32, registry: &Registry, epoch: u32) -> Assignment {
    Assignment::first(Placement::Partition, shards, registry, &seed(epoch)).unwrap()
}

fn committees(assignment: &Assignment) -> Vec<BTreeSet<IdentityKey>> {
    (0..assignment.shards())
        .map(|shard| assignment.members(ShardId(shard)).copied().collect())
        .collect()
}

fn sizes(assignment: &Assignment) -> Vec<usize> {
    committees(assignment).iter().map(BTreeSet::len).collect()
}

/// Every registered validator sits in exactly one shard, and nobody else does.
fn assert_partition(assignment: &Assignment, registry: &Registry) {
    let mut placed: Vec<IdentityKey> = committees(assignment).into_iter().flatten().collect();
    placed.sort_unstable();
    assert_eq!(placed, registry.keys());
    for key in registry.keys() {
        assert_eq!(assignment.shards_of(key).count(), 1);
    }
}

#[test]
fn a_score_is_the_hash_of_tag_seed_shard_and_key() {
    // From another implementation of BLAKE3, over "shrd-scr", 00 01 .. 1f, 07 00 00 00 and 32 times 09.
    let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let found = score(&Hash32(bytes), ShardId(7), &IdentityKey([9; 32]));
    assert_eq!(found.to_hex(), SCORE);
}
const SCORE: &str = "7e2d901759a4122d29c6f9d4faf68dc9550d89f8cf397c13eca1cca579cf8b54";

#[test]
fn sizes_are_as_equal_as_possible() {
    for (validators, shards, expected) in [
        (16, 4, vec![4, 4, 4, 4]),
        (18, 4, vec![5, 5, 4, 4]),
        (19, 1, vec![19]),
        (1000, 7, vec![143, 143, 143, 143, 143, 143, 142]),
    ] {
        let registry = registry(0..validators);
        let assignment = partition(shards, &registry, 1);
        assert_partition(&assignment, &registry);
        assert_eq!(sizes(&assignment), expected);
    }
}

#[test]
fn the_order_of_registration_does_not_matter_and_the_seed_does() {
    let forward = registry(0..60);
    let mut shuffled: Vec<u32> = (0..60).collect();
    shuffled.sort_by_key(|number| (number * 37) % 61);
    assert_ne!(shuffled, (0..60).collect::<Vec<_>>());
    let shuffled = registry(shuffled);
    for placement in [Placement::Partition, Placement::Drawn { seats: 20 }] {
        let first = Assignment::first(placement, 4, &forward, &seed(1)).unwrap();
        let same = Assignment::first(placement, 4, &shuffled, &seed(1)).unwrap();
        assert_eq!(first, same);
        let other = Assignment::first(placement, 4, &forward, &seed(2)).unwrap();
        assert_ne!(first, other);
        let next = first.next(RULE, &forward, &seed(3)).unwrap();
        assert_eq!(next, same.next(RULE, &shuffled, &seed(3)).unwrap());
        assert_ne!(next, first.next(RULE, &forward, &seed(4)).unwrap());
    }
}

#[test]
fn by_default_everybody_sits_everywhere() {
    assert_eq!(Placement::default(), Placement::Everyone);
    let before = registry(0..10);
    let first = Assignment::first(Placement::Everyone, 3, &before, &seed(1)).unwrap();
    let after = registry(2..13);
    let next = first.next(RULE, &after, &seed(2)).unwrap();
    for shard in (0..3).map(ShardId) {
        assert!(first.members(shard).eq(before.keys()));
        assert!(next.assignment.members(shard).eq(after.keys()));
    }
    assert_eq!(first.members(ShardId(3)).len(), 0);
    let change = ShardChange {
        exited: vec![key(0), key(1)],
        moved: Vec::new(),
        arrived: vec![key(10), key(11), key(12)],
    };
    assert_eq!(next.changes, vec![change; 3]);
    let shards: Vec<u32> = first.shards_of(&key(4)).map(|shard| shard.0).collect();
    assert_eq!(shards, [0, 1, 2]);
}

#[test]
fn a_swap_is_bounded_keeps_sizes_and_in_time_moves_everybody() {
    let registry = registry(0..203);
    let mut assignment = partition(4, &registry, 0);
    let (before, start) = (sizes(&assignment), committees(&assignment));
    let mut moved_most = 0;
    for epoch in 1..=60 {
        let next = assignment.next(RULE, &registry, &seed(epoch)).unwrap();
        assert_partition(&next.assignment, &registry);
        assert_eq!(sizes(&next.assignment), before);
        for (size, change) in before.iter().zip(&next.changes) {
            let most = RULE.swap_max(u32::try_from(*size).unwrap()).unwrap();
            let moved = u32::try_from(change.moved.len()).unwrap();
            assert!(moved <= most, "{moved} moved, {most} may");
            assert_eq!(change.moved.len(), change.arrived.len());
            assert!(change.exited.is_empty());
            moved_most = moved_most.max(moved);
        }
        assignment = next.assignment;
    }
    // 51 and 50 members: q = 36 and 35, w = 7. A bound that is never reached would be no test of it.
    assert_eq!(moved_most, 7);
    for (old, new) in start.iter().zip(committees(&assignment)) {
        // About a quarter of old members is back by chance: 12.75 of 51, standard deviation 2.7.
        assert!((3..24).contains(&old.intersection(&new).count()));
    }
}

#[test]
fn exits_count_towards_the_swap_and_newcomers_level_sizes() {
    let before = registry(0..100);
    let first = partition(2, &before, 0);
    // w of 50 members is 7. Ten of shard 0 exit, so that it moves nobody; shard 1 moves seven and none comes back.
    let gone: BTreeSet<_> = first.members(ShardId(0)).take(10).copied().collect();
    let stay = before
        .keys()
        .iter()
        .filter(|key| !gone.contains(key))
        .copied();
    let after = Registry::new(stay.chain((200..203).map(key)).collect()).unwrap();
    let next = first.next(RULE, &after, &seed(1)).unwrap();
    assert_partition(&next.assignment, &after);
    assert!(next.changes[0].exited.iter().eq(&gone));
    assert!(next.changes[0].moved.is_empty());
    assert!(next.changes[1].exited.is_empty());
    assert!(next.changes[1].moved.len() <= 7);
    assert_eq!(sizes(&next.assignment), [47, 46]);
}

#[test]
fn a_shard_that_too_many_left_is_named_and_a_fresh_start_helps() {
    let before = registry(0..60);
    let first = partition(2, &before, 0);
    let stay = first.members(ShardId(1)).copied();
    let after = Registry::new(stay.collect()).unwrap();
    // Thirty of shard 1 remain, of which w = 4 may go to the empty shard 0.
    let filled = first.next(RULE, &after, &seed(1)).unwrap();
    assert_eq!(sizes(&filled.assignment), [4, 26]);
    let strict = QuorumRule::per_mille(1000).unwrap();
    let refused = first.next(strict, &after, &seed(1));
    let shard = ShardId(0);
    assert_eq!(
        refused,
        Err(AssignmentError::ShardTooSmall { shard, members: 1 })
    );
    assert_eq!(sizes(&partition(2, &after, 2)), [15, 15]);
}

#[test]
fn drawn_committees_keep_their_seats_and_swap_few() {
    let everybody = registry(0..40);
    let placement = Placement::Drawn { seats: 28 };
    let mut assignment = Assignment::first(placement, 5, &everybody, &seed(0)).unwrap();
    assert_eq!(assignment.placement(), placement);
    for epoch in 1..40 {
        // Two validators come and go.
        let now = registry((0..38).chain([100 + epoch, 200 + epoch]));
        let next = assignment.next(RULE, &now, &seed(epoch)).unwrap();
        for (before, change) in committees(&assignment).iter().zip(&next.changes) {
            // n = 28, q = 20, w = 4.
            let swap = 4usize.saturating_sub(change.exited.len());
            assert_eq!(change.moved.len(), swap);
            assert_eq!(
                change.arrived.len(),
                change.moved.len() + change.exited.len()
            );
            assert!(change.arrived.iter().all(|key| !before.contains(key)));
        }
        assert_eq!(sizes(&next.assignment), [28; 5]);
        assignment = next.assignment;
    }
    // With nobody else to take, those that left come back.
    let least = registry(0..28);
    let all = Assignment::first(placement, 2, &least, &seed(0)).unwrap();
    let same = all.next(RULE, &least, &seed(1)).unwrap();
    assert_eq!(same.assignment, all);
    assert_eq!(same.changes, vec![ShardChange::default(); 2]);
}

#[test]
fn what_is_out_of_bounds_is_named() {
    let registry = registry(0..15);
    let first = |placement, shards| Assignment::first(placement, shards, &registry, &seed(0));
    for found in [0, 257, u32::MAX] {
        for placement in [Placement::Everyone, Placement::Partition] {
            let refused = Err(AssignmentError::Shards { found });
            assert_eq!(first(placement, found), refused);
        }
    }
    for seats in [0, 3, 16] {
        let validators = 15;
        let refused = Err(AssignmentError::Seats { seats, validators });
        assert_eq!(first(Placement::Drawn { seats }, 2), refused);
    }
    let shard = ShardId(3);
    let refused = AssignmentError::ShardTooSmall { shard, members: 3 };
    assert_eq!(first(Placement::Partition, 4), Err(refused));
    let drawn = first(Placement::Drawn { seats: 12 }, 2).unwrap();
    let fewer = Registry::new((0..11).map(key).collect()).unwrap();
    let refused = AssignmentError::Seats {
        seats: 12,
        validators: 11,
    };
    assert_eq!(drawn.next(RULE, &fewer, &seed(1)), Err(refused));
}

/// Pearson's statistic of how often each number of Byzantine members was seen, against the law of `draw`, in standard
/// deviations from its mean. Numbers expected fewer than five times are taken together.
fn deviation(seen: &BTreeMap<u32, u32>, draw: &Draw) -> f64 {
    let samples: u32 = seen.values().sum();
    let (mut statistic, mut cells, mut rare) = (0.0, 0, (0.0, 0.0));
    let mut cell = |found: f64, expected: f64| {
        statistic += (found - expected).powi(2) / expected;
        cells += 1;
    };
    for members in 0..=draw.committee() {
        let expected = draw.exactly(members).decimal(15).map_or(0.0, |decimal| {
            let power = i32::try_from(decimal.exponent).unwrap();
            decimal.mantissa as f64 * 10f64.powi(power) * f64::from(samples)
        });
        let found = f64::from(seen.get(&members).copied().unwrap_or(0));
        if expected < 5.0 {
            rare = (rare.0 + found, rare.1 + expected);
        } else {
            cell(found, expected);
        }
    }
    cell(rare.0, rare.1);
    let freedom = f64::from(cells - 1);
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

/// How many of the first `byzantine` validators sit in shard 1 after `swaps` epochs, over many seeds.
fn sample(placement: Placement, byzantine: u32, swaps: u32, runs: u32) -> BTreeMap<u32, u32> {
    let registry = registry(0..80);
    let colluding: Vec<IdentityKey> = (0..byzantine).map(key).collect();
    let mut seen = BTreeMap::new();
    for run in 0..runs {
        let first = seed(run * (swaps + 1));
        let mut assignment = Assignment::first(placement, 4, &registry, &first).unwrap();
        for swap in 1..=swaps {
            let seed = seed(run * (swaps + 1) + swap);
            assignment = assignment.next(RULE, &registry, &seed).unwrap().assignment;
        }
        let members: BTreeSet<_> = assignment.members(ShardId(1)).collect();
        let count = colluding.iter().filter(|key| members.contains(key)).count();
        *seen.entry(u32::try_from(count).unwrap()).or_default() += 1;
    }
    seen
}

#[test]
fn the_colluding_members_of_a_shard_follow_the_hypergeometric_law() {
    let law =
        |byzantine| Draw::new(Population::with_byzantine(80, byzantine).unwrap(), 20).unwrap();
    for placement in [Placement::Partition, Placement::Drawn { seats: 20 }] {
        for (swaps, runs) in [(0, 1000), (1, 500), (6, 250)] {
            let seen = sample(placement, 16, swaps, runs);
            let right = deviation(&seen, &law(16));
            assert!(right < 4.0, "{placement:?}, {swaps} swaps: {right}");
            // The statistic must be able to tell: five colluding validators more would be another law.
            let wrong = deviation(&seen, &law(21));
            assert!(wrong > 8.0, "{placement:?}, {swaps} swaps: {wrong}");
        }
    }
}

#[test]
fn a_newcomer_takes_any_open_seat_alike() {
    let (before, after) = (registry(0..80), registry(0..81));
    let mut landed = [0u32; 4];
    for run in 0..2000 {
        let first = partition(4, &before, 2 * run);
        let next = first.next(RULE, &after, &seed(2 * run + 1)).unwrap();
        let shard = next.assignment.shards_of(&key(80)).next().unwrap();
        landed[usize::try_from(shard.0).unwrap()] += 1;
    }
    // Three of each shard leave (n = 20, q = 14), and the new seat is shard 0's: 4 of 13 seats, 3 of 13 for the others.
    // Of 2000 that is 615 and 461, with standard deviations of 21 and 19.
    assert!((530..700).contains(&landed[0]), "{landed:?}");
    assert!(
        landed[1..].iter().all(|count| (385..537).contains(count)),
        "{landed:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_comes_and_goes_each_sits_once_and_few_move(
        shards in 1u32..6,
        churn in prop::collection::vec(prop::collection::btree_set(0u32..90, 40..80), 2..8),
        share in 0u32..=1000,
    ) {
        let rule = QuorumRule::per_mille(share).unwrap();
        let mut assignment = partition(shards, &registry(churn[0].iter().copied()), 0);
        for (epoch, numbers) in (1..).zip(&churn[1..]) {
            let registry = registry(numbers.iter().copied());
            let Ok(next) = assignment.next(rule, &registry, &seed(epoch)) else {
                assignment = partition(shards, &registry, epoch);
                continue;
            };
            assert_partition(&next.assignment, &registry);
            for (before, change) in sizes(&assignment).iter().zip(&next.changes) {
                let swap = rule.swap_max(u32::try_from(*before).unwrap()).unwrap();
                let most = usize::try_from(swap).unwrap().saturating_sub(change.exited.len());
                prop_assert!(change.moved.len() <= most);
            }
            assignment = next.assignment;
        }
    }
}
