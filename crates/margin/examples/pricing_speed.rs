//! What prices cost: `cargo run --profile quick -p quorate-margin --example pricing_speed`.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures time"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use quorate_margin::{
    CELLS, Contract, Curve, Fixed, Grid, Market, SLICE_MS, Svi, SviParameters, Terms, black76,
    implied_deviation, normal_distribution, risk_arrays,
};

const UNIT: i64 = 100_000_000;

fn main() {
    let deviations: Vec<Fixed> = (1..2_000)
        .map(|part| Fixed::from_ratio(part, 1_000).expect("a thousand is not zero"))
        .collect();
    let strike = Fixed::from(60_000 * UNIT);
    let forward = Fixed::from(61_234 * UNIT);
    measure("logarithm", &deviations, |deviation| {
        let _ = black_box(black_box(*deviation).ln());
    });
    measure("root", &deviations, |deviation| {
        let _ = black_box(black_box(*deviation).sqrt());
    });
    measure("exponential", &deviations, |deviation| {
        let _ = black_box(black_box(*deviation).exp());
    });
    measure("quotient", &deviations, |deviation| {
        let _ = black_box(black_box(*deviation).checked_div(strike));
    });
    measure("normal distribution", &deviations, |deviation| {
        let _ = black_box(normal_distribution(black_box(*deviation)));
    });
    measure("call and put", &deviations, |deviation| {
        let _ = black_box(black76(black_box(forward), strike, *deviation));
    });
    let prices: Vec<_> = deviations
        .iter()
        .take(200)
        .filter_map(|deviation| black76(forward, strike, *deviation).ok())
        .collect();
    measure("implied deviation", &prices, |pair| {
        let kind = quorate_margin::OptionKind::Call;
        let _ = black_box(implied_deviation(
            kind,
            forward,
            strike,
            black_box(pair.call),
        ));
    });
    arrays();
}

/// Prints the least time of one call in several runs over all inputs.
fn measure<T>(what: &str, inputs: &[T], work: impl Fn(&T)) {
    let run = || {
        let start = Instant::now();
        inputs.iter().for_each(&work);
        start.elapsed()
    };
    let least = (0..20).map(|_| run()).min().unwrap_or_default();
    let each = least.as_nanos() / inputs.len().max(1) as u128;
    println!("{what:<22} {each:>8} ns");
}

/// A thousand options of ten expiries.
fn arrays() {
    let smile = SviParameters {
        level: 4_000_000,
        slope: 40_000_000,
        correlation: -30_000_000,
        shift: 5_000_000,
        width: 20_000_000,
    };
    let smile = Svi::new(smile).expect("a valid smile");
    let curve = Curve::new(101_000_000, 3_000_000, smile).expect("a valid curve");
    let expiries = (1..=10).map(|week| 168 * SLICE_MS * week);
    let curves: BTreeMap<u64, Curve> = expiries.map(|expiry_ms| (expiry_ms, curve)).collect();
    let contracts: Vec<Contract> = curves
        .keys()
        .flat_map(|&expiry_ms| (0..100).map(move |at| (expiry_ms, (40_000 + 500 * at) * UNIT)))
        .enumerate()
        .map(|(at, (expiry_ms, strike))| {
            let terms = if at % 2 == 0 {
                Terms::Call { strike, expiry_ms }
            } else {
                Terms::Put { strike, expiry_ms }
            };
            Contract::new(terms, 10_000).expect("a valid contract")
        })
        .collect();
    let market = Market::new(61_000 * UNIT, 0, [7_000, 10_000, 15_000], curves);
    let market = market.expect("a valid market");
    let grid = Grid::new(450).expect("a valid step");
    // Least times of a few contracts each, added up: on a busy machine none of the longer stretches runs undisturbed.
    let few = |contracts: &[Contract]| {
        let start = Instant::now();
        let arrays = risk_arrays(grid, &market, black_box(contracts));
        let elapsed = start.elapsed();
        assert!(arrays.is_ok_and(|arrays| arrays.iter().all(Result::is_ok)));
        elapsed
    };
    let least = |contracts| (0..20).map(|_| few(contracts)).min().unwrap_or_default();
    let total: Duration = contracts.chunks(20).map(least).sum();
    let count = contracts.len();
    println!(
        "{count} arrays of {CELLS} cells {:>8} us",
        total.as_micros()
    );
}
