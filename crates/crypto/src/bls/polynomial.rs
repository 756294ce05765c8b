//! Polynomials over the scalars, and interpolation at zero.

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

/// Two shares have the same index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two shares have evaluation point {}", .0.number())]
pub struct DuplicateShare(pub ShareIndex);

/// Lagrange coefficients at zero: p(0) is the sum of p(i) times the coefficient of i, for every polynomial p of a
/// degree below the number of indices.
///
/// # Errors
/// [`DuplicateShare`].
pub fn lagrange_at_zero(indices: &[ShareIndex]) -> Result<Vec<Scalar>, DuplicateShare> {
    // The coefficient of i is the product of j / (j - i) over all j but i: the product of all j, over i times the
    // product of all (j - i).
    let points: Vec<i64> = indices
        .iter()
        .map(|index| i64::from(index.number()))
        .collect();
    let mut denominators = Vec::with_capacity(points.len());
    for (position, (point, index)) in points.iter().zip(indices).enumerate() {
        let others = points
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != position);
        let denominator = small_product(others.map(|(_, other)| other - point).chain([*point]));
        if denominator == Scalar::zero() {
            return Err(DuplicateShare(*index));
        }
        denominators.push(denominator);
    }
    let numerator = small_product(points.into_iter());
    let inverses = invert_all(&denominators);
    Ok(inverses
        .into_iter()
        .map(|inverse| numerator * inverse)
        .collect())
}

/// For every x among distinct `points`, the inverse of the product of (x - y) over all other points y: what
/// interpolation at any place divides by.
pub(crate) fn interpolation_denominators(points: &[i64]) -> Vec<Scalar> {
    let products: Vec<Scalar> = points
        .iter()
        .map(|point| {
            small_product(
                points
                    .iter()
                    .filter(|other| *other != point)
                    .map(|other| point - other),
            )
        })
        .collect();
    invert_all(&products)
}

/// The product of small numbers. Most multiplications are of machine words: a committee's differences have eight
/// bits, and folding eight of them before each field multiplication is what makes the square number of them cheap.
fn small_product(numbers: impl Iterator<Item = i64>) -> Scalar {
    let mut product = Scalar::one();
    let mut word = 1u64;
    let mut negative = false;
    for number in numbers {
        negative ^= number < 0;
        let magnitude = number.unsigned_abs();
        word = word.checked_mul(magnitude).unwrap_or_else(|| {
            product = product * Scalar::from(word);
            magnitude
        });
    }
    product = product * Scalar::from(word);
    if negative { -product } else { product }
}

/// The inverses of numbers that are not zero, with a single field inversion (Montgomery's trick).
fn invert_all(numbers: &[Scalar]) -> Vec<Scalar> {
    let mut prefix = Scalar::one();
    let mut inverses = Vec::with_capacity(numbers.len());
    for number in numbers {
        inverses.push(prefix);
        prefix = prefix * *number;
    }
    let mut suffix = prefix
        .inverse()
        .expect("a product of numbers that are not zero");
    for (inverse, number) in inverses.iter_mut().zip(numbers).rev() {
        *inverse = *inverse * suffix;
        suffix = suffix * *number;
    }
    inverses
}
