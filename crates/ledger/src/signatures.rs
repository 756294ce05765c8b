//! Signatures of transactions by their accounts' owners.

use quorate_crypto::identity::{verify, verify_batch};
use quorate_types::{Blake3, Body, DomainTag, IdentityKey, IdentitySignature, SignedTransaction};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::state::Snapshot;

/// The key that must have signed a transaction, as far as the snapshot tells: it may not know an account yet.
///
/// An account's id is a hash of its owner, so what one snapshot says of it holds for all.
pub(crate) fn owner_of(snapshot: &Snapshot, signed: &SignedTransaction) -> Option<IdentityKey> {
    match &signed.transaction.body {
        Body::CreateAccount { owner, .. } => Some(*owner),
        Body::Transfer { from, .. } => snapshot.account(from).map(|account| account.owner),
    }
}

/// Whether the transaction's first signature is `owner`'s.
pub(crate) fn is_signed_by(signed: &SignedTransaction, owner: &IdentityKey) -> bool {
    signature(signed).is_some_and(|signature| {
        verify(
            owner,
            DomainTag::TransactionSignature,
            &signed.id().0,
            &signature,
        )
        .is_ok()
    })
}

/// [`is_signed_by`] for many, at about half the price. Every transaction has a signature.
///
/// A batch is a random linear combination. Its weights must not be known before the signatures are, or signatures could
/// be made that are wrong one by one and cancel out together; and they need not be fresh, only unpredictable. So they
/// come from a hash of all keys, messages and signatures, and this stays a function of its argument.
pub(crate) fn are_signed_by(items: &[(&SignedTransaction, IdentityKey)]) -> Vec<bool> {
    let mut verdicts = vec![true; items.len()];
    let mut weights = Blake3::new(DomainTag::BatchWeights);
    let mut queued = Vec::with_capacity(items.len());
    let mut positions = Vec::with_capacity(items.len());
    for (position, (signed, owner)) in items.iter().enumerate() {
        let Some(signature) = signature(signed) else {
            verdicts[position] = false;
            continue;
        };
        weights = weights.chain(owner).chain(signed.id()).chain(signature);
        queued.push((*signed, *owner, signature));
        positions.push(position);
    }
    let ids: Vec<_> = queued.iter().map(|(signed, ..)| signed.id().0).collect();
    let batch: Vec<_> = queued
        .iter()
        .zip(&ids)
        .map(|((_, owner, signature), id)| {
            (
                *owner,
                DomainTag::TransactionSignature,
                id.as_slice(),
                *signature,
            )
        })
        .collect();
    let mut rng = ChaCha20Rng::from_seed(weights.finish());
    if let Err(bad) = verify_batch(&batch, &mut rng) {
        for index in bad {
            verdicts[positions[index]] = false;
        }
    }
    verdicts
}

fn signature(signed: &SignedTransaction) -> Option<IdentitySignature> {
    signed.signatures.first().map(|first| first.signature)
}
