//! Who signed: the market asks, and somebody who may have verified before answers.

use std::collections::BTreeMap;

use quorate_crypto::{GroupKey, identity};
use quorate_types::{DomainTag, IdentityKey, IdentitySignature, Signature, ThresholdKey};

/// Decides about signatures. Answers must be functions of the arguments, alike on all validators.
///
/// A driver that verifies in advance, on other threads, keeps the answers and gives them here.
pub trait Authenticator {
    /// Whether it is the key's Ed25519 signature of tag and message, under the rules of ZIP 215.
    fn is_signed(
        &self,
        key: &IdentityKey,
        tag: DomainTag,
        message: &[u8],
        signature: &IdentitySignature,
    ) -> bool;

    /// Whether it is the group's BLS signature of the message, which starts with a tag.
    fn is_certified(&self, key: &ThresholdKey, message: &[u8], signature: &Signature) -> bool;
}

/// Verifies each signature when it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Cryptography {
    groups: BTreeMap<ThresholdKey, GroupKey>,
}

impl Cryptography {
    /// With these group keys parsed and prepared once; keys that are no points verify nothing.
    #[must_use]
    pub fn new(keys: &[ThresholdKey]) -> Self {
        let parsed = keys
            .iter()
            .filter_map(|key| Some((*key, GroupKey::parse(key).ok()?)));
        Self {
            groups: parsed.collect(),
        }
    }
}

impl Authenticator for Cryptography {
    fn is_signed(
        &self,
        key: &IdentityKey,
        tag: DomainTag,
        message: &[u8],
        signature: &IdentitySignature,
    ) -> bool {
        identity::verify(key, tag, message, signature).is_ok()
    }

    fn is_certified(&self, key: &ThresholdKey, message: &[u8], signature: &Signature) -> bool {
        match self.groups.get(key) {
            Some(group) => group.verify(message, signature).is_ok(),
            None => {
                GroupKey::parse(key).is_ok_and(|group| group.verify(message, signature).is_ok())
            }
        }
    }
}

/// Something that the caller has verified: the market takes its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified<T>(T);

impl<T> Certified<T> {
    /// Vouches for a value: a certificate over it was verified, or the receipt that it stands in was proved under a
    /// certified header.
    #[must_use]
    pub const fn verified_by_caller(value: T) -> Self {
        Self(value)
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &T {
        &self.0
    }
}
