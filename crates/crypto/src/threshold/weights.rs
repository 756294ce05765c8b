//! Weights of random linear combinations, hashed from all that is combined.

use quorate_types::{Blake3, DomainTag};

use crate::bls::WEIGHT_BYTES;

/// Which equation the weights are for. Equal inputs of two equations get unrelated weights.
#[derive(Clone, Copy)]
pub(super) enum Equation {
    /// Shares of one message under the members' keys.
    Shares = 1,
    /// Signatures of many messages under one key.
    Messages = 2,
    /// Keys against a polynomial's degree.
    Degree = 3,
}

/// Collects an equation's inputs.
pub(super) struct Transcript(Blake3);

impl Transcript {
    pub(super) fn new(equation: Equation) -> Self {
        Self(Blake3::new(DomainTag::BatchWeights).chain([equation as u8]))
    }

    /// Adds bytes whose length the equation fixes.
    pub(super) fn fixed(self, bytes: impl AsRef<[u8]>) -> Self {
        Self(self.0.chain(bytes))
    }

    /// Adds bytes of any length, with the length in front.
    pub(super) fn message(self, bytes: &[u8]) -> Self {
        Self(
            self.0
                .chain((bytes.len() as u64).to_le_bytes())
                .chain(bytes),
        )
    }

    /// `count` uniform 128-bit weights, little-endian.
    pub(super) fn weights(self, count: usize) -> Vec<[u8; WEIGHT_BYTES]> {
        let mut bytes = vec![0; count * WEIGHT_BYTES];
        self.0.finish_into(&mut bytes);
        bytes
            .chunks_exact(WEIGHT_BYTES)
            .map(|chunk| {
                chunk
                    .try_into()
                    .expect("chunks have the length of a weight")
            })
            .collect()
    }
}
