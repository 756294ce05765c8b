//! Real signatures: Ed25519 of owners, threshold BLS of oracles, bridge and governance.

use std::collections::BTreeMap;

use quorate_crypto::dealer::{Dealt, deal};
use quorate_crypto::{IdentitySecret, ThresholdPublic};
use quorate_margin::Terms;
use quorate_settlement::simulation::{ETH_FEED, QUOTE, listing_of, round_of};
use quorate_settlement::{
    Asset, Body, Context, Cryptography, DepositStatement, Facts, Feed, Fill, Leg, Listing, Market,
    Operation, OracleStatement, Order, Parameters, SignedOperation, SignedOrder, Signer,
};
use quorate_types::{
    AccountId, ChainId, DomainTag, Epoch, InstrumentId, RejectCode, Round, ShardId, Signature,
    ValidatorIndex,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const CHAIN: ChainId = ChainId([5; 32]);
const SHARD: ShardId = ShardId(2);
const PERPETUAL: InstrumentId = InstrumentId(1);
const PRICE: i64 = 200_000_000_000;

/// Three of four members of a group sign.
fn certify(group: &Dealt, message: &[u8]) -> Signature {
    let keys = ThresholdPublic::parse(&group.group, &group.shares_public, 3).unwrap();
    let share = |index: u16| {
        let secret = &group.secrets[usize::from(index)];
        (ValidatorIndex(index), secret.sign_share(message))
    };
    let combined = keys.combine(message, &[share(0), share(1), share(3)]);
    combined.unwrap().signature
}

struct World {
    market: Market,
    group: Dealt,
    people: Vec<IdentitySecret>,
    context: Context,
    cryptography: Cryptography,
}

impl World {
    fn new() -> Self {
        let group = deal(4, 3, &mut ChaCha20Rng::seed_from_u64(1));
        let facts = Facts {
            chain: CHAIN,
            shard: SHARD,
            quote: QUOTE,
            bridge: group.group,
            governance: group.group,
        };
        let feed = Feed {
            key: group.group,
            grid_step: 450,
            volatility_factors: [7_000, 10_000, 15_000],
            age_most_ms: 60_000,
            band_bp: 1_000,
            confidence_low_bp: 50,
            confidence_most_bp: 500,
            last: None,
            halt: None,
        };
        let assets = BTreeMap::from([(QUOTE, Asset::new(6, None))]);
        let feeds = BTreeMap::from([(ETH_FEED, feed)]);
        let market = Market::new(facts, Parameters::default(), assets, feeds).unwrap();
        let people = (1..=3).map(|seed| IdentitySecret::from_bytes(&[seed; 32]));
        Self {
            market,
            cryptography: Cryptography::new(&[group.group]),
            group,
            people: people.collect(),
            context: Context {
                round: Round(5),
                now_ms: 1_000_000,
                epoch: Epoch(1),
            },
        }
    }

    fn id(&self, person: usize) -> AccountId {
        AccountId::derive(&self.people[person].public(), 0)
    }

    fn sign(&self, signers: &[usize], body: Body) -> SignedOperation {
        let operation = Operation {
            chain: CHAIN,
            shard: SHARD,
            signers: signers
                .iter()
                .map(|person| Signer {
                    account: self.id(*person),
                    lane: 0,
                    sequence: self
                        .market
                        .account(&self.id(*person))
                        .map_or(0, |account| account.next_sequence(0)),
                })
                .collect(),
            valid_until_round: Round(100),
            max_fee: 1 << 60,
            body,
        };
        let id = operation.id();
        let sign =
            |person: &usize| self.people[*person].sign(DomainTag::SettlementSignature, &id.0);
        SignedOperation {
            signatures: signers.iter().map(sign).collect(),
            operation,
        }
    }

    fn send(&mut self, signed: &SignedOperation) -> Result<(), RejectCode> {
        let result = self
            .market
            .apply_with(self.context, signed, &self.cryptography);
        assert_eq!(self.market.check(), Ok(()));
        result.map(|_| ())
    }

    fn order(&self, person: usize, is_buy: bool) -> SignedOrder {
        let order = Order {
            chain: CHAIN,
            shard: SHARD,
            account: self.id(person),
            venue: self.id(2),
            instrument: PERPETUAL,
            is_buy,
            lots: 5,
            limit_price: PRICE,
            fee_cap_ppm: 200,
            is_reduce_only: false,
            expires: Round(50),
            nonce: 1,
        };
        let signature = self.people[person].sign(DomainTag::OrderSignature, &order.id().0);
        SignedOrder { order, signature }
    }
}

#[test]
fn operations_statements_and_orders_verify_under_real_keys_and_forged_ones_do_not() {
    let mut world = World::new();
    for person in 0..3 {
        let owner = world.people[person].public();
        let create = world.sign(&[person], Body::CreateAccount { owner, sub: 0 });
        world.send(&create).unwrap();
        let statement = DepositStatement {
            chain: CHAIN,
            shard: SHARD,
            source: 0,
            number: u64::try_from(person).unwrap(),
            owner,
            sub: 0,
            asset: QUOTE,
            amount: 1_000_000_000_000,
        };
        let signature = certify(&world.group, &statement.signing_bytes());
        // For another amount it is no certificate.
        let more = DepositStatement {
            amount: 2_000_000_000_000,
            ..statement
        };
        let forged = world.sign(&[], Body::Deposit(more, signature));
        assert_eq!(world.send(&forged), Err(RejectCode::BadSignature));
        let deposit = world.sign(&[], Body::Deposit(statement, signature));
        world.send(&deposit).unwrap();
        let (asset, amount) = (QUOTE, 500_000_000_000);
        let post = world.sign(&[person], Body::Post { asset, amount });
        world.send(&post).unwrap();
    }
    let listing = Listing {
        chain: CHAIN,
        shard: SHARD,
        ..listing_of(PERPETUAL, ETH_FEED, Terms::Perpetual)
    };
    let signature = certify(&world.group, &listing.signing_bytes());
    let list = world.sign(&[], Body::List(listing, signature));
    world.send(&list).unwrap();
    let statement = OracleStatement {
        chain: CHAIN,
        feed: ETH_FEED,
        round: round_of(1, 1_000_000, PRICE, &[], &[]),
    };
    // What a group signed for one purpose does not pass for another.
    let signature = certify(&world.group, &listing.signing_bytes());
    let forged = world.sign(&[], Body::OracleUpdate(statement.clone(), signature));
    assert_eq!(world.send(&forged), Err(RejectCode::BadSignature));
    let signature = certify(&world.group, &statement.signing_bytes());
    let update = world.sign(&[], Body::OracleUpdate(statement, signature));
    world.send(&update).unwrap();

    let legs = vec![Leg {
        instrument: PERPETUAL,
        lots: 3,
        price: PRICE,
    }];
    let mut forged = world.sign(&[0, 1], Body::Trade(legs.clone()));
    forged.signatures.swap(0, 1);
    assert_eq!(world.send(&forged), Err(RejectCode::BadSignature));
    let mut altered = world.sign(&[0, 1], Body::Trade(legs.clone()));
    altered.operation.max_fee += 1;
    assert_eq!(world.send(&altered), Err(RejectCode::BadSignature));
    let trade = world.sign(&[0, 1], Body::Trade(legs));
    world.send(&trade).unwrap();

    let fill = Fill {
        buy: world.order(0, true),
        sell: world.order(1, false),
        lots: 5,
        price: PRICE,
    };
    let mut bad = fill;
    bad.sell.order.lots = 6;
    let batch = |fill| Body::FillBatch {
        sequence: 0,
        fills: vec![fill],
    };
    let forged = world.sign(&[2], batch(bad));
    assert_eq!(world.send(&forged), Err(RejectCode::BadSignature));
    let filled = world.sign(&[2], batch(fill));
    world.send(&filled).unwrap();
    let held = world
        .market
        .account(&world.id(0))
        .unwrap()
        .lots_of(PERPETUAL);
    assert_eq!(held, 8);
    // Without keys prepared in advance the verdicts are the same.
    let mut other = World::new();
    other.cryptography = Cryptography::default();
    let owner = other.people[0].public();
    let create = other.sign(&[0], Body::CreateAccount { owner, sub: 0 });
    let _ = other.market.apply(other.context, &create).unwrap();
}
