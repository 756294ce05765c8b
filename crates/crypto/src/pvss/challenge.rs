//! The hashes that take the place of a verifier (Fiat and Shamir), the same for dealer and verifier.
//!
//! Each covers the instance, which is everything that the proofs speak of, and all that the prover has said before.
//! Whatever has no fixed length is preceded by its length.

use quorate_types::{Blake3, DomainTag};

use super::CHALLENGE_BYTES;
use super::encoding::{PARTS, Part, View};
use super::parameters::REPETITIONS;
use super::recipients::Recipients;
use crate::bls::Scalar;

/// Bytes of the challenge bits of one chunk: a bit for each repetition.
pub(super) const ROW_BYTES: usize = REPETITIONS / 8;

/// What the weights of the subgroup test are for, after those of both groups and of two lanes.
const SUBGROUP_TEST: u8 = 4;

/// Hash of the statement that a dealing proves.
#[derive(Clone, Copy)]
pub(super) struct Instance([u8; 32]);

impl Instance {
    pub(super) fn new(context: &[u8; 32], recipients: &Recipients, view: &View<'_>) -> Self {
        let thresholds = view.parameters.thresholds();
        let mut hash = Blake3::new(DomainTag::PvssInstance)
            .chain(context)
            .chain(view.parameters.members().to_le_bytes())
            .chain((thresholds.len() as u64).to_le_bytes());
        for threshold in thresholds {
            hash = hash.chain(threshold.to_le_bytes());
        }
        hash = hash.chain(recipients.digest());
        let parts = [Part::Commitments, Part::Ephemerals, Part::Ciphertexts];
        Self(chain_parts(hash, view, &parts).finish())
    }

    /// The chunking proof's first challenge, for its first move: the blind key and encryptions.
    pub(super) fn bits(&self, view: &View<'_>) -> Bits {
        let parts = [
            Part::BlindKey,
            Part::BlindEphemerals,
            Part::BlindCiphertexts,
        ];
        let hash = chain_parts(self.start(DomainTag::PvssBits), view, &parts);
        let mut bits = vec![0; view.parameters.elements(Part::Ciphertexts) * ROW_BYTES];
        hash.finish_into(&mut bits);
        Bits {
            digest: hash.finish(),
            bits,
        }
    }

    /// The chunking proof's second challenge, for its second move and the sums.
    pub(super) fn chunking(&self, bits: &Bits, view: &View<'_>) -> Scalar {
        let hash = self.start(DomainTag::PvssChunks).chain(bits.digest);
        let parts = [Part::Sums, Part::RandomnessMasks, Part::MixedMask];
        scalar(&chain_parts(hash, view, &parts))
    }

    /// What mixes the members in the sharing proof.
    pub(super) fn mix(&self) -> Scalar {
        scalar(&self.start(DomainTag::PvssMix))
    }

    /// The sharing proof's challenge, for its first move.
    pub(super) fn sharing(&self, view: &View<'_>) -> Scalar {
        let parts = [
            Part::SharingEphemerals,
            Part::ShareMasks,
            Part::SharingCiphertexts,
        ];
        scalar(&chain_parts(
            self.start(DomainTag::PvssSharing),
            view,
            &parts,
        ))
    }

    /// Where the weights that merge all equations come from: everything in the dealing, responses and all.
    pub(super) fn batch(&self, view: &View<'_>) -> Batch {
        Batch(chain_parts(self.start(DomainTag::PvssBatch), view, &PARTS).finish())
    }

    fn start(&self, tag: DomainTag) -> Blake3 {
        Blake3::new(tag).chain(self.0)
    }
}

/// Challenge bits: for every chunk in the order of the ciphertexts, which repetitions sum it.
pub(super) struct Bits {
    digest: [u8; 32],
    bits: Vec<u8>,
}

impl Bits {
    /// The bits of each chunk, the first repetition in the lowest bit of the first byte.
    pub(super) fn rows(&self) -> core::slice::ChunksExact<'_, u8> {
        self.bits.chunks_exact(ROW_BYTES)
    }
}

/// Seed of the weights that merge a dealing's equations. They are a function of its bytes, so that all verifiers come
/// to one verdict.
pub(super) struct Batch([u8; 32]);

impl Batch {
    /// The weight of which powers merge the equations in G1.
    pub(super) fn in_g1(&self) -> Scalar {
        scalar(&self.start(0))
    }

    /// The weight of which powers merge the equations in G2.
    pub(super) fn in_g2(&self) -> Scalar {
        scalar(&self.start(1))
    }

    /// Coefficients of the random polynomial of a lane's degree test.
    pub(super) fn degree_test(&self, lane: usize, coefficients: usize) -> Vec<Scalar> {
        let lane = u8::try_from(lane).expect("at most two lanes");
        let mut wide = vec![0; coefficients * CHALLENGE_BYTES];
        self.start(2 + lane).finish_into(&mut wide);
        wide.chunks_exact(CHALLENGE_BYTES)
            .map(Scalar::from_wide_bytes)
            .collect()
    }

    /// So many bytes of chance for the test whether the points of G1 are in the subgroup.
    pub(super) fn subgroup_test(&self, length: usize) -> Vec<u8> {
        let mut chance = vec![0; length];
        self.start(SUBGROUP_TEST).finish_into(&mut chance);
        chance
    }

    fn start(&self, purpose: u8) -> Blake3 {
        Blake3::new(DomainTag::PvssWeights)
            .chain(self.0)
            .chain([purpose])
    }
}

fn chain_parts(mut hash: Blake3, view: &View<'_>, parts: &[Part]) -> Blake3 {
    for part in parts {
        let bytes = view.part(*part);
        hash = hash.chain((bytes.len() as u64).to_le_bytes()).chain(bytes);
    }
    hash
}

fn scalar(hash: &Blake3) -> Scalar {
    let mut wide = [0; CHALLENGE_BYTES];
    hash.finish_into(&mut wide);
    Scalar::from_wide_bytes(&wide)
}

/// x, x^2, ..., `count` of them.
pub(super) fn powers(x: Scalar, count: usize) -> Vec<Scalar> {
    core::iter::successors(Some(x), |power| Some(*power * x))
        .take(count)
        .collect()
}

/// Sums of chosen scalars out of [`REPETITIONS`], from tables of the sums of every eight.
pub(super) struct SubsetSums(Vec<[Scalar; 256]>);

impl SubsetSums {
    pub(super) fn new(scalars: &[Scalar]) -> Self {
        let table = |eight: &[Scalar]| {
            let mut sums = [Scalar::zero(); 256];
            for (bit, scalar) in eight.iter().enumerate() {
                for chosen in 1 << bit..2 << bit {
                    sums[chosen] = sums[chosen - (1 << bit)] + *scalar;
                }
            }
            sums
        };
        Self(scalars.chunks_exact(8).map(table).collect())
    }

    /// The sum of the scalars whose bit is set in `row`.
    pub(super) fn sum(&self, row: &[u8]) -> Scalar {
        self.0
            .iter()
            .zip(row)
            .map(|(sums, byte)| sums[usize::from(*byte)])
            .sum()
    }
}
