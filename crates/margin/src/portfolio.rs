//! An account's positions, changes to them, and the margin surplus of both without anything pending.
//!
//! # Ranges
//!
//! Every bound is checked where a value enters, so that no sum in this crate can leave `i128`:
//!
//! - A quantity is below 2^47, a cell below 2^62: one position or leg is worth less than 2^109 in any scenario.
//! - Up to 2^12 positions: settled values stay below 2^121.
//! - Changes and legs that are pending number at most 2^14 together. A change over several feeds has its cash split
//!   along its values (`lane.rs`), which at most triples them: pending values stay below 2^125.
//! - Add-on rates are below 2^60, and so is each instrument's charge below 3 * 2^60 * 2^47 < 2^109; at most
//!   2^12 + 2^14 instruments are touched: charges stay below 2^124. (Where only legs bound a quantity, the quantities of
//!   all instruments together stay below 2^62, and charges below 2^124 all the same.)
//! - Cash, with all that is pending, is below 2^96; so is each of at most 2^6 risk budgets.
//!
//! All of it together is below 2^126.

use alloc::vec::Vec;

use quorate_types::InstrumentId;

use crate::rounding::QUANTITY_LIMIT;
use crate::sums::Sums;
use crate::table::ScenarioTable;

/// Amounts of cash are smaller than this in magnitude, in quote atoms: alone, and with all that is pending.
pub const CASH_LIMIT: i128 = 1 << 96;
/// Instruments in which one account may hold positions.
pub const POSITIONS_MAX: usize = 1 << 12;
/// Legs of one change. A trade has up to 8; the bound leaves room for baskets.
pub const LEGS_MAX: usize = 1 << 6;
/// Changes and legs, together, that may be pending on one account.
pub const PENDING_MAX: usize = 1 << 14;

/// Why an input is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarginError {
    /// The table has no row for an instrument.
    #[error("instrument {0} has no risk array")]
    UnknownInstrument(InstrumentId),
    /// A quantity is not within [`QUANTITY_LIMIT`], or pending changes can take a position there.
    #[error("{quantity} lots of instrument {instrument} are out of range")]
    Quantity {
        /// The instrument.
        instrument: InstrumentId,
        /// The quantity, in lots; saturated if it does not fit.
        quantity: i64,
    },
    /// Cash is not within [`CASH_LIMIT`], or pending changes can take it there.
    #[error("{0} atoms of cash are out of range")]
    Cash(i128),
    /// Two positions in one instrument.
    #[error("two positions in instrument {0}")]
    DuplicatePosition(InstrumentId),
    /// More than [`POSITIONS_MAX`] positions.
    #[error("{0} positions")]
    TooManyPositions(usize),
    /// More than [`LEGS_MAX`] legs.
    #[error("a change of {0} legs")]
    TooManyLegs(usize),
    /// More than [`PENDING_MAX`] changes and legs.
    #[error("{0} changes and legs are pending")]
    TooManyPending(usize),
}

/// What one operation does to one account: cash in quote atoms and lots of instruments, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    cash: i128,
    /// Ascending by instrument, none of zero lots.
    legs: Vec<(InstrumentId, i64)>,
}

impl Change {
    /// A change of `cash` quote atoms and of `legs` in lots. Legs in one instrument are one leg, for no state lies between
    /// them.
    ///
    /// # Errors
    /// [`MarginError::Cash`], [`MarginError::Quantity`], [`MarginError::TooManyLegs`].
    pub fn new(cash: i128, legs: &[(InstrumentId, i64)]) -> Result<Self, MarginError> {
        if cash.unsigned_abs() >= CASH_LIMIT.unsigned_abs() {
            return Err(MarginError::Cash(cash));
        }
        if legs.len() > LEGS_MAX {
            return Err(MarginError::TooManyLegs(legs.len()));
        }
        let mut sorted = legs.to_vec();
        sorted.sort_by_key(|(instrument, _)| *instrument);
        let mut merged: Vec<(InstrumentId, i64)> = Vec::with_capacity(sorted.len());
        for (instrument, lots) in sorted {
            let quantity = within(instrument, lots)?;
            match merged.last_mut() {
                Some(last) if last.0 == instrument => {
                    last.1 = within(instrument, last.1 + quantity)?;
                }
                _ => merged.push((instrument, quantity)),
            }
        }
        merged.retain(|(_, quantity)| *quantity != 0);
        Ok(Self { cash, legs: merged })
    }

    /// Quote atoms that the account receives, or pays if negative.
    #[must_use]
    pub const fn cash(&self) -> i128 {
        self.cash
    }

    /// Lots received (positive) or given (negative), ascending by instrument, none of zero.
    #[must_use]
    pub fn legs(&self) -> &[(InstrumentId, i64)] {
        &self.legs
    }

    /// What it counts against [`PENDING_MAX`].
    pub(crate) fn weight(&self) -> usize {
        1 + self.legs.len()
    }
}

/// What an account holds: cash in quote atoms and lots of instruments.
///
/// Collateral in other assets is turned into positions by the caller, with a risk array after haircut. The entry value of
/// futures and perpetuals stands in cash, so that a position is worth its cell alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portfolio {
    cash: i128,
    /// Ascending by instrument, none of zero lots.
    positions: Vec<(InstrumentId, i64)>,
}

impl Portfolio {
    /// A portfolio of `cash` quote atoms and `positions` in lots, in any order.
    ///
    /// # Errors
    /// [`MarginError::Cash`], [`MarginError::Quantity`], [`MarginError::DuplicatePosition`],
    /// [`MarginError::TooManyPositions`].
    pub fn new(cash: i128, positions: &[(InstrumentId, i64)]) -> Result<Self, MarginError> {
        let mut portfolio = Self {
            cash: cash_within(cash)?,
            positions: positions.to_vec(),
        };
        portfolio
            .positions
            .sort_by_key(|(instrument, _)| *instrument);
        for pair in portfolio.positions.windows(2) {
            if pair[0].0 == pair[1].0 {
                return Err(MarginError::DuplicatePosition(pair[0].0));
            }
        }
        for (instrument, quantity) in &portfolio.positions {
            within(*instrument, *quantity)?;
        }
        portfolio.positions.retain(|(_, quantity)| *quantity != 0);
        if portfolio.positions.len() > POSITIONS_MAX {
            return Err(MarginError::TooManyPositions(portfolio.positions.len()));
        }
        Ok(portfolio)
    }

    /// Quote atoms.
    #[must_use]
    pub const fn cash(&self) -> i128 {
        self.cash
    }

    /// Lots of each instrument held, ascending by instrument, none of zero.
    #[must_use]
    pub fn positions(&self) -> &[(InstrumentId, i64)] {
        &self.positions
    }

    /// Lots of an instrument, 0 if none is held.
    #[must_use]
    pub fn quantity(&self, instrument: InstrumentId) -> i64 {
        self.place(instrument)
            .map_or(0, |place| self.positions[place].1)
    }

    /// Carries out a change, whole or not at all.
    ///
    /// # Errors
    /// [`MarginError::Cash`], [`MarginError::Quantity`], [`MarginError::TooManyPositions`]; the portfolio is then as it
    /// was.
    pub fn apply(&mut self, change: &Change) -> Result<(), MarginError> {
        let cash = cash_within(self.cash + change.cash)?;
        let mut held = self.positions.len();
        for (instrument, lots) in &change.legs {
            let before = self.quantity(*instrument);
            let after = within(*instrument, before + lots)?;
            held = held + usize::from(before == 0) - usize::from(after == 0);
        }
        if held > POSITIONS_MAX {
            return Err(MarginError::TooManyPositions(held));
        }
        self.cash = cash;
        for (instrument, lots) in &change.legs {
            match self.place(*instrument) {
                Ok(place) => self.positions[place].1 += lots,
                Err(place) => self.positions.insert(place, (*instrument, *lots)),
            }
        }
        self.positions.retain(|(_, quantity)| *quantity != 0);
        Ok(())
    }

    fn place(&self, instrument: InstrumentId) -> Result<usize, usize> {
        self.positions
            .binary_search_by_key(&instrument, |(held, _)| *held)
    }
}

/// The margin surplus M in quote atoms: what is left above the table's requirement, negative if the account is short of
/// it (SETTLEMENT 3.1):
///
/// ```text
/// M(x) = cash  +  sum over feeds f of  min over scenarios s of f of  sum over positions i of f of q_i * v[i][s]  -  A(x)
/// ```
///
/// Each feed is scanned alone and the worst cases are added, as SPAN does with its combined commodities: no loss on one
/// underlying is taken to be offset by a gain on another. With one feed this is the scan of the whole portfolio. M is
/// concave; without the concentration add-on it is superadditive as well.
///
/// # Errors
/// [`MarginError::UnknownInstrument`] if a position has no row in the table.
pub fn surplus(table: &ScenarioTable, portfolio: &Portfolio) -> Result<i128, MarginError> {
    let mut charges = 0;
    let mut feeds: Vec<(usize, Sums)> = Vec::with_capacity(1);
    for (instrument, quantity) in portfolio.positions() {
        let index = index_of(table, *instrument)?;
        table.add_to_feed(&mut feeds, index, *quantity);
        charges += table.add_on(index).charge(*quantity);
    }
    let worst: i128 = feeds.iter().map(|(_, sums)| sums.least()).sum();
    Ok(portfolio.cash() + worst - charges)
}

#[inline]
pub(crate) fn index_of(
    table: &ScenarioTable,
    instrument: InstrumentId,
) -> Result<usize, MarginError> {
    table
        .find(instrument)
        .ok_or(MarginError::UnknownInstrument(instrument))
}

/// A quantity, if it is within the limit.
#[inline]
pub(crate) fn within(instrument: InstrumentId, quantity: i64) -> Result<i64, MarginError> {
    if quantity.unsigned_abs() < QUANTITY_LIMIT.unsigned_abs() {
        Ok(quantity)
    } else {
        Err(MarginError::Quantity {
            instrument,
            quantity,
        })
    }
}

fn cash_within(cash: i128) -> Result<i128, MarginError> {
    if cash.unsigned_abs() < CASH_LIMIT.unsigned_abs() {
        Ok(cash)
    } else {
        Err(MarginError::Cash(cash))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use quorate_types::FeedId;

    use super::*;
    use crate::table::{ADD_ON_LIMIT, AddOn, CELL_LIMIT, Row};

    fn id(number: u32) -> InstrumentId {
        InstrumentId(number)
    }

    #[test]
    fn legs_are_merged_and_bounds_checked_where_values_enter() {
        let change = Change::new(5, &[(id(2), 3), (id(1), 1), (id(2), -1), (id(1), -1)]).unwrap();
        assert_eq!(change.legs(), [(id(2), 2)]);
        let top = QUANTITY_LIMIT - 1;
        let quantity = |number, quantity| MarginError::Quantity {
            instrument: id(number),
            quantity,
        };
        assert_eq!(
            Change::new(0, &[(id(1), top), (id(1), top)]),
            Err(quantity(1, 2 * top))
        );
        for bad in [QUANTITY_LIMIT, -QUANTITY_LIMIT, i64::MIN, i64::MAX] {
            assert_eq!(Change::new(0, &[(id(1), bad)]), Err(quantity(1, bad)));
            assert_eq!(Portfolio::new(0, &[(id(1), bad)]), Err(quantity(1, bad)));
        }
        for bad in [CASH_LIMIT, -CASH_LIMIT, i128::MIN] {
            assert_eq!(Change::new(bad, &[]), Err(MarginError::Cash(bad)));
            assert_eq!(Portfolio::new(bad, &[]), Err(MarginError::Cash(bad)));
        }
        let legs = vec![(id(0), 1); LEGS_MAX + 1];
        let error = MarginError::TooManyLegs(LEGS_MAX + 1);
        assert_eq!(Change::new(0, &legs), Err(error));
        assert_eq!(
            Portfolio::new(0, &[(id(1), 1), (id(1), 2)]),
            Err(MarginError::DuplicatePosition(id(1)))
        );
    }

    #[test]
    fn a_change_applies_whole_or_not_at_all() {
        let top = QUANTITY_LIMIT - 1;
        let mut portfolio = Portfolio::new(10, &[(id(2), top), (id(1), 4)]).unwrap();
        let before = portfolio.clone();
        let too_much = Change::new(1, &[(id(1), -4), (id(2), 1)]).unwrap();
        assert!(portfolio.apply(&too_much).is_err());
        assert_eq!(portfolio, before);
        let fits = Change::new(1, &[(id(1), -4), (id(3), 1)]).unwrap();
        portfolio.apply(&fits).unwrap();
        assert_eq!(portfolio.cash(), 11);
        assert_eq!(portfolio.positions(), [(id(2), top), (id(3), 1)]);
        assert_eq!(portfolio.quantity(id(1)), 0);

        let many: Vec<_> = (0..4096).map(|number| (id(number), 1)).collect();
        let mut full = Portfolio::new(0, &many).unwrap();
        let swap = Change::new(0, &[(id(0), -1), (id(9999), 1)]).unwrap();
        full.apply(&swap).unwrap();
        let more = Change::new(0, &[(id(0), 1)]).unwrap();
        assert_eq!(full.apply(&more), Err(MarginError::TooManyPositions(4097)));
    }

    #[test]
    fn feeds_are_scanned_alone_and_added() {
        let row = |instrument, feed, values: &[i64]| Row {
            instrument: id(instrument),
            feed: FeedId(feed),
            values: values.to_vec(),
            add_on: AddOn {
                per_lot: 1,
                ..AddOn::NONE
            },
        };
        let rows = vec![
            row(0, 7, &[10, -10, 5]),
            row(1, 7, &[-20, 30, 0]),
            row(2, 3, &[4, -4]),
        ];
        let table = ScenarioTable::new(rows).unwrap();
        let portfolio = Portfolio::new(1000, &[(id(0), 2), (id(1), 1), (id(2), -5)]).unwrap();
        // Feed 7: 20-20, -20+30, 10+0; feed 3: -20, 20; add-ons 8 lots.
        assert_eq!(surplus(&table, &portfolio), Ok(1000 - 20 - 8));
        let unknown = Portfolio::new(0, &[(id(5), 1)]).unwrap();
        assert_eq!(
            surplus(&table, &unknown),
            Err(MarginError::UnknownInstrument(id(5)))
        );
    }

    #[test]
    fn the_largest_portfolio_stays_in_range() {
        let rate = ADD_ON_LIMIT - 1;
        let count = u32::try_from(POSITIONS_MAX).unwrap();
        let rows = (0..count)
            .map(|instrument| Row {
                instrument: id(instrument),
                feed: FeedId(instrument % 2),
                values: vec![CELL_LIMIT - 1; 3],
                add_on: AddOn {
                    short_per_lot: rate,
                    per_lot: rate,
                    large_per_lot: rate,
                    large_from: 0,
                },
            })
            .collect();
        let table = ScenarioTable::new(rows).unwrap();
        let quantity = 1 - QUANTITY_LIMIT;
        let positions: Vec<_> = (0..count).map(|number| (id(number), quantity)).collect();
        let portfolio = Portfolio::new(1 - CASH_LIMIT, &positions).unwrap();
        let lots = i128::from(quantity) * i128::from(count);
        let expected =
            (1 - CASH_LIMIT) + lots * i128::from(CELL_LIMIT - 1) + lots * 3 * i128::from(rate);
        assert_eq!(surplus(&table, &portfolio), Ok(expected));
    }
}
