//! Why an account's verdict is what it is: the binding scenarios, and what every position and every pending operation has
//! to do with them. Data only; wording and layout are the reader's.

use alloc::vec::Vec;

use quorate_types::{FeedId, InstrumentId};

use crate::lane::{Side, ValuedChange};
use crate::portfolio::{MarginError, Portfolio, index_of, surplus};
use crate::robust::{Lane, total, upper};
use crate::sums::{maximum, minimum};
use crate::table::ScenarioTable;
use crate::total::Total;
use crate::verdict::Verdict;

/// All that went into a verdict. Amounts are quote atoms.
///
/// `robust = cash + loose + sum over feeds of (settled + pending) - add_on`, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The conclusion.
    pub verdict: Verdict,
    /// R on the initial table: the least surplus in any order.
    pub robust: i128,
    /// U on the maintenance table with certified credits: the greatest surplus that they can lead to.
    pub upper: i128,
    /// M on the initial table: the surplus now.
    pub surplus: i128,
    /// Settled cash.
    pub cash: i128,
    /// Pending cash that belongs to no feed, at its lowest; 0 or less.
    pub loose: i128,
    /// Add-ons at the worst reachable positions.
    pub add_on: i128,
    /// Feeds on which something is held or pending, ascending.
    pub feeds: Vec<FeedExplanation>,
    /// Pending operations, in the order of lanes and of changes in them.
    pub operations: Vec<OperationExplanation>,
}

/// One feed in its binding scenario, on the initial table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedExplanation {
    /// The feed.
    pub feed: FeedId,
    /// The scenario that is worst for what is settled and pending together, by its position; the first of several.
    pub scenario: usize,
    /// V: value of the settled positions there. The sum over `positions`.
    pub settled: i128,
    /// E: what pending operations can cost there; 0 or less. The sum over `operations`.
    pub pending: i128,
    /// V and E in every scenario, in the feed's order of scenarios.
    pub scenarios: Vec<(i128, i128)>,
    /// Value there of each position on this feed, ascending by instrument.
    pub positions: Vec<PositionValue>,
    /// Value there, with cash, of each operation in its lane's worst prefix (the shortest of several). Operations that
    /// are worse left out, or do not touch the feed, are not listed.
    pub operations: Vec<OperationValue>,
}

/// A position's part in a binding scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionValue {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Lots held.
    pub quantity: i64,
    /// Quote atoms.
    pub value: i128,
}

/// A pending operation's part in a binding scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationValue {
    /// The lane's position among those given.
    pub lane: usize,
    /// The change's position in the lane.
    pub change: usize,
    /// Quote atoms.
    pub value: i128,
}

/// What a pending operation can change.
///
/// Whatever else of what is pending has happened, it moves the surplus on the initial table by no less than `lowest` and
/// no more than `highest`: each feed's minimum moves by something between the least and the greatest value of the
/// operation there, and a convex add-on rises least at the lowest reachable position and most at the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationExplanation {
    /// The lane's position among those given.
    pub lane: usize,
    /// The change's position in the lane.
    pub change: usize,
    /// Quote atoms.
    pub lowest: i128,
    /// Quote atoms.
    pub highest: i128,
}

/// Explains the verdict that [`verdict`](crate::verdict()) reaches on the same arguments.
///
/// # Errors
/// As [`verdict`](crate::verdict()).
pub fn explain(
    initial: &ScenarioTable,
    maintenance: &ScenarioTable,
    portfolio: &Portfolio,
    pending: &[Lane],
    certified: &[Lane],
) -> Result<Explanation, MarginError> {
    let total = total(Side::Lowest, initial, portfolio, pending)?;
    let upper = upper(maintenance, portfolio, certified)?;
    let lanes = value_lanes(initial, pending)?;
    let robust = total.bound();
    Ok(Explanation {
        verdict: Verdict::of(robust, upper),
        robust,
        upper,
        surplus: surplus(initial, portfolio)?,
        cash: total.cash,
        loose: total.loose,
        add_on: total.add_on,
        feeds: explain_feeds(initial, portfolio, &total, &lanes)?,
        operations: explain_operations(initial, &total, &lanes),
    })
}

type ValuedLane = Vec<ValuedChange>;

fn value_lanes(table: &ScenarioTable, lanes: &[Lane]) -> Result<Vec<ValuedLane>, MarginError> {
    let value = |lane: &Lane| {
        lane.changes
            .iter()
            .map(|change| ValuedChange::new(table, change))
            .collect()
    };
    lanes.iter().map(value).collect()
}

fn explain_feeds(
    table: &ScenarioTable,
    portfolio: &Portfolio,
    total: &Total,
    lanes: &[ValuedLane],
) -> Result<Vec<FeedExplanation>, MarginError> {
    let mut positions = Vec::with_capacity(portfolio.positions().len());
    for (instrument, quantity) in portfolio.positions() {
        positions.push((index_of(table, *instrument)?, *quantity));
    }
    let explained = total.feeds.iter().map(|of| {
        let scenario = of.binding();
        let here = positions
            .iter()
            .filter(|(index, _)| table.feed_of(*index) == of.feed);
        let value = |(index, quantity): &(usize, i64)| PositionValue {
            instrument: table.id(*index),
            quantity: *quantity,
            value: i128::from(*quantity) * i128::from(table.values(*index)[scenario]),
        };
        let mut operations = Vec::new();
        for (lane, changes) in lanes.iter().enumerate() {
            worst_prefix(of.feed, scenario, lane, changes, &mut operations);
        }
        FeedExplanation {
            feed: table.feed_id(of.feed),
            scenario,
            settled: of.settled[scenario],
            pending: of.pending(scenario),
            scenarios: (0..of.settled.len())
                .map(|scenario| (of.settled[scenario], of.pending(scenario)))
                .collect(),
            positions: here.map(value).collect(),
            operations,
        }
    });
    Ok(explained.collect())
}

/// Lists the operations of a lane's shortest worst prefix in one scenario.
fn worst_prefix(
    feed: usize,
    scenario: usize,
    lane: usize,
    changes: &[ValuedChange],
    into: &mut Vec<OperationValue>,
) {
    let touched = |change: &ValuedChange| change.feeds.iter().any(|(of, _)| *of == feed);
    let elsewhere = |change: &ValuedChange| change.feeds.iter().any(|(of, _)| *of != feed);
    // Cash without legs counts here if this is the only feed of the lane (rule 3 of `lane.rs`).
    let home = changes.iter().any(touched) && !changes.iter().any(elsewhere);
    let values = changes.iter().map(|change| {
        let legless = if home { change.legless_cash } else { 0 };
        change.value(feed, scenario) + legless
    });
    let values: Vec<i128> = values.collect();
    let (mut sum, mut least, mut length) = (0, 0, 0);
    for (index, value) in values.iter().enumerate() {
        sum += value;
        if sum < least {
            (least, length) = (sum, index + 1);
        }
    }
    for (change, value) in values.iter().enumerate().take(length) {
        let legless = home && changes[change].legs.is_empty();
        if touched(&changes[change]) || legless {
            into.push(OperationValue {
                lane,
                change,
                value: *value,
            });
        }
    }
}

fn explain_operations(
    table: &ScenarioTable,
    total: &Total,
    lanes: &[ValuedLane],
) -> Vec<OperationExplanation> {
    let mut explained = Vec::new();
    for (lane, changes) in lanes.iter().enumerate() {
        for (change, valued) in changes.iter().enumerate() {
            // The shares of cash are in the values, and a change without legs is cash alone.
            let mut lowest = valued.legless_cash;
            let mut highest = valued.legless_cash;
            for (_, values) in &valued.feeds {
                lowest += minimum(values);
                highest += maximum(values);
            }
            for (instrument, lots) in &valued.legs {
                let add_on = table.add_on(*instrument);
                let place = total
                    .find_reach(*instrument)
                    .expect("every leg of a lane is in reach");
                let reach = total.reach[place];
                let rise = |from: i64| add_on.charge(from + lots) - add_on.charge(from);
                lowest -= rise(reach.low).max(rise(reach.high));
                highest -= rise(reach.low).min(rise(reach.high));
            }
            explained.push(OperationExplanation {
                lane,
                change,
                lowest,
                highest,
            });
        }
    }
    explained
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::portfolio::Change;
    use crate::robust::robust;
    use crate::table::{AddOn, Row};

    #[test]
    fn an_explanation_adds_up_and_names_what_binds() {
        let (call, perpetual) = (InstrumentId(0), InstrumentId(1));
        let row = |instrument, feed, values: &[i64]| Row {
            instrument,
            feed: FeedId(feed),
            values: values.to_vec(),
            add_on: AddOn {
                short_per_lot: 5,
                ..AddOn::NONE
            },
        };
        let rows = vec![row(call, 4, &[10, 50, 90]), row(perpetual, 2, &[-100, 100])];
        let table = ScenarioTable::new(rows).unwrap();
        let portfolio = Portfolio::new(1000, &[(call, -1)]).unwrap();
        let change = |cash, legs: &[(InstrumentId, i64)]| Change::new(cash, legs).unwrap();
        let pending = [
            // Its worst prefix is all of it: cash out, then a call sold below its worst value.
            Lane::new(vec![
                change(-30, &[]),
                change(60, &[(call, -1)]),
                change(500, &[]),
            ]),
            Lane::from(change(0, &[(perpetual, 2)])),
        ];
        let explained = explain(&table, &table, &portfolio, &pending, &[]).unwrap();
        assert_eq!(Ok(explained.robust), robust(&table, &portfolio, &pending));
        assert_eq!(explained.robust, 1000 - 90 - 60 - 200 - 10);
        assert_eq!(explained.upper, 1000 - 90 - 5);
        assert_eq!(explained.surplus, 1000 - 90 - 5);
        assert_eq!(explained.verdict, Verdict::MustHold);
        assert_eq!(explained.add_on, 10);

        let [moving, options] = explained.feeds.as_slice() else {
            panic!("two feeds");
        };
        assert_eq!((moving.feed, moving.scenario), (FeedId(2), 0));
        assert_eq!((moving.settled, moving.pending), (0, -200));
        assert_eq!((options.feed, options.scenario), (FeedId(4), 2));
        assert_eq!((options.settled, options.pending), (-90, -60));
        let value = |lane, change, value| OperationValue {
            lane,
            change,
            value,
        };
        assert_eq!(options.operations, [value(0, 0, -30), value(0, 1, -30)]);
        assert_eq!(moving.operations, [value(1, 0, -200)]);

        let operation = |lane, change, lowest, highest| OperationExplanation {
            lane,
            change,
            lowest,
            highest,
        };
        let expected = [
            operation(0, 0, -30, -30),
            operation(0, 1, 60 - 90 - 5, 60 - 10 - 5),
            operation(0, 2, 500, 500),
            operation(1, 0, -200, 200),
        ];
        assert_eq!(explained.operations, expected);
    }
}
