//! The key that a member's shares are encrypted to, and the proof that somebody holds it.

use quorate_types::{Blake3, DomainTag, EncryptionKey, KeyProof};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::CHALLENGE_BYTES;
use crate::bls::{G1, PointError, Scalar, ScalarError, SecretScalar};

/// The secret x of a member's encryption key x * g in G1. It serves one ceremony. Erased on drop; it cannot be
/// printed, compared or copied.
pub struct EncryptionSecret {
    scalar: SecretScalar,
    public: G1,
}

/// Why an encryption key's proof of possession is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProofError {
    /// The key is no acceptable point.
    #[error("encryption key: {0}")]
    Key(PointError),
    /// The proof's commitment is no acceptable point.
    #[error("commitment of the proof: {0}")]
    Commitment(PointError),
    /// The proof's response is no scalar.
    #[error("response of the proof: {0}")]
    Response(ScalarError),
    /// The proof was made for another key or context, or by somebody without the secret.
    #[error("the proof does not show possession of the key in this context")]
    Invalid,
}

impl EncryptionSecret {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::new(SecretScalar::random(rng))
    }

    /// Reads canonical big-endian bytes of a number that is not zero.
    ///
    /// # Errors
    /// [`ScalarError`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        SecretScalar::from_bytes(bytes).map(Self::new)
    }

    /// The secret itself, big-endian: for a key store and nothing else.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.scalar.expose_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> EncryptionKey {
        EncryptionKey(self.public.to_bytes())
    }

    /// Proves possession of the secret to whoever knows `context`, which says who enrols the key and for what:
    /// Schnorr's protocol, made non-interactive. The security of dealings needs it of every key (the adversary's own
    /// secrets must be extractable), so that no member can enrol a function of another's key.
    #[must_use]
    pub fn prove(&self, context: &[u8], rng: &mut impl CryptoRng) -> KeyProof {
        let nonce = SecretScalar::random(rng);
        let commitment = nonce.multiply(&G1::generator()).to_bytes();
        let challenge = challenge(&self.public(), context, &commitment);
        let response = self.scalar.respond(&challenge, &nonce).to_bytes();
        let mut proof = [0; 80];
        proof[..G1::BYTES].copy_from_slice(&commitment);
        proof[G1::BYTES..].copy_from_slice(&response);
        KeyProof(proof)
    }

    pub(super) const fn scalar(&self) -> &SecretScalar {
        &self.scalar
    }

    pub(super) const fn point(&self) -> &G1 {
        &self.public
    }

    fn new(scalar: SecretScalar) -> Self {
        let public = scalar.multiply(&G1::generator());
        Self { scalar, public }
    }
}

impl ZeroizeOnDrop for EncryptionSecret {}

/// Verifies that whoever made `proof` for `context` holds the secret of `key`.
///
/// # Errors
/// [`KeyProofError`].
pub fn verify_key_proof(
    key: &EncryptionKey,
    context: &[u8],
    proof: &KeyProof,
) -> Result<(), KeyProofError> {
    let point = G1::from_bytes(&key.0).map_err(KeyProofError::Key)?;
    let (commitment, response) = proof
        .0
        .split_first_chunk::<{ G1::BYTES }>()
        .expect("a proof is longer than a point");
    let response = response
        .try_into()
        .expect("a proof is a point and a scalar long");
    let committed = G1::from_bytes(commitment).map_err(KeyProofError::Commitment)?;
    let response = Scalar::from_bytes(response).map_err(KeyProofError::Response)?;
    let challenge = challenge(key, context, commitment);
    // response * g = commitment + challenge * key
    let difference = G1::multi_scalar(&[G1::generator(), point], &[response, -challenge]);
    if difference == committed {
        return Ok(());
    }
    Err(KeyProofError::Invalid)
}

fn challenge(key: &EncryptionKey, context: &[u8], commitment: &[u8; G1::BYTES]) -> Scalar {
    let mut wide = [0; CHALLENGE_BYTES];
    Blake3::new(DomainTag::EncryptionKeyProof)
        .chain((context.len() as u64).to_le_bytes())
        .chain(context)
        .chain(key)
        .chain(commitment)
        .finish_into(&mut wide);
    Scalar::from_wide_bytes(&wide)
}
