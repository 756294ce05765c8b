//! Random markets, portfolios and pending lanes, from a seed.

use quorate_margin::{AddOn, Change, Lane, Portfolio, Row, ScenarioTable};
use quorate_types::{FeedId, InstrumentId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Random numbers from a seed.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// One of `count` numbers from 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap();
        usize::try_from(self.0.next_u64() % count).unwrap()
    }

    /// A number between both, or one of them.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let count = usize::try_from(high - low + 1).unwrap();
        low + i64::try_from(self.below(count)).unwrap()
    }
}

/// Instruments with rows, and their table.
pub(crate) struct Market {
    pub(crate) rows: Vec<Row>,
    pub(crate) table: ScenarioTable,
}

impl Market {
    /// `feeds` feeds with a few instruments each: options and futures on a grid of prices in half of all markets, rows of
    /// noise in the others.
    pub(crate) fn random(draw: &mut Draw, feeds: u32, with_add_ons: bool) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for feed in 0..feeds {
            let scenarios = draw.between(3, 9);
            let noise = draw.below(2) == 0;
            let instruments = draw.between(2, 4);
            for number in 0..instruments {
                let values = if noise {
                    (0..scenarios).map(|_| draw.between(-400, 400)).collect()
                } else {
                    priced(draw, scenarios, number == 0)
                };
                let future = !noise && number == 0;
                rows.push(Row {
                    instrument: InstrumentId(u32::try_from(rows.len()).unwrap()),
                    feed: FeedId(feed),
                    values,
                    add_on: if with_add_ons {
                        add_on(draw, future)
                    } else {
                        AddOn::NONE
                    },
                });
            }
        }
        let table = ScenarioTable::new(rows.clone()).unwrap();
        Self { rows, table }
    }

    /// A portfolio with positions in every instrument and too little cash as often as not.
    pub(crate) fn portfolio(&self, draw: &mut Draw) -> Portfolio {
        let positions: Vec<_> = self
            .rows
            .iter()
            .map(|row| (row.instrument, draw.between(-3, 3)))
            .collect();
        let cash = i128::from(draw.between(-500, 6000));
        Portfolio::new(cash, &positions).unwrap()
    }

    /// A deposit, a withdrawal, or a trade near fair price, in the instruments of `feeds`.
    pub(crate) fn change(&self, draw: &mut Draw, feeds: &[FeedId]) -> Change {
        match draw.below(8) {
            0 => Change::new(i128::from(draw.between(1, 800)), &[]).unwrap(),
            1 => Change::new(i128::from(draw.between(-800, -1)), &[]).unwrap(),
            _ => self.trade(draw, feeds),
        }
    }

    /// A trade of one or two legs.
    pub(crate) fn trade(&self, draw: &mut Draw, feeds: &[FeedId]) -> Change {
        let rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| feeds.contains(&row.feed))
            .collect();
        let mut cash = 0;
        let mut legs = Vec::new();
        for _ in 0..draw.between(1, 2) {
            let row = rows[draw.below(rows.len())];
            let lots = draw.between(1, 3) * if draw.below(2) == 0 { 1 } else { -1 };
            let price = row.values[row.values.len() / 2] + draw.between(-20, 20);
            cash -= i128::from(lots * price);
            legs.push((row.instrument, lots));
        }
        Change::new(cash, &legs).unwrap()
    }

    pub(crate) fn feeds(&self) -> Vec<FeedId> {
        let mut feeds: Vec<_> = self.rows.iter().map(|row| row.feed).collect();
        feeds.dedup();
        feeds
    }
}

/// Whole-number stand-ins for options: intrinsic value and a time value that fades away from the strike.
fn priced(draw: &mut Draw, scenarios: i64, future: bool) -> Vec<i64> {
    let strike = 2000 + draw.between(-600, 600);
    let call = draw.below(2) == 0;
    let time_value = draw.between(20, 200);
    let value = |scenario: i64| {
        let price = 2000 + (scenario - scenarios / 2) * 90;
        if future {
            return price - 2000;
        }
        let intrinsic = if call { price - strike } else { strike - price };
        intrinsic.max(0) + (time_value - (price - strike).abs() / 5).max(0)
    };
    (0..scenarios).map(value).collect()
}

fn add_on(draw: &mut Draw, future: bool) -> AddOn {
    let mut rate = |most: i64| u64::try_from(draw.between(0, most)).unwrap();
    AddOn {
        short_per_lot: if future { 0 } else { rate(20) },
        per_lot: 1,
        large_per_lot: rate(8),
        large_from: rate(5),
    }
}

/// How pending changes are ordered among each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// No order: every subset can happen.
    Subsets,
    /// One lane.
    Chain,
    /// Some lanes of some changes.
    Mixed,
}

/// Lanes with `count` changes in all. Each lane keeps to one feed unless `crossing`.
pub(crate) fn lanes(
    draw: &mut Draw,
    market: &Market,
    shape: Shape,
    crossing: bool,
    count: usize,
) -> Vec<Lane> {
    let number = match shape {
        Shape::Subsets => count,
        Shape::Chain => 1,
        Shape::Mixed => 1 + draw.below(count),
    };
    let all = market.feeds();
    let homes: Vec<Vec<FeedId>> = (0..number)
        .map(|_| {
            if crossing {
                all.clone()
            } else {
                vec![all[draw.below(all.len())]]
            }
        })
        .collect();
    let mut lanes = vec![Lane::default(); number];
    for index in 0..count {
        let lane = if shape == Shape::Mixed {
            draw.below(number)
        } else {
            index % number
        };
        let change = market.change(draw, &homes[lane]);
        lanes[lane].changes.push(change);
    }
    lanes
}
