//! How lots and cash move: the one place where positions, entries, collateral and debt change together.

use quorate_margin::{Change, Portfolio, check_quantity};
use quorate_types::{AccountId, InstrumentId, RejectCode};

use super::Market;
use super::journal::signed;
use super::margin::margin_code;
use crate::entity::{Account, Position, Status};

/// What an account gets of one instrument, and the cash that goes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) instrument: InstrumentId,
    /// Lots received, negative if given.
    pub(super) lots: i64,
    /// Quote atoms received, negative if paid: from and to collateral for options, in the position's entry otherwise.
    pub(super) cash: i128,
}

/// On whose word cash leaves collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payer {
    /// The owner's: what is not there, or reserved, cannot be paid.
    Owner,
    /// The protocol's: what is not there becomes debt.
    Protocol,
}

impl Market {
    /// Gives parts to an account and `cash` besides, and hands back the change in margin's terms. The escrow is not
    /// touched.
    pub(super) fn shift(
        &mut self,
        id: AccountId,
        parts: &[Part],
        cash: i128,
        payer: Payer,
    ) -> Result<Change, RejectCode> {
        let margin_cash = self.shift_without_change(id, parts, cash, payer)?;
        let legs: Vec<_> = parts
            .iter()
            .map(|part| (part.instrument, part.lots))
            .collect();
        Change::new(margin_cash, &legs).map_err(margin_code)
    }

    /// The same for any number of parts. Gives the change of cash in margin's terms.
    pub(super) fn shift_without_change(
        &mut self,
        id: AccountId,
        parts: &[Part],
        cash: i128,
        payer: Payer,
    ) -> Result<i128, RejectCode> {
        let mut paid = cash;
        let mut margin_cash = cash;
        for part in parts {
            let (from_entry, in_margin) = self.shift_part(id, part)?;
            paid = paid.checked_add(from_entry).ok_or(RejectCode::Overflow)?;
            margin_cash = margin_cash
                .checked_add(in_margin)
                .ok_or(RejectCode::Overflow)?;
        }
        self.pay(id, paid, payer)?;
        let positions = self
            .account(&id)
            .map_or(0, |account| account.positions.len());
        let most = self.parameters.current.positions_max;
        let grew = parts.iter().any(|part| part.lots != 0);
        if payer == Payer::Owner
            && grew
            && u32::try_from(positions).map_or(true, |held| held > most)
        {
            return Err(RejectCode::TooManyPositions);
        }
        Ok(margin_cash)
    }

    /// One instrument. Gives what goes to collateral, and what margin's cash changes by.
    fn shift_part(&mut self, id: AccountId, part: &Part) -> Result<(i128, i128), RejectCode> {
        let instrument = self.instruments.get(&part.instrument);
        let instrument = instrument.ok_or(RejectCode::NoInstrument)?;
        let (is_margined, index) = (instrument.is_margined(), instrument.funding_index());
        let index = index.ok_or(RejectCode::Overflow)?;
        let account = self.account_mut(id)?;
        let fresh = Position {
            funding_index: index,
            ..Position::default()
        };
        let position = account.positions.entry(part.instrument).or_insert(fresh);
        settle_funding(position, index).ok_or(RejectCode::Overflow)?;
        let before = position.lots;
        let after = before.checked_add(part.lots).ok_or(RejectCode::Overflow)?;
        position.lots = check_quantity(after).map_err(|_| RejectCode::Overflow)?;
        let mut paid = if is_margined {
            let entry = position.entry.checked_add(part.cash);
            position.entry = entry.ok_or(RejectCode::Overflow)?;
            0
        } else {
            part.cash
        };
        if after == 0 {
            // What was not paid out yet is due with the last lot.
            paid = paid
                .checked_add(position.entry)
                .ok_or(RejectCode::Overflow)?;
            account.positions.remove(&part.instrument);
        }
        let held = self.instrument_mut(part.instrument)?;
        let longs = after.max(0) - before.max(0);
        held.open_interest = held
            .open_interest
            .checked_add_signed(longs)
            .ok_or(RejectCode::Overflow)?;
        let funding = i128::from(part.lots) * i128::from(index);
        let in_margin = part.cash.checked_add(funding);
        Ok((paid, in_margin.ok_or(RejectCode::Overflow)?))
    }

    /// Pays quote atoms into collateral, or out of it if negative. Credits pay debt first.
    pub(super) fn pay(
        &mut self,
        id: AccountId,
        cash: i128,
        payer: Payer,
    ) -> Result<(), RejectCode> {
        let quote = self.facts.quote;
        if cash == 0 {
            return self.account(&id).map(|_| ()).ok_or(RejectCode::NoAccount);
        }
        let reserved = if payer == Payer::Owner && cash < 0 {
            self.reserved(id)
        } else {
            0
        };
        let round = self.clock.round;
        let account = self.account_mut(id)?;
        let have = signed(account.collateral_of(quote));
        if cash > 0 {
            return credit(account, quote, cash);
        }
        let rest = have.checked_add(cash).ok_or(RejectCode::Overflow)?;
        if payer == Payer::Owner && rest < reserved {
            return Err(RejectCode::InsufficientCollateral);
        }
        account.set_collateral(quote, u128::try_from(rest).unwrap_or(0));
        if rest < 0 {
            let debt = account.debt.checked_add(rest.unsigned_abs());
            account.debt = debt.ok_or(RejectCode::Overflow)?;
            if !matches!(account.status, Status::Liquidating { .. }) {
                account.status = Status::Liquidating { since: round };
            }
        }
        Ok(())
    }

    /// A position's entry with funding up to now.
    pub(super) fn entry_now(
        &self,
        id: InstrumentId,
        position: &Position,
    ) -> Result<i128, RejectCode> {
        let instrument = self.instruments.get(&id).ok_or(RejectCode::NoInstrument)?;
        let index = instrument.funding_index().ok_or(RejectCode::Overflow)?;
        let mut settled = *position;
        settle_funding(&mut settled, index).ok_or(RejectCode::Overflow)?;
        Ok(settled.entry)
    }
}

/// Credits collateral, debt first.
fn credit(
    account: &mut Account,
    quote: quorate_types::AssetId,
    cash: i128,
) -> Result<(), RejectCode> {
    let cash = cash.unsigned_abs();
    let repaid = account.debt.min(cash);
    account.debt -= repaid;
    let have = account.collateral_of(quote).checked_add(cash - repaid);
    account.set_collateral(quote, have.ok_or(RejectCode::Overflow)?);
    Ok(())
}

/// Brings funding into a position's entry: the long pay as the index rises. Whole atoms a lot, so nothing is left over.
pub(super) fn settle_funding(position: &mut Position, index: i64) -> Option<()> {
    let rise = i128::from(index) - i128::from(position.funding_index);
    let owed = i128::from(position.lots).checked_mul(rise)?;
    position.entry = position.entry.checked_sub(owed)?;
    position.funding_index = index;
    Some(())
}

/// The difference that a change of an account makes in margin's terms.
pub(super) fn difference(before: &Portfolio, after: &Portfolio) -> Result<Change, RejectCode> {
    let mut legs: Vec<(InstrumentId, i64)> = after.positions().to_vec();
    legs.extend(before.positions().iter().map(|(id, lots)| (*id, -lots)));
    let cash = after.cash().checked_sub(before.cash());
    Change::new(cash.ok_or(RejectCode::Overflow)?, &legs).map_err(margin_code)
}
