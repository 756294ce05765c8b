//! The incremental escrow against computation from scratch, after every one of many random operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_margin::{
    AddOn, BudgetId, Change, Escrow, EscrowError, Lane, LaneId, MarginError, Portfolio, Row,
    ScenarioTable, robust,
};
use quorate_types::{FeedId, InstrumentId};

use crate::samples::{Draw, Market};

type Budgets = BTreeMap<BudgetId, Vec<(FeedId, Vec<i128>)>>;

/// What an escrow should hold, kept in the plainest way.
struct Model {
    market: Market,
    portfolio: Portfolio,
    lanes: BTreeMap<LaneId, Vec<Change>>,
    budgets: Budgets,
}

impl Model {
    /// R less budgets, from scratch: a budget is a lane that may buy, for nothing, what is worth -b in each scenario.
    fn surplus(&self) -> i128 {
        let mut rows = self.market.rows.clone();
        let mut lanes: Vec<Lane> = self.lanes.values().cloned().map(Lane::new).collect();
        for (feed, amounts) in self.budgets.values().flatten() {
            let instrument = InstrumentId(u32::try_from(rows.len()).unwrap());
            let cells = amounts
                .iter()
                .map(|amount| -i64::try_from(*amount).unwrap());
            rows.push(Row {
                instrument,
                feed: *feed,
                values: cells.collect(),
                add_on: AddOn::NONE,
            });
            lanes.push(Lane::from(Change::new(0, &[(instrument, 1)]).unwrap()));
        }
        let table = ScenarioTable::new(rows).unwrap();
        robust(&table, &self.portfolio, &lanes).unwrap()
    }

    fn amounts(&self, draw: &mut Draw) -> Vec<(FeedId, Vec<i128>)> {
        let feeds = self.market.feeds();
        let some = feeds.into_iter().filter(|_| draw.below(4) != 0);
        let some: Vec<FeedId> = some.collect();
        some.into_iter()
            .map(|feed| {
                let count = self.market.table.scenarios(feed).unwrap();
                let amounts = (0..count).map(|_| i128::from(draw.between(0, 900)));
                (feed, amounts.collect())
            })
            .collect()
    }
}

/// How often each kind of operation took effect, so that none is vacuous.
#[derive(Debug, Default)]
struct Seen {
    pushed: usize,
    settled: usize,
    dropped: usize,
    applied: usize,
    granted: usize,
    filled: usize,
    exceeded: usize,
    repriced: usize,
}

fn step(draw: &mut Draw, model: &mut Model, escrow: &mut Escrow, seen: &mut Seen) {
    let feeds = model.market.feeds();
    let lane = LaneId(u64::try_from(draw.below(5)).unwrap());
    let budget = BudgetId(u64::try_from(draw.below(3)).unwrap());
    let before = escrow.surplus();
    match draw.below(16) {
        0..6 => {
            let change = model.market.change(draw, &feeds);
            let preview = escrow.preview(lane, &change).unwrap();
            assert_eq!(escrow.admits(lane, &change), Ok(preview >= 0));
            assert_eq!(escrow.push(lane, change.clone()), Ok(preview));
            assert!(preview <= before, "more pending raised the bound");
            model.lanes.entry(lane).or_default().push(change);
            assert_eq!(escrow.surplus(), preview);
            seen.pushed += 1;
        }
        6..9 => match escrow.settle(lane) {
            Ok(change) => {
                let changes = model.lanes.get_mut(&lane).unwrap();
                assert_eq!(change, changes.remove(0));
                model.portfolio.apply(&change).unwrap();
                assert!(escrow.surplus() >= before, "settling lowered the bound");
                seen.settled += 1;
            }
            Err(error) => {
                assert_eq!(error, EscrowError::NoLane(lane));
                assert!(!model.lanes.contains_key(&lane));
            }
        },
        9 => {
            let dropped = escrow.drop_lane(lane);
            assert_eq!(dropped.ok(), model.lanes.remove(&lane));
            assert!(escrow.surplus() >= before, "dropping lowered the bound");
        }
        10 => {
            let length = model.lanes.get(&lane).map_or(0, Vec::len);
            let index = draw.below(length + 1);
            if index < length {
                let changes = model.lanes.get_mut(&lane).unwrap();
                let dropped = escrow.drop_change(lane, index).unwrap();
                assert_eq!(dropped, changes.remove(index));
                seen.dropped += 1;
            } else {
                assert!(escrow.drop_change(lane, index).is_err());
            }
        }
        11 => {
            let change = model.market.change(draw, &feeds);
            escrow.apply(&change).unwrap();
            model.portfolio.apply(&change).unwrap();
            seen.applied += 1;
        }
        12 => {
            let amounts = model.amounts(draw);
            let preview = escrow.preview_budget(&amounts).unwrap();
            if model.budgets.remove(&budget).is_some() {
                let error = EscrowError::BudgetExists(budget);
                assert_eq!(escrow.grant(budget, amounts), Err(error));
                escrow.revoke(budget).unwrap();
                assert!(escrow.surplus() >= before);
            } else {
                assert_eq!(escrow.grant(budget, amounts.clone()), Ok(preview));
                model.budgets.insert(budget, amounts);
                seen.granted += 1;
            }
        }
        13..15 => fill(draw, model, escrow, seen, budget),
        _ => reprice(draw, model, escrow, seen),
    }
    model.lanes.retain(|_, changes| !changes.is_empty());
}

fn fill(draw: &mut Draw, model: &mut Model, escrow: &mut Escrow, seen: &mut Seen, id: BudgetId) {
    let change = model.market.trade(draw, &model.market.feeds());
    let before = escrow.surplus();
    match escrow.fill(id, &change) {
        Ok(()) => {
            model.portfolio.apply(&change).unwrap();
            let left = escrow.budget_left(id).unwrap().to_vec();
            model.budgets.insert(id, left);
            assert!(escrow.surplus() >= before, "a fill lowered the bound");
            seen.filled += 1;
        }
        Err(EscrowError::BudgetExceeded { .. }) => {
            assert!(model.budgets.contains_key(&id));
            assert_eq!(escrow.surplus(), before);
            seen.exceeded += 1;
        }
        Err(EscrowError::NoBudget(_)) => assert!(!model.budgets.contains_key(&id)),
        Err(EscrowError::NotAFill) => assert!(change.legs().is_empty()),
        Err(other) => panic!("{other}"),
    }
}

fn reprice(draw: &mut Draw, model: &mut Model, escrow: &mut Escrow, seen: &mut Seen) {
    for row in &mut model.market.rows {
        for value in &mut row.values {
            *value += draw.between(-30, 30);
        }
    }
    model.market.table = ScenarioTable::new(model.market.rows.clone()).unwrap();
    escrow
        .reprice(Arc::new(model.market.table.clone()))
        .unwrap();
    seen.repriced += 1;
}

#[test]
fn every_step_equals_computation_from_scratch() {
    let mut seen = Seen::default();
    for seed in 0..120 {
        let mut draw = Draw::new(seed);
        let feeds = if seed % 3 == 0 { 1 } else { 2 };
        let market = Market::random(&mut draw, feeds, seed % 2 == 1);
        let portfolio = market.portfolio(&mut draw);
        let table = Arc::new(market.table.clone());
        let mut escrow = Escrow::new(table, portfolio.clone()).unwrap();
        let mut model = Model {
            market,
            portfolio,
            lanes: BTreeMap::new(),
            budgets: BTreeMap::new(),
        };
        for number in 0..150 {
            step(&mut draw, &mut model, &mut escrow, &mut seen);
            assert_eq!(
                escrow.surplus(),
                model.surplus(),
                "seed {seed}, step {number}"
            );
            assert!(escrow.is_consistent(), "seed {seed}, step {number}");
            assert_eq!(*escrow.portfolio(), model.portfolio);
            let lanes: BTreeMap<_, _> = escrow.lanes().map(|(id, c)| (id, c.to_vec())).collect();
            assert_eq!(lanes, model.lanes);
        }
    }
    println!("{seen:?}");
    let counts = [
        seen.pushed,
        seen.settled,
        seen.dropped,
        seen.applied,
        seen.granted,
        seen.filled,
        seen.exceeded,
        seen.repriced,
    ];
    assert!(counts.iter().all(|count| *count > 100));
}

#[test]
fn what_was_admitted_settles_in_any_order() {
    let mut settled = 0;
    for seed in 0..400 {
        let mut draw = Draw::new(seed);
        let market = Market::random(&mut draw, 2, true);
        let portfolio = market.portfolio(&mut draw);
        let mut escrow = Escrow::new(Arc::new(market.table.clone()), portfolio).unwrap();
        let feeds = market.feeds();
        for _ in 0..20 {
            let lane = LaneId(u64::try_from(draw.below(4)).unwrap());
            let change = market.change(&mut draw, &feeds);
            if escrow.admits(lane, &change).unwrap() {
                escrow.push(lane, change).unwrap();
            }
        }
        loop {
            let waiting: Vec<LaneId> = escrow.lanes().map(|(id, _)| id).collect();
            let Some(lane) = waiting.get(draw.below(waiting.len().max(1))) else {
                break;
            };
            escrow.settle(*lane).unwrap();
            let now = quorate_margin::surplus(&market.table, escrow.portfolio()).unwrap();
            assert!(now >= escrow.surplus() && escrow.surplus() >= 0);
            settled += 1;
        }
    }
    println!("{settled} operations settled");
    assert!(settled > 1000);
}

#[test]
fn refusals_leave_the_escrow_as_it_was() {
    let row = Row {
        instrument: InstrumentId(0),
        feed: FeedId(0),
        values: vec![-5, 5],
        add_on: AddOn::NONE,
    };
    let table = Arc::new(ScenarioTable::new(vec![row]).unwrap());
    let mut escrow = Escrow::new(table, Portfolio::new(100, &[]).unwrap()).unwrap();
    let budget = BudgetId(1);
    let form = EscrowError::BudgetForm(FeedId(0));
    for amounts in [vec![1], vec![1, -1], vec![1, quorate_margin::CASH_LIMIT]] {
        assert_eq!(escrow.grant(budget, vec![(FeedId(0), amounts)]), Err(form));
    }
    let twice = vec![(FeedId(0), vec![1, 1]), (FeedId(0), vec![1, 1])];
    assert_eq!(escrow.grant(budget, twice), Err(form));
    let unknown = vec![(FeedId(7), vec![1])];
    let error = EscrowError::BudgetForm(FeedId(7));
    assert_eq!(escrow.grant(budget, unknown), Err(error));
    assert_eq!(escrow.revoke(budget), Err(EscrowError::NoBudget(budget)));

    let amounts = vec![(FeedId(0), vec![10, 0])];
    assert_eq!(escrow.grant(budget, amounts), Ok(90));
    let cash_only = Change::new(5, &[]).unwrap();
    assert_eq!(escrow.fill(budget, &cash_only), Err(EscrowError::NotAFill));
    let fill = |lots| Change::new(0, &[(InstrumentId(0), lots)]).unwrap();
    let exceeded = |scenario| EscrowError::BudgetExceeded {
        feed: FeedId(0),
        scenario,
    };
    assert_eq!(escrow.fill(budget, &fill(3)), Err(exceeded(0)));
    assert_eq!(escrow.fill(budget, &fill(-1)), Err(exceeded(1)));
    assert_eq!(escrow.surplus(), 90);
    // Two bought use the line up; a third does not fit, and selling them again gives the line back.
    assert_eq!(escrow.fill(budget, &fill(2)), Ok(()));
    assert_eq!(escrow.fill(budget, &fill(1)), Err(exceeded(0)));
    assert_eq!(escrow.surplus(), 90);
    let unknown = Change::new(0, &[(InstrumentId(3), 1)]).unwrap();
    let error = EscrowError::Margin(MarginError::UnknownInstrument(InstrumentId(3)));
    assert_eq!(escrow.push(LaneId(0), unknown), Err(error));
    assert!(escrow.is_consistent());
}
