//! Binary fixed-point numbers with 64 bits after the point, and the functions that prices need.
//!
//! A result is the same on every machine because nothing but integer arithmetic enters it. Errors of the functions are
//! stated in units of the last place, `2^-64`, about 5.4e-20; a test holds each to values computed with 50 digits.

use crate::wide::{mul_div_floor, mul_shift};

/// A number `raw / 2^64` in Q64.64: its magnitude is below `2^63`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed(i128);

const ONE: i128 = 1 << 64;
/// The natural logarithm of 2.
const LN_2: i128 = 12_786_308_645_202_655_660;
/// Its reciprocal.
const LOG2_E: i128 = 26_613_026_195_688_644_983;
/// The square root of 2.
const SQRT_2: i128 = 26_087_635_650_665_564_425;

/// Terms of the series of `atanh`: its argument is at most 0.1716, so that what is left out is below `2^-70`.
const LOGARITHM_TERMS: usize = 14;
/// `1 / (2 k + 1)`, the coefficients of that series.
const ODD_RECIPROCALS: [i128; LOGARITHM_TERMS] = {
    let mut table = [0; LOGARITHM_TERMS];
    let (mut at, mut odd) = (0, 1);
    while at < LOGARITHM_TERMS {
        table[at] = ONE / odd;
        odd += 2;
        at += 1;
    }
    table
};

/// Terms of the exponential series: its argument is at most 0.3466 in magnitude, so that what is left out is below
/// `2^-68`.
const EXPONENTIAL_TERMS: usize = 16;
/// `1 / k!`, the coefficients of that series.
const FACTORIAL_RECIPROCALS: [i128; EXPONENTIAL_TERMS] = {
    let mut table = [0; EXPONENTIAL_TERMS];
    let (mut at, mut next, mut factorial) = (0, 1, 1);
    while at < EXPONENTIAL_TERMS {
        table[at] = ONE / factorial;
        factorial *= next;
        next += 1;
        at += 1;
    }
    table
};

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(ONE);

    /// The number `raw / 2^64`.
    #[must_use]
    pub const fn from_raw(raw: i128) -> Self {
        Self(raw)
    }

    /// The number times `2^64`.
    #[must_use]
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// `numerator / denominator`, floored to the last place: `from_ratio(price, 100_000_000)` is a price of 1e-8 units in
    /// whole units. `None` if the denominator is zero or the quotient is out of range.
    #[must_use]
    pub fn from_ratio(numerator: i128, denominator: i128) -> Option<Self> {
        mul_div_floor(numerator, ONE, denominator).map(Self)
    }

    /// The greatest integer that is not greater.
    #[must_use]
    pub const fn floor(self) -> i128 {
        self.0 >> 64
    }

    /// The sum, exactly. `None` if it is out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, exactly. `None` if it is out of range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, floored to the last place. `None` if it is out of range.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        mul_shift(self.0, other.0).map(Self)
    }

    /// The quotient, floored to the last place. `None` if the divisor is zero or the quotient is out of range.
    #[must_use]
    pub fn checked_div(self, divisor: Self) -> Option<Self> {
        Self::from_ratio(self.0, divisor.0)
    }

    /// The square root, within `2^-63` of it relatively or `2^-64` absolutely, never above it and non-decreasing. `None`
    /// of a negative number.
    #[must_use]
    pub fn sqrt(self) -> Option<Self> {
        let raw = u128::try_from(self.0).ok()?;
        // sqrt(raw * 2^64) needs up to 191 bits below the root. As many places as fit are shifted in, in pairs; those
        // missing are shifted into the root, whose upper 63 bits are right at least.
        let shift = raw.leading_zeros().min(64) & !1;
        let root = (raw << shift).isqrt() << ((64 - shift) / 2);
        i128::try_from(root).ok().map(Self)
    }

    /// The natural logarithm, within 4 units of the last place and half of one more for each power of two between the
    /// number and 1. `None` of a number that is not positive.
    ///
    /// The number is `2^k m` with `m` between `sqrt(1/2)` and `sqrt(2)`, and
    /// `ln m = 2 atanh((m - 1) / (m + 1))`, a series in odd powers (Abramowitz and Stegun 1964, 4.1.27).
    #[must_use]
    pub fn ln(self) -> Option<Self> {
        if self.0 <= 0 {
            return None;
        }
        let places = self.0.leading_zeros();
        let mut exponent = 63 - i128::from(places);
        let mut mantissa = if places > 63 {
            self.0 << (places - 63)
        } else {
            self.0 >> (63 - places)
        };
        if mantissa > SQRT_2 {
            mantissa >>= 1;
            exponent += 1;
        }
        let z = Self(mantissa - ONE)
            .checked_div(Self(mantissa + ONE))
            .expect("the divisor is above 1 and the dividend below");
        let series = polynomial(&ODD_RECIPROCALS, z.times(z));
        Some(Self(2 * series.times(z).0 + exponent * LN_2))
    }

    /// The exponential function: within 4 units of the last place for arguments that are not positive, and within
    /// `2^-57` relatively for others. `None` if it is out of range, which it is from 43.7.
    ///
    /// The argument is `k ln 2 + r` with `r` at most `(ln 2) / 2` in magnitude, and `e^r` is a Taylor series.
    #[must_use]
    pub fn exp(self) -> Option<Self> {
        // e^-45 is below half a unit of the last place.
        if self.0 < -45 * ONE {
            return Some(Self::ZERO);
        }
        if self.0 > 44 * ONE {
            return None;
        }
        let exponent = (self.times(Self(LOG2_E)).0 + ONE / 2) >> 64;
        let rest = Self(self.0 - exponent * LN_2);
        let series = polynomial(&FACTORIAL_RECIPROCALS, rest).0;
        // The series is below 2^64.6, so an exponent of 62 is the greatest that fits.
        match u32::try_from(exponent) {
            Ok(left @ 0..=62) => Some(Self(series << left)),
            Ok(_) => None,
            Err(_) => {
                let right = u32::try_from(-exponent).expect("an argument of -45 at least");
                Some(Self((series + (1 << (right - 1))) >> right))
            }
        }
    }

    /// A product that its caller knows to be in range.
    pub(crate) fn times(self, other: Self) -> Self {
        self.checked_mul(other)
            .expect("the caller bounds both factors")
    }
}

impl From<i64> for Fixed {
    /// The integer, exactly.
    fn from(integer: i64) -> Self {
        Self(i128::from(integer) << 64)
    }
}

/// The polynomial with these coefficients (raw, that of the lowest power first) at a point of magnitude 1 at most.
pub(crate) fn polynomial(coefficients: &[i128], point: Fixed) -> Fixed {
    coefficients
        .iter()
        .rev()
        .fold(Fixed::ZERO, |sum, coefficient| {
            Fixed(sum.times(point).0 + coefficient)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn positive() -> impl Strategy<Value = Fixed> {
        (1..=i128::MAX, 0..127_u32).prop_map(|(raw, shift)| Fixed((raw >> shift).max(1)))
    }

    proptest! {
        #[test]
        fn a_root_is_the_greatest_of_its_precision(number in positive()) {
            let root = number.sqrt().unwrap();
            prop_assert!(root.checked_mul(root).unwrap() <= number);
            let above = Fixed(root.0 + 1 + (root.0 >> 63));
            prop_assert!(above.checked_mul(above).is_none_or(|square| square >= number));
        }

        #[test]
        fn logarithms_add_and_exponentials_undo_them(a in positive(), b in positive()) {
            let ratio = a.max(b).checked_div(a.min(b));
            prop_assume!(ratio.is_some());
            let difference = a.max(b).ln().unwrap().0 - a.min(b).ln().unwrap().0;
            prop_assert!((difference - ratio.unwrap().ln().unwrap().0).abs() < 200);
            let a = Fixed(a.0.min(1 << 125));
            let back = a.ln().unwrap().exp().unwrap();
            prop_assert!((back.0 - a.0).abs() <= 4 + (a.0 >> 57), "{} {}", back.0, a.0);
        }

        #[test]
        fn logarithms_and_exponentials_do_not_decrease(a in positive(), gap in 1..1_000_000_i128) {
            let b = Fixed(a.0.saturating_add(gap.saturating_mul(1 + (a.0 >> 60))));
            prop_assert!(a.ln().unwrap() <= b.ln().unwrap());
            let (low, high) = (Fixed(-(a.0 >> 57)), Fixed(1_000 - (a.0 >> 57)));
            prop_assert!(low.exp().unwrap() <= high.exp().unwrap());
        }
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(Fixed(-1).sqrt(), None);
        assert_eq!(Fixed::ZERO.sqrt(), Some(Fixed::ZERO));
        assert_eq!(Fixed::from(9).sqrt(), Some(Fixed::from(3)));
        assert_eq!(
            Fixed(i128::MAX).sqrt().map(Fixed::floor),
            Some(3_037_000_499)
        );
        assert_eq!(Fixed::ZERO.ln(), None);
        assert_eq!(Fixed::ONE.ln(), Some(Fixed::ZERO));
        assert_eq!(Fixed(1).ln(), Some(Fixed(-64 * LN_2)));
        assert_eq!(Fixed::ZERO.exp(), Some(Fixed::ONE));
        assert_eq!(Fixed(i128::MIN).exp(), Some(Fixed::ZERO));
        assert_eq!(Fixed(i128::MAX).exp(), None);
        assert_eq!(Fixed::from(44).exp(), None);
        assert!(Fixed(43 * ONE).exp().is_some());
        assert_eq!(Fixed::from(-3).floor(), -3);
        assert_eq!(Fixed::from_ratio(-1, 3).map(Fixed::floor), Some(-1));
        assert_eq!(Fixed::from_ratio(1, 0), None);
        assert_eq!(Fixed::from(i64::MAX).checked_mul(Fixed::from(2)), None);
    }
}
