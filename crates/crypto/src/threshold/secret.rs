//! The secret side: one member's share of the key.

use quorate_types::{Signature, ThresholdKey};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::bls::{DST, Scalar, ScalarError, SecretScalar, hash_to_g1};

/// A member's share of the group's secret. Erased on drop; it cannot be printed, compared or copied.
pub struct ShareSecret(SecretScalar);

impl ShareSecret {
    /// Reads canonical big-endian bytes of a number that is not zero.
    ///
    /// # Errors
    /// [`ScalarError`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        SecretScalar::from_bytes(bytes).map(Self)
    }

    /// A uniform secret of its own, which shares nothing: for a group of one.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(SecretScalar::random(rng))
    }

    /// The secret itself, big-endian: for a key store and nothing else.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.expose_bytes()
    }

    /// The public key of the share.
    #[must_use]
    pub fn public_key(&self) -> ThresholdKey {
        ThresholdKey(self.0.public_key().to_bytes())
    }

    /// The sum of shares of several secrets: the same member's share of the secrets' sum.
    #[must_use]
    pub fn sum<'a>(shares: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = SecretScalar::zero();
        for share in shares {
            sum.add_assign(&share.0);
        }
        Self(sum)
    }

    /// The sum of shares, each times a public number. With the coefficients of
    /// [`lagrange_at_zero`](crate::bls::lagrange_at_zero) this interpolates the secret that they share.
    #[must_use]
    pub fn weighted_sum(terms: &[(Scalar, &Self)]) -> Self {
        let mut sum = SecretScalar::zero();
        for (weight, share) in terms {
            sum.add_product(weight, &share.0);
        }
        Self(sum)
    }

    /// The number itself, for this crate's dealings.
    pub(crate) const fn scalar(&self) -> &SecretScalar {
        &self.0
    }

    /// This member's share of the signature of `message`, in constant time.
    ///
    /// The caller puts a domain tag in front of the message: everything signed in Quorate starts with one.
    #[must_use]
    pub fn sign_share(&self, message: &[u8]) -> Signature {
        Signature(self.0.multiply(&hash_to_g1(message, DST)).to_bytes())
    }
}

impl From<SecretScalar> for ShareSecret {
    fn from(secret: SecretScalar) -> Self {
        Self(secret)
    }
}

impl ZeroizeOnDrop for ShareSecret {}
