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
/// operation. One kind of step is spared (3), for a short option without value anywhere in the scan must be bought back at
/// some price. It is one that
///
/// - only closes: no position is larger after than before;
/// - gives away nothing but cash: what was closed is worth no less in any scenario, `sum_f min_s V_f,s >= 0` without cash;
/// - leaves `M(after) >= 0` on the maintenance table: the cash was the owner's to pay.
///
/// That is sound, in any number of steps: by (1) no step lowers the initial surplus, so that what is paid is at most the
/// add-on that it frees, and after every step each maintenance scenario leaves the account what it needs, so that no loss
/// falls on others. Value that is hidden from the worst case does not pass the second point: the maintenance surplus
/// would not show it either, and it could be given away piece by piece. An account below maintenance margin has nothing
/// of its own to pay with, and closes such options through liquidation.
///
/// Whether a price within the range of the scan is fair is not decided here: that is what the ledger's price bands are
/// for. Pending operations do not enter: what reduces risk now may still leave R below zero.
///
/// # Errors
/// [`MarginError::UnknownInstrument`] if a position has no row in a table.
pub fn is_risk_reducing(
    initial: &ScenarioTable,
    maintenance: &ScenarioTable,
    before: &Portfolio,
    after: &Portfolio,
) -> Result<bool, MarginError> {
    let none_new = after
        .positions()
        .iter()
        .all(|(instrument, quantity)| before.quantity(*instrument).signum() == quantity.signum());
    if !none_new || surplus(initial, after)? < surplus(initial, before)? {
        return Ok(false);
    }
    let step = Step::new(initial, before, after)?;
    let only_closes = after.positions().iter().all(|(instrument, quantity)| {
        quantity.unsigned_abs() <= before.quantity(*instrument).unsigned_abs()
    });
    Ok(!step.gives_away() || (only_closes && step.worst >= 0 && surplus(maintenance, after)? >= 0))
}

/// The difference between two portfolios, in quote atoms. Feeds move alone, so all of them may be at their best, or at
/// their worst, at once.
struct Step {
    cash: i128,
    /// The most that positions gain, and the least.
    best: i128,
    worst: i128,
}

impl Step {
    fn new(
        table: &ScenarioTable,
        before: &Portfolio,
        after: &Portfolio,
    ) -> Result<Self, MarginError> {
        let mut gains: Vec<(usize, Sums)> = Vec::new();
        for (portfolio, sign) in [(before, -1), (after, 1)] {
            for (instrument, quantity) in portfolio.positions() {
                let index = index_of(table, *instrument)?;
                table.add_to_feed(&mut gains, index, sign * quantity);
            }
        }
        let best = gains.iter().map(|(_, sums)| maximum(&sums.values()));
        let worst = gains.iter().map(|(_, sums)| sums.least());
        Ok(Self {
            cash: after.cash() - before.cash(),
            best: best.sum(),
            worst: worst.sum(),
        })
    }

    /// Whether it gains in no scenario and loses in some.
    const fn gives_away(&self) -> bool {
        self.cash + self.best <= 0 && self.cash + self.worst < 0
    }
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
            let after = portfolio(cash, call, future);
            is_risk_reducing(&table, &table, &before, &after).unwrap()
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
        assert_eq!(is_risk_reducing(&wider, &wider, &held, &gone), Ok(false));
        // More of the hedge that is held is no new instrument.
        assert!(check(0, -2, 2));
    }

    #[test]
    fn worthless_shorts_are_bought_back_from_what_maintenance_leaves() {
        let (dead, hidden, long) = (InstrumentId(2), InstrumentId(3), InstrumentId(4));
        let table = |short_per_lot| {
            let mut rows = rows(short_per_lot);
            // Worth nothing anywhere, and worth much where nothing binds.
            for (instrument, values) in
                [(dead, [0, 0, 0]), (hidden, [1000, 0, 0]), (long, [0, 0, 0])]
            {
                let like = rows[0].clone();
                rows.push(Row {
                    instrument,
                    values: values.to_vec(),
                    ..like
                });
            }
            ScenarioTable::new(rows).unwrap()
        };
        let (initial, maintenance) = (table(60), table(10));
        let held = |cash, dead_lots, hidden_lots| {
            let lots = [(CALL, -1), (dead, dead_lots), (hidden, hidden_lots)];
            Portfolio::new(cash, &lots).unwrap()
        };
        let check = |before: &Portfolio, after: &Portfolio| {
            is_risk_reducing(&initial, &maintenance, before, after).unwrap()
        };
        // 120 short of initial margin, 30 above maintenance. One bought back at 40 frees 10 there: just enough.
        let above = held(150, -2, 1);
        assert_eq!(surplus(&initial, &above), Ok(-120));
        assert_eq!(surplus(&maintenance, &above), Ok(30));
        assert!(check(&above, &held(150 - 5, -1, 1)));
        assert!(check(&above, &held(150 - 40, -1, 1)));
        assert!(!check(&above, &held(150 - 41, -1, 1)));
        // In two steps no more than in one.
        assert!(check(&above, &held(150 - 50, 0, 1)));
        assert!(!check(&held(150 - 40, -1, 1), &held(150 - 51, 0, 1)));
        // Not for more than the add-on that it frees, however much there is.
        let rich = held(205, -2, 1);
        assert!(check(&rich, &held(205 - 60, -1, 1)));
        assert!(!check(&rich, &held(205 - 61, -1, 1)));
        // Selling more is not closing, nor is value that the worst case does not show for the owner to give away.
        assert!(!check(&above, &held(150, -3, 1)));
        assert_eq!(
            surplus(&initial, &above),
            surplus(&initial, &held(150, -2, 0))
        );
        assert!(!check(&above, &held(150, -2, 0)));
        assert!(!check(&above, &held(150 - 5, -1, 0)));
        assert!(check(&above, &held(150 + 1, -2, 0)));
        // Paying for more of what is worth nothing is not closing, even along with it.
        let lots = |dead_lots| [(CALL, -1), (dead, -2), (long, dead_lots)];
        let both = Portfolio::new(150, &lots(1)).unwrap();
        let mut more = lots(2);
        more[1].1 = -1;
        assert!(!check(&both, &Portfolio::new(150 - 5, &more).unwrap()));
        more[2].1 = 1;
        assert!(check(&both, &Portfolio::new(150 - 5, &more).unwrap()));
        // Below maintenance nothing is left to pay with; for nothing it may still be taken back.
        let below = held(119, -2, 1);
        assert_eq!(surplus(&maintenance, &below), Ok(-1));
        assert!(!check(&below, &held(119 - 10, -1, 1)));
        assert!(check(&below, &held(119, -1, 1)));
    }
}
