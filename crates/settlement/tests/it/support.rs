//! A small market: a few people with collateral, and instruments of one feed at 2,000.

use quorate_margin::Terms;
use quorate_settlement::simulation::{
    ETH_FEED, QUOTE, Setting, Stamps, listing_of, owner_of, round_of,
};
use quorate_settlement::{
    Applied, Body, Certified, Context, Fill, Leg, Market, NamedRound, Order, PeerOutcome,
    PeerReceipt, SignedOperation, SignedOrder, Status,
};
use quorate_types::{
    AccountId, DomainTag, Epoch, Hash32, InstrumentId, RejectCode, Round, ShardId,
};

pub(crate) const PERPETUAL: InstrumentId = InstrumentId(1);
pub(crate) const FUTURE: InstrumentId = InstrumentId(2);
pub(crate) const CALL: InstrumentId = InstrumentId(3);
pub(crate) const PUT: InstrumentId = InstrumentId(4);
/// Its cap is 50 lots.
pub(crate) const CAPPED: InstrumentId = InstrumentId(5);
/// Trades from the second hour on.
pub(crate) const LATER: InstrumentId = InstrumentId(6);

/// One of the quote asset.
pub(crate) const DOLLAR: i128 = 1_000_000;
/// 1 in prices.
pub(crate) const ONE: i64 = 100_000_000;
pub(crate) const SPOT: i64 = 2_000 * ONE;
pub(crate) const START_MS: u64 = 1_000_000_000;
pub(crate) const EXPIRY_MS: u64 = START_MS + 6 * 3_600_000;

pub(crate) fn id(number: u8) -> AccountId {
    AccountId::derive(&owner_of(number), 0)
}

/// Rich traders, a poor one, and a venue.
pub(crate) const ALICE: u8 = 1;
pub(crate) const BOB: u8 = 2;
pub(crate) const CAROL: u8 = 3;
pub(crate) const MALLORY: u8 = 4;
pub(crate) const IDLE: u8 = 5;
pub(crate) const VENUE: u8 = 9;

#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) setting: Setting,
    pub(crate) market: Market,
    pub(crate) context: Context,
    pub(crate) rounds: u64,
    pub(crate) deposits: u64,
    nonce: u64,
}

impl Bench {
    /// Everybody has a million free and half a million posted; Mallory has 40,000 posted and nothing free.
    pub(crate) fn new() -> Self {
        Self::with(Setting::default())
    }

    pub(crate) fn with(setting: Setting) -> Self {
        let mut bench = Self {
            market: setting.market(),
            setting,
            context: Context {
                round: Round(10),
                now_ms: START_MS,
                epoch: Epoch(1),
            },
            rounds: 0,
            deposits: 0,
            nonce: 0,
        };
        for number in [ALICE, BOB, CAROL, MALLORY, IDLE, VENUE] {
            let owner = owner_of(number);
            bench.done(&[number], Body::CreateAccount { owner, sub: 0 });
            let rich = number != MALLORY;
            let dollars = if rich { 1_500_000 } else { 40_000 };
            bench.deposit(number, dollars);
            bench.post(number, if rich { 500_000 } else { 40_000 });
        }
        let expiry_ms = EXPIRY_MS;
        let strike = SPOT;
        for (instrument, terms) in [
            (PERPETUAL, Terms::Perpetual),
            (FUTURE, Terms::Future { expiry_ms }),
            (CALL, Terms::Call { strike, expiry_ms }),
            (PUT, Terms::Put { strike, expiry_ms }),
            (CAPPED, Terms::Future { expiry_ms }),
            (LATER, Terms::Future { expiry_ms }),
        ] {
            let mut listing = listing_of(instrument, ETH_FEED, terms);
            if instrument == CAPPED {
                listing.open_interest_cap = 50;
            }
            if instrument == LATER {
                listing.trading_from_ms = START_MS + 3_600_000;
            }
            let body = bench.setting.list(listing);
            bench.done(&[], body);
        }
        bench.price(SPOT);
        bench
    }

    /// Applies what must be applied.
    pub(crate) fn done(&mut self, signers: &[u8], body: Body) -> Applied {
        let result = self.apply(signers, body.clone());
        result.unwrap_or_else(|code| panic!("{code:?} for {body:?}"))
    }

    pub(crate) fn apply(&mut self, signers: &[u8], body: Body) -> Result<Applied, RejectCode> {
        let signed = self.signed(signers, body);
        self.send(&signed)
    }

    pub(crate) fn signed(&self, signers: &[u8], body: Body) -> SignedOperation {
        let ids: Vec<AccountId> = signers.iter().map(|number| id(*number)).collect();
        self.setting.signed(&self.market, &ids, body)
    }

    /// Applies an operation; all invariants hold after it, and if it is rejected, nothing but lanes and the clock changed.
    pub(crate) fn send(&mut self, signed: &SignedOperation) -> Result<Applied, RejectCode> {
        let before = self.market.clone();
        let result = self.market.apply_with(self.context, signed, &Stamps);
        assert_eq!(self.market.check(), Ok(()), "{signed:?}");
        if result.is_err() {
            let mut after = self.market.clone();
            assert_eq!(after.accounts().count(), before.accounts().count());
            for (account, was) in before.accounts() {
                let mut now = after.account(account).unwrap().clone();
                now.lanes.clone_from(&was.lanes);
                assert_eq!(now, *was);
            }
            for (instrument, was) in before.instruments() {
                let now = after.instrument(*instrument).unwrap();
                assert_eq!((now.open_interest, now.pool), (was.open_interest, was.pool));
            }
            assert_eq!(after.asset(QUOTE), before.asset(QUOTE));
            let _ = after.take_changes();
        }
        result
    }

    pub(crate) fn deposit(&mut self, number: u8, dollars: u128) {
        let amount = dollars * 1_000_000;
        let body = self
            .setting
            .deposit(self.deposits, owner_of(number), QUOTE, amount);
        self.deposits += 1;
        self.done(&[], body);
    }

    pub(crate) fn post(&mut self, number: u8, dollars: u128) {
        let amount = dollars * 1_000_000;
        self.done(
            &[number],
            Body::Post {
                asset: QUOTE,
                amount,
            },
        );
    }

    /// The next round of the feed, at a price.
    pub(crate) fn price(&mut self, price: i64) {
        let body = self.round(price);
        self.done(&[], body);
    }

    pub(crate) fn round(&mut self, price: i64) -> Body {
        self.rounds += 1;
        let now_ms = self.context.now_ms + self.rounds;
        let rates = [(PERPETUAL, 10_000)];
        let round = round_of(self.rounds, now_ms, price, &[EXPIRY_MS], &rates);
        self.setting.oracle(&self.market, ETH_FEED, round)
    }

    /// Rounds of the leader, and milliseconds.
    pub(crate) fn pass(&mut self, rounds: u64, ms: u64) {
        self.context.round = self.context.round.forward(rounds);
        self.context.now_ms += ms;
        self.market.end_of_block(self.context);
    }

    pub(crate) fn leg(instrument: InstrumentId, lots: i64, price: i64) -> Leg {
        Leg {
            instrument,
            lots,
            price,
        }
    }

    /// The first gets lots from the second.
    pub(crate) fn trade(&mut self, first: u8, second: u8, legs: &[Leg]) -> Applied {
        self.done(&[first, second], Body::Trade(legs.to_vec()))
    }

    pub(crate) fn rounds_of(&self, number: u8) -> Vec<NamedRound> {
        self.market.rounds_of(&id(number))
    }

    pub(crate) fn status(&self, number: u8) -> Status {
        self.market.account(&id(number)).unwrap().status
    }

    pub(crate) fn collateral(&self, number: u8) -> u128 {
        let account = self.market.account(&id(number)).unwrap();
        account.collateral_of(QUOTE)
    }

    pub(crate) fn order(&mut self, number: u8, is_buy: bool, lots: u64, limit: i64) -> Order {
        self.nonce += 1;
        Order {
            chain: self.setting.facts.chain,
            shard: self.setting.facts.shard,
            account: id(number),
            venue: id(VENUE),
            instrument: PERPETUAL,
            is_buy,
            lots,
            limit_price: limit,
            fee_cap_ppm: 1_000,
            is_reduce_only: false,
            expires: self.context.round.forward(5),
            nonce: self.nonce,
        }
    }

    pub(crate) fn stamp(&self, order: Order) -> SignedOrder {
        let owner = self.market.account(&order.account).unwrap().owner;
        let signature = Stamps::sign(&owner, DomainTag::OrderSignature, &order.id().0);
        SignedOrder { order, signature }
    }

    pub(crate) fn fill(&self, buy: Order, sell: Order, lots: u64, price: i64) -> Fill {
        Fill {
            buy: self.stamp(buy),
            sell: self.stamp(sell),
            lots,
            price,
        }
    }

    pub(crate) fn batch(&self, fills: Vec<Fill>) -> Body {
        let venue = self.market.account(&id(VENUE)).unwrap();
        Body::FillBatch {
            sequence: venue.venue_sequence,
            fills,
        }
    }

    pub(crate) fn prepare(name: u8, cash: i128, deadline: Round) -> Body {
        Body::CrossPrepare {
            cross: Hash32([name; 32]),
            cash,
            peers: vec![ShardId(2)],
            deadline,
        }
    }

    pub(crate) fn learn(&mut self, name: u8, outcome: PeerOutcome) -> Result<Applied, RejectCode> {
        let receipt = PeerReceipt {
            cross: Hash32([name; 32]),
            shard: ShardId(2),
            outcome,
        };
        let certified = Certified::verified_by_caller(receipt);
        let result = self.market.learn(self.context, &certified);
        assert_eq!(self.market.check(), Ok(()));
        result
    }

    /// Mallory buys 8,000 perpetuals at 2,000, and the price falls to 1,700: below maintenance margin, not severely.
    pub(crate) fn breach(&mut self) {
        let leg = Self::leg(PERPETUAL, 8_000, SPOT);
        self.trade(MALLORY, ALICE, &[leg]);
        self.price(1_850 * ONE);
        self.price(1_700 * ONE);
    }

    pub(crate) fn call(&self, number: u8) -> Body {
        Body::MarginCall {
            account: id(number),
            rounds: self.rounds_of(number),
        }
    }

    pub(crate) fn liquidate(&self, number: u8, percent: u32, discount_bp: u32) -> Body {
        Body::Liquidate {
            account: id(number),
            percent,
            discount_bp,
            rounds: self.rounds_of(number),
        }
    }

    pub(crate) fn absorb(&self, number: u8) -> Body {
        Body::Absorb {
            account: id(number),
            rounds: self.rounds_of(number),
        }
    }
}
