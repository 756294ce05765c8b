//! Pairing equations.

use blst::{blst_fp6, blst_fp12};

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
    Pairings::product(pairs).is_one()
}

/// A product of pairings. That of a whole over that of one part is that of the other part, without a pairing.
pub(crate) struct Pairings(blst_fp12);

impl Pairings {
    /// The product of the pairings of all pairs.
    pub(crate) fn product(pairs: &[(G1, G2)]) -> Self {
        // The pairing with the identity is one; blst's Miller loop does not say so.
        let (left, right): (Vec<_>, Vec<_>) = pairs
            .iter()
            .filter(|(left, right)| !left.is_identity() && !right.is_identity())
            .map(|(left, right)| (*left.affine(), *right.affine()))
            .unzip();
        if left.is_empty() {
            return Self(ffi::one());
        }
        Self(ffi::final_exponentiation(&ffi::miller_loops(&left, &right)))
    }

    /// e(`left.0`, `left.1`) over e(`right.0`, `right.1`).
    pub(crate) fn quotient(left: (&G1, &PreparedG2), right: (&G1, &PreparedG2)) -> Self {
        let loops = |(point, prepared): (&G1, &PreparedG2)| {
            if point.is_identity() || prepared.point.is_identity() {
                return ffi::one();
            }
            ffi::miller_loop_lines(&prepared.lines, point.affine())
        };
        let quotient = ffi::quotient(&loops(left), &loops(right));
        Self(ffi::final_exponentiation(&quotient))
    }

    /// Whether it is one.
    pub(crate) fn is_one(&self) -> bool {
        ffi::is_one(&self.0)
    }

    /// This product over another.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(ffi::quotient(&self.0, &other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::Scalar;

    #[test]
    fn products_and_quotients_are_bilinear() {
        let one = |factor: u64| G1::generator().multiply(&Scalar::from(factor));
        let two = |factor: u64| G2::generator().multiply(&Scalar::from(factor));
        let product = Pairings::product(&[(one(3), two(5)), (one(2), two(7))]);
        assert!(!product.is_one());
        assert!(
            product
                .over(&Pairings::product(&[(one(29), two(1))]))
                .is_one()
        );
        assert!(
            !product
                .over(&Pairings::product(&[(one(28), two(1))]))
                .is_one()
        );
        let rest = product.over(&Pairings::product(&[(one(15), two(1))]));
        assert!(rest.over(&Pairings::product(&[(one(14), two(1))])).is_one());

        let prepared = |factor: u64| PreparedG2::new(two(factor));
        let quotient = |a: u64, b: u64, c: u64, d: u64| {
            Pairings::quotient((&one(a), &prepared(b)), (&one(c), &prepared(d)))
        };
        assert!(quotient(3, 5, 15, 1).is_one());
        assert!(quotient(0, 5, 15, 0).is_one());
        assert!(!quotient(0, 5, 15, 1).is_one());
        assert!(quotient(7, 5, 15, 1).over(&quotient(20, 1, 0, 1)).is_one());
        assert!(Pairings::product(&[(one(0), two(1))]).is_one());
    }
}
