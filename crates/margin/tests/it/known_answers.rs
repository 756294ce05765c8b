//! Worked examples that others published, as rows and add-ons of this crate's model.

use quorate_margin::{AddOn, Portfolio, Row, ScenarioTable, surplus};
use quorate_types::{FeedId, InstrumentId};

fn row(instrument: u32, feed: u32, values: &[i64], add_on: AddOn) -> Row {
    Row {
        instrument: InstrumentId(instrument),
        feed: FeedId(feed),
        values: values.to_vec(),
        add_on,
    }
}

fn margin(rows: &[Row], cash: i128, positions: &[(u32, i64)]) -> i128 {
    let table = ScenarioTable::new(rows.to_vec()).unwrap();
    let positions: Vec<_> = positions
        .iter()
        .map(|(instrument, lots)| (InstrumentId(*instrument), *lots))
        .collect();
    surplus(&table, &Portfolio::new(cash, &positions).unwrap()).unwrap()
}

/// McMillan, Options as a Strategic Investment, chapter 34, pages 668 to 670: SPAN's 16 scenarios for the S&P 500 future
/// and its December 410 call, in dollars.
#[test]
fn span_of_a_long_call_and_of_a_covered_write() {
    let future = [
        0, 0, 3330, 3330, -3330, -3330, 6670, 6670, -6670, -6670, 10000, 10000, -10000, -10000,
        7000, -7000,
    ];
    let call = [
        460, -610, 2640, 1730, -1270, -2340, 5210, 4540, -2540, -3430, 8060, 7640, -3380, -3990,
        3130, -1500,
    ];
    let rows = [
        row(0, 0, &future, AddOn::NONE),
        row(1, 0, &call, AddOn::NONE),
    ];
    assert_eq!(margin(&rows, 0, &[(1, 1)]), -3990);
    assert_eq!(margin(&rows, 0, &[(0, 1), (1, -1)]), -6620);
}

// Derive, Standard Margin, examples 1 to 4 (docs.derive.xyz; in dollars). A short call costs a share of spot beyond its
// mark (15 % initially, 9 % to keep): a short-option minimum. A spread of one expiry costs the worst of its intrinsic
// values at the strikes: scenarios. A perpetual costs a share of its price (10 % and 6.5 %): two scenarios. Contingencies
// for a depegged quote asset and for low confidence cost a share of spot per contract, initially only: add-ons.

#[test]
fn derive_example_1_short_calls() {
    let requirement = |share_of_spot| {
        let add_on = AddOn {
            short_per_lot: share_of_spot,
            ..AddOn::NONE
        };
        margin(&[row(0, 0, &[120], add_on)], 2000, &[(0, -3)])
    };
    assert_eq!(requirement(1900 * 15 / 100), 785);
    assert_eq!(requirement(1900 * 9 / 100), 1127);
}

/// Intrinsic values at 0, 1700 and 1900 of calls at 1700 and 1900, and a perpetual at 28000 entered at its mark, worth
/// `shock` more or less.
fn spread_and_perpetual(shock: i64, short_call: u64, perpetual: u64) -> [Row; 3] {
    let short = |short_per_lot| AddOn {
        short_per_lot,
        ..AddOn::NONE
    };
    let either = AddOn {
        per_lot: perpetual,
        ..AddOn::NONE
    };
    [
        row(0, 0, &[0, 0, 200], short(short_call)),
        row(1, 0, &[0, 0, 0], short(short_call)),
        row(2, 1, &[-shock, shock], either),
    ]
}

#[test]
fn derive_examples_2_and_3_a_spread_and_a_perpetual() {
    let spread = [(0, -8), (1, 8)];
    let both = [(0, -8), (1, 8), (2, 7)];
    let initial = spread_and_perpetual(28_000 * 10 / 100, 0, 0);
    let maintenance = spread_and_perpetual(28_000 * 65 / 1000, 0, 0);
    assert_eq!(margin(&initial, 2000, &spread), 400);
    assert_eq!(margin(&maintenance, 2000, &spread), 400);
    assert_eq!(margin(&initial, 25_000, &both), 3800);
    assert_eq!(margin(&maintenance, 25_000, &both), 10_660);
}

/// Confidence in the perpetual's price 0.5 and the quote asset at 0.70: the depeg contingency is (0.99 - 0.70) * 2 of spot
/// for each short option and each perpetual, the oracle contingency (1 - 0.5) of spot for each perpetual.
#[test]
fn derive_example_4_contingencies() {
    let depeg = |spot: u64| spot * (99 - 70) * 2 / 100;
    let rows = spread_and_perpetual(28_000 * 10 / 100, depeg(2100), depeg(28_000) + 28_000 / 2);
    let both = [(0, -8), (1, 8), (2, 7)];
    assert_eq!(margin(&rows, 25_000, &both), -217_624);
}
