//! Groups, scalars, hashing and pairings of BLS12-381, on blst.
//!
//! Points that come from outside are checked once, by [`G1::from_bytes`] and [`G2::from_bytes`]: canonical
//! compressed encoding (ZCash's, as in the IRTF draft on BLS signatures), on the curve, in the subgroup of prime
//! order, not the identity. Where there are hundreds, `SubgroupTest` checks the subgroup for all at once. A point that a
//! computation yields may be the identity.
//!
//! Arithmetic on [`Scalar`] and on points serves public data and may take variable time; [`SecretScalar`] and
//! [`SecretPolynomial`] keep to constant time and are erased when dropped.

mod batch;
mod comb;
#[allow(unsafe_code)]
mod ffi;
mod lagrange;
mod multi_scalar;
mod pairing;
mod points;
mod polynomial;
mod same_secret;
mod scalar;
mod subgroup;
mod tiled;

pub use lagrange::{DuplicateShare, lagrange_at_zero};
pub use pairing::{PreparedG2, pairing_product_is_one, pairings_equal};
pub use points::{G1, G2, PointError, encode_to_g1, encode_to_g2, hash_to_g1, hash_to_g2};
pub use polynomial::{Polynomial, SecretPolynomial, ShareIndex};
pub use scalar::{Scalar, ScalarError, SecretScalar};

/// Domain separation tag of the ciphersuite: signatures in G1, no proof of possession in the message (RFC 9380
/// section 3.1, draft-irtf-cfrg-bls-signature section 4.2.1). drand's quicknet uses the same.
pub const DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

pub(crate) use batch::{Around, visit_multiples};
pub(crate) use comb::{G1Comb, G1Sum, G2Comb, G2Sum};
pub(crate) use lagrange::{interpolate_at_zero, interpolation_denominators};
pub(crate) use pairing::Pairings;
pub(crate) use scalar::WEIGHT_BYTES;
pub(crate) use subgroup::SubgroupTest;
pub(crate) use tiled::{TiledG1, TiledG2};
