//! Margin over every order that pending operations may still take: the lower bound R and the upper bound U.
//!
//! Pending operations come as lanes. A lane is a sequence of which only a prefix can have happened (a signer's numbered
//! transactions; a resting order alone); different lanes interleave at will. What can be reached from portfolio x is
//! x + D for every choice D of one prefix from each lane.
//!
//! # Theorem (SETTLEMENT 3.2)
//!
//! If M(x) >= 0, then *every pending operation succeeds in every order, interleaving and partial inclusion, and the
//! result depends on the included set only*, exactly if M(x + D) >= 0 for all D. One way, every state on the way is such
//! an x + D. The other way, take a D with M < 0 of which no smaller one has it: run in any order, its last operation
//! fails.
//!
//! # R
//!
//! ```text
//! R = cash + sum_f min_s [ V_f,s  +  sum over lanes of  min over prefixes of  prefix sum_f,s ]  -  sum_i max(A_i(low_i), A_i(high_i))
//! ```
//!
//! *Exact* (equal to the least M over all D) if add-ons are zero and every lane touches at most one feed: then minima over
//! D and over s commute and the sum separates by lane (SETTLEMENT 3.3). *Otherwise a lower bound*: R >= 0 still proves
//! that nothing can fail, and a negative R may be pessimism. With add-ons, `low` and `high` are the least and greatest
//! reachable position of each instrument, and a convex A_i is largest at one of them. With lanes over several feeds, the
//! feeds' worst prefixes may differ, and the lane's cash is counted by the rules in `lane.rs`.
//!
//! # U
//!
//! The greatest M over all D is NP-hard (PARTITION with two scenarios). U is the same expression with greatest prefix sums
//! in the place of least, and the least charge over [low_i, high_i]: an upper bound by the same exchange of terms, for
//! lanes of one change `min_s [V_s + sum max(0, V_s(change))]`.
//!
//! Both cost O(legs * scenarios), and four bytes for each instrument of the table while they are computed.

use alloc::vec;
use alloc::vec::Vec;

use crate::lane::{LaneScan, Side};
use crate::portfolio::{Change, MarginError, Portfolio};
use crate::table::ScenarioTable;
use crate::total::{Draft, Total};

/// Pending changes of which only a prefix can happen, first to last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// First to last.
    pub changes: Vec<Change>,
}

impl Lane {
    /// A lane of these changes, first to last.
    #[must_use]
    pub const fn new(changes: Vec<Change>) -> Self {
        Self { changes }
    }
}

impl From<Change> for Lane {
    /// A lane of one change, all or nothing. An order that may be filled in parts is worth a part, in between; but every fill
    /// rounds down by itself, so whoever allows parts adds an atom of cash for each that there may be.
    fn from(change: Change) -> Self {
        Self::new(vec![change])
    }
}

/// R, in quote atoms: no more than the margin surplus after any order, interleaving and partial inclusion of `lanes`.
///
/// # Errors
/// [`MarginError::UnknownInstrument`]; [`MarginError::TooManyPending`]; [`MarginError::Quantity`] and
/// [`MarginError::Cash`] if a reachable state would be out of range, where an operation would fail.
pub fn robust(
    table: &ScenarioTable,
    portfolio: &Portfolio,
    lanes: &[Lane],
) -> Result<i128, MarginError> {
    Ok(total(Side::Lowest, table, portfolio, lanes)?.bound())
}

/// U, in quote atoms: no less than the margin surplus after any order, interleaving and partial inclusion of `certified`.
///
/// To allow a liquidation, only credits certain to arrive may be counted (prepared elsewhere, with funds locked there);
/// whoever could count others could stall liquidation with credits that never come.
///
/// # Errors
/// [`MarginError::UnknownInstrument`], [`MarginError::TooManyPending`], [`MarginError::Cash`].
pub fn upper(
    table: &ScenarioTable,
    portfolio: &Portfolio,
    certified: &[Lane],
) -> Result<i128, MarginError> {
    Ok(total(Side::Highest, table, portfolio, certified)?.bound())
}

pub(crate) fn total(
    side: Side,
    table: &ScenarioTable,
    portfolio: &Portfolio,
    lanes: &[Lane],
) -> Result<Total, MarginError> {
    let mut draft = Draft::new(side, table, portfolio)?;
    let mut scan = LaneScan::empty(side);
    for lane in lanes {
        scan.scan(table, &lane.changes)?;
        draft.include(table, &scan)?;
    }
    draft.finish(table)
}

#[cfg(test)]
mod tests {
    use quorate_types::{FeedId, InstrumentId};

    use super::*;
    use crate::portfolio::{CASH_LIMIT, PENDING_MAX};
    use crate::rounding::QUANTITY_LIMIT;
    use crate::table::{AddOn, Row};

    const CALL: InstrumentId = InstrumentId(0);
    const PERPETUAL: InstrumentId = InstrumentId(1);

    fn table() -> ScenarioTable {
        let row = |instrument, feed, values: &[i64], short_per_lot| Row {
            instrument,
            feed: FeedId(feed),
            values: values.to_vec(),
            add_on: AddOn {
                short_per_lot,
                ..AddOn::NONE
            },
        };
        let rows = vec![
            row(CALL, 0, &[10, 50, 90], 5),
            row(PERPETUAL, 1, &[-100, 100], 0),
        ];
        ScenarioTable::new(rows).unwrap()
    }

    fn change(cash: i128, legs: &[(InstrumentId, i64)]) -> Change {
        Change::new(cash, legs).unwrap()
    }

    #[test]
    fn a_lane_counts_its_worst_prefix_and_lanes_add_up() {
        let table = table();
        let portfolio = Portfolio::new(1000, &[]).unwrap();
        // Pays 300, then gets 200 back: at worst 300 below. Another lane gets 50 and pays 60: 10 below.
        let first = Lane::new(vec![change(-300, &[]), change(200, &[])]);
        let second = Lane::new(vec![change(50, &[]), change(-60, &[])]);
        let lanes = [first, second];
        assert_eq!(robust(&table, &portfolio, &lanes), Ok(1000 - 300 - 10));
        assert_eq!(upper(&table, &portfolio, &lanes), Ok(1000 + 50));
        // A call bought at 50 is worth 10 to 90: at worst 40 lost, at best in the worst scenario nothing gained.
        let lanes = [Lane::from(change(-50, &[(CALL, 1)]))];
        assert_eq!(robust(&table, &portfolio, &lanes), Ok(960));
        assert_eq!(upper(&table, &portfolio, &lanes), Ok(1000));
    }

    #[test]
    fn add_ons_are_charged_at_the_worst_end_and_spared_at_the_best() {
        let table = table();
        let portfolio = Portfolio::new(1000, &[(CALL, -2)]).unwrap();
        // In each scenario the buyer's lane at its worst, 180 - 2v, and what is held, -2v, make -180. The seller's lane is
        // worst if nothing happens. At best two more gains vanish where calls are worth 90. Reachable: 3 short to 0.
        let lanes = [
            Lane::from(change(-180, &[(CALL, 2)])),
            Lane::from(change(90, &[(CALL, -1)])),
        ];
        assert_eq!(robust(&table, &portfolio, &lanes), Ok(1000 - 180 - 15));
        assert_eq!(upper(&table, &portfolio, &lanes), Ok(1000 - 180));
    }

    #[test]
    fn what_cannot_be_reached_in_range_is_refused() {
        let table = table();
        let near = Portfolio::new(CASH_LIMIT - 10, &[(CALL, QUANTITY_LIMIT - 2)]).unwrap();
        let lots = [
            Lane::from(change(0, &[(CALL, 1)])),
            Lane::from(change(0, &[(CALL, 1)])),
        ];
        assert!(robust(&table, &near, &lots[..1]).is_ok());
        let error = MarginError::Quantity {
            instrument: CALL,
            quantity: QUANTITY_LIMIT,
        };
        assert_eq!(robust(&table, &near, &lots), Err(error));
        assert!(upper(&table, &near, &lots).is_ok());
        let cash = [Lane::from(change(10, &[]))];
        let error = MarginError::Cash(CASH_LIMIT);
        assert_eq!(robust(&table, &near, &cash), Err(error));
        let many = vec![Lane::from(change(1, &[])); PENDING_MAX + 1];
        let error = MarginError::TooManyPending(PENDING_MAX + 1);
        assert_eq!(robust(&table, &Portfolio::default(), &many), Err(error));
        let unknown = [Lane::from(change(0, &[(InstrumentId(9), 1)]))];
        let error = MarginError::UnknownInstrument(InstrumentId(9));
        assert_eq!(upper(&table, &near, &unknown), Err(error));
    }

    #[test]
    fn cash_over_several_feeds_is_split_at_a_fair_price() {
        let table = table();
        let portfolio = Portfolio::new(1000, &[]).unwrap();
        // 50 is the call's mean value and 0 the perpetual's: nothing is lost to the split.
        let lanes = [Lane::from(change(-50, &[(CALL, 1), (PERPETUAL, 1)]))];
        assert_eq!(robust(&table, &portfolio, &lanes), Ok(1000 - 40 - 100));
        // A lane that touches two feeds bounds its cash by itself.
        let mixed = Lane::new(vec![
            change(70, &[]),
            change(-50, &[(CALL, 1)]),
            change(0, &[(PERPETUAL, 1)]),
        ]);
        assert_eq!(robust(&table, &portfolio, &[mixed]), Ok(1000 - 40 - 100));
    }
}
