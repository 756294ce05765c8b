//! What happens next: mostly what people and machines would do, now and then what nobody should.

use quorate_margin::SCALE;
use quorate_types::{AccountId, AssetId, DomainTag, Hash32, InstrumentId, ShardId};

use super::input::Input;
use super::setting::{BTC, BTC_FEED, ETH, ETH_FEED, QUOTE};
use super::stamps::Stamps;
use super::world::World;
use crate::entity::{Life, PeerOutcome, Status};
use crate::market::Market;
use crate::operation::{Body, Fill, Leg, Order, PeerReceipt, SignedOrder};

/// Orders that are remembered.
const ORDERS_MAX: usize = 200;
/// Operations across shards that are remembered.
const CROSSES_MAX: usize = 40;

impl World {
    /// The next input.
    pub(super) fn next(&mut self, market: &mut Market) -> Input {
        let input = match self.below(100) {
            0..=29 => self.trade(market),
            30..=49 => self.batch(market),
            50..=57 => self.balances(market),
            58..=62 => self.release(market),
            63..=64 => self.novate(market),
            65..=69 => self.mark(market),
            70..=71 => self.fund(market),
            72..=83 => self.police(market),
            84..=87 => self.lines(market),
            88..=94 => self.cross(market),
            _ => self.hostile(market),
        };
        if let Input::Operation(signed) = &input
            && self.once_in(20)
        {
            self.old = Some((**signed).clone());
        }
        input
    }

    /// Instruments that trade, and once in a while one that does not.
    pub(super) fn instrument(&mut self, market: &Market) -> Option<InstrumentId> {
        let any = self.once_in(40);
        let instruments = market.instruments();
        let ids: Vec<InstrumentId> = instruments
            .filter(|(_, instrument)| any || instrument.life == Life::Trading)
            .map(|(id, _)| *id)
            .collect();
        self.pick(&ids)
    }

    /// A price near the mark.
    pub(super) fn price(&mut self, market: &Market, id: InstrumentId) -> i64 {
        let Some(instrument) = market.instrument(id) else {
            return 1_000_000;
        };
        let mark = i128::from(market.mark_price(id).unwrap_or(0));
        let multiplier = i128::from(instrument.contract.multiplier());
        let spot = market
            .feed(instrument.feed)
            .and_then(|feed| feed.last.as_ref());
        let spot = spot.map_or(0, |last| last.price);
        let fair = i64::try_from(mark * SCALE / multiplier).unwrap_or(0);
        let most_bp = if self.once_in(30) { 900 } else { 100 };
        let away = spot / 10_000 * self.around(most_bp);
        let ticks = fair.saturating_add(away) / instrument.tick;
        let tick = if self.once_in(100) { 1 } else { 0 };
        (ticks.max(1) * instrument.tick) + tick
    }

    pub(super) fn lots(&mut self) -> i64 {
        let most = [3, 30, 300, 3_000];
        let most = self.pick(&most).unwrap_or(1);
        1 + i64::try_from(self.below(most)).unwrap_or(0)
    }

    fn leg(&mut self, market: &Market) -> Leg {
        let instrument = self.instrument(market).unwrap_or(InstrumentId(0));
        let lots = self.lots();
        Leg {
            instrument,
            lots: if self.once_in(2) { lots } else { -lots },
            price: self.price(market, instrument),
        }
    }

    fn trade(&mut self, market: &mut Market) -> Input {
        let (first, second) = (self.active(market), self.active(market));
        let count = if self.once_in(4) {
            1 + self.below(8)
        } else {
            1
        };
        let legs = (0..count).map(|_| self.leg(market)).collect();
        self.sign(market, &[first, second], Body::Trade(legs))
    }

    fn order(
        &mut self,
        market: &Market,
        venue: AccountId,
        id: InstrumentId,
        is_buy: bool,
    ) -> SignedOrder {
        let account = self.active(market);
        let price = self.price(market, id);
        let lots = self.lots().unsigned_abs();
        self.nonce += 1;
        let order = Order {
            chain: self.setting.facts.chain,
            shard: self.setting.facts.shard,
            account,
            venue,
            instrument: id,
            is_buy,
            lots,
            limit_price: if is_buy {
                price.saturating_mul(2)
            } else {
                price / 2
            },
            fee_cap_ppm: 500,
            is_reduce_only: self.once_in(10),
            expires: self.context.round.forward(self.below(30)),
            nonce: self.nonce,
        };
        self.stamp(market, order)
    }

    pub(super) fn stamp(&self, market: &Market, order: Order) -> SignedOrder {
        let owner = market.account(&order.account);
        let owner = owner.map_or(super::setting::owner_of(0), |account| account.owner);
        let signature = Stamps::sign(&owner, DomainTag::OrderSignature, &order.id().0);
        SignedOrder { order, signature }
    }

    /// An order that rests, or a new one.
    fn side(
        &mut self,
        market: &Market,
        venue: AccountId,
        id: InstrumentId,
        is_buy: bool,
    ) -> SignedOrder {
        if !self.once_in(3) {
            let orders = self.orders.iter();
            let fits: Vec<SignedOrder> = orders
                .filter(|signed| {
                    let order = &signed.order;
                    order.venue == venue && order.instrument == id && order.is_buy == is_buy
                })
                .copied()
                .collect();
            if let Some(resting) = self.pick(&fits) {
                return resting;
            }
        }
        let fresh = self.order(market, venue, id, is_buy);
        if self.orders.len() >= ORDERS_MAX {
            self.orders.remove(0);
        }
        self.orders.push(fresh);
        fresh
    }

    fn batch(&mut self, market: &mut Market) -> Input {
        let venues = self.venues.clone();
        let venue = self.pick(&venues).unwrap_or(AccountId([0; 32]));
        let count = 1 + self.below(3);
        let fills = (0..count).map(|_| self.fill(market, venue)).collect();
        let account = market.account(&venue);
        let sequence = account.map_or(0, |account| account.venue_sequence);
        self.sign(market, &[venue], Body::FillBatch { sequence, fills })
    }

    fn fill(&mut self, market: &Market, venue: AccountId) -> Fill {
        let id = self.instrument(market).unwrap_or(InstrumentId(0));
        let buy = self.side(market, venue, id, true);
        let sell = self.side(market, venue, id, false);
        let left = |signed: &SignedOrder| {
            let filled = market.filled(&signed.order.id());
            signed.order.lots.saturating_sub(filled)
        };
        let most = left(&buy).min(left(&sell));
        let lots = if most == 0 || self.once_in(25) {
            most + 1
        } else {
            1 + self.below(most)
        };
        Fill {
            buy,
            sell,
            lots,
            price: self.price(market, id),
        }
    }

    fn asset(&mut self) -> AssetId {
        let assets = [QUOTE, QUOTE, QUOTE, ETH, BTC];
        self.pick(&assets).unwrap_or(QUOTE)
    }

    fn balances(&mut self, market: &mut Market) -> Input {
        let id = if self.once_in(10) {
            let bystanders = self.bystanders.clone();
            self.pick(&bystanders).unwrap_or(AccountId([0; 32]))
        } else {
            self.trader()
        };
        let asset = self.asset();
        let free = market
            .account(&id)
            .map_or(0, |account| account.free_of(asset));
        match self.below(10) {
            0..=1 => {
                let dollars = u128::from(self.below(20_000));
                let body = self.deposit(id, QUOTE, dollars * 1_000_000);
                self.open(market, body)
            }
            2..=7 => {
                let amount = free / 100 * u128::from(1 + self.below(101));
                self.sign(market, &[id], Body::Post { asset, amount })
            }
            _ => {
                let body = Body::Withdraw {
                    asset,
                    amount: free / 100 * u128::from(self.below(20)),
                    destination: Hash32([9; 32]),
                };
                self.sign(market, &[id], body)
            }
        }
    }

    /// Some collateral, or all that margin alone would let go, whatever is in doubt.
    fn release(&mut self, market: &mut Market) -> Input {
        let id = self.active(market);
        let asset = self.asset();
        let have = market
            .account(&id)
            .map_or(0, |account| account.collateral_of(asset));
        let above = market.standing(id).map_or(0, |standing| standing.initial);
        let amount = if self.once_in(2) {
            have / 100 * u128::from(self.below(30))
        } else {
            have.min(u128::try_from(above).unwrap_or(0))
        };
        self.sign(market, &[id], Body::Release { asset, amount })
    }

    fn novate(&mut self, market: &mut Market) -> Input {
        let (from, to) = (self.active(market), self.active(market));
        let held = market.account(&from);
        let held: Vec<(InstrumentId, i64)> = held.map_or(Vec::new(), |account| {
            let positions = account.positions.iter();
            positions
                .map(|(id, position)| (*id, position.lots))
                .collect()
        });
        let (instrument, lots) = self.pick(&held).unwrap_or((InstrumentId(1), 1));
        let part = 1 + i64::try_from(self.below(lots.unsigned_abs())).unwrap_or(0);
        let leg = Leg {
            instrument,
            lots: part * lots.signum(),
            price: self.price(market, instrument),
        };
        self.sign(market, &[from, to], Body::Novate(leg))
    }

    fn mark(&mut self, market: &mut Market) -> Input {
        let account = self.trader();
        self.open(market, Body::Mark { account })
    }

    fn fund(&mut self, market: &mut Market) -> Input {
        let instrument = InstrumentId(1 + u32::from(self.once_in(2)));
        self.open(market, Body::Fund { instrument })
    }

    /// Calls, liquidates and absorbs whom it may, and now and then whom it may not.
    fn police(&mut self, market: &mut Market) -> Input {
        let mut account = self.trader();
        let is_short = |market: &mut Market, id| {
            market
                .standing(id)
                .is_ok_and(|standing| standing.maintenance < 0)
        };
        for _ in 0..6 {
            if is_short(market, account) {
                break;
            }
            account = self.trader();
        }
        let rounds = market.rounds_of(&account);
        let status = market.account(&account).map(|account| account.status);
        let equity = market
            .standing(account)
            .map_or(0, |standing| standing.equity);
        let absorb = equity < 0 && !self.once_in(4);
        match status {
            Some(Status::Active) if !self.once_in(6) => {
                self.open(market, Body::MarginCall { account, rounds })
            }
            Some(Status::Called { .. } | Status::Liquidating { .. }) if absorb => {
                self.open(market, Body::Absorb { account, rounds })
            }
            _ => {
                let liquidator = self.active(market);
                let percents = [1, 5, 20, 50, 100];
                let percent = self.pick(&percents).unwrap_or(1);
                let granted = market.auction_discount(&account).unwrap_or(20);
                let discount_bp = granted + u32::from(self.once_in(30));
                let body = Body::Liquidate {
                    account,
                    percent,
                    discount_bp,
                    rounds,
                };
                self.sign(market, &[liquidator], body)
            }
        }
    }

    fn lines(&mut self, market: &mut Market) -> Input {
        let account = self.active(market);
        let venues = self.venues.clone();
        let venue = self.pick(&venues).unwrap_or(account);
        let feed = if self.once_in(2) { ETH_FEED } else { BTC_FEED };
        if self.once_in(3) {
            return self.sign(market, &[account], Body::RevokeBudget { venue, feed });
        }
        let above = market
            .standing(account)
            .map_or(0, |standing| standing.robust);
        let parts = 1 + i128::from(self.below(10));
        let amount = u128::try_from(above / parts).unwrap_or(1_000_000);
        let body = Body::GrantBudget {
            venue,
            feed,
            amount,
        };
        self.sign(market, &[account], body)
    }

    fn cross(&mut self, market: &mut Market) -> Input {
        let crosses: Vec<usize> = (0..self.crosses.len()).collect();
        let choice = self.below(10);
        let Some(place) = self.pick(&crosses).filter(|_| choice > 2) else {
            return self.prepare(market);
        };
        let (cross, peers) = self.crosses[place].clone();
        match choice {
            3..=6 => {
                let shard = self.pick(&peers).unwrap_or(ShardId(9));
                let outcome = if self.once_in(5) {
                    PeerOutcome::Refused
                } else {
                    PeerOutcome::Prepared
                };
                Input::Receipt(PeerReceipt {
                    cross,
                    shard,
                    outcome,
                })
            }
            7..=8 => self.open(market, Body::CrossCommit { cross }),
            _ => self.open(market, Body::CrossAbort { cross }),
        }
    }

    fn prepare(&mut self, market: &mut Market) -> Input {
        let id = self.trader();
        self.nonce += 1;
        let mut name = [0; 32];
        name[..8].copy_from_slice(&self.nonce.to_le_bytes());
        let peers: Vec<ShardId> = (0..=self.below(2))
            .map(|n| ShardId(2 + u32::from(n > 0)))
            .collect();
        let standing = market.standing(id);
        let above = standing.as_ref().map_or(0, |standing| standing.initial);
        let lacks = standing
            .as_ref()
            .map_or(0, |standing| -standing.maintenance);
        let cash = match self.below(4) {
            // A credit that would cure a breach.
            0 if lacks > 0 => lacks + 1_000_000,
            0 => 1 + i128::from(self.below(5_000_000_000)),
            1 => -above.max(1),
            _ => -1 - i128::from(self.below(2_000_000_000)),
        };
        let deadline = self.context.round.forward(self.below(80));
        if self.crosses.len() >= CROSSES_MAX {
            self.crosses.remove(0);
        }
        self.crosses.push((Hash32(name), peers.clone()));
        let body = Body::CrossPrepare {
            cross: Hash32(name),
            cash,
            peers,
            deadline,
        };
        self.sign(market, &[id], body)
    }
}
