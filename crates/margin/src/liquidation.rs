//! What is left of an account, or missing, when a future or perpetual is closed at some price.
//!
//! Value of a price difference: `lots * multiplier * difference / 10^8` quote atoms, rounded toward minus infinity, so
//! that credits shrink and debits grow (SETTLEMENT 2.1). The order of losses is insurance first, then the opposite side at
//! the bankruptcy price, as dYdX documents it (contract loss mechanism).

use crate::rounding::QUANTITY_LIMIT;

/// Prices are smaller than this, in 10^-8 quote per unit of the underlying, and positive.
const PRICE_LIMIT: i64 = 1 << 47;
/// Quote atoms are 10^-6, prices 10^-8 and multipliers 10^-6: 10^-14 down to 10^-6.
const SCALE: i128 = 100_000_000;
/// Collateral is smaller than this in magnitude, so that it can be scaled within `i128`.
const COLLATERAL_LIMIT: i128 = 1 << 96;

/// Why an input is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiquidationError {
    /// No lots, or not within 2^47.
    #[error("a position of {0} lots")]
    Quantity(i64),
    /// A multiplier of 0.
    #[error("a multiplier of 0")]
    Multiplier,
    /// A price that is not positive or not below 2^47.
    #[error("a price of {0}")]
    Price(i64),
    /// Collateral not within 2^96 quote atoms.
    #[error("{0} atoms of collateral")]
    Collateral(i128),
}

/// A position in a future or perpetual, with the collateral that stands behind it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedPosition {
    collateral: i128,
    quantity: i64,
    multiplier: u32,
    entry_price: i64,
}

impl MarkedPosition {
    /// `collateral` in quote atoms, `quantity` in lots (not 0, negative if short), `multiplier` in 10^-6 underlying per
    /// lot, `entry_price` in 10^-8 quote per unit of the underlying.
    ///
    /// # Errors
    /// [`LiquidationError`], for the first argument out of range.
    pub const fn new(
        collateral: i128,
        quantity: i64,
        multiplier: u32,
        entry_price: i64,
    ) -> Result<Self, LiquidationError> {
        if collateral.unsigned_abs() >= COLLATERAL_LIMIT.unsigned_abs() {
            return Err(LiquidationError::Collateral(collateral));
        }
        if quantity == 0 || quantity.unsigned_abs() >= QUANTITY_LIMIT.unsigned_abs() {
            return Err(LiquidationError::Quantity(quantity));
        }
        if multiplier == 0 {
            return Err(LiquidationError::Multiplier);
        }
        if entry_price <= 0 || entry_price >= PRICE_LIMIT {
            return Err(LiquidationError::Price(entry_price));
        }
        Ok(Self {
            collateral,
            quantity,
            multiplier,
            entry_price,
        })
    }

    /// What the account is worth if the position is closed at `price`: quote atoms, negative if others must pay.
    ///
    /// # Errors
    /// [`LiquidationError::Price`].
    pub fn equity(&self, price: i64) -> Result<i128, LiquidationError> {
        if price <= 0 || price >= PRICE_LIMIT {
            return Err(LiquidationError::Price(price));
        }
        let difference = i128::from(price) - i128::from(self.entry_price);
        // Below 2^(47 + 32 + 48).
        Ok(self.collateral + (self.lots_by_price() * difference).div_euclid(SCALE))
    }

    /// The worst price at which the position can be closed without a loss to others: the lowest price with equity of 0 or
    /// more if it is long, the highest if it is short. `None` if it is solvent at every price, or at none.
    #[must_use]
    pub fn bankruptcy_price(&self) -> Option<i64> {
        let slope = self.lots_by_price();
        // Equity is not negative exactly if slope * difference >= -collateral * SCALE, as the right side is whole.
        let bound = -self.collateral * SCALE;
        let difference = if slope > 0 {
            // The least whole number not below the quotient.
            -(-bound).div_euclid(slope)
        } else {
            (-bound).div_euclid(-slope)
        };
        let price = i128::from(self.entry_price) + difference;
        let price = i64::try_from(price).ok()?;
        (0 < price && price < PRICE_LIMIT).then_some(price)
    }

    /// What insurance pays if the position is closed at `price`: what is missing to an equity of 0, in quote atoms.
    ///
    /// # Errors
    /// [`LiquidationError::Price`].
    pub fn insurance_payment(&self, price: i64) -> Result<i128, LiquidationError> {
        Ok((-self.equity(price)?).max(0))
    }

    /// Quote atoms * 10^8 per unit of price.
    fn lots_by_price(&self) -> i128 {
        i128::from(self.quantity) * i128::from(self.multiplier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATOMS: i128 = 1_000_000;
    const PRICE: i64 = 100_000_000;
    const WHOLE: u32 = 1_000_000;

    /// dYdX documentation, contract loss mechanism, deleveraging: A is long and B short 500 at 1, each with 100. At a
    /// price of 2 B is 400 below zero; both are closed at B's bankruptcy price of 1.2, where A has gained 100.
    #[test]
    fn dydx_deleveraging() {
        let long = MarkedPosition::new(100 * ATOMS, 500, WHOLE, PRICE).unwrap();
        let short = MarkedPosition::new(100 * ATOMS, -500, WHOLE, PRICE).unwrap();
        assert_eq!(short.equity(2 * PRICE), Ok(-400 * ATOMS));
        assert_eq!(short.bankruptcy_price(), Some(120_000_000));
        assert_eq!(short.equity(120_000_000), Ok(0));
        assert_eq!(long.equity(120_000_000), Ok(200 * ATOMS));
        assert_eq!(short.insurance_payment(120_000_000), Ok(0));
    }

    /// dYdX documentation, contract loss mechanism, liquidation: 500 long at 1 with 100. At 0.801 half a unit is left, a
    /// fill at 0.77 costs insurance 15.
    #[test]
    fn dydx_liquidation() {
        let long = MarkedPosition::new(100 * ATOMS, 500, WHOLE, PRICE).unwrap();
        assert_eq!(long.equity(80_100_000), Ok(ATOMS / 2));
        assert_eq!(long.insurance_payment(80_100_000), Ok(0));
        assert_eq!(long.insurance_payment(77_000_000), Ok(15 * ATOMS));
        assert_eq!(long.bankruptcy_price(), Some(80_000_000));
    }

    #[test]
    fn the_bankruptcy_price_is_the_last_solvent_one() {
        for collateral in [-5_000_003, -1, 0, 1, 7, 333_333, 5_000_001] {
            for quantity in [-700, -3, -1, 1, 3, 700] {
                for multiplier in [1, 7, 1_000, WHOLE] {
                    let position =
                        MarkedPosition::new(collateral, quantity, multiplier, 5 * PRICE).unwrap();
                    let Some(price) = position.bankruptcy_price() else {
                        // Solvent everywhere, or nowhere.
                        let low = position.equity(1).unwrap() >= 0;
                        let high = position.equity(PRICE_LIMIT - 1).unwrap() >= 0;
                        assert_eq!(low, high, "{position:?}");
                        continue;
                    };
                    assert!(position.equity(price).unwrap() >= 0, "{position:?}");
                    if let Ok(beyond) = position.equity(price - quantity.signum()) {
                        assert!(beyond < 0, "{position:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn ranges_are_checked_and_their_ends_fit() {
        let error = |collateral, quantity, multiplier, price| {
            MarkedPosition::new(collateral, quantity, multiplier, price).unwrap_err()
        };
        assert_eq!(error(0, 0, 1, 1), LiquidationError::Quantity(0));
        assert_eq!(
            error(0, i64::MIN, 1, 1),
            LiquidationError::Quantity(i64::MIN)
        );
        assert_eq!(error(0, 1, 0, 1), LiquidationError::Multiplier);
        assert_eq!(error(0, 1, 1, 0), LiquidationError::Price(0));
        assert_eq!(
            error(i128::MIN, 1, 1, 1),
            LiquidationError::Collateral(i128::MIN)
        );
        for quantity in [QUANTITY_LIMIT - 1, 1 - QUANTITY_LIMIT] {
            for collateral in [COLLATERAL_LIMIT - 1, 1 - COLLATERAL_LIMIT] {
                let position =
                    MarkedPosition::new(collateral, quantity, u32::MAX, PRICE_LIMIT - 1).unwrap();
                assert!(position.equity(1).is_ok());
                assert_eq!(position.equity(0), Err(LiquidationError::Price(0)));
                let _ = position.bankruptcy_price();
            }
        }
    }
}
