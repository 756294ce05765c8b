//! Scenario escrow: an account's robust margin kept up to date, operation by operation (SETTLEMENT 3.4).
//!
//! Per feed and scenario the account keeps V, the value of what is settled, and E, the sum of all lanes' least prefixes.
//! This is O'Neil's escrow test (The escrow transactional method, 1986) with one instance per scenario: what an operation
//! may cost is reserved when it is admitted, what it may bring is usable only once it is settled.
//!
//! Every figure equals that of [`robust`](crate::robust()) from scratch. Admitting a change costs what its feed and its
//! legs cost, whatever else is pending.
//!
//! # Risk budgets
//!
//! A budget is a line of credit that the owner grants to a venue: amounts b by scenario that the venue's fills may cost
//! (SETTLEMENT 3.6, class B). Granted, it is a lane of its own whose least prefix is -b, so that
//! `V_s + E_s - sum b_s >= 0` keeps all lines and all lanes independent of each other. A fill is taken from what is left:
//!
//! ```text
//! left'_s = min(granted_s, left_s + V_s(fill) - slope)  >= 0,   slope = sum over legs of |lots| * (largest rise of A per lot)
//! ```
//!
//! While V_s grows by V_s(fill), b_s changes by at most V_s(fill) - slope, and A grows by at most the slope: so a fill
//! within its line never lowers the account's surplus, whichever other lanes and lines are in use.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::sync::Arc;
use alloc::vec::Vec;

use quorate_types::FeedId;

use crate::lane::{LaneScan, Legs, Side, ValuedChange, find_legs};
use crate::portfolio::{CASH_LIMIT, Change, MarginError, Portfolio};
use crate::table::ScenarioTable;
use crate::total::{Draft, Total};

/// Budgets that one account may have granted.
pub const BUDGETS_MAX: usize = 1 << 6;

/// Names a lane of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneId(pub u64);

/// Names a risk budget of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BudgetId(pub u64);

/// Why an escrow refuses an operation; it is then as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EscrowError {
    /// An input is out of range or unknown to the table.
    #[error(transparent)]
    Margin(#[from] MarginError),
    /// Nothing is pending in this lane.
    #[error("lane {} has nothing pending", .0.0)]
    NoLane(LaneId),
    /// The lane has no change at this position.
    #[error("lane {} has no change {index}", lane.0)]
    NoChange {
        /// The lane.
        lane: LaneId,
        /// Position in it, from 0.
        index: usize,
    },
    /// No such budget is granted.
    #[error("budget {} is not granted", .0.0)]
    NoBudget(BudgetId),
    /// A budget of this name is granted already.
    #[error("budget {} is granted already", .0.0)]
    BudgetExists(BudgetId),
    /// [`BUDGETS_MAX`] budgets are granted already.
    #[error("too many budgets")]
    TooManyBudgets,
    /// A budget with a feed that the table does not have, twice the same feed, another number of scenarios than the feed
    /// has, or an amount that is negative or not below [`CASH_LIMIT`].
    #[error("a budget does not fit feed {0}")]
    BudgetForm(FeedId),
    /// A fill without legs.
    #[error("a fill without legs")]
    NotAFill,
    /// A fill costs more than its budget has left.
    #[error("the budget has too little left in scenario {scenario} of feed {feed}")]
    BudgetExceeded {
        /// The feed.
        feed: FeedId,
        /// The scenario's position in it.
        scenario: usize,
    },
}

/// An account's settled holdings, pending lanes and granted budgets, with its robust margin at hand.
///
/// It is tied to one table, that of one oracle round and one window: [`reprice`](Self::reprice) moves it to another.
#[derive(Clone, Debug)]
pub struct Escrow {
    table: Arc<ScenarioTable>,
    portfolio: Portfolio,
    total: Total,
    lanes: BTreeMap<LaneId, Pending>,
    budgets: BTreeMap<BudgetId, Budget>,
}

#[derive(Clone, Debug)]
struct Pending {
    /// Never empty.
    changes: Vec<Change>,
    scan: LaneScan,
}

/// Amounts by scenario, for some feeds.
type Amounts = Vec<(FeedId, Vec<i128>)>;

#[derive(Clone, Debug)]
struct Budget {
    granted: Amounts,
    left: Amounts,
    claim: LaneScan,
}

impl Escrow {
    /// An account with nothing pending.
    ///
    /// # Errors
    /// [`MarginError::UnknownInstrument`].
    pub fn new(table: Arc<ScenarioTable>, portfolio: Portfolio) -> Result<Self, EscrowError> {
        let total = Total::new(Side::Lowest, &table, &portfolio)?;
        Ok(Self {
            table,
            portfolio,
            total,
            lanes: BTreeMap::new(),
            budgets: BTreeMap::new(),
        })
    }

    /// R less all budgets, in quote atoms: no less than 0 exactly if nothing pending or granted can fail, as far as R is
    /// exact (see [`robust`](crate::robust())).
    #[must_use]
    pub fn surplus(&self) -> i128 {
        self.total.bound()
    }

    /// What is settled.
    #[must_use]
    pub const fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    /// What is pending in a lane, first to last.
    #[must_use]
    pub fn lane(&self, lane: LaneId) -> &[Change] {
        self.lanes.get(&lane).map_or(&[], |lane| &lane.changes)
    }

    /// Lanes with something pending, ascending.
    pub fn lanes(&self) -> impl Iterator<Item = (LaneId, &[Change])> {
        self.lanes
            .iter()
            .map(|(id, lane)| (*id, lane.changes.as_slice()))
    }

    /// What a budget has left, in quote atoms by feed and scenario; `None` if it is not granted.
    #[must_use]
    pub fn budget_left(&self, budget: BudgetId) -> Option<&[(FeedId, Vec<i128>)]> {
        self.budgets
            .get(&budget)
            .map(|budget| budget.left.as_slice())
    }

    /// What the surplus would be with a change at the back of a lane, in quote atoms. O(scenarios + legs).
    ///
    /// # Errors
    /// [`EscrowError::Margin`], among others if the change could take cash or a position out of range.
    pub fn preview(&self, lane: LaneId, change: &Change) -> Result<i128, EscrowError> {
        Ok(self.extended(lane, change)?.1)
    }

    /// The escrow test: whether a change at the back of a lane leaves the surplus at 0 or above.
    ///
    /// # Errors
    /// As [`preview`](Self::preview).
    pub fn admits(&self, lane: LaneId, change: &Change) -> Result<bool, EscrowError> {
        Ok(self.preview(lane, change)? >= 0)
    }

    /// Adds a change to the back of a lane, and gives the surplus after it. It does not test the surplus: a risk-reducing
    /// change is allowed below 0.
    ///
    /// # Errors
    /// As [`preview`](Self::preview).
    pub fn push(&mut self, lane: LaneId, change: Change) -> Result<i128, EscrowError> {
        let (scan, surplus) = self.extended(lane, &change)?;
        match self.lanes.entry(lane) {
            Entry::Occupied(entry) => {
                let pending = entry.into_mut();
                self.total
                    .replace(&self.table, Some(&pending.scan), Some(&scan));
                pending.changes.push(change);
                pending.scan = scan;
            }
            Entry::Vacant(entry) => {
                self.total.replace(&self.table, None, Some(&scan));
                let changes = alloc::vec![change];
                entry.insert(Pending { changes, scan });
            }
        }
        Ok(surplus)
    }

    /// Carries out the front of a lane: it moves from what is pending to what is settled. Never lowers the surplus.
    ///
    /// # Errors
    /// [`EscrowError::NoLane`]; [`EscrowError::Margin`] if it leads out of range, which cannot be while no change before it
    /// was dropped.
    pub fn settle(&mut self, lane: LaneId) -> Result<Change, EscrowError> {
        let pending = self.lanes.get_mut(&lane).ok_or(EscrowError::NoLane(lane))?;
        let (front, rest) = pending
            .changes
            .split_first()
            .expect("a lane without changes is removed");
        let legs = find_legs(&self.table, front)?;
        let scan = LaneScan::new(Side::Lowest, &self.table, rest)?;
        self.portfolio.apply(front)?;
        let (old, cash) = (&pending.scan, front.cash());
        self.total
            .settle_front(&self.table, old, &scan, cash, legs.as_slice());
        let front = pending.changes.remove(0);
        pending.scan = scan;
        if pending.changes.is_empty() {
            self.lanes.remove(&lane);
        }
        Ok(front)
    }

    /// Carries out a change that was not pending, such as a credit from someone else.
    ///
    /// # Errors
    /// [`EscrowError::Margin`] if it leads out of range, now or with what is pending.
    pub fn apply(&mut self, change: &Change) -> Result<(), EscrowError> {
        let legs = self.legs_in_range(change)?;
        self.portfolio.apply(change)?;
        self.total
            .settle(&self.table, change.cash(), legs.as_slice());
        Ok(())
    }

    /// Drops all that is pending in a lane, and gives it back. Never lowers the surplus.
    ///
    /// # Errors
    /// [`EscrowError::NoLane`].
    pub fn drop_lane(&mut self, lane: LaneId) -> Result<Vec<Change>, EscrowError> {
        let pending = self.lanes.remove(&lane).ok_or(EscrowError::NoLane(lane))?;
        self.total.replace(&self.table, Some(&pending.scan), None);
        Ok(pending.changes)
    }

    /// Drops one pending change that expired, and gives it back; those behind it stay. Dropping the last one of a lane
    /// never lowers the surplus. Dropping one before others can: what came after it may have lived on its proceeds. So an
    /// operation that others build on must not expire without them.
    ///
    /// # Errors
    /// [`EscrowError::NoLane`], [`EscrowError::NoChange`].
    pub fn drop_change(&mut self, lane: LaneId, index: usize) -> Result<Change, EscrowError> {
        let pending = self.lanes.get(&lane).ok_or(EscrowError::NoLane(lane))?;
        if index >= pending.changes.len() {
            return Err(EscrowError::NoChange { lane, index });
        }
        let mut rest = pending.changes.clone();
        let dropped = rest.remove(index);
        let scan = LaneScan::new(Side::Lowest, &self.table, &rest)?;
        self.put(lane, rest, scan);
        Ok(dropped)
    }

    /// What the surplus would be with a budget granted: quote atoms by feed and scenario.
    ///
    /// # Errors
    /// [`EscrowError::BudgetForm`].
    pub fn preview_budget(&self, amounts: &[(FeedId, Vec<i128>)]) -> Result<i128, EscrowError> {
        let claim = claim(&self.table, amounts)?;
        Ok(self.total.preview(&self.table, None, &claim)?)
    }

    /// Grants a budget, and gives the surplus after it, which is not tested.
    ///
    /// # Errors
    /// [`EscrowError::BudgetForm`], [`EscrowError::BudgetExists`], [`EscrowError::TooManyBudgets`].
    pub fn grant(&mut self, budget: BudgetId, amounts: Amounts) -> Result<i128, EscrowError> {
        if self.budgets.contains_key(&budget) {
            return Err(EscrowError::BudgetExists(budget));
        }
        if self.budgets.len() >= BUDGETS_MAX {
            return Err(EscrowError::TooManyBudgets);
        }
        let claim = claim(&self.table, &amounts)?;
        self.total.replace(&self.table, None, Some(&claim));
        let (granted, left) = (amounts.clone(), amounts);
        let entry = Budget {
            granted,
            left,
            claim,
        };
        self.budgets.insert(budget, entry);
        Ok(self.surplus())
    }

    /// Takes a budget back. Never lowers the surplus. Fills under way must have been settled or refused before.
    ///
    /// # Errors
    /// [`EscrowError::NoBudget`].
    pub fn revoke(&mut self, budget: BudgetId) -> Result<(), EscrowError> {
        let entry = self
            .budgets
            .remove(&budget)
            .ok_or(EscrowError::NoBudget(budget))?;
        self.total.replace(&self.table, Some(&entry.claim), None);
        Ok(())
    }

    /// Carries out a fill at the expense of a budget. Never lowers the surplus. Gains on the line refill it, up to what was
    /// granted.
    ///
    /// # Errors
    /// [`EscrowError::NoBudget`]; [`EscrowError::NotAFill`]; [`EscrowError::BudgetExceeded`], also where the budget has no
    /// amounts for a feed; [`EscrowError::Margin`].
    pub fn fill(&mut self, budget: BudgetId, change: &Change) -> Result<(), EscrowError> {
        let entry = self
            .budgets
            .get(&budget)
            .ok_or(EscrowError::NoBudget(budget))?;
        if change.legs().is_empty() {
            return Err(EscrowError::NotAFill);
        }
        let legs = self.legs_in_range(change)?;
        let valued = ValuedChange::new(&self.table, change)?;
        let left = drawn(&self.table, entry, &valued)?;
        let claim = claim(&self.table, &left)?;
        self.portfolio.apply(change)?;
        self.total
            .replace(&self.table, Some(&entry.claim), Some(&claim));
        self.total
            .settle(&self.table, change.cash(), legs.as_slice());
        let entry = self
            .budgets
            .get_mut(&budget)
            .expect("the budget was found above");
        entry.left = left;
        entry.claim = claim;
        Ok(())
    }

    /// Moves the account to another table, such as that of the next oracle round. Costs a computation from scratch.
    ///
    /// # Errors
    /// [`EscrowError::Margin`] if an instrument has no row there, or if what is pending leads out of range since a change
    /// before it was dropped; [`EscrowError::BudgetForm`] if a budget does not fit.
    pub fn reprice(&mut self, table: Arc<ScenarioTable>) -> Result<(), EscrowError> {
        let mut moved = self.clone();
        for lane in moved.lanes.values_mut() {
            lane.scan = LaneScan::new(Side::Lowest, &table, &lane.changes)?;
        }
        for budget in moved.budgets.values_mut() {
            budget.claim = claim(&table, &budget.left)?;
        }
        moved.total = moved.recomputed(&table)?;
        moved.table = table;
        *self = moved;
        Ok(())
    }

    /// Whether all figures are those of a computation from scratch (SETTLEMENT 2.4, invariant 6). They always are, unless
    /// there is a fault in this crate: for tests and for assertions between blocks.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let lanes = self.lanes.values().all(|lane| {
            LaneScan::new(Side::Lowest, &self.table, &lane.changes).as_ref() == Ok(&lane.scan)
        });
        let budgets = self
            .budgets
            .values()
            .all(|budget| claim(&self.table, &budget.left).as_ref() == Ok(&budget.claim));
        lanes && budgets && self.recomputed(&self.table).as_ref() == Ok(&self.total)
    }

    /// All figures from scratch, from scans that are at hand.
    fn recomputed(&self, table: &ScenarioTable) -> Result<Total, MarginError> {
        let mut draft = Draft::new(Side::Lowest, table, &self.portfolio)?;
        let lanes = self.lanes.values().map(|lane| &lane.scan);
        let claims = self.budgets.values().map(|budget| &budget.claim);
        for scan in lanes.chain(claims) {
            draft.include(table, scan)?;
        }
        draft.finish(table)
    }

    /// A lane with one more change, and the surplus with it.
    fn extended(&self, lane: LaneId, change: &Change) -> Result<(LaneScan, i128), MarginError> {
        let old = self.lanes.get(&lane);
        let new = match old {
            Some(pending) => pending
                .scan
                .extended(&self.table, &pending.changes, change)?,
            None => LaneScan::new(Side::Lowest, &self.table, core::slice::from_ref(change))?,
        };
        let surplus = self
            .total
            .preview(&self.table, old.map(|lane| &lane.scan), &new)?;
        Ok((new, surplus))
    }

    fn legs_in_range(&self, change: &Change) -> Result<Legs, MarginError> {
        let legs = find_legs(&self.table, change)?;
        self.total.check_cash(change.cash().abs())?;
        self.total.check_legs(&self.table, legs.as_slice())?;
        Ok(legs)
    }

    /// Leaves `rest`, scanned, pending in a lane that has something pending now.
    fn put(&mut self, lane: LaneId, rest: Vec<Change>, scan: LaneScan) {
        let pending = self.lanes.get_mut(&lane).expect("the caller found it");
        self.total
            .replace(&self.table, Some(&pending.scan), Some(&scan));
        if rest.is_empty() {
            self.lanes.remove(&lane);
        } else {
            pending.changes = rest;
            pending.scan = scan;
        }
    }
}

/// A budget as a lane whose least prefix is the whole amount.
fn claim(table: &ScenarioTable, amounts: &[(FeedId, Vec<i128>)]) -> Result<LaneScan, EscrowError> {
    let mut feeds = Vec::with_capacity(amounts.len());
    for (feed, amounts) in amounts {
        let form = EscrowError::BudgetForm(*feed);
        let index = table.find_feed(*feed).ok_or(form)?;
        let fits = amounts.len() == table.feed_scenarios(index)
            && amounts
                .iter()
                .all(|amount| (0..CASH_LIMIT).contains(amount));
        if !fits || feeds.iter().any(|(of, _)| *of == index) {
            return Err(form);
        }
        feeds.push((index, amounts.iter().map(|amount| -amount).collect()));
    }
    Ok(LaneScan::claim(Side::Lowest, feeds.into_iter()))
}

/// What a budget has left after a fill.
fn drawn(
    table: &ScenarioTable,
    budget: &Budget,
    fill: &ValuedChange,
) -> Result<Amounts, EscrowError> {
    let mut left = budget.left.clone();
    for (feed, values) in &fill.feeds {
        let id = table.feed_id(*feed);
        let exceeded = |scenario| EscrowError::BudgetExceeded { feed: id, scenario };
        let place = left
            .iter()
            .position(|(of, _)| *of == id)
            .ok_or(exceeded(0))?;
        let slope: i128 = fill
            .legs
            .iter()
            .filter(|(instrument, _)| table.feed_of(*instrument) == *feed)
            .map(|(instrument, lots)| {
                i128::from(lots.unsigned_abs()) * table.add_on(*instrument).slope()
            })
            .sum();
        let granted = &budget.granted[place].1;
        for (scenario, amount) in left[place].1.iter_mut().enumerate() {
            *amount = (*amount + values[scenario] - slope).min(granted[scenario]);
            if *amount < 0 {
                return Err(exceeded(scenario));
            }
        }
    }
    Ok(left)
}
