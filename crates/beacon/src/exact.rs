//! Probabilities as exact quotients of integers, and their decimals.

use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use num_bigint::BigUint;

use crate::error::RiskError;

/// Most digits of a text that is parsed, before and after the point together.
const DIGITS_MAX: usize = 30;
/// Lowest power of ten of a text that is parsed. Lower targets are 0 for all that anybody can tell.
const EXPONENT_MIN: i32 = -1000;
/// Most digits of a [`Decimal`]: all of them fit its mantissa.
const DECIMAL_DIGITS_MAX: u32 = 18;

/// An exact probability, from 0 to 1.
///
/// `{}` shows it rounded half up to one digit, such as `7e-13`; `{:.2}` with two more, such as `7.08e-13`; 0 is shown as
/// `0 (impossible)`, so that it is not taken for something small. A width aligns to the right, as numbers are.
/// Comparisons are exact.
#[derive(Clone)]
pub struct Risk {
    numerator: BigUint,
    denominator: BigUint,
}

/// A rounded number: `mantissa` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits asked for; the first is not 0.
    pub mantissa: u64,
    /// Power of ten of the last digit.
    pub exponent: i64,
}

impl Risk {
    /// What cannot happen.
    #[must_use]
    pub fn impossible() -> Self {
        Self::quotient(BigUint::ZERO, BigUint::from(1u32))
    }

    /// What happens whatever is drawn.
    #[must_use]
    pub fn certain() -> Self {
        Self::quotient(BigUint::from(1u32), BigUint::from(1u32))
    }

    /// `numerator` cases of `denominator` equally likely ones, of which there is at least one.
    pub(crate) fn quotient(numerator: BigUint, denominator: BigUint) -> Self {
        debug_assert!(denominator > BigUint::ZERO && numerator <= denominator);
        Self {
            numerator,
            denominator,
        }
    }

    /// Whether it is exactly 0.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        self.numerator == BigUint::ZERO
    }

    /// A bound on the risk that at least one of `count` events of this risk happens, however they depend on each other:
    /// `count` times the risk, at most 1. With shards it bounds the risk of an epoch, with epochs a year that of a year.
    #[must_use]
    pub fn union_bound(&self, count: u64) -> Self {
        let numerator = &self.numerator * count;
        Self {
            numerator: numerator.min(self.denominator.clone()),
            denominator: self.denominator.clone(),
        }
    }

    /// The first 1 to 18 `digits`, rounded half up; `None` for 0. Numbers outside that range count as its ends.
    #[must_use]
    pub fn decimal(&self, digits: u32) -> Option<Decimal> {
        if self.is_impossible() {
            return None;
        }
        let digits = digits.clamp(1, DECIMAL_DIGITS_MAX);
        let shift = self.leading_zeros() + (digits - 1);
        let scaled = &self.numerator * ten_to(shift) * 2u32 + &self.denominator;
        let rounded = scaled / (&self.denominator * 2u32);
        let mantissa = u64::try_from(rounded).expect("18 digits, or ten to the power of 18");
        let exponent = -i64::from(shift);
        // Rounding up may have made 9.9 a 10, which is one digit too many.
        if mantissa == 10u64.pow(digits) {
            return Some(Decimal {
                mantissa: mantissa / 10,
                exponent: exponent + 1,
            });
        }
        Some(Decimal { mantissa, exponent })
    }

    /// The least m such that this number, which is not 0, times ten to the power of m is at least 1.
    fn leading_zeros(&self) -> u32 {
        // The number is below two to the power of 1 - bits, so m is at least (bits - 1) times the logarithm of two.
        let bits = self
            .denominator
            .bits()
            .saturating_sub(self.numerator.bits());
        let least = bits.saturating_sub(1) * 30_102 / 100_000;
        let mut zeros = u32::try_from(least).expect("a number this long does not fit into memory");
        let mut scaled = &self.numerator * ten_to(zeros);
        while scaled < self.denominator {
            scaled *= 10u32;
            zeros += 1;
        }
        zeros
    }
}

impl Decimal {
    /// `d.ddde-x`, or `d.ddd` for a power of 0.
    fn scientific(self) -> String {
        let digits = format!("{}", self.mantissa);
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let after = i64::try_from(rest.len()).expect("at most 18 digits");
        match self.exponent + after {
            0 => format!("{first}{point}{rest}"),
            exponent => format!("{first}{point}{rest}e{exponent}"),
        }
    }
}

fn ten_to(power: u32) -> BigUint {
    BigUint::from(10u32).pow(power)
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = f.precision().unwrap_or(0);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let text = match self.decimal(more.saturating_add(1)) {
            Some(decimal) => decimal.scientific(),
            None => String::from("0 (impossible)"),
        };
        // `Formatter::pad` would take the precision for the most characters to show.
        match f.width() {
            Some(width) => write!(f, "{text:>width$}"),
            None => f.write_str(&text),
        }
    }
}

impl fmt::Debug for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Risk({self:.5})")
    }
}

impl PartialEq for Risk {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Risk {}

impl PartialOrd for Risk {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Risk {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

/// A decimal number from 0 to 1, with a power of ten or without, such as `1e-9`, `2.5e-7` or `0.001`.
impl FromStr for Risk {
    type Err = RiskError;

    fn from_str(text: &str) -> Result<Self, RiskError> {
        let refused = RiskError::NotAProbability;
        let (number, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        let wanted = 1..=DIGITS_MAX;
        if !wanted.contains(&digits().count()) || !digits().all(|digit| digit.is_ascii_digit()) {
            return Err(refused);
        }
        let power: i32 = power.parse().map_err(|_| refused)?;
        if !(EXPONENT_MIN..=0).contains(&power) {
            return Err(refused);
        }
        let numerator = digits().fold(BigUint::ZERO, |number, digit| {
            number * 10u32 + (digit - b'0')
        });
        let after = u32::try_from(fraction.len()).expect("at most 30 digits");
        let denominator = ten_to(after + power.unsigned_abs());
        if numerator > denominator {
            return Err(refused);
        }
        Ok(Self::quotient(numerator, denominator))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn risk(numerator: u64, denominator: u64) -> Risk {
        Risk::quotient(BigUint::from(numerator), BigUint::from(denominator))
    }

    #[test]
    fn numbers_are_shown_rounded_half_up() {
        for (numerator, denominator, one, three) in [
            (1, 1, "1", "1.00"),
            (1, 2, "5e-1", "5.00e-1"),
            (1, 3, "3e-1", "3.33e-1"),
            (2, 3, "7e-1", "6.67e-1"),
            (15, 100, "2e-1", "1.50e-1"),
            (14_999, 100_000, "1e-1", "1.50e-1"),
            (95, 100, "1", "9.50e-1"),
            (9_996, 1_000_000, "1e-2", "1.00e-2"),
            (1, 10, "1e-1", "1.00e-1"),
            (1, 1_000_000, "1e-6", "1.00e-6"),
            (1, u64::MAX, "5e-20", "5.42e-20"),
        ] {
            let risk = risk(numerator, denominator);
            assert_eq!(risk.to_string(), one);
            assert_eq!(format!("{risk:.2}"), three);
        }
        assert_eq!(risk(0, 7).to_string(), "0 (impossible)");
        assert_eq!(format!("{:.2}", risk(0, 7)), "0 (impossible)");
        assert_eq!(format!("[{:>9.1}]", risk(1, 8)), "[   1.3e-1]");
    }

    #[test]
    fn decimals_have_as_many_digits_as_are_asked_for() {
        let third = risk(1, 3);
        let all = Some(Decimal {
            mantissa: 333_333_333_333_333_333,
            exponent: -18,
        });
        assert_eq!(third.decimal(18), all);
        assert_eq!(third.decimal(u32::MAX), all);
        assert_eq!(third.decimal(0), third.decimal(1));
        assert_eq!(Risk::impossible().decimal(3), None);
        assert_eq!(
            Risk::certain().decimal(18).map(|one| one.mantissa),
            Some(10u64.pow(17))
        );
    }

    #[test]
    fn bounds_add_up_and_end_at_one() {
        assert_eq!(risk(1, 10).union_bound(3), risk(3, 10));
        assert_eq!(risk(1, 10).union_bound(11), Risk::certain());
        assert_eq!(risk(1, 10).union_bound(0), Risk::impossible());
        assert_eq!(Risk::impossible().union_bound(u64::MAX), Risk::impossible());
    }

    #[test]
    fn targets_are_read_exactly() {
        let parse = |text: &str| text.parse::<Risk>();
        assert_eq!(parse("1e-9"), Ok(risk(1, 1_000_000_000)));
        assert_eq!(parse("2.5E-3"), Ok(risk(25, 10_000)));
        assert_eq!(parse("0.001"), Ok(risk(1, 1000)));
        assert_eq!(parse("1"), Ok(Risk::certain()));
        assert_eq!(parse("0"), Ok(Risk::impossible()));
        for text in [
            "",
            ".",
            "e-3",
            "-1e-3",
            "1.1",
            "2",
            "1e1",
            "1e-1001",
            "1e-",
            "1e",
            "0x1",
            "1e-9e-9",
            "1..0",
            "٣e-3",
            "0.0000000000000000000000000000001",
        ] {
            assert_eq!(parse(text), Err(RiskError::NotAProbability), "{text}");
        }
    }

    proptest! {
        #[test]
        fn order_and_decimals_agree_with_fractions(a in 0u64..1000, b in 1u64..1000, c in 0u64..1000, d in 1u64..1000) {
            let (a, c) = (a.min(b), c.min(d));
            prop_assert_eq!(risk(a, b).cmp(&risk(c, d)), (a * d).cmp(&(c * b)));
            if a > 0 {
                let shown = risk(a, b).decimal(6).unwrap();
                let shift = u32::try_from(-shown.exponent).unwrap();
                let exact = 2 * u128::from(a) * 10u128.pow(shift);
                let rounded = 2 * u128::from(shown.mantissa) * u128::from(b);
                prop_assert!(rounded.abs_diff(exact) <= u128::from(b));
                prop_assert!((100_000..1_000_000).contains(&shown.mantissa));
            }
        }
    }
}
