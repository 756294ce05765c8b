//! A market with people, prices and orders around it.

use std::collections::BTreeMap;

use quorate_margin::{SVI_SCALE, Terms};
use quorate_types::{
    AccountId, AssetId, Epoch, FeedId, Hash32, IdentityKey, InstrumentId, Round, ShardId,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::input::Input;
use super::setting::{
    BTC, BTC_FEED, ETH, ETH_FEED, QUOTE, Setting, listing_of, owner_of, round_of,
};
use crate::applied::Context;
use crate::entity::{Life, Status};
use crate::market::Market;
use crate::operation::{Body, SignedOperation, SignedOrder};

/// Traders, of whom the last ones never trade.
const TRADERS: u8 = 22;
const BYSTANDERS: u8 = 2;
const VENUES: u8 = 2;
/// Instruments of one feed that live at a time, besides the perpetual.
const LIVE: usize = 9;
const HOUR_MS: u64 = 3_600_000;

/// Everything around the market.
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) random: ChaCha8Rng,
    pub(super) context: Context,
    pub(super) traders: Vec<AccountId>,
    pub(super) venues: Vec<AccountId>,
    pub(super) bystanders: Vec<AccountId>,
    owners: BTreeMap<AccountId, IdentityKey>,
    /// Orders that may be filled, or filled again.
    pub(super) orders: Vec<SignedOrder>,
    /// Operations across shards that were prepared, with their peers.
    pub(super) crosses: Vec<(Hash32, Vec<ShardId>)>,
    /// An operation of some time ago, to be sent again.
    pub(super) old: Option<SignedOperation>,
    pub(super) nonce: u64,
    next_deposit: u64,
    next_instrument: u32,
    rounds: [u64; 2],
    prices: [i64; 2],
    /// What prices drift by each block, in basis points.
    drift_bp: [i64; 2],
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let id = |number| AccountId::derive(&owner_of(number), 0);
        let traders = (1..=TRADERS).map(id).collect();
        let bystanders = (101..101 + BYSTANDERS).map(id).collect();
        let venues = (201..201 + VENUES).map(id).collect();
        Self {
            setting: Setting::default(),
            random: ChaCha8Rng::seed_from_u64(seed),
            context: Context {
                round: Round(1),
                now_ms: 1_000_000_000,
                epoch: Epoch(1),
            },
            traders,
            venues,
            bystanders,
            owners: (1..=u8::MAX)
                .map(|number| (id(number), owner_of(number)))
                .collect(),
            orders: Vec::new(),
            crosses: Vec::new(),
            old: None,
            nonce: 0,
            next_deposit: 0,
            next_instrument: 1,
            rounds: [0, 0],
            prices: [200_000_000_000, 3_000_000_000_000],
            drift_bp: [0, 0],
        }
    }

    /// A number below `count`, which is not 0.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.random.next_u64() % count
    }

    /// Whether something happens that does so once in `count` times.
    pub(super) fn once_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A number from `-most` to `most`.
    pub(super) fn around(&mut self, most: i64) -> i64 {
        let width = most.unsigned_abs() * 2 + 1;
        i64::try_from(self.below(width)).unwrap_or(0) - most
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let count = u64::try_from(from.len()).unwrap_or(0);
        if count == 0 {
            return None;
        }
        let place = usize::try_from(self.below(count)).unwrap_or(0);
        from.get(place).copied()
    }

    pub(super) fn trader(&mut self) -> AccountId {
        let traders = self.traders.clone();
        self.pick(&traders).unwrap_or(AccountId([0; 32]))
    }

    /// What the first block does: accounts, deposits, collateral, prices, instruments.
    pub(super) fn opening(&mut self, market: &Market) -> Vec<Body> {
        let mut bodies = Vec::new();
        let owners = (1..=TRADERS)
            .chain(101..101 + BYSTANDERS)
            .chain(201..201 + VENUES);
        bodies.extend(owners.map(|number| Body::CreateAccount {
            owner: owner_of(number),
            sub: 0,
        }));
        for id in self
            .traders
            .clone()
            .into_iter()
            .chain(self.bystanders.clone())
        {
            let dollars = 5_000 + u128::from(self.below(100_000));
            bodies.push(self.deposit(id, QUOTE, dollars * 1_000_000));
            if self.once_in(3) {
                bodies.push(self.deposit(id, ETH, 2_000_000_000));
                bodies.push(self.deposit(id, BTC, 50_000_000));
            }
        }
        for feed in [ETH_FEED, BTC_FEED] {
            let terms = Terms::Perpetual;
            let perpetual = self.listing(feed, terms);
            bodies.push(perpetual);
            bodies.extend(self.round(market, feed));
        }
        bodies
    }

    /// The owner of one of this world's accounts.
    pub(super) fn owner(&self, id: AccountId) -> IdentityKey {
        let owner = self.owners.get(&id);
        owner.copied().unwrap_or(owner_of(0))
    }

    pub(super) fn deposit(&mut self, id: AccountId, asset: AssetId, amount: u128) -> Body {
        let number = self.next_deposit;
        self.next_deposit += 1;
        let owner = self.owner(id);
        self.setting.deposit(number, owner, asset, amount)
    }

    /// Most of what everybody has becomes collateral.
    pub(super) fn first_posts(&mut self, market: &Market) -> Vec<Input> {
        let people = self
            .traders
            .clone()
            .into_iter()
            .chain(self.bystanders.clone());
        let mut posts = Vec::new();
        for id in people {
            let Some(account) = market.account(&id) else {
                continue;
            };
            let free: Vec<(AssetId, u128)> = account.free.iter().map(|of| (*of.0, *of.1)).collect();
            // In lanes of their own, since they are made before the first is applied.
            for (lane, (asset, have)) in (1..).zip(free) {
                let amount = have / 100 * u128::from(60 + self.below(40));
                let body = Body::Post { asset, amount };
                let mut signed = self.setting.signed(market, &[id], body);
                signed.operation.signers[0].lane = lane;
                signed.operation.signers[0].sequence = 0;
                let signed = Setting::stamped(market, signed.operation);
                posts.push(Input::Operation(Box::new(signed)));
            }
        }
        posts
    }

    /// A deposit that was made before.
    pub(super) fn old_deposit(&mut self, id: AccountId) -> Body {
        let number = self.below(self.next_deposit.max(1));
        let owner = self.owner(id);
        self.setting.deposit(number, owner, QUOTE, 1_000_000)
    }

    fn listing(&mut self, feed: FeedId, terms: Terms) -> Body {
        let id = InstrumentId(self.next_instrument);
        self.next_instrument += 1;
        let mut listing = listing_of(id, feed, terms);
        // Fine ticks leave parts of atoms over.
        listing.tick = self.pick(&[1, 1_000, 1_000_000]).unwrap_or(1);
        if self.once_in(10) {
            listing.trading_from_ms = self.context.now_ms + HOUR_MS / 2;
        }
        if self.once_in(20) {
            listing.open_interest_cap = 50;
        }
        self.setting.list(listing)
    }

    /// The place of a feed in this world's lists.
    fn place(feed: FeedId) -> usize {
        usize::from(feed != ETH_FEED)
    }

    /// New instruments where too few live.
    pub(super) fn listings(&mut self, market: &Market) -> Vec<Body> {
        let mut bodies = Vec::new();
        for feed in [ETH_FEED, BTC_FEED] {
            let live = market.instruments();
            let live = live.filter(|(_, instrument)| {
                instrument.feed == feed && instrument.life <= Life::Trading
            });
            if live.count() > LIVE {
                continue;
            }
            let spot = self.prices[Self::place(feed)];
            let hours = 2 + self.below(20);
            let expiry_ms = (self.context.now_ms / HOUR_MS + hours) * HOUR_MS;
            bodies.push(self.listing(feed, Terms::Future { expiry_ms }));
            for percent in [90, 100, 110] {
                let strike = spot / 100 * percent / SVI_SCALE * SVI_SCALE;
                bodies.push(self.listing(feed, Terms::Call { strike, expiry_ms }));
                bodies.push(self.listing(feed, Terms::Put { strike, expiry_ms }));
            }
        }
        bodies
    }

    /// A block later: time, rounds, epochs, and where prices drift to.
    pub(super) fn next_block(&mut self) {
        self.context.round = self.context.round.forward(1 + self.below(3));
        self.context.now_ms += 60_000 + self.below(240_000);
        if self.once_in(200) {
            self.context.epoch = Epoch(self.context.epoch.0 + 1);
        }
        for place in 0..2 {
            if self.once_in(30) {
                let drifts = [-250, -120, 0, 0, 0, 0, 120, 250];
                self.drift_bp[place] = self.pick(&drifts).unwrap_or(0);
            }
            let mut move_bp = self.drift_bp[place] + self.around(60);
            if self.once_in(60) {
                move_bp += self.around(900);
            }
            if self.once_in(400) {
                move_bp += self.around(2_500);
            }
            let (least, most) = if place == 0 {
                (30_000_000_000, 2_000_000_000_000)
            } else {
                (500_000_000_000, 30_000_000_000_000)
            };
            let price = self.prices[place];
            let moved = price + price / 10_000 * move_bp;
            if moved < least || moved > most {
                self.drift_bp[place] = -self.drift_bp[place];
            }
            self.prices[place] = moved.clamp(least, most);
        }
    }

    /// A feed's next round: now and then doubtful, more seldom useless.
    pub(super) fn round(&mut self, market: &Market, feed: FeedId) -> Vec<Body> {
        let place = Self::place(feed);
        if self.once_in(12) {
            return Vec::new();
        }
        let instruments = market.instruments();
        let of_feed = instruments.filter(|(_, instrument)| instrument.feed == feed);
        let mut expiries: Vec<u64> = Vec::new();
        let mut perpetuals = Vec::new();
        for (id, instrument) in of_feed.filter(|(_, of)| of.life < Life::Purged) {
            match instrument.contract.terms().expiry_ms() {
                Some(expiry_ms) => expiries.push(expiry_ms),
                None => perpetuals.push((*id, self.random.next_u64())),
            }
        }
        expiries.sort_unstable();
        expiries.dedup();
        let rates: Vec<(InstrumentId, i64)> = perpetuals
            .into_iter()
            .map(|(id, word)| (id, i64::try_from(word % 200_001).unwrap_or(0) - 100_000))
            .collect();
        self.rounds[place] += 1 + u64::from(self.once_in(20));
        let price = self.prices[place];
        let now_ms = self.context.now_ms;
        let mut round = round_of(self.rounds[place], now_ms, price, &expiries, &rates);
        if self.once_in(8) {
            round.confidence_bp = 60;
        }
        if self.once_in(150) {
            round.confidence_bp = 600;
        }
        vec![self.setting.oracle(market, feed, round)]
    }

    /// Settlement prices and pages of payoffs that are due.
    pub(super) fn settlements(&mut self, market: &Market) -> Vec<Body> {
        let mut bodies = Vec::new();
        let mut done: Vec<(FeedId, u64)> = Vec::new();
        for (id, instrument) in market.instruments() {
            match (instrument.life, instrument.contract.terms().expiry_ms()) {
                (Life::Expired, Some(expiry_ms)) => {
                    let key = (instrument.feed, expiry_ms);
                    if !done.contains(&key) {
                        done.push(key);
                        let spot = self.prices[Self::place(instrument.feed)];
                        // To the last digit, so that payoffs are not whole atoms.
                        let price = spot + i64::try_from(expiry_ms % 997).unwrap_or(0);
                        bodies.push(self.setting.settlement(market, key.0, key.1, price));
                    }
                }
                (Life::Settled { .. }, _) if !self.random.next_u64().is_multiple_of(3) => {
                    let accounts = 1 + u32::try_from(self.random.next_u64() % 8).unwrap_or(0);
                    bodies.push(Body::ExpirePage {
                        instrument: *id,
                        accounts,
                    });
                }
                _ => {}
            }
        }
        bodies
    }

    /// An operation of these signers, signed.
    pub(super) fn sign(&self, market: &Market, signers: &[AccountId], body: Body) -> Input {
        Input::Operation(Box::new(self.setting.signed(market, signers, body)))
    }

    /// One that nobody signs.
    pub(super) fn open(&self, market: &Market, body: Body) -> Input {
        match &body {
            Body::CreateAccount { owner, sub } => {
                let id = AccountId::derive(owner, *sub);
                self.sign(market, &[id], body)
            }
            _ => self.sign(market, &[], body),
        }
    }

    /// Somebody who may trade.
    pub(super) fn active(&mut self, market: &Market) -> AccountId {
        let mut id = self.trader();
        for _ in 0..4 {
            let account = market.account(&id);
            if account.is_some_and(|account| account.status == Status::Active) {
                break;
            }
            id = self.trader();
        }
        id
    }
}
