//! Black's 1976 formula for European options on a forward.
//!
//! Fischer Black, The pricing of commodity contracts, Journal of Financial Economics 3 (1976). With the deviation
//! `s = sigma sqrt(T)` of the logarithm of the price at expiry and `d = ln(F / K) / s + s / 2`, a call is worth
//! `F N(d) - K N(d - s)` before discounting, and a put that less `F - K`.
//!
//! The formula is homogeneous, so forward, strike and prices have one unit of the caller's choice. Counted in 1e-8 quote
//! they are integers wherever they are given, and neither parity nor an intrinsic value is ever rounded.

use thiserror::Error;

use crate::fixed::Fixed;
use crate::normal::normal_distribution;

/// Forwards and strikes are below this, as prices that count 1e-8 quote are: `2^47`.
pub const FORWARD_LIMIT: Fixed = Fixed::from_raw(1 << (47 + 64));

/// Forwards and strikes are not below this, so that their ratio has a place among [`Fixed`] numbers: `2^-14`.
pub const FORWARD_LEAST: Fixed = Fixed::from_raw(1 << (64 - 14));

/// Deviations are at most this: `2^12`. Far below it a call is worth all of its forward.
pub const DEVIATION_LIMIT: Fixed = Fixed::from_raw(1 << (12 + 64));

/// An argument outside the range of the formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlackError {
    /// A forward outside `FORWARD_LEAST..FORWARD_LIMIT`.
    #[error("forward {} / 2^64 is out of range", .0.raw())]
    Forward(Fixed),
    /// A strike outside `FORWARD_LEAST..FORWARD_LIMIT`.
    #[error("strike {} / 2^64 is out of range", .0.raw())]
    Strike(Fixed),
    /// A deviation that is negative or above [`DEVIATION_LIMIT`].
    #[error("deviation {} / 2^64 is out of range", .0.raw())]
    Deviation(Fixed),
}

/// Which right an option gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptionKind {
    /// To buy at the strike.
    Call,
    /// To sell at the strike.
    Put,
}

/// The values of a call and a put of one strike, in the unit of forward and strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionPair {
    /// The call's value.
    pub call: Fixed,
    /// The put's value.
    pub put: Fixed,
}

impl OptionPair {
    /// One of the two.
    #[must_use]
    pub const fn of(self, kind: OptionKind) -> Fixed {
        match kind {
            OptionKind::Call => self.call,
            OptionKind::Put => self.put,
        }
    }

    /// Both times a discount factor, floored to the last place. `None` if a product is out of range, which it is not for
    /// factors from 0 to `2^15`.
    #[must_use]
    pub fn discounted(self, factor: Fixed) -> Option<Self> {
        Some(Self {
            call: self.call.checked_mul(factor)?,
            put: self.put.checked_mul(factor)?,
        })
    }
}

/// The undiscounted values of a call and a put.
///
/// `forward` and `strike` have the same unit, which is that of the result; `deviation` is `sigma sqrt(T)`, where zero gives
/// the intrinsic values. Each value is within `1e-18 max(forward, strike)` of the formula, `call - put` is exactly
/// `forward - strike`, and `max(0, F - K) <= call <= F` and `max(0, K - F) <= put <= K` hold exactly.
///
/// ```
/// use quorate_margin::{Fixed, black76};
///
/// let (forward, strike) = (Fixed::from(100), Fixed::from(90));
/// let deviation = Fixed::from_ratio(2, 10).ok_or("out of range")?;
/// let pair = black76(forward, strike, deviation)?;
/// assert_eq!((pair.call.floor(), pair.put.floor()), (13, 3));
/// assert_eq!(pair.call.checked_sub(pair.put), Some(Fixed::from(10)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`BlackError`] for an argument out of range.
pub fn black76(forward: Fixed, strike: Fixed, deviation: Fixed) -> Result<OptionPair, BlackError> {
    let range = FORWARD_LEAST..FORWARD_LIMIT;
    if !range.contains(&forward) {
        return Err(BlackError::Forward(forward));
    }
    if !range.contains(&strike) {
        return Err(BlackError::Strike(strike));
    }
    if !(Fixed::ZERO..=DEVIATION_LIMIT).contains(&deviation) {
        return Err(BlackError::Deviation(deviation));
    }
    let log_ratio = forward
        .max(strike)
        .checked_div(forward.min(strike))
        .and_then(Fixed::ln)
        .expect("the range of forwards bounds the ratio, which is 1 at least");
    Ok(option_pair(forward, strike, log_ratio, deviation))
}

/// [`black76`] for arguments in range and `log_ratio`, the logarithm of the greater of forward and strike over the lesser.
/// An error of it moves both `d` alike, where the value is stationary, and so enters by its square.
pub(crate) fn option_pair(
    forward: Fixed,
    strike: Fixed,
    log_ratio: Fixed,
    deviation: Fixed,
) -> OptionPair {
    // Only the option out of the money is computed: the other is greater by a known difference, and computing it would
    // lose the digits of what is small.
    let (low, high) = (forward.min(strike), forward.max(strike));
    let outer = out_of_the_money(low, high, log_ratio, deviation);
    let inner = Fixed::from_raw(outer.raw() + (high.raw() - low.raw()));
    if forward <= strike {
        OptionPair {
            call: outer,
            put: inner,
        }
    } else {
        OptionPair {
            call: inner,
            put: outer,
        }
    }
}

/// The value of the option out of the money. For a call it is `F N(d) - K N(d - s)` with `F <= K`; for a put
/// `K N(s - d) - F N(-d)` with `K <= F`, and as `d` changes its sign with the logarithm, both are
/// `low N(s / 2 - l / s) - high N(-s / 2 - l / s)` with `l = ln(high / low)`.
fn out_of_the_money(low: Fixed, high: Fixed, log_ratio: Fixed, deviation: Fixed) -> Fixed {
    // Without a quotient the deviation is zero or a tiny part of the distance, and the value below the last place.
    let Some(distance) = log_ratio.checked_div(deviation) else {
        return Fixed::ZERO;
    };
    let half = deviation.raw() >> 1;
    let upper = Fixed::from_raw(half - distance.raw());
    let lower = Fixed::from_raw(upper.raw().saturating_sub(deviation.raw()));
    let gain = low.times(normal_distribution(upper));
    let cost = high.times(normal_distribution(lower));
    Fixed::from_raw(gain.raw() - cost.raw()).clamp(Fixed::ZERO, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deviation_leaves_the_intrinsic_value() {
        let (low, high) = (Fixed::from(90), Fixed::from(100));
        let tiny = Fixed::from_raw(1);
        for deviation in [Fixed::ZERO, tiny] {
            let pair = OptionPair {
                call: Fixed::from(10),
                put: Fixed::ZERO,
            };
            assert_eq!(black76(high, low, deviation), Ok(pair));
            let pair = OptionPair {
                call: Fixed::ZERO,
                put: Fixed::from(10),
            };
            assert_eq!(black76(low, high, deviation), Ok(pair));
        }
        assert_eq!(
            black76(low, low, Fixed::ZERO).map(|pair| pair.call),
            Ok(Fixed::ZERO)
        );
    }

    #[test]
    fn the_greatest_deviation_gives_all() {
        let (low, high) = (Fixed::from(90), Fixed::from(100));
        let pair = black76(low, high, DEVIATION_LIMIT).unwrap();
        assert_eq!((pair.call, pair.put), (low, high));
    }

    #[test]
    fn arguments_out_of_range() {
        let one = Fixed::ONE;
        let below = Fixed::from_raw(FORWARD_LEAST.raw() - 1);
        let above = Fixed::from_raw(DEVIATION_LIMIT.raw() + 1);
        let negative = Fixed::from_raw(-1);
        for price in [
            Fixed::ZERO,
            below,
            FORWARD_LIMIT,
            Fixed::from_raw(i128::MIN),
        ] {
            assert_eq!(black76(price, one, one), Err(BlackError::Forward(price)));
            assert_eq!(black76(one, price, one), Err(BlackError::Strike(price)));
        }
        assert_eq!(black76(one, one, above), Err(BlackError::Deviation(above)));
        assert_eq!(
            black76(one, one, negative),
            Err(BlackError::Deviation(negative))
        );
    }

    #[test]
    fn every_corner_of_the_range_has_a_price() {
        let prices = [
            FORWARD_LEAST,
            Fixed::ONE,
            Fixed::from_raw(FORWARD_LIMIT.raw() - 1),
        ];
        let exponents = (0..77).map(|shift| Fixed::from_raw(1 << shift));
        for deviation in exponents.chain([Fixed::ZERO]) {
            for forward in prices {
                for strike in prices {
                    let pair = black76(forward, strike, deviation).unwrap();
                    assert!(pair.call <= forward && pair.put <= strike);
                }
            }
        }
    }
}
