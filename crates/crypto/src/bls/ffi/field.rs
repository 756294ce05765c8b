//! The prime field below G1, for additions of many public points at once. Elements are reduced, in Montgomery's form.

use blst::{
    blst_fp, blst_fp_add, blst_fp_eucl_inverse, blst_fp_mul, blst_fp_sqr, blst_fp_sub,
    blst_p1_affine, blst_p1_generator, blst_p2_affine,
};
use zeroize::Zeroize;

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

/// The cube root of unity 0x5f19672fdf76ce51ba69c6076a0f77eaddb3a93be6f89688de17d813620a00022e01fffffffefffe.
pub(in super::super) const BETA: blst_fp = blst_fp {
    l: [
        0x30f1_361b_798a_64e8,
        0xf3b8_ddab_7ece_5a2a,
        0x16a8_ca3a_c615_77f7,
        0xc26a_2ff8_74fd_029b,
        0x3636_b766_6070_1c6e,
        0x051b_a4ab_241b_6160,
    ],
};

/// [`BETA`] squared, the other cube root of unity.
const BETA_SQUARED: blst_fp = blst_fp {
    l: [
        0xcd03_c9e4_8671_f071,
        0x5dab_2246_1fcd_a5d2,
        0x5870_42af_d385_1b95,
        0x8eb6_0ebe_01ba_cb9e,
        0x03f9_7d6e_83d0_50d2,
        0x18f0_2065_5463_8741,
    ],
};

/// The inverse of a point of G1; the identity, which is (0, 0), is its own.
pub(in super::super) fn negative_g1(point: &blst_p1_affine) -> blst_p1_affine {
    blst_p1_affine {
        x: point.x,
        y: sub(&blst_fp::default(), &point.y),
    }
}

/// z² times a point of the subgroup of G1, where z is the curve's parameter: (beta x, -y).
pub(in super::super) fn z_squared_g1(point: &blst_p1_affine) -> blst_p1_affine {
    let mut image = negative_g1(point);
    image.x = mul(&point.x, &BETA);
    image
}

/// z² times a point of the subgroup of G2, where z is the curve's parameter: (beta² x, -y).
pub(in super::super) fn z_squared_g2(point: &blst_p2_affine) -> blst_p2_affine {
    let mut image = *point;
    for half in &mut image.x.fp {
        *half = mul(half, &BETA_SQUARED);
    }
    for half in &mut image.y.fp {
        *half = sub(&blst_fp::default(), half);
    }
    image
}

/// Erases a point of G1.
pub(in super::super) fn erase(point: &mut blst_p1_affine) {
    point.x.l.zeroize();
    point.y.l.zeroize();
}
