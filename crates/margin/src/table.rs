//! What every position is worth in every scenario: the published risk arrays of one window, ready for dot products.

use alloc::vec::Vec;

use quorate_types::{FeedId, InstrumentId};

use crate::sums::Sums;

/// Cells of risk arrays are smaller than this in magnitude, in quote atoms per lot.
pub const CELL_LIMIT: i64 = 1 << 62;
/// Rates of add-ons are smaller than this, in quote atoms per lot.
pub const ADD_ON_LIMIT: u64 = 1 << 60;
/// Scenarios of one feed. The windows in use have a few dozen; the bound keeps sums over scenarios in range.
pub const SCENARIOS_MAX: usize = 1 << 10;

/// What an instrument costs beyond the scan, as a function of the position `q` in lots:
///
/// ```text
/// A(q) = short_per_lot * max(0, -q)  +  per_lot * |q|  +  large_per_lot * max(0, |q| - large_from)
/// ```
///
/// Every term is convex, so A is. The first two are also homogeneous, the third is not: doubling a position more than
/// doubles its concentration. Margin with the first two alone is superadditive (two accounts merged never need more than
/// both apart), with the third it need not be. Soundness of the bounds in this crate rests on convexity alone.
///
/// Sources: the short-option minimum is CME SPAN's; the charge on size is what clearing houses call concentration or
/// liquidity add-on (CPMI-IOSCO principles, 3.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddOn {
    /// Short-option minimum: quote atoms per lot held short.
    pub short_per_lot: u64,
    /// Quote atoms per lot held either way. At least 1 where cells are rounded to whole atoms, to cover the rounding.
    pub per_lot: u64,
    /// Concentration: quote atoms per lot beyond `large_from`, held either way.
    pub large_per_lot: u64,
    /// Lots from which a position counts as large.
    pub large_from: u64,
}

impl AddOn {
    /// No charge at all.
    pub const NONE: Self = Self {
        short_per_lot: 0,
        per_lot: 0,
        large_per_lot: 0,
        large_from: 0,
    };

    /// A(q) in quote atoms. In range for any quantity, since a table's rates are below [`ADD_ON_LIMIT`]:
    /// 3 * 2^60 * 2^63 < 2^125.
    #[inline]
    pub(crate) fn charge(&self, quantity: i64) -> i128 {
        let size = quantity.unsigned_abs();
        let short = if quantity < 0 { size } else { 0 };
        let large = size.saturating_sub(self.large_from);
        // Products of u64 in u128 need no check, which makes them several times cheaper than in i128.
        let charge = u128::from(self.short_per_lot) * u128::from(short)
            + u128::from(self.per_lot) * u128::from(size)
            + u128::from(self.large_per_lot) * u128::from(large);
        i128::try_from(charge).expect("rates are below ADD_ON_LIMIT: the table checked")
    }

    /// The most that A can rise for one lot more, in quote atoms.
    pub(crate) fn slope(&self) -> i128 {
        i128::from(self.short_per_lot) + i128::from(self.per_lot) + i128::from(self.large_per_lot)
    }
}

/// The risk array of one instrument, as it enters a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The feed that it is priced from; every feed is scanned alone.
    pub feed: FeedId,
    /// Quote atoms per lot in each scenario of the feed, in the feed's order of scenarios.
    pub values: Vec<i64>,
    /// What it costs beyond the scan.
    pub add_on: AddOn,
}

/// Why rows do not make a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// An instrument with two rows.
    #[error("instrument {0} has two rows")]
    Duplicate(InstrumentId),
    /// A row without scenarios, or with more than [`SCENARIOS_MAX`].
    #[error("instrument {instrument} has {scenarios} scenarios")]
    Scenarios {
        /// The row's instrument.
        instrument: InstrumentId,
        /// How many it has.
        scenarios: usize,
    },
    /// Rows of one feed with different numbers of scenarios.
    #[error("instrument {instrument} has {scenarios} scenarios where its feed has {expected}")]
    Mismatch {
        /// The row's instrument.
        instrument: InstrumentId,
        /// How many it has.
        scenarios: usize,
        /// How many other rows of the feed have.
        expected: usize,
    },
    /// A cell not within [`CELL_LIMIT`].
    #[error("instrument {instrument} is worth {value} atoms a lot in scenario {scenario}")]
    Cell {
        /// The row's instrument.
        instrument: InstrumentId,
        /// Position in the row.
        scenario: usize,
        /// The cell.
        value: i64,
    },
    /// A rate not below [`ADD_ON_LIMIT`].
    #[error("an add-on of instrument {0} is out of range")]
    AddOn(InstrumentId),
}

/// Risk arrays and add-ons of all instruments, for one window of scenarios.
///
/// A caller builds one table for each window: maintenance, initial (wider), and admission (wider still, so that its
/// scenarios include those of every centre within the band; SETTLEMENT 3.4). All rows of a feed have equally many cells;
/// feeds may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioTable {
    /// Ascending. An instrument's position here is its index everywhere in this crate.
    ids: Vec<InstrumentId>,
    entries: Vec<Entry>,
    /// All rows, one after the other.
    cells: Vec<i64>,
    /// Ascending.
    feeds: Vec<(FeedId, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Index into `feeds`.
    feed: usize,
    first_cell: usize,
    scenarios: usize,
    /// No cell is larger in magnitude.
    largest: u64,
    add_on: AddOn,
}

impl ScenarioTable {
    /// A table of these rows, in any order.
    ///
    /// # Errors
    /// [`TableError`], for the first row in ascending order of instruments that does not fit.
    pub fn new(mut rows: Vec<Row>) -> Result<Self, TableError> {
        rows.sort_by_key(|row| row.instrument);
        let mut feeds: Vec<(FeedId, usize)> = rows
            .iter()
            .map(|row| (row.feed, row.values.len()))
            .collect();
        feeds.sort_by_key(|(feed, _)| *feed);
        feeds.dedup_by_key(|(feed, _)| *feed);
        let mut table = Self {
            ids: Vec::with_capacity(rows.len()),
            entries: Vec::with_capacity(rows.len()),
            cells: Vec::new(),
            feeds,
        };
        for row in &rows {
            table.push(row)?;
        }
        Ok(table)
    }

    /// Instruments, ascending.
    #[must_use]
    pub fn instruments(&self) -> &[InstrumentId] {
        &self.ids
    }

    /// How many scenarios a feed has; `None` if no instrument is priced from it.
    #[must_use]
    pub fn scenarios(&self, feed: FeedId) -> Option<usize> {
        self.find_feed(feed).map(|index| self.feeds[index].1)
    }

    fn push(&mut self, row: &Row) -> Result<(), TableError> {
        let instrument = row.instrument;
        if self.ids.last() == Some(&instrument) {
            return Err(TableError::Duplicate(instrument));
        }
        let scenarios = row.values.len();
        if scenarios == 0 || scenarios > SCENARIOS_MAX {
            return Err(TableError::Scenarios {
                instrument,
                scenarios,
            });
        }
        let feed = self
            .find_feed(row.feed)
            .expect("the feeds of all rows were collected first");
        let expected = self.feeds[feed].1;
        if scenarios != expected {
            return Err(TableError::Mismatch {
                instrument,
                scenarios,
                expected,
            });
        }
        let sizes = row.values.iter().map(|value| value.unsigned_abs());
        let largest = sizes.clone().max().unwrap_or(0);
        let limit = CELL_LIMIT.unsigned_abs();
        if let Some(scenario) = sizes.clone().position(|size| size >= limit) {
            let value = row.values[scenario];
            return Err(TableError::Cell {
                instrument,
                scenario,
                value,
            });
        }
        let add_on = row.add_on;
        let rates = [add_on.short_per_lot, add_on.per_lot, add_on.large_per_lot];
        if rates.iter().any(|rate| *rate >= ADD_ON_LIMIT) {
            return Err(TableError::AddOn(instrument));
        }
        self.ids.push(instrument);
        self.entries.push(Entry {
            feed,
            first_cell: self.cells.len(),
            scenarios,
            largest,
            add_on,
        });
        self.cells.extend_from_slice(&row.values);
        Ok(())
    }

    /// The index of an instrument. Numbers are usually given in sequence, so the place that such a sequence implies is
    /// looked at first.
    #[inline]
    pub(crate) fn find(&self, instrument: InstrumentId) -> Option<usize> {
        let first = self.ids.first()?;
        let guess = usize::try_from(instrument.0.checked_sub(first.0)?).ok()?;
        if self.ids.get(guess) == Some(&instrument) {
            return Some(guess);
        }
        self.ids.binary_search(&instrument).ok()
    }

    pub(crate) fn find_feed(&self, feed: FeedId) -> Option<usize> {
        self.feeds.binary_search_by_key(&feed, |(id, _)| *id).ok()
    }

    pub(crate) fn id(&self, index: usize) -> InstrumentId {
        self.ids[index]
    }

    pub(crate) fn feed_id(&self, feed: usize) -> FeedId {
        self.feeds[feed].0
    }

    #[inline]
    pub(crate) fn feed_scenarios(&self, feed: usize) -> usize {
        self.feeds[feed].1
    }

    #[inline]
    pub(crate) fn feed_of(&self, index: usize) -> usize {
        self.entries[index].feed
    }

    #[inline]
    pub(crate) fn values(&self, index: usize) -> &[i64] {
        let entry = &self.entries[index];
        &self.cells[entry.first_cell..entry.first_cell + entry.scenarios]
    }

    /// What a position can be worth at most, in magnitude, in quote atoms.
    #[inline]
    pub(crate) fn most(&self, index: usize, quantity: i64) -> u128 {
        u128::from(quantity.unsigned_abs()) * u128::from(self.entries[index].largest)
    }

    /// Adds a position to the sums of its feed, which are new if they are not among `feeds`.
    #[inline]
    pub(crate) fn add_to_feed(&self, feeds: &mut Vec<(usize, Sums)>, index: usize, quantity: i64) {
        let entry = &self.entries[index];
        let place = match feeds.iter().position(|(feed, _)| *feed == entry.feed) {
            Some(place) => place,
            None => {
                feeds.push((entry.feed, Sums::new(entry.scenarios)));
                feeds.len() - 1
            }
        };
        feeds[place]
            .1
            .add(self.values(index), entry.largest, quantity);
    }

    #[inline]
    pub(crate) fn add_on(&self, index: usize) -> &AddOn {
        &self.entries[index].add_on
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn row(instrument: u32, feed: u32, values: Vec<i64>) -> Row {
        Row {
            instrument: InstrumentId(instrument),
            feed: FeedId(feed),
            values,
            add_on: AddOn::NONE,
        }
    }

    #[test]
    fn instruments_are_found_with_and_without_gaps() {
        let ids = [3, 4, 5, 9, 40, u32::MAX];
        let rows = ids.iter().map(|id| row(*id, *id % 2, vec![7])).collect();
        let table = ScenarioTable::new(rows).unwrap();
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(table.find(InstrumentId(*id)), Some(index));
        }
        for absent in [0, 2, 6, 8, 10, 41, u32::MAX - 1] {
            assert_eq!(table.find(InstrumentId(absent)), None);
        }
        assert_eq!(table.scenarios(FeedId(1)), Some(1));
        assert_eq!(table.scenarios(FeedId(2)), None);
    }

    #[test]
    fn rows_that_do_not_fit_are_named() {
        let check = |rows, expected| assert_eq!(ScenarioTable::new(rows), Err(expected));
        let instrument = InstrumentId(1);
        check(
            vec![row(1, 0, vec![1]), row(1, 0, vec![1])],
            TableError::Duplicate(instrument),
        );
        check(
            vec![row(1, 0, vec![])],
            TableError::Scenarios {
                instrument,
                scenarios: 0,
            },
        );
        check(
            vec![row(0, 0, vec![1, 2]), row(1, 0, vec![1])],
            TableError::Mismatch {
                instrument,
                scenarios: 1,
                expected: 2,
            },
        );
        for value in [CELL_LIMIT, -CELL_LIMIT, i64::MIN] {
            check(
                vec![row(1, 0, vec![0, value])],
                TableError::Cell {
                    instrument,
                    scenario: 1,
                    value,
                },
            );
        }
        let mut dear = row(1, 0, vec![0]);
        dear.add_on.large_per_lot = ADD_ON_LIMIT;
        check(vec![dear], TableError::AddOn(instrument));
    }

    #[test]
    fn add_ons_charge_short_size_and_concentration() {
        let add_on = AddOn {
            short_per_lot: 100,
            per_lot: 1,
            large_per_lot: 10,
            large_from: 5,
        };
        assert_eq!(add_on.charge(0), 0);
        assert_eq!(add_on.charge(5), 5);
        assert_eq!(add_on.charge(7), 7 + 20);
        assert_eq!(add_on.charge(-7), 700 + 7 + 20);
        // Convex: a step up never costs less than the step before it.
        for quantity in -20..20 {
            let step = |at| add_on.charge(at + 1) - add_on.charge(at);
            assert!(step(quantity) <= step(quantity + 1));
            assert!(step(quantity).abs() <= add_on.slope());
        }
    }
}
