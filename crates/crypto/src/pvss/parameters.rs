//! The numbers that a dealing's size and meaning follow from.

use quorate_types::limits::{COMMITTEE_MAX, COMMITTEE_MIN};

use super::encoding::{PARTS, Part};

/// Bits of a chunk: what fits into a table for discrete logarithms.
pub(super) const CHUNK_BITS: usize = 16;
/// Chunks of a share. Their numbers in base 2^16 have room for every scalar.
pub(super) const CHUNKS: usize = 16;
/// Parallel runs of the chunking proof: each challenge bit halves a cheater's chance.
pub(super) const REPETITIONS: usize = 128;
/// Most secrets that one dealing shares: those of the high and of the low threshold.
const LANES_MAX: usize = 2;

/// How many members a dealing has shares for, and how many shares determine each of its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    members: u16,
    thresholds: Vec<u16>,
}

/// Why there are no dealings of such parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// The committee is too small or too large.
    #[error("{members} members, a dealing is for {COMMITTEE_MIN} to {COMMITTEE_MAX}")]
    Members {
        /// Members asked for.
        members: u16,
    },
    /// A dealing has one or two lanes.
    #[error("{lanes} lanes, a dealing has 1 to {LANES_MAX}")]
    Lanes {
        /// Lanes asked for.
        lanes: usize,
    },
    /// So many shares can not determine a secret.
    #[error("lane {lane} has a threshold of {threshold}, members are {members}")]
    Threshold {
        /// Which lane.
        lane: usize,
        /// Its threshold.
        threshold: u16,
        /// Members.
        members: u16,
    },
}

impl Parameters {
    /// Parameters of a dealing to `members` members, with a lane for each of one or two `thresholds`. A threshold is
    /// how many shares determine the lane's secret, from 1 to the number of members.
    ///
    /// # Errors
    /// [`ParametersError`].
    pub fn new(members: u16, thresholds: &[u16]) -> Result<Self, ParametersError> {
        if !(COMMITTEE_MIN..=COMMITTEE_MAX).contains(&members) {
            return Err(ParametersError::Members { members });
        }
        let lanes = thresholds.len();
        if !(1..=LANES_MAX).contains(&lanes) {
            return Err(ParametersError::Lanes { lanes });
        }
        for (lane, threshold) in thresholds.iter().copied().enumerate() {
            if !(1..=members).contains(&threshold) {
                return Err(ParametersError::Threshold {
                    lane,
                    threshold,
                    members,
                });
            }
        }
        Ok(Self {
            members,
            thresholds: thresholds.to_vec(),
        })
    }

    /// How many members get shares.
    #[must_use]
    pub const fn members(&self) -> u16 {
        self.members
    }

    /// How many shares determine each lane's secret.
    #[must_use]
    pub fn thresholds(&self) -> &[u16] {
        &self.thresholds
    }

    /// How many secrets are shared.
    #[must_use]
    pub const fn lanes(&self) -> usize {
        self.thresholds.len()
    }

    /// The one length in bytes that a dealing has.
    #[must_use]
    pub fn dealing_bytes(&self) -> usize {
        PARTS.iter().map(|part| part.bytes(self)).sum()
    }

    /// Z: what the chunking proof says of every chunk is that its magnitude is below this. Honest chunks are below
    /// 2^16; of others discrete logarithms are searched up to here.
    #[must_use]
    pub fn chunk_bound(&self) -> u64 {
        2 * REPETITIONS as u64 * self.sum_bound()
    }

    /// S: no sum of an honest dealing's chunks is above this, whichever of them are summed.
    pub(super) fn sum_bound(&self) -> u64 {
        let chunks = u64::from(self.members) * self.columns() as u64;
        chunks * ((1 << CHUNK_BITS) - 1)
    }

    /// The members as a length.
    pub(super) fn count(&self) -> usize {
        usize::from(self.members)
    }

    /// Chunks that a member gets: those of all lanes, lane by lane, the lowest chunk of a share first.
    pub(super) const fn columns(&self) -> usize {
        CHUNKS * self.lanes()
    }

    /// Elements of a part of a dealing.
    pub(super) fn elements(&self, part: Part) -> usize {
        part.elements(self.count(), self.lanes())
    }
}
