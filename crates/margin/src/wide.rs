//! Products of two 128-bit numbers, which need 256 bits, and their quotients.
//!
//! Halves and digits are 64 bits wide, so that every partial product and every trial quotient fits 128 bits. Arithmetic
//! that cannot leave 128 bits, for the reason written beside it, is spelled `wrapping_*`: it is the same operation
//! without the check, which for products of this width is a call to a library function.

/// The lower 64 bits.
const LOW: u128 = 0xffff_ffff_ffff_ffff;
const LOW_SIGNED: i128 = 0xffff_ffff_ffff_ffff;

/// `floor(a * b / 2^64)`, exactly: the product of two Q64.64 numbers. `None` where the result leaves `i128`.
#[must_use]
pub fn mul_shift(a: i128, b: i128) -> Option<i128> {
    // With a = A * 2^64 + a' and b = B * 2^64 + b', where 0 <= a', b' < 2^64, only a' * b' has a part below 2^64, so that
    // cutting that part off is the floor for either sign.
    let (a_high, a_low) = (a >> 64, a & LOW_SIGNED);
    let (b_high, b_low) = (b >> 64, b & LOW_SIGNED);
    // High halves are within 2^63 of zero, hence these three are within 2^127, and the fourth fits unsigned.
    let high = a_high.wrapping_mul(b_high);
    let left = a_high.wrapping_mul(b_low);
    let right = b_high.wrapping_mul(a_low);
    let low = a_low.unsigned_abs().wrapping_mul(b_low.unsigned_abs()) >> 64;
    // Summed by halves, because the sum of the two middle products need not fit. The lower sum is below 2^66, the upper
    // within 2^126 + 2^65 of zero.
    let below = (left & LOW_SIGNED)
        .wrapping_add(right & LOW_SIGNED)
        .wrapping_add(low.cast_signed());
    let above = high
        .wrapping_add(left >> 64)
        .wrapping_add(right >> 64)
        .wrapping_add(below >> 64);
    let above = i64::try_from(above).ok()?;
    Some((i128::from(above) << 64) | (below & LOW_SIGNED))
}

/// `floor(a * b / d)`, exactly. `None` if `d` is zero or the result leaves `i128`.
#[must_use]
pub fn mul_div_floor(a: i128, b: i128, d: i128) -> Option<i128> {
    let negative = (a < 0) ^ (b < 0) ^ (d < 0);
    let (high, low) = product(a.unsigned_abs(), b.unsigned_abs());
    let divisor = d.unsigned_abs();
    // Covers a divisor of zero.
    if high >= divisor {
        return None;
    }
    let (quotient, remainder) = if high == 0 {
        (low / divisor, low % divisor)
    } else {
        divide(high, low, divisor)
    };
    if negative {
        let magnitude = quotient.checked_add(u128::from(remainder != 0))?;
        0_i128.checked_sub_unsigned(magnitude)
    } else {
        i128::try_from(quotient).ok()
    }
}

/// The high and the low half of a product.
pub(crate) fn product(a: u128, b: u128) -> (u128, u128) {
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    // Factors are below 2^64, so each product is at most 2^128 - 2^65 + 1 and leaves room for what is added to it.
    let low = a_low.wrapping_mul(b_low);
    let left = a_high.wrapping_mul(b_low) + (low >> 64);
    let right = a_low.wrapping_mul(b_high) + (left & LOW);
    let high = a_high.wrapping_mul(b_high) + (left >> 64) + (right >> 64);
    (high, (right << 64) | (low & LOW))
}

/// Quotient and remainder of `(high, low)` by a divisor greater than `high`, so that the quotient fits: long division by
/// two digits of 64 bits (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D).
fn divide(high: u128, low: u128, divisor: u128) -> (u128, u128) {
    let shift = divisor.leading_zeros();
    let divisor = divisor << shift;
    // `high < divisor` before the shift, so nothing is lost on the left.
    let high = if shift == 0 {
        high
    } else {
        (high << shift) | (low >> (128 - shift))
    };
    let low = low << shift;
    let (first, rest) = divide_digit(high, low >> 64, divisor);
    let (second, rest) = divide_digit(rest, low & LOW, divisor);
    ((first << 64) | second, rest >> shift)
}

/// One digit of the quotient and the remainder of `rest * 2^64 + digit` by a divisor whose highest bit is set and which
/// is greater than `rest`.
fn divide_digit(rest: u128, digit: u128, divisor: u128) -> (u128, u128) {
    let (divisor_high, divisor_low) = (divisor >> 64, divisor & LOW);
    let mut quotient = rest / divisor_high;
    let mut left = rest % divisor_high;
    // The trial quotient is at most two too large (Knuth, theorem B).
    while quotient > LOW || quotient.wrapping_mul(divisor_low) > ((left << 64) | digit) {
        quotient -= 1;
        left += divisor_high;
        if left > LOW {
            break;
        }
    }
    // The true remainder is below the divisor; what both sides exceed 2^128 by cancels.
    let remainder = ((rest << 64) | digit).wrapping_sub(quotient.wrapping_mul(divisor));
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The obvious model: numbers as sequences of bits, the lowest first.
    fn bits(number: u128) -> Vec<bool> {
        (0..128).map(|place| (number >> place) & 1 == 1).collect()
    }

    fn model_product(a: u128, b: u128) -> Vec<bool> {
        let mut sum = vec![false; 256];
        for (shift, _) in bits(a).iter().enumerate().filter(|(_, bit)| **bit) {
            let mut carry = false;
            for place in 0..256 - shift {
                let other = place < 128 && (b >> place) & 1 == 1;
                let at = place + shift;
                let ones = u8::from(sum[at]) + u8::from(other) + u8::from(carry);
                sum[at] = ones & 1 == 1;
                carry = ones > 1;
            }
        }
        sum
    }

    /// Shift and subtract, one bit at a time. `None` if the quotient has more than 128 bits.
    fn model_divide(dividend: &[bool], divisor: u128) -> Option<(u128, u128)> {
        let (mut quotient, mut rest) = (0_u128, 0_u128);
        for bit in dividend.iter().rev() {
            let carried = rest >> 127 == 1;
            rest = (rest << 1) | u128::from(*bit);
            if quotient >> 127 == 1 {
                return None;
            }
            quotient <<= 1;
            if carried || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                quotient |= 1;
            }
        }
        Some((quotient, rest))
    }

    fn model(a: i128, b: i128, d: i128) -> Option<i128> {
        if d == 0 {
            return None;
        }
        let dividend = model_product(a.unsigned_abs(), b.unsigned_abs());
        let (quotient, rest) = model_divide(&dividend, d.unsigned_abs())?;
        if (a < 0) ^ (b < 0) ^ (d < 0) {
            let magnitude = quotient.checked_add(u128::from(rest > 0))?;
            0_i128.checked_sub_unsigned(magnitude)
        } else {
            i128::try_from(quotient).ok()
        }
    }

    /// Numbers of every length, with long runs of equal bits among them.
    fn number() -> impl Strategy<Value = i128> {
        prop_oneof![
            (any::<i128>(), 0..128_u32).prop_map(|(number, shift)| number >> shift),
            (0..127_u32, 0..127_u32).prop_map(|(a, b)| (1_i128 << a) - (1_i128 << b)),
            (0..127_u32, -2..=2_i128).prop_map(|(a, b)| b - (1_i128 << a)),
            Just(i128::MIN),
            Just(i128::MAX),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn products_and_quotients_are_those_of_the_model(a in number(), b in number(), d in number()) {
            prop_assert_eq!(mul_shift(a, b), model(a, b, 1 << 64));
            prop_assert_eq!(mul_div_floor(a, b, d), model(a, b, d));
        }

        #[test]
        fn a_quotient_that_fits_is_found(a in number(), b in number(), d in number()) {
            // |a| <= |d| makes every result fit but that of the most negative numbers.
            let (a, d) = if a.unsigned_abs() < d.unsigned_abs() { (a, d) } else { (d, a) };
            prop_assume!(d != 0);
            prop_assert_eq!(mul_div_floor(a, b, d), model(a, b, d));
        }
    }

    #[test]
    fn edges() {
        assert_eq!(mul_shift(i128::MIN, i128::MIN), None);
        assert_eq!(mul_shift(i128::MIN, 1 << 64), Some(i128::MIN));
        assert_eq!(mul_shift(i128::MIN, -(1 << 64)), None);
        assert_eq!(mul_shift(-1, 1), Some(-1));
        assert_eq!(
            mul_div_floor(i128::MIN, i128::MIN, i128::MIN),
            Some(i128::MIN)
        );
        assert_eq!(
            mul_div_floor(i128::MAX, i128::MAX, i128::MAX),
            Some(i128::MAX)
        );
        assert_eq!(mul_div_floor(1, 1, 0), None);
        assert_eq!(mul_div_floor(0, 5, 0), None);
        assert_eq!(mul_div_floor(-1, 1, i128::MAX), Some(-1));
    }
}
