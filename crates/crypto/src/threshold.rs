//! Threshold BLS: any t of n members make the one signature that verifies under the group's key.
//!
//! Signatures are in G1 and keys in G2, as in drand's quicknet; a combined signature is an ordinary BLS signature of
//! the ciphersuite with tag [`DST`], so any BLS library verifies it. It is the same whichever t members signed: that
//! is what makes it a coin (Boldyreva, PKC 2003).
//!
//! Member i holds p(i + 1) of a secret polynomial p with t coefficients; the group's secret is p(0).
//! [`ThresholdPublic::parse`] takes the public side, once, and makes sure that all keys lie on one such polynomial.
//! After that, combining is optimistic: t shares are interpolated unchecked and one pairing equation tells whether
//! the result is right. Only if not, the shares are checked and the bad ones named.
//!
//! A share is a point of the curve; what counts is its part in the subgroup. A pairing does not see the rest, so that a member can
//! send its share in many guises, and it gains nothing: sums of shares keep their parts apart, and what they combine to is
//! freed of the rest before it is a signature. So shares are not asked whether they are in the subgroup, which would cost more than
//! all else in a batch of them (docs/adr/0014-shares-by-their-subgroup-part.md). Signatures are.
//!
//! Weights of random linear combinations are hashes of everything the equation speaks of, so that verdicts are a
//! function of the inputs. A batch with a bad signature passes with probability 2^-128.

mod combine;
mod group_key;
mod public;
mod secret;
mod weights;

pub use combine::{CombineError, Combined, interpolate};
pub use group_key::GroupKey;
pub use public::{KeysError, ShareError, ThresholdPublic};
pub use secret::ShareSecret;

use quorate_types::{Signature, ValidatorIndex};

use crate::SignatureError;
use crate::bls::{DST, G1, G2, PointError, hash_to_g1, pairing_product_is_one};

/// A member's index and its share of a signature, unchecked.
pub type IndexedShare = (ValidatorIndex, Signature);

/// Parses a signature: canonical, on the curve, in the subgroup, not the identity.
///
/// # Errors
/// [`PointError`].
pub fn parse_signature(signature: &Signature) -> Result<G1, PointError> {
    G1::from_bytes(&signature.0)
}

/// Parses a share of which only the part in the subgroup counts: canonical, on the curve, not the identity.
fn parse_share(share: &Signature) -> Result<G1, PointError> {
    G1::on_curve_from_bytes(&share.0)
}

/// Verifies a signature under a key used once; [`GroupKey`] is faster for a key used again.
///
/// # Errors
/// The signature is malformed or not one of `message` under `key`.
pub fn verify(key: &G2, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    let signature = parse_signature(signature)?;
    if is_valid(key, &hash_to_g1(message, DST), &signature) {
        return Ok(());
    }
    Err(SignatureError::Invalid)
}

/// e(signature, generator) = e(hash, key).
fn is_valid(key: &G2, hash: &G1, signature: &G1) -> bool {
    pairing_product_is_one(&[(signature.negate(), G2::generator()), (*hash, *key)])
}
