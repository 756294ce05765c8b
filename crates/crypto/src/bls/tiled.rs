//! A multi-scalar multiplication in parts that do not depend on each other: one for each of Pippenger's windows. The
//! parts together do the work of the whole, so that nothing is lost where one thread does all of them.

use blst::{blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};

use super::ffi::{self, sums};
use super::points::{G1, G2};
use super::scalar::Scalar;

/// Bits of a window for this many points: where a window's additions to buckets and the buckets' sum cost about the same.
const fn window_bits(points: usize) -> usize {
    match points.ilog2() as usize {
        bits @ 13.. => bits - 3,
        bits @ 9..=12 => bits - 2,
        bits @ 5..=8 => bits - 1,
        _ => 3,
    }
}

macro_rules! tiled {
    ($(#[$doc:meta])* $name:ident, $point:ident, $module:ident, $affine:ty, $projective:ty) => {
        $(#[$doc])*
        pub(crate) struct $name {
            points: Vec<$affine>,
            scalars: Vec<u8>,
            window: usize,
        }

        impl $name {
            /// The terms of a sum, at least two of which must not be the identity.
            pub(crate) fn new<'a>(terms: impl Iterator<Item = (&'a $point, &'a Scalar)>) -> Self {
                let mut points = Vec::with_capacity(terms.size_hint().0);
                let mut scalars = Vec::with_capacity(terms.size_hint().0 * 32);
                for (point, scalar) in terms.filter(|(point, _)| !point.is_identity()) {
                    points.push(*point.affine());
                    scalars.extend_from_slice(&scalar.to_little_endian());
                }
                let window = window_bits(points.len());
                Self { points, scalars, window }
            }

            /// How many parts there are.
            pub(crate) const fn parts(&self) -> usize {
                ffi::SCALAR_BITS / self.window + 1
            }

            /// One part, in variable time.
            pub(crate) fn part(&self, index: usize) -> $projective {
                let first_bit = index * self.window;
                sums::$module::tile(&self.points, &self.scalars, ffi::SCALAR_BITS, first_bit, self.window)
            }

            /// Whether the sum of all parts, given in order, is the identity.
            pub(crate) fn is_identity(&self, parts: &[$projective]) -> bool {
                let mut sum = <$projective>::default();
                for part in parts.iter().rev() {
                    (0..self.window).for_each(|_| sums::$module::double(&mut sum));
                    sums::$module::add(&mut sum, part);
                }
                sums::$module::is_identity(&sum)
            }
        }
    };
}

tiled!(
    /// A sum of points of G1 times public scalars.
    TiledG1, G1, g1, blst_p1_affine, blst_p1
);
tiled!(
    /// A sum of points of G2 times public scalars.
    TiledG2, G2, g2, blst_p2_affine, blst_p2
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the terms and the negative of their sum, known by other means, are found to cancel out.
    fn cancels(size: u64, error: u64) -> (bool, bool) {
        let scalars: Vec<Scalar> = (0..size)
            .map(|number| match number % 4 {
                0 => -Scalar::from(number + 1),
                1 => Scalar::zero(),
                _ => Scalar::from_wide_bytes(
                    &(number.wrapping_mul(0x9234_5678_9abc_def1))
                        .to_le_bytes()
                        .repeat(4),
                ),
            })
            .collect();
        // Some factors are zero, so that some points are the identity.
        let factors: Vec<Scalar> = (0..size)
            .map(|number| Scalar::from(number * number % 11))
            .collect();
        let total: Scalar = scalars
            .iter()
            .zip(&factors)
            .map(|(left, right)| *left * *right)
            .sum();
        let last = -(total + Scalar::from(error));

        let in_one: Vec<G1> = factors
            .iter()
            .map(|factor| G1::generator().multiply(factor))
            .collect();
        let terms = in_one.iter().zip(&scalars);
        let sum = TiledG1::new(terms.chain([(&G1::generator(), &last)]));
        let parts: Vec<_> = (0..sum.parts()).map(|index| sum.part(index)).collect();
        let in_one = sum.is_identity(&parts);

        let in_two: Vec<G2> = factors
            .iter()
            .map(|factor| G2::generator().multiply(factor))
            .collect();
        let terms = in_two.iter().zip(&scalars);
        let sum = TiledG2::new(terms.chain([(&G2::generator(), &last)]));
        let parts: Vec<_> = (0..sum.parts()).map(|index| sum.part(index)).collect();
        (in_one, sum.is_identity(&parts))
    }

    #[test]
    fn parts_make_the_whole_sum_for_every_window() {
        // Windows of 3 to 8 bits: those that divide 255 bits, and others.
        for size in [2, 15, 16, 33, 65, 130, 300, 520, 1030] {
            assert_eq!(cancels(size, 0), (true, true), "{size}");
            assert_eq!(cancels(size, 1), (false, false), "{size}");
        }
    }
}
