//! Fills of orders that a venue matched.

use quorate_margin::{BudgetId, CELLS, Change};
use quorate_types::{AccountId, DomainTag, Hash32, RejectCode};

use super::Market;
use super::margin::escrow_code;
use crate::applied::Event;
use crate::authentic::Authenticator;
use crate::entity::{Budget, BudgetKey, OrderFill};
use crate::limits::FILLS_MAX;
use crate::mutation::Mutation;
use crate::operation::{Fill, Leg, SignedOrder};

impl Market {
    /// A venue's next batch: all fills or none.
    pub(super) fn fill_batch(
        &mut self,
        venue: AccountId,
        sequence: u64,
        fills: &[Fill],
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        let account = self.require_open(venue)?;
        if sequence != account.venue_sequence {
            return Err(RejectCode::VenueSequenceGap);
        }
        let next = sequence.checked_add(1).ok_or(RejectCode::Overflow)?;
        self.account_mut(venue)?.venue_sequence = next;
        let count = u32::try_from(fills.len()).unwrap_or(u32::MAX);
        if fills.is_empty() || count > FILLS_MAX {
            return Err(RejectCode::BadEncoding);
        }
        fills
            .iter()
            .try_for_each(|fill| self.fill(venue, fill, authenticator))
    }

    fn fill(
        &mut self,
        venue: AccountId,
        fill: &Fill,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        let (buy, sell) = (&fill.buy.order, &fill.sell.order);
        let meet = buy.is_buy && !sell.is_buy && buy.instrument == sell.instrument;
        if !meet || fill.lots == 0 {
            return Err(RejectCode::BadEncoding);
        }
        if buy.account == sell.account {
            return Err(RejectCode::SelfTrade);
        }
        let lots = i64::try_from(fill.lots).map_err(|_| RejectCode::Overflow)?;
        let sides = [&fill.buy, &fill.sell];
        let mut filled = Vec::with_capacity(2);
        for signed in sides {
            filled.push(self.check_order(venue, signed, fill, authenticator)?);
        }
        self.require_tradable(buy.instrument, fill.price)?;
        let leg = Leg {
            instrument: buy.instrument,
            lots,
            price: fill.price,
        };
        let fee = self.fee_of(&leg)?;
        self.exchange_within_lines(venue, [buy.account, sell.account], leg, fee)?;
        for (id, fill_of) in filled {
            if !self.broken(Mutation::DuplicateFill) {
                self.set_order(id, Some(fill_of));
            }
            self.events.push(Event::Filled {
                order: id,
                lots: fill.lots,
                price: fill.price,
            });
        }
        Ok(())
    }

    /// Everything about one side that does not depend on margin. Gives what will be filled of the order.
    fn check_order(
        &self,
        venue: AccountId,
        signed: &SignedOrder,
        fill: &Fill,
        authenticator: &impl Authenticator,
    ) -> Result<(Hash32, OrderFill), RejectCode> {
        let order = &signed.order;
        if order.chain != self.facts.chain {
            return Err(RejectCode::WrongChain);
        }
        if order.shard != self.facts.shard {
            return Err(RejectCode::WrongShard);
        }
        if order.venue != venue {
            return Err(RejectCode::KeyScope);
        }
        let account = self.require_open(order.account)?;
        let id = order.id();
        let tag = DomainTag::OrderSignature;
        if !authenticator.is_signed(&account.owner, tag, &id.0, &signed.signature) {
            return Err(RejectCode::BadSignature);
        }
        if order.expires < self.clock.round {
            return Err(RejectCode::OrderExpired);
        }
        let total = self.filled(&id).checked_add(fill.lots);
        let total = total.filter(|total| *total <= order.lots);
        let total = total.ok_or(RejectCode::Overfill)?;
        let worse = if order.is_buy {
            fill.price > order.limit_price
        } else {
            fill.price < order.limit_price
        };
        if worse {
            return Err(RejectCode::LimitPrice);
        }
        if self.parameters.current.fee_ppm > order.fee_cap_ppm {
            return Err(RejectCode::FeeCap);
        }
        let held = account.lots_of(order.instrument);
        let reduces = (held < 0) == order.is_buy && fill.lots <= held.unsigned_abs();
        if order.is_reduce_only && !reduces {
            return Err(RejectCode::ReduceOnly);
        }
        let fill_of = OrderFill {
            filled: total,
            lots: order.lots,
            expires: order.expires,
        };
        Ok((id, fill_of))
    }

    /// Who granted the venue a line trades at its expense, and nothing else is asked; who did not trades on margin.
    fn exchange_within_lines(
        &mut self,
        venue: AccountId,
        ids: [AccountId; 2],
        leg: Leg,
        fee: u128,
    ) -> Result<(), RejectCode> {
        let feed = self.instruments[&leg.instrument].feed;
        let mut before = Vec::with_capacity(2);
        let mut portfolios = Vec::with_capacity(2);
        for id in ids {
            self.require_fresh(id)?;
            before.push(self.before(id)?);
            let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
            portfolios.push(self.portfolio_of(account)?);
        }
        self.exchange(ids[0], ids[1], &[leg], fee)?;
        for ((id, before), portfolio) in ids.into_iter().zip(&before).zip(&portfolios) {
            let key = BudgetKey {
                account: id,
                venue,
                feed,
            };
            if self.budgets.contains_key(&key) {
                let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
                let after = self.portfolio_of(account)?;
                let change = super::shift::difference(portfolio, &after)?;
                self.draw(key, &change)?;
            } else {
                self.judge(id, before)?;
            }
        }
        Ok(())
    }

    /// Takes a fill from a line:
    ///
    /// `left' = min(granted, left + value of the fill - slope)`, which must not be negative in any cell,
    ///
    /// where the slope is the most that add-ons can rise. So a fill within its line never lowers R. All cells of the risk
    /// arrays are tested, whatever the window, so that a wider one finds lines in order.
    fn draw(&mut self, key: BudgetKey, change: &Change) -> Result<(), RejectCode> {
        let budget = self.budgets.get(&key).ok_or(RejectCode::BudgetExceeded)?;
        if budget.ends.is_some_and(|ends| ends <= self.clock.round) {
            return Err(RejectCode::BudgetExceeded);
        }
        let mut values = [change.cash(); CELLS];
        let mut slope = 0_i128;
        for (instrument, lots) in change.legs() {
            let facts = self
                .instruments
                .get(instrument)
                .ok_or(RejectCode::NoInstrument)?;
            let funding = facts.funding_index().ok_or(RejectCode::Overflow)?;
            let cells = self.cells_of(*instrument)?;
            for (value, cell) in values.iter_mut().zip(cells) {
                *value += i128::from(*lots) * (i128::from(*cell) - i128::from(funding));
            }
            let add_on = &facts.add_on;
            let rates = [add_on.short_per_lot, add_on.per_lot, add_on.large_per_lot];
            let rate: i128 = rates.into_iter().map(i128::from).sum();
            slope += rate * i128::from(lots.unsigned_abs());
        }
        let granted = super::journal::signed(budget.granted);
        let mut left = Vec::with_capacity(CELLS);
        for (before, value) in budget.left.iter().zip(&values) {
            let after = super::journal::signed(*before) + value - slope;
            let after = u128::try_from(after.min(granted));
            left.push(after.map_err(|_| RejectCode::BudgetExceeded)?);
        }
        let drawn = Budget {
            left,
            ..budget.clone()
        };
        let amounts = self.window_amounts(key.feed, &drawn);
        let name = BudgetId(drawn.number);
        if let (Some(escrow), Some(amounts)) = (self.current_escrow(key.account), amounts) {
            escrow.revoke(name).map_err(escrow_code)?;
            escrow.grant(name, amounts).map_err(escrow_code)?;
        }
        self.set_budget(key, Some(drawn));
        Ok(())
    }
}
