//! Where everything stands in a dealing's bytes.
//!
//! The parts follow each other in the order of [`Part`], without lengths between them: the parameters tell how many
//! elements a part has. Points are compressed, sums are little-endian, scalars are big-endian as everywhere in BLS.

use core::ops::Range;

use super::parameters::{CHUNKS, Parameters, REPETITIONS};
use crate::bls::{G1, G2, Scalar};

/// Bytes of a scalar.
const SCALAR_BYTES: usize = 32;
/// Bytes of a sum in the chunking proof.
const SUM_BYTES: usize = 8;

/// A part of a dealing. Letters are those of the module's text, which is where each part's equation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// V: the shares in G2, lane by lane; of each lane the secret's, then every member's.
    Commitments,
    /// A: in G2, what masks each lane's mixed share.
    ShareMasks,
    /// R: in G1, the dealer's half of the encryption, for each column.
    Ephemerals,
    /// C: in G1, the encrypted chunks, member by member and then column by column.
    Ciphertexts,
    /// D: in G1, what masks the proof's own randomness, then each member's.
    RandomnessMasks,
    /// B: in G1, the dealer's half of the encryption of each repetition's mask.
    BlindEphemerals,
    /// G: in G1, each repetition's encrypted mask.
    BlindCiphertexts,
    /// y0: in G1, the key that those masks are encrypted to.
    BlindKey,
    /// Y: in G1, what masks the mix of all ciphertexts.
    MixedMask,
    /// F: in G1, what masks each lane's randomness.
    SharingEphemerals,
    /// X: in G1, what masks each lane's mixed ciphertext.
    SharingCiphertexts,
    /// z: each repetition's sum of chunks, masked.
    Sums,
    /// t: responses for the members' randomness.
    RandomnessResponses,
    /// t0: response for the repetitions' randomness.
    BlindResponse,
    /// a: response for each lane's randomness.
    SharingResponses,
    /// b: response for each lane's mixed share.
    ShareResponses,
}

/// All parts, in the order of their encoding.
pub(super) const PARTS: [Part; 16] = [
    Part::Commitments,
    Part::ShareMasks,
    Part::Ephemerals,
    Part::Ciphertexts,
    Part::RandomnessMasks,
    Part::BlindEphemerals,
    Part::BlindCiphertexts,
    Part::BlindKey,
    Part::MixedMask,
    Part::SharingEphemerals,
    Part::SharingCiphertexts,
    Part::Sums,
    Part::RandomnessResponses,
    Part::BlindResponse,
    Part::SharingResponses,
    Part::ShareResponses,
];
/// The parts with points of G2.
pub(super) const G2_PARTS: &[Part] = PARTS.split_at(2).0;
/// The parts with points of G1.
pub(super) const G1_PARTS: &[Part] = PARTS.split_at(2).1.split_at(9).0;
/// The parts with points of either group.
pub(super) const POINT_PARTS: &[Part] = PARTS.split_at(11).0;

impl Part {
    pub(super) const fn elements(self, members: usize, lanes: usize) -> usize {
        match self {
            Self::Commitments => lanes * (members + 1),
            Self::Ephemerals => lanes * CHUNKS,
            Self::Ciphertexts => members * lanes * CHUNKS,
            Self::RandomnessMasks => members + 1,
            Self::BlindEphemerals | Self::BlindCiphertexts | Self::Sums => REPETITIONS,
            Self::BlindKey | Self::MixedMask | Self::BlindResponse => 1,
            Self::RandomnessResponses => members,
            Self::ShareMasks
            | Self::SharingEphemerals
            | Self::SharingCiphertexts
            | Self::SharingResponses
            | Self::ShareResponses => lanes,
        }
    }

    const fn element_bytes(self) -> usize {
        match self {
            Self::Commitments | Self::ShareMasks => G2::BYTES,
            Self::Sums => SUM_BYTES,
            Self::RandomnessResponses
            | Self::BlindResponse
            | Self::SharingResponses
            | Self::ShareResponses => SCALAR_BYTES,
            _ => G1::BYTES,
        }
    }

    pub(super) fn bytes(self, parameters: &Parameters) -> usize {
        parameters.elements(self) * self.element_bytes()
    }

    fn range(self, parameters: &Parameters) -> Range<usize> {
        let before = PARTS.iter().take_while(|part| **part != self);
        let start = before.map(|part| part.bytes(parameters)).sum();
        start..start + self.bytes(parameters)
    }
}

/// The bytes of a dealing, whole or in the making.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) parameters: &'a Parameters,
    /// As long as the parameters say.
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// `None` if the length is not that of a dealing.
    pub(super) fn new(parameters: &'a Parameters, bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() == parameters.dealing_bytes()).then_some(Self { parameters, bytes })
    }

    /// The bytes of a part.
    pub(super) fn part(&self, part: Part) -> &'a [u8] {
        &self.bytes[part.range(self.parameters)]
    }

    /// The bytes of each element of a part.
    pub(super) fn elements(&self, part: Part) -> core::slice::ChunksExact<'a, u8> {
        self.part(part).chunks_exact(part.element_bytes())
    }
}

/// A dealing in the making: parts are zero until they are written.
pub(super) struct Draft<'a> {
    pub(super) parameters: &'a Parameters,
    bytes: Vec<u8>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(parameters: &'a Parameters) -> Self {
        let bytes = vec![0; parameters.dealing_bytes()];
        Self { parameters, bytes }
    }

    pub(super) fn view(&self) -> View<'_> {
        View::new(self.parameters, &self.bytes).expect("as long as the parameters say")
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn put_g1(&mut self, part: Part, points: &[G1]) {
        self.put(part, points.iter().map(G1::to_bytes));
    }

    pub(super) fn put_g2(&mut self, part: Part, points: &[G2]) {
        self.put(part, points.iter().map(G2::to_bytes));
    }

    /// Writes one element of a part.
    #[cfg(feature = "test-utils")]
    pub(super) fn put_at(&mut self, part: Part, position: usize, element: &[u8]) {
        let start = part.range(self.parameters).start + position * part.element_bytes();
        self.bytes[start..start + part.element_bytes()].copy_from_slice(element);
    }

    pub(super) fn put_sums(&mut self, sums: &[u64]) {
        self.put(Part::Sums, sums.iter().map(|sum| sum.to_le_bytes()));
    }

    pub(super) fn put_scalars(&mut self, part: Part, scalars: &[Scalar]) {
        self.put(part, scalars.iter().map(Scalar::to_bytes));
    }

    fn put<const N: usize>(
        &mut self,
        part: Part,
        elements: impl ExactSizeIterator<Item = [u8; N]>,
    ) {
        assert_eq!(
            elements.len(),
            self.parameters.elements(part),
            "elements of {part:?}"
        );
        let places = self.bytes[part.range(self.parameters)].chunks_exact_mut(N);
        for (place, element) in places.zip(elements) {
            place.copy_from_slice(&element);
        }
    }
}
