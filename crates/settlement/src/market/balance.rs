//! Value in, out, and between an account's two buckets.

use quorate_types::{AccountId, AssetId, Hash32, RejectCode, Signature};

use super::Market;
use super::shift::difference;
use crate::applied::Event;
use crate::authentic::Authenticator;
use crate::entity::Account;
use crate::limits::SUPPLY_MAX;
use crate::mutation::Mutation;
use crate::operation::DepositStatement;

impl Market {
    /// Credits a deposit, each number of a source once and in order. The bridge certifies nothing that cannot be credited:
    /// no asset that is unknown, and no more of one than may be in a market.
    pub(super) fn deposit(
        &mut self,
        statement: &DepositStatement,
        signature: &Signature,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        if statement.chain != self.facts.chain {
            return Err(RejectCode::WrongChain);
        }
        if statement.shard != self.facts.shard {
            return Err(RejectCode::WrongShard);
        }
        let bytes = statement.signing_bytes();
        if !authenticator.is_certified(&self.facts.bridge, &bytes, signature) {
            return Err(RejectCode::BadSignature);
        }
        let next = self.sources.get(&statement.source).copied().unwrap_or(0);
        if statement.number < next && !self.broken(Mutation::DepositTwice) {
            return Err(RejectCode::CrossReplay);
        }
        if statement.number > next {
            return Err(RejectCode::DependencyMissing);
        }
        let asset = self
            .assets
            .get(&statement.asset)
            .ok_or(RejectCode::NoAsset)?;
        let deposited = asset.deposited.checked_add(statement.amount);
        let within = |total: &u128| *total < SUPPLY_MAX;
        let deposited = deposited.filter(within).ok_or(RejectCode::Overflow)?;
        let after = statement
            .number
            .checked_add(1)
            .ok_or(RejectCode::Overflow)?;
        self.set_source(statement.source, after.max(next));
        self.asset_mut(statement.asset)?.deposited = deposited;
        // Numbers come without gaps, so whatever can be credited must be: also to accounts that are not there yet, or are
        // closed or in debt.
        let account = Account::new(statement.owner, statement.sub);
        let id = account.id();
        if !self.accounts.contains_key(&id) {
            self.insert_account(id, account);
        }
        self.credit_free(id, statement.asset, statement.amount)
    }

    /// From free to collateral. Debt is paid first.
    pub(super) fn post(
        &mut self,
        id: AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), RejectCode> {
        let facts = self.assets.get(&asset).ok_or(RejectCode::NoAsset)?;
        let is_quote = asset == self.facts.quote;
        if facts.collateral.is_none() && !is_quote {
            return Err(RejectCode::NoAsset);
        }
        if !is_quote {
            // Its worth must be known, or the account would have no margin at all.
            self.collateral_mark(asset)?;
        }
        let account = self.require_open(id)?;
        let before = self.portfolio_of(account)?;
        self.debit_free(id, asset, amount)?;
        if is_quote {
            let cash = i128::try_from(amount).map_err(|_| RejectCode::Overflow)?;
            self.pay(id, cash, super::shift::Payer::Protocol)?;
        } else {
            let account = self.account_mut(id)?;
            let posted = account.collateral_of(asset).checked_add(amount);
            account.set_collateral(asset, posted.ok_or(RejectCode::Overflow)?);
        }
        self.carry_difference(id, &before)
    }

    /// From collateral to free, if R stays at 0 or above.
    pub(super) fn release(
        &mut self,
        id: AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), RejectCode> {
        if !self.assets.contains_key(&asset) {
            return Err(RejectCode::NoAsset);
        }
        let account = self.require_thawed(id)?;
        let portfolio = self.portfolio_of(account)?;
        self.require_fresh(id)?;
        let rest = account.collateral_of(asset).checked_sub(amount);
        let rest = rest.ok_or(RejectCode::InsufficientCollateral)?;
        let reserved = self.reserved(id).unsigned_abs();
        if asset == self.facts.quote && rest < reserved && !self.broken(Mutation::ReleaseInDoubt) {
            return Err(RejectCode::InsufficientCollateral);
        }
        let before = self.before(id)?;
        self.account_mut(id)?.set_collateral(asset, rest);
        self.credit_free(id, asset, amount)?;
        self.carry_difference(id, &portfolio)?;
        if self.broken(Mutation::ReleaseInDoubt) {
            let account = self.account(&id).ok_or(RejectCode::NoAccount)?.clone();
            let alone = self.initial(&account)?;
            return if alone >= 0 {
                Ok(())
            } else {
                Err(RejectCode::InitialMargin)
            };
        }
        self.judge(id, &before)
    }

    /// From free to outside. What was credited to a closed account can still leave it.
    pub(super) fn withdraw(
        &mut self,
        id: AccountId,
        asset: AssetId,
        amount: u128,
        destination: Hash32,
    ) -> Result<(), RejectCode> {
        if !self.assets.contains_key(&asset) {
            return Err(RejectCode::NoAsset);
        }
        self.debit_free(id, asset, amount)?;
        let facts = self.asset_mut(asset)?;
        let withdrawn = facts.withdrawn.checked_add(amount);
        facts.withdrawn = withdrawn.ok_or(RejectCode::Overflow)?;
        let number = self.clock.outbox_next;
        let next = number.checked_add(1).ok_or(RejectCode::Overflow)?;
        self.clock_mut().outbox_next = next;
        self.events.push(Event::Withdrawn {
            number,
            account: id,
            asset,
            amount,
            destination,
        });
        Ok(())
    }

    fn credit_free(
        &mut self,
        id: AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), RejectCode> {
        let account = self.account_mut(id)?;
        let free = account.free_of(asset).checked_add(amount);
        account.set_free(asset, free.ok_or(RejectCode::Overflow)?);
        Ok(())
    }

    fn debit_free(
        &mut self,
        id: AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), RejectCode> {
        let account = self.account_mut(id)?;
        let free = account.free_of(asset).checked_sub(amount);
        account.set_free(asset, free.ok_or(RejectCode::InsufficientFree)?);
        Ok(())
    }

    /// Carries what changed in an account since `before` over into its escrow.
    fn carry_difference(
        &mut self,
        id: AccountId,
        before: &quorate_margin::Portfolio,
    ) -> Result<(), RejectCode> {
        let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
        let after = self.portfolio_of(account)?;
        self.carry(id, &difference(before, &after)?)
    }
}
