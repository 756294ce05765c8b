//! What may be concluded about an account while operations are pending (SETTLEMENT 3.5).

use alloc::vec::Vec;

use crate::portfolio::{MarginError, Portfolio, index_of, surplus};
use crate::robust::{Lane, robust, upper};
use crate::sums::{Sums, maximum};
use crate::table::ScenarioTable;

/// A conclusion that no order of what is pending can overturn, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// R on the initial table is not negative: every pending operation succeeds in every order. It may be accepted,
    /// acknowledged, and collateral released.
    MustHold,
    /// U on the maintenance table is negative: no certified credit cures the account. It may be called and liquidated.
    MustBreach,
    /// Neither: wait for the order, and warn the owner.
    Open,
}

impl Verdict {
    /// The verdict for R on the initial table and U on the maintenance table, in quote atoms. With a maintenance
    /// requirement no higher than the initial one, `robust >= 0` implies `upper >= 0`.
    #[must_use]
    pub const fn of(robust: i128, upper: i128) -> Self {
        if robust >= 0 {
            Self::MustHold
        } else if upper < 0 {
            Self::MustBreach
        } else {
            Self::Open
        }
    }
}

/// The verdict on a portfolio with `pending` lanes of its owner's operations. `certified` are the inbound credits that are
/// certain to arrive in time, and they alone count against a breach; where they stand in `pending` too, they are taken to
/// be possible there, not certain.
///
/// # Errors
/// As [`robust`] and [`upper`].
pub fn verdict(
    initial: &ScenarioTable,
    maintenance: &ScenarioTable,
    portfolio: &Portfolio,
    pending: &[Lane],
    certified: &[Lane],
) -> Result<Verdict, MarginError> {
    let robust = robust(initial, portfolio, pending)?;
    let upper = upper(maintenance, portfolio, certified)?;
    Ok(Verdict::of(robust, upper))
}

/// Whether an operation that took an account from `before` to `after` reduces risk, so that it is allowed to an account
/// short of initial margin (SETTLEMENT 2.4, invariant 4). All of this must hold, on the initial table:
///
/// 1. The surplus is not lower: `M(after) >= M(before)`.
/// 2. No instrument is new: whatever is held after was held before, on the same side. Passing through zero to the other
///    side opens a position.
/// 3. No free withdrawal: the step gains in some scenario of the scan, `cash + sum_f max_s V_f,s > 0` for the difference of
///    both, or it changes no value at all. What gains nowhere and loses somewhere pays value away to whoever stands on the
///    other side, even if no worst case shows it or the add-on that it frees is worth more.
///
/// So cash taken out fails (1), a position given away fails (1) or (3), and the ledger need not know the kind of
/// operation. The price of the rule: a short option without value anywhere in the scan cannot be bought back at any price
/// by an account that is short of initial margin. Pending operations do not enter: what reduces risk now may still leave R
/// below zero.
///
/// # Errors
/// [`MarginError::UnknownInstrument`] if a position has no row in the table.
pub fn is_risk_reducing(
    initial: &ScenarioTable,
    before: &Portfolio,
    after: &Portfolio,
) -> Result<bool, MarginError> {
    let not_lower = surplus(initial, after)? >= surplus(initial, before)?;
    let none_new = after
        .positions()
        .iter()
        .all(|(instrument, quantity)| before.quantity(*instrument).signum() == quantity.signum());
    Ok(not_lower && none_new && !gives_away(initial, before, after)?)
}

/// Whether the step from `before` to `after` gains in no scenario and loses in some. Feeds move alone, so all of them may
/// be at their best, or at their worst, at once.
fn gives_away(
    table: &ScenarioTable,
    before: &Portfolio,
    after: &Portfolio,
) -> Result<bool, MarginError> {
    let mut gains: Vec<(usize, Sums)> = Vec::new();
    for (portfolio, sign) in [(before, -1), (after, 1)] {
        for (instrument, quantity) in portfolio.positions() {
            let index = index_of(table, *instrument)?;
            table.add_to_feed(&mut gains, index, sign * quantity);
        }
    }
    let cash = after.cash() - before.cash();
    let best: i128 = gains.iter().map(|(_, sums)| maximum(&sums.values())).sum();
    let worst: i128 = gains.iter().map(|(_, sums)| sums.least()).sum();
    Ok(cash + best <= 0 && cash + worst < 0)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use quorate_types::{FeedId, InstrumentId};

    use super::*;
    use crate::portfolio::Change;
    use crate::table::{AddOn, Row};

    const CALL: InstrumentId = InstrumentId(0);
    const FUTURE: InstrumentId = InstrumentId(1);

    fn rows(short_per_lot: u64) -> Vec<Row> {
        let row = |instrument, values: &[i64]| Row {
            instrument,
            feed: FeedId(0),
            values: values.to_vec(),
            add_on: AddOn {
                short_per_lot,
                ..AddOn::NONE
            },
        };
        vec![row(CALL, &[10, 50, 90]), row(FUTURE, &[-40, 0, 40])]
    }

    fn table(short_per_lot: u64) -> ScenarioTable {
        ScenarioTable::new(rows(short_per_lot)).unwrap()
    }

    fn portfolio(cash: i128, call: i64, future: i64) -> Portfolio {
        Portfolio::new(cash, &[(CALL, call), (FUTURE, future)]).unwrap()
    }

    #[test]
    fn three_verdicts() {
        let (initial, maintenance) = (table(60), table(10));
        let judge = |cash, credit| {
            let certified = [Lane::from(Change::new(credit, &[]).unwrap())];
            let held = portfolio(cash, -1, 0);
            verdict(&initial, &maintenance, &held, &[], &certified).unwrap()
        };
        // One call short needs 150 initially and 100 to be kept.
        assert_eq!(judge(150, 0), Verdict::MustHold);
        assert_eq!(judge(149, 0), Verdict::Open);
        assert_eq!(judge(100, 0), Verdict::Open);
        assert_eq!(judge(99, 0), Verdict::MustBreach);
        assert_eq!(judge(99, 1), Verdict::Open);
        // A certified credit cures a breach, but until it is there nothing is sure to hold.
        assert_eq!(judge(99, 1000), Verdict::Open);
    }

    #[test]
    fn risk_is_reduced_by_closing_but_not_by_opening_or_paying_away() {
        let table = table(60);
        let before = portfolio(0, -2, 1);
        let check = |cash, call, future| {
            is_risk_reducing(&table, &before, &portfolio(cash, call, future)).unwrap()
        };
        // Bought back at the fair price, just below the highest value that the scan knows, and at it, where the 60 atoms of
        // add-on that it frees are all that is gained.
        assert!(check(-50, -1, 1));
        assert!(check(-89, -1, 1));
        assert!(!check(-90, -1, 1));
        // All calls closed: fine; one more than all: opens a position on the other side.
        assert!(check(-100, 0, 1));
        assert!(!check(-50, 1, 1));
        // Cash in, cash out, and selling the hedge.
        assert!(check(1, -2, 1));
        assert!(check(0, -2, 1));
        assert!(!check(-1, -2, 1));
        assert!(!check(0, -2, 0));
        // A call given away for nothing, which the worst case does not show: it binds where the call is worthless.
        let given = InstrumentId(2);
        let mut rows = rows(60);
        rows.push(Row {
            instrument: given,
            feed: FeedId(0),
            values: vec![5, 5, 0],
            add_on: AddOn::NONE,
        });
        let wider = ScenarioTable::new(rows).unwrap();
        let held = Portfolio::new(0, &[(CALL, -2), (given, 3)]).unwrap();
        let gone = Portfolio::new(0, &[(CALL, -2)]).unwrap();
        assert_eq!(surplus(&wider, &held), surplus(&wider, &gone));
        assert_eq!(is_risk_reducing(&wider, &held, &gone), Ok(false));
        // More of the hedge that is held is no new instrument.
        assert!(check(0, -2, 2));
    }
}
