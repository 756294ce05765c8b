//! How long margin takes: `cargo run -p quorate-margin --profile quick --example margin_speed`.
//!
//! One account with 30 positions of 200 instruments on one feed of 27 scenarios, and pending changes mixed as they were
//! for the specification's figures (SETTLEMENT 3.3), which stand beside those of this machine. Those were measured on
//! a bare formula, without bounds, add-ons beyond one, and lookups of instruments. Each figure here is the least of many
//! short runs, so that a busy machine disturbs it little. A first argument picks the lines that begin with it.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures time"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use quorate_margin::{
    AddOn, Change, Escrow, Lane, LaneId, Portfolio, Row, ScenarioTable, robust, surplus, upper,
};
use quorate_types::{FeedId, InstrumentId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const INSTRUMENTS: u32 = 200;
const SCENARIOS: i64 = 27;
const RUNS: u32 = 300;

fn main() {
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let table = Arc::new(table(&mut random));
    let positions: Vec<_> = (0..30)
        .map(|n| (InstrumentId(n * 6), 5 - i64::from(n % 10)))
        .collect();
    let positions: Vec<_> = positions
        .into_iter()
        .map(|(instrument, lots)| (instrument, if lots == 0 { 7 } else { lots }))
        .collect();
    let portfolio = Portfolio::new(1_000_000_000_000_000, &positions).expect("in range");
    let changes: Vec<Change> = (0..1000).map(|_| change(&mut random)).collect();
    let lanes: Vec<Lane> = changes.iter().cloned().map(Lane::from).collect();

    println!("{:40} {:>12} {:>12}", "", "here", "specified");
    report("plain margin, 30 positions", Some(1_400), 200, || {
        black_box(surplus(&table, black_box(&portfolio))).is_ok()
    });
    for (count, stated) in [(1, None), (10, Some(2_000)), (1000, Some(88_000))] {
        let some = &lanes[..count];
        let times = (100 / u32::try_from(count).expect("small")).max(1);
        report(&format!("R, {count} pending"), stated, times, || {
            black_box(robust(&table, black_box(&portfolio), some)).is_ok()
        });
        report(&format!("U, {count} certified"), None, times, || {
            black_box(upper(&table, black_box(&portfolio), some)).is_ok()
        });
    }

    let mut escrow = Escrow::new(table, portfolio).expect("known instruments");
    for (number, change) in (0u64..).zip(&changes[..500]) {
        escrow
            .push(LaneId(number), change.clone())
            .expect("in range");
    }
    let mut next = 0;
    report("escrow test, 500 pending", Some(120), 500, || {
        next = (next + 1) % changes.len();
        black_box(escrow.admits(LaneId(1000), black_box(&changes[next]))).is_ok()
    });
    report("escrow push and settle, 500 pending", None, 200, || {
        next = (next + 1) % changes.len();
        escrow.push(LaneId(1000), changes[next].clone()).is_ok()
            && escrow.settle(LaneId(1000)).is_ok()
    });
}

fn report(what: &str, stated: Option<u32>, times: u32, mut work: impl FnMut() -> bool) {
    if std::env::args()
        .nth(1)
        .is_some_and(|only| !what.starts_with(&only))
    {
        return;
    }
    let mut least = u128::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..times {
            assert!(work());
        }
        least = least.min(start.elapsed().as_nanos() / u128::from(times));
    }
    let stated = stated.map_or_else(String::new, |ns| format!("{ns} ns"));
    println!("{what:40} {least:>9} ns {stated:>12}");
}

fn table(random: &mut ChaCha8Rng) -> ScenarioTable {
    let rows = (0..INSTRUMENTS).map(|instrument| Row {
        instrument: InstrumentId(instrument),
        feed: FeedId(0),
        values: (0..SCENARIOS).map(|_| below(random, 500_000_000)).collect(),
        add_on: AddOn {
            short_per_lot: 20_000_000,
            per_lot: 1,
            large_per_lot: 1_000_000,
            large_from: 100,
        },
    });
    ScenarioTable::new(rows.collect()).expect("in range")
}

/// Cash paid in, one time in ten, or out, two in ten; otherwise a trade of one or two legs of a few lots.
fn change(random: &mut ChaCha8Rng) -> Change {
    let cash = i128::from(below(random, 800_000_000));
    match below(random, 10) {
        0 => Change::new(cash, &[]),
        1 | 2 => Change::new(-cash, &[]),
        _ => {
            let legs: Vec<_> = (0..=below(random, 2)).map(|_| leg(random)).collect();
            Change::new(cash - 400_000_000, &legs)
        }
    }
    .expect("in range")
}

fn leg(random: &mut ChaCha8Rng) -> (InstrumentId, i64) {
    let number = u32::try_from(below(random, i64::from(INSTRUMENTS))).expect("small");
    let lots = 1 + below(random, 3);
    let sold = below(random, 2) == 0;
    (InstrumentId(number), if sold { -lots } else { lots })
}

fn below(random: &mut ChaCha8Rng, count: i64) -> i64 {
    i64::try_from(random.next_u64() % u64::try_from(count).expect("positive")).expect("below count")
}
