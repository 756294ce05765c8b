//! Signatures, as the engine needs them.

use quorate_types::{
    DomainTag, EncryptionKey, IdentityKey, IdentitySignature, KeyProof, Signature, ThresholdKey,
};

/// Checks signatures and keys for the engine. Verdicts are functions of the arguments alone: all replicas of the beacon must
/// come to the same.
///
/// [`CryptoVerifier`](crate::CryptoVerifier) is the one for real networks; simulations bring one that costs nothing.
pub trait Verifier {
    /// Whether `signature` is by `key` over the tag and the message.
    fn identity(
        &self,
        key: &IdentityKey,
        tag: DomainTag,
        message: &[u8],
        signature: &IdentitySignature,
    ) -> bool;

    /// Whether `proof` shows in `context` that somebody holds the secret of `key`.
    fn encryption_key(&self, key: &EncryptionKey, context: &[u8], proof: &KeyProof) -> bool;

    /// Whether `signature` verifies under a group key or a share key. The message begins with its tag.
    fn threshold(&self, key: &ThresholdKey, message: &[u8], signature: &Signature) -> bool;

    /// Whether any `threshold` of the holders of these share keys, and no fewer, sign for the group.
    fn group(&self, group: &ThresholdKey, shares: &[ThresholdKey], threshold: u16) -> bool;
}

#[cfg(feature = "crypto")]
mod crypto {
    use alloc::vec::Vec;

    use quorate_crypto::bls::G2;
    use quorate_crypto::{ThresholdPublic, identity, pvss, threshold};

    use super::{
        DomainTag, EncryptionKey, IdentityKey, IdentitySignature, KeyProof, Signature,
        ThresholdKey, Verifier,
    };

    /// The verifier of real networks: BLS12-381 and Ed25519 by `quorate-crypto`.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct CryptoVerifier;

    impl Verifier for CryptoVerifier {
        fn identity(
            &self,
            key: &IdentityKey,
            tag: DomainTag,
            message: &[u8],
            signature: &IdentitySignature,
        ) -> bool {
            identity::verify(key, tag, message, signature).is_ok()
        }

        fn encryption_key(&self, key: &EncryptionKey, context: &[u8], proof: &KeyProof) -> bool {
            pvss::verify_key_proof(key, context, proof).is_ok()
        }

        fn threshold(&self, key: &ThresholdKey, message: &[u8], signature: &Signature) -> bool {
            G2::from_bytes(&key.0)
                .is_ok_and(|key| threshold::verify(&key, message, signature).is_ok())
        }

        fn group(&self, group: &ThresholdKey, shares: &[ThresholdKey], threshold: u16) -> bool {
            let shares: Vec<ThresholdKey> = shares.to_vec();
            ThresholdPublic::parse(group, &shares, usize::from(threshold)).is_ok()
        }
    }
}

#[cfg(feature = "crypto")]
pub use crypto::CryptoVerifier;
