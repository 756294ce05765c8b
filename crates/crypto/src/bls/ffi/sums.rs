//! Points in projective coordinates, as sums hold them until all are made affine at once.
//!
//! blst's additions and doublings take the same time for all operands, identities and equal points among them; the
//! multi-scalar multiplication by parts is for public numbers.

use blst::{
    blst_fp_cneg, blst_fp2_cneg, blst_p1, blst_p1_add_or_double, blst_p1_affine, blst_p1_double,
    blst_p1_from_affine, blst_p1_is_inf, blst_p1s_tile_pippenger, blst_p1s_to_affine, blst_p2,
    blst_p2_add_or_double, blst_p2_affine, blst_p2_double, blst_p2_from_affine, blst_p2_is_inf,
    blst_p2s_tile_pippenger, blst_p2s_to_affine,
};
use blst::{
    blst_p1_add_or_double_affine, blst_p1_cneg, blst_p1_in_g1, blst_p2_add_or_double_affine,
};
use zeroize::Zeroize;

/// Limbs of a coordinate in the prime field.
const LIMBS: usize = 6;

macro_rules! sums {
    ($module:ident, $affine:ty, $projective:ty, $words:expr, $from_affine:ident, $double:ident, $add:ident,
     $add_affine:ident, $is_identity:ident, $to_affine:ident, $tile:ident) => {
        pub(in super::super) mod $module {
            use super::*;

            /// Limbs of a point in affine coordinates.
            pub(in super::super::super) const WORDS: usize = $words;
            /// Limbs of one of Pippenger's buckets, which has four coordinates.
            const BUCKET_WORDS: usize = 2 * WORDS;

            pub(in super::super::super) fn from_affine(point: &$affine) -> $projective {
                let mut out = <$projective>::default();
                // SAFETY: see the text of the module above.
                unsafe { $from_affine(&raw mut out, point) };
                out
            }

            pub(in super::super::super) fn double(sum: &mut $projective) {
                // SAFETY: see the text of the module above; blst allows the alias.
                unsafe { $double(sum, sum) };
            }

            pub(in super::super::super) fn add(sum: &mut $projective, other: &$projective) {
                // SAFETY: see the text of the module above; blst allows the alias.
                unsafe { $add(sum, sum, other) };
            }

            pub(in super::super::super) fn add_affine(sum: &mut $projective, point: &$affine) {
                // SAFETY: see the text of the module above; blst allows the alias.
                unsafe { $add_affine(sum, sum, point) };
            }

            pub(in super::super::super) fn is_identity(sum: &$projective) -> bool {
                // SAFETY: see the text of the module above.
                unsafe { $is_identity(sum) }
            }

            /// All points in affine coordinates, with one inversion for many.
            pub(in super::super::super) fn to_affine(sums: &[&$projective]) -> Vec<$affine> {
                let mut out = vec![<$affine>::default(); sums.len()];
                // SAFETY: a slice of references is one of valid pointers; blst reads as many of them as it writes
                // points, which is the length of both slices.
                unsafe { $to_affine(out.as_mut_ptr(), sums.as_ptr().cast(), sums.len()) };
                out
            }

            /// One window of Pippenger's multi-scalar multiplication: the sum of `points`, each times the digit of
            /// `window` bits from `first_bit` on of its little-endian scalar of `bits` bits. Digits are signed, so
            /// that the window that starts at or holds bit `bits` takes the last carry.
            pub(in super::super::super) fn tile(
                points: &[$affine],
                scalars: &[u8],
                bits: usize,
                first_bit: usize,
                window: usize,
            ) -> $projective {
                assert!(points.len() > 1, "blst reads the second scalar");
                assert_eq!(
                    scalars.len(),
                    points.len() * bits.div_ceil(8),
                    "one scalar for every point"
                );
                assert!(
                    (2..16).contains(&window) && first_bit <= bits,
                    "a window of the scalars"
                );
                let mut sum = <$projective>::default();
                let mut buckets = vec![0u64; BUCKET_WORDS << (window - 1)];
                // A null pointer after the first tells blst that the others follow in the same slice.
                let point_pointers = [points.as_ptr(), core::ptr::null()];
                let scalar_pointers = [scalars.as_ptr(), core::ptr::null()];
                // SAFETY: both slices have the lengths asserted above, and there is a zeroed bucket for every
                // magnitude of a signed digit of `window` bits; see the text of the module above.
                unsafe {
                    $tile(
                        &raw mut sum,
                        point_pointers.as_ptr(),
                        points.len(),
                        scalar_pointers.as_ptr(),
                        bits,
                        buckets.as_mut_ptr(),
                        first_bit,
                        window,
                    );
                }
                sum
            }
        }
    };
}

sums!(
    g1,
    blst_p1_affine,
    blst_p1,
    2 * LIMBS,
    blst_p1_from_affine,
    blst_p1_double,
    blst_p1_add_or_double,
    blst_p1_add_or_double_affine,
    blst_p1_is_inf,
    blst_p1s_to_affine,
    blst_p1s_tile_pippenger
);
sums!(
    g2,
    blst_p2_affine,
    blst_p2,
    4 * LIMBS,
    blst_p2_from_affine,
    blst_p2_double,
    blst_p2_add_or_double,
    blst_p2_add_or_double_affine,
    blst_p2_is_inf,
    blst_p2s_to_affine,
    blst_p2s_tile_pippenger
);

/// Turns a sum in G1 into its inverse.
pub(in super::super) fn negate_g1(sum: &mut blst_p1) {
    // SAFETY: see the text of the module above; blst changes the sum in place.
    unsafe { blst_p1_cneg(sum, true) };
}

/// Whether a sum of points of G1's curve is in the subgroup. The identity is.
pub(in super::super) fn in_g1(sum: &blst_p1) -> bool {
    // SAFETY: see the text of the module above.
    unsafe { blst_p1_in_g1(sum) }
}

/// A point of G1 as its limbs.
pub(in super::super) fn g1_words(point: &blst_p1_affine) -> [u64; g1::WORDS] {
    let mut words = [0; g1::WORDS];
    for (place, coordinate) in words.chunks_exact_mut(LIMBS).zip([&point.x, &point.y]) {
        place.copy_from_slice(&coordinate.l);
    }
    words
}

/// The point of G1 with these limbs, or its inverse, in constant time. All zero is the identity.
pub(in super::super) fn g1_from_words(words: &[u64; g1::WORDS], negate: bool) -> blst_p1_affine {
    let mut point = blst_p1_affine::default();
    for (coordinate, place) in [&mut point.x, &mut point.y]
        .into_iter()
        .zip(words.chunks_exact(LIMBS))
    {
        coordinate.l.copy_from_slice(place);
    }
    // SAFETY: see the text of the module above; blst allows the alias and negates zero to zero.
    unsafe { blst_fp_cneg(&raw mut point.y, &raw const point.y, negate) };
    point
}

/// A point of G2 as its limbs.
pub(in super::super) fn g2_words(point: &blst_p2_affine) -> [u64; g2::WORDS] {
    let mut words = [0; g2::WORDS];
    let coordinates = point.x.fp.iter().chain(&point.y.fp);
    for (place, coordinate) in words.chunks_exact_mut(LIMBS).zip(coordinates) {
        place.copy_from_slice(&coordinate.l);
    }
    words
}

/// The point of G2 with these limbs, or its inverse, in constant time. All zero is the identity.
pub(in super::super) fn g2_from_words(words: &[u64; g2::WORDS], negate: bool) -> blst_p2_affine {
    let mut point = blst_p2_affine::default();
    let coordinates = point.x.fp.iter_mut().chain(&mut point.y.fp);
    for (coordinate, place) in coordinates.zip(words.chunks_exact(LIMBS)) {
        coordinate.l.copy_from_slice(place);
    }
    // SAFETY: see the text of the module above; blst allows the alias and negates zero to zero.
    unsafe { blst_fp2_cneg(&raw mut point.y, &raw const point.y, negate) };
    point
}

/// Erases a sum in G1.
pub(in super::super) fn erase_g1(sum: &mut blst_p1) {
    for coordinate in [&mut sum.x, &mut sum.y, &mut sum.z] {
        coordinate.l.zeroize();
    }
}

/// Erases a sum in G2.
pub(in super::super) fn erase_g2(sum: &mut blst_p2) {
    for coordinate in [&mut sum.x, &mut sum.y, &mut sum.z] {
        for half in &mut coordinate.fp {
            half.l.zeroize();
        }
    }
}
