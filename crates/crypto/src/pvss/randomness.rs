//! A dealer's randomness, which survives a bad source of it.

use chacha20::ChaCha20Rng;
use quorate_types::{Blake3, DomainTag};
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::Recipients;
use crate::identity::IdentitySecret;

/// The generator of one dealing, seeded with randomness of the system *and* the dealer's long-term secret, the
/// dealing's context and its recipients.
///
/// A dealer whose randomness repeats, as in a virtual machine that was restored from a snapshot, would otherwise use
/// the same nonces for two statements, and two proofs with one nonce reveal what they hide. Here another context or
/// other recipients give other randomness whatever `os` is, and an `os` that an adversary knows gives nothing away as
/// long as it does not know the identity's seed (the aim of RFC 8937, with a hash in place of the signature).
///
/// The same four inputs give the same generator: nobody may write `os` to a disk, and a dealer that has stored its
/// dealing sends that one again instead of dealing anew. What this function holds in between is erased, and the
/// generator erases itself when it is dropped: right after the dealing is made.
#[must_use]
pub fn hedged_rng(
    os: &[u8; 32],
    secret: &IdentitySecret,
    context: &[u8; 32],
    recipients: &Recipients,
) -> ChaCha20Rng {
    let mut hasher = Blake3::new(DomainTag::PvssRandomness);
    hasher.update(os);
    hasher.update(secret.expose_bytes());
    hasher.update(context);
    hasher.update(recipients.digest());
    let mut seed = Zeroizing::new([0; 32]);
    hasher.finish_into(seed.as_mut());
    hasher.erase();
    ChaCha20Rng::from_seed(*seed)
}
