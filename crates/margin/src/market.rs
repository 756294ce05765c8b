//! What an oracle's round says of a feed: a price, the time, and a curve for each expiry.

use alloc::collections::BTreeMap;

use thiserror::Error;

use crate::fixed::Fixed;
use crate::grid::VOLATILITIES;
use crate::rounding::{RangeError, check_price};
use crate::svi::Svi;

/// Bases and rates count 1e-8.
pub const RATIO_SCALE: i64 = 100_000_000;

/// Volatility factors count 1e-4: 10,000 leaves a deviation as it is.
pub const FACTOR_SCALE: u32 = 10_000;

/// Volatility factors are at most this: ten.
pub const FACTOR_LIMIT: u32 = 10 * FACTOR_SCALE;

/// A forward is between a tenth of the price and ten times it.
const BASIS_RANGE: core::ops::RangeInclusive<i64> = RATIO_SCALE / 10..=10 * RATIO_SCALE;

/// Rates are at most 50 % a year in magnitude, so that the value of a lot over ten years stays below `2^62` atoms.
const RATE_MOST: i64 = RATIO_SCALE / 2;

/// A setting or price outside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MarketError {
    /// The price is outside its bounds.
    #[error(transparent)]
    Price(#[from] RangeError),
    /// A basis below a tenth or above ten.
    #[error("basis {0} is not between 0.1 and 10")]
    Basis(i64),
    /// A rate above one half in magnitude.
    #[error("rate {0} exceeds 0.5 in magnitude")]
    Rate(i64),
    /// Volatility factors that are zero, above [`FACTOR_LIMIT`], or do not ascend.
    #[error("volatility factors {0:?} do not ascend within their range")]
    Factors([u32; VOLATILITIES]),
}

/// What prices the instruments of one expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Curve {
    basis: i64,
    rate: i64,
    svi: Svi,
}

impl Curve {
    /// `basis` is the forward as a part of the price, in 1e-8; `rate` the annual rate at which what is paid at expiry is
    /// discounted, continuously compounded, in 1e-8; `svi` the smile, in annual variance.
    ///
    /// # Errors
    ///
    /// [`MarketError::Basis`], [`MarketError::Rate`].
    pub fn new(basis: i64, rate: i64, svi: Svi) -> Result<Self, MarketError> {
        if !BASIS_RANGE.contains(&basis) {
            return Err(MarketError::Basis(basis));
        }
        if !(-RATE_MOST..=RATE_MOST).contains(&rate) {
            return Err(MarketError::Rate(rate));
        }
        Ok(Self { basis, rate, svi })
    }

    /// The forward as a part of the price, in 1e-8.
    #[must_use]
    pub const fn basis(&self) -> i64 {
        self.basis
    }

    /// The annual rate, in 1e-8.
    #[must_use]
    pub const fn rate(&self) -> i64 {
        self.rate
    }

    /// The smile.
    #[must_use]
    pub const fn svi(&self) -> &Svi {
        &self.svi
    }

    /// The forward that goes with a price, exactly: in 1e-16 if the price counts 1e-8.
    pub(crate) fn forward_numerator(&self, price: i64) -> i128 {
        i128::from(price) * i128::from(self.basis)
    }

    /// `e^(-rate years)`, for at most ten years.
    pub(crate) fn discount(&self, years: Fixed) -> Fixed {
        let rate = Fixed::from_ratio(i128::from(-self.rate), i128::from(RATIO_SCALE))
            .expect("the scale is not zero");
        rate.times(years).exp().expect("5 in magnitude at most")
    }
}

/// The state of a feed in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    price: i64,
    now_ms: u64,
    volatility_factors: [u32; VOLATILITIES],
    curves: BTreeMap<u64, Curve>,
}

impl Market {
    /// `price` of the underlying in 1e-8 quote at `now_ms`, milliseconds of the ledger's time; `volatility_factors`, strictly
    /// ascending in 1e-4, such as `[7_000, 10_000, 15_000]`, multiply deviations in the scenarios of a risk array; `curves` by
    /// their expiry in milliseconds.
    ///
    /// # Errors
    ///
    /// [`MarketError::Price`], [`MarketError::Factors`].
    pub fn new(
        price: i64,
        now_ms: u64,
        volatility_factors: [u32; VOLATILITIES],
        curves: BTreeMap<u64, Curve>,
    ) -> Result<Self, MarketError> {
        let price = check_price(price)?;
        let ascending = volatility_factors.is_sorted_by(|left, right| left < right);
        let within = |factor: &u32| (1..=FACTOR_LIMIT).contains(factor);
        if !(ascending && volatility_factors.iter().all(within)) {
            return Err(MarketError::Factors(volatility_factors));
        }
        Ok(Self {
            price,
            now_ms,
            volatility_factors,
            curves,
        })
    }

    /// The price of the underlying, in 1e-8 quote.
    #[must_use]
    pub const fn price(&self) -> i64 {
        self.price
    }

    /// The time of the round, in milliseconds.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What deviations are multiplied by in scenarios, in 1e-4.
    #[must_use]
    pub const fn volatility_factors(&self) -> &[u32; VOLATILITIES] {
        &self.volatility_factors
    }

    /// The curve of an expiry.
    #[must_use]
    pub fn curve(&self, expiry_ms: u64) -> Option<&Curve> {
        self.curves.get(&expiry_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_bounds() {
        let svi = Svi::flat(1).unwrap();
        assert!(Curve::new(RATIO_SCALE, -RATE_MOST, svi).is_ok());
        assert_eq!(Curve::new(0, 0, svi), Err(MarketError::Basis(0)));
        assert_eq!(
            Curve::new(i64::MAX, 0, svi),
            Err(MarketError::Basis(i64::MAX))
        );
        assert_eq!(
            Curve::new(RATIO_SCALE, i64::MIN, svi),
            Err(MarketError::Rate(i64::MIN))
        );
        let market = |price, factors| Market::new(price, 0, factors, BTreeMap::new());
        assert!(market(1, [1, 2, FACTOR_LIMIT]).is_ok());
        assert_eq!(
            market(0, [1, 2, 3]),
            Err(MarketError::Price(RangeError::Price(0)))
        );
        for factors in [[0, 1, 2], [1, 1, 2], [3, 2, 4], [1, 2, FACTOR_LIMIT + 1]] {
            assert_eq!(market(1, factors), Err(MarketError::Factors(factors)));
        }
    }
}
