//! Parameters and listings.

use std::collections::BTreeMap;

use quorate_margin::{ADD_ON_LIMIT, AddOn, FACTOR_LIMIT, Grid};
use quorate_types::{ChainId, RejectCode, ShardId, Signature};

use super::{Facts, Market, is_over};
use crate::authentic::Authenticator;
use crate::entity::{Asset, Clock, Collateral, Feed, Instrument, Life, ParameterState};
use crate::error::MarketError;
use crate::limits::{INSTRUMENT_ID_MAX, INSTRUMENTS_MAX};
use crate::operation::{Listing, ParameterChange};
use quorate_types::{AssetId, FeedId};

impl Market {
    /// Sets what parameters will be from an epoch on, one version after another.
    pub(super) fn set_parameters(
        &mut self,
        change: &ParameterChange,
        signature: &Signature,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        self.require_ours(change.chain, change.shard)?;
        let bytes = change.signing_bytes();
        if !authenticator.is_certified(&self.facts.governance, &bytes, signature) {
            return Err(RejectCode::BadSignature);
        }
        let state = self.parameters;
        let expected = state.current.version.checked_add(1);
        let is_next = Some(change.parameters.version) == expected;
        if !is_next || state.next.is_some() || change.epoch <= self.clock.epoch {
            return Err(RejectCode::ParameterVersion);
        }
        if !change.parameters.is_valid() {
            return Err(RejectCode::Overflow);
        }
        self.set_next_parameters(ParameterState {
            next: Some((change.epoch, change.parameters)),
            ..state
        });
        Ok(())
    }

    /// Lists an instrument.
    pub(super) fn list(
        &mut self,
        listing: &Listing,
        signature: &Signature,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        self.require_ours(listing.chain, listing.shard)?;
        let bytes = listing.signing_bytes();
        if !authenticator.is_certified(&self.facts.governance, &bytes, signature) {
            return Err(RejectCode::BadSignature);
        }
        let id = listing.instrument;
        if self.instruments.contains_key(&id) || id.0 > INSTRUMENT_ID_MAX {
            return Err(RejectCode::ParameterVersion);
        }
        let feed = self.feeds.get(&listing.feed);
        let feed = feed.ok_or(RejectCode::NoInstrument)?.clone();
        let live = self.instruments.values();
        let live = live.filter(|instrument| instrument.life != Life::Purged);
        if live.count() >= INSTRUMENTS_MAX {
            return Err(RejectCode::TooManyPositions);
        }
        if listing.tick <= 0 || !is_sound(&listing.add_on) {
            return Err(RejectCode::Overflow);
        }
        let mut instrument = Instrument {
            feed: listing.feed,
            contract: listing.contract,
            tick: listing.tick,
            trading_from_ms: listing.trading_from_ms,
            open_interest_cap: listing.open_interest_cap,
            add_on: listing.add_on,
            life: Life::Listed,
            open_interest: 0,
            pool: 0,
            funding_total: 0,
            funded_round: 0,
        };
        if is_over(&instrument, self.clock.now_ms) {
            return Err(RejectCode::InstrumentExpired);
        }
        if listing.trading_from_ms <= self.clock.now_ms {
            instrument.life = Life::Trading;
        }
        self.insert_instrument(id, instrument);
        if let Some(last) = &feed.last {
            // Without a curve for it yet it cannot be traded, that is all.
            let one = vec![(id, listing.contract)];
            let prices = self.price_some(listing.feed, &feed, last, one);
            self.set_prices(prices.map_err(|_| RejectCode::NoPrice)?);
        }
        Ok(())
    }

    fn require_ours(&self, chain: ChainId, shard: ShardId) -> Result<(), RejectCode> {
        if chain != self.facts.chain {
            return Err(RejectCode::WrongChain);
        }
        if shard != self.facts.shard {
            return Err(RejectCode::WrongShard);
        }
        Ok(())
    }

    /// A market of these settings, with nothing derived from them yet.
    pub(super) fn bare(
        facts: Facts,
        parameters: ParameterState,
        assets: BTreeMap<AssetId, Asset>,
        feeds: BTreeMap<FeedId, Feed>,
    ) -> Self {
        Self {
            facts,
            clock: Clock::default(),
            parameters,
            assets,
            feeds,
            instruments: BTreeMap::new(),
            accounts: BTreeMap::new(),
            sources: BTreeMap::new(),
            orders: BTreeMap::new(),
            budgets: BTreeMap::new(),
            doubts: BTreeMap::new(),
            decisions: BTreeMap::new(),
            prices: super::Prices::default(),
            holders: std::collections::BTreeSet::new(),
            timers: std::collections::BTreeSet::new(),
            doubts_of: std::collections::BTreeSet::new(),
            journal: Vec::new(),
            dirty: std::collections::BTreeSet::new(),
            events: Vec::new(),
            mutation: None,
        }
    }

    /// That settings work together.
    pub(super) fn check_settings(&self) -> Result<(), MarketError> {
        let quote = self.assets.get(&self.facts.quote);
        if !quote.is_some_and(|quote| quote.decimals == 6 && quote.collateral.is_none()) {
            return Err(MarketError::Quote(self.facts.quote));
        }
        for (asset, facts) in &self.assets {
            let is_sound = facts.collateral.is_none_or(|collateral| {
                self.feeds.contains_key(&collateral.feed) && is_sound_collateral(&collateral)
            });
            if !is_sound || asset.0 > INSTRUMENT_ID_MAX {
                return Err(MarketError::Collateral(*asset));
            }
        }
        for (id, feed) in &self.feeds {
            Grid::new(feed.grid_step).map_err(|error| MarketError::Grid { feed: *id, error })?;
            let factors = &feed.volatility_factors;
            let ascending = factors.windows(2).all(|two| two[0] < two[1]);
            let within = factors
                .iter()
                .all(|factor| (1..=FACTOR_LIMIT).contains(factor));
            let bounds = feed.confidence_low_bp <= feed.confidence_most_bp && feed.band_bp < 10_000;
            if !ascending || !within || !bounds {
                return Err(MarketError::Feed(*id));
            }
        }
        let next = self.parameters.next.iter().map(|(_, next)| next);
        if !next
            .chain([&self.parameters.current])
            .all(|set| set.is_valid())
        {
            return Err(MarketError::Parameters);
        }
        Ok(())
    }
}

/// Rates within range, and an atom a lot at least, which covers the rounding of cells.
const fn is_sound(add_on: &AddOn) -> bool {
    add_on.per_lot >= 1
        && add_on.per_lot < ADD_ON_LIMIT
        && add_on.short_per_lot < ADD_ON_LIMIT
        && add_on.large_per_lot < ADD_ON_LIMIT
}

const fn is_sound_collateral(collateral: &Collateral) -> bool {
    collateral.lot_atoms > 0
        && collateral.multiplier > 0
        && collateral.haircut_maintenance_bp <= collateral.haircut_initial_bp
        && collateral.haircut_initial_bp <= 10_000
}
