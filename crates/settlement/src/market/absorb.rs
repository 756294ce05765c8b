//! The end of an insolvent account: insurance pays first, then those on the other side of its positions.

use quorate_margin::mul_div_floor;
use quorate_types::{AccountId, InstrumentId, RejectCode};

use super::Market;
use super::journal::signed;
use super::shift::{Part, Payer};
use crate::applied::Event;
use crate::entity::{Account, Status};
use crate::limits::REDUCED_MAX;
use crate::mutation::Mutation;
use crate::operation::NamedRound;

/// Parts of one, for ranks.
const RANK_SCALE: i128 = 1_000_000;

impl Market {
    /// Closes an account that is worth less than nothing after an auction that nobody ended.
    ///
    /// 1. Insurance takes its collateral but the quote asset, and pays what is missing to nothing, as far as it has.
    /// 2. Its positions are closed at the mark against those on the other side, who have most at stake for what they own
    ///    first; what insurance could not pay is spread over them in proportion to what is closed, which makes it the
    ///    account's bankruptcy price that they are closed at. Nobody pays more than it has above maintenance margin, and
    ///    nobody without a position on the other side pays at all.
    /// 3. What is left is the account's debt, for insurance to pay when it can.
    pub(super) fn absorb(
        &mut self,
        id: AccountId,
        rounds: &[NamedRound],
    ) -> Result<(), RejectCode> {
        let account = self.require_open(id)?;
        self.require_unsettled(account)?;
        self.require_rounds(account, rounds)?;
        let account = account.clone();
        let since = self.auction_since(&account);
        let since = since.ok_or(RejectCode::GraceRunning)?;
        let rounds = self.parameters.current.auction_rounds;
        if since.forward(rounds) > self.clock.round {
            return Err(RejectCode::GraceRunning);
        }
        if self.equity(&account)? >= 0 {
            return Err(RejectCode::NotInsolvent);
        }
        if self.upper_bound(id)? >= 0 {
            return Err(RejectCode::NotCallable);
        }
        self.account_mut(id)?.status = Status::Liquidating { since };
        self.seize(id)?;
        let missing = self.missing(id)?;
        let insurance = self.insurance().min(missing);
        let quote = self.asset_mut(self.facts.quote)?;
        quote.insurance -= insurance.unsigned_abs();
        self.pay(id, insurance, Payer::Protocol)?;
        let shared = self.reduce_others(id, missing - insurance)?;
        if self.broken(Mutation::LossToBystander) {
            self.charge_bystander(id)?;
        }
        self.forget(id);
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        self.events.push(Event::Absorbed {
            account: id,
            insurance: insurance.unsigned_abs(),
            shared: shared.unsigned_abs(),
            left: account.debt,
        });
        Ok(())
    }

    /// Insurance takes all collateral but the quote asset.
    fn seize(&mut self, id: AccountId) -> Result<(), RejectCode> {
        let quote = self.facts.quote;
        let account = self.account_mut(id)?;
        let seized: Vec<_> = account
            .collateral
            .iter()
            .filter(|(asset, _)| **asset != quote)
            .map(|(asset, amount)| (*asset, *amount))
            .collect();
        for (asset, amount) in seized {
            self.account_mut(id)?.set_collateral(asset, 0);
            let facts = self.asset_mut(asset)?;
            let insurance = facts.insurance.checked_add(amount);
            facts.insurance = insurance.ok_or(RejectCode::Overflow)?;
        }
        Ok(())
    }

    /// What an account lacks to be worth nothing, in quote atoms.
    fn missing(&self, id: AccountId) -> Result<i128, RejectCode> {
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        Ok(self.equity(account)?.min(0).saturating_neg())
    }

    /// Closes the account's positions against the other side, which bears `loss` as far as it can. Gives what it bore.
    fn reduce_others(&mut self, id: AccountId, loss: i128) -> Result<i128, RejectCode> {
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?.clone();
        let mut weights = Vec::with_capacity(account.positions.len());
        for (instrument, position) in &account.positions {
            // An atom more, so that what is worth nothing has a weight.
            let value = self.marked(*instrument, position.lots)?;
            weights.push((*instrument, position.lots, value.abs().saturating_add(1)));
        }
        let mut weight_left = weights
            .iter()
            .try_fold(0_i128, |sum, (_, _, weight)| sum.checked_add(*weight))
            .ok_or(RejectCode::Overflow)?;
        let mut left = loss;
        for (instrument, lots, weight) in weights {
            let share = mul_div_floor(left, weight, weight_left).ok_or(RejectCode::Overflow)?;
            weight_left -= weight;
            // The last weight is all that is left, so that its share is too.
            left -= self.reduce_in(id, instrument, lots, share)?;
        }
        Ok(loss - left)
    }

    /// Closes one position against the other side, which bears `share` as far as it can. Gives what it bore.
    fn reduce_in(
        &mut self,
        id: AccountId,
        instrument: InstrumentId,
        lots: i64,
        share: i128,
    ) -> Result<i128, RejectCode> {
        let (mut lots_left, mut share_left) = (lots.unsigned_abs(), share);
        for other in self.other_side(id, instrument, lots)? {
            if lots_left == 0 {
                break;
            }
            let held = self
                .account(&other)
                .map_or(0, |account| account.lots_of(instrument));
            let size = lots_left.min(held.unsigned_abs());
            let closed = i64::try_from(size).map_err(|_| RejectCode::Overflow)? * lots.signum();
            // The most that its part can be, rounded up.
            let wanted = mul_div_floor(-share_left, i128::from(size), i128::from(lots_left));
            let wanted = -wanted.ok_or(RejectCode::Overflow)?;
            let Some(room) = self.room(other, instrument, closed)? else {
                continue;
            };
            let borne = wanted.min(room);
            let cash = self.marked(instrument, closed)?;
            let given = Part {
                instrument,
                lots: -closed,
                cash,
            };
            let taken = Part {
                instrument,
                lots: closed,
                cash: -cash,
            };
            self.shift_without_change(id, &[given], borne, Payer::Protocol)?;
            self.shift_without_change(other, &[taken], -borne, Payer::Protocol)?;
            self.forget(other);
            lots_left -= size;
            share_left -= borne;
        }
        Ok(share - share_left)
    }

    /// Who holds the opposite of `lots`, those first whose position is largest for what they are worth; then by id.
    fn other_side(
        &self,
        id: AccountId,
        instrument: InstrumentId,
        lots: i64,
    ) -> Result<Vec<AccountId>, RejectCode> {
        let mut ranked = Vec::new();
        let first = (instrument, AccountId([0; 32]));
        let holders = self.holders.range(first..);
        for (_, other) in holders.take_while(|(held, _)| *held == instrument) {
            let Some(account) = self.account(other) else {
                continue;
            };
            let held = account.lots_of(instrument);
            if *other == id || held.signum() != -lots.signum() {
                continue;
            }
            let stake = self.marked(instrument, held)?.abs();
            let worth = self.equity(account)?.max(1);
            let rank = mul_div_floor(stake, RANK_SCALE, worth).unwrap_or(i128::MAX);
            ranked.push((std::cmp::Reverse(rank), *other));
        }
        ranked.sort_unstable();
        ranked.truncate(REDUCED_MAX);
        Ok(ranked.into_iter().map(|(_, other)| other).collect())
    }

    /// What somebody on the other side can bear beyond closing `lots` at the mark: what it has above maintenance margin, and
    /// no more than the collateral that closing leaves it. None if it cannot even pay for closing.
    fn room(
        &mut self,
        other: AccountId,
        instrument: InstrumentId,
        lots: i64,
    ) -> Result<Option<i128>, RejectCode> {
        let account = self.account(&other).ok_or(RejectCode::NoAccount)?.clone();
        let above = self.maintenance(&account)?.max(0);
        let paid = self.paid_when_closed(&account, instrument, lots)?;
        let have = signed(account.collateral_of(self.facts.quote)) - signed(account.debt);
        let rest = have
            .saturating_add(paid)
            .saturating_sub(self.reserved(other));
        Ok((rest >= 0).then_some(rest.min(above)))
    }

    /// What goes to collateral, or comes from it if negative, when an account gets `lots` at the mark.
    fn paid_when_closed(
        &self,
        account: &Account,
        instrument: InstrumentId,
        lots: i64,
    ) -> Result<i128, RejectCode> {
        let cash = self.marked(instrument, lots)?.saturating_neg();
        let facts = self.instruments.get(&instrument);
        if !facts.ok_or(RejectCode::NoInstrument)?.is_margined() {
            return Ok(cash);
        }
        match account.positions.get(&instrument) {
            Some(position) if position.lots.checked_add(lots) == Some(0) => {
                let entry = self.entry_now(instrument, position)?;
                entry.checked_add(cash).ok_or(RejectCode::Overflow)
            }
            _ => Ok(0),
        }
    }

    /// A deliberate defect: somebody without positions pays an atom.
    fn charge_bystander(&mut self, id: AccountId) -> Result<(), RejectCode> {
        let quote = self.facts.quote;
        let bystander = self.accounts.iter().find(|(_, slot)| {
            slot.account.positions.is_empty() && slot.account.collateral_of(quote) > 0
        });
        if let Some(bystander) = bystander.map(|(other, _)| *other) {
            self.pay(bystander, -1, Payer::Protocol)?;
            self.forget(bystander);
            self.pay(id, 1, Payer::Protocol)?;
        }
        Ok(())
    }
}
