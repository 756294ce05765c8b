//! The deviation that an option's price implies.

use thiserror::Error;

use crate::black76::{BlackError, OptionKind, black76};
use crate::fixed::Fixed;

/// Implied deviations are sought up to this: at 32 an option is worth its upper bound to the last place.
pub const IMPLIED_LIMIT: Fixed = Fixed::from_raw(32 << 64);

/// What an implied deviation is exact to: `2^-44`, about 5.7e-14.
pub const IMPLIED_RESOLUTION: Fixed = Fixed::from_raw(1 << (64 - 44));

/// Why no deviation is implied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ImpliedError {
    /// Forward or strike is out of range.
    #[error(transparent)]
    Black(#[from] BlackError),
    /// The price is below the intrinsic value, so that whoever buys and exercises gains.
    #[error("price {} / 2^64 is below the intrinsic value {} / 2^64", price.raw(), intrinsic.raw())]
    BelowIntrinsic {
        /// The price given, undiscounted.
        price: Fixed,
        /// The least that the option is worth.
        intrinsic: Fixed,
    },
    /// The price is not below the forward (call) or strike (put), which no deviation reaches.
    #[error("price {} / 2^64 is not below the bound {} / 2^64", price.raw(), bound.raw())]
    AboveBound {
        /// The price given, undiscounted.
        price: Fixed,
        /// What the option is worth less than.
        bound: Fixed,
    },
}

/// The greatest multiple of [`IMPLIED_RESOLUTION`] at which [`black76`] gives no more than `price`, by bisection.
///
/// `price` is undiscounted and has the unit of `forward` and `strike`. Where a price hardly depends on the deviation, as
/// far from the money, many deviations give it, and which one is found follows from the last places of the prices.
///
/// # Errors
///
/// [`ImpliedError`] for forward or strike out of range and prices outside the bounds of no arbitrage.
pub fn implied_deviation(
    kind: OptionKind,
    forward: Fixed,
    strike: Fixed,
    price: Fixed,
) -> Result<Fixed, ImpliedError> {
    let worth = |deviation| black76(forward, strike, deviation).map(|pair| pair.of(kind));
    let intrinsic = worth(Fixed::ZERO)?;
    if price < intrinsic {
        return Err(ImpliedError::BelowIntrinsic { price, intrinsic });
    }
    let bound = match kind {
        OptionKind::Call => forward,
        OptionKind::Put => strike,
    };
    if price >= bound {
        return Err(ImpliedError::AboveBound { price, bound });
    }
    // Counted in resolutions: worth(low) <= price, and worth(high) > price or high is the limit.
    let resolution = IMPLIED_RESOLUTION.raw();
    let (mut low, mut high) = (0, IMPLIED_LIMIT.raw() / resolution);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if worth(Fixed::from_raw(middle * resolution))? <= price {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Fixed::from_raw(low * resolution))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind() -> impl Strategy<Value = OptionKind> {
        prop_oneof![Just(OptionKind::Call), Just(OptionKind::Put)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_deviation_comes_back_from_its_price(
            kind in kind(), forward in 1_000_000..1_i64 << 46, percent in 70..140_i64,
            deviation in 1_000_000..300_000_000_i128,
        ) {
            let strike = Fixed::from(forward / 100 * percent);
            let forward = Fixed::from(forward);
            let deviation = Fixed::from_ratio(deviation, 100_000_000).unwrap();
            let price = black76(forward, strike, deviation).unwrap().of(kind);
            let found = implied_deviation(kind, forward, strike, price);
            // Far from the money a price's last place no longer tells one deviation from the next.
            let distance = forward.max(strike).checked_div(forward.min(strike)).unwrap().ln().unwrap();
            if distance.checked_div(deviation).unwrap() < Fixed::from(4) {
                let gap = (found.unwrap().raw() - deviation.raw()).abs();
                prop_assert!(gap <= 2 * IMPLIED_RESOLUTION.raw(), "{gap}");
            }
        }

        #[test]
        fn a_price_lies_between_those_of_its_deviation_and_the_next(
            kind in kind(), forward in 1_000_000..1_i64 << 43, percent in 1..1_000_i64, share in 0..1_000_000_i128,
        ) {
            let strike = Fixed::from(forward / 100 * percent);
            let forward = Fixed::from(forward);
            let least = black76(forward, strike, Fixed::ZERO).unwrap().of(kind);
            let bound = if kind == OptionKind::Call { forward } else { strike };
            let price = Fixed::from_raw(least.raw() + (bound.raw() - least.raw()) / 1_000_000 * share);
            let found = implied_deviation(kind, forward, strike, price).unwrap();
            let worth = |raw| black76(forward, strike, Fixed::from_raw(raw)).unwrap().of(kind);
            prop_assert!(worth(found.raw()) <= price);
            prop_assert!(price < worth(found.raw() + IMPLIED_RESOLUTION.raw()));
        }
    }

    #[test]
    fn the_price_of_a_multiple_implies_that_multiple() {
        // At the money each resolution is worth more than the last places of a price.
        let strike = Fixed::from(100);
        for shift in 1..40 {
            let deviation = Fixed::from_raw(IMPLIED_RESOLUTION.raw() * ((1 << shift) + 1));
            let price = black76(strike, strike, deviation).unwrap().call;
            let implied = implied_deviation(OptionKind::Call, strike, strike, price);
            assert_eq!(implied, Ok(deviation));
        }
    }

    #[test]
    fn prices_that_no_deviation_gives() {
        let (forward, strike) = (Fixed::from(110), Fixed::from(100));
        let implied = |kind, price| implied_deviation(kind, forward, strike, price);
        let (price, intrinsic) = (Fixed::from_raw((10 << 64) - 1), Fixed::from(10));
        assert_eq!(
            implied(OptionKind::Call, price),
            Err(ImpliedError::BelowIntrinsic { price, intrinsic })
        );
        let price = Fixed::from_raw(-1);
        assert_eq!(
            implied(OptionKind::Put, price),
            Err(ImpliedError::BelowIntrinsic {
                price,
                intrinsic: Fixed::ZERO
            })
        );
        assert_eq!(
            implied(OptionKind::Call, forward),
            Err(ImpliedError::AboveBound {
                price: forward,
                bound: forward
            })
        );
        assert_eq!(
            implied(OptionKind::Put, strike),
            Err(ImpliedError::AboveBound {
                price: strike,
                bound: strike
            })
        );
        assert!(implied(OptionKind::Put, Fixed::from_raw(strike.raw() - 1)).is_ok());
        assert_eq!(
            implied_deviation(OptionKind::Put, Fixed::ZERO, strike, Fixed::ONE),
            Err(ImpliedError::Black(BlackError::Forward(Fixed::ZERO)))
        );
    }
}
