//! Where accounts stand, for whoever explains, watches or calls them. Computed from scratch, whatever is at hand.

use quorate_margin::{Portfolio, is_risk_reducing, surplus};
use quorate_types::{AccountId, InstrumentId, RejectCode};

use super::Market;
use super::margin::margin_code;
use crate::operation::NamedRound;

/// An account's figures at the present rounds, in quote atoms. `free` is in none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is worth at the mark.
    pub equity: i128,
    /// M on the initial table: what is left above initial margin, with nothing pending.
    pub initial: i128,
    /// R on the initial table, less all lines of credit.
    pub robust: i128,
    /// M on the maintenance table.
    pub maintenance: i128,
    /// U on the maintenance table: an account below 0 may be called.
    pub upper: i128,
    /// What it holds, in margin's terms.
    pub portfolio: Portfolio,
}

impl Market {
    /// Where an account stands.
    ///
    /// # Errors
    /// 2001 for an account that does not exist.
    pub fn standing(&mut self, id: AccountId) -> Result<Standing, RejectCode> {
        let tables = self.tables()?;
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        let portfolio = self.portfolio_of(account)?;
        let escrow = self.build_escrow(id, account, tables.initial.clone())?;
        Ok(Standing {
            equity: self.equity(account)?,
            initial: surplus(&tables.initial, &portfolio).map_err(margin_code)?,
            robust: escrow.surplus(),
            maintenance: surplus(&tables.maintenance, &portfolio).map_err(margin_code)?,
            upper: self.upper_bound(id)?,
            portfolio,
        })
    }

    /// R, less all lines of credit, and the portfolio that it is of: a part of [`Market::standing`], in less time.
    ///
    /// # Errors
    /// 2001 for an account that does not exist.
    pub fn robust(&mut self, id: AccountId) -> Result<(i128, Portfolio), RejectCode> {
        let initial = self.tables()?.initial;
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        let escrow = self.build_escrow(id, account, initial)?;
        Ok((escrow.surplus(), escrow.portfolio().clone()))
    }

    /// Whether a step from one portfolio to another reduces risk, at the present rounds.
    ///
    /// # Errors
    /// 3005 for a position without a price.
    pub fn reduces_risk(
        &mut self,
        before: &Portfolio,
        after: &Portfolio,
    ) -> Result<bool, RejectCode> {
        let tables = self.tables()?;
        is_risk_reducing(&tables.initial, &tables.maintenance, before, after).map_err(margin_code)
    }

    /// The rounds that a margin call, a liquidation or an absorption of an account must name.
    #[must_use]
    pub fn rounds_of(&self, id: &AccountId) -> Vec<NamedRound> {
        let Some(account) = self.account(id) else {
            return Vec::new();
        };
        let feeds = self.feeds_of(account);
        let rounds = feeds.into_iter().filter_map(|feed| {
            let round = self.feeds.get(&feed)?.last.as_ref()?.round;
            Some(NamedRound { feed, round })
        });
        rounds.collect()
    }

    /// What a lot of an instrument is worth at the mark, in quote atoms.
    ///
    /// # Errors
    /// 3001, 3005.
    pub fn mark_price(&self, id: InstrumentId) -> Result<i64, RejectCode> {
        self.mark_of(id)
    }

    /// How the auction of an account discounts now, in basis points, if its call ran out or it is being liquidated.
    #[must_use]
    pub fn auction_discount(&self, id: &AccountId) -> Option<u32> {
        let account = self.account(id)?;
        Some(self.discount(self.auction_since(account)?))
    }
}
