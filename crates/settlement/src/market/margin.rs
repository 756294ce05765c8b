//! Margin of accounts, kept up to date operation by operation, and the judgement on what an owner does.

use quorate_margin::{
    BudgetId, Change, Escrow, EscrowError, LaneId, MarginError, Portfolio, is_risk_reducing,
    surplus,
};
use quorate_types::{AccountId, FeedId, RejectCode};

use super::Market;
use crate::entity::{Account, Budget, Status};
use crate::mutation::Mutation;

/// An account's escrow, of the tables of one version. It is a function of the state: whether it is at hand changes how
/// long an operation takes and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    version: u64,
    pub(crate) escrow: Escrow,
}

/// An account's margin before an operation.
pub(super) struct Before {
    surplus: i128,
    /// Only where the account was short: then what follows must reduce risk.
    portfolio: Option<Portfolio>,
}

/// The code of an input that margin refuses.
pub(super) const fn margin_code(error: MarginError) -> RejectCode {
    match error {
        MarginError::UnknownInstrument(_) => RejectCode::NoPrice,
        MarginError::Quantity { .. } | MarginError::Cash(_) => RejectCode::Overflow,
        MarginError::DuplicatePosition(_) | MarginError::TooManyLegs(_) => RejectCode::BadEncoding,
        MarginError::TooManyPositions(_) => RejectCode::TooManyPositions,
        MarginError::TooManyPending(_) => RejectCode::InDoubtLimit,
    }
}

/// The code of what an escrow refuses.
pub(super) const fn escrow_code(error: EscrowError) -> RejectCode {
    match error {
        EscrowError::Margin(error) => margin_code(error),
        EscrowError::BudgetExceeded { .. } | EscrowError::NoBudget(_) => RejectCode::BudgetExceeded,
        EscrowError::TooManyBudgets => RejectCode::InDoubtLimit,
        EscrowError::BudgetForm(_) => RejectCode::Overflow,
        EscrowError::NoLane(_)
        | EscrowError::NoChange { .. }
        | EscrowError::BudgetExists(_)
        | EscrowError::NotAFill => RejectCode::BadEncoding,
    }
}

impl Market {
    /// The account's escrow on the present tables.
    pub(super) fn escrow(&mut self, id: AccountId) -> Result<&mut Escrow, RejectCode> {
        let version = self.prices.version;
        let stale = self.broken(Mutation::StaleCache);
        let slot = self.accounts.get(&id).ok_or(RejectCode::NoAccount)?;
        let is_current = |cache: &Cache| cache.version == version || stale;
        if !slot.cache.as_ref().is_some_and(is_current) {
            let tables = self.tables()?;
            let account = &self.accounts[&id].account;
            let escrow = self.build_escrow(id, account, tables.initial)?;
            if let Some(slot) = self.accounts.get_mut(&id) {
                slot.cache = Some(Cache { version, escrow });
            }
        }
        let cache = self
            .accounts
            .get_mut(&id)
            .and_then(|slot| slot.cache.as_mut());
        cache
            .map(|cache| &mut cache.escrow)
            .ok_or(RejectCode::NoAccount)
    }

    /// The account's escrow from scratch.
    pub(super) fn build_escrow(
        &self,
        id: AccountId,
        account: &Account,
        table: std::sync::Arc<quorate_margin::ScenarioTable>,
    ) -> Result<Escrow, RejectCode> {
        let portfolio = self.portfolio_of(account)?;
        let mut escrow = Escrow::new(table, portfolio).map_err(escrow_code)?;
        for doubt in self.doubts_of(id) {
            let change = Change::new(doubt.cash, &[]).map_err(margin_code)?;
            escrow
                .push(LaneId(doubt.number), change)
                .map_err(escrow_code)?;
        }
        for (key, budget) in self.budgets_of(id) {
            let amounts = self.window_amounts(key.feed, budget);
            if let Some(amounts) = amounts {
                escrow
                    .grant(BudgetId(budget.number), amounts)
                    .map_err(escrow_code)?;
            }
        }
        Ok(escrow)
    }

    /// What is left of a line in the scenarios of initial margin; nothing if the feed has no row in the tables.
    pub(super) fn window_amounts(
        &self,
        feed: FeedId,
        budget: &Budget,
    ) -> Option<Vec<(FeedId, Vec<i128>)>> {
        let has_rows = self.feeds.get(&feed)?.last.is_some() && self.has_rows(feed);
        let left = &budget.left[self.initial_window(feed).cells()];
        let left = left.iter().map(|left| super::journal::signed(*left));
        has_rows.then(|| vec![(feed, left.collect())])
    }

    /// Whether some instrument or collateral of a feed has a row in the tables.
    pub(super) fn has_rows(&self, feed: FeedId) -> bool {
        let collateral = self.assets.iter().any(|(asset, facts)| {
            facts.collateral.is_some_and(|facts| facts.feed == feed)
                && self.collateral_mark(*asset).is_ok()
        });
        collateral
            || self
                .instruments
                .iter()
                .any(|(id, instrument)| instrument.feed == feed && self.mark_of(*id).is_ok())
    }

    /// The account's margin will be computed anew.
    pub(super) fn forget(&mut self, id: AccountId) {
        if let Some(slot) = self.accounts.get_mut(&id) {
            slot.cache = None;
        }
    }

    /// The account's margin before an operation of its owner.
    pub(super) fn before(&mut self, id: AccountId) -> Result<Before, RejectCode> {
        let escrow = self.escrow(id)?;
        let surplus = escrow.surplus();
        let portfolio = (surplus < 0).then(|| escrow.portfolio().clone());
        Ok(Before { surplus, portfolio })
    }

    /// Brings the account's escrow along with a change of its state. One that is not at hand, or of other tables, is
    /// computed anew when it is asked for.
    pub(super) fn carry(&mut self, id: AccountId, change: &Change) -> Result<(), RejectCode> {
        match self.current_escrow(id) {
            Some(escrow) => escrow.apply(change).map_err(escrow_code),
            None => Ok(()),
        }
    }

    /// The account's escrow if it is at hand and of the present tables; forgotten if it is of others.
    pub(super) fn current_escrow(&mut self, id: AccountId) -> Option<&mut Escrow> {
        let version = self.prices.version;
        let stale = self.broken(Mutation::StaleCache);
        let slot = self.accounts.get_mut(&id)?;
        if slot
            .cache
            .as_ref()
            .is_some_and(|cache| cache.version != version && !stale)
        {
            slot.cache = None;
        }
        slot.cache.as_mut().map(|cache| &mut cache.escrow)
    }

    /// Whether margin at hand is of the present tables, or passes for it.
    pub(super) fn is_current(&self, cache: &Cache) -> bool {
        cache.version == self.prices.version || self.broken(Mutation::StaleCache)
    }

    /// That R is not negative.
    pub(super) fn require_robust(&mut self, id: AccountId) -> Result<(), RejectCode> {
        let escrow = self.escrow(id)?;
        if escrow.surplus() >= 0 {
            return Ok(());
        }
        let portfolio = escrow.portfolio().clone();
        let initial = self.tables()?.initial;
        let alone = surplus(&initial, &portfolio).map_err(margin_code)?;
        Err(if alone < 0 {
            RejectCode::InitialMargin
        } else {
            RejectCode::RobustMargin
        })
    }

    /// Whether an owner's operation may stand (SETTLEMENT 2.4, invariant 4): R is not negative after it; or it was before,
    /// and the operation reduces risk.
    pub(super) fn judge(&mut self, id: AccountId, before: &Before) -> Result<(), RejectCode> {
        if self.broken(Mutation::MarginUntested) {
            return Ok(());
        }
        let escrow = self.escrow(id)?;
        if escrow.surplus() >= 0 {
            return Ok(());
        }
        let after = escrow.portfolio().clone();
        let tables = self.tables()?;
        match &before.portfolio {
            Some(earlier) if before.surplus < 0 => {
                let (initial, maintenance) = (&tables.initial, &tables.maintenance);
                match is_risk_reducing(initial, maintenance, earlier, &after) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(RejectCode::NotRiskReducing),
                    Err(error) => Err(margin_code(error)),
                }
            }
            _ => {
                let alone = surplus(&tables.initial, &after).map_err(margin_code)?;
                Err(if alone < 0 {
                    RejectCode::InitialMargin
                } else {
                    RejectCode::RobustMargin
                })
            }
        }
    }

    /// That an account's owner may do what takes value from behind the positions.
    pub(super) fn require_thawed(&self, id: AccountId) -> Result<&Account, RejectCode> {
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        match account.status {
            Status::Active | Status::Called { .. } => Ok(account),
            Status::Liquidating { .. } | Status::Closed => Err(RejectCode::Frozen),
        }
    }

    /// That an account is not closed.
    pub(super) fn require_open(&self, id: AccountId) -> Result<&Account, RejectCode> {
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        if account.status == Status::Closed {
            return Err(RejectCode::Frozen);
        }
        Ok(account)
    }

    /// That all feeds that an account is exposed to have a fresh round and are not halted.
    pub(super) fn require_fresh(&self, id: AccountId) -> Result<(), RejectCode> {
        if self
            .feeds
            .keys()
            .all(|feed| self.require_feed(*feed).is_ok())
        {
            return Ok(());
        }
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        for feed in self.feeds_of(account) {
            self.require_feed(feed)?;
        }
        Ok(())
    }

    /// That a feed has a fresh round and is not halted.
    pub(super) fn require_feed(&self, id: FeedId) -> Result<(), RejectCode> {
        let feed = self.feeds.get(&id).ok_or(RejectCode::NoInstrument)?;
        if feed.halt.is_some() {
            return Err(RejectCode::Halted);
        }
        let last = feed.last.as_ref().ok_or(RejectCode::NoPrice)?;
        if self.clock.now_ms.saturating_sub(last.timestamp_ms) > feed.age_most_ms {
            return Err(RejectCode::StalePrice);
        }
        Ok(())
    }

    /// Feeds that an account is exposed to, ascending: settled positions are worth the same whatever a feed says.
    pub(super) fn feeds_of(&self, account: &Account) -> Vec<FeedId> {
        let positions = account.positions.keys();
        let instruments = positions.filter_map(|id| self.instruments.get(id));
        let live = instruments
            .filter(|instrument| !matches!(instrument.life, crate::entity::Life::Settled { .. }));
        let collateral = account.collateral.keys();
        let collateral = collateral.filter_map(|id| self.assets.get(id)?.collateral);
        let mut feeds: Vec<FeedId> = live
            .map(|instrument| instrument.feed)
            .chain(collateral.map(|collateral| collateral.feed))
            .collect();
        feeds.sort_unstable();
        feeds.dedup();
        feeds
    }
}
