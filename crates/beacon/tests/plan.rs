//! Plans: figures that agree with the draws they come from, and advice as the design gives it.
#![allow(clippy::unwrap_used)]

use quorate_beacon::{
    Advice, ByzantineShare, Draw, Harm, Layout, Plan, PlanInput, Population, QuorumRule, Risk,
    RiskError, partition_risk,
};

fn input(committee: u32, percent: u32, shards: u32) -> PlanInput {
    PlanInput {
        committee,
        byzantine: ByzantineShare::from_ppm(percent * 10_000).unwrap(),
        shards,
        target: "1e-6".parse().unwrap(),
        layout: Layout::Partition,
        validators: None,
        epochs_per_year: 365,
    }
}

fn plan(input: &PlanInput) -> Plan {
    Plan::new(input).unwrap()
}

#[test]
fn the_figures_are_those_of_the_draw_over_all_shards_and_epochs() {
    let input = input(100, 20, 10);
    let plan = plan(&input);
    let population = Population::with_byzantine(1000, 200).unwrap();
    assert_eq!(
        plan.population, population,
        "as few validators as there can be"
    );
    assert_eq!(
        plan.excess.per_epoch,
        partition_risk(population, 100, 10).unwrap()
    );
    assert_eq!(plan.excess.per_year, Risk::certain());
    let draw = Draw::new(population, 100).unwrap();
    for (row, quorum) in plan.rows.iter().zip([67, 70, 75]) {
        assert_eq!(row.quorum, quorum);
        let pairs = [
            (&row.fork, Harm::Fork { quorum }),
            (&row.stall, Harm::Stall { quorum }),
        ];
        for (figure, harm) in pairs {
            let one = draw.risk(harm).unwrap();
            assert_eq!(figure.per_epoch, one.union_bound(10));
            assert_eq!(figure.per_year, one.union_bound(3650));
            assert_eq!(figure.meets_target, one.union_bound(10) <= input.target);
        }
    }
    let met = plan
        .rows
        .each_ref()
        .map(|row| (row.fork.meets_target, row.stall.meets_target));
    assert_eq!(met, [(false, false), (false, false), (true, false)]);
    assert_eq!(plan.rows[1].fork.per_epoch.to_string(), "9e-6");
    assert_eq!(plan.rows[1].fork.per_year.to_string(), "3e-3");
    // From the design's sentence on N = 1000: 14.2 %.
    assert_eq!(plan.byzantine_max, 142);
    assert_eq!(
        plan.rows[0].byzantine_max, 142,
        "2q - n is f + 1 for n = 100"
    );
    assert!(plan.rows[1].byzantine_max > 142);
}

#[test]
fn the_smallest_committees_meet_the_target_and_no_smaller_ones_do() {
    let mut input = input(100, 15, 4);
    for (layout, validators) in [
        (Layout::Partition, None),
        (Layout::Partition, Some(600)),
        (Layout::Overlapping, Some(600)),
    ] {
        (input.layout, input.validators) = (layout, validators);
        for row in plan(&input).rows {
            let at = |committee| {
                let input = PlanInput {
                    committee,
                    ..input.clone()
                };
                let rows = plan(&input).rows;
                let found = rows.into_iter().find(|other| other.rule == row.rule);
                let found = found.unwrap();
                (found.fork.meets_target, found.stall.meets_target)
            };
            let fork = row.smallest_for_fork.unwrap();
            assert!(at(fork).0);
            assert!((4..fork).step_by(5).all(|committee| !at(committee).0));
            assert!(!at(fork - 1).0);
            if let Some(both) = row.smallest_for_both {
                assert_eq!(at(both), (true, true));
                assert_ne!(at(both - 1), (true, true));
            }
        }
    }
}

#[test]
fn the_search_goes_on_until_every_rule_has_its_sizes() {
    // As an independent program found them, looking at every n.
    let mut input = input(100, 10, 4);
    input.validators = Some(400);
    let sizes = plan(&input)
        .rows
        .map(|row| (row.smallest_for_fork, row.smallest_for_both));
    let expected = [(42, 49), (32, 60), (19, 88)];
    assert_eq!(sizes, expected.map(|(fork, both)| (Some(fork), Some(both))));
}

#[test]
fn a_small_network_is_told_to_overlap() {
    let small = plan(&input(25, 25, 4));
    let overlap = Advice::Overlap {
        seats: 100,
        excess: Risk::impossible(),
    };
    assert_eq!(small.advice[0], overlap);
    let mut larger = input(30, 25, 5);
    let Advice::Overlap { seats, excess } = plan(&larger).advice[0].clone() else {
        panic!("150 validators");
    };
    // More than a committee can have: 128 of 150 are drawn, and with 37 Byzantine ones f = 42 cannot be exceeded.
    assert_eq!((seats, excess), (128, Risk::impossible()));
    larger.validators = Some(151);
    let advice = plan(&larger).advice;
    assert!(
        !advice
            .iter()
            .any(|advice| matches!(advice, Advice::Overlap { .. }))
    );
    // With everybody everywhere and K <= f there is nothing to say.
    let mut everybody = input(100, 25, 4);
    everybody.layout = Layout::Overlapping;
    let everybody = plan(&everybody);
    assert_eq!(everybody.population.validators(), 100);
    assert!(everybody.excess.per_year.is_impossible() && everybody.advice.is_empty());
}

#[test]
fn operating_points_are_those_of_the_design() {
    let points = |input: &PlanInput| -> Vec<_> {
        let advice = plan(input).advice.into_iter();
        let points = advice.filter_map(|advice| match advice {
            Advice::OperatingPoint {
                committee,
                rule,
                shards,
                fork,
                stall,
            } => Some((committee, rule, shards, fork.to_string(), stall.to_string())),
            _ => None,
        });
        points.collect()
    };
    let four_hundred = points(&input(100, 10, 4));
    assert_eq!(four_hundred.len(), 2);
    // SHARDING 2.1: 1e-16 for four shards of a hundred.
    let hundred = (100, QuorumRule::LEAST, 4, "1e-16".into(), "1e-16".into());
    assert_eq!(four_hundred[0], hundred);
    assert_eq!(four_hundred[1].0, 64);
    assert_eq!(four_hundred[1].1.quorum(64), Ok(45));
    // SHARDING 2.3: 1e-14 and 1e-6 for each shard, of which there are seven.
    let rule = QuorumRule::SEVEN_TENTHS;
    let thousand = (128, rule, 7, "9e-14".into(), "8e-6".into());
    let mut large = input(100, 15, 10);
    assert_eq!(points(&large), [thousand]);
    large.byzantine = ByzantineShare::from_ppm(150_001).unwrap();
    assert!(points(&large).is_empty());
    assert!(points(&input(100, 11, 4)).is_empty());
    assert!(
        points(&input(100, 10, 9)).is_empty(),
        "900 are neither few nor many"
    );
}

#[test]
fn a_missed_target_comes_with_ways_out() {
    let advice = plan(&input(100, 20, 10)).advice;
    let raised = advice.iter().find_map(|advice| match advice {
        Advice::RaiseQuorum {
            quorum,
            fork,
            stall,
            ..
        } => Some((*quorum, fork.to_string(), stall.to_string())),
        _ => None,
    });
    assert_eq!(raised, Some((75, "9e-12".into(), "8e-1".into())));
    let larger = advice.iter().find_map(|advice| match advice {
        Advice::EnlargeCommittee { rule, committee } => Some((*rule, *committee)),
        _ => None,
    });
    let (rule, committee) = larger.unwrap();
    assert!(rule == QuorumRule::LEAST && committee > 100);
    // Exactly a thousand validators in ten shards leave no room for larger committees.
    let mut fixed = input(100, 20, 10);
    fixed.validators = Some(1000);
    assert!(plan(&fixed).advice.contains(&Advice::PartitionUnavailable));
    let most = 128;
    assert_eq!(
        plan(&input(180, 10, 5)).advice,
        [Advice::CommitteeTooLarge { most }]
    );
    let many = plan(&input(100, 34, 10)).advice;
    let (byzantine, most) = (340, 333);
    assert_eq!(many[0], Advice::TooManyByzantine { byzantine, most });
}

#[test]
fn nonsense_is_refused_by_name() {
    let refused = |input: PlanInput| Plan::new(&input).unwrap_err();
    for (found, most) in [
        (0, 10_000),
        (3, 10_000),
        (10_001, 10_000),
        (u32::MAX, 10_000),
    ] {
        assert_eq!(
            refused(input(found, 10, 2)),
            RiskError::Committee { found, most }
        );
    }
    for found in [0, 257] {
        assert_eq!(refused(input(10, 10, found)), RiskError::Shards { found });
    }
    let found = 10_000 * 256;
    assert_eq!(
        refused(input(10_000, 10, 256)),
        RiskError::Validators { found }
    );
    let with = |validators| PlanInput {
        validators: Some(validators),
        ..input(10, 10, 2)
    };
    assert_eq!(refused(with(2)), RiskError::Validators { found: 2 });
    assert_eq!(
        refused(with(9)),
        RiskError::Committee { found: 10, most: 9 }
    );
    let (shards, committee, validators) = (2, 10, 19);
    let overfull = RiskError::Overfull {
        shards,
        committee,
        validators,
    };
    assert_eq!(refused(with(19)), overfull);
    let never = PlanInput {
        epochs_per_year: 0,
        ..input(10, 10, 2)
    };
    assert_eq!(refused(never), RiskError::Epochs);
}
