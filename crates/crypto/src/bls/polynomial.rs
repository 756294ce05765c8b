//! Polynomials over the scalars.

use core::num::NonZeroU32;

use quorate_types::ValidatorIndex;
use rand_core::CryptoRng;

use super::scalar::{Scalar, SecretScalar};

/// Where a member's share is evaluated: its index plus one. Zero, where the secret is, cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareIndex(NonZeroU32);

impl ShareIndex {
    /// The evaluation point as a number, at least 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl From<ValidatorIndex> for ShareIndex {
    fn from(index: ValidatorIndex) -> Self {
        Self(NonZeroU32::MIN.saturating_add(u32::from(index.0)))
    }
}

impl From<ShareIndex> for Scalar {
    fn from(index: ShareIndex) -> Self {
        Self::from(u64::from(index.number()))
    }
}

/// A public polynomial; coefficients from the constant upwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polynomial(Vec<Scalar>);

impl Polynomial {
    /// The polynomial with these coefficients, the constant first; no coefficients give zero.
    #[must_use]
    pub const fn new(coefficients: Vec<Scalar>) -> Self {
        Self(coefficients)
    }

    /// The value at `point`.
    #[must_use]
    pub fn evaluate(&self, point: Scalar) -> Scalar {
        let step = |value: Scalar, coefficient: &Scalar| value * point + *coefficient;
        self.0.iter().rev().fold(Scalar::zero(), step)
    }
}

/// A secret polynomial, erased on drop.
pub struct SecretPolynomial(Vec<SecretScalar>);

impl SecretPolynomial {
    /// A uniform polynomial with `coefficients` coefficients: that many values determine it.
    pub fn random(coefficients: usize, rng: &mut impl CryptoRng) -> Self {
        Self(
            (0..coefficients)
                .map(|_| SecretScalar::random(rng))
                .collect(),
        )
    }

    /// As [`Self::random`] with a given constant coefficient.
    pub(crate) fn with_constant(
        constant: &SecretScalar,
        coefficients: usize,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut polynomial = Self::random(coefficients, rng);
        if let Some(first) = polynomial.0.first_mut() {
            *first = constant.duplicate();
        }
        polynomial
    }

    /// The constant coefficient, which is the value at zero; zero if there are no coefficients.
    pub(crate) fn constant(&self) -> SecretScalar {
        self.0
            .first()
            .map_or_else(SecretScalar::zero, SecretScalar::duplicate)
    }

    /// The value at a member's point.
    #[must_use]
    pub fn evaluate(&self, index: ShareIndex) -> SecretScalar {
        let point = Scalar::from(index);
        let mut value = SecretScalar::zero();
        for coefficient in self.0.iter().rev() {
            value.multiply_add(&point, coefficient);
        }
        value
    }

    /// The constant coefficient's public key, or `None` if there are no coefficients.
    #[must_use]
    pub fn public_key(&self) -> Option<super::G2> {
        self.0.first().map(SecretScalar::public_key)
    }
}
