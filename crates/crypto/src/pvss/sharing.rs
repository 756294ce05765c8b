//! The proof that the shares encrypted in G1 are those committed to in G2 (ePrint 2021/339, section 6.4): the members'
//! shares are mixed by powers of a challenge, and the mix is shown to be the same on both sides.

use rand_core::CryptoRng;

use super::challenge::powers;
use super::encoding::Part;
use super::parameters::CHUNKS;
use super::statement::{Statement, chunk_bases};
use crate::bls::{G1, G1Sum, G2, Scalar, SecretScalar};

/// The prover after its first move.
pub(super) struct Sharing {
    mix: Vec<Scalar>,
    lanes: Vec<Masks>,
}

/// What masks one lane.
struct Masks {
    randomness: SecretScalar,
    share: SecretScalar,
}

impl Sharing {
    /// Writes what masks each lane's randomness and mixed share.
    pub(super) fn first_move(statement: &mut Statement<'_>, rng: &mut impl CryptoRng) -> Self {
        let mix = powers(statement.instance.mix(), statement.recipients.len());
        let mixed_key = G1::multi_scalar(statement.recipients.points(), &mix);
        let lanes: Vec<Masks> = (0..statement.draft.parameters.lanes())
            .map(|_| Masks {
                randomness: SecretScalar::random(rng),
                share: SecretScalar::random(rng),
            })
            .collect();
        let tables = &statement.tables;
        let share_masks: Vec<G2> = lanes
            .iter()
            .map(|lane| tables.g2.multiply(&lane.share).to_point())
            .collect();
        let ephemerals: Vec<G1> = lanes
            .iter()
            .map(|lane| tables.g1.multiply(&lane.randomness).to_point())
            .collect();
        let encrypt = |lane: &Masks| {
            let mut sum = tables.g1.multiply(&lane.share);
            sum.add_point(&lane.randomness.multiply(&mixed_key));
            sum
        };
        let ciphertexts: Vec<G1Sum> = lanes.iter().map(encrypt).collect();
        statement.draft.put_g2(Part::ShareMasks, &share_masks);
        statement.draft.put_g1(Part::SharingEphemerals, &ephemerals);
        statement
            .draft
            .put_g1(Part::SharingCiphertexts, &G1Sum::to_points(&ciphertexts));
        Self { mix, lanes }
    }

    /// Writes the responses.
    pub(super) fn respond(self, statement: &mut Statement<'_>) {
        let challenge = statement.instance.sharing(&statement.draft.view());
        let bases = chunk_bases();
        let witness = statement.witness;
        let columns = witness.randomness.chunks_exact(CHUNKS);
        let mut for_randomness = Vec::new();
        let mut for_shares = Vec::new();
        for ((masks, columns), shares) in self.lanes.iter().zip(columns).zip(&witness.shares) {
            let randomness = weighted_sum(&bases, columns);
            let mixed_share = weighted_sum(&self.mix, &shares[1..]);
            for_randomness.push(randomness.respond(&challenge, &masks.randomness));
            for_shares.push(mixed_share.respond(&challenge, &masks.share));
        }
        statement
            .draft
            .put_scalars(Part::SharingResponses, &for_randomness);
        statement
            .draft
            .put_scalars(Part::ShareResponses, &for_shares);
    }
}

fn weighted_sum(weights: &[Scalar], secrets: &[SecretScalar]) -> SecretScalar {
    let mut sum = SecretScalar::zero();
    for (weight, secret) in weights.iter().zip(secrets) {
        sum.add_product(weight, secret);
    }
    sum
}
