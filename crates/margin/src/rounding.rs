//! Bounds of prices and quantities, and the one rounding rule.
//!
//! Exact amounts are numerators: `lots * multiplier * price` counts quote atoms times [`SCALE`]. Every change of an
//! account is the floor of its exact amount towards minus infinity, so that credits shrink and debits grow; a fee, which
//! is taken away, rounds up. What flooring leaves over, 0 or 1 atom a leg, goes to `Dust`. Hence amounts are conserved
//! exactly, not within a tolerance (the design's SETTLEMENT 2.1).

use thiserror::Error;

use crate::wide::mul_div_floor;

/// Numerators per quote atom. A multiplier counts 1e-6 of the underlying, a price 1e-8 of the quote asset, and the quote
/// asset has 6 decimals: `1e-6 * 1e-8 * 10^6 = 1e-8`.
pub const SCALE: i128 = 100_000_000;

/// Prices are below this, in 1e-8 quote per unit of the underlying: `2^47`, about 1.4 million of the quote asset.
pub const PRICE_LIMIT: i64 = 1 << 47;

/// Quantities are below this in magnitude, in lots: `2^47`.
pub const QUANTITY_LIMIT: i64 = 1 << 47;

/// Fee rates count millionths.
pub const FEE_RATE_SCALE: u32 = 1_000_000;

/// A number outside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RangeError {
    /// A price that is not in `1..PRICE_LIMIT`.
    #[error("price {0} is not positive and below 2^47")]
    Price(i64),
    /// A quantity whose magnitude reaches [`QUANTITY_LIMIT`].
    #[error("quantity {0} is not within 2^47 of zero")]
    Quantity(i64),
    /// A fee rate above the whole amount, in millionths.
    #[error("fee rate {0} exceeds 1,000,000 millionths")]
    FeeRate(u32),
}

/// Hands a price back if it is in `1..PRICE_LIMIT` (1e-8 quote per unit of the underlying).
pub const fn check_price(price: i64) -> Result<i64, RangeError> {
    if price > 0 && price < PRICE_LIMIT {
        Ok(price)
    } else {
        Err(RangeError::Price(price))
    }
}

/// Hands a quantity back if its magnitude is below [`QUANTITY_LIMIT`] (lots).
pub const fn check_quantity(lots: i64) -> Result<i64, RangeError> {
    if lots > -QUANTITY_LIMIT && lots < QUANTITY_LIMIT {
        Ok(lots)
    } else {
        Err(RangeError::Quantity(lots))
    }
}

/// The exact value of `lots` at a price, as quote atoms times [`SCALE`]; its magnitude is below `2^126`. `multiplier`
/// counts 1e-6 of the underlying per lot, `price` 1e-8 quote per unit.
///
/// # Errors
///
/// [`RangeError`] for a quantity or price outside its bounds.
pub fn value_numerator(lots: i64, multiplier: u32, price: i64) -> Result<i128, RangeError> {
    let lots = check_quantity(lots)?;
    let price = check_price(price)?;
    Ok(i128::from(lots) * i128::from(multiplier) * i128::from(price))
}

/// The value of `lots` at a price as the change of an account: whole quote atoms, floored. Arguments and errors are those
/// of [`value_numerator`].
///
/// # Errors
///
/// [`RangeError`] for a quantity or price outside its bounds.
pub fn value(lots: i64, multiplier: u32, price: i64) -> Result<i128, RangeError> {
    value_numerator(lots, multiplier, price).map(floor_atoms)
}

/// An exact amount as the change of an account: floored towards minus infinity.
#[must_use]
pub const fn floor_atoms(numerator: i128) -> i128 {
    numerator.div_euclid(SCALE)
}

/// An exact amount of a fee: rounded up.
#[must_use]
pub const fn ceil_atoms(numerator: i128) -> i128 {
    floor_atoms(numerator)
        + if numerator.rem_euclid(SCALE) == 0 {
            0
        } else {
            1
        }
}

/// A fee on the value of `lots` at a price, in quote atoms, rounded up: never negative, whichever side pays it. `rate`
/// counts millionths; the other arguments are those of [`value_numerator`].
///
/// # Errors
///
/// [`RangeError`] for a quantity, price or rate outside its bounds.
pub fn fee(lots: i64, multiplier: u32, price: i64, rate: u32) -> Result<i128, RangeError> {
    if rate > FEE_RATE_SCALE {
        return Err(RangeError::FeeRate(rate));
    }
    let debit = value_numerator(lots, multiplier, price)?
        .checked_abs()
        .and_then(i128::checked_neg)
        .expect("numerators are below 2^126 in magnitude");
    let floored = mul_div_floor(debit, i128::from(rate), SCALE * i128::from(FEE_RATE_SCALE));
    Ok(-floored.expect("a part of an amount is not greater than it"))
}

/// What one amount does that goes from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The change of the account that the exact amount is added to, in atoms.
    pub receiver: i128,
    /// The change of the account that it is taken from, in atoms.
    pub payer: i128,
    /// What `Dust` is credited with: 0 or 1 atom. The three add up to zero.
    pub dust: i128,
}

impl Transfer {
    /// Moves an exact amount (atoms times [`SCALE`], of either sign) between two accounts.
    #[must_use]
    pub const fn of(numerator: i128) -> Self {
        let receiver = floor_atoms(numerator);
        // The floor of the negative amount is the negative of the amount rounded up.
        let payer = -ceil_atoms(numerator);
        let dust = -(receiver + payer);
        Self {
            receiver,
            payer,
            dust,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn quantity() -> impl Strategy<Value = i64> {
        prop_oneof![-1_000..1_000_i64, 1 - QUANTITY_LIMIT..QUANTITY_LIMIT]
    }

    fn price() -> impl Strategy<Value = i64> {
        prop_oneof![1..1_000_i64, 1..PRICE_LIMIT]
    }

    proptest! {
        #[test]
        fn what_one_account_loses_the_other_and_dust_gain(
            lots in quantity(), multiplier in any::<u32>(), price in price()
        ) {
            let exact = value_numerator(lots, multiplier, price).unwrap();
            let transfer = Transfer::of(exact);
            prop_assert_eq!(transfer.receiver, value(lots, multiplier, price).unwrap());
            prop_assert_eq!(transfer.payer, value(-lots, multiplier, price).unwrap());
            prop_assert_eq!(transfer.receiver + transfer.payer + transfer.dust, 0);
            prop_assert_eq!(transfer.dust, i128::from(exact % SCALE != 0));
        }

        #[test]
        fn legs_that_cancel_leave_less_than_an_atom_each(
            mut legs in prop::collection::vec(-1_000_000..1_000_000_i64, 1..20),
            multiplier in any::<u32>(), price in price()
        ) {
            legs.push(-legs.iter().sum::<i64>());
            let changes: Vec<i128> =
                legs.iter().map(|lots| value(*lots, multiplier, price).unwrap()).collect();
            let dust = -changes.iter().sum::<i128>();
            prop_assert!(dust >= 0);
            prop_assert!(dust < i128::try_from(legs.len()).unwrap());
        }

        #[test]
        fn exact_values_are_linear(
            a in 1 - QUANTITY_LIMIT / 2..QUANTITY_LIMIT / 2, b in 1 - QUANTITY_LIMIT / 2..QUANTITY_LIMIT / 2,
            multiplier in any::<u32>(), price in price()
        ) {
            let exact = |lots| value_numerator(lots, multiplier, price).unwrap();
            prop_assert_eq!(exact(a) + exact(b), exact(a + b));
            prop_assert_eq!(exact(1) * i128::from(a), exact(a));
        }

        #[test]
        fn a_fee_is_the_least_that_covers_its_rate(
            lots in quantity(), multiplier in any::<u32>(), price in 1..1_i64 << 30, rate in 0..=FEE_RATE_SCALE
        ) {
            let lots = lots >> 20;
            let fee = fee(lots, multiplier, price, rate).unwrap();
            let exact = value_numerator(lots.abs(), multiplier, price).unwrap() * i128::from(rate);
            let scale = SCALE * i128::from(FEE_RATE_SCALE);
            prop_assert!(fee * scale >= exact);
            prop_assert!((fee - 1) * scale < exact);
        }
    }

    #[test]
    fn credits_shrink_and_debits_grow() {
        // One lot of 1e-6 underlying at 1.5 of the quote asset is one atom and a half.
        assert_eq!(value(1, 1, 150_000_000), Ok(1));
        assert_eq!(value(-1, 1, 150_000_000), Ok(-2));
        assert_eq!(
            Transfer::of(150_000_000),
            Transfer {
                receiver: 1,
                payer: -2,
                dust: 1
            }
        );
        assert_eq!(fee(-1, 1, 150_000_000, 500), Ok(1));
        assert_eq!(fee(1, 1, 150_000_000, 0), Ok(0));
    }

    #[test]
    fn bounds() {
        assert_eq!(check_price(0), Err(RangeError::Price(0)));
        assert_eq!(
            check_price(PRICE_LIMIT),
            Err(RangeError::Price(PRICE_LIMIT))
        );
        assert_eq!(check_price(PRICE_LIMIT - 1), Ok(PRICE_LIMIT - 1));
        assert_eq!(
            check_quantity(-QUANTITY_LIMIT),
            Err(RangeError::Quantity(-QUANTITY_LIMIT))
        );
        assert_eq!(check_quantity(1 - QUANTITY_LIMIT), Ok(1 - QUANTITY_LIMIT));
        assert_eq!(value(i64::MIN, 1, 1), Err(RangeError::Quantity(i64::MIN)));
        assert_eq!(fee(1, 1, 1, 1_000_001), Err(RangeError::FeeRate(1_000_001)));
        let largest = value_numerator(1 - QUANTITY_LIMIT, u32::MAX, PRICE_LIMIT - 1).unwrap();
        assert!(largest > -(1 << 126));
        assert!(
            fee(
                1 - QUANTITY_LIMIT,
                u32::MAX,
                PRICE_LIMIT - 1,
                FEE_RATE_SCALE
            )
            .is_ok()
        );
        assert_eq!(Transfer::of(i128::MAX).dust, 1);
        assert_eq!(Transfer::of(i128::MIN).dust, 1);
    }
}
