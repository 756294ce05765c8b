//! A member's shares, decrypted from a valid dealing.

use quorate_types::ValidatorIndex;
use zeroize::Zeroize;

use super::discrete_log::ChunkTable;
use super::encryption::EncryptionSecret;
use super::parameters::{CHUNK_BITS, CHUNKS};
use super::validate::Dealing;
use crate::bls::{G1, G1Sum, Scalar, SecretScalar};
use crate::threshold::ShareSecret;

/// What a dealing holds for one member.
pub struct Decrypted {
    /// The member's share in every lane. Each was compared with the dealing's commitment.
    pub shares: Vec<ShareSecret>,
    /// Chunks that no honest dealer makes, in ascending order; nearly always none. The shares are right all the same.
    pub faults: Vec<ChunkFault>,
}

/// A chunk outside 0..2^16. It convicts the dealer, by a [`ChunkOpening`](super::ChunkOpening).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkFault {
    /// Lane of the share.
    pub lane: u8,
    /// Position in the share: 0 is the lowest chunk, 15 the highest.
    pub chunk: u8,
    /// What was encrypted.
    pub value: i64,
}

/// Why a member gets no shares out of a dealing.
///
/// [`DecryptError::Chunk`] and [`DecryptError::Share`] contradict what validation has proven: either the proofs are
/// broken, or this program or machine is. Whoever meets one stops, signs nothing, and keeps the dealing's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The dealing has no such recipient: the caller's mistake.
    #[error("no member {index} among the dealing's {members} recipients")]
    UnknownMember {
        /// The index given.
        index: ValidatorIndex,
        /// Recipients of the dealing.
        members: u16,
    },
    /// The secret is not that of the key which the member's shares are encrypted to.
    #[error("the encryption key of member {index} is another one")]
    Key {
        /// The index given.
        index: ValidatorIndex,
    },
    /// A chunk is not within the bound that was proven of it.
    #[error("chunk {chunk} of lane {lane} is not within its proven bound")]
    Chunk {
        /// Lane of the share.
        lane: u8,
        /// Position in the share.
        chunk: u8,
    },
    /// A share is not the one that was committed to.
    #[error("the share of lane {lane} is not the committed one")]
    Share {
        /// Which lane.
        lane: u8,
    },
}

impl Dealing {
    /// Decrypts the shares of `member`. Its time does not depend on the secret key or on what an honest dealer
    /// encrypted; see [`ChunkTable`] for what it takes if the dealer cheats.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn decrypt(
        &self,
        secret: &EncryptionSecret,
        member: ValidatorIndex,
        table: &ChunkTable,
    ) -> Result<Decrypted, DecryptError> {
        let key = self.recipients().point(member);
        let key = key.ok_or(DecryptError::UnknownMember {
            index: member,
            members: self.parameters().members(),
        })?;
        if key != secret.point() {
            return Err(DecryptError::Key { index: member });
        }
        let points = ChunkPoints::decrypt(self, secret, member);
        let canonical = table.canonical(&points.0);
        let mut decrypted = Decrypted {
            shares: Vec::with_capacity(self.parameters().lanes()),
            faults: Vec::new(),
        };
        let lanes = points
            .0
            .chunks_exact(CHUNKS)
            .zip(canonical.chunks_exact(CHUNKS));
        for (lane, (points, canonical)) in (0u8..).zip(lanes) {
            let bound = self.parameters().chunk_bound();
            let faults = find_faults(lane, points, canonical, table, bound)?;
            let share = recombine(canonical, &faults);
            // In constant time but for the verdict, which is public.
            if table.public_key(&share) != *self.commitment(usize::from(lane), member.0 + 1) {
                return Err(DecryptError::Share { lane });
            }
            decrypted.shares.push(share.into());
            decrypted.faults.extend(faults);
        }
        Ok(decrypted)
    }
}

/// The chunks of a lane that the table of honest chunks does not have, with their values.
fn find_faults(
    lane: u8,
    points: &[G1],
    canonical: &[u64],
    table: &ChunkTable,
    bound: u64,
) -> Result<Vec<ChunkFault>, DecryptError> {
    let chunks = (0u8..).zip(points.iter().zip(canonical));
    let missing = chunks.filter(|(_, (_, found))| **found == 0);
    let search = |(chunk, (point, _))| match table.search(point, bound) {
        Some(value) => Ok(ChunkFault { lane, chunk, value }),
        None => Err(DecryptError::Chunk { lane, chunk }),
    };
    missing.map(search).collect()
}

/// A share out of its chunks: the sum of 2^(16 j) times chunk j, modulo the group order.
fn recombine(canonical: &[u64], faults: &[ChunkFault]) -> SecretScalar {
    let base = Scalar::from(1 << CHUNK_BITS);
    let mut share = SecretScalar::zero();
    for (chunk, found) in canonical.iter().enumerate().rev() {
        let fault = faults
            .iter()
            .find(|fault| usize::from(fault.chunk) == chunk);
        let value = fault.map_or_else(
            || SecretScalar::from_small(found - 1),
            |fault| SecretScalar::from_signed(fault.value),
        );
        share.multiply_add(&base, &value);
    }
    share
}

/// A member's chunks, each times the generator. Erased on drop.
struct ChunkPoints(Vec<G1>);

impl ChunkPoints {
    fn decrypt(dealing: &Dealing, secret: &EncryptionSecret, member: ValidatorIndex) -> Self {
        let ciphertexts = dealing.ciphertexts(member);
        let ephemerals: Vec<G1> = (0..ciphertexts.len())
            .map(|column| *dealing.ephemeral(column))
            .collect();
        let chunks = secret.scalar().subtract_multiples(ciphertexts, &ephemerals);
        Self(G1Sum::to_points(&chunks))
    }
}

impl Drop for ChunkPoints {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}
