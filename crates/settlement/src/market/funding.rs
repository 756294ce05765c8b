//! Funding of perpetuals, and the payment of what futures and perpetuals gained.

use quorate_margin::{RATIO_SCALE, Terms};
use quorate_types::{AccountId, InstrumentId, RejectCode};

use super::Market;
use super::journal::signed;
use super::shift::{Payer, settle_funding};
use crate::entity::{Life, Status};
use crate::limits::FUNDING_INDEX_MAX;
use crate::mutation::Mutation;

impl Market {
    /// Applies a round's funding, once. The index is a whole number of atoms a lot, so that what the long pay and the short
    /// get is the same to the atom; what is below an atom is carried on.
    pub(super) fn fund(&mut self, id: InstrumentId) -> Result<(), RejectCode> {
        let instrument = self.instruments.get(&id).ok_or(RejectCode::NoInstrument)?;
        if instrument.contract.terms() != Terms::Perpetual || instrument.life != Life::Trading {
            return Err(RejectCode::NotTrading);
        }
        self.require_feed(instrument.feed)?;
        let feed = self.feeds.get(&instrument.feed);
        let last = feed.and_then(|feed| feed.last.as_ref());
        let last = last.ok_or(RejectCode::NoPrice)?;
        if last.round <= instrument.funded_round && !self.broken(Mutation::FundingTwice) {
            return Err(RejectCode::OldRound);
        }
        let rate = last.funding.iter().find(|rate| rate.instrument == id);
        let rate = rate.ok_or(RejectCode::NoPrice)?.rate;
        let notional = i128::from(instrument.contract.multiplier()) * i128::from(last.price);
        let part = notional
            .checked_mul(i128::from(rate))
            .ok_or(RejectCode::Overflow)?;
        let total = instrument
            .funding_total
            .checked_add(part.div_euclid(i128::from(RATIO_SCALE)));
        let round = last.round;
        let instrument = self.instrument_mut(id)?;
        instrument.funding_total = total.ok_or(RejectCode::Overflow)?;
        instrument.funded_round = round;
        let index = instrument.funding_index().ok_or(RejectCode::Overflow)?;
        if index.unsigned_abs() >= FUNDING_INDEX_MAX.unsigned_abs() {
            return Err(RejectCode::Overflow);
        }
        self.prices_changed();
        Ok(())
    }

    /// Pays out what an account's futures and perpetuals gained since they were entered, and takes what they lost as far
    /// as collateral goes. Margin is the same before and after: it always counts them at their full value. A call that is
    /// cured ends.
    pub(super) fn mark(&mut self, id: AccountId) -> Result<(), RejectCode> {
        self.require_open(id)?;
        self.require_fresh(id)?;
        let account = self.account_mut(id)?.clone();
        let mut gains = Vec::new();
        for (instrument, position) in &account.positions {
            let facts = self.instruments.get(instrument);
            let facts = facts.ok_or(RejectCode::NoInstrument)?;
            if !facts.is_margined() || matches!(facts.life, Life::Settled { .. }) {
                continue;
            }
            let value = self.marked(*instrument, position.lots)?;
            let entry = self.entry_now(*instrument, position)?;
            gains.push((
                *instrument,
                entry.checked_add(value).ok_or(RejectCode::Overflow)?,
            ));
        }
        // Gains first, so that they can pay for losses.
        gains.sort_by_key(|(instrument, gain)| (*gain < 0, *instrument));
        for (instrument, gain) in gains {
            self.realise(id, instrument, gain)?;
        }
        Ok(())
    }

    fn realise(
        &mut self,
        id: AccountId,
        instrument: InstrumentId,
        gain: i128,
    ) -> Result<(), RejectCode> {
        let index = self.instruments[&instrument].funding_index();
        let index = index.ok_or(RejectCode::Overflow)?;
        let (quote, reserved) = (self.facts.quote, self.reserved(id));
        let account = self.account_mut(id)?;
        let room = signed(account.collateral_of(quote))
            .saturating_sub(reserved)
            .max(0);
        let paid = gain.max(-room);
        if let Some(position) = account.positions.get_mut(&instrument) {
            settle_funding(position, index).ok_or(RejectCode::Overflow)?;
            let entry = position.entry.checked_sub(paid);
            position.entry = entry.ok_or(RejectCode::Overflow)?;
        }
        self.pay(id, paid, Payer::Protocol)
    }

    /// Ends the calls of accounts that the operation under way has brought back to maintenance margin and out of debt.
    pub(super) fn cure_touched(&mut self) -> Result<(), RejectCode> {
        for id in self.touched() {
            let Some(account) = self.account(&id) else {
                continue;
            };
            let is_called = matches!(
                account.status,
                Status::Called { .. } | Status::Liquidating { .. }
            );
            if !is_called || account.debt > 0 {
                continue;
            }
            let account = account.clone();
            if self.maintenance(&account)? >= 0 {
                self.account_mut(id)?.status = Status::Active;
                self.events
                    .push(crate::applied::Event::Cured { account: id });
            }
        }
        Ok(())
    }
}
