//! What a dealer knows, and the part of a dealing that its proofs speak of.

use quorate_types::ValidatorIndex;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::challenge::Instance;
use super::encoding::{Draft, Part};
use super::parameters::{CHUNK_BITS, CHUNKS, Parameters};
use super::recipients::Recipients;
use crate::bls::{G1, G1Comb, G1Sum, G2, G2Comb, G2Sum, Scalar, SecretPolynomial, SecretScalar};
use crate::threshold::ShareSecret;

/// Digits between the rows of tables that serve some dozen products each.
const SPACING: usize = 4;

/// The secret side of a dealing.
pub(super) struct Witness {
    /// Of each lane: the secret, then every member's share.
    pub(super) shares: Vec<Vec<SecretScalar>>,
    /// What is encrypted, in the order of the ciphertexts.
    pub(super) chunks: Zeroizing<Vec<u64>>,
    /// The dealer's randomness, a number for each column.
    pub(super) randomness: Vec<SecretScalar>,
    /// A liar's one blind, plus S, where an honest dealer draws them.
    #[cfg(feature = "test-utils")]
    pub(super) blind: Option<u64>,
}

impl Witness {
    /// Shares of the given secrets, or of fresh ones.
    pub(super) fn draw(
        parameters: &Parameters,
        secrets: &[Option<&ShareSecret>],
        rng: &mut impl CryptoRng,
    ) -> Self {
        let lanes = parameters.thresholds().iter().zip(secrets);
        let shares = lanes
            .map(|(threshold, secret)| {
                let coefficients = usize::from(*threshold);
                let polynomial = match secret {
                    Some(secret) => {
                        SecretPolynomial::with_constant(secret.scalar(), coefficients, rng)
                    }
                    None => SecretPolynomial::random(coefficients, rng),
                };
                let members = (0..parameters.members()).map(ValidatorIndex);
                let shares = members.map(|index| polynomial.evaluate(index.into()));
                core::iter::once(polynomial.constant())
                    .chain(shares)
                    .collect()
            })
            .collect();
        let mut witness = Self {
            shares,
            chunks: Zeroizing::new(Vec::new()),
            randomness: (0..parameters.columns())
                .map(|_| SecretScalar::random(rng))
                .collect(),
            #[cfg(feature = "test-utils")]
            blind: None,
        };
        witness.cut(parameters);
        witness
    }

    /// Cuts the members' shares into chunks.
    pub(super) fn cut(&mut self, parameters: &Parameters) {
        let mut chunks = Zeroizing::new(Vec::with_capacity(parameters.elements(Part::Ciphertexts)));
        for member in 1..=parameters.count() {
            for shares in &self.shares {
                let words = shares[member].words();
                for chunk in 0..CHUNKS {
                    let word = words[chunk * CHUNK_BITS / 64];
                    chunks.push(word >> (chunk * CHUNK_BITS % 64) & 0xffff);
                }
            }
        }
        self.chunks = chunks;
    }

    /// The shares as points of G2, in the order of the commitments.
    pub(super) fn commitments(&self, generator: &G2Comb) -> Vec<G2> {
        let shares = self.shares.iter().flatten();
        let sums: Vec<G2Sum> = shares.map(|share| generator.multiply(share)).collect();
        G2Sum::to_points(&sums)
    }

    /// Each member's key times each column's randomness, plus the chunk times the generator.
    pub(super) fn encrypt(&self, tables: &Tables) -> Vec<G1> {
        let rows = self.chunks.chunks_exact(self.randomness.len());
        let mut sums: Vec<G1Sum> = Vec::with_capacity(self.chunks.len());
        for (key, row) in tables.recipients.iter().zip(rows) {
            for (randomness, chunk) in self.randomness.iter().zip(row) {
                let mut sum = key.multiply(randomness);
                sum.add(&tables.g1.multiply_short(*chunk, CHUNK_BITS));
                sums.push(sum);
            }
        }
        G1Sum::to_points(&sums)
    }
}

/// A dealing with its statement written and its proofs to come.
pub(super) struct Statement<'a> {
    pub(super) draft: Draft<'a>,
    pub(super) instance: Instance,
    pub(super) witness: &'a Witness,
    pub(super) recipients: &'a Recipients,
    pub(super) tables: Tables,
}

/// Tables for the points that a dealer multiplies by many secrets.
pub(super) struct Tables {
    pub(super) g1: G1Comb,
    pub(super) g2: G2Comb,
    /// For each recipient's key.
    pub(super) recipients: Vec<G1Comb>,
}

impl Tables {
    pub(super) fn new(recipients: &Recipients) -> Self {
        let keys = recipients.points().iter();
        Self {
            g1: G1Comb::new(&G1::generator(), 1),
            g2: G2Comb::new(&G2::generator(), SPACING),
            recipients: keys.map(Self::of).collect(),
        }
    }

    /// A table for a point that serves this dealing alone.
    pub(super) fn of(point: &G1) -> G1Comb {
        G1Comb::new(point, SPACING)
    }
}

impl<'a> Statement<'a> {
    /// Commits to the shares and encrypts them.
    pub(super) fn new(
        parameters: &'a Parameters,
        context: &[u8; 32],
        recipients: &'a Recipients,
        witness: &'a Witness,
    ) -> Self {
        let tables = Tables::new(recipients);
        let mut draft = Draft::new(parameters);
        draft.put_g2(Part::Commitments, &witness.commitments(&tables.g2));
        draft.put_g1(Part::Ephemerals, &products(&tables.g1, &witness.randomness));
        draft.put_g1(Part::Ciphertexts, &witness.encrypt(&tables));
        Self::of_draft(draft, context, recipients, witness, tables)
    }

    /// The statement that a draft makes.
    pub(super) fn of_draft(
        draft: Draft<'a>,
        context: &[u8; 32],
        recipients: &'a Recipients,
        witness: &'a Witness,
        tables: Tables,
    ) -> Self {
        let instance = Instance::new(context, recipients, &draft.view());
        Self {
            draft,
            instance,
            witness,
            recipients,
            tables,
        }
    }
}

/// A point times each of many secrets.
pub(super) fn products(table: &G1Comb, secrets: &[SecretScalar]) -> Vec<G1> {
    let sums: Vec<G1Sum> = secrets
        .iter()
        .map(|secret| table.multiply(secret))
        .collect();
    G1Sum::to_points(&sums)
}

/// The base 2^16 to the power of each chunk of a share, from the lowest chunk.
pub(super) fn chunk_bases() -> Vec<Scalar> {
    core::iter::successors(Some(Scalar::one()), |base| {
        Some(*base * Scalar::from(1 << CHUNK_BITS))
    })
    .take(CHUNKS)
    .collect()
}
