//! Settlement prices and payoffs.

use quorate_margin::{SCALE, check_price, floor_atoms};
use quorate_types::{AccountId, InstrumentId, RejectCode, Signature};

use super::Market;
use super::shift::{Part, Payer};
use crate::applied::Event;
use crate::authentic::Authenticator;
use crate::entity::Life;
use crate::limits::PAGE_MAX;
use crate::mutation::Mutation;
use crate::operation::SettlementStatement;

impl Market {
    /// Records the price of an expiry for all instruments of a feed, once.
    pub(super) fn settle_price(
        &mut self,
        statement: &SettlementStatement,
        signature: &Signature,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        if statement.chain != self.facts.chain {
            return Err(RejectCode::WrongChain);
        }
        let feed = self.feeds.get(&statement.feed);
        let key = feed.ok_or(RejectCode::NoInstrument)?.key;
        if !authenticator.is_certified(&key, &statement.signing_bytes(), signature) {
            return Err(RejectCode::BadSignature);
        }
        if self.clock.now_ms < statement.expiry_ms {
            return Err(RejectCode::NotSettled);
        }
        check_price(statement.price).map_err(|_| RejectCode::Overflow)?;
        let of_expiry: Vec<(InstrumentId, Life)> = self
            .instruments
            .iter()
            .filter(|(_, instrument)| {
                instrument.feed == statement.feed
                    && instrument.contract.terms().expiry_ms() == Some(statement.expiry_ms)
            })
            .map(|(id, instrument)| (*id, instrument.life))
            .collect();
        if of_expiry.is_empty() {
            return Err(RejectCode::NoInstrument);
        }
        let waiting: Vec<InstrumentId> = of_expiry
            .into_iter()
            .filter(|(_, life)| *life == Life::Expired)
            .map(|(id, _)| id)
            .collect();
        if waiting.is_empty() {
            return Err(RejectCode::SettlePriceExists);
        }
        let price = statement.price;
        for id in waiting {
            self.instrument_mut(id)?.life = Life::Settled { price };
        }
        self.prices_changed();
        Ok(())
    }

    /// Pays positions out, a page of accounts at a time, in order of their ids. Each is paid the floor of its payoff; what
    /// is left over goes to dust, exactly.
    pub(super) fn expire_page(
        &mut self,
        id: InstrumentId,
        accounts: u32,
    ) -> Result<(), RejectCode> {
        let instrument = self.instruments.get(&id).ok_or(RejectCode::NoInstrument)?;
        let price = match instrument.life {
            Life::Settled { price } => price,
            Life::Purged => return Err(RejectCode::AlreadySettled),
            Life::Listed | Life::Trading | Life::Expired => return Err(RejectCode::NotSettled),
        };
        if accounts == 0 || accounts > PAGE_MAX {
            return Err(RejectCode::BadEncoding);
        }
        let most = usize::try_from(accounts).map_err(|_| RejectCode::Overflow)?;
        let first = (id, AccountId([0; 32]));
        let holders = self.holders.range(first..);
        let holders = holders.take_while(|(held, _)| *held == id);
        let page: Vec<AccountId> = holders
            .take(most + 1)
            .map(|(_, account)| *account)
            .collect();
        for account in page.iter().take(most) {
            self.pay_out(*account, id, price)?;
        }
        if page.len() <= most {
            self.instrument_mut(id)?.life = Life::Purged;
            self.prices_changed();
            self.events.push(Event::Purged { instrument: id });
        }
        Ok(())
    }

    fn pay_out(
        &mut self,
        account: AccountId,
        id: InstrumentId,
        price: i64,
    ) -> Result<(), RejectCode> {
        let lots = self
            .account(&account)
            .map_or(0, |account| account.lots_of(id));
        let contract = self.instruments[&id].contract;
        let exact = contract.payoff_numerator(price, lots);
        let exact = exact.map_err(|_| RejectCode::Overflow)?;
        let payoff = floor_atoms(exact);
        let mut cash = payoff;
        if self.broken(Mutation::LossForgotten) {
            let quote = self.facts.quote;
            let have = self
                .account(&account)
                .map_or(0, |account| account.collateral_of(quote));
            cash = cash.max(-super::journal::signed(have));
        }
        let part = Part {
            instrument: id,
            lots: if self.broken(Mutation::PayoffTwice) {
                0
            } else {
                -lots
            },
            cash,
        };
        self.shift(account, &[part], 0, Payer::Protocol)?;
        self.forget(account);
        let instrument = self.instrument_mut(id)?;
        let pool = instrument.pool.checked_sub(exact);
        instrument.pool = pool.ok_or(RejectCode::Overflow)?;
        let quote = self.asset_mut(self.facts.quote)?;
        let dust = quote.dust.checked_add(exact - payoff * SCALE);
        quote.dust = dust.ok_or(RejectCode::Overflow)?;
        self.events.push(Event::PaidOut {
            account,
            instrument: id,
            payoff,
        });
        Ok(())
    }
}
