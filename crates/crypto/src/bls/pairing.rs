//! Pairing equations.

use blst::blst_fp6;

use super::ffi;
use super::points::{G1, G2};

/// A point of G2 with the line functions of its Miller loop, for keys that verify more than once. Takes 20 kB.
#[derive(Clone)]
pub struct PreparedG2 {
    point: G2,
    /// Empty for the identity.
    lines: Box<[blst_fp6]>,
}

impl PreparedG2 {
    /// Computes the lines.
    #[must_use]
    pub fn new(point: G2) -> Self {
        let lines = if point.is_identity() {
            Box::default()
        } else {
            ffi::lines(point.affine())
        };
        Self { point, lines }
    }

    /// The point.
    #[must_use]
    pub const fn point(&self) -> &G2 {
        &self.point
    }
}

impl core::fmt::Debug for PreparedG2 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("PreparedG2").field(&self.point).finish()
    }
}

/// Whether e(`left.0`, `left.1`) = e(`right.0`, `right.1`).
#[must_use]
pub fn pairings_equal(left: (&G1, &PreparedG2), right: (&G1, &PreparedG2)) -> bool {
    let trivial =
        |(point, prepared): (&G1, &PreparedG2)| point.is_identity() || prepared.point.is_identity();
    if trivial(left) || trivial(right) {
        return trivial(left) && trivial(right);
    }
    let loops = |(point, prepared): (&G1, &PreparedG2)| {
        ffi::miller_loop_lines(&prepared.lines, point.affine())
    };
    ffi::final_equal(&loops(left), &loops(right))
}

/// Whether the product of the pairings of all pairs is one.
#[must_use]
pub fn pairing_product_is_one(pairs: &[(G1, G2)]) -> bool {
    // The pairing with the identity is one; blst's Miller loop does not say so.
    let (left, right): (Vec<_>, Vec<_>) = pairs
        .iter()
        .filter(|(left, right)| !left.is_identity() && !right.is_identity())
        .map(|(left, right)| (*left.affine(), *right.affine()))
        .unzip();
    left.is_empty() || ffi::final_is_one(&ffi::miller_loops(&left, &right))
}
