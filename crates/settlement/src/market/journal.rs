//! What an operation changed: to be taken back if it is rejected, and to be reported if not.

use std::collections::BTreeSet;

use quorate_types::{AccountId, AssetId, FeedId, Hash32, InstrumentId, RejectCode};

use super::{Market, Slot, Timer};
use crate::applied::{Applied, BalanceDelta, Bucket};
use crate::entity::{
    Account, Asset, Budget, BudgetKey, Clock, Decision, Doubt, EntryKey, Feed, Instrument,
    OrderFill, ParameterState,
};

/// An entry as it was before the operation under way.
#[derive(Clone, Debug)]
pub(super) enum Undo {
    Clock(Clock),
    Parameters(ParameterState),
    Asset(AssetId, Box<Asset>),
    Feed(FeedId, Box<Feed>),
    Instrument(InstrumentId, Option<Box<Instrument>>),
    Account(AccountId, Option<Box<Account>>),
    Source(u32, Option<u64>),
    Order(Hash32, Option<OrderFill>),
    Budget(BudgetKey, Option<Box<Budget>>),
    Doubt(Hash32, Option<Box<Doubt>>),
    Decision(Hash32, Option<Decision>),
}

impl Undo {
    fn key(&self) -> EntryKey {
        match self {
            Self::Clock(_) => EntryKey::Clock,
            Self::Parameters(_) => EntryKey::Parameters,
            Self::Asset(id, _) => EntryKey::Asset(*id),
            Self::Feed(id, _) => EntryKey::Feed(*id),
            Self::Instrument(id, _) => EntryKey::Instrument(*id),
            Self::Account(id, _) => EntryKey::Account(*id),
            Self::Source(source, _) => EntryKey::Source(*source),
            Self::Order(id, _) => EntryKey::Order(*id),
            Self::Budget(key, _) => EntryKey::Budget(*key),
            Self::Doubt(id, _) => EntryKey::Doubt(*id),
            Self::Decision(id, _) => EntryKey::Decision(*id),
        }
    }
}

impl Market {
    /// The account, to be changed.
    pub(super) fn account_mut(&mut self, id: AccountId) -> Result<&mut Account, RejectCode> {
        let slot = self.accounts.get_mut(&id).ok_or(RejectCode::NoAccount)?;
        if !is_saved(&self.journal, &EntryKey::Account(id)) {
            let before = Some(Box::new(slot.account.clone()));
            self.journal.push(Undo::Account(id, before));
        }
        Ok(&mut slot.account)
    }

    pub(super) fn insert_account(&mut self, id: AccountId, account: Account) {
        self.journal.push(Undo::Account(id, None));
        let cache = None;
        self.accounts.insert(id, Slot { account, cache });
    }

    /// The asset, to be changed.
    pub(super) fn asset_mut(&mut self, id: AssetId) -> Result<&mut Asset, RejectCode> {
        let asset = self.assets.get_mut(&id).ok_or(RejectCode::NoAsset)?;
        if !is_saved(&self.journal, &EntryKey::Asset(id)) {
            self.journal.push(Undo::Asset(id, Box::new(asset.clone())));
        }
        Ok(asset)
    }

    /// The feed, to be changed.
    pub(super) fn feed_mut(&mut self, id: FeedId) -> Result<&mut Feed, RejectCode> {
        let feed = self.feeds.get_mut(&id).ok_or(RejectCode::NoInstrument)?;
        if !is_saved(&self.journal, &EntryKey::Feed(id)) {
            self.journal.push(Undo::Feed(id, Box::new(feed.clone())));
        }
        Ok(feed)
    }

    /// The instrument, to be changed.
    pub(super) fn instrument_mut(
        &mut self,
        id: InstrumentId,
    ) -> Result<&mut Instrument, RejectCode> {
        let found = self.instruments.get_mut(&id);
        let instrument = found.ok_or(RejectCode::NoInstrument)?;
        if !is_saved(&self.journal, &EntryKey::Instrument(id)) {
            let before = Some(Box::new(instrument.clone()));
            self.journal.push(Undo::Instrument(id, before));
        }
        Ok(instrument)
    }

    pub(super) fn insert_instrument(&mut self, id: InstrumentId, instrument: Instrument) {
        self.journal.push(Undo::Instrument(id, None));
        self.instruments.insert(id, instrument);
    }

    pub(super) fn clock_mut(&mut self) -> &mut Clock {
        self.journal.push(Undo::Clock(self.clock));
        &mut self.clock
    }

    pub(super) fn set_next_parameters(&mut self, state: ParameterState) {
        self.journal.push(Undo::Parameters(self.parameters));
        self.parameters = state;
    }

    pub(super) fn set_source(&mut self, source: u32, next: u64) {
        let before = self.sources.insert(source, next);
        self.journal.push(Undo::Source(source, before));
    }

    pub(super) fn set_order(&mut self, id: Hash32, fill: Option<OrderFill>) {
        let before = self.put_order(id, fill);
        self.journal.push(Undo::Order(id, before));
    }

    pub(super) fn set_budget(&mut self, key: BudgetKey, budget: Option<Budget>) {
        let before = self.put_budget(key, budget).map(Box::new);
        self.journal.push(Undo::Budget(key, before));
    }

    pub(super) fn set_doubt(&mut self, cross: Hash32, doubt: Option<Doubt>) {
        let before = self.put_doubt(cross, doubt).map(Box::new);
        self.journal.push(Undo::Doubt(cross, before));
    }

    pub(super) fn set_decision(&mut self, cross: Hash32, decision: Decision) {
        let before = self.decisions.insert(cross, decision);
        self.journal.push(Undo::Decision(cross, before));
    }

    /// Accounts that the operation under way has changed.
    pub(super) fn touched(&self) -> Vec<AccountId> {
        let accounts = self.journal.iter().filter_map(|undo| match undo {
            Undo::Account(id, _) => Some(*id),
            _ => None,
        });
        accounts.collect()
    }

    /// An instrument's open interest before the operation under way, in lots.
    pub(super) fn open_interest_before(&self, id: InstrumentId) -> u64 {
        let saved = self.journal.iter().find_map(|undo| match undo {
            Undo::Instrument(of, Some(before)) if *of == id => Some(before.open_interest),
            _ => None,
        });
        saved.unwrap_or_else(|| self.instruments.get(&id).map_or(0, |now| now.open_interest))
    }

    /// Keeps what the operation did, and says what that was.
    pub(super) fn keep(&mut self) -> Applied {
        let journal = std::mem::take(&mut self.journal);
        let mut deltas = Vec::new();
        for undo in &journal {
            self.dirty.insert(undo.key());
            if let Undo::Account(id, before) = undo {
                let now = &self.accounts[id].account;
                add_deltas(*id, before.as_deref(), now, &mut deltas);
                let before = before.as_deref();
                reindex(&mut self.holders, *id, before, Some(now));
            }
        }
        deltas.sort_unstable_by_key(|delta| (delta.account, delta.asset, delta.bucket));
        Applied {
            deltas,
            events: std::mem::take(&mut self.events),
        }
    }

    /// Takes back what the operation did.
    pub(super) fn take_back(&mut self) {
        self.events.clear();
        for undo in std::mem::take(&mut self.journal).into_iter().rev() {
            match undo {
                Undo::Clock(clock) => self.clock = clock,
                Undo::Parameters(state) => self.parameters = state,
                Undo::Asset(id, asset) => {
                    self.assets.insert(id, *asset);
                }
                Undo::Feed(id, feed) => {
                    self.feeds.insert(id, *feed);
                }
                Undo::Instrument(id, instrument) => {
                    restore(&mut self.instruments, id, instrument.map(|boxed| *boxed));
                }
                Undo::Account(id, account) => {
                    let cache = None;
                    let slot = account.map(|account| Slot {
                        account: *account,
                        cache,
                    });
                    restore(&mut self.accounts, id, slot);
                }
                Undo::Source(source, next) => restore(&mut self.sources, source, next),
                Undo::Order(id, fill) => {
                    self.put_order(id, fill);
                }
                Undo::Budget(key, budget) => {
                    self.forget(key.account);
                    self.put_budget(key, budget.map(|boxed| *boxed));
                }
                Undo::Doubt(id, doubt) => {
                    let doubt = doubt.map(|boxed| *boxed);
                    let whose = doubt.as_ref().or(self.doubts.get(&id));
                    if let Some(account) = whose.map(|doubt| doubt.account) {
                        self.forget(account);
                    }
                    self.put_doubt(id, doubt);
                }
                Undo::Decision(id, decision) => restore(&mut self.decisions, id, decision),
            }
        }
    }

    /// Puts an order's fill and its timer, and gives what was there.
    pub(super) fn put_order(&mut self, id: Hash32, fill: Option<OrderFill>) -> Option<OrderFill> {
        let before = match fill {
            Some(fill) => {
                self.timers.insert((fill.expires, Timer::Order(id)));
                self.orders.insert(id, fill)
            }
            None => self.orders.remove(&id),
        };
        if let Some(before) = before
            && fill.is_none()
        {
            self.timers.remove(&(before.expires, Timer::Order(id)));
        }
        before
    }

    pub(super) fn put_budget(&mut self, key: BudgetKey, budget: Option<Budget>) -> Option<Budget> {
        let timer = |budget: &Budget| budget.ends.map(|round| (round, Timer::Budget(key)));
        let due = budget.as_ref().and_then(timer);
        let before = match budget {
            Some(budget) => self.budgets.insert(key, budget),
            None => self.budgets.remove(&key),
        };
        if let Some(old) = before.as_ref().and_then(timer) {
            self.timers.remove(&old);
        }
        self.timers.extend(due);
        before
    }

    pub(super) fn put_doubt(&mut self, cross: Hash32, doubt: Option<Doubt>) -> Option<Doubt> {
        let whose = doubt.as_ref().map(|doubt| doubt.account);
        let before = match doubt {
            Some(doubt) => self.doubts.insert(cross, doubt),
            None => self.doubts.remove(&cross),
        };
        if let Some(before) = &before {
            self.doubts_of.remove(&(before.account, cross));
        }
        if let Some(account) = whose {
            self.doubts_of.insert((account, cross));
        }
        before
    }
}

fn is_saved(journal: &[Undo], key: &EntryKey) -> bool {
    journal.iter().any(|undo| undo.key() == *key)
}

fn restore<K: Ord, V>(map: &mut std::collections::BTreeMap<K, V>, key: K, before: Option<V>) {
    match before {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}

/// Brings the index of holders up to date with an account's positions.
pub(super) fn reindex(
    holders: &mut BTreeSet<(InstrumentId, AccountId)>,
    id: AccountId,
    before: Option<&Account>,
    now: Option<&Account>,
) {
    let held = |account: Option<&Account>, instrument: &InstrumentId| {
        account.is_some_and(|account| account.positions.contains_key(instrument))
    };
    let old = before
        .into_iter()
        .flat_map(|account| account.positions.keys());
    for instrument in old.filter(|instrument| !held(now, instrument)) {
        holders.remove(&(*instrument, id));
    }
    let new = now.into_iter().flat_map(|account| account.positions.keys());
    for instrument in new.filter(|instrument| !held(before, instrument)) {
        holders.insert((*instrument, id));
    }
}

fn add_deltas(
    id: AccountId,
    before: Option<&Account>,
    now: &Account,
    deltas: &mut Vec<BalanceDelta>,
) {
    for bucket in [Bucket::Free, Bucket::Collateral] {
        let same = before.is_some_and(|before| match bucket {
            Bucket::Free => before.free == now.free,
            Bucket::Collateral => before.collateral == now.collateral,
        });
        if same {
            continue;
        }
        let of = |account: &Account, asset| match bucket {
            Bucket::Free => account.free_of(asset),
            Bucket::Collateral => account.collateral_of(asset),
        };
        let assets = |account: &Account| match bucket {
            Bucket::Free => account.free.keys().copied().collect::<Vec<_>>(),
            Bucket::Collateral => account.collateral.keys().copied().collect(),
        };
        let mut all = assets(now);
        all.extend(before.map(assets).unwrap_or_default());
        all.sort_unstable();
        all.dedup();
        for asset in all {
            let before = before.map_or(0, |account| of(account, asset));
            // Both are below the limit of supplies.
            let change = signed(of(now, asset)) - signed(before);
            if change != 0 {
                deltas.push(BalanceDelta {
                    account: id,
                    asset,
                    bucket,
                    change,
                });
            }
        }
    }
}

/// An amount as a number that can be negative. Amounts are below the limit of supplies.
pub(super) fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX)
}
