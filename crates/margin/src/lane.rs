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

use alloc::vec;
use alloc::vec::Vec;

use crate::portfolio::{Change, MarginError, PENDING_MAX, add_product, index_of};
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
    pub(crate) fn pick(self, left: i128, right: i128) -> i128 {
        match self {
            Self::Lowest => left.min(right),
            Self::Highest => left.max(right),
        }
    }
}

/// A change in a table's terms.
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
                Some((_, values)) => add_product(values, row, *lots),
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
    pub(crate) feeds: Vec<FeedScan>,
    pub(crate) legs: Vec<LegScan>,
}

/// The part of a lane in one feed, by scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedScan {
    pub(crate) feed: usize,
    /// After the whole lane.
    sum: Vec<i128>,
    /// The extreme over prefixes, the empty one among them.
    pub(crate) extreme: Vec<i128>,
}

/// The part of a lane in one instrument, in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let weight = changes.iter().map(Change::weight).sum();
        if weight > PENDING_MAX {
            return Err(MarginError::TooManyPending(weight));
        }
        if let [only] = changes {
            let mut scan = Self::empty(side);
            scan.append(table, ValuedChange::new(table, only)?, None);
            return Ok(scan);
        }
        let valued = changes
            .iter()
            .map(|change| ValuedChange::new(table, change))
            .collect::<Result<Vec<_>, _>>()?;
        let mut touched = valued.iter().flat_map(|change| &change.feeds);
        let first = touched.next().map(|(feed, _)| *feed);
        let home = first.filter(|home| touched.all(|(feed, _)| feed == home));
        let mut scan = Self::empty(side);
        for change in valued {
            scan.append(table, change, home);
        }
        Ok(scan)
    }

    /// A credit line's claim: nothing but `extreme` in each feed.
    pub(crate) fn claim(side: Side, feeds: impl Iterator<Item = (usize, Vec<i128>)>) -> Self {
        let mut scan = Self::empty(side);
        scan.feeds = feeds
            .map(|(feed, extreme)| FeedScan {
                feed,
                sum: Vec::new(),
                extreme,
            })
            .collect();
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
        let valued = ValuedChange::new(table, change)?;
        let mut touched = self
            .feeds
            .iter()
            .map(|feed| feed.feed)
            .chain(valued.feeds.iter().map(|(feed, _)| *feed));
        let first = touched.next();
        let home = first.filter(|home| touched.all(|feed| feed == *home));
        if self.has_legless && home != self.home() {
            let mut all = changes.to_vec();
            all.push(change.clone());
            return Self::new(self.side, table, &all);
        }
        let mut scan = self.clone();
        scan.append(table, valued, home);
        Ok(scan)
    }

    /// Its part in an instrument.
    pub(crate) fn leg(&self, instrument: usize) -> Option<&LegScan> {
        self.legs.iter().find(|leg| leg.instrument == instrument)
    }

    fn empty(side: Side) -> Self {
        Self {
            side,
            weight: 0,
            cash_moved: 0,
            has_legless: false,
            loose_sum: 0,
            loose: 0,
            feeds: Vec::new(),
            legs: Vec::new(),
        }
    }

    /// The feed that bears the cash of changes without legs, if there is one.
    fn home(&self) -> Option<usize> {
        match self.feeds.as_slice() {
            [only] => Some(only.feed),
            _ => None,
        }
    }

    fn append(&mut self, table: &ScenarioTable, change: ValuedChange, home: Option<usize>) {
        self.weight += 1 + change.legs.len();
        self.cash_moved += change.cash.abs();
        for (instrument, lots) in &change.legs {
            self.append_leg(*instrument, *lots);
        }
        if change.legs.is_empty() {
            self.has_legless = true;
            match home {
                Some(feed) => {
                    let values = vec![change.legless_cash; table.feed_scenarios(feed)];
                    self.append_values(feed, values);
                }
                None => {
                    self.loose_sum += change.legless_cash;
                    self.loose = self.side.pick(self.loose, self.loose_sum);
                }
            }
        }
        for (feed, values) in change.feeds {
            self.append_values(feed, values);
        }
    }

    fn append_values(&mut self, feed: usize, values: Vec<i128>) {
        let side = self.side;
        match self.feeds.iter_mut().find(|scan| scan.feed == feed) {
            Some(scan) => {
                for ((sum, extreme), value) in
                    scan.sum.iter_mut().zip(&mut scan.extreme).zip(&values)
                {
                    *sum += value;
                    *extreme = side.pick(*extreme, *sum);
                }
            }
            None => {
                let extreme = values.iter().map(|value| side.pick(0, *value)).collect();
                self.feeds.push(FeedScan {
                    feed,
                    sum: values,
                    extreme,
                });
            }
        }
    }

    fn append_leg(&mut self, instrument: usize, lots: i64) {
        match self
            .legs
            .iter_mut()
            .find(|leg| leg.instrument == instrument)
        {
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
