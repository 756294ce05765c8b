//! Signatures that are hashes.

use quorate_types::{Blake3, DomainTag, IdentityKey, IdentitySignature, Signature, ThresholdKey};

use crate::authentic::Authenticator;

/// Takes a hash of key and message for a signature. Anybody can make one: for simulations alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps;

impl Stamps {
    /// The stamp of an owner.
    #[must_use]
    pub fn sign(key: &IdentityKey, tag: DomainTag, message: &[u8]) -> IdentitySignature {
        let mut bytes = [0; 64];
        let hash = Blake3::new(tag).chain(b"stamp").chain(key).chain(message);
        hash.finish_into(&mut bytes);
        IdentitySignature(bytes)
    }

    /// The stamp of a group.
    #[must_use]
    pub fn certify(key: &ThresholdKey, message: &[u8]) -> Signature {
        let mut bytes = [0; 48];
        let hash = Blake3::new(DomainTag::BatchWeights)
            .chain(key)
            .chain(message);
        hash.finish_into(&mut bytes);
        Signature(bytes)
    }
}

impl Authenticator for Stamps {
    fn is_signed(
        &self,
        key: &IdentityKey,
        tag: DomainTag,
        message: &[u8],
        signature: &IdentitySignature,
    ) -> bool {
        Self::sign(key, tag, message) == *signature
    }

    fn is_certified(&self, key: &ThresholdKey, message: &[u8], signature: &Signature) -> bool {
        Self::certify(key, message) == *signature
    }
}
