//! Points of G1 and G2: parsing, hashing and arithmetic on public data.

use core::fmt;

use blst::{BLST_ERROR, blst_p1_affine, blst_p2_affine};
use zeroize::Zeroize;

use super::ffi;
use super::multi_scalar::Signed;
use super::scalar::Scalar;

/// Why bytes are no point that Quorate accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The length is not that of a compressed point.
    #[error("a compressed point has {expected} bytes, not {found}")]
    Length {
        /// 48 in G1, 96 in G2.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The flags contradict each other, or a coordinate is at or above the field's modulus.
    #[error("the encoding is not canonical")]
    Encoding,
    /// No point of the curve has this x coordinate.
    #[error("the point is not on the curve")]
    NotOnCurve,
    /// The point is on the curve, outside the subgroup of prime order.
    #[error("the point is not in the prime-order subgroup")]
    NotInSubgroup,
    /// The point is the identity, which is no key and no signature.
    #[error("the point is the identity")]
    Identity,
}

impl PointError {
    const fn from_blst(error: BLST_ERROR) -> Self {
        match error {
            BLST_ERROR::BLST_POINT_NOT_ON_CURVE => Self::NotOnCurve,
            BLST_ERROR::BLST_POINT_NOT_IN_GROUP => Self::NotInSubgroup,
            _ => Self::Encoding,
        }
    }
}

macro_rules! point {
    ($(#[$doc:meta])* $name:ident, $module:ident, $affine:ty, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name($affine);

        impl $name {
            /// Length of the compressed encoding in bytes.
            pub const BYTES: usize = $length;

            /// Reads a compressed point and makes sure that it is in the subgroup and not the identity.
            ///
            /// # Errors
            /// [`PointError`].
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, PointError> {
                let point = Self::on_curve_from_bytes(bytes)?;
                if !point.in_subgroup() {
                    return Err(PointError::NotInSubgroup);
                }
                Ok(point)
            }

            /// As [`Self::from_bytes`] without the check of the subgroup, which the caller must make up for.
            pub(crate) fn on_curve_from_bytes(bytes: &[u8]) -> Result<Self, PointError> {
                let array = bytes.try_into().map_err(|_| PointError::Length {
                    expected: Self::BYTES,
                    found: bytes.len(),
                })?;
                let point = Self(ffi::$module::uncompress(array).map_err(PointError::from_blst)?);
                if point.is_identity() {
                    return Err(PointError::Identity);
                }
                Ok(point)
            }

            pub(crate) fn in_subgroup(&self) -> bool {
                ffi::$module::in_subgroup(&self.0)
            }

            /// The compressed encoding.
            #[must_use]
            pub fn to_bytes(&self) -> [u8; $length] {
                ffi::$module::compress(&self.0)
            }

            /// The group's generator.
            #[must_use]
            pub fn generator() -> Self {
                Self(ffi::$module::generator())
            }

            /// The identity. It has an encoding, which [`Self::from_bytes`] refuses.
            #[must_use]
            pub fn identity() -> Self {
                Self(<$affine>::default())
            }

            /// Whether this is the identity.
            #[must_use]
            pub fn is_identity(&self) -> bool {
                ffi::$module::is_identity(&self.0)
            }

            /// The sum of two points.
            #[must_use]
            pub fn add(&self, other: &Self) -> Self {
                Self(ffi::$module::add(&self.0, &other.0))
            }

            /// The sum of any number of points, the identity if there are none.
            #[must_use]
            pub fn sum<'a>(points: impl IntoIterator<Item = &'a Self>) -> Self {
                Self(ffi::$module::sum(points.into_iter().map(|point| &point.0)))
            }

            /// The inverse of the point.
            #[must_use]
            pub fn negate(&self) -> Self {
                Self(ffi::$module::negate(&self.0))
            }

            /// The point times a public number.
            #[must_use]
            pub fn multiply(&self, scalar: &Scalar) -> Self {
                Self(ffi::$module::mul(&self.0, scalar.element()))
            }

            pub(super) const fn affine(&self) -> &$affine {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(0x", stringify!($name))?;
                for byte in &self.to_bytes()[..6] {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str("..)")
            }
        }
    };
}

point!(
    /// A point of G1: a signature, a share of one, or a hashed message.
    G1, g1, blst_p1_affine, 48
);
point!(
    /// A point of G2: a public key.
    G2, g2, blst_p2_affine, 96
);

/// 1 - z for the curve's parameter z: what the order of every point outside G1's subgroup of prime order, taken without that
/// order itself, divides, so that a point times this is in the subgroup (RFC 9380, section 8.8.1).
pub(crate) const G1_COFACTOR_EXPONENT: u64 = 0xd201_0000_0001_0001;

impl G1 {
    pub(super) const fn from_affine(point: blst_p1_affine) -> Self {
        Self(point)
    }

    /// A point of the curve is the sum of one of the subgroup and one whose order divides the cofactor: the former.
    pub(crate) fn subgroup_part(&self) -> Self {
        let exponent = Signed {
            magnitude: G1_COFACTOR_EXPONENT.into(),
            negative: false,
        };
        let inverse = Scalar::from(G1_COFACTOR_EXPONENT)
            .inverse()
            .expect("the group's order is prime and longer than 64 bits");
        Self::short_sum(&[*self], &[exponent]).multiply(&inverse)
    }

    /// Sixteen bytes' worth of the coordinates, for tables of points: a point and its inverse differ.
    pub(crate) const fn tag(&self) -> [u64; 2] {
        [self.0.x.l[0], self.0.y.l[0]]
    }

    /// Eight bytes' worth of the x coordinate: a point and its inverse have the same.
    pub(crate) const fn tag_of_x(&self) -> u64 {
        self.0.x.l[0]
    }
}

/// For points that tell of secrets.
impl Zeroize for G1 {
    fn zeroize(&mut self) {
        ffi::field::erase(&mut self.0);
    }
}

impl G2 {
    pub(super) const fn from_affine(point: blst_p2_affine) -> Self {
        Self(point)
    }
}

/// RFC 9380 `hash_to_curve` into G1: suite `BLS12381G1_XMD:SHA-256_SSWU_RO_`.
#[must_use]
pub fn hash_to_g1(message: &[u8], dst: &[u8]) -> G1 {
    G1(ffi::g1::hash(message, dst, true))
}

/// RFC 9380 `hash_to_curve` into G2: suite `BLS12381G2_XMD:SHA-256_SSWU_RO_`.
#[must_use]
pub fn hash_to_g2(message: &[u8], dst: &[u8]) -> G2 {
    G2(ffi::g2::hash(message, dst, true))
}

/// RFC 9380 `encode_to_curve` into G1: suite `BLS12381G1_XMD:SHA-256_SSWU_NU_`. Its output is not uniform; Quorate
/// signs nothing with it.
#[must_use]
pub fn encode_to_g1(message: &[u8], dst: &[u8]) -> G1 {
    G1(ffi::g1::hash(message, dst, false))
}

/// RFC 9380 `encode_to_curve` into G2: suite `BLS12381G2_XMD:SHA-256_SSWU_NU_`.
#[must_use]
pub fn encode_to_g2(message: &[u8], dst: &[u8]) -> G2 {
    G2(ffi::g2::hash(message, dst, false))
}
