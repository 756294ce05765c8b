//! The proof that what is encrypted is small enough to be found: Groth's proof of correct chunking (ePrint 2021/339,
//! section 6.5) with challenges of one bit.
//!
//! Each repetition shows the sum of a random half of all chunks, hidden by a number that is larger by some bits. The
//! sums and their hiding numbers are encrypted like the chunks, to a key that nobody holds.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::DealError;
use super::challenge::{Bits, SubsetSums, powers};
use super::encoding::Part;
use super::parameters::{Parameters, REPETITIONS};
use super::statement::{Statement, Tables, products};
use crate::bls::{G1, G1Comb, G1Sum, Scalar, SecretScalar, hash_to_g1};

/// Separates the blind key, of which nobody knows the logarithm, from every other hash to the curve.
const BLIND_KEY_DST: &[u8] = b"QUORATE-PVSS-BLIND-KEY_XMD:SHA-256_SSWU_RO_";
/// Attempts to find sums that tell nothing. An honest dealer needs one or two; so many fail with probability 2^-150.
const ATTEMPTS: usize = 128;

/// Draws of one number in a range. Each is in range with probability a half or more.
const DRAWS: usize = 256;

/// The prover of a dealing after its first move.
pub(super) struct Blinded {
    table: G1Comb,
    randomness: Vec<SecretScalar>,
    bits: Bits,
}

/// The prover after its second move.
pub(super) struct Masked {
    blinded: Blinded,
    /// For the blinds' randomness, then for every member's.
    masks: Vec<SecretScalar>,
}

impl Blinded {
    /// Writes the blind key, the blind encryptions and the sums.
    pub(super) fn first_move(
        statement: &mut Statement<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, DealError> {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let key = hash_to_g1(&seed, BLIND_KEY_DST);
        let table = Tables::of(&key);
        let randomness: Vec<_> = (0..REPETITIONS)
            .map(|_| SecretScalar::random(rng))
            .collect();
        let pads: Vec<G1Sum> = randomness
            .iter()
            .map(|secret| table.multiply(secret))
            .collect();
        let ephemerals = products(&statement.tables.g1, &randomness);
        statement.draft.put_g1(Part::BlindKey, &[key]);
        statement.draft.put_g1(Part::BlindEphemerals, &ephemerals);
        for _ in 0..ATTEMPTS {
            let blinds = draw_blinds(statement, rng)?;
            let ciphertexts = encrypt_blinds(statement, &pads, &blinds);
            statement.draft.put_g1(Part::BlindCiphertexts, &ciphertexts);
            let bits = statement.instance.bits(&statement.draft.view());
            if let Some(sums) = sums(statement, &bits, &blinds) {
                statement.draft.put_sums(&sums);
                return Ok(Self {
                    table,
                    randomness,
                    bits,
                });
            }
        }
        Err(DealError::Unlucky)
    }

    /// Writes what masks the randomness.
    pub(super) fn second_move(
        self,
        statement: &mut Statement<'_>,
        rng: &mut impl CryptoRng,
    ) -> Masked {
        let keys = 1 + statement.recipients.len();
        let masks: Vec<_> = (0..keys).map(|_| SecretScalar::random(rng)).collect();
        let mut mixed = G1Sum::identity();
        let tables = core::iter::once(&self.table).chain(&statement.tables.recipients);
        for (table, mask) in tables.zip(&masks) {
            mixed.add(&table.multiply(mask));
        }
        let points = products(&statement.tables.g1, &masks);
        statement.draft.put_g1(Part::RandomnessMasks, &points);
        statement.draft.put_g1(Part::MixedMask, &[mixed.to_point()]);
        Masked {
            blinded: self,
            masks,
        }
    }
}

impl Masked {
    /// Writes the responses.
    pub(super) fn respond(self, statement: &mut Statement<'_>) {
        let bits = &self.blinded.bits;
        let challenge = statement.instance.chunking(bits, &statement.draft.view());
        let powers = powers(challenge, REPETITIONS);
        let sums = SubsetSums::new(&powers);
        let mut rows = bits.rows();
        let (blind_mask, masks) = self
            .masks
            .split_first()
            .expect("one more than there are members");
        let respond = |mask: &SecretScalar| {
            let mut response = mask.duplicate();
            for (randomness, row) in statement.witness.randomness.iter().zip(&mut rows) {
                response.add_product(&sums.sum(row), randomness);
            }
            response.publish()
        };
        let responses: Vec<Scalar> = masks.iter().map(respond).collect();
        let mut blind_response = blind_mask.duplicate();
        for (power, randomness) in powers.iter().zip(&self.blinded.randomness) {
            blind_response.add_product(power, randomness);
        }
        statement
            .draft
            .put_scalars(Part::RandomnessResponses, &responses);
        statement
            .draft
            .put_scalars(Part::BlindResponse, &[blind_response.publish()]);
    }
}

/// What hides the sums: uniform numbers from -S to Z - 1, to which S is added here.
fn draw_blinds(
    statement: &Statement<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Zeroizing<Vec<u64>>, DealError> {
    #[cfg(feature = "test-utils")]
    if let Some(blind) = statement.witness.blind {
        return Ok(Zeroizing::new(vec![blind; REPETITIONS]));
    }
    let range = blind_range(statement.draft.parameters);
    let mut blinds = Zeroizing::new(vec![0; REPETITIONS]);
    for blind in blinds.iter_mut() {
        *blind = uniform_below(range, rng).ok_or(DealError::Unlucky)?;
    }
    Ok(blinds)
}

/// Z + S: how many values a blind has.
fn blind_range(parameters: &Parameters) -> u64 {
    parameters.chunk_bound() + parameters.sum_bound()
}

/// Bits that hold every number below `range`.
const fn bits_below(range: u64) -> usize {
    (u64::BITS - (range - 1).leading_zeros()) as usize
}

/// A uniform number below `range`: of as many bits, drawn anew while it is too large. How often says nothing of the
/// number that is kept. `None` comes of a generator that is stuck.
fn uniform_below(range: u64, rng: &mut impl CryptoRng) -> Option<u64> {
    let mask = u64::MAX >> (64 - bits_below(range));
    (0..DRAWS)
        .map(|_| rng.next_u64() & mask)
        .find(|number| *number < range)
}

/// The blinds, from which S is subtracted again, times the generator, each with its pad.
fn encrypt_blinds(statement: &Statement<'_>, pads: &[G1Sum], blinds: &[u64]) -> Vec<G1> {
    let parameters = statement.draft.parameters;
    let bits = bits_below(blind_range(parameters));
    let offset = G1::generator()
        .multiply(&Scalar::from(parameters.sum_bound()))
        .negate();
    let encrypt = |(pad, blind): (&G1Sum, &u64)| {
        let mut sum = statement.tables.g1.multiply_short(*blind, bits);
        sum.add(pad);
        sum.add_point(&offset);
        sum
    };
    let sums: Vec<G1Sum> = pads.iter().zip(blinds).map(encrypt).collect();
    G1Sum::to_points(&sums)
}

/// Each repetition's blind plus the sum of the chunks that its bits choose; `None` if any is not in 0..Z, which would
/// tell of the chunks.
fn sums(statement: &Statement<'_>, bits: &Bits, blinds: &[u64]) -> Option<Zeroizing<Vec<u64>>> {
    let parameters = statement.draft.parameters;
    let mut sums = Zeroizing::new(blinds.to_vec());
    for (chunk, row) in statement.witness.chunks.iter().zip(bits.rows()) {
        for (eight, byte) in sums.chunks_exact_mut(8).zip(row) {
            for (bit, sum) in eight.iter_mut().enumerate() {
                let chosen = chunk & u64::from(byte >> bit & 1).wrapping_neg();
                // A liar's chunk may be negative; honest sums stay far below 2^64.
                *sum = sum.wrapping_add(chosen);
            }
        }
    }
    // Every comparison is made, so that the time does not tell which sum was out of range.
    let (low, high) = (parameters.sum_bound(), blind_range(parameters));
    let out_of_range = sums
        .iter()
        .fold(false, |any, sum| any | (*sum < low) | (*sum >= high));
    if out_of_range {
        return None;
    }
    sums.iter_mut().for_each(|sum| *sum -= low);
    Some(sums)
}
