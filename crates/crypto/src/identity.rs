//! Ed25519 identities: validators' and accounts' keys.
//!
//! The rules are those of ZIP 215, which fix the verdict on every string of bytes and make a batch agree with single
//! verification. They accept keys and nonces with a component of small order: a small-order *key* verifies signatures
//! that nobody made, so a key that must belong to somebody has to be shown to sign first.
//!
//! What is signed is the domain tag's eight bytes followed by the message.

use ed25519_zebra::batch::{Item, Verifier};
use ed25519_zebra::{
    Signature as ZebraSignature, SigningKey, VerificationKey, VerificationKeyBytes,
};
use quorate_types::{DomainTag, IdentityKey, IdentitySignature};
use rand_chacha::ChaCha12Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::SignatureError;
use crate::bisect::bad_positions;

/// An Ed25519 secret. Erased on drop; it cannot be printed, compared or copied.
pub struct IdentitySecret(SigningKey);

impl IdentitySecret {
    /// The key of a seed (RFC 8032 section 5.1.5 calls it the private key).
    #[must_use]
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_bytes(&seed)
    }

    /// The seed: for a key store and nothing else.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.0.as_bytes())
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> IdentityKey {
        IdentityKey(self.0.verification_key().into())
    }

    /// Signs the tag and the message.
    #[must_use]
    pub fn sign(&self, tag: DomainTag, message: &[u8]) -> IdentitySignature {
        IdentitySignature(self.0.sign(&tagged(tag, message)).to_bytes())
    }
}

impl Drop for IdentitySecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for IdentitySecret {}

/// A public key, parsed once to verify many signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityPublic(VerificationKey);

impl IdentityPublic {
    /// Parses a key: any encoding of a point of the curve, canonical or not (ZIP 215).
    ///
    /// # Errors
    /// [`SignatureError::Key`].
    pub fn parse(key: &IdentityKey) -> Result<Self, SignatureError> {
        VerificationKey::try_from(key.0)
            .map(Self)
            .map_err(|_| SignatureError::Key)
    }

    /// The key's bytes, as they were parsed.
    #[must_use]
    pub fn key(&self) -> IdentityKey {
        IdentityKey(self.0.into())
    }

    /// Verifies a signature of the tag and the message.
    ///
    /// # Errors
    /// [`SignatureError::Invalid`].
    pub fn verify(
        &self,
        tag: DomainTag,
        message: &[u8],
        signature: &IdentitySignature,
    ) -> Result<(), SignatureError> {
        self.0
            .verify(
                &ZebraSignature::from_bytes(&signature.0),
                &tagged(tag, message),
            )
            .map_err(|_| SignatureError::Invalid)
    }
}

/// Verifies a signature under a key used once.
///
/// # Errors
/// [`SignatureError::Key`], [`SignatureError::Invalid`].
pub fn verify(
    key: &IdentityKey,
    tag: DomainTag,
    message: &[u8],
    signature: &IdentitySignature,
) -> Result<(), SignatureError> {
    IdentityPublic::parse(key)?.verify(tag, message, signature)
}

/// Verifies many signatures at about half the price of one by one. The verdict on each is that of [`verify`], but
/// for a chance of 2^-128.
///
/// Takes 32 bytes from `rng`, whatever the outcome.
///
/// # Errors
/// The ascending positions of all that [`verify`] refuses.
pub fn verify_batch(
    items: &[(IdentityKey, DomainTag, &[u8], IdentitySignature)],
    rng: &mut impl CryptoRng,
) -> Result<(), Vec<usize>> {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    // Verification may stop anywhere in its randomness, so it gets a generator of its own.
    let mut weights = ChaCha12Rng::from_seed(seed);
    let queued: Vec<Item> = items
        .iter()
        .map(|(key, tag, message, signature)| {
            let key = VerificationKeyBytes::from(key.0);
            let signature = ZebraSignature::from_bytes(&signature.0);
            Item::from((key, signature, &tagged(*tag, message)))
        })
        .collect();
    let bad = bad_positions(queued.len(), |range| {
        if let [item] = &queued[range.clone()] {
            return item.clone().verify_single().is_ok();
        }
        let mut verifier = Verifier::new();
        for item in &queued[range] {
            verifier.queue(item.clone());
        }
        verifier.verify(&mut weights).is_ok()
    });
    if bad.is_empty() { Ok(()) } else { Err(bad) }
}

fn tagged(tag: DomainTag, message: &[u8]) -> Vec<u8> {
    [tag.bytes().as_slice(), message].concat()
}
