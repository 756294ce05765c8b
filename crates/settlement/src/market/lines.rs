//! Lines of credit that accounts grant to venues (SETTLEMENT 3.6, class B).

use quorate_margin::{BudgetId, CELLS};
use quorate_types::{AccountId, FeedId, RejectCode};

use super::Market;
use super::margin::escrow_code;
use crate::entity::{Budget, BudgetKey};
use crate::limits::{BUDGETS_MAX, SUPPLY_MAX};

impl Market {
    /// Carves a line out of an account's margin: R, less all lines, must not be negative.
    pub(super) fn grant_budget(
        &mut self,
        account: AccountId,
        venue: AccountId,
        feed: FeedId,
        amount: u128,
    ) -> Result<(), RejectCode> {
        if venue == account {
            return Err(RejectCode::SelfTrade);
        }
        self.require_open(venue)?;
        self.require_thawed(account)?;
        self.require_feed(feed)?;
        self.require_fresh(account)?;
        if !self.has_rows(feed) {
            return Err(RejectCode::NoPrice);
        }
        if amount >= SUPPLY_MAX {
            return Err(RejectCode::Overflow);
        }
        let key = BudgetKey {
            account,
            venue,
            feed,
        };
        let is_full = self.budgets_of(account).count() >= BUDGETS_MAX;
        if self.budgets.contains_key(&key) || is_full {
            return Err(RejectCode::InDoubtLimit);
        }
        self.escrow(account)?;
        let budget = Budget {
            number: self.next_number(account)?,
            granted: amount,
            left: vec![amount; CELLS],
            ends: None,
        };
        let name = BudgetId(budget.number);
        let amounts = self.window_amounts(feed, &budget);
        if let (Some(escrow), Some(amounts)) = (self.current_escrow(account), amounts) {
            escrow.grant(name, amounts).map_err(escrow_code)?;
        }
        self.set_budget(key, Some(budget));
        self.require_robust(account)
    }

    /// Ends a line once fills under way have had time to arrive.
    pub(super) fn revoke_budget(
        &mut self,
        account: AccountId,
        venue: AccountId,
        feed: FeedId,
    ) -> Result<(), RejectCode> {
        let key = BudgetKey {
            account,
            venue,
            feed,
        };
        let budget = self.budgets.get(&key).ok_or(RejectCode::BudgetExceeded)?;
        if budget.ends.is_some() {
            return Err(RejectCode::BudgetExceeded);
        }
        let rounds = self.parameters.current.unbonding_rounds;
        let ends = Some(self.clock.round.forward(rounds));
        let budget = Budget {
            ends,
            ..budget.clone()
        };
        self.set_budget(key, Some(budget));
        Ok(())
    }

    /// The end of a line that was revoked.
    pub(super) fn end_budget(&mut self, key: BudgetKey) {
        self.set_budget(key, None);
        self.forget(key.account);
    }

    /// A number that none of the account's doubts and lines ever had.
    pub(super) fn next_number(&mut self, id: AccountId) -> Result<u64, RejectCode> {
        let account = self.account_mut(id)?;
        let number = account.numbers;
        account.numbers = number.checked_add(1).ok_or(RejectCode::Overflow)?;
        Ok(number)
    }
}
