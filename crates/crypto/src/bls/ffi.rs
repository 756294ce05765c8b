//! The one place of the workspace that calls foreign code: blst's C interface behind safe functions.
//!
//! What every block below relies on: blst reads and writes exactly the structures behind the pointers it is given,
//! keeps none of them, and its output may alias its inputs. A Rust reference to a `#[repr(C)]` structure of the
//! bindings is valid, aligned and initialised for the whole call. All field elements are plain limbs, so that every
//! bit pattern is a valid value for Rust; that they are reduced is what the functions' callers keep.

use blst::{
    BLST_ERROR, blst_encode_to_g1, blst_encode_to_g2, blst_final_exp, blst_fp6, blst_fp12,
    blst_fp12_conjugate, blst_fp12_finalverify, blst_fp12_is_one, blst_fp12_mul, blst_fp12_one,
    blst_fr, blst_fr_add, blst_fr_from_scalar, blst_fr_from_uint64, blst_fr_inverse, blst_fr_mul,
    blst_fr_sub, blst_hash_to_g1, blst_hash_to_g2, blst_miller_loop_lines, blst_miller_loop_n,
    blst_p1, blst_p1_add_or_double_affine, blst_p1_affine, blst_p1_affine_compress,
    blst_p1_affine_generator, blst_p1_affine_in_g1, blst_p1_affine_is_inf, blst_p1_affine_on_curve,
    blst_p1_cneg, blst_p1_from_affine, blst_p1_mult, blst_p1_to_affine, blst_p1_uncompress,
    blst_p1s_mult_pippenger, blst_p1s_mult_pippenger_scratch_sizeof, blst_p2,
    blst_p2_add_or_double_affine, blst_p2_affine, blst_p2_affine_compress,
    blst_p2_affine_generator, blst_p2_affine_in_g2, blst_p2_affine_is_inf, blst_p2_affine_on_curve,
    blst_p2_cneg, blst_p2_from_affine, blst_p2_mult, blst_p2_to_affine, blst_p2_uncompress,
    blst_p2s_mult_pippenger, blst_p2s_mult_pippenger_scratch_sizeof, blst_precompute_lines,
    blst_scalar, blst_scalar_fr_check, blst_scalar_from_be_bytes, blst_scalar_from_bendian,
    blst_scalar_from_fr, blst_sign_pk_in_g2, blst_sk_to_pk_in_g2,
};
use zeroize::Zeroize;

pub(super) mod field;
pub(super) mod sums;

/// How many line functions the Miller loop of BLS12-381 has.
const LINES: usize = 68;
/// Bits that hold every scalar below the group order.
pub(super) const SCALAR_BITS: usize = 255;

/// The scalar with these canonical big-endian bytes; `None` at or above the group order.
pub(super) fn fr_from_bytes(bytes: &[u8; 32]) -> Option<blst_fr> {
    let mut scalar = blst_scalar::default();
    let mut element = blst_fr::default();
    // SAFETY: `bytes` holds the 32 bytes that are read; see the module's text.
    let canonical = unsafe {
        blst_scalar_from_bendian(&raw mut scalar, bytes.as_ptr());
        blst_scalar_fr_check(&raw const scalar)
    };
    if !canonical {
        return None;
    }
    // SAFETY: see the module's text; `scalar` is reduced.
    unsafe { blst_fr_from_scalar(&raw mut element, &raw const scalar) };
    Some(element)
}

/// The big-endian number in `bytes` modulo the group order.
pub(super) fn fr_from_wide(bytes: &[u8]) -> blst_fr {
    let mut scalar = blst_scalar::default();
    let mut element = blst_fr::default();
    // SAFETY: the length passed is that of `bytes`; see the module's text. The scalar comes out reduced.
    unsafe {
        blst_scalar_from_be_bytes(&raw mut scalar, bytes.as_ptr(), bytes.len());
        blst_fr_from_scalar(&raw mut element, &raw const scalar);
    }
    element
}

pub(super) fn fr_from_u64(number: u64) -> blst_fr {
    let limbs = [number, 0, 0, 0];
    let mut element = blst_fr::default();
    // SAFETY: four limbs are read from `limbs`; see the module's text.
    unsafe { blst_fr_from_uint64(&raw mut element, limbs.as_ptr()) };
    element
}

/// The scalar as blst's multiplications take it: 32 little-endian bytes, erased on drop.
pub(super) fn fr_to_scalar(element: &blst_fr) -> blst_scalar {
    let mut scalar = blst_scalar::default();
    // SAFETY: see the module's text.
    unsafe { blst_scalar_from_fr(&raw mut scalar, element) };
    scalar
}

pub(super) fn fr_add(left: &blst_fr, right: &blst_fr) -> blst_fr {
    let mut out = blst_fr::default();
    // SAFETY: see the module's text.
    unsafe { blst_fr_add(&raw mut out, left, right) };
    out
}

pub(super) fn fr_sub(left: &blst_fr, right: &blst_fr) -> blst_fr {
    let mut out = blst_fr::default();
    // SAFETY: see the module's text.
    unsafe { blst_fr_sub(&raw mut out, left, right) };
    out
}

pub(super) fn fr_mul(left: &blst_fr, right: &blst_fr) -> blst_fr {
    let mut out = blst_fr::default();
    // SAFETY: see the module's text.
    unsafe { blst_fr_mul(&raw mut out, left, right) };
    out
}

/// The inverse in constant time; 0 for 0.
pub(super) fn fr_inverse(element: &blst_fr) -> blst_fr {
    let mut out = blst_fr::default();
    // SAFETY: see the module's text.
    unsafe { blst_fr_inverse(&raw mut out, element) };
    out
}

/// `point` times a secret, in constant time.
pub(super) fn g1_mul_secret(point: &blst_p1_affine, secret: &blst_fr) -> blst_p1_affine {
    let scalar = fr_to_scalar(secret);
    let mut base = blst_p1::default();
    let mut product = blst_p1::default();
    let mut out = blst_p1_affine::default();
    // SAFETY: see the module's text.
    unsafe {
        blst_p1_from_affine(&raw mut base, point);
        blst_sign_pk_in_g2(&raw mut product, &raw const base, &raw const scalar);
        blst_p1_to_affine(&raw mut out, &raw const product);
    }
    out
}

/// The generator of G2 times a secret, in constant time.
pub(super) fn g2_generator_mul_secret(secret: &blst_fr) -> blst_p2_affine {
    let scalar = fr_to_scalar(secret);
    let mut product = blst_p2::default();
    let mut out = blst_p2_affine::default();
    // SAFETY: see the module's text.
    unsafe {
        blst_sk_to_pk_in_g2(&raw mut product, &raw const scalar);
        blst_p2_to_affine(&raw mut out, &raw const product);
    }
    out
}

/// Point arithmetic of one group, named by blst's functions for it.
macro_rules! group {
    ($module:ident, $affine:ty, $projective:ty, $bytes:literal, $uncompress:ident, $compress:ident, $on_curve:ident, $in_group:ident,
     $is_identity:ident, $generator:ident, $from_affine:ident, $to_affine:ident, $add:ident, $negate:ident,
     $mult:ident, $hash:ident, $encode:ident, $msm:ident, $scratch:ident) => {
        pub(super) mod $module {
            use super::*;

            /// Decompresses; membership of the subgroup is not checked, and a point with x = 0 is reported as
            /// outside it at once.
            pub(in super::super) fn uncompress(
                bytes: &[u8; $bytes],
            ) -> Result<$affine, BLST_ERROR> {
                let mut point = <$affine>::default();
                // SAFETY: `bytes` has the length of a compressed point; see the module's text.
                match unsafe { $uncompress(&raw mut point, bytes.as_ptr()) } {
                    BLST_ERROR::BLST_SUCCESS => Ok(point),
                    error => Err(error),
                }
            }

            pub(in super::super) fn compress(point: &$affine) -> [u8; $bytes] {
                let mut bytes = [0; $bytes];
                // SAFETY: `bytes` has the length of a compressed point; see the module's text.
                unsafe { $compress(bytes.as_mut_ptr(), point) };
                bytes
            }

            pub(in super::super) fn in_subgroup(point: &$affine) -> bool {
                // SAFETY: see the module's text.
                unsafe { $on_curve(point) && $in_group(point) }
            }

            pub(in super::super) fn is_identity(point: &$affine) -> bool {
                // SAFETY: see the module's text.
                unsafe { $is_identity(point) }
            }

            pub(in super::super) fn generator() -> $affine {
                // SAFETY: blst returns a pointer to a constant of its own, valid for the whole program.
                unsafe { *$generator() }
            }

            pub(in super::super) fn add(left: &$affine, right: &$affine) -> $affine {
                let mut sum = <$projective>::default();
                let mut out = <$affine>::default();
                // SAFETY: see the module's text.
                unsafe {
                    $from_affine(&raw mut sum, left);
                    $add(&raw mut sum, &raw const sum, right);
                    $to_affine(&raw mut out, &raw const sum);
                }
                out
            }

            pub(in super::super) fn sum<'a>(points: impl Iterator<Item = &'a $affine>) -> $affine {
                let mut sum = <$projective>::default();
                let mut out = <$affine>::default();
                for point in points {
                    // SAFETY: see the module's text.
                    unsafe { $add(&raw mut sum, &raw const sum, point) };
                }
                // SAFETY: see the module's text.
                unsafe { $to_affine(&raw mut out, &raw const sum) };
                out
            }

            pub(in super::super) fn negate(point: &$affine) -> $affine {
                let mut projective = <$projective>::default();
                let mut out = <$affine>::default();
                // SAFETY: see the module's text.
                unsafe {
                    $from_affine(&raw mut projective, point);
                    $negate(&raw mut projective, true);
                    $to_affine(&raw mut out, &raw const projective);
                }
                out
            }

            pub(in super::super) fn mul(point: &$affine, scalar: &blst_fr) -> $affine {
                let scalar = fr_to_scalar(scalar);
                let mut product = <$projective>::default();
                let mut out = <$affine>::default();
                // SAFETY: `scalar` holds the 32 bytes that 255 bits take; see the module's text.
                unsafe {
                    $from_affine(&raw mut product, point);
                    $mult(
                        &raw mut product,
                        &raw const product,
                        scalar.b.as_ptr(),
                        SCALAR_BITS,
                    );
                    $to_affine(&raw mut out, &raw const product);
                }
                out
            }

            /// RFC 9380: `hash_to_curve` if `uniform` ("RO"), else `encode_to_curve` ("NU").
            pub(in super::super) fn hash(message: &[u8], dst: &[u8], uniform: bool) -> $affine {
                let function = if uniform { $hash } else { $encode };
                let mut point = <$projective>::default();
                let mut out = <$affine>::default();
                // SAFETY: each pointer comes with the length of its slice, the augmentation is empty and blst reads
                // nothing of it; see the module's text.
                unsafe {
                    function(
                        &raw mut point,
                        message.as_ptr(),
                        message.len(),
                        dst.as_ptr(),
                        dst.len(),
                        core::ptr::null(),
                        0,
                    );
                    $to_affine(&raw mut out, &raw const point);
                }
                out
            }

            /// The sum of `points`, each times its little-endian scalar of `bits` bits, in variable time. The
            /// scalars stand one after another, each in whole bytes. Call it with at least one point and no identity.
            pub(in super::super) fn multi_scalar(
                points: &[$affine],
                scalars: &[u8],
                bits: usize,
            ) -> $affine {
                assert!(!points.is_empty(), "blst reads the first point");
                assert_eq!(
                    scalars.len(),
                    points.len() * bits.div_ceil(8),
                    "one scalar for every point"
                );
                let mut sum = <$projective>::default();
                let mut out = <$affine>::default();
                // A null pointer after the first tells blst that the others follow in the same slice.
                let point_pointers = [points.as_ptr(), core::ptr::null()];
                let scalar_pointers = [scalars.as_ptr(), core::ptr::null()];
                // SAFETY: blst computes a size from a number. The scratch space has that size in limbs of eight
                // bytes, rounded up, and both slices have the lengths asserted above; see the module's text.
                unsafe {
                    let scratch_bytes = $scratch(points.len());
                    let mut scratch = vec![0u64; scratch_bytes.div_ceil(8)];
                    $msm(
                        &raw mut sum,
                        point_pointers.as_ptr(),
                        points.len(),
                        scalar_pointers.as_ptr(),
                        bits,
                        scratch.as_mut_ptr(),
                    );
                    $to_affine(&raw mut out, &raw const sum);
                }
                out
            }
        }
    };
}

group!(
    g1,
    blst_p1_affine,
    blst_p1,
    48,
    blst_p1_uncompress,
    blst_p1_affine_compress,
    blst_p1_affine_on_curve,
    blst_p1_affine_in_g1,
    blst_p1_affine_is_inf,
    blst_p1_affine_generator,
    blst_p1_from_affine,
    blst_p1_to_affine,
    blst_p1_add_or_double_affine,
    blst_p1_cneg,
    blst_p1_mult,
    blst_hash_to_g1,
    blst_encode_to_g1,
    blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof
);
group!(
    g2,
    blst_p2_affine,
    blst_p2,
    96,
    blst_p2_uncompress,
    blst_p2_affine_compress,
    blst_p2_affine_on_curve,
    blst_p2_affine_in_g2,
    blst_p2_affine_is_inf,
    blst_p2_affine_generator,
    blst_p2_from_affine,
    blst_p2_to_affine,
    blst_p2_add_or_double_affine,
    blst_p2_cneg,
    blst_p2_mult,
    blst_hash_to_g2,
    blst_encode_to_g2,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof
);

/// The line functions of a point of G2 that is not the identity.
pub(super) fn lines(point: &blst_p2_affine) -> Box<[blst_fp6]> {
    let mut lines = vec![blst_fp6::default(); LINES].into_boxed_slice();
    // SAFETY: blst writes 68 elements, which is the length of `lines`; see the module's text.
    unsafe { blst_precompute_lines(lines.as_mut_ptr(), point) };
    lines
}

/// The Miller loop of a point of G1 that is not the identity with lines made by [`lines`].
pub(super) fn miller_loop_lines(lines: &[blst_fp6], point: &blst_p1_affine) -> blst_fp12 {
    assert_eq!(lines.len(), LINES, "lines are made by `lines`");
    let mut out = blst_fp12::default();
    // SAFETY: blst reads 68 elements, which is the length of `lines`; see the module's text.
    unsafe { blst_miller_loop_lines(&raw mut out, lines.as_ptr(), point) };
    out
}

/// The product of the Miller loops of at least one pair, no point of which is the identity.
pub(super) fn miller_loops(left: &[blst_p1_affine], right: &[blst_p2_affine]) -> blst_fp12 {
    assert!(
        !left.is_empty() && left.len() == right.len(),
        "one point of G2 for every point of G1"
    );
    let mut out = blst_fp12::default();
    let left_pointers = [left.as_ptr(), core::ptr::null()];
    let right_pointers = [right.as_ptr(), core::ptr::null()];
    // SAFETY: both slices have the length passed, asserted above; see the module's text.
    unsafe {
        blst_miller_loop_n(
            &raw mut out,
            right_pointers.as_ptr(),
            left_pointers.as_ptr(),
            left.len(),
        );
    }
    out
}

/// Whether the final exponentiation takes both to the same element.
pub(super) fn final_equal(left: &blst_fp12, right: &blst_fp12) -> bool {
    // SAFETY: see the module's text.
    unsafe { blst_fp12_finalverify(left, right) }
}

/// The final exponentiation.
pub(super) fn final_exponentiation(value: &blst_fp12) -> blst_fp12 {
    let mut out = blst_fp12::default();
    // SAFETY: see the module's text.
    unsafe { blst_final_exp(&raw mut out, value) };
    out
}

/// Whether this is one.
pub(super) fn is_one(value: &blst_fp12) -> bool {
    // SAFETY: see the module's text.
    unsafe { blst_fp12_is_one(value) }
}

/// 1.
pub(super) fn one() -> blst_fp12 {
    // SAFETY: blst returns a pointer to a constant of its own, valid for the whole program.
    unsafe { *blst_fp12_one() }
}

/// `left` times the conjugate of `right`: what the final exponentiation takes to the quotient of both, and the quotient
/// itself of what it was applied to.
pub(super) fn quotient(left: &blst_fp12, right: &blst_fp12) -> blst_fp12 {
    let mut conjugate = *right;
    let mut out = blst_fp12::default();
    // SAFETY: see the module's text.
    unsafe {
        blst_fp12_conjugate(&raw mut conjugate);
        blst_fp12_mul(&raw mut out, left, &raw const conjugate);
    }
    out
}

/// Erases the limbs of a scalar.
pub(super) fn erase(element: &mut blst_fr) {
    element.l.zeroize();
}
