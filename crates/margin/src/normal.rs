//! The normal distribution function.

use crate::fixed::{Fixed, polynomial};

/// `1 / sqrt(2 pi)`, in Q64.64.
const DENSITY_AT_ZERO: i128 = 7_359_186_146_747_302_452;

/// Mills' ratio `R(x) = (1 - N(x)) / n(x)` at 0, 1/2, 1, ... 9 1/2, in units of `2^-96`, from `sqrt(pi/2) exp(x^2/2)
/// erfc(x/sqrt(2))` with 50 digits.
const RATIOS: [i128; 20] = [
    99_297_776_152_657_463_636_918_542_254,
    69_432_745_577_638_069_433_398_806_007,
    51_948_285_344_035_042_704_471_618_042,
    40_867_125_212_131_779_510_656_087_168,
    33_384_309_776_544_292_051_613_232_412,
    28_067_773_813_570_840_869_054_741_451,
    24_132_129_686_472_383_154_687_519_393,
    21_119_674_520_879_301_816_150_945_064,
    18_749_533_452_863_497_748_001_795_656,
    16_841_576_493_012_795_028_045_235_027,
    15_275_831_854_452_333_554_954_284_541,
    13_969_746_170_564_049_225_812_355_181,
    12_864_883_706_223_120_778_378_324_705,
    11_918_846_191_753_680_647_273_236_148,
    11_100_197_015_546_569_033_154_303_847,
    10_385_176_503_943_351_850_306_544_584,
    9_755_519_195_699_885_276_309_757_884,
    9_196_968_582_935_738_861_778_242_796,
    8_698_244_666_113_671_134_893_094_970,
    8_250_312_324_580_813_501_848_835_393,
];

/// Terms of each Taylor series: its argument is at most 1/4 in magnitude, so that what is left out is below `2^-67`.
const TERMS: usize = 19;

/// Taylor coefficients of Mills' ratio about each point of [`RATIOS`], in Q64.64.
static SERIES: [[i128; TERMS]; RATIOS.len()] = series();

/// The probability that a standard normal variable is below `x`, within 3 units of the last place (1.6e-19).
///
/// `N(-x) = n(x) R(x)` for `x >= 0`, where `n` is the density and `R` is Mills' ratio, by its Taylor series about the
/// nearest half (Marsaglia 2004, Evaluating the Normal Distribution, Journal of Statistical Software 11(4)); the other
/// half of the line is its complement.
#[must_use]
pub fn normal_distribution(x: Fixed) -> Fixed {
    let magnitude = Fixed::from_raw(x.raw().saturating_abs());
    let tail = upper_tail(magnitude);
    if x.raw() <= 0 {
        tail
    } else {
        Fixed::from_raw(Fixed::ONE.raw() - tail.raw())
    }
}

/// The probability above `x >= 0`.
fn upper_tail(x: Fixed) -> Fixed {
    // Rounded to the nearest half; beyond the last, at 9.75, the probability is below 2^-70.
    let half_steps = (x.raw() >> 63).saturating_add((x.raw() >> 62) & 1);
    let series = usize::try_from(half_steps)
        .ok()
        .and_then(|at| SERIES.get(at));
    let Some(series) = series else {
        return Fixed::ZERO;
    };
    let ratio = polynomial(series, Fixed::from_raw(x.raw() - (half_steps << 63)));
    let exponent = Fixed::from_raw(-(x.times(x).raw() >> 1));
    let density = exponent
        .exp()
        .expect("the argument is not positive")
        .times(Fixed::from_raw(DENSITY_AT_ZERO));
    density.times(ratio)
}

/// `R' = x R - 1`, hence the coefficients `a_k` of the series about `c` follow from `a_0 = R(c)` by `a_1 = c a_0 - 1` and
/// `(k + 1) a_(k+1) = c a_k + a_(k-1)`. An error of `a_0` grows by `exp(c t + t^2 / 2)` at most, a factor of 12, and 32 bits
/// are there to guard against it.
const fn series() -> [[i128; TERMS]; RATIOS.len()] {
    let mut table = [[0; TERMS]; RATIOS.len()];
    let (mut point, mut twice_centre) = (0, 0);
    while point < RATIOS.len() {
        let mut before = RATIOS[point];
        let mut current = twice_centre * before / 2 - (1 << 96);
        table[point][0] = before >> 32;
        let (mut term, mut power) = (1, 1);
        while term < TERMS {
            table[point][term] = current >> 32;
            power += 1;
            let next = (twice_centre * current + 2 * before) / (2 * power);
            before = current;
            current = next;
            term += 1;
        }
        point += 1;
        twice_centre += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbouring_series_meet() {
        // Each constant is independent of the others, so a wrong digit in one shows where its series meets the next.
        for (left, right) in SERIES.iter().zip(&SERIES[1..]) {
            let quarter = 1 << 62;
            let from_left = polynomial(left, Fixed::from_raw(quarter)).raw();
            let from_right = polynomial(right, Fixed::from_raw(-quarter)).raw();
            assert!(
                (from_left - from_right).abs() <= 3,
                "{from_left} {from_right}"
            );
        }
    }

    #[test]
    fn ends_and_middle() {
        let half = Fixed::ONE.raw() / 2;
        assert!((normal_distribution(Fixed::ZERO).raw() - half).abs() <= 1);
        assert_eq!(normal_distribution(Fixed::from_raw(i128::MIN)), Fixed::ZERO);
        assert_eq!(normal_distribution(Fixed::from_raw(i128::MAX)), Fixed::ONE);
        assert_eq!(normal_distribution(Fixed::from(-10)), Fixed::ZERO);
    }

    proptest! {
        #[test]
        fn it_does_not_decrease(at in -10_000_000..10_000_000_i128, gap in 1..1_000_i128) {
            let point = |at| Fixed::from_ratio(at, 1_000_000).unwrap();
            let (low, high) = (normal_distribution(point(at)), normal_distribution(point(at + gap)));
            // The tails are flatter than the last place.
            prop_assert!(low.raw() <= high.raw() + 3);
            if at.abs() < 6_000_000 {
                prop_assert!(low < high);
            }
        }

        #[test]
        fn the_two_sides_are_complements(raw in -(10_i128 << 64)..10_i128 << 64) {
            let sum = normal_distribution(Fixed::from_raw(raw)).raw()
                + normal_distribution(Fixed::from_raw(-raw)).raw();
            prop_assert_eq!(sum, if raw == 0 { 2 * normal_distribution(Fixed::ZERO).raw() } else { Fixed::ONE.raw() });
        }
    }
}
