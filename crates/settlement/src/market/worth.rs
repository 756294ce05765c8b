//! What an account is worth: its portfolio in margin's terms, and its equity at the mark.

use quorate_margin::{Change, Lane, Portfolio, mul_div_floor, surplus, upper};
use quorate_types::{AccountId, AssetId, InstrumentId, RejectCode};

use super::Market;
use super::journal::signed;
use super::margin::margin_code;
use super::prices::collateral_row;
use crate::entity::{Account, Doubt};

impl Market {
    /// What an account holds behind its positions, in margin's terms: quote collateral less debt, with what futures and
    /// perpetuals were entered at, as cash; other collateral as positions of whole margin lots. A perpetual's cells are
    /// less its funding index, so that its cash is more by the index at which it was entered.
    pub(super) fn portfolio_of(&self, account: &Account) -> Result<Portfolio, RejectCode> {
        let collateral = signed(account.collateral_of(self.facts.quote));
        let mut cash = collateral - signed(account.debt);
        let mut held: Vec<(InstrumentId, i64)> = Vec::with_capacity(account.positions.len() + 1);
        for (id, position) in &account.positions {
            let funding = i128::from(position.lots) * i128::from(position.funding_index);
            let entry = position.entry.checked_add(funding);
            cash = entry
                .and_then(|entry| cash.checked_add(entry))
                .ok_or(RejectCode::Overflow)?;
            held.push((*id, position.lots));
        }
        for (asset, amount) in &account.collateral {
            if *asset != self.facts.quote {
                held.push((collateral_row(*asset), self.margin_lots(*asset, *amount)?));
            }
        }
        Portfolio::new(cash, &held).map_err(margin_code)
    }

    /// How many whole margin lots an amount of collateral is.
    pub(super) fn margin_lots(&self, asset: AssetId, amount: u128) -> Result<i64, RejectCode> {
        let facts = self.assets.get(&asset).ok_or(RejectCode::NoAsset)?;
        let collateral = facts.collateral.ok_or(RejectCode::NoAsset)?;
        let lots = amount / u128::from(collateral.lot_atoms);
        i64::try_from(lots).map_err(|_| RejectCode::Overflow)
    }

    /// What an amount of collateral is worth at the mark, in quote atoms, rounded down.
    pub(super) fn collateral_value(
        &self,
        asset: AssetId,
        amount: u128,
    ) -> Result<i128, RejectCode> {
        if asset == self.facts.quote {
            return Ok(signed(amount));
        }
        let facts = self.assets.get(&asset).ok_or(RejectCode::NoAsset)?;
        let collateral = facts.collateral.ok_or(RejectCode::NoAsset)?;
        let mark = self.collateral_mark(asset)?;
        let lot_atoms = i128::from(collateral.lot_atoms);
        mul_div_floor(signed(amount), i128::from(mark), lot_atoms).ok_or(RejectCode::Overflow)
    }

    /// Cash behind the positions with funding up to now: quote collateral less debt, and entries. In quote atoms.
    pub(super) fn cash_now(&self, account: &Account) -> Result<i128, RejectCode> {
        let mut cash = signed(account.collateral_of(self.facts.quote)) - signed(account.debt);
        for (id, position) in &account.positions {
            let entry = self.entry_now(*id, position)?;
            cash = cash.checked_add(entry).ok_or(RejectCode::Overflow)?;
        }
        Ok(cash)
    }

    /// What lots are worth at the mark, in quote atoms.
    pub(super) fn marked(&self, id: InstrumentId, lots: i64) -> Result<i128, RejectCode> {
        Ok(i128::from(lots) * i128::from(self.mark_of(id)?))
    }

    /// What the account is worth at the mark, without `free`, in quote atoms: negative if others must pay.
    pub(super) fn equity(&self, account: &Account) -> Result<i128, RejectCode> {
        let mut equity = self.cash_now(account)?;
        for (id, position) in &account.positions {
            let value = self.marked(*id, position.lots)?;
            equity = equity.checked_add(value).ok_or(RejectCode::Overflow)?;
        }
        for (asset, amount) in &account.collateral {
            if *asset != self.facts.quote {
                let value = self.collateral_value(*asset, *amount)?;
                equity = equity.checked_add(value).ok_or(RejectCode::Overflow)?;
            }
        }
        Ok(equity)
    }

    /// M on the maintenance table, in quote atoms.
    pub(super) fn maintenance(&mut self, account: &Account) -> Result<i128, RejectCode> {
        let table = self.tables()?.maintenance;
        surplus(&table, &self.portfolio_of(account)?).map_err(margin_code)
    }

    /// M on the initial table, in quote atoms.
    pub(super) fn initial(&mut self, account: &Account) -> Result<i128, RejectCode> {
        let table = self.tables()?.initial;
        surplus(&table, &self.portfolio_of(account)?).map_err(margin_code)
    }

    /// U on the maintenance table, in quote atoms: what no order of what is certified exceeds. Only credits that all peers
    /// prepared count, and only until their deadline (SETTLEMENT 3.5).
    pub(super) fn upper_bound(&mut self, id: AccountId) -> Result<i128, RejectCode> {
        let table = self.tables()?.maintenance;
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        let portfolio = self.portfolio_of(account)?;
        let round = self.clock.round;
        let counts = |doubt: &&Doubt| {
            doubt.cash > 0 && doubt.is_certified() && !doubt.is_refused && round <= doubt.deadline
        };
        let certified = self.doubts_of(id).filter(counts);
        let lanes: Result<Vec<Lane>, _> = certified
            .map(|doubt| Change::new(doubt.cash, &[]).map(Lane::from))
            .collect();
        upper(&table, &portfolio, &lanes.map_err(margin_code)?).map_err(margin_code)
    }

    /// Quote collateral that debits in doubt may take, which the owner's operations leave alone.
    pub(super) fn reserved(&self, id: AccountId) -> i128 {
        let debits = self.doubts_of(id).map(|doubt| (-doubt.cash).max(0));
        // Each is covered by collateral when it is prepared, and their number is limited.
        debits.fold(0, i128::saturating_add)
    }
}
