//! Every figure of the design's tables on committees (SHARDING 2.1 and 2.2), to the digit printed there.
#![allow(clippy::unwrap_used)]

use quorate_beacon::{
    ByzantineShare, Draw, Harm, Population, QuorumRule, Risk, byzantine_max, overlapping_risk,
    partition_risk,
};

/// Marks what cannot happen.
const NEVER: &str = "0 (impossible)";

/// N, n, shards, f, and the risk at beta = 25, 20, 15 and 10 %. Three cells that the design gives as "about 0" have
/// their figure here.
const PARTITIONS: [(u32, u32, u32, u32, [&str; 4]); 23] = [
    (100, 25, 4, 8, ["5e-1", "1e-1", "7e-3", "4e-5"]),
    (100, 50, 2, 16, ["6e-2", "8e-4", NEVER, NEVER]),
    (100, 100, 1, 33, [NEVER, NEVER, NEVER, NEVER]),
    (200, 50, 4, 16, ["3e-1", "2e-2", "2e-4", "1e-8"]),
    (200, 100, 2, 33, ["5e-3", "8e-7", NEVER, NEVER]),
    (400, 100, 4, 33, ["5e-2", "3e-4", "4e-8", "1e-16"]),
    (400, 200, 2, 66, ["1e-4", "7e-12", NEVER, NEVER]),
    (600, 100, 6, 33, ["1e-1", "1e-3", "6e-7", "3e-13"]),
    (600, 200, 3, 66, ["2e-3", "3e-8", "1e-17", NEVER]),
    (600, 300, 2, 99, ["3e-6", "7e-17", NEVER, NEVER]),
    (800, 100, 8, 33, ["2e-1", "2e-3", "2e-6", "4e-12"]),
    (800, 400, 2, 133, ["4e-8", "1e-22", NEVER, NEVER]),
    (1000, 100, 10, 33, ["2e-1", "4e-3", "4e-6", "2e-11"]),
    (1000, 200, 5, 66, ["8e-3", "1e-6", "2e-13", "5e-27"]),
    (1000, 400, 2, 133, ["7e-7", "1e-17", "4e-42", NEVER]),
    (1500, 100, 15, 33, ["4e-1", "7e-3", "1e-5", "1e-10"]),
    (1500, 300, 5, 99, ["9e-4", "3e-9", "2e-19", "1e-39"]),
    (2000, 100, 20, 33, ["5e-1", "1e-2", "2e-5", "3e-10"]),
    (2000, 200, 10, 66, ["3e-2", "1e-5", "3e-11", "1e-21"]),
    (2000, 500, 4, 166, ["2e-6", "3e-16", "5e-35", "3e-76"]),
    // Not in the design: one committee of each kind more, as an independent program counted them.
    (1000, 250, 4, 83, ["1e-3", "8e-9", "2e-18", "3e-39"]),
    (1000, 500, 2, 166, ["1e-9", "1e-27", NEVER, NEVER]),
    (8, 4, 2, 1, ["4e-1", NEVER, NEVER, NEVER]),
];

fn population(validators: u32, percent: u32) -> Population {
    Population::new(
        validators,
        ByzantineShare::from_ppm(percent * 10_000).unwrap(),
    )
    .unwrap()
}

#[test]
fn some_committee_of_a_partition_has_more_than_f_byzantine_members() {
    for (validators, committee, shards, faults, cells) in PARTITIONS {
        assert_eq!(faults, quorate_beacon::faults(committee));
        for (percent, cell) in [25, 20, 15, 10].into_iter().zip(cells) {
            let risk = partition_risk(population(validators, percent), committee, shards).unwrap();
            assert_eq!(
                risk.to_string(),
                cell,
                "N {validators}, n {committee}, {percent} %"
            );
        }
    }
    for percent in [25, 20, 15, 10] {
        assert!(overlapping_risk(population(100, percent)).is_impossible());
    }
}

/// beta in percent, n, and fork and stall of one shard at the three quorums; N = 1000.
type QuorumRow = (u32, u32, [(&'static str, &'static str); 3]);

const QUORUMS: [QuorumRow; 5] = [
    (
        25,
        100,
        [("2e-2", "2e-2"), ("3e-4", "9e-2"), ("1e-8", "4e-1")],
    ),
    (
        20,
        100,
        [("4e-4", "4e-4"), ("9e-7", "4e-3"), ("9e-13", "8e-2")],
    ),
    (
        15,
        100,
        [("4e-7", "4e-7"), ("7e-11", "1e-5"), ("8e-19", "2e-3")],
    ),
    (
        15,
        128,
        [("2e-9", "9e-9"), ("1e-14", "1e-6"), ("8e-25", "4e-4")],
    ),
    (
        10,
        100,
        [("2e-12", "2e-12"), ("7e-18", "4e-10"), ("7e-29", "8e-7")],
    ),
];

#[test]
fn forks_and_stalls_of_a_shard_at_three_quorums() {
    let rules = [
        QuorumRule::LEAST,
        QuorumRule::SEVEN_TENTHS,
        QuorumRule::THREE_QUARTERS,
    ];
    for (percent, committee, cells) in QUORUMS {
        let draw = Draw::new(population(1000, percent), committee).unwrap();
        for (rule, (fork, stall)) in rules.into_iter().zip(cells) {
            let quorum = rule.quorum(committee).unwrap();
            let shown = |harm| draw.risk(harm).unwrap().to_string();
            assert_eq!(
                shown(Harm::Fork { quorum }),
                fork,
                "{percent} %, n {committee}, q {quorum}"
            );
            assert_eq!(
                shown(Harm::Stall { quorum }),
                stall,
                "{percent} %, n {committee}, q {quorum}"
            );
        }
    }
}

#[test]
fn the_largest_byzantine_share_of_a_thousand_validators() {
    // n, and per mille for targets of 1e-6 and 1e-9 an epoch: one validator of a thousand is one per mille.
    for (committee, million, milliard) in [
        (50, 79, 53),
        (64, 104, 75),
        (100, 142, 113),
        (128, 162, 133),
        (200, 198, 173),
        (250, 216, 193),
    ] {
        let shards = 1000 / committee;
        for (target, expected) in [("1e-6", million), ("1e-9", milliard)] {
            let target: Risk = target.parse().unwrap();
            let most = byzantine_max(1000, committee, shards, Harm::Excess, &target).unwrap();
            assert_eq!(most, expected, "n {committee}");
        }
    }
}

#[test]
fn at_a_quarter_no_partition_of_small_committees_meets_a_millionth() {
    let target: Risk = "1e-6".parse().unwrap();
    for validators in [600, 800, 1000, 1500, 2000] {
        for committee in 4..=300.min(validators / 2) {
            let shards = (validators / committee).min(quorate_beacon::SHARDS_MAX);
            let risk = partition_risk(population(validators, 25), committee, shards).unwrap();
            assert!(risk > target, "N {validators}, n {committee}: {risk}");
        }
    }
}
