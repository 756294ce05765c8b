//! Sums of points times public numbers, in variable time.
//!
//! Multiplication by z² is free on both groups' subgroups, where z is the parameter of BLS12-381 (Galbraith, Lin and Scott,
//! EUROCRYPT 2009; [`field::z_squared_g1`]): a scalar q z² + r with q and r below 2^128 is two numbers of half its length, for
//! twice as many points, and half of the doublings go away. A point outside the subgroup gives some other point.

use super::ffi::{self, field};
use super::points::{G1, G2};
use super::scalar::{Scalar, WEIGHT_BYTES};

/// z², for z = -0xd201000000010000. Above 2^127, so that a number of 255 bits has a quotient below 2^128.
pub(super) const Z_SQUARED: u128 = 0xac45_a401_0001_a402_0000_0001_0000_0000;
/// Bytes of half a scalar.
const HALF_BYTES: usize = 16;
/// Bytes of half a weight.
const HALF_WEIGHT_BYTES: usize = WEIGHT_BYTES / 2;

/// A number with a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) magnitude: u128,
    pub(crate) negative: bool,
}

macro_rules! sums {
    ($name:ident, $module:ident, $z_squared:ident) => {
        impl $name {
            /// The sum of all points, each times its scalar, in variable time on the caller's thread.
            ///
            /// # Panics
            /// If there are not as many scalars as points.
            #[must_use]
            pub fn multi_scalar(points: &[Self], scalars: &[Scalar]) -> Self {
                assert_eq!(points.len(), scalars.len(), "one scalar for every point");
                let halves = scalars.iter().map(|scalar| {
                    let (quotient, rest) = divide(scalar);
                    [rest.to_le_bytes(), quotient.to_le_bytes()]
                });
                Self::sum_of_halves::<HALF_BYTES>(points, halves)
            }

            /// As [`Self::multi_scalar`] for short numbers: a weight's halves a and b, little-endian, stand for a + b z², so
            /// that weights differ as numbers where they differ as bytes.
            ///
            /// # Panics
            /// If there are not as many weights as points.
            pub(crate) fn weighted_sum(points: &[Self], weights: &[[u8; WEIGHT_BYTES]]) -> Self {
                assert_eq!(points.len(), weights.len(), "one weight for every point");
                let halves = weights.iter().map(|weight| {
                    let half = |start: usize| core::array::from_fn(|place| weight[start + place]);
                    [half(0), half(HALF_WEIGHT_BYTES)]
                });
                Self::sum_of_halves::<HALF_WEIGHT_BYTES>(points, halves)
            }

            /// Every point times a number and its image times another, both little-endian.
            fn sum_of_halves<const N: usize>(
                points: &[Self],
                halves: impl Iterator<Item = [[u8; N]; 2]>,
            ) -> Self {
                let mut terms = Vec::with_capacity(2 * points.len());
                let mut numbers = Vec::with_capacity(2 * points.len() * N);
                // The identity adds nothing; without it, nothing rests on how blst's tables treat it.
                for (point, halves) in points.iter().zip(halves) {
                    if !point.is_identity() {
                        terms.extend([*point.affine(), field::$z_squared(point.affine())]);
                        numbers.extend(halves.iter().flatten());
                    }
                }
                if terms.is_empty() {
                    return Self::identity();
                }
                Self::from_affine(ffi::$module::multi_scalar(&terms, &numbers, N * 8))
            }

            /// The same by blst alone: what the sums above are compared with.
            #[cfg(any(test, feature = "test-utils"))]
            #[must_use]
            pub fn plain_multi_scalar(points: &[Self], scalars: &[Scalar]) -> Self {
                let points: Vec<_> = points.iter().map(|point| *point.affine()).collect();
                let scalars: Vec<u8> = scalars
                    .iter()
                    .flat_map(|scalar| scalar.to_little_endian())
                    .collect();
                Self::from_affine(ffi::$module::multi_scalar(
                    &points,
                    &scalars,
                    ffi::SCALAR_BITS,
                ))
            }
        }
    };
}

sums!(G1, g1, z_squared_g1);
sums!(G2, g2, z_squared_g2);

impl G1 {
    /// The sum of all points, each times its number: the shorter the longest, the faster.
    ///
    /// # Panics
    /// If there are not as many numbers as points.
    pub(crate) fn short_sum(points: &[Self], numbers: &[Signed]) -> Self {
        assert_eq!(points.len(), numbers.len(), "one number for every point");
        let most = numbers.iter().map(|number| number.magnitude).max();
        let bits = u128::BITS - most.unwrap_or(0).leading_zeros();
        let bytes = bits.div_ceil(8) as usize;
        let mut terms = Vec::with_capacity(points.len());
        let mut magnitudes = Vec::with_capacity(points.len() * bytes);
        for (point, number) in points.iter().zip(numbers) {
            if point.is_identity() || number.magnitude == 0 {
                continue;
            }
            terms.push(if number.negative {
                field::negative_g1(point.affine())
            } else {
                *point.affine()
            });
            magnitudes.extend_from_slice(&number.magnitude.to_le_bytes()[..bytes]);
        }
        if terms.is_empty() {
            return Self::identity();
        }
        Self::from_affine(ffi::g1::multi_scalar(&terms, &magnitudes, bits as usize))
    }
}

/// Quotient and remainder by z².
fn divide(scalar: &Scalar) -> (u128, u128) {
    let bytes = scalar.to_little_endian();
    let half =
        |start: usize| u128::from_le_bytes(core::array::from_fn(|place| bytes[start + place]));
    let (low, high) = (half(0), half(16));
    // The quotient is the number's upper half times 2^128 / z², short of the truth by a few at most: 2^128 / z² is one and
    // `RECIPROCAL` / 2^128, and its product with numbers below 2^127 leaves out less than four.
    let mut quotient = high + multiply_high(high, RECIPROCAL);
    let (product_high, product_low) = multiply_wide(quotient, Z_SQUARED);
    let (mut rest, borrow) = low.overflowing_sub(product_low);
    let mut rest_high = high - product_high - u128::from(borrow);
    while rest_high > 0 || rest >= Z_SQUARED {
        let (difference, borrow) = rest.overflowing_sub(Z_SQUARED);
        rest = difference;
        rest_high -= u128::from(borrow);
        quotient += 1;
    }
    (quotient, rest)
}

/// 2^256 / z² less 2^128, rounded down.
const RECIPROCAL: u128 = 0x7c6b_ecf1_e01f_aadd_63f6_e522_f6cf_ee2e;

/// The upper half of a product.
const fn multiply_high(left: u128, right: u128) -> u128 {
    multiply_wide(left, right).0
}

/// A product's upper and lower half.
const fn multiply_wide(left: u128, right: u128) -> (u128, u128) {
    const MASK: u128 = u64::MAX as u128;
    let (left_high, left_low) = (left >> 64, left & MASK);
    let (right_high, right_low) = (right >> 64, right & MASK);
    let low = left_low * right_low;
    let middle = left_high * right_low + (low >> 64);
    let other = left_low * right_high + (middle & MASK);
    let high = left_high * right_high + (middle >> 64) + (other >> 64);
    (high, other << 64 | low & MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = Scalar> {
        let z_squared = Scalar::from_wide_bytes(&Z_SQUARED.to_be_bytes());
        prop_oneof![
            any::<[u8; 48]>().prop_map(|bytes| Scalar::from_wide_bytes(&bytes)),
            any::<u64>().prop_map(Scalar::from),
            any::<u64>().prop_map(|number| -Scalar::from(number)),
            // Around multiples of z².
            (any::<[u8; 16]>(), 0u64..3).prop_map(move |(bytes, rest)| {
                Scalar::from_wide_bytes(&bytes) * z_squared + Scalar::from(rest) - Scalar::one()
            }),
        ]
    }

    fn points(count: usize) -> (Vec<G1>, Vec<G2>) {
        // The identity is among them, and a point comes twice.
        (0..count as u64)
            .map(|number| Scalar::from(number * number % 7))
            .map(|factor| {
                (
                    G1::generator().multiply(&factor),
                    G2::generator().multiply(&factor),
                )
            })
            .unzip()
    }

    fn wide(number: u128) -> Scalar {
        Scalar::from_wide_bytes(&number.to_be_bytes())
    }

    #[test]
    fn images_are_multiples_by_z_squared() {
        for factor in [1, 2, 77] {
            let factor = Scalar::from(factor);
            let one = G1::generator().multiply(&factor);
            let image = G1::from_affine(field::z_squared_g1(one.affine()));
            assert_eq!(image, one.multiply(&wide(Z_SQUARED)));
            let two = G2::generator().multiply(&factor);
            let image = G2::from_affine(field::z_squared_g2(two.affine()));
            assert_eq!(image, two.multiply(&wide(Z_SQUARED)));
        }
        let identity = G1::identity();
        assert_eq!(
            G1::from_affine(field::negative_g1(identity.affine())),
            identity
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn division_is_exact(scalar in scalar()) {
            let (quotient, rest) = divide(&scalar);
            prop_assert!(rest < Z_SQUARED);
            prop_assert_eq!(wide(quotient) * wide(Z_SQUARED) + wide(rest), scalar);
        }

        #[test]
        fn halves_make_the_same_sums_as_blst(scalars in proptest::collection::vec(scalar(), 0..40)) {
            let (one, two) = points(scalars.len());
            let plain = |count: usize| -> G1 {
                (0..count).fold(G1::identity(), |sum, at| sum.add(&one[at].multiply(&scalars[at])))
            };
            prop_assert_eq!(G1::multi_scalar(&one, &scalars), plain(scalars.len()));
            let plain = |count: usize| -> G2 {
                (0..count).fold(G2::identity(), |sum, at| sum.add(&two[at].multiply(&scalars[at])))
            };
            prop_assert_eq!(G2::multi_scalar(&two, &scalars), plain(scalars.len()));
        }

        #[test]
        fn weights_are_two_halves(weights in proptest::collection::vec(any::<[u8; WEIGHT_BYTES]>(), 0..40)) {
            let (one, two) = points(weights.len());
            let scalars: Vec<Scalar> = weights
                .iter()
                .map(|weight| {
                    let half = |start: usize| {
                        Scalar::from(u64::from_le_bytes(core::array::from_fn(|place| weight[start + place])))
                    };
                    half(0) + half(8) * wide(Z_SQUARED)
                })
                .collect();
            prop_assert_eq!(G1::weighted_sum(&one, &weights), G1::multi_scalar(&one, &scalars));
            prop_assert_eq!(G2::weighted_sum(&two, &weights), G2::multi_scalar(&two, &scalars));
        }

        #[test]
        fn short_numbers_have_signs(
            numbers in proptest::collection::vec((any::<u128>(), any::<bool>()), 0..40),
            shift in 0u32..128,
        ) {
            let numbers: Vec<Signed> = numbers
                .into_iter()
                .map(|(magnitude, negative)| Signed { magnitude: magnitude >> shift, negative })
                .collect();
            let scalars: Vec<Scalar> = numbers
                .iter()
                .map(|number| {
                    let magnitude = wide(number.magnitude);
                    if number.negative { -magnitude } else { magnitude }
                })
                .collect();
            let (points, _) = points(numbers.len());
            prop_assert_eq!(G1::short_sum(&points, &numbers), G1::multi_scalar(&points, &scalars));
        }
    }
}
