//! What an instrument pays, and the time left until it does.

use thiserror::Error;

use crate::black76::OptionKind;
use crate::rounding::{RangeError, check_price, check_quantity, floor_atoms};

/// Time to expiry is counted in slices of one hour.
pub const SLICE_MS: u64 = 3_600_000;

/// Slices of a year of 365 days.
pub const SLICES_PER_YEAR: u64 = 8_760;

/// Options are priced up to this many slices before expiry: ten years.
pub const SLICES_LIMIT: u64 = 10 * SLICES_PER_YEAR;

/// The terms of an instrument. Strikes count 1e-8 quote per unit of the underlying, expiries milliseconds of the ledger's
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Terms {
    /// A European call, settled in cash.
    Call {
        /// The price at which it buys.
        strike: i64,
        /// When it expires.
        expiry_ms: u64,
    },
    /// A European put, settled in cash.
    Put {
        /// The price at which it sells.
        strike: i64,
        /// When it expires.
        expiry_ms: u64,
    },
    /// A future, settled in cash.
    Future {
        /// When it expires.
        expiry_ms: u64,
    },
    /// A future without an expiry.
    Perpetual,
}

impl Terms {
    /// When the instrument expires, in milliseconds; never for a perpetual.
    #[must_use]
    pub const fn expiry_ms(self) -> Option<u64> {
        match self {
            Self::Call { expiry_ms, .. }
            | Self::Put { expiry_ms, .. }
            | Self::Future { expiry_ms } => Some(expiry_ms),
            Self::Perpetual => None,
        }
    }

    /// Kind and strike of an option.
    #[must_use]
    pub const fn option(self) -> Option<(OptionKind, i64)> {
        match self {
            Self::Call { strike, .. } => Some((OptionKind::Call, strike)),
            Self::Put { strike, .. } => Some((OptionKind::Put, strike)),
            Self::Future { .. } | Self::Perpetual => None,
        }
    }
}

/// The terms of an instrument and the size of its lot, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contract {
    terms: Terms,
    multiplier: u32,
}

/// Why terms and a multiplier are no contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ContractError {
    /// A strike is not a price.
    #[error("a strike is out of bounds: {0}")]
    Strike(RangeError),
    /// A lot of nothing.
    #[error("a lot counts nothing of its underlying")]
    Multiplier,
}

impl Contract {
    /// Terms and the underlying per lot, in 1e-6.
    ///
    /// # Errors
    ///
    /// [`ContractError`] for a strike out of bounds or a multiplier of zero.
    pub fn new(terms: Terms, multiplier: u32) -> Result<Self, ContractError> {
        if let Some((_, strike)) = terms.option() {
            check_price(strike).map_err(ContractError::Strike)?;
        }
        if multiplier == 0 {
            return Err(ContractError::Multiplier);
        }
        Ok(Self { terms, multiplier })
    }

    /// Its terms.
    #[must_use]
    pub const fn terms(self) -> Terms {
        self.terms
    }

    /// The underlying per lot, in 1e-6.
    #[must_use]
    pub const fn multiplier(self) -> u32 {
        self.multiplier
    }

    /// What settlement at a price (1e-8 quote) changes the account of a holder of `lots` by, in quote atoms, floored like
    /// every change: a long holder is credited the floor, a short holder is debited what rounds up, and what all holders of an
    /// instrument leave over is less than an atom each. For a future or perpetual it is the whole value of the lots, as what
    /// was paid for them already stands in cash.
    ///
    /// # Errors
    ///
    /// [`RangeError`] for a price or quantity outside its bounds.
    pub fn payoff(self, settlement_price: i64, lots: i64) -> Result<i128, RangeError> {
        self.payoff_numerator(settlement_price, lots)
            .map(floor_atoms)
    }

    /// [`Contract::payoff`] before rounding, in quote atoms times [`SCALE`](crate::SCALE).
    ///
    /// # Errors
    ///
    /// [`RangeError`] for a price or quantity outside its bounds.
    pub fn payoff_numerator(self, settlement_price: i64, lots: i64) -> Result<i128, RangeError> {
        let price = check_price(settlement_price)?;
        let per_unit = match self.terms.option() {
            Some((OptionKind::Call, strike)) => (price - strike).max(0),
            Some((OptionKind::Put, strike)) => (strike - price).max(0),
            None => price,
        };
        let lots = i128::from(check_quantity(lots)?);
        Ok(lots * i128::from(self.multiplier) * i128::from(per_unit))
    }
}

/// Slices until an expiry, those begun counted whole; 0 at the expiry and after it.
#[must_use]
pub const fn slices_left(now_ms: u64, expiry_ms: u64) -> u64 {
    expiry_ms.saturating_sub(now_ms).div_ceil(SLICE_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rounding::{PRICE_LIMIT, QUANTITY_LIMIT};

    const UNIT: i64 = 100_000_000;

    /// The settlement examples 1-4 of deribit.com/pages/docs/options, whose payout is in the underlying: ours divided by the
    /// price of delivery. Prices are whole, payouts in millionths of a unit.
    #[test]
    fn deribits_examples_of_settlement() {
        let call = |strike| Terms::Call {
            strike: strike * UNIT,
            expiry_ms: 0,
        };
        let put = |strike| Terms::Put {
            strike: strike * UNIT,
            expiry_ms: 0,
        };
        for (terms, delivery, payout_micro) in [
            (call(10_000), 12_500, 200_000),
            (put(10_000), 5_000, 1_000_000),
            (put(10_000), 10_001, 0),
            (call(10_000), 9_999, 0),
        ] {
            let contract = Contract::new(terms, 1_000_000).unwrap();
            let atoms = contract.payoff(delivery * UNIT, 1).unwrap();
            assert_eq!(atoms / i128::from(delivery), payout_micro);
        }
    }

    #[test]
    fn slices_round_up_until_expiry() {
        assert_eq!(slices_left(0, 2 * SLICE_MS), 2);
        assert_eq!(slices_left(1, 2 * SLICE_MS), 2);
        assert_eq!(slices_left(SLICE_MS, 2 * SLICE_MS), 1);
        assert_eq!(slices_left(2 * SLICE_MS - 1, 2 * SLICE_MS), 1);
        assert_eq!(slices_left(2 * SLICE_MS, 2 * SLICE_MS), 0);
        assert_eq!(slices_left(u64::MAX, 0), 0);
        assert_eq!(slices_left(0, u64::MAX), u64::MAX / SLICE_MS + 1);
    }

    #[test]
    fn arguments_out_of_bounds() {
        let strike = PRICE_LIMIT;
        assert_eq!(
            Contract::new(
                Terms::Put {
                    strike,
                    expiry_ms: 0
                },
                1
            ),
            Err(ContractError::Strike(RangeError::Price(strike)))
        );
        assert_eq!(
            Contract::new(Terms::Perpetual, 0),
            Err(ContractError::Multiplier)
        );
        let contract = Contract::new(Terms::Perpetual, u32::MAX).unwrap();
        assert_eq!(contract.payoff(0, 1), Err(RangeError::Price(0)));
        assert_eq!(
            contract.payoff(1, QUANTITY_LIMIT),
            Err(RangeError::Quantity(QUANTITY_LIMIT))
        );
        assert!(contract.payoff(PRICE_LIMIT - 1, 1 - QUANTITY_LIMIT).is_ok());
    }

    proptest! {
        #[test]
        fn settlement_of_all_holders_leaves_less_than_an_atom_each(
            mut lots in prop::collection::vec(-1_000_000..1_000_000_i64, 1..20), call in any::<bool>(),
            strike in 1..PRICE_LIMIT, price in 1..PRICE_LIMIT, multiplier in 1..=u32::MAX,
        ) {
            lots.push(-lots.iter().sum::<i64>());
            let expiry_ms = 0;
            let terms = if call { Terms::Call { strike, expiry_ms } } else { Terms::Put { strike, expiry_ms } };
            let contract = Contract::new(terms, multiplier).unwrap();
            let sum: i128 = lots.iter().map(|lots| contract.payoff(price, *lots).unwrap()).sum();
            prop_assert!(sum <= 0);
            prop_assert!(-sum < i128::try_from(lots.len()).unwrap());
        }

        #[test]
        fn a_call_less_a_put_is_the_underlying_less_the_strike(
            strike in 1..PRICE_LIMIT, price in 1..PRICE_LIMIT, multiplier in 1..=u32::MAX
        ) {
            let exact = |terms| Contract::new(terms, multiplier).unwrap().payoff_numerator(price, 1).unwrap();
            let difference = exact(Terms::Call { strike, expiry_ms: 0 }) - exact(Terms::Put { strike, expiry_ms: 0 });
            prop_assert_eq!(difference, exact(Terms::Perpetual) - i128::from(multiplier) * i128::from(strike));
        }
    }
}
