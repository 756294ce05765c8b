//! What nobody should do, and somebody will.

use quorate_margin::QUANTITY_LIMIT;
use quorate_types::{AccountId, ChainId, Epoch, Hash32, InstrumentId, Round, ShardId};

use super::input::Input;
use super::setting::{ETH_FEED, QUOTE, Setting, USELESS, owner_of, round_of};
use super::world::World;
use crate::entity::Parameters;
use crate::market::Market;
use crate::operation::{Body, Leg, NamedRound, ParameterChange, SignedOperation};

impl World {
    pub(super) fn hostile(&mut self, market: &mut Market) -> Input {
        match self.below(12) {
            0..=2 => self.replay(market),
            3..=4 => self.forged(market),
            5..=6 => self.extreme(market),
            7 => {
                let id = self.trader();
                let body = self.old_deposit(id);
                self.open(market, body)
            }
            8 => self.late_trade(market),
            9 => self.parameters(market),
            10 => self.foreign_body(market),
            _ => self.stale_round(market),
        }
    }

    /// Something that was sent before, with its old numbers.
    fn replay(&mut self, market: &Market) -> Input {
        match self.old.clone() {
            Some(old) => Input::Operation(Box::new(old)),
            None => self.open(market, Body::CloseAccount),
        }
    }

    /// Somebody else's operation, or one for somewhere else.
    fn forged(&mut self, market: &Market) -> Input {
        let id = self.trader();
        let body = Body::Withdraw {
            asset: QUOTE,
            amount: 1,
            destination: Hash32([1; 32]),
        };
        let mut signed = self.setting.signed(market, &[id], body);
        let operation = &mut signed.operation;
        match self.below(6) {
            0 => operation.chain = ChainId([0; 32]),
            1 => operation.shard = ShardId(77),
            2 => operation.valid_until_round = Round(0),
            3 => operation.signers[0].sequence += 1,
            4 => {
                let other = self.trader();
                operation.signers[0].account = other;
            }
            _ => signed.signatures[0].0[0] ^= 1,
        }
        // All but the last two are signed as they are now.
        let resign = self.once_in(2);
        if resign {
            signed = Setting::stamped(market, signed.operation);
        }
        Input::Operation(Box::new(signed))
    }

    /// Numbers at the ends of their types.
    fn extreme(&mut self, market: &Market) -> Input {
        let (first, second) = (self.trader(), self.trader());
        let amount = u128::MAX >> self.below(3);
        let (asset, venue) = (QUOTE, second);
        let lots = (QUANTITY_LIMIT - 1) * if self.once_in(2) { 1 } else { -1 };
        let instrument = InstrumentId(1);
        let body = match self.below(8) {
            0 => Body::Post { asset, amount },
            1 => Body::Release { asset, amount },
            2 => Body::GrantBudget {
                venue,
                feed: ETH_FEED,
                amount,
            },
            3 => Body::CrossPrepare {
                cross: Hash32([3; 32]),
                cash: i128::MIN,
                peers: vec![ShardId(2)],
                deadline: self.context.round,
            },
            4 => {
                let price = self.price(market, instrument);
                let leg = Leg {
                    instrument,
                    lots,
                    price,
                };
                return self.sign(market, &[first, second], Body::Trade(vec![leg]));
            }
            5 => {
                let price = i64::MAX >> self.below(20);
                let leg = Leg {
                    instrument,
                    lots: i64::MIN,
                    price,
                };
                return self.sign(market, &[first, second], Body::Trade(vec![leg]));
            }
            6 => Body::Post {
                asset: USELESS,
                amount: 1,
            },
            _ => {
                let body = {
                    let owner = self.owner(first);
                    self.setting.deposit(u64::MAX, owner, asset, amount)
                };
                return self.open(market, body);
            }
        };
        self.sign(market, &[first], body)
    }

    /// A trade of something that may have expired.
    fn late_trade(&mut self, market: &Market) -> Input {
        let instruments: Vec<InstrumentId> = market
            .instruments()
            .filter(|(_, instrument)| {
                instrument.life > crate::entity::Life::Trading
                    && instrument.life != crate::entity::Life::Purged
            })
            .map(|(id, _)| *id)
            .collect();
        let instrument = self.pick(&instruments).unwrap_or(InstrumentId(1));
        let (first, second) = (self.active(market), self.active(market));
        let leg = Leg {
            instrument,
            lots: 1,
            price: self.price(market, instrument),
        };
        self.sign(market, &[first, second], Body::Trade(vec![leg]))
    }

    /// A change of parameters, sometimes the next one.
    fn parameters(&mut self, market: &Market) -> Input {
        let current = *market.parameters();
        let parameters = Parameters {
            version: current.version + u32::from(!self.once_in(3)),
            fee_ppm: 100 + u32::try_from(self.below(400)).unwrap_or(0),
            ..current
        };
        let change = ParameterChange {
            chain: self.setting.facts.chain,
            shard: self.setting.facts.shard,
            epoch: Epoch(self.context.epoch.0 + self.below(3)),
            parameters,
        };
        let body = self.setting.change(change);
        self.open(market, body)
    }

    /// An operation about things that are not there.
    fn foreign_body(&mut self, market: &Market) -> Input {
        let nobody = AccountId([0xee; 32]);
        let body = match self.below(6) {
            0 => Body::Mark { account: nobody },
            1 => Body::ExpirePage {
                instrument: InstrumentId(u32::MAX),
                accounts: 1,
            },
            2 => Body::CrossCommit {
                cross: Hash32([0xee; 32]),
            },
            3 => Body::CreateAccount {
                owner: owner_of(1),
                sub: 0,
            },
            4 => Body::MarginCall {
                account: self.trader(),
                rounds: vec![NamedRound {
                    feed: ETH_FEED,
                    round: 0,
                }],
            },
            _ => {
                let id = self.trader();
                return self.sign(market, &[id], Body::CloseAccount);
            }
        };
        self.open(market, body)
    }

    /// A round that is old, from the future, or absurd.
    fn stale_round(&mut self, market: &Market) -> Input {
        let feed = market.feed(ETH_FEED);
        let seen = feed.and_then(crate::entity::Feed::round_seen).unwrap_or(0);
        let now_ms = self.context.now_ms;
        let (round, timestamp_ms) = match self.below(3) {
            0 => (seen, now_ms),
            1 => (seen + 1, now_ms + 3_600_000),
            _ => (seen + 1, now_ms.saturating_sub(36_000_000)),
        };
        let price = 1 + i64::try_from(self.below(1 << 40)).unwrap_or(0);
        let round = round_of(round, timestamp_ms, price, &[], &[]);
        let body = self.setting.oracle(market, ETH_FEED, round);
        let Input::Operation(mut signed) = self.open(market, body) else {
            return Input::EndOfBlock;
        };
        let flip = self.once_in(3);
        if let Body::OracleUpdate(_, signature) = &mut signed.operation.body
            && flip
        {
            signature.0[0] ^= 1;
        }
        let signed: SignedOperation = *signed;
        Input::Operation(Box::new(signed))
    }
}
