//! Many worlds, and worlds with one rule broken.

use super::Mutation;
use super::world::{Lie, Stats, Violation, World};

/// Worlds that a test runs: more with `QUORATE_SEEDS`.
fn seeds(few: u64) -> u64 {
    std::env::var("QUORATE_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(few)
}

fn add(total: &mut Stats, stats: &Stats) {
    total.records += stats.records;
    total.handovers += stats.handovers;
    total.late_handovers += stats.late_handovers;
    total.kept += stats.kept;
    total.retired += stats.retired;
    total.forked += stats.forked;
    total.aborted += stats.aborted;
    total.joined += stats.joined;
    total.left += stats.left;
    total.lies += stats.lies;
    total.restored += stats.restored;
}

#[test]
fn whatever_shards_and_liars_do_the_beacon_goes_on_and_keeps_its_promises() {
    let mut total = Stats::default();
    for seed in 0..seeds(150) {
        let mut world = World::new(seed, None);
        if let Err(violation) = world.run(250) {
            panic!("seed {seed}: {violation:?} after {:?}", world.stats);
        }
        add(&mut total, &world.stats);
    }
    std::println!("{total:?}");
    let often = [
        total.records,
        total.handovers,
        total.late_handovers,
        total.kept,
        total.retired,
        total.forked,
        total.aborted,
        total.joined,
        total.left,
        total.lies,
        total.restored,
    ];
    assert!(often.iter().all(|count| *count > 10), "{total:?}");
}

#[test]
fn hundreds_of_epochs_in_one_world() {
    for seed in 1_000..1_002 {
        let mut world = World::new(seed, None);
        let result = world.run(4_000);
        assert_eq!(result, Ok(()), "seed {seed}: {:?}", world.stats);
        assert!(world.stats.records > 200, "{:?}", world.stats);
    }
}

#[test]
fn each_broken_rule_is_noticed() {
    use Mutation as M;
    use Violation as V;
    let expected = [
        (
            M::SeedBeforeFreeze,
            &[V::Taken(Lie::EarlySeed), V::Draw][..],
        ),
        (M::LiveRegistry, &[V::Draw]),
        (M::SkipReadiness, &[V::Turn]),
        (M::ReadyByAnybody, &[V::Taken(Lie::ReadyOutsider), V::Turn]),
        (M::TwoSuccessors, &[V::Taken(Lie::SecondSuccessor), V::Turn]),
        (M::OldKey, &[V::Taken(Lie::UsedKey), V::Turn]),
        (M::TwoRecords, &[V::Record]),
        (M::SkipEpoch, &[V::Record]),
        (M::WaitForShards, &[V::Stuck]),
        (M::AnchorBack, &[V::Anchor]),
        (M::AnchorFrozen, &[V::Anchor]),
        (M::FreezeAnybody, &[V::Freeze]),
        (M::RetireEarly, &[V::Orphan]),
        (M::SequenceUnchecked, &[V::Taken(Lie::Replay)]),
        (M::ForeignIdentity, &[V::Taken(Lie::ForeignIdentity)]),
        (
            M::ForeignEncryptionKey,
            &[V::Taken(Lie::ForeignEncryptionKey)],
        ),
    ];
    for (mutation, violations) in expected {
        let found = (0..seeds(150)).find_map(|seed| {
            let violation = World::new(seed, Some(mutation)).run(250).err()?;
            Some((seed, violation))
        });
        let Some((seed, violation)) = found else {
            panic!("{mutation:?} is not noticed");
        };
        assert!(
            violations.contains(&violation),
            "{mutation:?}, seed {seed}: {violation:?}"
        );
        std::println!("{mutation:?}: {violation:?} in seed {seed}");
    }
}
