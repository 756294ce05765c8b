//! Black's formula against values computed or published elsewhere, and its laws.

use proptest::prelude::*;
use quorate_margin::{Fixed, OptionPair, black76};

use crate::{decimal, rows, shared};

/// How far values are from expected ones at most, as a part of the greater of forward and strike, in `2^-64`.
fn error(forward: Fixed, strike: Fixed, found: OptionPair, call: Fixed, put: Fixed) -> i128 {
    let off = |a: Fixed, b: Fixed| (a.raw() - b.raw()).abs();
    let error = off(found.call, call).max(off(found.put, put));
    let greater = forward.max(strike);
    // Rounded up, so that it is zero for equal values alone.
    let part = Fixed::from_raw(error).checked_div(greater).unwrap().raw();
    if error == 0 { 0 } else { part + 1 }
}

/// 1e-18 and 1e-15 in units of `2^-64`.
const ATTO: i128 = 19;
const FEMTO: i128 = 18_446;

/// Compares rows of forward, strike, deviation, call and put, prices times ten to the power of `exponent`; how many there are.
fn compare(text: &str, exponent: usize, deviation: impl Fn(&str) -> Fixed) -> usize {
    let (mut worst, mut checked) = (0, 0);
    for row in rows(text) {
        let price = |column: usize| decimal(row[column], exponent);
        let (forward, strike) = (price(0), price(1));
        let found = black76(forward, strike, deviation(row[2])).unwrap();
        let error = error(forward, strike, found, price(3), price(4));
        assert!(error <= ATTO, "{row:?}: {error}");
        worst = worst.max(error);
        checked += 1;
    }
    println!("{checked} rows, greatest error {worst} / 2^64 of max(F, K)");
    checked
}

#[test]
fn a_sample_by_mpmath() {
    let deviation = |text: &str| Fixed::from_ratio(text.parse().unwrap(), 100_000_000).unwrap();
    let sample = include_str!("vectors/black76.csv");
    assert_eq!(compare(sample, 0, deviation), 200);
}

#[test]
fn twenty_thousand_rows_by_mpmath() {
    if let Some(text) = shared("prototypes/margin/black76/vec.csv") {
        assert_eq!(compare(&text, 8, |text| decimal(text, 0)), 20_000);
    }
}

/// Forward, strike, deviation, call, put, from a collection of published examples. Despite their many digits they are right to
/// about 53 bits: mpmath with 50 digits differs by up to 6e-14. The last three are QuantLib's below, with both sides.
const EXAMPLES: [[&str; 5]; 7] = [
    [
        "1500",
        "1500",
        "0.138484952943562868215087127",
        "82.805080668634559515",
        "82.805080668634559515",
    ],
    [
        "1000",
        "1200",
        "0.07167277238512448538601074961",
        "0.1371948449846494118684571169",
        "200.137194844984669762588204",
    ],
    [
        "1000",
        "700",
        "0.05551749076482039464742500078",
        "300.000000000457117909368518",
        "0.0000000004571347742166192795643014999",
    ],
    [
        "1000",
        "700",
        "5",
        "989.6305514384680568388479135",
        "689.630551438468147904059927",
    ],
    [
        "100",
        "100",
        "0.2",
        "7.9655674554058038",
        "7.9655674554058038",
    ],
    [
        "100",
        "90",
        "0.2",
        "13.589108116054803",
        "3.5891081160548062",
    ],
    [
        "100",
        "110",
        "0.2",
        "4.2920109414098846",
        "14.292010941409899",
    ],
];

#[test]
fn single_examples() {
    for row in EXAMPLES {
        let [forward, strike, deviation, call, put] = row.map(|text| decimal(text, 0));
        let found = black76(forward, strike, deviation).unwrap();
        let error = error(forward, strike, found, call, put);
        assert!(error <= FEMTO, "{row:?}: {error}");
    }
}

/// QuantLib, test-suite/blackcalculator.cpp, testBlackCalculatorBasicValues (commit 2a13d455): kind, strike, forward,
/// deviation, value.
const QUANTLIB: [[&str; 5]; 8] = [
    ["Call", "100", "100", "0.20", "7.9655674554058038"],
    ["Put", "100", "100", "0.20", "7.9655674554058038"],
    ["Call", "90", "100", "0.20", "13.589108116054803"],
    ["Put", "110", "100", "0.20", "14.292010941409899"],
    ["Call", "110", "100", "0.20", "4.2920109414098846"],
    ["Put", "90", "100", "0.20", "3.5891081160548062"],
    ["Call", "100", "100", "0", "0"],
    ["Put", "100", "100", "0", "0"],
];

#[test]
fn values_of_quantlib() {
    for [kind, strike, forward, deviation, value] in QUANTLIB {
        let pair = black76(
            decimal(forward, 0),
            decimal(strike, 0),
            decimal(deviation, 0),
        )
        .unwrap();
        let found = if kind == "Call" { pair.call } else { pair.put };
        let error = (found.raw() - decimal(value, 0).raw()).abs();
        assert!(
            error <= Fixed::from_ratio(1, 100_000_000).unwrap().raw(),
            "{kind} {strike}"
        );
    }
}

/// Haug 1998, The Complete Guide to Option Pricing Formulas, by way of QuantLib, test-suite/europeanoption.cpp (commit
/// 2a13d455): kind, strike, spot, yield, rate, years, volatility, value.
const HAUG: &str = "\
Call,65.00,60.00,0.00,0.08,0.25,0.30,2.1334
Put,95.00,100.00,0.05,0.10,0.50,0.20,2.4648
Put,19.00,19.00,0.10,0.10,0.75,0.28,1.7011
Call,19.00,19.00,0.10,0.10,0.75,0.28,1.7011
Call,1.60,1.56,0.08,0.06,0.50,0.12,0.0291
Put,70.00,75.00,0.05,0.10,0.50,0.35,4.0870
Call,100.00,90.00,0.10,0.10,0.10,0.15,0.0205
Call,100.00,100.00,0.10,0.10,0.10,0.15,1.8734
Call,100.00,110.00,0.10,0.10,0.10,0.15,9.9413
Call,100.00,90.00,0.10,0.10,0.10,0.25,0.3150
Call,100.00,100.00,0.10,0.10,0.10,0.25,3.1217
Call,100.00,110.00,0.10,0.10,0.10,0.25,10.3556
Call,100.00,90.00,0.10,0.10,0.10,0.35,0.9474
Call,100.00,100.00,0.10,0.10,0.10,0.35,4.3693
Call,100.00,110.00,0.10,0.10,0.10,0.35,11.1381
Call,100.00,90.00,0.10,0.10,0.50,0.15,0.8069
Call,100.00,100.00,0.10,0.10,0.50,0.15,4.0232
Call,100.00,110.00,0.10,0.10,0.50,0.15,10.5769
Call,100.00,90.00,0.10,0.10,0.50,0.25,2.7026
Call,100.00,100.00,0.10,0.10,0.50,0.25,6.6997
Call,100.00,110.00,0.10,0.10,0.50,0.25,12.7857
Call,100.00,90.00,0.10,0.10,0.50,0.35,4.9329
Call,100.00,100.00,0.10,0.10,0.50,0.35,9.3679
";

#[test]
fn values_of_haug() {
    let times = |a: Fixed, b: Fixed| a.checked_mul(b).unwrap();
    let mut checked = 0;
    for row in rows(HAUG) {
        let numbers: Vec<Fixed> = row[1..].iter().map(|text| decimal(text, 0)).collect();
        let [strike, spot, dividend, rate, years, volatility, value] = numbers[..] else {
            panic!("seven numbers");
        };
        let growth = times(rate.checked_sub(dividend).unwrap(), years)
            .exp()
            .unwrap();
        let discount = Fixed::ZERO
            .checked_sub(times(rate, years))
            .unwrap()
            .exp()
            .unwrap();
        let deviation = times(volatility, years.sqrt().unwrap());
        let pair = black76(times(spot, growth), strike, deviation).unwrap();
        let pair = pair.discounted(discount).unwrap();
        let found = if row[0] == "Call" {
            pair.call
        } else {
            pair.put
        };
        let error = (found.raw() - value.raw()).abs();
        assert!(
            error <= Fixed::from_ratio(1, 10_000).unwrap().raw(),
            "{row:?}"
        );
        checked += 1;
    }
    assert_eq!(checked, 23);
}

#[test]
fn a_call_does_not_fall_while_its_forward_rises() {
    // Steps of 1e-5 around a strike of 2000, in 1e-8.
    let strike = Fixed::from(200_000_000_000);
    let deviation = Fixed::from_ratio(35, 100).unwrap();
    let mut before = OptionPair {
        call: Fixed::ZERO,
        put: strike,
    };
    for step in 0..100_000_i64 {
        let forward = Fixed::from(199_900_000_000 + step * 2_000);
        let pair = black76(forward, strike, deviation).unwrap();
        assert!(pair.call >= before.call && pair.put <= before.put, "{step}");
        before = pair;
    }
}

fn price() -> impl Strategy<Value = Fixed> {
    (1..1_i128 << 47, 0..40_u32)
        .prop_map(|(price, shift)| Fixed::from_raw((price << 64 >> shift).max(1 << 52)))
}

fn deviation() -> impl Strategy<Value = Fixed> {
    (1..1_i128 << 68, 0..60_u32).prop_map(|(raw, shift)| Fixed::from_raw(raw >> shift))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn parity_and_bounds_hold_exactly(forward in price(), strike in price(), deviation in deviation()) {
        let OptionPair { call, put } = black76(forward, strike, deviation).unwrap();
        prop_assert_eq!(call.raw() - put.raw(), forward.raw() - strike.raw());
        prop_assert!(call >= Fixed::ZERO && call.raw() >= forward.raw() - strike.raw() && call <= forward);
        prop_assert!(put >= Fixed::ZERO && put.raw() >= strike.raw() - forward.raw() && put <= strike);
    }

    #[test]
    fn exchanging_forward_and_strike_exchanges_call_and_put(
        forward in price(), strike in price(), deviation in deviation()
    ) {
        let one = black76(forward, strike, deviation).unwrap();
        let other = black76(strike, forward, deviation).unwrap();
        prop_assert_eq!((one.call, one.put), (other.put, other.call));
    }

    #[test]
    fn values_grow_with_the_deviation(
        forward in price(), percent in 50..200_i64, deviation in deviation(), more in 1..1_000_i128
    ) {
        let strike = Fixed::from_raw(forward.raw() / 200 * i128::from(percent));
        prop_assume!(strike >= quorate_margin::FORWARD_LEAST);
        let greater = Fixed::from_raw(deviation.raw() + deviation.raw() / 1_000 * more);
        let less = black76(forward, strike, deviation).unwrap().call;
        let greater = black76(forward, strike, greater).unwrap().call;
        // But for the last places of either value.
        prop_assert!(less.raw() - greater.raw() <= (forward.raw() >> 60) + 4);
    }

    #[test]
    fn a_call_grows_with_the_forward(
        forward in 1_000_000..1_i64 << 46, percent in 75..133_i64, deviation in 10_000_000..200_000_000_i128,
        step in 1..1_000_i64,
    ) {
        // Within three deviations of the money a millionth of the forward is far above the last place.
        let strike = Fixed::from(forward / 100 * percent);
        let deviation = Fixed::from_ratio(deviation, 100_000_000).unwrap();
        let higher = forward + forward / 1_000_000 * step;
        let low = black76(Fixed::from(forward), strike, deviation).unwrap();
        let high = black76(Fixed::from(higher), strike, deviation).unwrap();
        prop_assert!(low.call < high.call && low.put > high.put);
    }
}
