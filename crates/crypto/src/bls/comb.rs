//! Multiplication of one point by many secrets, in constant time.
//!
//! A scalar is written in signed digits of five bits. A table holds sixteen multiples of the point for every few
//! digits; a product is one addition for every digit, and the doublings that the digits between two rows of the table
//! need. Every entry of a row is read for every digit, so that no address depends on the secret.

use core::hint::black_box;

use blst::{blst_p1, blst_p1_affine, blst_p2};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::ffi::sums;
use super::points::{G1, G2};
use super::scalar::SecretScalar;

/// Bits of a digit.
pub(super) const DIGIT_BITS: usize = 5;
/// Magnitudes of a signed digit other than zero.
pub(super) const ENTRIES: usize = 1 << (DIGIT_BITS - 1);
/// Digits of a scalar of 255 bits, with room for the last carry.
const SCALAR_DIGITS: usize = 256usize.div_ceil(DIGIT_BITS);

/// A scalar's signed digits, lowest first, each in -16..16 and stored with 16 added.
pub(super) type Digits = Zeroizing<Vec<u8>>;

/// The signed digits of a little-endian number with at most `5 * count - 1` bits.
pub(super) fn digits(words: &[u64], count: usize) -> Digits {
    // With 16 added at every digit, each window of the sum is its signed digit plus 16.
    let mut biased = Zeroizing::new([0u64; 5]);
    let mut carry = 0u128;
    for (index, place) in biased.iter_mut().enumerate() {
        let mut bias = 0u64;
        for bit in (0..count).map(|digit| digit * DIGIT_BITS + DIGIT_BITS - 1) {
            if bit / 64 == index {
                bias |= 1 << (bit % 64);
            }
        }
        let word = words.get(index).copied().unwrap_or(0);
        carry += u128::from(word) + u128::from(bias);
        *place = low_word(carry);
        carry >>= 64;
    }
    let digit = |index: usize| {
        let (word, shift) = (index * DIGIT_BITS / 64, index * DIGIT_BITS % 64);
        let high = biased.get(word + 1).copied().unwrap_or(0);
        let window = low_word((u128::from(high) << 64 | u128::from(biased[word])) >> shift) & 31;
        u8::try_from(window).expect("five bits")
    };
    Zeroizing::new((0..count).map(digit).collect())
}

fn low_word(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).expect("64 bits")
}

/// All ones if the numbers are equal, else zero. The compiler learns nothing of the result, and so makes no branch.
fn mask_of_equality(left: u64, right: u64) -> u64 {
    let difference = left ^ right;
    black_box(((difference | difference.wrapping_neg()) >> 63).wrapping_sub(1))
}

/// The entry of a row for a digit's magnitude, all zero for zero, and whether the digit is negative.
pub(super) fn select<const WORDS: usize>(
    row: &[[u64; WORDS]; ENTRIES],
    digit: u8,
) -> (Zeroizing<[u64; WORDS]>, bool) {
    let digit = i64::from(digit) - 16;
    let negative = digit >> 63;
    let magnitude = ((digit ^ negative) - negative).unsigned_abs();
    let mut words = Zeroizing::new([0u64; WORDS]);
    for (entry, multiple) in (1..).zip(row) {
        let mask = mask_of_equality(entry, magnitude);
        for (word, limb) in words.iter_mut().zip(multiple) {
            *word |= limb & mask;
        }
    }
    (words, negative != 0)
}

macro_rules! comb {
    ($(#[$comb_doc:meta])* $comb:ident, $(#[$sum_doc:meta])* $sum:ident, $point:ident, $module:ident, $projective:ty,
     $words:ident, $from_words:ident, $erase:ident) => {
        $(#[$comb_doc])*
        pub(crate) struct $comb {
            rows: Vec<[[u64; sums::$module::WORDS]; ENTRIES]>,
            /// Digits from a row to the next.
            spacing: usize,
        }

        impl $comb {
            /// A table for `point` with a row for every `spacing` digits: the wider, the smaller the table and the
            /// slower each product.
            pub(crate) fn new(point: &$point, spacing: usize) -> Self {
                let count = SCALAR_DIGITS.div_ceil(spacing);
                let mut multiples: Vec<$projective> = Vec::with_capacity(count * ENTRIES);
                let mut base = sums::$module::from_affine(point.affine());
                for _ in 0..count {
                    let first = multiples.len();
                    multiples.push(base);
                    for _ in 1..ENTRIES {
                        let mut next = multiples[multiples.len() - 1];
                        sums::$module::add(&mut next, &multiples[first]);
                        multiples.push(next);
                    }
                    // The last is the base times 2^4.
                    base = multiples[multiples.len() - 1];
                    for _ in 0..DIGIT_BITS * (spacing - 1) + 1 {
                        sums::$module::double(&mut base);
                    }
                }
                let affine = sums::$module::to_affine(&multiples.iter().collect::<Vec<_>>());
                let row = |points: &[_]| core::array::from_fn(|entry| sums::$words(&points[entry]));
                Self { rows: affine.chunks_exact(ENTRIES).map(row).collect(), spacing }
            }

            /// The point times a secret.
            pub(crate) fn multiply(&self, secret: &SecretScalar) -> $sum {
                self.multiply_digits(&digits(secret.words().as_ref(), SCALAR_DIGITS))
            }

            fn multiply_digits(&self, digits: &Digits) -> $sum {
                let mut sum = $sum::identity();
                for step in (0..self.spacing).rev() {
                    let digits = digits.iter().skip(step).step_by(self.spacing);
                    for (row, digit) in self.rows.iter().zip(digits) {
                        sum.add_digit(row, *digit);
                    }
                    if step > 0 {
                        (0..DIGIT_BITS).for_each(|_| sums::$module::double(&mut sum.0));
                    }
                }
                sum
            }
        }

        $(#[$sum_doc])*
        pub(crate) struct $sum($projective);

        impl $sum {
            pub(crate) fn identity() -> Self {
                Self(<$projective>::default())
            }

            /// The sums as points, with one inversion for many.
            pub(crate) fn to_points(sums: &[Self]) -> Vec<$point> {
                let references: Vec<_> = sums.iter().map(|sum| &sum.0).collect();
                sums::$module::to_affine(&references).into_iter().map($point::from_affine).collect()
            }

            /// The sum as a point.
            pub(crate) fn to_point(&self) -> $point {
                $point::from_affine(sums::$module::to_affine(&[&self.0])[0])
            }

            fn add_digit(&mut self, row: &[[u64; sums::$module::WORDS]; ENTRIES], digit: u8) {
                let (words, negative) = select(row, digit);
                sums::$module::add_affine(&mut self.0, &sums::$from_words(&words, negative));
            }
        }

        impl Zeroize for $sum {
            fn zeroize(&mut self) {
                sums::$erase(&mut self.0);
            }
        }

        impl Drop for $sum {
            fn drop(&mut self) {
                self.zeroize();
            }
        }

        impl ZeroizeOnDrop for $sum {}
    };
}

comb!(
    /// Multiples of a public point of G1.
    G1Comb,
    /// A sum in G1 that may tell of secrets; erased on drop.
    G1Sum, G1, g1, blst_p1, g1_words, g1_from_words, erase_g1
);
comb!(
    /// Multiples of a public point of G2.
    G2Comb,
    /// A sum in G2 that may tell of secrets; erased on drop.
    G2Sum, G2, g2, blst_p2, g2_words, g2_from_words, erase_g2
);

impl G1Comb {
    /// The point times a secret number below two to the power of `bits`, which everybody knows.
    pub(crate) fn multiply_short(&self, secret: u64, bits: usize) -> G1Sum {
        self.multiply_digits(&digits(&[secret], (bits + 1).div_ceil(DIGIT_BITS)))
    }
}

impl G1Sum {
    /// Twice the sum, in constant time.
    pub(super) fn double(&mut self) {
        sums::g1::double(&mut self.0);
    }

    /// Adds a point that may be secret, in constant time.
    pub(super) fn add_affine(&mut self, point: &blst_p1_affine) {
        sums::g1::add_affine(&mut self.0, point);
    }

    /// Adds another sum, in constant time.
    pub(crate) fn add(&mut self, other: &Self) {
        sums::g1::add(&mut self.0, &other.0);
    }

    /// Adds a point, in constant time.
    pub(crate) fn add_point(&mut self, point: &G1) {
        sums::g1::add_affine(&mut self.0, point.affine());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::Scalar;

    /// Zero, small numbers around a digit's bounds, and those just below the group order.
    fn numbers() -> Vec<Scalar> {
        let small = [1u64, 15, 16, 17, 31, 32, 33, u64::MAX].map(Scalar::from);
        let large = small.map(|number| -number);
        let wide =
            [[0x5a; 32], [0xa5; 32], [0xff; 32]].map(|bytes| Scalar::from_wide_bytes(&bytes));
        small.into_iter().chain(large).chain(wide).collect()
    }

    fn secret(number: &Scalar) -> SecretScalar {
        SecretScalar::from_bytes(&number.to_bytes()).unwrap()
    }

    #[test]
    fn products_from_tables_are_those_of_plain_multiplication() {
        let (one, two) = (G1::generator().multiply(&Scalar::from(5)), G2::generator());
        for spacing in [1, 4] {
            let (in_one, in_two) = (G1Comb::new(&one, spacing), G2Comb::new(&two, spacing));
            for number in numbers() {
                let secret = secret(&number);
                assert_eq!(in_one.multiply(&secret).to_point(), one.multiply(&number));
                assert_eq!(in_two.multiply(&secret).to_point(), two.multiply(&number));
            }
            assert!(
                in_one
                    .multiply(&SecretScalar::zero())
                    .to_point()
                    .is_identity()
            );
            for bits in [1, 4, 5, 16, 37] {
                for number in
                    [0, 1, 16, 31, 0xaaaa_aaaa_aaaa, u64::MAX].map(|all| all & ((1 << bits) - 1))
                {
                    let product = in_one.multiply_short(number, bits).to_point();
                    assert_eq!(
                        product,
                        one.multiply(&Scalar::from(number)),
                        "{number} of {bits} bits"
                    );
                }
            }
        }
    }

    #[test]
    fn sums_add_up_and_survive_identities() {
        let table = G1Comb::new(&G1::generator(), 1);
        let mut sum = table.multiply_short(3, 4);
        sum.add(&table.multiply_short(4, 4));
        sum.add(&G1Sum::identity());
        sum.add_point(&G1::generator());
        let points = G1Sum::to_points(&[G1Sum::identity(), sum, table.multiply_short(0, 16)]);
        assert_eq!(points[1], G1::generator().multiply(&Scalar::from(8)));
        assert!(points[0].is_identity() && points[2].is_identity());
    }
}
