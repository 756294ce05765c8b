//! Many points of G1 times one secret, in constant time.
//!
//! A point's multiples come from the curve's endomorphism (Gallant, Lambert and Vanstone, CRYPTO 2001): for a cube root
//! of unity beta in the field, z² (x, y) = (beta x, -y), where z is the parameter of BLS12-381. The secret is q z² + r
//! with q and r below 2^128, so that half of the doublings go away. What depends on the secret alone, its digits, is
//! computed once for all points; the tables of all points are made affine with one inversion.
//!
//! Neither branches nor addresses depend on the secret: the division runs through all bits, every entry of a table is read
//! for every digit, and blst's additions take the same time for all operands.

use core::hint::black_box;

use zeroize::Zeroizing;

use super::comb::{DIGIT_BITS, Digits, ENTRIES, G1Sum, digits, select};
use super::ffi::{field, sums};
use super::multi_scalar::Z_SQUARED;
use super::points::G1;
use super::scalar::SecretScalar;

/// Digits of a number of 128 bits, with room for the last carry.
const HALF_DIGITS: usize = 129usize.div_ceil(DIGIT_BITS);

/// The multiples 1 to 16 of a point, as limbs.
type Row = [[u64; sums::g1::WORDS]; ENTRIES];

impl SecretScalar {
    /// Every minuend less the secret times its point, in constant time.
    ///
    /// # Panics
    /// If there are not as many minuends as points.
    pub(crate) fn subtract_multiples(&self, minuends: &[G1], points: &[G1]) -> Vec<G1Sum> {
        assert_eq!(minuends.len(), points.len(), "one minuend for every point");
        let (quotient, remainder) = divide(&self.words());
        let quotient = half_digits(&quotient);
        let remainder = half_digits(&remainder);
        let rows = rows(points);
        let pairs = rows.iter().zip(minuends);
        pairs
            .map(|(row, minuend)| {
                let mut sum = negative_multiple(row, &quotient, &remainder);
                sum.add_point(minuend);
                sum
            })
            .collect()
    }
}

/// Quotient and remainder of a number of 256 bits by z²; the quotient must be below 2^128.
fn divide(words: &[u64; 4]) -> (Zeroizing<u128>, Zeroizing<u128>) {
    let (mut quotient, mut rest) = (Zeroizing::new(0u128), Zeroizing::new(0u128));
    for bit in (0..256).rev() {
        let next = u128::from(words[bit / 64] >> (bit % 64) & 1);
        let carry = *rest >> 127;
        *rest = *rest << 1 | next;
        let (difference, borrow) = rest.overflowing_sub(Z_SQUARED);
        // The divisor goes into what is left if that has 129 bits, or nothing had to be borrowed.
        let goes = carry | u128::from(!borrow);
        let mask = black_box(goes.wrapping_neg());
        *rest = difference & mask | *rest & !mask;
        *quotient = *quotient << 1 | goes;
    }
    (quotient, rest)
}

fn half_digits(number: &u128) -> Digits {
    let mut words = Zeroizing::new([0u64; 2]);
    for (word, part) in words.iter_mut().zip(number.to_le_bytes().chunks_exact(8)) {
        *word = u64::from_le_bytes(part.try_into().expect("chunks of eight bytes"));
    }
    digits(words.as_ref(), HALF_DIGITS)
}

/// The multiples of all points.
fn rows(points: &[G1]) -> Vec<Row> {
    let mut multiples = Vec::with_capacity(points.len() * ENTRIES);
    for point in points {
        let first = multiples.len();
        multiples.push(sums::g1::from_affine(point.affine()));
        for number in 2..=ENTRIES {
            let mut next = multiples[first + number / 2 - 1];
            sums::g1::double(&mut next);
            if number % 2 == 1 {
                sums::g1::add_affine(&mut next, point.affine());
            }
            multiples.push(next);
        }
    }
    let affine = sums::g1::to_affine(&multiples.iter().collect::<Vec<_>>());
    let row = |points: &[_]| core::array::from_fn(|entry| sums::g1_words(&points[entry]));
    affine.chunks_exact(ENTRIES).map(row).collect()
}

/// The point of the row times -(quotient z² + remainder).
fn negative_multiple(row: &Row, quotient: &Digits, remainder: &Digits) -> G1Sum {
    let mut sum = G1Sum::identity();
    for (position, (high, low)) in quotient.iter().zip(remainder.iter()).enumerate().rev() {
        let (words, negative) = select(row, *low);
        let mut low = sums::g1_from_words(&words, !negative);
        let (words, negative) = select(row, *high);
        // z² times the point has the opposite sign already.
        let mut high = sums::g1_from_words(&words, negative);
        high.x = field::mul(&high.x, &field::BETA);
        for term in [&mut low, &mut high] {
            sum.add_affine(term);
            field::erase(term);
        }
        if position > 0 {
            (0..DIGIT_BITS).for_each(|_| sum.double());
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::Scalar;

    fn z_squared() -> Scalar {
        Scalar::from_wide_bytes(&Z_SQUARED.to_be_bytes())
    }

    /// Around the borders of digits, halves and the group order.
    fn numbers() -> Vec<Scalar> {
        let half = z_squared();
        let most = -Scalar::one();
        let mut numbers = Vec::new();
        for center in [
            Scalar::one(),
            Scalar::from(16),
            Scalar::from(512),
            half,
            half * half - half,
            half * Scalar::from(17),
            most,
        ] {
            numbers.extend([center - Scalar::one(), center, center + Scalar::one()]);
        }
        let wide = [[0x5a; 48], [0xa5; 48], [0x0f; 48], [0xf0; 48]];
        numbers.extend(wide.iter().map(|bytes| Scalar::from_wide_bytes(bytes)));
        numbers.retain(|number| *number != Scalar::zero());
        numbers
    }

    #[test]
    fn the_endomorphism_is_multiplication_by_z_squared() {
        let z = Scalar::from(0xd201_0000_0001_0000);
        assert_eq!(z * z, z_squared());
        for factor in [1, 2, 77] {
            let point = G1::generator().multiply(&Scalar::from(factor));
            let mut image = *point.affine();
            image.x = field::mul(&image.x, &field::BETA);
            let image = G1::from_affine(image).negate();
            assert_eq!(image, point.multiply(&z_squared()));
        }
    }

    #[test]
    fn division_is_exact() {
        for number in numbers() {
            let secret = SecretScalar::from_bytes(&number.to_bytes()).unwrap();
            let (quotient, rest) = divide(&secret.words());
            assert!(*rest < Z_SQUARED);
            let [quotient, rest] =
                [&quotient, &rest].map(|number| Scalar::from_wide_bytes(&number.to_be_bytes()));
            assert_eq!(quotient * z_squared() + rest, number);
        }
    }

    #[test]
    fn differences_are_those_of_plain_multiplication() {
        let generator = G1::generator();
        let multiple = |factor: u64| generator.multiply(&Scalar::from(factor));
        let points = [multiple(1), multiple(3), multiple(1 << 40), multiple(0)];
        for number in numbers() {
            let secret = SecretScalar::from_bytes(&number.to_bytes()).unwrap();
            // Differences that are the identity, and sums of equal points, are among them.
            let products = points.map(|point| point.multiply(&number));
            for minuends in [points, products, products.map(|product| product.negate())] {
                let found = G1Sum::to_points(&secret.subtract_multiples(&minuends, &points));
                for ((found, minuend), product) in found.iter().zip(&minuends).zip(&products) {
                    assert_eq!(*found, minuend.add(&product.negate()), "{number:?}");
                }
            }
        }
        let zero = SecretScalar::zero().subtract_multiples(&points, &points);
        assert_eq!(G1Sum::to_points(&zero), points);
        assert!(SecretScalar::zero().subtract_multiples(&[], &[]).is_empty());
    }
}
