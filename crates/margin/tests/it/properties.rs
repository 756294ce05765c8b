//! What the model claims of margin as a function, on random tables of two feeds.

use proptest::collection::vec;
use proptest::prelude::*;
use quorate_margin::{
    AddOn, Change, Lane, Portfolio, Row, ScenarioTable, explain, is_risk_reducing, robust, surplus,
    upper, verdict,
};
use quorate_types::{FeedId, InstrumentId};

const INSTRUMENTS: usize = 5;

fn id(position: usize) -> InstrumentId {
    InstrumentId(u32::try_from(position).unwrap())
}

/// Three instruments on a feed of four scenarios, two on one of three.
fn tables(large_most: u64) -> impl Strategy<Value = ScenarioTable> {
    let add_on = (0..50u64, 0..5u64, 0..=large_most, 0..6u64);
    let add_on = add_on.prop_map(
        |(short_per_lot, per_lot, large_per_lot, large_from)| AddOn {
            short_per_lot,
            per_lot,
            large_per_lot,
            large_from,
        },
    );
    vec((vec(-100..100i64, 4), add_on), INSTRUMENTS).prop_map(|rows| {
        let rows = rows.into_iter().enumerate();
        let rows = rows.map(|(position, (mut values, add_on))| {
            let feed = FeedId(u32::from(position >= 3));
            values.truncate(if position >= 3 { 3 } else { 4 });
            Row {
                instrument: id(position),
                feed,
                values,
                add_on,
            }
        });
        ScenarioTable::new(rows.collect()).unwrap()
    })
}

type Holding = (i64, Vec<i64>);

fn holdings() -> impl Strategy<Value = Holding> {
    (-500..500i64, vec(-12..12i64, INSTRUMENTS))
}

fn portfolio((cash, lots): &Holding) -> Portfolio {
    let lots: Vec<_> = lots.iter().enumerate().map(|(i, q)| (id(i), *q)).collect();
    Portfolio::new(i128::from(*cash), &lots).unwrap()
}

fn combined(left: &Holding, right: &Holding, sign: i64) -> Holding {
    let lots = left.1.iter().zip(&right.1).map(|(l, r)| l + sign * r);
    (left.0 + sign * right.0, lots.collect())
}

fn lanes() -> impl Strategy<Value = Vec<Lane>> {
    let legs = vec((0..INSTRUMENTS, -3..=3i64), 0..3);
    let change = (-300..300i64, legs).prop_map(|(cash, legs)| {
        let legs: Vec<_> = legs.into_iter().map(|(i, q)| (id(i), q)).collect();
        Change::new(i128::from(cash), &legs).unwrap()
    });
    vec(vec(change, 1..4).prop_map(Lane::new), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn margin_is_concave(table in tables(20), middle in holdings(), step in holdings()) {
        let at = |holding: &Holding| surplus(&table, &portfolio(holding)).unwrap();
        let up = at(&combined(&middle, &step, 1));
        let down = at(&combined(&middle, &step, -1));
        prop_assert!(up + down <= 2 * at(&middle));
    }

    #[test]
    fn margin_without_concentration_is_superadditive(
        table in tables(0), left in holdings(), right in holdings(),
    ) {
        let at = |holding: &Holding| surplus(&table, &portfolio(holding)).unwrap();
        prop_assert!(at(&combined(&left, &right, 1)) >= at(&left) + at(&right));
    }

    #[test]
    fn more_pending_only_widens_the_bounds(
        table in tables(20), held in holdings(), lanes in lanes(),
    ) {
        let portfolio = portfolio(&held);
        let now = surplus(&table, &portfolio).unwrap();
        let (mut low, mut high) = (now, now);
        for count in 0..=lanes.len() {
            let some = &lanes[..count];
            let lower = robust(&table, &portfolio, some).unwrap();
            let higher = upper(&table, &portfolio, some).unwrap();
            prop_assert!(lower <= low && higher >= high);
            (low, high) = (lower, higher);
        }
        // The same lane by lane from the front: a longer lane has more prefixes.
        for lane in &lanes {
            let one = |count: usize| [Lane::new(lane.changes[..count].to_vec())];
            for count in 0..lane.changes.len() {
                let lower = |count| robust(&table, &portfolio, &one(count)).unwrap();
                let higher = |count| upper(&table, &portfolio, &one(count)).unwrap();
                prop_assert!(lower(count + 1) <= lower(count));
                prop_assert!(higher(count + 1) >= higher(count));
            }
        }
    }

    #[test]
    fn an_explanation_adds_up(table in tables(20), held in holdings(), lanes in lanes()) {
        let portfolio = portfolio(&held);
        let why = explain(&table, &table, &portfolio, &lanes, &lanes).unwrap();
        prop_assert_eq!(why.robust, robust(&table, &portfolio, &lanes).unwrap());
        prop_assert_eq!(why.upper, upper(&table, &portfolio, &lanes).unwrap());
        prop_assert_eq!(why.surplus, surplus(&table, &portfolio).unwrap());
        let reached = verdict(&table, &table, &portfolio, &lanes, &lanes).unwrap();
        prop_assert_eq!(why.verdict, reached);
        let feeds: i128 = why.feeds.iter().map(|feed| feed.settled + feed.pending).sum();
        prop_assert_eq!(why.robust, why.cash + why.loose + feeds - why.add_on);
        for feed in &why.feeds {
            let positions: i128 = feed.positions.iter().map(|position| position.value).sum();
            prop_assert_eq!(positions, feed.settled);
            let operations: i128 = feed.operations.iter().map(|operation| operation.value).sum();
            prop_assert_eq!(operations, feed.pending);
        }
        let count: usize = lanes.iter().map(|lane| lane.changes.len()).sum();
        prop_assert_eq!(why.operations.len(), count);
    }

    #[test]
    fn an_operation_changes_no_more_than_explained(
        table in tables(20), held in holdings(), lanes in lanes(), order in vec(0..5usize, 12),
    ) {
        let mut portfolio = portfolio(&held);
        let why = explain(&table, &table, &portfolio, &lanes, &[]).unwrap();
        let mut done = vec![0; lanes.len()];
        for lane in order.into_iter().filter(|lane| *lane < lanes.len()) {
            let Some(change) = lanes[lane].changes.get(done[lane]) else { continue };
            let place = |of: &&quorate_margin::OperationExplanation| {
                (of.lane, of.change) == (lane, done[lane])
            };
            let explained = why.operations.iter().find(place).unwrap();
            let before = surplus(&table, &portfolio).unwrap();
            portfolio.apply(change).unwrap();
            let moved = surplus(&table, &portfolio).unwrap() - before;
            prop_assert!((explained.lowest..=explained.highest).contains(&moved));
            done[lane] += 1;
        }
    }

    #[test]
    fn taking_out_is_never_risk_reducing(
        table in tables(20), held in holdings(), cash in 1..500i64,
    ) {
        let before = portfolio(&held);
        let after = portfolio(&(held.0 - cash, held.1.clone()));
        prop_assert!(!is_risk_reducing(&table, &table, &before, &after).unwrap());
        let after = portfolio(&(held.0 + cash, held.1));
        prop_assert!(is_risk_reducing(&table, &table, &before, &after).unwrap());
    }
}

/// The concentration add-on is convex but not homogeneous: two accounts of 5 lots pay nothing, one of 10 pays.
#[test]
fn margin_with_concentration_need_not_be_superadditive() {
    let row = Row {
        instrument: id(0),
        feed: FeedId(0),
        values: vec![0],
        add_on: AddOn {
            large_per_lot: 3,
            large_from: 5,
            ..AddOn::NONE
        },
    };
    let table = ScenarioTable::new(vec![row]).unwrap();
    let of = |lots| surplus(&table, &Portfolio::new(0, &[(id(0), lots)]).unwrap()).unwrap();
    assert_eq!((of(5), of(10)), (0, -15));
}
