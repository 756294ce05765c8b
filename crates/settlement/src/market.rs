//! The market: state, what is derived from it, and the application of operations one after another.

mod absorb;
mod authority;
mod balance;
mod calls;
mod check;
mod cross;
mod entries;
mod expiry;
mod funding;
mod governance;
mod journal;
mod lines;
mod liquidation;
mod margin;
mod oracle;
mod prices;
mod shift;
mod standing;
mod trade;
mod venue;
mod worth;

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{
    AccountId, AssetId, ChainId, FeedId, Hash32, InstrumentId, RejectCode, Round, ShardId,
    ThresholdKey,
};

use crate::applied::{Applied, Context, Event};
use crate::authentic::{Authenticator, Certified, Cryptography};
use crate::entity::{
    Account, Asset, Budget, BudgetKey, Clock, Decision, Doubt, EntryKey, Feed, Instrument, Life,
    OrderFill, ParameterState, Parameters,
};
use crate::error::MarketError;
use crate::limits::{BUDGETS_MAX, FORGET_MAX};
use crate::mutation::Mutation;
use crate::operation::{Body, PeerReceipt, SignedOperation};

pub(crate) use margin::Cache;
use prices::Prices;
pub use standing::Standing;

/// What a market's genesis fixes for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The chain.
    pub chain: ChainId,
    /// The shard.
    pub shard: ShardId,
    /// The asset with six decimals that prices, premiums and debts count in.
    pub quote: AssetId,
    /// Group key of the bridge, which certifies deposits.
    pub bridge: ThresholdKey,
    /// Group key of governance, which sets parameters and lists instruments.
    pub governance: ThresholdKey,
}

/// One settlement shard's state machine. Single writer.
#[derive(Clone, Debug)]
pub struct Market {
    facts: Facts,
    clock: Clock,
    parameters: ParameterState,
    assets: BTreeMap<AssetId, Asset>,
    feeds: BTreeMap<FeedId, Feed>,
    instruments: BTreeMap<InstrumentId, Instrument>,
    accounts: BTreeMap<AccountId, Slot>,
    sources: BTreeMap<u32, u64>,
    orders: BTreeMap<Hash32, OrderFill>,
    budgets: BTreeMap<BudgetKey, Budget>,
    doubts: BTreeMap<Hash32, Doubt>,
    decisions: BTreeMap<Hash32, Decision>,
    /// Derived from the rest, like all below: risk arrays, marks and tables.
    prices: Prices,
    /// Who holds what.
    holders: BTreeSet<(InstrumentId, AccountId)>,
    /// What is forgotten after a round.
    timers: BTreeSet<(Round, Timer)>,
    /// Whose doubts are whose.
    doubts_of: BTreeSet<(AccountId, Hash32)>,
    /// What to restore if the operation under way is rejected.
    journal: Vec<journal::Undo>,
    /// Entries that changed since they were last taken.
    dirty: BTreeSet<EntryKey>,
    events: Vec<Event>,
    mutation: Option<Mutation>,
}

/// An account and, if it was asked for, its margin.
#[derive(Clone, Debug)]
struct Slot {
    account: Account,
    cache: Option<Cache>,
}

/// What a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The fill of an order that has expired.
    Order(Hash32),
    /// A line of credit that was revoked.
    Budget(BudgetKey),
}

impl Market {
    /// A market without accounts and instruments.
    ///
    /// # Errors
    /// [`MarketError`], for settings that do not work together.
    pub fn new(
        facts: Facts,
        parameters: Parameters,
        assets: BTreeMap<AssetId, Asset>,
        feeds: BTreeMap<FeedId, Feed>,
    ) -> Result<Self, MarketError> {
        let parameters = ParameterState {
            current: parameters,
            next: None,
        };
        let mut market = Self::bare(facts, parameters, assets, feeds);
        market.check_settings()?;
        let assets = market.assets.keys().copied().map(EntryKey::Asset);
        let feeds = market.feeds.keys().copied().map(EntryKey::Feed);
        let keys: Vec<EntryKey> = assets.chain(feeds).collect();
        market.dirty.extend(keys);
        market.dirty.extend([EntryKey::Clock, EntryKey::Parameters]);
        Ok(market)
    }

    /// The facts.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The parameters in force.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters.current
    }

    /// Where the market stands.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id).map(|slot| &slot.account)
    }

    /// All accounts, ascending.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountId, &Account)> {
        self.accounts.iter().map(|(id, slot)| (id, &slot.account))
    }

    /// An asset.
    #[must_use]
    pub fn asset(&self, id: AssetId) -> Option<&Asset> {
        self.assets.get(&id)
    }

    /// A feed.
    #[must_use]
    pub fn feed(&self, id: FeedId) -> Option<&Feed> {
        self.feeds.get(&id)
    }

    /// An instrument.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.get(&id)
    }

    /// All instruments, ascending.
    pub fn instruments(&self) -> impl Iterator<Item = (&InstrumentId, &Instrument)> {
        self.instruments.iter()
    }

    /// How much of an order was filled, in lots.
    #[must_use]
    pub fn filled(&self, order: &Hash32) -> u64 {
        self.orders.get(order).map_or(0, |fill| fill.filled)
    }

    /// A line of credit.
    #[must_use]
    pub fn budget(&self, key: &BudgetKey) -> Option<&Budget> {
        self.budgets.get(key)
    }

    /// What is in doubt under a name.
    #[must_use]
    pub fn doubt(&self, cross: &Hash32) -> Option<&Doubt> {
        self.doubts.get(cross)
    }

    /// How an operation across shards ended here.
    #[must_use]
    pub fn decision(&self, cross: &Hash32) -> Option<&Decision> {
        self.decisions.get(cross)
    }

    /// Applies one operation, verifying its signatures.
    ///
    /// # Errors
    /// The code of the first check that fails. Then nothing has changed but the numbers of the signers' lanes, if the
    /// operation was theirs and in sequence.
    pub fn apply(
        &mut self,
        context: Context,
        signed: &SignedOperation,
    ) -> Result<Applied, RejectCode> {
        self.apply_with(context, signed, &Cryptography::default())
    }

    /// [`Market::apply`], with signatures decided by `authenticator`.
    ///
    /// # Errors
    /// As [`Market::apply`].
    pub fn apply_with(
        &mut self,
        context: Context,
        signed: &SignedOperation,
        authenticator: &impl Authenticator,
    ) -> Result<Applied, RejectCode> {
        self.advance(context);
        self.admit(signed, authenticator)?;
        let result = self.dispatch(signed, authenticator);
        self.close(result)
    }

    /// Takes note of what a peer shard did with an operation across shards.
    ///
    /// # Errors
    /// 6001, 6002, 6003; then nothing has changed.
    pub fn learn(
        &mut self,
        context: Context,
        receipt: &Certified<PeerReceipt>,
    ) -> Result<Applied, RejectCode> {
        self.advance(context);
        let result = self.note_receipt(receipt.value());
        self.close(result)
    }

    /// Ends a block: time passes to `context`, and what has run out is forgotten. Debug builds check all invariants.
    pub fn end_of_block(&mut self, context: Context) {
        self.advance(context);
        let due: Vec<(Round, Timer)> = self
            .timers
            .iter()
            .take_while(|(round, _)| *round < self.clock.round)
            .take(FORGET_MAX)
            .copied()
            .collect();
        for (_, timer) in due {
            match timer {
                Timer::Order(id) => {
                    self.set_order(id, None);
                }
                Timer::Budget(key) => self.end_budget(key),
            }
        }
        let _ = self.keep();
        // A deliberate defect is for the caller to find.
        debug_assert_eq!(
            self.mutation.map_or_else(|| self.check(), |_| Ok(())),
            Ok(())
        );
    }

    fn dispatch(
        &mut self,
        signed: &SignedOperation,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        let operation = &signed.operation;
        let signer = |place: usize| operation.signers[place].account;
        match &operation.body {
            Body::CreateAccount { owner, sub } => self.create_account(*owner, *sub),
            Body::CloseAccount => self.close_account(signer(0)),
            Body::Deposit(statement, signature) => {
                self.deposit(statement, signature, authenticator)
            }
            Body::Post { asset, amount } => self.post(signer(0), *asset, *amount),
            Body::Release { asset, amount } => self.release(signer(0), *asset, *amount),
            Body::Withdraw {
                asset,
                amount,
                destination,
            } => self.withdraw(signer(0), *asset, *amount, *destination),
            Body::OracleUpdate(statement, signature) => {
                self.update_feed(statement, signature, authenticator)
            }
            Body::Trade(legs) => self.trade(signer(0), signer(1), legs, operation.max_fee),
            Body::FillBatch { sequence, fills } => {
                self.fill_batch(signer(0), *sequence, fills, authenticator)
            }
            Body::GrantBudget {
                venue,
                feed,
                amount,
            } => self.grant_budget(signer(0), *venue, *feed, *amount),
            Body::RevokeBudget { venue, feed } => self.revoke_budget(signer(0), *venue, *feed),
            Body::Novate(leg) => self.novate(signer(0), signer(1), *leg),
            Body::Mark { account } => self.mark(*account),
            Body::Fund { instrument } => self.fund(*instrument),
            Body::SettlePrice(statement, signature) => {
                self.settle_price(statement, signature, authenticator)
            }
            Body::ExpirePage {
                instrument,
                accounts,
            } => self.expire_page(*instrument, *accounts),
            Body::MarginCall { account, rounds } => self.call(*account, rounds),
            Body::Liquidate {
                account,
                percent,
                discount_bp,
                rounds,
            } => self.liquidate(signer(0), *account, *percent, *discount_bp, rounds),
            Body::Absorb { account, rounds } => self.absorb(*account, rounds),
            Body::SetParameters(change, signature) => {
                self.set_parameters(change, signature, authenticator)
            }
            Body::List(listing, signature) => self.list(listing, signature, authenticator),
            Body::CrossPrepare {
                cross,
                cash,
                peers,
                deadline,
            } => self.prepare(signer(0), *cross, *cash, peers, *deadline),
            Body::CrossCommit { cross } => self.commit(*cross),
            Body::CrossAbort { cross } => self.abort(*cross),
        }
    }

    /// Keeps or takes back what an operation did.
    fn close(&mut self, result: Result<(), RejectCode>) -> Result<Applied, RejectCode> {
        match result.and_then(|()| self.cure_touched()) {
            Ok(()) => Ok(self.keep()),
            Err(code) => {
                self.take_back();
                Err(code)
            }
        }
    }

    /// Moves the clock, never back; starts trading and expiries, and parameters at their epoch.
    fn advance(&mut self, context: Context) {
        let before = self.clock;
        self.clock.round = before.round.max(context.round);
        self.clock.now_ms = before.now_ms.max(context.now_ms);
        self.clock.epoch = before.epoch.max(context.epoch);
        if self.clock == before {
            return;
        }
        self.dirty.insert(EntryKey::Clock);
        if let Some((epoch, next)) = self.parameters.next
            && epoch <= self.clock.epoch
        {
            self.parameters.current = next;
            self.parameters.next = None;
            self.dirty.insert(EntryKey::Parameters);
        }
        let now_ms = self.clock.now_ms;
        for (id, instrument) in &mut self.instruments {
            let life = match instrument.life {
                Life::Listed | Life::Trading if is_over(instrument, now_ms) => Life::Expired,
                Life::Listed if instrument.trading_from_ms <= now_ms => Life::Trading,
                same => same,
            };
            if life != instrument.life {
                instrument.life = life;
                self.dirty.insert(EntryKey::Instrument(*id));
            }
        }
    }

    /// Whether this market has a certain defect.
    fn broken(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// The same market with a defect, for tests that must notice it.
    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub fn with_mutation(mut self, mutation: Option<Mutation>) -> Self {
        self.mutation = mutation;
        self
    }

    /// Lines that an account granted, ascending.
    fn budgets_of(&self, account: AccountId) -> impl Iterator<Item = (&BudgetKey, &Budget)> {
        let first = BudgetKey {
            account,
            venue: AccountId([0; 32]),
            feed: FeedId(0),
        };
        self.budgets
            .range(first..)
            .take_while(move |(key, _)| key.account == account)
            .take(BUDGETS_MAX)
    }

    /// What an account has in doubt, ascending.
    fn doubts_of(&self, account: AccountId) -> impl Iterator<Item = &Doubt> {
        self.doubts_of
            .range((account, Hash32::ZERO)..)
            .take_while(move |(whose, _)| *whose == account)
            .filter_map(|(_, cross)| self.doubts.get(cross))
    }
}

/// Whether an instrument's expiry has come.
fn is_over(instrument: &Instrument, now_ms: u64) -> bool {
    let expiry = instrument.contract.terms().expiry_ms();
    expiry.is_some_and(|expiry_ms| expiry_ms <= now_ms)
}
