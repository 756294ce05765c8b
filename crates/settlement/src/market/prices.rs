//! What follows from feeds' rounds: risk arrays, marks, and the tables that margin is summed up from.
//!
//! Nothing of it is stored: every validator computes it anew from the rounds, so nobody has to be believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_margin::{
    AddOn, ArrayError, CELLS, Contract, Curve, Grid, Market as Underlying, RiskArray, Row,
    ScenarioTable, Svi, Terms, Window, floor_atoms, mark, risk_array, risk_arrays,
};
use quorate_types::{AssetId, FeedId, InstrumentId, RejectCode};

use super::Market;
use crate::entity::{Collateral, Feed, FeedRound, Instrument, Life};
use crate::limits::INSTRUMENT_ID_MAX;

/// Risk arrays and tables of the present rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Prices {
    /// Counts changes of tables, so that caches know whether they are of the present one.
    pub(super) version: u64,
    instruments: BTreeMap<InstrumentId, Priced>,
    collateral: BTreeMap<AssetId, Priced>,
    tables: Option<Tables>,
}

#[derive(Clone, Debug)]
struct Priced {
    array: RiskArray,
    /// Quote atoms a lot at the price itself.
    mark: i64,
}

/// One table for each window.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// Initial margin, wider for feeds of low confidence.
    pub(super) initial: Arc<ScenarioTable>,
    /// Maintenance margin.
    pub(super) maintenance: Arc<ScenarioTable>,
}

/// New prices of one feed, computed before anything is changed.
pub(super) struct FeedPrices {
    instruments: Vec<(InstrumentId, Result<Priced, ArrayError>)>,
    collateral: Vec<(AssetId, Priced)>,
}

impl FeedPrices {
    /// The first instrument of those held that has no price.
    pub(super) fn first_unpriced(
        &self,
        is_held: impl Fn(InstrumentId) -> bool,
    ) -> Option<(InstrumentId, ArrayError)> {
        let failed = self.instruments.iter();
        let mut failed = failed.filter_map(|(id, priced)| Some((*id, priced.as_ref().err()?)));
        failed
            .find(|(id, _)| is_held(*id))
            .map(|(id, error)| (id, *error))
    }
}

/// Under which name an asset's collateral stands in tables.
pub(super) const fn collateral_row(asset: AssetId) -> InstrumentId {
    InstrumentId(asset.0 | (INSTRUMENT_ID_MAX + 1))
}

impl Market {
    /// What a round makes instruments and collateral of its feed worth.
    pub(super) fn price_feed(
        &self,
        id: FeedId,
        feed: &Feed,
        round: &FeedRound,
    ) -> Result<FeedPrices, ArrayError> {
        let instruments = self.instruments.iter();
        let of_feed = instruments
            .filter(|(_, instrument)| instrument.feed == id && is_priced_by_feed(instrument))
            .map(|(name, instrument)| (*name, instrument.contract))
            .collect();
        self.price_some(id, feed, round, of_feed)
    }

    /// The same for some instruments of the feed.
    pub(super) fn price_some(
        &self,
        id: FeedId,
        feed: &Feed,
        round: &FeedRound,
        priced: Vec<(InstrumentId, Contract)>,
    ) -> Result<FeedPrices, ArrayError> {
        let grid = Grid::new(feed.grid_step)?;
        let underlying = underlying(feed, round)?;
        let contracts: Vec<Contract> = priced.iter().map(|(_, contract)| *contract).collect();
        let arrays = risk_arrays(grid, &underlying, &contracts)?;
        let instruments = priced
            .into_iter()
            .zip(arrays)
            .map(|((name, contract), array)| {
                let priced = array.and_then(|array| {
                    let mark = mark(&underlying, contract)?;
                    Ok(Priced { array, mark })
                });
                (name, priced)
            });
        let instruments = instruments.collect();
        let assets = self.assets.iter();
        let assets = assets.filter_map(|(asset, facts)| Some((*asset, facts.collateral?)));
        let collateral = assets
            .filter(|(_, collateral)| collateral.feed == id)
            .map(|(asset, collateral)| {
                let whole = Contract::new(Terms::Perpetual, collateral.multiplier);
                let whole = whole.expect("settings were checked");
                let array = risk_array(grid, &underlying, whole)?;
                let mark = mark(&underlying, whole)?;
                Ok((asset, Priced { array, mark }))
            })
            .collect::<Result<_, ArrayError>>()?;
        Ok(FeedPrices {
            instruments,
            collateral,
        })
    }

    /// Takes new prices over.
    pub(super) fn set_prices(&mut self, prices: FeedPrices) {
        for (instrument, priced) in prices.instruments {
            match priced {
                Ok(priced) => self.prices.instruments.insert(instrument, priced),
                Err(_) => self.prices.instruments.remove(&instrument),
            };
        }
        self.prices.collateral.extend(prices.collateral);
        self.prices_changed();
    }

    /// Tables are of other rounds, or of other instruments.
    pub(super) fn prices_changed(&mut self) {
        self.prices.version += 1;
        self.prices.tables = None;
    }

    /// Quote atoms a lot at the feed's price, or at the settlement price.
    pub(super) fn mark_of(&self, id: InstrumentId) -> Result<i64, RejectCode> {
        let instrument = self.instruments.get(&id).ok_or(RejectCode::NoInstrument)?;
        if let Life::Settled { price } = instrument.life {
            return settled_cell(instrument, price).ok_or(RejectCode::NoPrice);
        }
        let priced = self.prices.instruments.get(&id);
        priced.map(|priced| priced.mark).ok_or(RejectCode::NoPrice)
    }

    /// Quote atoms of a margin lot of collateral at the feed's price.
    pub(super) fn collateral_mark(&self, asset: AssetId) -> Result<i64, RejectCode> {
        let priced = self.prices.collateral.get(&asset);
        priced.map(|priced| priced.mark).ok_or(RejectCode::NoPrice)
    }

    /// All cells of an instrument, without funding.
    pub(super) fn cells_of(&self, id: InstrumentId) -> Result<&[i64; CELLS], RejectCode> {
        let priced = self.prices.instruments.get(&id);
        priced
            .map(|priced| &priced.array.cells)
            .ok_or(RejectCode::NoPrice)
    }

    /// The tables of the present rounds.
    pub(super) fn tables(&mut self) -> Result<Tables, RejectCode> {
        if let Some(tables) = &self.prices.tables {
            return Ok(tables.clone());
        }
        let tables = self.build_tables()?;
        self.prices.tables = Some(tables.clone());
        Ok(tables)
    }

    /// The tables of the present rounds, from scratch.
    pub(super) fn build_tables(&self) -> Result<Tables, RejectCode> {
        let (mut initial, mut maintenance) = (Vec::new(), Vec::new());
        for (id, instrument) in &self.instruments {
            let funding = instrument.funding_index().ok_or(RejectCode::Overflow)?;
            let window = self.initial_window(instrument.feed);
            let (values, maintained) = match (instrument.life, self.prices.instruments.get(id)) {
                (Life::Settled { price }, _) => {
                    let cell = settled_cell(instrument, price).ok_or(RejectCode::Overflow)?;
                    let row = |window: Window| vec![cell; window.cells().len()];
                    (row(window), row(Window::MAINTENANCE))
                }
                (Life::Purged, _) | (_, None) => continue,
                (_, Some(priced)) => {
                    let row = |window: Window| {
                        let cells = priced.array.cells[window.cells()].iter();
                        // Both are below 2^62 in magnitude.
                        cells.map(|cell| cell - funding).collect::<Vec<_>>()
                    };
                    (row(window), row(Window::MAINTENANCE))
                }
            };
            for (rows, values) in [(&mut initial, values), (&mut maintenance, maintained)] {
                rows.push(Row {
                    instrument: *id,
                    feed: instrument.feed,
                    values,
                    add_on: instrument.add_on,
                });
            }
        }
        for (asset, priced) in &self.prices.collateral {
            let Some(collateral) = self.assets.get(asset).and_then(|facts| facts.collateral) else {
                continue;
            };
            let window = self.initial_window(collateral.feed);
            initial.push(collateral_values(*asset, &collateral, priced, window, true));
            let window = Window::MAINTENANCE;
            maintenance.push(collateral_values(
                *asset,
                &collateral,
                priced,
                window,
                false,
            ));
        }
        let table = |rows| ScenarioTable::new(rows).map_err(|_| RejectCode::Overflow);
        Ok(Tables {
            initial: Arc::new(table(initial)?),
            maintenance: Arc::new(table(maintenance)?),
        })
    }

    /// The window of initial margin.
    pub(super) fn initial_window(&self, feed: FeedId) -> Window {
        let window = Window::INITIAL;
        if self.feeds.get(&feed).is_some_and(Feed::is_doubtful) {
            let wider = window.widened(Window::LOW_CONFIDENCE);
            return wider.expect("one node more is within reach");
        }
        window
    }
}

/// Whether the feed's rounds make its price, and not its settlement.
fn is_priced_by_feed(instrument: &Instrument) -> bool {
    !matches!(instrument.life, Life::Settled { .. } | Life::Purged)
}

/// What a lot of a settled instrument is worth, rounded down as cells are.
fn settled_cell(instrument: &Instrument, price: i64) -> Option<i64> {
    let payoff = instrument.contract.payoff_numerator(price, 1).ok()?;
    i64::try_from(floor_atoms(payoff)).ok()
}

fn collateral_values(
    asset: AssetId,
    collateral: &Collateral,
    priced: &Priced,
    window: Window,
    is_initial: bool,
) -> Row {
    let haircut_bp = if is_initial {
        collateral.haircut_initial_bp
    } else {
        collateral.haircut_maintenance_bp
    };
    let rest = 10_000 - i128::from(haircut_bp);
    let cells = priced.array.cells[window.cells()].iter();
    let values = cells.map(|cell| {
        let value = (i128::from(*cell) * rest).div_euclid(10_000);
        i64::try_from(value).expect("a part of a cell is no more than it")
    });
    Row {
        instrument: collateral_row(asset),
        feed: collateral.feed,
        values: values.collect(),
        add_on: AddOn::NONE,
    }
}

/// A round in margin's terms.
fn underlying(feed: &Feed, round: &FeedRound) -> Result<Underlying, ArrayError> {
    let mut curves = BTreeMap::new();
    for point in &round.curves {
        let expiry_ms = point.expiry_ms;
        let missing = ArrayError::NoCurve { expiry_ms };
        let smile = Svi::new(point.smile).map_err(|_| missing)?;
        let curve = Curve::new(point.basis, point.rate, smile).map_err(|_| missing)?;
        curves.insert(expiry_ms, curve);
    }
    let (price, factors) = (round.price, feed.volatility_factors);
    Underlying::new(price, round.timestamp_ms, factors, curves)
        .map_err(|_| ArrayError::Forward { price })
}
