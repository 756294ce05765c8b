//! A trusted dealer, for devnets and tests only until there are key ceremonies: whoever runs it knows the group's
//! secret and can sign alone.

use quorate_types::{ThresholdKey, ValidatorIndex};
use rand_core::CryptoRng;

use crate::bls::SecretPolynomial;
use crate::threshold::ShareSecret;

/// What the dealer gives out.
pub struct Dealt {
    /// The group's key.
    pub group: ThresholdKey,
    /// Every member's share key, in order of index.
    pub shares_public: Vec<ThresholdKey>,
    /// Every member's secret, in order of index.
    pub secrets: Vec<ShareSecret>,
}

/// Deals a fresh key to `members` members, any `threshold` of which can sign.
///
/// # Panics
/// If the threshold is zero or above the number of members.
pub fn deal(members: u16, threshold: u16, rng: &mut impl CryptoRng) -> Dealt {
    assert!(
        (1..=members).contains(&threshold),
        "threshold {threshold} of {members}"
    );
    let polynomial = SecretPolynomial::random(usize::from(threshold), rng);
    let group = polynomial
        .public_key()
        .expect("a threshold is at least one");
    let evaluations = (0..members).map(|index| polynomial.evaluate(ValidatorIndex(index).into()));
    let secrets: Vec<ShareSecret> = evaluations.map(ShareSecret::from).collect();
    Dealt {
        group: ThresholdKey(group.to_bytes()),
        shares_public: secrets.iter().map(ShareSecret::public_key).collect(),
        secrets,
    }
}
