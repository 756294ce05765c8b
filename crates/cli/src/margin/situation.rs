//! From a file to tables, an account and lanes.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use quorate_margin::{
    AddOn, Change, Contract, Curve, Explanation, Grid, Lane, Market, PRICE_LIMIT, Portfolio, REACH,
    RiskArray, Row, SLICE_MS, ScenarioTable, Svi, SviParameters, Terms, VOLATILITIES, Window,
    check_price, check_quantity, explain, floor_atoms, mark, risk_array, value_numerator,
};
use quorate_types::{FeedId, InstrumentId};

use super::decimal;
use super::file::{self, File, Kind};

/// Digits of the quote asset, of prices and ratios, and of the underlying in a lot.
pub(super) const QUOTE_PLACES: usize = 6;
pub(super) const PRICE_PLACES: usize = 8;
const LOT_PLACES: usize = 6;

/// Everything that the file says, in the library's terms. Feeds and instruments are numbered as they stand in the file.
pub(super) struct Situation {
    pub(super) feeds: Vec<Feed>,
    pub(super) instruments: Vec<Instrument>,
    /// Names of operations by lane, in their order.
    pub(super) lanes: Vec<Vec<Operation>>,
    pub(super) explanation: Explanation,
}

pub(super) struct Feed {
    pub(super) name: String,
    pub(super) market: Market,
    pub(super) grid: Grid,
    initial: Window,
    maintenance: Window,
}

pub(super) struct Instrument {
    pub(super) name: String,
    pub(super) feed: usize,
    /// Of one lot at the feed's price, in quote atoms.
    pub(super) mark: i64,
    contract: Contract,
    array: RiskArray,
    add_on: AddOn,
}

pub(super) struct Operation {
    pub(super) name: String,
    pub(super) certified: bool,
}

impl Situation {
    pub(super) fn new(file: &File) -> anyhow::Result<Self> {
        let feeds = all(&file.feed, |feed| feed.name.as_str(), Feed::new)?;
        unique(feeds.iter().map(|feed| &*feed.name), "feed")?;
        let instruments = all(
            &file.instrument,
            |instrument| instrument.name.as_str(),
            |instrument| Instrument::new(instrument, &feeds),
        )?;
        unique(instruments.iter().map(|of| &*of.name), "instrument")?;
        let portfolio = portfolio(&file.account, &instruments).context("account")?;
        let (lanes, pending, certified) = lanes(&file.pending, &instruments)?;
        let initial = table(&instruments, |of| feeds[of.feed].initial)?;
        let maintenance = table(&instruments, |of| feeds[of.feed].maintenance)?;
        let explanation = explain(&initial, &maintenance, &portfolio, &pending, &certified)?;
        Ok(Self {
            feeds,
            instruments,
            lanes,
            explanation,
        })
    }
}

impl Feed {
    fn new(file: &file::Feed) -> anyhow::Result<Self> {
        let grid = Grid::new(file.step)?;
        let curves = file.curve.iter().map(|curve| {
            let what = || format!("curve of {} hours", curve.expires_in_hours);
            let built = self::curve(curve).with_context(what)?;
            Ok((expiry_ms(curve.expires_in_hours)?, built))
        });
        let curves: BTreeMap<u64, Curve> = curves.collect::<anyhow::Result<_>>()?;
        if curves.len() < file.curve.len() {
            bail!("two curves of one expiry");
        }
        let price = price(&file.price)?;
        let market = Market::new(price, 0, file.volatility_factors, curves)?;
        let more = grid.nodes_for_band(file.band_bp)?;
        let doubt = if file.low_confidence {
            Window::LOW_CONFIDENCE
        } else {
            0
        };
        let wide = || {
            let (band, room) = (file.band_bp, REACH - Window::INITIAL.nodes() - doubt);
            format!(
                "a band of {band} bp is too wide: it may move the price by {more} nodes of the grid, and there is room for {room}"
            )
        };
        let initial = Window::INITIAL
            .widened(more.saturating_add(doubt))
            .with_context(wide)?;
        Ok(Self {
            name: file.name.clone(),
            market,
            grid,
            initial,
            // A call names its round: it is decided at that price alone.
            maintenance: Window::MAINTENANCE,
        })
    }

    /// Price and volatility factor of a scenario of the initial window.
    pub(super) fn scenario(&self, scenario: usize) -> anyhow::Result<(i64, u32)> {
        let cell = self.initial.cells().start + scenario;
        let centre = self.grid.centre(self.market.price())?;
        let prices = self.grid.prices_around(centre)?;
        let factor = self.market.volatility_factors()[cell % VOLATILITIES];
        Ok((prices[cell / VOLATILITIES], factor))
    }
}

impl Instrument {
    fn new(file: &file::Instrument, feeds: &[Feed]) -> anyhow::Result<Self> {
        let feed = feeds.iter().position(|feed| feed.name == file.feed);
        let feed = feed.ok_or_else(|| anyhow!("there is no feed \"{}\"", file.feed))?;
        let lot = decimal::parse(&file.lot, LOT_PLACES)?;
        let multiplier =
            u32::try_from(lot).map_err(|_| anyhow!("lot {} is too large", file.lot))?;
        let contract = Contract::new(terms(file)?, multiplier)?;
        let minimum = decimal::parse(&file.short_minimum, QUOTE_PLACES)?;
        let Feed { market, grid, .. } = &feeds[feed];
        Ok(Self {
            name: file.name.clone(),
            feed,
            mark: mark(market, contract)?,
            contract,
            array: risk_array(*grid, market, contract)?,
            add_on: AddOn {
                short_per_lot: u64::try_from(minimum)
                    .map_err(|_| anyhow!("short_minimum {} is out of range", file.short_minimum))?,
                // Covers the rounding of cells.
                per_lot: 1,
                ..AddOn::NONE
            },
        })
    }

    /// What so many lots at a price bring the buyer's cash: less than nothing, and rounded against it.
    fn paid(&self, lots: i64, price: &str) -> anyhow::Result<i128> {
        let price = self::price(price)?;
        let exact = value_numerator(lots, self.contract.multiplier(), price)?;
        Ok(floor_atoms(-exact))
    }
}

fn terms(file: &file::Instrument) -> anyhow::Result<Terms> {
    let expiry = || {
        let hours = file.expires_in_hours;
        expiry_ms(hours.ok_or_else(|| anyhow!("expires_in_hours is missing"))?)
    };
    let strike = || {
        let strike = file.strike.as_deref();
        price(strike.ok_or_else(|| anyhow!("strike is missing"))?)
    };
    let is_option = matches!(file.kind, Kind::Call | Kind::Put);
    if !is_option && file.strike.is_some() {
        bail!("only options have a strike");
    }
    if file.kind == Kind::Perpetual && file.expires_in_hours.is_some() {
        bail!("a perpetual does not expire");
    }
    Ok(match file.kind {
        Kind::Call => Terms::Call {
            strike: strike()?,
            expiry_ms: expiry()?,
        },
        Kind::Put => Terms::Put {
            strike: strike()?,
            expiry_ms: expiry()?,
        },
        Kind::Future => Terms::Future {
            expiry_ms: expiry()?,
        },
        Kind::Perpetual => Terms::Perpetual,
    })
}

fn curve(file: &file::Curve) -> anyhow::Result<Curve> {
    let svi = match (&file.volatility, &file.smile) {
        (Some(volatility), None) => {
            let volatility = decimal::parse(volatility, PRICE_PLACES)?;
            if volatility < 0 {
                bail!("the volatility is negative");
            }
            let square = volatility.checked_mul(volatility);
            let variance = square.map(|square| square / 10i128.pow(8));
            let variance = variance.and_then(|variance| i64::try_from(variance).ok());
            Svi::flat(variance.ok_or_else(|| anyhow!("the volatility is out of range"))?)?
        }
        (None, Some(smile)) => Svi::new(SviParameters {
            level: small(&smile.level, PRICE_PLACES)?,
            slope: small(&smile.slope, PRICE_PLACES)?,
            correlation: small(&smile.correlation, PRICE_PLACES)?,
            shift: small(&smile.shift, PRICE_PLACES)?,
            width: small(&smile.width, PRICE_PLACES)?,
        })?,
        _ => bail!("a curve has either a volatility or a smile"),
    };
    let basis = small(&file.basis, PRICE_PLACES)?;
    let rate = small(&file.rate, PRICE_PLACES)?;
    Ok(Curve::new(basis, rate, svi)?)
}

fn portfolio(file: &file::Account, instruments: &[Instrument]) -> anyhow::Result<Portfolio> {
    let mut cash = decimal::parse(&file.cash, QUOTE_PLACES)?;
    let mut positions = Vec::new();
    for position in &file.position {
        let (id, instrument) = find(instruments, &position.instrument)?;
        let lots = lots(&position.instrument, position.lots)?;
        let is_option = instrument.contract.terms().option().is_some();
        match &position.entry {
            Some(_) if is_option => bail!("{}: an option's premium is paid", position.instrument),
            None if !is_option => bail!("{}: entry is missing", position.instrument),
            // The row of a future is its whole value, so what it was entered at stands in cash.
            Some(entry) => cash = sum(cash, instrument.paid(lots, entry)?)?,
            None => {}
        }
        positions.push((id, lots));
    }
    unique(
        file.position.iter().map(|position| &*position.instrument),
        "position in",
    )?;
    Ok(Portfolio::new(cash, &positions)?)
}

type Lanes = (Vec<Vec<Operation>>, Vec<Lane>, Vec<Lane>);

/// Names, changes, and the changes that have certificates.
fn lanes(file: &[file::Pending], instruments: &[Instrument]) -> anyhow::Result<Lanes> {
    let (mut names, mut pending, mut certified) = (Vec::new(), Vec::new(), Vec::new());
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    unique(
        file.iter().map(|operation| &*operation.name),
        "pending operation",
    )?;
    for operation in file {
        let change = change(operation, instruments)
            .with_context(|| format!("pending \"{}\"", operation.name))?;
        let next = names.len();
        let lane = match &operation.lane {
            Some(lane) => *open.entry(lane).or_insert(next),
            None => next,
        };
        if lane == next {
            names.push(Vec::new());
            pending.push(Lane::default());
            certified.push(Lane::default());
        }
        let names: &mut Vec<Operation> = &mut names[lane];
        if operation.certified {
            if names.iter().any(|earlier| !earlier.certified) {
                bail!(
                    "pending \"{}\" is certified, and what must happen before it is not",
                    operation.name
                );
            }
            certified[lane].changes.push(change.clone());
        }
        names.push(Operation {
            name: operation.name.clone(),
            certified: operation.certified,
        });
        pending[lane].changes.push(change);
    }
    certified.retain(|lane| !lane.changes.is_empty());
    Ok((names, pending, certified))
}

fn change(file: &file::Pending, instruments: &[Instrument]) -> anyhow::Result<Change> {
    let mut cash = decimal::parse(&file.cash, QUOTE_PLACES)?;
    let mut legs = Vec::new();
    for leg in &file.leg {
        let (id, instrument) = find(instruments, &leg.instrument)?;
        let lots = lots(&leg.instrument, leg.lots)?;
        cash = sum(cash, instrument.paid(lots, &leg.price)?)?;
        legs.push((id, lots));
    }
    Ok(Change::new(cash, &legs)?)
}

fn table(
    instruments: &[Instrument],
    window: impl Fn(&Instrument) -> Window,
) -> anyhow::Result<ScenarioTable> {
    let row = |(number, of): (usize, &Instrument)| {
        Ok(Row {
            instrument: InstrumentId(u32::try_from(number)?),
            feed: FeedId(u32::try_from(of.feed)?),
            values: of.array.cells[window(of).cells()].to_vec(),
            add_on: of.add_on,
        })
    };
    let rows: anyhow::Result<_> = instruments.iter().enumerate().map(row).collect();
    Ok(ScenarioTable::new(rows?)?)
}

fn find<'a>(
    instruments: &'a [Instrument],
    name: &str,
) -> anyhow::Result<(InstrumentId, &'a Instrument)> {
    let number = instruments.iter().position(|of| of.name == name);
    let number = number.ok_or_else(|| anyhow!("there is no instrument \"{name}\""))?;
    Ok((InstrumentId(u32::try_from(number)?), &instruments[number]))
}

/// Builds each, and names the one that cannot be.
fn all<F, T>(
    files: &[F],
    name: fn(&F) -> &str,
    build: impl Fn(&F) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let one = |file| build(file).with_context(|| format!("\"{}\"", name(file)));
    files.iter().map(one).collect()
}

fn unique<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> anyhow::Result<()> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => bail!("there is more than one {what} \"{}\"", pair[0]),
        None => Ok(()),
    }
}

fn lots(instrument: &str, lots: i64) -> anyhow::Result<i64> {
    check_quantity(lots).with_context(|| instrument.to_owned())
}

fn sum(cash: i128, more: i128) -> anyhow::Result<i128> {
    cash.checked_add(more)
        .ok_or_else(|| anyhow!("the cash is out of range"))
}

/// A price in 1e-8, within the bounds of prices.
fn price(text: &str) -> anyhow::Result<i64> {
    let units = small(text, PRICE_PLACES)?;
    check_price(units).map_err(|_| {
        let most = decimal::show(i128::from(PRICE_LIMIT), PRICE_PLACES);
        anyhow!("a price of {text} is not above 0 and below {most}")
    })
}

fn small(text: &str, places: usize) -> anyhow::Result<i64> {
    let units = decimal::parse(text, places)?;
    i64::try_from(units).map_err(|_| anyhow!("\"{text}\" is out of range"))
}

fn expiry_ms(hours: u64) -> anyhow::Result<u64> {
    let expiry = hours.checked_mul(SLICE_MS);
    expiry.ok_or_else(|| anyhow!("{hours} hours are out of range"))
}
