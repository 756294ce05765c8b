//! The market that simulations and tests start from: one quote asset, two collateral assets with feeds, one that is none.

use std::collections::BTreeMap;

use quorate_margin::{AddOn, Contract, SVI_SCALE, SviParameters, Terms};
use quorate_types::{
    AccountId, AssetId, ChainId, DomainTag, FeedId, IdentityKey, InstrumentId, Round, ShardId,
    ThresholdKey,
};

use super::stamps::Stamps;
use crate::entity::{Asset, Collateral, CurvePoint, Feed, FeedRound, FundingRate, Parameters};
use crate::market::{Facts, Market};
use crate::operation::{
    Body, DepositStatement, Listing, Operation, OracleStatement, ParameterChange,
    SettlementStatement, SignedOperation, Signer,
};

/// The quote asset, with six decimals.
pub const QUOTE: AssetId = AssetId(1);
/// Collateral with eight decimals, priced by [`ETH_FEED`].
pub const ETH: AssetId = AssetId(2);
/// Collateral with eight decimals, priced by [`BTC_FEED`].
pub const BTC: AssetId = AssetId(3);
/// An asset that cannot be posted.
pub const USELESS: AssetId = AssetId(4);
/// Begins at 2,000.
pub const ETH_FEED: FeedId = FeedId(1);
/// Begins at 30,000.
pub const BTC_FEED: FeedId = FeedId(2);

/// Facts and parameters, and how statements for them are made.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The facts.
    pub facts: Facts,
    /// The parameters.
    pub parameters: Parameters,
}

/// The key of owner number `n`.
#[must_use]
pub fn owner_of(number: u8) -> IdentityKey {
    IdentityKey([number; 32])
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            facts: Facts {
                chain: ChainId([7; 32]),
                shard: ShardId(1),
                quote: QUOTE,
                bridge: ThresholdKey([1; 96]),
                governance: ThresholdKey([2; 96]),
            },
            parameters: Parameters {
                grace_rounds: 4,
                auction_rounds: 6,
                unbonding_rounds: 8,
                ..Parameters::default()
            },
        }
    }
}

impl Setting {
    /// A market without accounts and instruments.
    ///
    /// # Panics
    /// Never: the settings work together.
    #[must_use]
    pub fn market(&self) -> Market {
        let collateral = |feed, multiplier| Collateral {
            feed,
            lot_atoms: u64::from(multiplier) * 100,
            multiplier,
            haircut_initial_bp: 1_000,
            haircut_maintenance_bp: 500,
        };
        let assets = BTreeMap::from([
            (QUOTE, Asset::new(6, None)),
            (ETH, Asset::new(8, Some(collateral(ETH_FEED, 10_000)))),
            (BTC, Asset::new(8, Some(collateral(BTC_FEED, 1_000)))),
            (USELESS, Asset::new(0, None)),
        ]);
        let feed = |number| Feed {
            key: ThresholdKey([number; 96]),
            grid_step: 450,
            volatility_factors: [7_000, 10_000, 15_000],
            age_most_ms: 1_800_000,
            band_bp: 1_000,
            confidence_low_bp: 50,
            confidence_most_bp: 500,
            last: None,
            halt: None,
        };
        let feeds = BTreeMap::from([(ETH_FEED, feed(11)), (BTC_FEED, feed(12))]);
        Market::new(self.facts, self.parameters, assets, feeds).expect("the setting works")
    }

    /// An operation with the signers' next numbers in lane 0, signed.
    #[must_use]
    pub fn signed(&self, market: &Market, signers: &[AccountId], body: Body) -> SignedOperation {
        let signers = signers.iter().map(|id| Signer {
            account: *id,
            lane: 0,
            sequence: market
                .account(id)
                .map_or(0, |account| account.next_sequence(0)),
        });
        let operation = Operation {
            chain: self.facts.chain,
            shard: self.facts.shard,
            signers: signers.collect(),
            valid_until_round: Round(u64::MAX),
            max_fee: u128::MAX,
            body,
        };
        Self::stamped(market, operation)
    }

    /// An operation with the stamps of all its signers' owners, as far as they exist.
    #[must_use]
    pub fn stamped(market: &Market, operation: Operation) -> SignedOperation {
        let id = operation.id();
        let owner = |account: &AccountId| match &operation.body {
            Body::CreateAccount { owner, .. } => *owner,
            _ => market
                .account(account)
                .map_or(owner_of(0), |account| account.owner),
        };
        let signatures = operation.signers.iter().map(|signer| {
            let tag = DomainTag::SettlementSignature;
            Stamps::sign(&owner(&signer.account), tag, &id.0)
        });
        SignedOperation {
            signatures: signatures.collect(),
            operation,
        }
    }

    /// An oracle's round, certified.
    #[must_use]
    pub fn oracle(&self, market: &Market, feed: FeedId, round: FeedRound) -> Body {
        let statement = OracleStatement {
            chain: self.facts.chain,
            feed,
            round,
        };
        let key = market.feed(feed).map_or(self.facts.bridge, |feed| feed.key);
        let signature = Stamps::certify(&key, &statement.signing_bytes());
        Body::OracleUpdate(statement, signature)
    }

    /// A settlement price, certified.
    #[must_use]
    pub fn settlement(&self, market: &Market, feed: FeedId, expiry_ms: u64, price: i64) -> Body {
        let statement = SettlementStatement {
            chain: self.facts.chain,
            feed,
            expiry_ms,
            price,
        };
        let key = market.feed(feed).map_or(self.facts.bridge, |feed| feed.key);
        let signature = Stamps::certify(&key, &statement.signing_bytes());
        Body::SettlePrice(statement, signature)
    }

    /// A deposit, certified.
    #[must_use]
    pub fn deposit(&self, number: u64, owner: IdentityKey, asset: AssetId, amount: u128) -> Body {
        let statement = DepositStatement {
            chain: self.facts.chain,
            shard: self.facts.shard,
            source: 0,
            number,
            owner,
            sub: 0,
            asset,
            amount,
        };
        let signature = Stamps::certify(&self.facts.bridge, &statement.signing_bytes());
        Body::Deposit(statement, signature)
    }

    /// A listing, certified.
    #[must_use]
    pub fn list(&self, listing: Listing) -> Body {
        let listing = Listing {
            chain: self.facts.chain,
            shard: self.facts.shard,
            ..listing
        };
        let signature = Stamps::certify(&self.facts.governance, &listing.signing_bytes());
        Body::List(listing, signature)
    }

    /// A change of parameters, certified.
    #[must_use]
    pub fn change(&self, change: ParameterChange) -> Body {
        let signature = Stamps::certify(&self.facts.governance, &change.signing_bytes());
        Body::SetParameters(change, signature)
    }
}

/// A listing with usual add-ons, and lots of about 20 to 30 of the quote asset.
///
/// # Panics
/// If a strike is no price.
#[must_use]
pub fn listing_of(instrument: InstrumentId, feed: FeedId, terms: Terms) -> Listing {
    let multiplier = if feed == ETH_FEED { 10_000 } else { 1_000 };
    Listing {
        chain: ChainId([0; 32]),
        shard: ShardId(0),
        instrument,
        feed,
        contract: Contract::new(terms, multiplier).expect("strikes are prices"),
        tick: 1_000_000,
        trading_from_ms: 0,
        open_interest_cap: 1_000_000,
        add_on: AddOn {
            short_per_lot: 200_000,
            per_lot: 1,
            large_per_lot: 10_000,
            large_from: 5_000,
        },
    }
}

/// An oracle's round with a flat smile for each expiry.
#[must_use]
pub fn round_of(
    round: u64,
    timestamp_ms: u64,
    price: i64,
    expiries: &[u64],
    funding: &[(InstrumentId, i64)],
) -> FeedRound {
    let smile = SviParameters {
        level: SVI_SCALE / 2,
        slope: 0,
        correlation: 0,
        shift: 0,
        width: SVI_SCALE / 10,
    };
    let curves = expiries.iter().map(|expiry_ms| CurvePoint {
        expiry_ms: *expiry_ms,
        basis: SVI_SCALE,
        rate: 0,
        smile,
    });
    let funding = funding.iter().map(|(instrument, rate)| FundingRate {
        instrument: *instrument,
        rate: *rate,
    });
    FeedRound {
        round,
        timestamp_ms,
        price,
        confidence_bp: 10,
        curves: curves.collect(),
        funding: funding.collect(),
    }
}
