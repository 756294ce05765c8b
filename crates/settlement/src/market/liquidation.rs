//! Liquidation: slices of a whole account change hands at the mark, less a discount that grows until somebody takes them.

use quorate_margin::{Change, mul_div_floor, surplus};
use quorate_types::{AccountId, AssetId, RejectCode, Round};

use super::Market;
use super::journal::signed;
use super::margin::margin_code;
use super::shift::{Part, Payer};
use crate::applied::Event;
use crate::entity::{Account, Life, Status};
use crate::mutation::Mutation;
use crate::operation::NamedRound;

/// A part of everything behind an account's positions, and what it goes for.
struct Slice {
    /// Lots that the account gives, with their value at the mark.
    parts: Vec<Part>,
    /// Collateral that it gives, besides quote.
    collateral: Vec<(AssetId, u128)>,
    /// What that collateral is worth at the mark, in quote atoms.
    collateral_value: i128,
    /// What the account pays for it all to be taken, in quote atoms.
    penalty: i128,
}

impl Market {
    /// A liquidator takes a slice of an account: the same percentage of every position and of all collateral but the quote
    /// asset, at the mark less a discount. Only from an account with U < 0; only after a call ran out, or at once if the
    /// shortage is severe; and no more than brings the account back to initial margin.
    pub(super) fn liquidate(
        &mut self,
        liquidator: AccountId,
        id: AccountId,
        percent: u32,
        discount_bp: u32,
        rounds: &[NamedRound],
    ) -> Result<(), RejectCode> {
        if liquidator == id {
            return Err(RejectCode::SelfTrade);
        }
        self.require_thawed(liquidator)?;
        self.require_fresh(liquidator)?;
        let account = self.require_open(id)?;
        self.require_unsettled(account)?;
        self.require_rounds(account, rounds)?;
        let account = account.clone();
        let since = self.auction(id, &account)?;
        if discount_bp > self.discount(since) {
            return Err(RejectCode::AuctionPrice);
        }
        if percent == 0 || percent > 100 {
            return Err(RejectCode::PortionTooLarge);
        }
        let slice = self.slice(&account, percent, discount_bp)?;
        if slice.parts.is_empty() && slice.collateral.is_empty() {
            return Err(RejectCode::PortionTooLarge);
        }
        if percent > 1 && self.would_restore(&account, percent - 1, discount_bp)? {
            return Err(RejectCode::PortionTooLarge);
        }
        self.account_mut(id)?.status = Status::Liquidating { since };
        self.hand_over(id, liquidator, &slice)?;
        let after = self.escrow(liquidator)?.surplus();
        if after < 0 {
            return Err(RejectCode::LiquidatorMargin);
        }
        self.events.push(Event::Liquidated {
            account: id,
            penalty: slice.penalty.unsigned_abs(),
        });
        Ok(())
    }

    /// The round since which the account is auctioned, if it may be.
    fn auction(&mut self, id: AccountId, account: &Account) -> Result<Round, RejectCode> {
        let bound = self.upper_bound(id)?;
        if bound >= 0 && !self.broken(Mutation::LiquidateHealthy) {
            return Err(RejectCode::NotCallable);
        }
        let round = self.clock.round;
        match account.status {
            Status::Liquidating { since } => return Ok(since),
            Status::Called { deadline } if deadline <= round => return Ok(deadline),
            Status::Called { .. } | Status::Active | Status::Closed => {}
        }
        let required = self
            .equity(account)?
            .checked_sub(self.maintenance(account)?)
            .ok_or(RejectCode::Overflow)?;
        let severe_bp = i128::from(self.parameters.current.severe_bp);
        let severe = mul_div_floor(required.max(0), severe_bp, 10_000);
        if bound < -severe.ok_or(RejectCode::Overflow)? || self.broken(Mutation::LiquidateHealthy) {
            return Ok(round);
        }
        Err(RejectCode::GraceRunning)
    }

    /// What the auction grants now, in basis points.
    pub(super) fn discount(&self, since: Round) -> u32 {
        let parameters = &self.parameters.current;
        let rounds = self.clock.round.0.saturating_sub(since.0);
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        let grown = parameters.auction_step_bp.saturating_mul(rounds);
        let discount = parameters.auction_start_bp.saturating_add(grown);
        discount.min(parameters.auction_most_bp)
    }

    /// A slice of an account. Lots round away from zero, so that any slice takes something of every position. The penalty is
    /// at most the slice's part of the account's equity: nobody is driven below zero by it.
    fn slice(
        &self,
        account: &Account,
        percent: u32,
        discount_bp: u32,
    ) -> Result<Slice, RejectCode> {
        let mut slice = Slice {
            parts: Vec::with_capacity(account.positions.len()),
            collateral: Vec::new(),
            collateral_value: 0,
            penalty: 0,
        };
        let mut gross = 0_i128;
        for (id, position) in &account.positions {
            let size = i128::from(position.lots.unsigned_abs()) * i128::from(percent);
            let size = i64::try_from(-(-size).div_euclid(100)).map_err(|_| RejectCode::Overflow)?;
            let lots = size * position.lots.signum();
            let cash = self.marked(*id, lots)?;
            gross = gross.checked_add(cash.abs()).ok_or(RejectCode::Overflow)?;
            slice.parts.push(Part {
                instrument: *id,
                lots: -lots,
                cash,
            });
        }
        for (asset, amount) in &account.collateral {
            if *asset == self.facts.quote {
                continue;
            }
            let given =
                amount / 100 * u128::from(percent) + amount % 100 * u128::from(percent) / 100;
            let value = self.collateral_value(*asset, given)?;
            gross = gross.checked_add(value).ok_or(RejectCode::Overflow)?;
            slice.collateral_value += value;
            if given > 0 {
                slice.collateral.push((*asset, given));
            }
        }
        let discount = mul_div_floor(-gross, i128::from(discount_bp), 10_000);
        let discount = -discount.ok_or(RejectCode::Overflow)?;
        let equity = self.equity(account)?.max(0);
        let bearable = mul_div_floor(equity, i128::from(percent), 100);
        slice.penalty = discount.min(bearable.ok_or(RejectCode::Overflow)?);
        Ok(slice)
    }

    /// Whether the account would be back at initial margin without a slice.
    fn would_restore(
        &mut self,
        account: &Account,
        percent: u32,
        discount_bp: u32,
    ) -> Result<bool, RejectCode> {
        let slice = self.slice(account, percent, discount_bp)?;
        let mut cash = slice.collateral_value - slice.penalty;
        let mut legs = Vec::with_capacity(slice.parts.len());
        let mut portfolio = self.portfolio_of(account)?;
        for part in &slice.parts {
            let index = self.instruments[&part.instrument].funding_index();
            let index = i128::from(index.ok_or(RejectCode::Overflow)?);
            cash += part.cash + i128::from(part.lots) * index;
            legs.push((part.instrument, part.lots));
        }
        for (asset, given) in &slice.collateral {
            let before = account.collateral_of(*asset);
            let lots =
                self.margin_lots(*asset, before - given)? - self.margin_lots(*asset, before)?;
            legs.push((super::prices::collateral_row(*asset), lots));
        }
        // Changes have fewer legs than an account may have positions.
        for some in legs.chunks(quorate_margin::LEGS_MAX) {
            let change = Change::new(0, some).map_err(margin_code)?;
            portfolio.apply(&change).map_err(margin_code)?;
        }
        let change = Change::new(cash, &[]).map_err(margin_code)?;
        portfolio.apply(&change).map_err(margin_code)?;
        let initial = self.tables()?.initial;
        Ok(surplus(&initial, &portfolio).map_err(margin_code)? >= 0)
    }

    fn hand_over(
        &mut self,
        id: AccountId,
        liquidator: AccountId,
        slice: &Slice,
    ) -> Result<(), RejectCode> {
        let share_bp = i128::from(self.parameters.current.insurance_share_bp);
        let insured = mul_div_floor(slice.penalty, share_bp, 10_000);
        let insured = insured.ok_or(RejectCode::Overflow)?;
        for (asset, given) in &slice.collateral {
            self.move_collateral(id, liquidator, *asset, *given)?;
        }
        let value = slice.collateral_value;
        self.shift_all(id, &slice.parts, value - slice.penalty, Payer::Protocol)?;
        let taken: Vec<Part> = slice
            .parts
            .iter()
            .map(|part| Part {
                instrument: part.instrument,
                lots: -part.lots,
                cash: -part.cash,
            })
            .collect();
        self.shift_all(
            liquidator,
            &taken,
            slice.penalty - insured - value,
            Payer::Owner,
        )?;
        let quote = self.asset_mut(self.facts.quote)?;
        let insurance = quote.insurance.checked_add(insured.unsigned_abs());
        quote.insurance = insurance.ok_or(RejectCode::Overflow)?;
        Ok(())
    }

    /// Many parts at once, without a change for an escrow: it is computed anew.
    fn shift_all(
        &mut self,
        id: AccountId,
        parts: &[Part],
        cash: i128,
        payer: Payer,
    ) -> Result<(), RejectCode> {
        self.shift_without_change(id, parts, cash, payer)?;
        self.forget(id);
        Ok(())
    }

    fn move_collateral(
        &mut self,
        from: AccountId,
        to: AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), RejectCode> {
        let giver = self.account_mut(from)?;
        let rest = giver.collateral_of(asset).checked_sub(amount);
        giver.set_collateral(asset, rest.ok_or(RejectCode::InsufficientCollateral)?);
        let taker = self.account_mut(to)?;
        let more = taker.collateral_of(asset).checked_add(amount);
        taker.set_collateral(asset, more.ok_or(RejectCode::Overflow)?);
        Ok(())
    }

    /// That no position waits to be paid out: its holder is paid, not whoever takes it over.
    pub(super) fn require_unsettled(&self, account: &Account) -> Result<(), RejectCode> {
        let settled = |id| {
            let instrument = self.instruments.get(id);
            instrument.is_some_and(|instrument| matches!(instrument.life, Life::Settled { .. }))
        };
        if account.positions.keys().any(settled) {
            return Err(RejectCode::AlreadySettled);
        }
        Ok(())
    }

    /// The round since which an account is auctioned, if its call ran out.
    pub(super) fn auction_since(&self, account: &Account) -> Option<Round> {
        match account.status {
            Status::Liquidating { since } => Some(since),
            Status::Called { deadline } if deadline <= self.clock.round => Some(deadline),
            Status::Called { .. } | Status::Active | Status::Closed => None,
        }
    }

    /// The insurance fund's quote atoms.
    pub(super) fn insurance(&self) -> i128 {
        let quote = self.assets.get(&self.facts.quote);
        quote.map_or(0, |quote| signed(quote.insurance))
    }
}
