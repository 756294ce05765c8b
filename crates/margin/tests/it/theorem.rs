//! The theorem by machine: every order of every subset of random pending sets is executed, with the predicate "margin
//! surplus not negative after", and compared with R and U. Then broken twins of both bounds are shown to be caught.

use std::collections::BTreeMap;

use quorate_margin::{
    Lane, MarginError, Portfolio, Row, ScenarioTable, Verdict, robust, surplus, upper, verdict,
};

use crate::samples::{Draw, Market, Shape, lanes};

type Bound = fn(&Case) -> i128;

struct Case {
    market: Market,
    /// The same without add-ons.
    bare: ScenarioTable,
    portfolio: Portfolio,
    lanes: Vec<Lane>,
    shape: Shape,
    /// Whether R is claimed to be exact.
    exact: bool,
    with_add_ons: bool,
}

/// What execution shows about a case.
#[derive(Clone, Copy)]
struct Truth {
    now: i128,
    least: i128,
    greatest: i128,
    some_fail: bool,
}

/// An account as plain numbers, on a path of its own to margin.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    cash: i128,
    /// By position of the row.
    lots: Vec<i64>,
}

impl State {
    fn of(portfolio: &Portfolio, rows: &[Row]) -> Self {
        let lots = rows.iter().map(|row| portfolio.quantity(row.instrument));
        Self {
            cash: portfolio.cash(),
            lots: lots.collect(),
        }
    }

    fn after(&self, change: &quorate_margin::Change) -> Self {
        let mut next = self.clone();
        next.cash += change.cash();
        for (instrument, lots) in change.legs() {
            // Instruments of a sample are numbered by row.
            next.lots[usize::try_from(instrument.0).unwrap()] += lots;
        }
        next
    }

    /// The definition of M, term by term.
    fn surplus(&self, rows: &[Row]) -> i128 {
        let mut total = self.cash;
        let mut worst = [i128::MAX; 2];
        for (feed, worst) in worst.iter_mut().enumerate() {
            let on_feed = |row: &&(&Row, &i64)| usize::try_from(row.0.feed.0).unwrap() == feed;
            let pairs: Vec<(&Row, &i64)> = rows.iter().zip(&self.lots).collect();
            let Some((first, _)) = pairs.iter().find(on_feed) else {
                *worst = 0;
                continue;
            };
            for scenario in 0..first.values.len() {
                let value = pairs.iter().filter(on_feed);
                let value = value.map(|(row, lots)| i128::from(row.values[scenario] * **lots));
                *worst = (*worst).min(value.sum());
            }
        }
        total += worst[0] + worst[1];
        for (row, lots) in rows.iter().zip(&self.lots) {
            let add_on = &row.add_on;
            let size = lots.unsigned_abs();
            let mut charge = add_on.per_lot * size;
            if *lots < 0 {
                charge += add_on.short_per_lot * size;
            }
            if size > add_on.large_from {
                charge += add_on.large_per_lot * (size - add_on.large_from);
            }
            total -= i128::from(charge);
        }
        total
    }
}

impl Case {
    fn random(draw: &mut Draw, number: usize) -> Self {
        let shape = [Shape::Subsets, Shape::Chain, Shape::Mixed][number % 3];
        let (feeds, crossing) = [(1, false), (2, false), (2, true)][number / 3 % 3];
        let with_add_ons = number / 9 % 2 == 1;
        let market = Market::random(draw, feeds, with_add_ons);
        let bare = market.rows.iter().map(|row| Row {
            add_on: quorate_margin::AddOn::NONE,
            ..row.clone()
        });
        let bare = ScenarioTable::new(bare.collect()).unwrap();
        let mut portfolio = market.portfolio(draw);
        // Two thirds begin with margin, most of them with little of it.
        let now = surplus(&market.table, &portfolio).unwrap();
        if now < 0 && draw.below(3) != 0 {
            let cash = portfolio.cash() - now + i128::from(draw.between(0, 2000));
            portfolio = Portfolio::new(cash, portfolio.positions()).unwrap();
        }
        let most = if shape == Shape::Subsets { 5 } else { 6 };
        let count = 2 + draw.below(most - 1);
        let lanes = lanes(draw, &market, shape, crossing, count);
        Self {
            market,
            bare,
            portfolio,
            lanes,
            shape,
            exact: !with_add_ons && !crossing,
            with_add_ons,
        }
    }

    fn truth(&self) -> Truth {
        let start = State::of(&self.portfolio, &self.market.rows);
        let now = start.surplus(&self.market.rows);
        let mut seen = BTreeMap::new();
        let mut some_fail = false;
        let mut done = vec![0; self.lanes.len()];
        self.execute(&start, true, &mut done, &mut seen, &mut some_fail);
        let values = seen.values().map(|(_, value)| *value);
        Truth {
            now,
            least: values.clone().min().unwrap(),
            greatest: values.max().unwrap(),
            some_fail,
        }
    }

    /// Runs every order from here. `valid` says that every operation so far passed its predicate: only then does a failure
    /// count. Orders go on after a failure all the same, to see every x + D.
    fn execute(
        &self,
        state: &State,
        valid: bool,
        done: &mut Vec<usize>,
        seen: &mut BTreeMap<Vec<usize>, (State, i128)>,
        some_fail: &mut bool,
    ) {
        let value = state.surplus(&self.market.rows);
        if let Some((before, _)) = seen.insert(done.clone(), (state.clone(), value)) {
            assert_eq!(before, *state, "the result depends on the order");
        }
        for lane in 0..self.lanes.len() {
            if let Some(change) = self.lanes[lane].changes.get(done[lane]) {
                let next = state.after(change);
                let passes = next.surplus(&self.market.rows) >= 0;
                *some_fail |= valid && !passes;
                done[lane] += 1;
                self.execute(&next, valid && passes, done, seen, some_fail);
                done[lane] -= 1;
            }
        }
    }
}

/// How often bounds were right and wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    sets: usize,
    /// Sets where R is claimed to be exact, and where it was not.
    exact: usize,
    not_exact: usize,
    /// "Nothing can fail" and R >= 0 disagree where R is claimed to be exact.
    not_equivalent: usize,
    /// R above the least surplus, or R >= 0 where something can fail.
    lower_unsound: usize,
    /// U below the greatest surplus.
    upper_unsound: usize,
    /// Accounts called that some order would have cured.
    wrongly_called: usize,
    called: usize,
    /// Truly independent sets where R is a bound only, and how many of them R certifies.
    independent: usize,
    certified: usize,
    /// The same for subsets with add-ons and lanes within one feed.
    independent_subsets: usize,
    certified_subsets: usize,
}

impl Counts {
    fn add(&mut self, case: &Case, truth: Truth, lower: Bound, upper: Bound) {
        let (lower, upper) = (lower(case), upper(case));
        let independent = truth.now >= 0 && !truth.some_fail;
        self.sets += 1;
        if case.exact {
            self.exact += 1;
            self.not_exact += usize::from(lower != truth.least);
            self.not_equivalent += usize::from(truth.now >= 0 && independent != (lower >= 0));
        } else if independent {
            self.independent += 1;
            self.certified += usize::from(lower >= 0);
            let crossing = case.lanes.iter().any(|lane| crosses(case, lane));
            if case.shape == Shape::Subsets && case.with_add_ons && !crossing {
                self.independent_subsets += 1;
                self.certified_subsets += usize::from(lower >= 0);
            }
        }
        self.lower_unsound += usize::from(lower > truth.least || (lower >= 0 && !independent));
        self.upper_unsound += usize::from(upper < truth.greatest);
        self.called += usize::from(upper < 0);
        self.wrongly_called += usize::from(upper < 0 && truth.greatest >= 0);
    }
}

fn crosses(case: &Case, lane: &Lane) -> bool {
    let row = |instrument: &quorate_types::InstrumentId| {
        &case.market.rows[usize::try_from(instrument.0).unwrap()]
    };
    let legs = lane.changes.iter().flat_map(|change| change.legs());
    let mut feeds: Vec<_> = legs.map(|(instrument, _)| row(instrument).feed).collect();
    feeds.sort_unstable();
    feeds.dedup();
    feeds.len() > 1
}

fn run(seed: u64, sets: usize, lower: Bound, upper: Bound) -> Counts {
    let mut draw = Draw::new(seed);
    let mut counts = Counts::default();
    for number in 0..sets {
        let case = Case::random(&mut draw, number);
        counts.add(&case, case.truth(), lower, upper);
    }
    counts
}

fn ours(case: &Case) -> i128 {
    robust(&case.market.table, &case.portfolio, &case.lanes).unwrap()
}

fn our_upper(case: &Case) -> i128 {
    upper(&case.market.table, &case.portfolio, &case.lanes).unwrap()
}

#[test]
fn every_order_of_every_subset_agrees() {
    let counts = run(1, 21_600, ours, our_upper);
    println!("{counts:#?}");
    assert_eq!(counts.sets, 21_600);
    assert_eq!(counts.exact, 7_200);
    assert_eq!(counts.not_exact, 0);
    assert_eq!(counts.not_equivalent, 0);
    assert_eq!(counts.lower_unsound, 0);
    assert_eq!(counts.upper_unsound, 0);
    assert_eq!(counts.wrongly_called, 0);
    assert!(counts.called > 500, "too few accounts are called to tell");
    assert!(counts.independent_subsets > 500);
    assert!(counts.certified_subsets * 100 >= counts.independent_subsets * 95);
}

#[test]
fn a_curable_account_is_never_in_breach_and_a_held_one_never_fails() {
    let mut draw = Draw::new(2);
    let mut verdicts = [0; 3];
    for number in 0..5_400 {
        let case = Case::random(&mut draw, number);
        let truth = case.truth();
        let (table, lanes) = (&case.market.table, &case.lanes);
        match verdict(table, table, &case.portfolio, lanes, lanes).unwrap() {
            Verdict::MustHold => {
                assert!(!truth.some_fail && truth.now >= 0);
                verdicts[0] += 1;
            }
            Verdict::MustBreach => {
                assert!(truth.greatest < 0);
                verdicts[1] += 1;
            }
            Verdict::Open => verdicts[2] += 1,
        }
    }
    println!("must hold, must breach, open: {verdicts:?}");
    assert!(verdicts.iter().all(|count| *count > 100));
}

/// Takes each lane as all or nothing.
fn without_inner_prefixes(case: &Case) -> i128 {
    let merge = |lane: &Lane| {
        let cash = lane.changes.iter().map(quorate_margin::Change::cash).sum();
        let legs: Vec<_> = lane
            .changes
            .iter()
            .flat_map(|c| c.legs())
            .copied()
            .collect();
        Lane::from(quorate_margin::Change::new(cash, &legs).unwrap())
    };
    let merged: Vec<Lane> = case.lanes.iter().map(merge).collect();
    robust(&case.market.table, &case.portfolio, &merged).unwrap()
}

/// Takes every lane to happen in full.
fn as_if_all_happened(case: &Case) -> i128 {
    let mut portfolio = case.portfolio.clone();
    let all = case.lanes.iter().flat_map(|lane| &lane.changes);
    let done: Result<(), MarginError> = all.into_iter().try_for_each(|c| portfolio.apply(c));
    done.unwrap();
    surplus(&case.market.table, &portfolio).unwrap()
}

/// Charges add-ons on what is held now, not on what can be reached.
fn with_add_ons_of_now(case: &Case, bound: i128) -> i128 {
    let charged = surplus(&case.market.table, &case.portfolio).unwrap();
    bound + charged - surplus(&case.bare, &case.portfolio).unwrap()
}

fn lower_with_add_ons_of_now(case: &Case) -> i128 {
    let bound = robust(&case.bare, &case.portfolio, &case.lanes).unwrap();
    with_add_ons_of_now(case, bound)
}

fn upper_with_add_ons_of_now(case: &Case) -> i128 {
    let bound = upper(&case.bare, &case.portfolio, &case.lanes).unwrap();
    with_add_ons_of_now(case, bound)
}

/// Overlooks one credit.
fn without_the_first_lane(case: &Case) -> i128 {
    upper(&case.market.table, &case.portfolio, &case.lanes[1..]).unwrap()
}

/// Adds the stand-alone margin of each lane: sound, but not exact.
fn stand_alone(case: &Case) -> i128 {
    let nothing = Portfolio::default();
    let alone =
        |lane: &Lane| robust(&case.market.table, &nothing, std::slice::from_ref(lane)).unwrap();
    let lanes = case.lanes.iter().map(alone);
    surplus(&case.market.table, &case.portfolio).unwrap() + lanes.sum::<i128>()
}

#[test]
fn broken_twins_are_caught() {
    let sets = 3_600;
    let sound = run(3, sets, ours, our_upper);
    assert_eq!((sound.lower_unsound, sound.upper_unsound), (0, 0));
    for lower in [
        without_inner_prefixes,
        as_if_all_happened,
        lower_with_add_ons_of_now,
    ] {
        let counts = run(3, sets, lower, our_upper);
        println!("lower bound unsound in {}", counts.lower_unsound);
        assert!(counts.lower_unsound > 0);
    }
    for upper in [without_the_first_lane, upper_with_add_ons_of_now] {
        let counts = run(3, sets, ours, upper);
        println!("upper bound unsound in {}", counts.upper_unsound);
        assert!(counts.upper_unsound > 0);
    }
    let careless = run(3, sets, ours, without_the_first_lane);
    assert!(careless.wrongly_called > 0);
    // A bound that is merely sound fails the claim of exactness, and certifies less.
    let counts = run(3, sets, stand_alone, our_upper);
    assert!(counts.not_exact > 0 && counts.not_equivalent > 0);
    assert!(counts.certified_subsets < sound.certified_subsets);
}
