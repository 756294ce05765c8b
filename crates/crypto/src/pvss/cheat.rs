//! Dealers who lie, for tests and simulations.

use rand_core::CryptoRng;

use super::chunking::Blinded;
use super::deal::{DealError, check_lengths};
use super::encoding::{Draft, Part};
use super::parameters::{CHUNKS, Parameters};
use super::recipients::Recipients;
use super::sharing::Sharing;
use super::statement::{Statement, Tables, Witness, products};
use crate::bls::{G1, G2, Scalar, SecretPolynomial, SecretScalar, ShareIndex};
use crate::threshold::ShareSecret;
use quorate_types::ValidatorIndex;

/// What a lying dealer does; the rest of its dealing is honest. Every lie is refused except
/// [`LargeChunk`](Self::LargeChunk) and [`NegativeChunk`](Self::NegativeChunk), which are seen by their member alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The shares of a lane lie on a polynomial with one coefficient more than the threshold, which must be below the
    /// number of members. Breaks equation 7.
    Degree {
        /// Which lane.
        lane: usize,
    },
    /// What a member decrypts of a lane is a number by one larger or smaller than its share. Breaks equation 6.
    Ciphertext {
        /// Which lane.
        lane: usize,
        /// Who is cheated.
        member: ValidatorIndex,
    },
    /// Two members get each other's shares. Breaks equation 6.
    Swapped {
        /// One of them.
        first: ValidatorIndex,
        /// The other.
        second: ValidatorIndex,
    },
    /// The commitments of a lane are to other shares of the same secret; the threshold must be above 1. Breaks
    /// equation 5.
    Commitments {
        /// Which lane.
        lane: usize,
    },
    /// A point of the proofs is another one, which the challenges after it cover: [`Part::RandomnessMasks`] breaks
    /// equation 1 or, at position 0, 2; [`Part::MixedMask`] 3; [`Part::SharingEphemerals`] 4; [`Part::ShareMasks`] 5;
    /// [`Part::SharingCiphertexts`] 6.
    Mask {
        /// One of those parts; any other is left alone.
        part: Part,
        /// Which point of it.
        position: usize,
    },
    /// A member's share of a lane is one chunk, as large as all proofs allow. The threshold must be above 1. The
    /// dealing is valid.
    LargeChunk {
        /// Which lane.
        lane: usize,
        /// Who has to search for it.
        member: ValidatorIndex,
    },
    /// As [`LargeChunk`](Self::LargeChunk) with a chunk below zero.
    NegativeChunk {
        /// Which lane.
        lane: usize,
        /// Who has to search for it.
        member: ValidatorIndex,
    },
    /// The dealing is for another context: a replay.
    Context,
    /// A bit of the encoding is flipped.
    Flipped {
        /// Which bit, counted from the lowest of the first byte. Must be within the dealing.
        bit: usize,
    },
}

/// A dealing with a lie in it. Arguments are those of [`deal`](super::deal()).
///
/// # Errors
/// [`DealError`].
///
/// # Panics
/// If the lie names a lane, member, position or bit that is not there.
pub fn deal(
    parameters: &Parameters,
    context: &[u8; 32],
    recipients: &Recipients,
    secrets: &[Option<&ShareSecret>],
    lie: Lie,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, DealError> {
    check_lengths(parameters, recipients, secrets)?;
    let mut context = *context;
    if lie == Lie::Context {
        context[0] ^= 1;
    }
    let mut witness = Witness::draw(&believed(parameters, lie), secrets, rng);
    let tables = Tables::new(recipients);
    let mut draft = Draft::new(parameters);
    let large = make_large(parameters, lie, &mut witness);
    let commitments = commitments(parameters, lie, &witness, &tables, rng);
    draft.put_g2(Part::Commitments, &commitments);
    draft.put_g1(Part::Ephemerals, &products(&tables.g1, &witness.randomness));
    misplace(parameters, lie, &mut witness);
    let mut ciphertexts = witness.encrypt(&tables);
    if let Some(Large {
        at,
        magnitude,
        negative,
    }) = large
    {
        let difference = G1::generator().multiply(&Scalar::from(magnitude));
        let difference = if negative {
            difference.negate()
        } else {
            difference
        };
        ciphertexts[at] = ciphertexts[at].add(&difference);
        witness.chunks[at] = if negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        };
    }
    draft.put_g1(Part::Ciphertexts, &ciphertexts);
    let mut statement = Statement::of_draft(draft, &context, recipients, &witness, tables);
    prove(&mut statement, lie, rng)?;
    let mut bytes = statement.draft.into_bytes();
    if let Lie::Flipped { bit } = lie {
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    Ok(bytes)
}

/// The parameters that shares are drawn with.
fn believed(parameters: &Parameters, lie: Lie) -> Parameters {
    let mut thresholds = parameters.thresholds().to_vec();
    if let Lie::Degree { lane } = lie {
        thresholds[lane] += 1;
    }
    Parameters::new(parameters.members(), &thresholds).expect("a threshold to raise")
}

/// Proves the statement, with a mask replaced after it was made.
fn prove(
    statement: &mut Statement<'_>,
    lie: Lie,
    rng: &mut impl CryptoRng,
) -> Result<(), DealError> {
    let masked = Blinded::first_move(statement, rng)?.second_move(statement, rng);
    replace_mask(statement, lie, &[Part::RandomnessMasks, Part::MixedMask]);
    masked.respond(statement);
    let sharing = Sharing::first_move(statement, rng);
    let parts = [
        Part::SharingEphemerals,
        Part::ShareMasks,
        Part::SharingCiphertexts,
    ];
    replace_mask(statement, lie, &parts);
    sharing.respond(statement);
    Ok(())
}

/// Adds the generator to a point of one of `parts`.
fn replace_mask(statement: &mut Statement<'_>, lie: Lie, parts: &[Part]) {
    let Lie::Mask { part, position } = lie else {
        return;
    };
    if !parts.contains(&part) {
        return;
    }
    let bytes = statement
        .draft
        .view()
        .elements(part)
        .nth(position)
        .expect("a point")
        .to_vec();
    let shifted = if part == Part::ShareMasks {
        G2::from_bytes(&bytes).map(|point| point.add(&G2::generator()).to_bytes().to_vec())
    } else {
        G1::from_bytes(&bytes).map(|point| point.add(&G1::generator()).to_bytes().to_vec())
    };
    statement
        .draft
        .put_at(part, position, &shifted.expect("points of its own"));
}

/// What is committed to: the shares, or others of the same secret.
fn commitments(
    parameters: &Parameters,
    lie: Lie,
    witness: &Witness,
    tables: &Tables,
    rng: &mut impl CryptoRng,
) -> Vec<G2> {
    let mut commitments = witness.commitments(&tables.g2);
    if let Lie::Commitments { lane } = lie {
        let threshold = usize::from(parameters.thresholds()[lane]);
        let secret = &witness.shares[lane][0];
        let other = SecretPolynomial::with_constant(secret, threshold, rng);
        let rows = commitments.chunks_exact_mut(parameters.count() + 1);
        let row = rows.into_iter().nth(lane).expect("a lane");
        for (index, commitment) in (0..).map(ValidatorIndex).zip(&mut row[1..]) {
            *commitment = other.evaluate(ShareIndex::from(index)).public_key();
        }
    }
    commitments
}

/// Changes what is encrypted where the shares stay.
fn misplace(parameters: &Parameters, lie: Lie, witness: &mut Witness) {
    match lie {
        Lie::Ciphertext { lane, member } => {
            witness.chunks[place(parameters, lane, member)] ^= 1;
        }
        Lie::Swapped { first, second } => {
            for column in 0..parameters.columns() {
                let (first, second) = (place(parameters, 0, first), place(parameters, 0, second));
                witness.chunks.swap(first + column, second + column);
            }
        }
        _ => {}
    }
}

/// A chunk that is no chunk.
struct Large {
    /// Its place among all chunks.
    at: usize,
    magnitude: u64,
    negative: bool,
}

/// Gives a member a share that is a number of the largest magnitude that passes, and leaves its chunks empty. The
/// sums are blinded by what brings them into range whatever the bits are.
fn make_large(parameters: &Parameters, lie: Lie, witness: &mut Witness) -> Option<Large> {
    let (lane, member, negative) = match lie {
        Lie::LargeChunk { lane, member } => (lane, member, false),
        Lie::NegativeChunk { lane, member } => (lane, member, true),
        _ => return None,
    };
    let magnitude = parameters.chunk_bound() - 1 - parameters.sum_bound();
    let number = Scalar::from(magnitude);
    let share = if negative { -number } else { number };
    set_share(&mut witness.shares[lane], member, share);
    witness.cut(parameters);
    let at = place(parameters, lane, member);
    witness.chunks[at..at + CHUNKS].fill(0);
    let blind = if negative { magnitude } else { 0 };
    witness.blind = Some(blind + parameters.sum_bound());
    Some(Large {
        at,
        magnitude,
        negative,
    })
}

/// Changes the linear coefficient of the polynomial behind `shares` so that a member's share is `wanted`.
fn set_share(shares: &mut [SecretScalar], member: ValidatorIndex, wanted: Scalar) {
    let point = Scalar::from(ShareIndex::from(member));
    let difference = wanted - shares[usize::from(member.0) + 1].publish();
    let slope = difference * point.inverse().expect("points are not zero");
    let one = SecretScalar::from_small(1);
    for (point, share) in (0..).zip(shares) {
        share.add_product(&(slope * Scalar::from(point)), &one);
    }
}

/// Where a member's chunks of a lane start.
fn place(parameters: &Parameters, lane: usize, member: ValidatorIndex) -> usize {
    parameters.columns() * usize::from(member.0) + CHUNKS * lane
}
