//! Smiles of volatility in the raw SVI form.
//!
//! Gatheral and Jacquier, Arbitrage-free SVI volatility surfaces, Quantitative Finance 14 (2014), section 3:
//! `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2))` with `k = ln(K / F)`. Here the parameters give the variance of one
//! year, not that until expiry, so that a smile keeps its meaning while time passes.

use thiserror::Error;

use crate::fixed::Fixed;
use crate::wide::product;

/// Parameters count 1e-8.
pub const SVI_SCALE: i64 = 100_000_000;

const LEVEL_MOST: i64 = 100 * SVI_SCALE;
const SLOPE_MOST: i64 = 100 * SVI_SCALE;
const SHIFT_MOST: i64 = 10 * SVI_SCALE;
const WIDTH_MOST: i64 = 10 * SVI_SCALE;

/// Log-moneyness is used up to this magnitude: beyond the ratio of any two prices.
const MONEYNESS_MOST: Fixed = Fixed::from_raw(44 << 64);

/// Time is used up to this many years.
const YEARS_MOST: Fixed = Fixed::from_raw(10 << 64);

/// The five parameters, in units of 1e-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SviParameters {
    /// `a`: the level of annual variance, at most 100 in magnitude.
    pub level: i64,
    /// `b`: the slope of the wings, from 0 to 100.
    pub slope: i64,
    /// `rho`: the difference between the wings, above -1 and below 1.
    pub correlation: i64,
    /// `m`: where the smile stands in log-moneyness, at most 10 in magnitude.
    pub shift: i64,
    /// `s`: how wide its bottom is, above 0 and at most 10.
    pub width: i64,
}

/// Why parameters give no smile, or a smile no deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SviError {
    /// `a` is out of range.
    #[error("SVI level {0} is out of range")]
    Level(i64),
    /// `b` is negative or out of range.
    #[error("SVI slope {0} is out of range")]
    Slope(i64),
    /// `|rho| < 1` does not hold.
    #[error("SVI correlation {0} is not within 1 of zero")]
    Correlation(i64),
    /// `m` is out of range.
    #[error("SVI shift {0} is out of range")]
    Shift(i64),
    /// `s` is not positive or out of range.
    #[error("SVI width {0} is out of range")]
    Width(i64),
    /// `a + b s sqrt(1 - rho^2) < 0`: the least variance is negative.
    #[error("the least variance of an SVI smile is negative")]
    NegativeVariance,
    /// A log-moneyness beyond that of any two prices.
    #[error("log-moneyness {} / 2^64 is out of range", .0.raw())]
    Moneyness(Fixed),
    /// A time that is negative or above ten years.
    #[error("{} / 2^64 years are out of range", .0.raw())]
    Years(Fixed),
}

/// A smile: parameters that were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Svi {
    parameters: SviParameters,
    level: Fixed,
    slope: Fixed,
    correlation: Fixed,
    shift: Fixed,
    width_square: Fixed,
}

impl Svi {
    /// Checks parameters: each within its range, and the least variance, `a + b s sqrt(1 - rho^2)`, not negative, which is
    /// decided exactly. That a smile admits no butterfly arbitrage is not checked.
    ///
    /// # Errors
    ///
    /// [`SviError`] with the first parameter that fails.
    pub fn new(parameters: SviParameters) -> Result<Self, SviError> {
        let SviParameters {
            level,
            slope,
            correlation,
            shift,
            width,
        } = parameters;
        if !(-LEVEL_MOST..=LEVEL_MOST).contains(&level) {
            return Err(SviError::Level(level));
        }
        if !(0..=SLOPE_MOST).contains(&slope) {
            return Err(SviError::Slope(slope));
        }
        if !(1 - SVI_SCALE..SVI_SCALE).contains(&correlation) {
            return Err(SviError::Correlation(correlation));
        }
        if !(-SHIFT_MOST..=SHIFT_MOST).contains(&shift) {
            return Err(SviError::Shift(shift));
        }
        if !(1..=WIDTH_MOST).contains(&width) {
            return Err(SviError::Width(width));
        }
        if level < 0 && !wings_cover(level, slope, correlation, width) {
            return Err(SviError::NegativeVariance);
        }
        let width = scaled(width);
        Ok(Self {
            parameters,
            level: scaled(level),
            slope: scaled(slope),
            correlation: scaled(correlation),
            shift: scaled(shift),
            width_square: width.times(width),
        })
    }

    /// A smile without a slope: the same annual variance (1e-8, from 0 to 100) at every strike.
    ///
    /// # Errors
    ///
    /// [`SviError::Level`] or [`SviError::NegativeVariance`] for a variance out of range.
    pub fn flat(variance: i64) -> Result<Self, SviError> {
        Self::new(SviParameters {
            level: variance,
            slope: 0,
            correlation: 0,
            shift: 0,
            width: 1,
        })
    }

    /// The parameters it was made from.
    #[must_use]
    pub const fn parameters(&self) -> SviParameters {
        self.parameters
    }

    /// The deviation `sqrt(v(k) T)` of the logarithm of the price after `years`, for `log_moneyness` `k = ln(K / F)`.
    ///
    /// # Errors
    ///
    /// [`SviError::Moneyness`] beyond 44 in magnitude, [`SviError::Years`] below 0 and above 10.
    pub fn deviation(&self, log_moneyness: Fixed, years: Fixed) -> Result<Fixed, SviError> {
        if !(Fixed::ZERO..=YEARS_MOST).contains(&years) {
            return Err(SviError::Years(years));
        }
        let variance = self.annual_variance(log_moneyness)?;
        let root = variance.times(years).sqrt();
        Ok(root.expect("neither factor is negative"))
    }

    /// The annual variance `v(k)` at `log_moneyness` `k = ln(K / F)`.
    ///
    /// # Errors
    ///
    /// [`SviError::Moneyness`] beyond 44 in magnitude.
    pub fn annual_variance(&self, log_moneyness: Fixed) -> Result<Fixed, SviError> {
        if log_moneyness.raw().unsigned_abs() > MONEYNESS_MOST.raw().unsigned_abs() {
            return Err(SviError::Moneyness(log_moneyness));
        }
        let x = Fixed::from_raw(log_moneyness.raw() - self.shift.raw());
        let hyperbola = Fixed::from_raw(x.times(x).raw() + self.width_square.raw()).sqrt();
        let hyperbola = hyperbola.expect("a sum of squares is not negative");
        let wings = Fixed::from_raw(self.correlation.times(x).raw() + hyperbola.raw());
        let variance = Fixed::from_raw(self.level.raw() + self.slope.times(wings).raw());
        // The least variance may be exactly zero, and rounding then takes it below.
        Ok(variance.max(Fixed::ZERO))
    }
}

/// Whether `b s sqrt(1 - rho^2) >= -a` for a negative `a`. With `S` for the scale of all four, squaring and multiplying by
/// `S^6` gives `b^2 s^2 (S^2 - rho^2) >= a^2 S^4`, where either side needs up to 180 bits.
fn wings_cover(level: i64, slope: i64, correlation: i64, width: i64) -> bool {
    let square = |number: i64| u128::from(number.unsigned_abs()).pow(2);
    let scale = square(SVI_SCALE);
    let wings = product(square(slope) * square(width), scale - square(correlation));
    let needed = product(square(level), scale * scale);
    wings >= needed
}

fn scaled(parameter: i64) -> Fixed {
    Fixed::from_ratio(i128::from(parameter), i128::from(SVI_SCALE)).expect("the scale is not zero")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Axel Vogt's example in Gatheral and Jacquier, whose smile is valid but for butterflies.
    const VOGT: SviParameters = SviParameters {
        level: -4_100_000,
        slope: 13_310_000,
        correlation: 30_600_000,
        shift: 35_860_000,
        width: 41_530_000,
    };

    #[test]
    fn vogts_smile() {
        // v(k) * 2^64 to the nearest integer, by mpmath with 50 digits.
        let smile = Svi::new(VOGT).unwrap();
        for (k, variance) in [
            (-150_000_000, 2_523_181_830_723_117_805),
            (0, 321_457_621_048_847_471),
            (35_860_000, 263_353_650_496_229_254),
            (150_000_000, 3_083_404_629_289_352_104),
        ] {
            let found = smile.annual_variance(scaled(k)).unwrap().raw();
            assert!((found - variance).abs() <= 4, "{found} {variance}");
        }
        // Over a quarter of a year: half the root of the variance.
        let deviation = smile
            .deviation(Fixed::ZERO, Fixed::from_raw(1 << 62))
            .unwrap();
        let root = Fixed::from_raw(321_457_621_048_847_471).sqrt().unwrap();
        assert!((2 * deviation.raw() - root.raw()).abs() <= 20);
    }

    #[test]
    fn parameters_out_of_range() {
        let with = |change: fn(&mut SviParameters)| {
            let mut parameters = VOGT;
            change(&mut parameters);
            Svi::new(parameters)
        };
        assert_eq!(with(|p| p.level = i64::MIN), Err(SviError::Level(i64::MIN)));
        assert_eq!(with(|p| p.slope = -1), Err(SviError::Slope(-1)));
        assert_eq!(
            with(|p| p.correlation = SVI_SCALE),
            Err(SviError::Correlation(SVI_SCALE))
        );
        assert_eq!(
            with(|p| p.correlation = -SVI_SCALE),
            Err(SviError::Correlation(-SVI_SCALE))
        );
        assert_eq!(with(|p| p.shift = i64::MAX), Err(SviError::Shift(i64::MAX)));
        assert_eq!(with(|p| p.width = 0), Err(SviError::Width(0)));
        let smile = Svi::new(VOGT).unwrap();
        let far = Fixed::from_raw(i128::MIN);
        assert_eq!(smile.annual_variance(far), Err(SviError::Moneyness(far)));
        assert_eq!(smile.deviation(Fixed::ZERO, far), Err(SviError::Years(far)));
    }

    #[test]
    fn the_least_variance_is_judged_exactly() {
        // With rho = 0.6 the least variance is a + 0.8 b s: here 0.8 * 0.5 * 0.25 = 0.1.
        let smile = |level| {
            let (slope, correlation, width) = (50_000_000, 60_000_000, 25_000_000);
            Svi::new(SviParameters {
                level,
                slope,
                correlation,
                shift: 0,
                width,
            })
        };
        assert!(smile(-10_000_000).is_ok());
        assert_eq!(smile(-10_000_001), Err(SviError::NegativeVariance));
        assert_eq!(Svi::flat(-1), Err(SviError::NegativeVariance));
        // The least variance stands at k = -rho s / sqrt(1 - rho^2) and is zero, not below.
        let least = smile(-10_000_000)
            .unwrap()
            .annual_variance(scaled(-18_750_000))
            .unwrap();
        assert!(least.raw() < 10);
        let flat = Svi::flat(9_000_000).unwrap();
        assert_eq!(flat.annual_variance(Fixed::from(-3)), Ok(scaled(9_000_000)));
    }

    proptest! {
        #[test]
        fn a_smile_lies_above_its_least_variance(
            level in -1_000_000..100_000_000_i64, slope in 0..200_000_000_i64,
            correlation in -99_999_999..100_000_000_i64, shift in -100_000_000..100_000_000_i64,
            width in 1..100_000_000_i64, k in -400_000_000..400_000_000_i64,
        ) {
            let parameters = SviParameters { level, slope, correlation, shift, width };
            let Ok(smile) = Svi::new(parameters) else {
                return Ok(());
            };
            let variance = smile.annual_variance(scaled(k)).unwrap();
            let years = Fixed::from_ratio(1, 12).unwrap();
            let deviation = smile.deviation(scaled(k), years).unwrap();
            let square = deviation.times(deviation);
            prop_assert!(square <= variance.times(years));
            // The chord slopes of a hyperbola stay within those of its wings.
            let next = smile.annual_variance(scaled(k + 1_000)).unwrap();
            let rise = Fixed::from_raw(next.raw() - variance.raw()).raw();
            let steepest = scaled(slope).times(scaled(2_000)).raw() + 1_000;
            prop_assert!(rise.abs() <= steepest);
        }
    }
}
