//! The state as entries, and back: what a state tree authenticates and a validator that joins receives.

use std::collections::BTreeSet;

use quorate_types::{AccountId, Blake3, CodecError, Decode, DomainTag, Encode, Hash32};

use super::journal::reindex;
use super::{Facts, Market, Slot, Timer};
use crate::entity::{Account, Clock, EntryKey, Life, ParameterState};
use crate::error::MarketError;

impl Market {
    /// All entries, ascending by key, each with its canonical encoding.
    pub fn entries(&self) -> impl Iterator<Item = (EntryKey, Vec<u8>)> {
        let single = [
            (EntryKey::Clock, self.clock.to_bytes()),
            (EntryKey::Parameters, self.parameters.to_bytes()),
        ];
        let assets = self.assets.iter();
        let feeds = self.feeds.iter();
        let instruments = self.instruments.iter();
        let accounts = self.accounts.iter();
        let sources = self.sources.iter();
        single
            .into_iter()
            .chain(assets.map(|(id, asset)| (EntryKey::Asset(*id), asset.to_bytes())))
            .chain(feeds.map(|(id, feed)| (EntryKey::Feed(*id), feed.to_bytes())))
            .chain(instruments.map(|(id, of)| (EntryKey::Instrument(*id), of.to_bytes())))
            .chain(accounts.map(|(id, slot)| (EntryKey::Account(*id), slot.account.to_bytes())))
            .chain(sources.map(|(id, next)| (EntryKey::Source(*id), next.to_bytes())))
            .chain(self.entries_of_names())
    }

    /// Entries under hashes.
    fn entries_of_names(&self) -> impl Iterator<Item = (EntryKey, Vec<u8>)> {
        let orders = self.orders.iter();
        let budgets = self.budgets.iter();
        let doubts = self.doubts.iter();
        let decisions = self.decisions.iter();
        orders
            .map(|(id, fill)| (EntryKey::Order(*id), fill.to_bytes()))
            .chain(budgets.map(|(key, budget)| (EntryKey::Budget(*key), budget.to_bytes())))
            .chain(doubts.map(|(id, doubt)| (EntryKey::Doubt(*id), doubt.to_bytes())))
            .chain(decisions.map(|(id, of)| (EntryKey::Decision(*id), of.to_bytes())))
    }

    /// An entry's canonical encoding.
    #[must_use]
    pub fn entry(&self, key: &EntryKey) -> Option<Vec<u8>> {
        match key {
            EntryKey::Clock => Some(self.clock.to_bytes()),
            EntryKey::Parameters => Some(self.parameters.to_bytes()),
            EntryKey::Asset(id) => self.assets.get(id).map(Encode::to_bytes),
            EntryKey::Feed(id) => self.feeds.get(id).map(Encode::to_bytes),
            EntryKey::Instrument(id) => self.instruments.get(id).map(Encode::to_bytes),
            EntryKey::Account(id) => self.account(id).map(Encode::to_bytes),
            EntryKey::Source(source) => self.sources.get(source).map(Encode::to_bytes),
            EntryKey::Order(id) => self.orders.get(id).map(Encode::to_bytes),
            EntryKey::Budget(key) => self.budgets.get(key).map(Encode::to_bytes),
            EntryKey::Doubt(id) => self.doubts.get(id).map(Encode::to_bytes),
            EntryKey::Decision(id) => self.decisions.get(id).map(Encode::to_bytes),
        }
    }

    /// Entries written since this was last called, ascending by key; `None` for those that are gone. Some may be as they
    /// were before.
    pub fn take_changes(&mut self) -> Vec<(EntryKey, Option<Vec<u8>>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty
            .into_iter()
            .map(|key| (key, self.entry(&key)))
            .collect()
    }

    /// A digest of the whole state, in time proportional to it: two markets with the same digest are the same.
    #[must_use]
    pub fn digest(&self) -> Hash32 {
        let mut hash = Blake3::new(DomainTag::MarketRoot);
        for (key, value) in self.entries() {
            let length = u32::try_from(value.len()).expect("entries are bounded");
            hash.update(key.to_bytes());
            hash.update(length.to_le_bytes());
            hash.update(value);
        }
        Hash32(hash.finish())
    }

    /// The market whose entries these are, in any order. What is derived is computed anew, and all invariants are checked.
    ///
    /// # Errors
    /// Anything but the entries of a market with these facts.
    pub fn restore(
        facts: Facts,
        entries: impl IntoIterator<Item = (EntryKey, Vec<u8>)>,
    ) -> Result<Self, MarketError> {
        let parameters = ParameterState {
            current: crate::entity::Parameters::default(),
            next: None,
        };
        let mut market = Self::bare(
            facts,
            parameters,
            std::collections::BTreeMap::new(),
            std::collections::BTreeMap::new(),
        );
        let mut seen = BTreeSet::new();
        for (key, bytes) in entries {
            if !seen.insert(key) {
                return Err(MarketError::Duplicate(key));
            }
            let put = market.put_entry(key, &bytes);
            put.map_err(|error| MarketError::Entry { key, error })?;
        }
        for key in [EntryKey::Clock, EntryKey::Parameters] {
            if !seen.contains(&key) {
                return Err(MarketError::Missing(key));
            }
        }
        market.check_settings()?;
        market.check_names()?;
        market.derive()?;
        market.check()?;
        Ok(market)
    }

    fn put_entry(&mut self, key: EntryKey, bytes: &[u8]) -> Result<(), CodecError> {
        match key {
            EntryKey::Clock => self.clock = Clock::from_bytes(bytes)?,
            EntryKey::Parameters => self.parameters = ParameterState::from_bytes(bytes)?,
            EntryKey::Asset(id) => {
                self.assets.insert(id, Decode::from_bytes(bytes)?);
            }
            EntryKey::Feed(id) => {
                self.feeds.insert(id, Decode::from_bytes(bytes)?);
            }
            EntryKey::Instrument(id) => {
                self.instruments.insert(id, Decode::from_bytes(bytes)?);
            }
            EntryKey::Account(id) => {
                let account = Account::from_bytes(bytes)?;
                let cache = None;
                self.accounts.insert(id, Slot { account, cache });
            }
            EntryKey::Source(source) => {
                self.sources.insert(source, Decode::from_bytes(bytes)?);
            }
            EntryKey::Order(id) => {
                self.put_order(id, Some(Decode::from_bytes(bytes)?));
            }
            EntryKey::Budget(key) => {
                self.put_budget(key, Some(Decode::from_bytes(bytes)?));
            }
            EntryKey::Doubt(id) => {
                self.put_doubt(id, Some(Decode::from_bytes(bytes)?));
            }
            EntryKey::Decision(id) => {
                self.decisions.insert(id, Decode::from_bytes(bytes)?);
            }
        }
        Ok(())
    }

    /// That whatever is named is there.
    fn check_names(&self) -> Result<(), MarketError> {
        for (id, instrument) in &self.instruments {
            if !self.feeds.contains_key(&instrument.feed) {
                return Err(MarketError::Misplaced(EntryKey::Instrument(*id)));
            }
        }
        for (id, slot) in &self.accounts {
            let account = &slot.account;
            let mut assets = account.free.keys().chain(account.collateral.keys());
            let assets = assets.all(|asset| self.assets.contains_key(asset));
            let collateral = account.collateral.keys().all(|asset| {
                let facts = self.assets.get(asset);
                let counts = facts.is_some_and(|facts| facts.collateral.is_some());
                counts || *asset == self.facts.quote
            });
            let live = |id| {
                let instrument = self.instruments.get(id);
                instrument.is_some_and(|instrument| instrument.life != Life::Purged)
            };
            let positions = account.positions.keys().all(live);
            if account.id() != *id || !assets || !positions || !collateral {
                return Err(MarketError::Misplaced(EntryKey::Account(*id)));
            }
        }
        let is_account = |id: &AccountId| self.accounts.contains_key(id);
        for key in self.budgets.keys() {
            let named = is_account(&key.account) && is_account(&key.venue);
            if !named || !self.feeds.contains_key(&key.feed) {
                return Err(MarketError::Misplaced(EntryKey::Budget(*key)));
            }
        }
        for (cross, doubt) in &self.doubts {
            if !is_account(&doubt.account) || self.decisions.contains_key(cross) {
                return Err(MarketError::Misplaced(EntryKey::Doubt(*cross)));
            }
        }
        Ok(())
    }

    /// Computes what follows from the entries.
    fn derive(&mut self) -> Result<(), MarketError> {
        for (id, slot) in &self.accounts {
            reindex(&mut self.holders, *id, None, Some(&slot.account));
        }
        let feeds: Vec<_> = self.feeds.keys().copied().collect();
        for id in feeds {
            let feed = &self.feeds[&id];
            let Some(last) = &feed.last else {
                continue;
            };
            let misplaced = MarketError::Misplaced(EntryKey::Feed(id));
            let prices = self.price_feed(id, feed, last).map_err(|_| misplaced)?;
            let is_held = |instrument| self.instruments[&instrument].open_interest > 0;
            if let Some((instrument, error)) = prices.first_unpriced(is_held) {
                return Err(MarketError::Price { instrument, error });
            }
            self.set_prices(prices);
        }
        Ok(())
    }

    /// What is forgotten after which round, from scratch.
    pub(super) fn timers_from_scratch(&self) -> BTreeSet<(quorate_types::Round, Timer)> {
        let orders = self.orders.iter();
        let orders = orders.map(|(id, fill)| (fill.expires, Timer::Order(*id)));
        let budgets = self.budgets.iter();
        let budgets = budgets.filter_map(|(key, of)| Some((of.ends?, Timer::Budget(*key))));
        orders.chain(budgets).collect()
    }
}
