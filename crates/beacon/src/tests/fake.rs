//! Keys and signatures that cost nothing: whoever names a key signs with it, and the tests' liars name none but their own.

use alloc::vec::Vec;

use quorate_types::{
    DomainTag, EncryptionKey, IdentityKey, IdentitySignature, KeyProof, Signature, ThresholdKey,
};

use crate::engine::Verifier;

#[derive(Clone, Copy, Debug)]
pub(super) struct Fake;

/// FNV-1a of both, in eight bytes.
fn mix(key: &[u8], message: &[u8]) -> [u8; 8] {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in key.iter().chain(message) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash.to_le_bytes()
}

fn fill<const N: usize>(seal: [u8; 8]) -> [u8; N] {
    let mut out = [0; N];
    out[..8].copy_from_slice(&seal);
    out
}

pub(super) fn sign(key: &IdentityKey, tag: DomainTag, message: &[u8]) -> IdentitySignature {
    let message: Vec<u8> = [tag.bytes().as_slice(), message].concat();
    IdentitySignature(fill(mix(&key.0, &message)))
}

pub(super) fn prove(key: &EncryptionKey, context: &[u8]) -> KeyProof {
    KeyProof(fill(mix(&key.0, context)))
}

pub(super) fn threshold_sign(key: &ThresholdKey, message: &[u8]) -> Signature {
    Signature(fill(mix(&key.0, message)))
}

pub(super) fn group_key(number: u64) -> ThresholdKey {
    let mut key = ThresholdKey([0x6b; 96]);
    key.0[..8].copy_from_slice(&number.to_le_bytes());
    key.0[94..].copy_from_slice(&[0; 2]);
    key
}

pub(super) fn share_key(group: &ThresholdKey, index: u16) -> ThresholdKey {
    let mut key = *group;
    key.0[94..].copy_from_slice(&(index + 1).to_le_bytes());
    key
}

impl Verifier for Fake {
    fn identity(
        &self,
        key: &IdentityKey,
        tag: DomainTag,
        message: &[u8],
        signature: &IdentitySignature,
    ) -> bool {
        *signature == sign(key, tag, message)
    }

    fn encryption_key(&self, key: &EncryptionKey, context: &[u8], proof: &KeyProof) -> bool {
        *proof == prove(key, context)
    }

    fn threshold(&self, key: &ThresholdKey, message: &[u8], signature: &Signature) -> bool {
        *signature == threshold_sign(key, message)
    }

    fn group(&self, group: &ThresholdKey, shares: &[ThresholdKey], _: u16) -> bool {
        (0..)
            .zip(shares)
            .all(|(index, key)| *key == share_key(group, index))
    }
}
