//! Trades between two accounts, and positions handed over.

use quorate_margin::{SCALE, Transfer, check_price, fee, value_numerator};
use quorate_types::{AccountId, InstrumentId, RejectCode};

use super::margin::Before;
use super::shift::{Part, Payer};
use super::{Market, is_over};
use crate::entity::Life;
use crate::limits::TRADE_LEGS_MAX;
use crate::mutation::Mutation;
use crate::operation::Leg;

impl Market {
    /// A trade of all legs, or none: delivery against payment. Both owners signed the same terms.
    pub(super) fn trade(
        &mut self,
        first: AccountId,
        second: AccountId,
        legs: &[Leg],
        max_fee: u128,
    ) -> Result<(), RejectCode> {
        let count = u32::try_from(legs.len()).unwrap_or(u32::MAX);
        if legs.is_empty() || count > TRADE_LEGS_MAX {
            return Err(RejectCode::BadEncoding);
        }
        let mut total = 0_u128;
        for leg in legs {
            self.require_tradable(leg.instrument, leg.price)?;
            total = total
                .checked_add(self.fee_of(leg)?)
                .ok_or(RejectCode::Overflow)?;
        }
        if total > max_fee {
            return Err(RejectCode::FeeCap);
        }
        for id in [first, second] {
            self.require_open(id)?;
            self.require_fresh(id)?;
        }
        let before = [self.before(first)?, self.before(second)?];
        self.exchange(first, second, legs, total)?;
        self.judge_both([first, second], &before)
    }

    /// A position goes from one account to another at a price, without a fee. What the first signer keeps is no larger than
    /// what it had, on the same side.
    pub(super) fn novate(
        &mut self,
        from: AccountId,
        to: AccountId,
        leg: Leg,
    ) -> Result<(), RejectCode> {
        self.require_tradable(leg.instrument, leg.price)?;
        for id in [from, to] {
            self.require_thawed(id)?;
            self.require_fresh(id)?;
        }
        let held = self
            .account(&from)
            .map_or(0, |account| account.lots_of(leg.instrument));
        let is_part =
            leg.lots.signum() == held.signum() && leg.lots.unsigned_abs() <= held.unsigned_abs();
        if leg.lots == 0 || !is_part {
            return Err(RejectCode::ReduceOnly);
        }
        let before = [self.before(from)?, self.before(to)?];
        self.exchange(to, from, &[leg], 0)?;
        self.judge_both([from, to], &before)
    }

    fn judge_both(&mut self, ids: [AccountId; 2], before: &[Before; 2]) -> Result<(), RejectCode> {
        for (id, before) in ids.into_iter().zip(before) {
            self.judge(id, before)?;
        }
        Ok(())
    }

    /// Moves legs' lots to the first account and what they cost to the second, and a fee from each. What flooring leaves
    /// over goes to dust. Escrows come along.
    pub(super) fn exchange(
        &mut self,
        first: AccountId,
        second: AccountId,
        legs: &[Leg],
        fee: u128,
    ) -> Result<(), RejectCode> {
        let mut parts = [Vec::new(), Vec::new()];
        let mut dust = 0;
        for leg in legs {
            let instrument = self.instruments.get(&leg.instrument);
            let instrument = instrument.ok_or(RejectCode::NoInstrument)?;
            let multiplier = instrument.contract.multiplier();
            let exact = value_numerator(leg.lots, multiplier, leg.price);
            let mut transfer = Transfer::of(exact.map_err(|_| RejectCode::Overflow)?);
            if self.broken(Mutation::RoundUp) {
                transfer.receiver += transfer.dust;
            }
            dust += transfer.dust;
            let lots = leg.lots.checked_neg().ok_or(RejectCode::Overflow)?;
            for (side, lots, cash) in [(0, leg.lots, transfer.payer), (1, lots, transfer.receiver)]
            {
                parts[side].push(Part {
                    instrument: leg.instrument,
                    lots,
                    cash,
                });
            }
        }
        self.finish_exchange([first, second], &parts, fee, dust)?;
        legs.iter()
            .try_for_each(|leg| self.require_cap(leg.instrument))
    }

    fn finish_exchange(
        &mut self,
        ids: [AccountId; 2],
        parts: &[Vec<Part>; 2],
        fee: u128,
        dust: i128,
    ) -> Result<(), RejectCode> {
        let debit = i128::try_from(fee).map_err(|_| RejectCode::Overflow)?;
        for (id, parts) in ids.into_iter().zip(parts) {
            let change = self.shift(id, parts, -debit, Payer::Owner)?;
            self.carry(id, &change)?;
        }
        let keeps_dust = !self.broken(Mutation::DustLost);
        let quote = self.asset_mut(self.facts.quote)?;
        let fees = fee
            .checked_mul(2)
            .and_then(|both| quote.fees.checked_add(both));
        quote.fees = fees.ok_or(RejectCode::Overflow)?;
        if keeps_dust {
            let more = quote.dust.checked_add(dust * SCALE);
            quote.dust = more.ok_or(RejectCode::Overflow)?;
        }
        Ok(())
    }

    /// The fee of one side, in quote atoms, rounded up.
    pub(super) fn fee_of(&self, leg: &Leg) -> Result<u128, RejectCode> {
        let instrument = self.instruments.get(&leg.instrument);
        let instrument = instrument.ok_or(RejectCode::NoInstrument)?;
        let multiplier = instrument.contract.multiplier();
        let rate = self.parameters.current.fee_ppm;
        let atoms = fee(leg.lots, multiplier, leg.price, rate);
        atoms
            .ok()
            .and_then(|atoms| u128::try_from(atoms).ok())
            .ok_or(RejectCode::Overflow)
    }

    fn require_cap(&self, id: InstrumentId) -> Result<(), RejectCode> {
        let instrument = self.instruments.get(&id).ok_or(RejectCode::NoInstrument)?;
        let before = self.open_interest_before(id);
        let now = instrument.open_interest;
        if now > instrument.open_interest_cap && now > before {
            return Err(RejectCode::OpenInterestCap);
        }
        Ok(())
    }

    /// That an instrument trades now, and at this price.
    pub(super) fn require_tradable(&self, id: InstrumentId, price: i64) -> Result<(), RejectCode> {
        let instrument = self.instruments.get(&id).ok_or(RejectCode::NoInstrument)?;
        let late = is_over(instrument, self.clock.now_ms) || instrument.life > Life::Trading;
        if late && !self.broken(Mutation::TradeAfterExpiry) {
            return Err(RejectCode::InstrumentExpired);
        }
        if instrument.life == Life::Listed {
            return Err(RejectCode::NotTrading);
        }
        check_price(price).map_err(|_| RejectCode::Overflow)?;
        if price % instrument.tick != 0 {
            return Err(RejectCode::Tick);
        }
        self.require_feed(instrument.feed)?;
        let mark = i128::from(self.mark_of(id)?);
        let feed = self
            .feeds
            .get(&instrument.feed)
            .and_then(|feed| feed.last.as_ref());
        let spot = feed.ok_or(RejectCode::NoPrice)?.price;
        // Per lot, in quote atoms times the scale. The band counts in parts of the underlying's price, for an option may be
        // worth next to nothing.
        let multiplier = i128::from(instrument.contract.multiplier());
        let away = multiplier * i128::from(price) - mark * SCALE;
        let band = multiplier * i128::from(spot) / 10_000;
        let band = band * i128::from(self.parameters.current.trade_band_bp);
        // A mark is rounded down to whole atoms.
        if away.abs() > band.saturating_add(SCALE) {
            return Err(RejectCode::PriceBand);
        }
        Ok(())
    }
}
