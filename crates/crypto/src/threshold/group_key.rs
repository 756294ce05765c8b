//! A public key that verifies many signatures.

use std::sync::LazyLock;

use quorate_types::{Signature, ThresholdKey};

use super::parse_signature;
use super::weights::{Equation, Transcript};
use crate::SignatureError;
use crate::bisect::bad_positions;
use crate::bls::{DST, G1, G2, Pairings, PointError, PreparedG2, hash_to_g1, pairings_equal};

static GENERATOR: LazyLock<PreparedG2> = LazyLock::new(|| PreparedG2::new(G2::generator()));

/// A parsed public key with the line functions of its Miller loop; takes 20 kB.
#[derive(Clone, Debug)]
pub struct GroupKey {
    key: PreparedG2,
    bytes: ThresholdKey,
}

impl GroupKey {
    /// Parses and prepares a key.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn parse(key: &ThresholdKey) -> Result<Self, PointError> {
        Ok(Self {
            key: PreparedG2::new(G2::from_bytes(&key.0)?),
            bytes: *key,
        })
    }

    /// The key as a point.
    #[must_use]
    pub const fn point(&self) -> &G2 {
        self.key.point()
    }

    /// The key as bytes.
    #[must_use]
    pub const fn bytes(&self) -> &ThresholdKey {
        &self.bytes
    }

    /// Verifies one signature.
    ///
    /// # Errors
    /// The signature is malformed or not one of `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = parse_signature(signature)?;
        if self.is_valid(&hash_to_g1(message, DST), &signature) {
            return Ok(());
        }
        Err(SignatureError::Invalid)
    }

    /// Verifies signatures of many messages with one pairing equation.
    ///
    /// # Errors
    /// The ascending positions of all that are malformed or invalid.
    pub fn verify_many(&self, items: &[(&[u8], Signature)]) -> Result<(), Vec<usize>> {
        let mut bad = Vec::new();
        let mut parsed = Vec::with_capacity(items.len());
        let mut positions = Vec::with_capacity(items.len());
        for (position, (message, signature)) in items.iter().enumerate() {
            if let Ok(point) = parse_signature(signature) {
                parsed.push((*message, point));
                positions.push(position);
            } else {
                bad.push(position);
            }
        }
        let invalid = self.invalid_positions(&parsed);
        bad.extend(invalid.into_iter().map(|position| positions[position]));
        if bad.is_empty() {
            return Ok(());
        }
        bad.sort_unstable();
        Err(bad)
    }

    /// Positions of the invalid ones among signatures known to be in the subgroup.
    pub(super) fn invalid_positions(&self, items: &[(&[u8], G1)]) -> Vec<usize> {
        let hashes: Vec<G1> = items
            .iter()
            .map(|(message, _)| hash_to_g1(message, DST))
            .collect();
        let signatures: Vec<G1> = items.iter().map(|(_, signature)| *signature).collect();
        if let ([hash], [signature]) = (hashes.as_slice(), signatures.as_slice()) {
            return if self.is_valid(hash, signature) {
                Vec::new()
            } else {
                vec![0]
            };
        }
        let transcript = Transcript::new(Equation::Messages).fixed(self.bytes);
        let transcript = items
            .iter()
            .fold(transcript, |transcript, (message, signature)| {
                transcript.message(message).fixed(signature.to_bytes())
            });
        let weights = transcript.weights(items.len());
        bad_positions(items.len(), |range| {
            let weights = &weights[range.clone()];
            let hash = G1::weighted_sum(&hashes[range.clone()], weights);
            let signature = G1::weighted_sum(&signatures[range], weights);
            Pairings::quotient((&signature, &GENERATOR), (&hash, &self.key))
        })
    }

    /// e(signature, generator) = e(hash, key).
    pub(super) fn is_valid(&self, hash: &G1, signature: &G1) -> bool {
        pairings_equal((signature, &GENERATOR), (hash, &self.key))
    }
}
