//! The prime field below G1, for additions of many public points at once. Elements are reduced, in Montgomery's form.

use blst::{
    blst_fp, blst_fp_add, blst_fp_eucl_inverse, blst_fp_mul, blst_fp_sqr, blst_fp_sub, blst_fr,
    blst_p1, blst_p1_affine, blst_p1_cneg, blst_p1_generator, blst_p1_mult,
};
use zeroize::Zeroize;

use super::{SCALAR_BITS, fr_to_scalar, sums};

pub(in super::super) fn add(left: &blst_fp, right: &blst_fp) -> blst_fp {
    let mut out = blst_fp::default();
    // SAFETY: see the text of the module above.
    unsafe { blst_fp_add(&raw mut out, left, right) };
    out
}

pub(in super::super) fn sub(left: &blst_fp, right: &blst_fp) -> blst_fp {
    let mut out = blst_fp::default();
    // SAFETY: see the text of the module above.
    unsafe { blst_fp_sub(&raw mut out, left, right) };
    out
}

pub(in super::super) fn mul(left: &blst_fp, right: &blst_fp) -> blst_fp {
    let mut out = blst_fp::default();
    // SAFETY: see the text of the module above.
    unsafe { blst_fp_mul(&raw mut out, left, right) };
    out
}

pub(in super::super) fn square(element: &blst_fp) -> blst_fp {
    let mut out = blst_fp::default();
    // SAFETY: see the text of the module above.
    unsafe { blst_fp_sqr(&raw mut out, element) };
    out
}

/// The inverse; 0 for 0.
pub(in super::super) fn inverse(element: &blst_fp) -> blst_fp {
    let mut out = blst_fp::default();
    // SAFETY: see the text of the module above.
    unsafe { blst_fp_eucl_inverse(&raw mut out, element) };
    out
}

/// 1: the coordinate Z of the generator, which blst keeps with Z = 1.
pub(in super::super) fn one() -> blst_fp {
    // SAFETY: blst returns a pointer to a constant of its own, valid for the whole program.
    unsafe { (*blst_p1_generator()).z }
}

/// `minuend` less `point` times a secret, in constant time. The result is for the caller to erase.
pub(in super::super) fn difference_of_secret_multiple(
    minuend: &blst_p1_affine,
    point: &blst_p1_affine,
    secret: &blst_fr,
) -> blst_p1 {
    let scalar = fr_to_scalar(secret);
    let mut difference = sums::g1::from_affine(point);
    // SAFETY: `scalar` holds the 32 bytes that 255 bits take; see the text of the module above.
    unsafe {
        blst_p1_mult(
            &raw mut difference,
            &raw const difference,
            scalar.b.as_ptr(),
            SCALAR_BITS,
        );
        blst_p1_cneg(&raw mut difference, true);
    }
    sums::g1::add_affine(&mut difference, minuend);
    difference
}

/// Erases a point of G1.
pub(in super::super) fn erase(point: &mut blst_p1_affine) {
    point.x.l.zeroize();
    point.y.l.zeroize();
}
