//! One lane of pending changes, scanned: what its prefixes can do at worst, or at best, in every scenario.
//!
//! # Which feed bears a change's cash
//!
//! Margin adds one minimum per feed, so the cash of a change must be counted in one of them, or split, or apart. Any fixed
//! assignment gives a sound bound. Write the surplus after any set D of pending changes as
//!
//! ```text
//! M(x + D) + A  =  cash(D) + sum_f min_s V_f,s(D)  =  loose(D) + sum_f min_s [ V_f,s(D) + share_f(D) ]
//! ```
//!
//! where the shares of each change and what is left loose add up to its cash: a number without s moves freely through the
//! minimum over s. From here on each lane's part of each bracket is replaced by its least value over the lane's prefixes,
//! which only lowers the whole (for the best case: by its greatest, which only raises it). The rules below decide how
//! tight the bound is, never whether it holds:
//!
//! 1. A change with legs in one feed gives that feed all of its cash.
//! 2. A change over several feeds gives each feed the opposite of its legs' mean value there, as if they were paid for
//!    apart at a fair price, and the rest to the first feed.
//! 3. A change without legs gives its cash to the feed that the lane touches, if that is exactly one; otherwise it stays
//!    loose, bounded by itself.
//!
//! So a lane that touches at most one feed is one sequence of vectors, and replacing it by its minimum over prefixes is
//! exact: minima over s and over the lanes of a feed commute, and feeds have no lane in common.
//!
//! Rules 1 and 2 look at nothing but the change, and under rule 3 a lane that shrinks to one feed only moves loose cash
//! into that feed, where min(a + b) >= min(a) + min(b). Hence settling the front of a lane never lowers the bound.

use alloc::vec::Vec;

use crate::few::Few;
use crate::portfolio::{Change, MarginError, PENDING_MAX, index_of};
use crate::sums::add_product;
use crate::table::ScenarioTable;

/// Which end of what may happen is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The least value over prefixes: for what must hold in every order.
    Lowest,
    /// The greatest: for what no order can cure.
    Highest,
}

impl Side {
    /// The less of both, or the greater. Without a branch, for whether a change gains or loses flips between scenarios in
    /// ways that no processor guesses: by the sign of the difference, all of it or nothing is added.
    fn pick(self, left: i128, right: i128) -> i128 {
        let rise = right - left;
        let negative = rise >> 127;
        let chosen = match self {
            Self::Lowest => negative,
            Self::Highest => !negative,
        };
        left + (rise & chosen)
    }
}

/// Instruments by index, and lots.
pub(crate) type Legs = Few<(usize, i64), 4>;

/// A change's legs in a table's terms.
#[inline]
pub(crate) fn find_legs(table: &ScenarioTable, change: &Change) -> Result<Legs, MarginError> {
    let mut legs = Legs::new();
    for (instrument, lots) in change.legs() {
        legs.push((index_of(table, *instrument)?, *lots));
    }
    Ok(legs)
}

/// A change in a table's terms, with its value in every scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValuedChange {
    /// All of its cash.
    pub(crate) cash: i128,
    /// Its cash if it has no legs, else 0.
    pub(crate) legless_cash: i128,
    /// Feeds touched, each with what the change adds by scenario: its legs there and its share of the cash.
    pub(crate) feeds: Vec<(usize, Vec<i128>)>,
    /// Instruments by index, and lots.
    pub(crate) legs: Vec<(usize, i64)>,
}

impl ValuedChange {
    pub(crate) fn new(table: &ScenarioTable, change: &Change) -> Result<Self, MarginError> {
        let mut legs = Vec::with_capacity(change.legs().len());
        for (instrument, lots) in change.legs() {
            legs.push((index_of(table, *instrument)?, *lots));
        }
        let mut touched = legs.iter().map(|(index, _)| table.feed_of(*index));
        let first = touched.next();
        let one_feed = touched.all(|feed| Some(feed) == first);
        // Rule 1.
        let base = if one_feed { change.cash() } else { 0 };
        let mut feeds: Vec<(usize, Vec<i128>)> = Vec::with_capacity(1);
        for (index, lots) in &legs {
            let feed = table.feed_of(*index);
            let row = table.values(*index);
            match feeds.iter_mut().find(|(of, _)| *of == feed) {
                Some((_, values)) => add_product(values, 0, row, *lots),
                None => {
                    let lots = i128::from(*lots);
                    let values = row.iter().map(|cell| base + lots * i128::from(*cell));
                    feeds.push((feed, values.collect()));
                }
            }
        }
        if !one_feed {
            add_shares(change.cash(), &mut feeds);
        }
        Ok(Self {
            cash: change.cash(),
            legless_cash: if feeds.is_empty() { change.cash() } else { 0 },
            feeds,
            legs,
        })
    }

    /// What it adds in one scenario of one feed.
    pub(crate) fn value(&self, feed: usize, scenario: usize) -> i128 {
        self.feeds
            .iter()
            .find(|(of, _)| *of == feed)
            .map_or(0, |(_, values)| values[scenario])
    }
}

/// Rule 2: splits a change's cash among the feeds of its legs.
fn add_shares(cash: i128, feeds: &mut [(usize, Vec<i128>)]) {
    let mut rest = cash;
    for (_, values) in feeds.iter_mut() {
        let count = i128::try_from(values.len()).expect("scenarios are few: the table checked");
        let share = -values.iter().sum::<i128>().div_euclid(count);
        rest -= share;
        values.iter_mut().for_each(|value| *value += share);
    }
    if let Some((_, values)) = feeds.first_mut() {
        values.iter_mut().for_each(|value| *value += rest);
    }
}

/// What the prefixes of a lane can do. Equal for equal lanes, however they were built up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaneScan {
    side: Side,
    /// Changes and legs.
    pub(crate) weight: usize,
    /// The magnitudes of all cash, added.
    pub(crate) cash_moved: i128,
    /// Whether some change has no legs, so that rule 3 applies.
    has_legless: bool,
    /// Cash that no feed bears: its sum over the lane, and the extreme of that over prefixes.
    loose_sum: i128,
    pub(crate) loose: i128,
    /// In the order in which the lane first touches them.
    feeds: Few<FeedPart, 1>,
    /// For each feed in turn, by scenario: the sum over the whole lane, then the extreme of that over prefixes, the empty
    /// one among them. One list for all feeds, to allocate once.
    values: Vec<i128>,
    legs: Few<LegScan, 4>,
}

/// Where a lane's values in one feed are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FeedPart {
    feed: usize,
    first: usize,
    scenarios: usize,
}

/// The part of a lane in one instrument, in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegScan {
    pub(crate) instrument: usize,
    /// After the whole lane.
    sum: i64,
    /// The least and the greatest over prefixes, the empty one among them.
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl LaneScan {
    /// Scans a lane from its front.
    pub(crate) fn new(
        side: Side,
        table: &ScenarioTable,
        changes: &[Change],
    ) -> Result<Self, MarginError> {
        let mut scan = Self::empty(side);
        scan.scan(table, changes)?;
        Ok(scan)
    }

    /// No lane yet, for [`scan`](Self::scan).
    pub(crate) fn empty(side: Side) -> Self {
        Self {
            side,
            weight: 0,
            cash_moved: 0,
            has_legless: false,
            loose_sum: 0,
            loose: 0,
            feeds: Few::new(),
            values: Vec::new(),
            legs: Few::new(),
        }
    }

    /// Scans another lane in the same memory. After an error, nothing may be read but by another scan.
    pub(crate) fn scan(
        &mut self,
        table: &ScenarioTable,
        changes: &[Change],
    ) -> Result<(), MarginError> {
        self.clear();
        let weight = changes.iter().map(Change::weight).sum();
        if weight > PENDING_MAX {
            return Err(MarginError::TooManyPending(weight));
        }
        let has_legless = changes.iter().any(|change| change.legs().is_empty());
        let home = if has_legless {
            home(table, &[], changes)?
        } else {
            None
        };
        for change in changes {
            self.append(table, change, home)?;
        }
        Ok(())
    }

    /// A credit line's claim: nothing but the extreme in each feed.
    pub(crate) fn claim(side: Side, feeds: impl Iterator<Item = (usize, Vec<i128>)>) -> Self {
        let mut scan = Self::empty(side);
        for (feed, extreme) in feeds {
            scan.feeds.push(FeedPart {
                feed,
                first: scan.values.len(),
                scenarios: extreme.len(),
            });
            // Nothing is ever appended to a claim, so that its sum does not matter.
            scan.values.resize(scan.values.len() + extreme.len(), 0);
            scan.values.extend(extreme);
        }
        scan
    }

    /// This lane with one more change at its back. `changes` are those it has. Costs as much as the change touches, unless
    /// rule 3 moves cash of earlier changes.
    pub(crate) fn extended(
        &self,
        table: &ScenarioTable,
        changes: &[Change],
        change: &Change,
    ) -> Result<Self, MarginError> {
        let added = core::slice::from_ref(change);
        let home = if self.has_legless || change.legs().is_empty() {
            home(table, self.feeds.as_slice(), added)?
        } else {
            None
        };
        let before = match self.feeds.as_slice() {
            [only] => Some(only.feed),
            _ => None,
        };
        if self.has_legless && home != before {
            let mut all = changes.to_vec();
            all.push(change.clone());
            return Self::new(self.side, table, &all);
        }
        let mut scan = self.clone();
        scan.append(table, change, home)?;
        Ok(scan)
    }

    /// Feeds touched, each with the extremes by scenario.
    #[inline]
    pub(crate) fn feeds(&self) -> impl Iterator<Item = (usize, &[i128])> {
        let extremes = |part: &FeedPart| {
            let first = part.first + part.scenarios;
            (part.feed, &self.values[first..first + part.scenarios])
        };
        self.feeds.as_slice().iter().map(extremes)
    }

    /// Instruments touched.
    #[inline]
    pub(crate) fn legs(&self) -> &[LegScan] {
        self.legs.as_slice()
    }

    /// Its extremes in a feed, by scenario.
    pub(crate) fn extremes(&self, feed: usize) -> Option<&[i128]> {
        self.feeds()
            .find(|(of, _)| *of == feed)
            .map(|(_, extremes)| extremes)
    }

    /// Its part in an instrument.
    pub(crate) fn leg(&self, instrument: usize) -> Option<&LegScan> {
        self.legs().iter().find(|leg| leg.instrument == instrument)
    }

    fn clear(&mut self) {
        self.weight = 0;
        self.cash_moved = 0;
        self.has_legless = false;
        self.loose_sum = 0;
        self.loose = 0;
        self.feeds.clear();
        self.values.clear();
        self.legs.clear();
    }

    fn append(
        &mut self,
        table: &ScenarioTable,
        change: &Change,
        home: Option<usize>,
    ) -> Result<(), MarginError> {
        self.weight += change.weight();
        self.cash_moved += change.cash().abs();
        if self.begin(table, change)? {
            return Ok(());
        }
        let found = find_legs(table, change)?;
        let legs = found.as_slice();
        for (instrument, lots) in legs {
            self.append_leg(*instrument, *lots);
        }
        if let Some((first, rest)) = legs.split_first() {
            let feed = table.feed_of(first.0);
            if rest.iter().all(|(index, _)| table.feed_of(*index) == feed) {
                // Rule 1. Legs are added to the sum where it stands: no list of the change's own values is needed.
                self.append_values(table, feed, |sums| {
                    add_legs(sums, table, change.cash(), legs);
                });
            } else {
                for (feed, values) in ValuedChange::new(table, change)?.feeds {
                    self.append_values(table, feed, |sums| {
                        sums.iter_mut()
                            .zip(values)
                            .for_each(|(sum, value)| *sum += value);
                    });
                }
            }
        } else {
            self.has_legless = true;
            match home {
                Some(feed) => self.append_values(table, feed, |sums| {
                    sums.iter_mut().for_each(|sum| *sum += change.cash());
                }),
                None => {
                    self.loose_sum += change.cash();
                    self.loose = self.side.pick(self.loose, self.loose_sum);
                }
            }
        }
        Ok(())
    }

    /// Begins a lane with a change of one or two legs in one feed, in a single pass and in `i64`, if that is exact. It
    /// nearly always is, and most lanes are no longer than that. Gives whether it was done.
    fn begin(&mut self, table: &ScenarioTable, change: &Change) -> Result<bool, MarginError> {
        let (first, second) = match change.legs() {
            [only] => (*only, (only.0, 0)),
            [first, second] => (*first, *second),
            _ => return Ok(false),
        };
        let (index, other) = (index_of(table, first.0)?, index_of(table, second.0)?);
        let (lots, more) = (first.1, second.1);
        let feed = table.feed_of(index);
        let begun = !self.feeds.as_slice().is_empty() || !self.legs().is_empty();
        if begun || feed != table.feed_of(other) {
            return Ok(false);
        }
        let most = table.most(index, lots) + table.most(other, more) + change.cash().unsigned_abs();
        let (Ok(_), Ok(cash)) = (i64::try_from(most), i64::try_from(change.cash())) else {
            return Ok(false);
        };
        self.append_leg(index, lots);
        if more != 0 {
            self.append_leg(other, more);
        }
        let (low, high) = match self.side {
            Side::Lowest => (i64::MIN, 0),
            Side::Highest => (0, i64::MAX),
        };
        let part = self.part(table, feed);
        let (sums, extremes) = self.values.split_at_mut(part.scenarios);
        let rows = table.values(index).iter().zip(table.values(other));
        for ((sum, extreme), (cell, second)) in sums.iter_mut().zip(extremes).zip(rows) {
            // No overflow: the magnitudes of all three terms together fit.
            let legs = lots
                .wrapping_mul(*cell)
                .wrapping_add(more.wrapping_mul(*second));
            let value = legs.wrapping_add(cash);
            *sum = i128::from(value);
            *extreme = i128::from(value.clamp(low, high));
        }
        Ok(true)
    }

    /// Lets `add` add a change to a feed's sums.
    fn append_values(&mut self, table: &ScenarioTable, feed: usize, add: impl FnOnce(&mut [i128])) {
        let part = self.part(table, feed);
        let values = &mut self.values[part.first..part.first + 2 * part.scenarios];
        let (sums, extremes) = values.split_at_mut(part.scenarios);
        add(sums);
        for (extreme, sum) in extremes.iter_mut().zip(sums) {
            *extreme = self.side.pick(*extreme, *sum);
        }
    }

    #[inline]
    fn part(&mut self, table: &ScenarioTable, feed: usize) -> FeedPart {
        let known = self.feeds.as_slice().iter().find(|part| part.feed == feed);
        if let Some(part) = known {
            return *part;
        }
        let part = FeedPart {
            feed,
            first: self.values.len(),
            scenarios: table.feed_scenarios(feed),
        };
        self.feeds.push(part);
        self.values.resize(part.first + 2 * part.scenarios, 0);
        part
    }

    #[inline]
    fn append_leg(&mut self, instrument: usize, lots: i64) {
        let mut known = self.legs.as_mut_slice().iter_mut();
        match known.find(|leg| leg.instrument == instrument) {
            Some(leg) => {
                // At most PENDING_MAX legs of less than 2^47 lots: below 2^61.
                leg.sum += lots;
                leg.low = leg.low.min(leg.sum);
                leg.high = leg.high.max(leg.sum);
            }
            None => self.legs.push(LegScan {
                instrument,
                sum: lots,
                low: lots.min(0),
                high: lots.max(0),
            }),
        }
    }
}

/// The feed that bears the cash of changes without legs under rule 3, if there is one: for a lane that touches `feeds`
/// and then makes `changes`.
fn home(
    table: &ScenarioTable,
    feeds: &[FeedPart],
    changes: &[Change],
) -> Result<Option<usize>, MarginError> {
    let mut home = None;
    let mut only = true;
    let mut touch = |feed: usize| only &= *home.get_or_insert(feed) == feed;
    feeds.iter().for_each(|part| touch(part.feed));
    for (instrument, _) in changes.iter().flat_map(Change::legs) {
        touch(table.feed_of(index_of(table, *instrument)?));
    }
    Ok(home.filter(|_| only))
}

/// Adds a change of one feed to values by scenario.
fn add_legs(into: &mut [i128], table: &ScenarioTable, cash: i128, legs: &[(usize, i64)]) {
    // Cash comes along with the first leg, which saves a pass.
    let mut cash = cash;
    for (instrument, lots) in legs {
        add_product(into, cash, table.values(*instrument), *lots);
        cash = 0;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use quorate_types::{FeedId, InstrumentId};

    use super::*;
    use crate::portfolio::CASH_LIMIT;
    use crate::rounding::QUANTITY_LIMIT;
    use crate::table::{AddOn, CELL_LIMIT, Row};

    #[test]
    fn short_lanes_are_exact_on_both_sides_of_what_fits_in_i64() {
        let top = CELL_LIMIT - 1;
        let row = |instrument, values: [i64; 4]| Row {
            instrument: InstrumentId(instrument),
            feed: FeedId(0),
            values: values.to_vec(),
            add_on: AddOn::NONE,
        };
        let rows = vec![row(0, [top, -top, 1, 0]), row(1, [top, top, -2, 7])];
        let table = ScenarioTable::new(rows).unwrap();
        let most = QUANTITY_LIMIT - 1;
        let narrow = i128::from(i64::MAX);
        let edge = narrow - i128::from(top);
        let cash = [0, 1, edge, edge + 1, narrow, narrow + 1, CASH_LIMIT - 1];
        for lots in [1, 2, -1, -2, most, -most] {
            for other in [0, 1, -1, most] {
                for cash in cash.into_iter().flat_map(|cash| [cash, -cash]) {
                    let legs = [(InstrumentId(0), lots), (InstrumentId(1), other)];
                    let change = Change::new(cash, &legs).unwrap();
                    check(&table, &change);
                }
            }
        }
    }

    fn check(table: &ScenarioTable, change: &Change) {
        let valued = ValuedChange::new(table, change).unwrap();
        for side in [Side::Lowest, Side::Highest] {
            let scan = LaneScan::new(side, table, core::slice::from_ref(change)).unwrap();
            let (_, extremes) = scan.feeds().next().unwrap();
            for (scenario, extreme) in extremes.iter().enumerate() {
                let value = valued.value(0, scenario);
                let expected = match side {
                    Side::Lowest => value.min(0),
                    Side::Highest => value.max(0),
                };
                assert_eq!(*extreme, expected);
                assert_eq!(scan.values[scenario], value);
            }
        }
    }
}
