//! Risk arrays: cells, marks, and the promise that holds within a band.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_margin::{
    ArrayError, CELLS, Contract, Curve, Fixed, Grid, GridError, Market, NODES, OptionKind, REACH,
    RangeError, RiskArray, SCALE, SLICE_MS, Svi, SviParameters, Terms, Window, black76, mark,
    risk_array, risk_arrays, value,
};

const UNIT: i64 = 100_000_000;
const DAY_MS: u64 = 24 * SLICE_MS;
const FACTORS: [u32; 3] = [7_000, 10_000, 15_000];
/// A hundredth of the underlying per lot.
const LOT: u32 = 10_000;

fn smile() -> Svi {
    Svi::new(SviParameters {
        level: 4_000_000,
        slope: 40_000_000,
        correlation: -30_000_000,
        shift: 5_000_000,
        width: 20_000_000,
    })
    .unwrap()
}

/// Two expiries, a week and ninety days from zero.
fn market(price: i64, now_ms: u64) -> Market {
    let curves = BTreeMap::from([
        (
            7 * DAY_MS,
            Curve::new(100_100_000, 3_000_000, smile()).unwrap(),
        ),
        (
            90 * DAY_MS,
            Curve::new(101_500_000, 4_000_000, smile()).unwrap(),
        ),
    ]);
    Market::new(price, now_ms, FACTORS, curves).unwrap()
}

fn grid() -> Grid {
    Grid::new(450).unwrap()
}

fn contract(terms: Terms) -> Contract {
    Contract::new(terms, LOT).unwrap()
}

fn call(strike: i64, days: u64) -> Contract {
    contract(Terms::Call {
        strike: strike * UNIT,
        expiry_ms: days * DAY_MS,
    })
}

fn put(strike: i64, days: u64) -> Contract {
    contract(Terms::Put {
        strike: strike * UNIT,
        expiry_ms: days * DAY_MS,
    })
}

fn future(days: u64) -> Contract {
    contract(Terms::Future {
        expiry_ms: days * DAY_MS,
    })
}

/// Every kind of instrument, with strikes around 60,000.
fn contracts() -> Vec<Contract> {
    let options = [40_000, 55_000, 60_000, 65_000, 90_000]
        .into_iter()
        .flat_map(|strike| [7, 90].map(|days| [call(strike, days), put(strike, days)]));
    let others = [future(7), future(90), contract(Terms::Perpetual)];
    options.flatten().chain(others).collect()
}

fn arrays(price: i64, now_ms: u64) -> Vec<RiskArray> {
    let arrays = risk_arrays(grid(), &market(price, now_ms), &contracts()).unwrap();
    arrays.into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_cell_is_the_formula_at_its_node() {
    // Written out for one call: curve of ninety days, first instant, every node and factor.
    let strike = Fixed::from(60_000 * UNIT);
    let array = risk_array(grid(), &market(61_000 * UNIT, 0), call(60_000, 90)).unwrap();
    assert_eq!(array.centre, grid().centre(61_000 * UNIT).unwrap());
    let years = Fixed::from_ratio(90 * 24, 8_760).unwrap();
    let discount = Fixed::from_ratio(-4 * 90, 100 * 365)
        .unwrap()
        .exp()
        .unwrap();
    let prices = grid().prices_around(array.centre).unwrap();
    for (node, price) in prices.into_iter().enumerate() {
        let forward = Fixed::from_ratio(i128::from(price) * 1_015, 1_000).unwrap();
        let moneyness = strike.checked_div(forward).unwrap().ln().unwrap();
        let deviation = smile().deviation(moneyness, years).unwrap();
        for (volatility, factor) in FACTORS.into_iter().enumerate() {
            let deviation = Fixed::from_raw(deviation.raw() * i128::from(factor) / 10_000);
            let unit = black76(forward, strike, deviation).unwrap();
            let unit = unit.discounted(discount).unwrap().of(OptionKind::Call);
            let atoms = (unit.raw() * i128::from(LOT)).div_euclid(SCALE << 64);
            let cell = i128::from(array.cell(node, volatility).unwrap());
            assert_eq!(cell, atoms, "{node} {volatility}");
            assert_eq!(
                array.cells[node * 3 + volatility],
                array.cell(node, volatility).unwrap()
            );
        }
    }
    assert_eq!(array.cell(NODES, 0), None);
    assert_eq!(array.cell(0, 3), None);
}

#[test]
fn futures_and_perpetuals_are_worth_their_price() {
    let market = market(61_000 * UNIT, 0);
    let perpetual = risk_array(grid(), &market, contract(Terms::Perpetual)).unwrap();
    let future = risk_array(grid(), &market, future(90)).unwrap();
    let prices = grid().prices_around(perpetual.centre).unwrap();
    for (node, price) in prices.into_iter().enumerate() {
        let forward = i128::from(price) * i128::from(LOT) * 1_015 / (1_000 * SCALE);
        for volatility in 0..3 {
            let cell = |array: &RiskArray| i128::from(array.cell(node, volatility).unwrap());
            assert_eq!(cell(&perpetual), value(1, LOT, price).unwrap());
            assert_eq!(cell(&future), forward);
        }
    }
    assert_eq!(mark(&market, contract(Terms::Perpetual)), Ok(610_000_000));
    assert_eq!(mark(&market, self::future(90)), Ok(619_150_000));
}

#[test]
fn at_and_after_expiry_cells_are_payoffs() {
    for now_ms in [7 * DAY_MS, 8 * DAY_MS] {
        let market = market(61_000 * UNIT, now_ms);
        for contract in [call(60_000, 7), put(63_000, 7), future(7)] {
            let array = risk_array(grid(), &market, contract).unwrap();
            let prices = grid().prices_around(array.centre).unwrap();
            for (node, price) in prices.into_iter().enumerate() {
                let payoff = contract.payoff(price, 1).unwrap();
                for volatility in 0..3 {
                    assert_eq!(i128::from(array.cell(node, volatility).unwrap()), payoff);
                }
            }
            let payoff = contract.payoff(61_000 * UNIT, 1).unwrap();
            assert_eq!(mark(&market, contract).map(i128::from), Ok(payoff));
        }
        // Nothing needs a curve any more.
        assert!(risk_array(grid(), &market, call(60_000, 0)).is_ok());
    }
}

#[test]
fn time_passes_in_slices() {
    assert_eq!(
        arrays(61_000 * UNIT, 1),
        arrays(61_000 * UNIT, SLICE_MS - 1)
    );
    // One slice later whatever has time value is worth less: the four options struck at 60,000.
    let (now, later) = (arrays(61_000 * UNIT, 0), arrays(61_000 * UNIT, 1));
    assert_eq!(now, later);
    let later = arrays(61_000 * UNIT, SLICE_MS);
    for option in 8..12 {
        assert!(now[option].cells[CELLS / 2] > later[option].cells[CELLS / 2]);
    }
}

#[test]
fn an_instrument_that_cannot_be_priced_spoils_no_other() {
    let market = market(61_000 * UNIT, 0);
    let far = 4_000;
    let contracts = [call(60_000, 30), call(60_000, 7), call(60_000, far)];
    let arrays = risk_arrays(grid(), &market, &contracts).unwrap();
    assert_eq!(
        arrays[0],
        Err(ArrayError::NoCurve {
            expiry_ms: 30 * DAY_MS
        })
    );
    assert!(arrays[1].is_ok());
    assert_eq!(
        arrays[2],
        Err(ArrayError::TooFar {
            expiry_ms: far * DAY_MS
        })
    );
    assert_eq!(
        mark(&market, contracts[0]),
        Err(ArrayError::NoCurve {
            expiry_ms: 30 * DAY_MS
        })
    );

    let limit = 1 << 47;
    let dear = self::market(limit - 1, 0);
    assert!(matches!(
        risk_arrays(grid(), &dear, &contracts),
        Err(ArrayError::Grid(GridError::Node(_)))
    ));
    let price = limit - 1;
    assert_eq!(
        mark(&dear, call(60_000, 7)),
        Err(ArrayError::Forward { price })
    );
    assert!(mark(&dear, contract(Terms::Perpetual)).is_ok());
    let cheap = self::market(1, 0);
    assert_eq!(
        risk_array(grid(), &cheap, contracts[1]),
        Err(ArrayError::Grid(GridError::PriceTooLow(1)))
    );
    assert_eq!(contracts[1].payoff(0, 1), Err(RangeError::Price(0)));
}

#[test]
fn the_largest_lot_fits_a_cell() {
    // Ten years at a rate of minus one half, a basis of ten, the largest multiplier and a strike at the limit of prices.
    let expiry_ms = 3_650 * DAY_MS;
    let curve = Curve::new(10 * UNIT, -UNIT / 2, Svi::flat(100 * UNIT).unwrap()).unwrap();
    let curves = BTreeMap::from([(expiry_ms, curve)]);
    let limit: i64 = 1 << 47;
    let market = Market::new(limit / 14, 0, [1, 2, 100_000], curves).unwrap();
    for terms in [
        Terms::Put {
            strike: limit - 1,
            expiry_ms,
        },
        Terms::Call {
            strike: 1,
            expiry_ms,
        },
        Terms::Put {
            strike: 1,
            expiry_ms,
        },
    ] {
        let contract = Contract::new(terms, u32::MAX).unwrap();
        let array = risk_array(grid(), &market, contract).unwrap();
        assert!(array.cells.iter().all(|cell| (0..1 << 62).contains(cell)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What margin rests on: with two prices of one band, the same nodes have the same values to the atom, and the window of
    /// one lies inside the widened window of the other.
    #[test]
    fn windows_within_a_band_are_parts_of_the_wider_one(
        price in 40_000 * UNIT..90_000 * UNIT, share in -300..=300_i64, now_ms in 0..8 * DAY_MS, later_ms in 0..SLICE_MS
    ) {
        // A move within 3 %, and a time within the same slice.
        let moved = price + price / 10_000 * share;
        let slice = now_ms / SLICE_MS * SLICE_MS;
        let before = arrays(price, slice + 1);
        let after = arrays(moved, slice + 1 + later_ms.min(SLICE_MS - 1));
        let nodes = grid().nodes_for_band(300).unwrap();
        let wide = Window::INITIAL.widened(nodes).unwrap();
        for (before, after) in before.iter().zip(&after) {
            let travelled = after.centre - before.centre;
            prop_assert!(travelled.unsigned_abs() <= nodes);
            let wide = wide.cells();
            for place in Window::INITIAL.cells() {
                let shifted = i32::try_from(place).unwrap() + 3 * travelled;
                let shifted = usize::try_from(shifted).unwrap();
                prop_assert!(wide.contains(&shifted));
                prop_assert_eq!(after.cells[place], before.cells[shifted]);
            }
        }
    }

    #[test]
    fn cells_and_marks_keep_their_order(price in 40_000 * UNIT..90_000 * UNIT, now_ms in 0..8 * DAY_MS) {
        let market = market(price, now_ms);
        for (array, contract) in arrays(price, now_ms).iter().zip(contracts()) {
            prop_assert_eq!(array, &risk_array(grid(), &market, contract).unwrap());
            for (node, next) in array.cells.chunks(3).zip(array.cells.chunks(3).skip(1)) {
                // More volatility is worth more to whoever holds an option.
                prop_assert!(node.is_sorted());
                match contract.terms() {
                    Terms::Put { .. } => {}
                    _ => prop_assert!(node[1] <= next[1]),
                }
            }
            // The price lies between the nodes around it, and the mark between their values at the same volatility.
            let middle = usize::try_from(REACH).unwrap();
            let below = array.cell(middle - 1, 1).unwrap();
            let above = array.cell(middle + 1, 1).unwrap();
            let mark = mark(&market, contract).unwrap();
            prop_assert!((below.min(above)..=below.max(above)).contains(&mark));
        }
    }
}
