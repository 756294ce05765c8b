//! All equations of a dealing, merged into one sum in G1 and one in G2 that must be zero.

use super::challenge::{Batch, Instance, SubsetSums, powers};
use super::degree;
use super::encoding::{G1_PARTS, G2_PARTS, Part, View};
use super::parameters::{CHUNKS, Parameters, REPETITIONS};
use super::recipients::Recipients;
use super::statement::chunk_bases;
use super::validate::Responses;
use crate::bls::Scalar;

/// Coefficients of the points of one group, part by part in the order of the encoding, and of others.
pub(super) struct Coefficients<'a> {
    parameters: &'a Parameters,
    parts: &'static [Part],
    /// Of the dealing's points.
    pub(super) dealing: Vec<Scalar>,
    /// Of the recipients' keys.
    pub(super) recipients: Vec<Scalar>,
    /// Of the group's generator.
    pub(super) generator: Scalar,
}

impl<'a> Coefficients<'a> {
    fn new(parameters: &'a Parameters, parts: &'static [Part], recipients: usize) -> Self {
        let points = parts.iter().map(|part| parameters.elements(*part)).sum();
        Self {
            parameters,
            parts,
            dealing: vec![Scalar::zero(); points],
            recipients: vec![Scalar::zero(); recipients],
            generator: Scalar::zero(),
        }
    }

    /// The coefficients of a part's points.
    fn part(&mut self, part: Part) -> &mut [Scalar] {
        let before = self.parts.iter().take_while(|other| **other != part);
        let start: usize = before.map(|other| self.parameters.elements(*other)).sum();
        &mut self.dealing[start..start + self.parameters.elements(part)]
    }
}

/// The challenges of a dealing.
pub(super) struct Equations<'a> {
    parameters: &'a Parameters,
    responses: &'a Responses,
    batch: Batch,
    /// Of each chunk in the order of the ciphertexts: the powers that its bits choose, summed.
    chosen: Vec<Scalar>,
    /// Of the chunking proof's second challenge.
    powers: Vec<Scalar>,
    /// Of what mixes the members.
    mix: Vec<Scalar>,
    sharing: Scalar,
}

impl<'a> Equations<'a> {
    pub(super) fn new(
        view: &View<'a>,
        context: &[u8; 32],
        recipients: &Recipients,
        responses: &'a Responses,
    ) -> Self {
        let instance = Instance::new(context, recipients, view);
        let bits = instance.bits(view);
        let powers = powers(instance.chunking(&bits, view), REPETITIONS);
        let sums = SubsetSums::new(&powers);
        Self {
            parameters: view.parameters,
            responses,
            batch: instance.batch(view),
            chosen: bits.rows().map(|row| sums.sum(row)).collect(),
            powers,
            mix: super::challenge::powers(instance.mix(), recipients.len()),
            sharing: instance.sharing(view),
        }
    }

    /// What the weights that merge the dealing's equations come from.
    pub(super) const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The sum in G1. With the weights m, m^2, ... these are, for members k, columns c and lanes l:
    /// (1) the randomness of each member's ciphertexts is that of R, (2) that of the blind ciphertexts is that of B,
    /// (3) chunks and blinds have the sums z, (4) the randomness of R makes (6) the mixed ciphertexts hold b.
    pub(super) fn in_g1(&self) -> Coefficients<'a> {
        let (members, lanes) = (self.parameters.count(), self.parameters.lanes());
        let weights = powers(self.batch.in_g1(), members + 2 + 2 * lanes);
        let (for_members, others) = weights.split_at(members);
        let (for_lanes, for_mixed) = others[2..].split_at(lanes);
        let mut sum = Coefficients::new(self.parameters, G1_PARTS, members);
        self.add_members(&mut sum, for_members);
        self.add_blinds(&mut sum, others[0]);
        self.add_sums(&mut sum, others[1]);
        self.add_randomness(&mut sum, for_lanes);
        self.add_mixed(&mut sum, for_mixed);
        sum
    }

    /// (1) for each k: the sum over c of e_kc R_c, plus D_k, is t_k g.
    fn add_members(&self, sum: &mut Coefficients<'_>, weights: &[Scalar]) {
        let columns = self.parameters.columns();
        let ephemerals = sum.part(Part::Ephemerals);
        for (row, weight) in self.chosen.chunks_exact(columns).zip(weights) {
            for (coefficient, chosen) in ephemerals.iter_mut().zip(row) {
                *coefficient = *coefficient + *chosen * *weight;
            }
        }
        for (coefficient, weight) in sum.part(Part::RandomnessMasks)[1..].iter_mut().zip(weights) {
            *coefficient = *coefficient + *weight;
        }
        for (response, weight) in self.responses.randomness.iter().zip(weights) {
            sum.generator = sum.generator - *response * *weight;
        }
    }

    /// (2) the sum over repetitions of x^i B_i, plus D_0, is t0 g.
    fn add_blinds(&self, sum: &mut Coefficients<'_>, weight: Scalar) {
        for (coefficient, power) in sum.part(Part::BlindEphemerals).iter_mut().zip(&self.powers) {
            *coefficient = *coefficient + *power * weight;
        }
        let first = &mut sum.part(Part::RandomnessMasks)[0];
        *first = *first + weight;
        sum.generator = sum.generator - self.responses.blind * weight;
    }

    /// (3) the sum of e_kc C_kc, plus that of x^i G_i, plus Y, is that of t_k y_k, plus t0 y0, plus that of
    /// x^i z_i g.
    fn add_sums(&self, sum: &mut Coefficients<'_>, weight: Scalar) {
        for (coefficient, chosen) in sum.part(Part::Ciphertexts).iter_mut().zip(&self.chosen) {
            *coefficient = *coefficient + *chosen * weight;
        }
        for (coefficient, power) in sum
            .part(Part::BlindCiphertexts)
            .iter_mut()
            .zip(&self.powers)
        {
            *coefficient = *coefficient + *power * weight;
        }
        sum.part(Part::MixedMask)[0] = weight;
        sum.part(Part::BlindKey)[0] = -(self.responses.blind * weight);
        for (coefficient, response) in sum.recipients.iter_mut().zip(&self.responses.randomness) {
            *coefficient = *coefficient - *response * weight;
        }
        let sums = self.responses.sums.iter().zip(&self.powers);
        let total: Scalar = sums.map(|(sum, power)| Scalar::from(*sum) * *power).sum();
        sum.generator = sum.generator - total * weight;
    }

    /// (4) for each l: w times the sum of 2^16j R_lj, plus F_l, is a_l g.
    fn add_randomness(&self, sum: &mut Coefficients<'_>, weights: &[Scalar]) {
        let bases = chunk_bases();
        let lanes = sum
            .part(Part::Ephemerals)
            .chunks_exact_mut(CHUNKS)
            .zip(weights);
        for (columns, weight) in lanes {
            let factor = self.sharing * *weight;
            for (coefficient, base) in columns.iter_mut().zip(&bases) {
                *coefficient = *coefficient + factor * *base;
            }
        }
        sum.part(Part::SharingEphemerals).copy_from_slice(weights);
        for (response, weight) in self.responses.sharing.iter().zip(weights) {
            sum.generator = sum.generator - *response * *weight;
        }
    }

    /// (6) for each l: w times the sum over k and j of u^k 2^16j C_klj, plus X_l, is a_l times the sum of u^k y_k,
    /// plus b_l g.
    fn add_mixed(&self, sum: &mut Coefficients<'_>, weights: &[Scalar]) {
        let bases = chunk_bases();
        let factors: Vec<Scalar> = weights
            .iter()
            .flat_map(|weight| bases.iter().map(|base| self.sharing * *weight * *base))
            .collect();
        let rows = sum.part(Part::Ciphertexts).chunks_exact_mut(factors.len());
        for (row, mix) in rows.zip(&self.mix) {
            for (coefficient, factor) in row.iter_mut().zip(&factors) {
                *coefficient = *coefficient + *factor * *mix;
            }
        }
        sum.part(Part::SharingCiphertexts).copy_from_slice(weights);
        let lanes = self
            .responses
            .sharing
            .iter()
            .zip(&self.responses.shares)
            .zip(weights);
        for ((randomness, share), weight) in lanes {
            for (coefficient, mix) in sum.recipients.iter_mut().zip(&self.mix) {
                *coefficient = *coefficient - *randomness * *weight * *mix;
            }
            sum.generator = sum.generator - *share * *weight;
        }
    }

    /// The sum in G2: for each lane (7) the committed shares are of low degree, and (5) w times the sum of u^k V_k,
    /// plus A, is b times the generator.
    pub(super) fn in_g2(&self) -> Coefficients<'a> {
        let lanes = self.parameters.lanes();
        let weights = powers(self.batch.in_g2(), 2 * lanes);
        let mut sum = Coefficients::new(self.parameters, G2_PARTS, 0);
        let committed = sum
            .part(Part::Commitments)
            .chunks_exact_mut(self.mix.len() + 1);
        for (lane, (committed, weights)) in committed.zip(weights.chunks_exact(2)).enumerate() {
            let degree = degree::coefficients(self.parameters, &self.batch, lane);
            for (coefficient, degree) in committed.iter_mut().zip(degree) {
                *coefficient = degree * weights[0];
            }
            let factor = self.sharing * weights[1];
            for (coefficient, mix) in committed[1..].iter_mut().zip(&self.mix) {
                *coefficient = *coefficient + factor * *mix;
            }
        }
        for (lane, weights) in weights.chunks_exact(2).enumerate() {
            sum.part(Part::ShareMasks)[lane] = weights[1];
            sum.generator = sum.generator - self.responses.shares[lane] * weights[1];
        }
        sum
    }
}
