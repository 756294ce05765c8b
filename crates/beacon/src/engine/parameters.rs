//! What a beacon starts from.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{
    ChainId, CodecError, Committee, Decode, Encode, EncryptionKey, Hash32, IdentityKey, Reader,
    ThresholdKey,
};

use crate::assignment::Placement;
use crate::quorum::QuorumRule;
use crate::{SHARDS_MAX, VALIDATORS_MAX};

/// Rules of a beacon that never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The chain.
    pub chain: ChainId,
    /// The beacon's group key, which epoch records and seeds verify under. Constant: the beacon's committee reshares it.
    pub beacon_key: ThresholdKey,
    /// How committees are made of validators.
    pub placement: Placement,
    /// Gives each committee's q.
    pub quorum: QuorumRule,
    /// How many shards there are: 0, 1, ..
    pub shards: u32,
    /// Beacon heights from an epoch record to the freeze of the registry for the next one, at least.
    pub epoch_length: u64,
    /// Beacon heights from an epoch's seed to its record, at most: so long the shards have to make keys and to hand over.
    pub turn_length: u64,
    /// How many epoch records a shard may let pass without a new anchor before it counts as stalled.
    pub stall_epochs: u64,
    /// Who may run validators, by the keys that sign registrations.
    pub operators: BTreeSet<IdentityKey>,
    /// How many validators one operator may run, those that were ejected included.
    pub validators_per_operator: u32,
}

/// Why a beacon cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// The number of shards is out of bounds.
    #[error("there are 1 to {SHARDS_MAX} shards, not {found}")]
    Shards {
        /// The number given.
        found: u32,
    },
    /// A length or number that must be at least one is zero.
    #[error("{field} is zero")]
    Zero {
        /// Which one.
        field: &'static str,
    },
    /// The number of operators, or of the validators they may run together, is out of bounds.
    #[error(
        "{operators} operators of {each} validators each are none or more than {VALIDATORS_MAX}"
    )]
    Operators {
        /// Operators given.
        operators: usize,
        /// What each may run.
        each: u32,
    },
    /// Drawn committees are larger than any committee can be.
    #[error("committees of {seats} members, the limit is {COMMITTEE_MAX}")]
    Seats {
        /// The size given.
        seats: u32,
    },
}

impl Parameters {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Checks every bound.
    ///
    /// # Errors
    /// [`ParametersError`]: the first thing that is wrong.
    pub fn check(&self) -> Result<(), ParametersError> {
        if !(1..=SHARDS_MAX).contains(&self.shards) {
            return Err(ParametersError::Shards { found: self.shards });
        }
        let positive = [
            (self.epoch_length, "epoch length"),
            (self.turn_length, "turn length"),
            (self.stall_epochs, "stall epochs"),
        ];
        if let Some((_, field)) = positive.into_iter().find(|(value, _)| *value == 0) {
            return Err(ParametersError::Zero { field });
        }
        let each = self.validators_per_operator;
        let operators = self.operators.len();
        let together = u32::try_from(operators)
            .ok()
            .and_then(|count| count.checked_mul(each));
        if !together.is_some_and(|together| (1..=VALIDATORS_MAX).contains(&together)) {
            return Err(ParametersError::Operators { operators, each });
        }
        match self.placement {
            Placement::Drawn { seats } if seats > u32::from(COMMITTEE_MAX) => {
                Err(ParametersError::Seats { seats })
            }
            _ => Ok(()),
        }
    }

    /// The most validators that can be placed at all.
    #[must_use]
    pub fn validators_max(&self) -> u32 {
        let committee = u32::from(COMMITTEE_MAX);
        match self.placement {
            Placement::Everyone => committee,
            Placement::Drawn { .. } => VALIDATORS_MAX,
            Placement::Partition => committee.saturating_mul(self.shards).min(VALIDATORS_MAX),
        }
    }
}

/// A validator that is registered from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstValidator {
    /// Who runs it.
    pub operator: IdentityKey,
    /// Its identity.
    pub identity: IdentityKey,
    /// The key that shares of its next ceremony are encrypted to.
    pub encryption_key: EncryptionKey,
}

/// The facts that a beacon starts from. Everybody checks them: the genesis ceremonies made the keys, and the seed is public
/// randomness that nobody chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeaconGenesis {
    /// The rules.
    pub parameters: Parameters,
    /// The first registry.
    pub validators: Vec<FirstValidator>,
    /// What the first committees were drawn with.
    pub seed: Hash32,
    /// The first committees of shards 0, 1, .. with their keys; members in ascending order of identity.
    pub committees: Vec<Committee>,
}

impl Encode for Parameters {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.beacon_key.encode(out);
        encode_placement(self.placement, out);
        self.quorum.share_per_mille().encode(out);
        self.shards.encode(out);
        self.epoch_length.encode(out);
        self.turn_length.encode(out);
        self.stall_epochs.encode(out);
        let operators: Vec<IdentityKey> = self.operators.iter().copied().collect();
        quorate_types::encode_list(&operators, out);
        self.validators_per_operator.encode(out);
    }
}

impl Decode for Parameters {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        quorate_types::decode_version(reader, "beacon parameters", Self::VERSION)?;
        let parameters = Self {
            chain: Decode::decode(reader)?,
            beacon_key: Decode::decode(reader)?,
            placement: decode_placement(reader)?,
            quorum: QuorumRule::per_mille(u32::decode(reader)?).map_err(|_| {
                CodecError::NotCanonical {
                    field: "quorum rule",
                }
            })?,
            shards: Decode::decode(reader)?,
            epoch_length: Decode::decode(reader)?,
            turn_length: Decode::decode(reader)?,
            stall_epochs: Decode::decode(reader)?,
            operators: {
                let operators: Vec<IdentityKey> = reader.list("operators", VALIDATORS_MAX)?;
                quorate_types::require_ascending(&operators, "operators")?;
                operators.into_iter().collect()
            },
            validators_per_operator: Decode::decode(reader)?,
        };
        parameters.check().map_err(|_| CodecError::NotCanonical {
            field: "beacon parameters",
        })?;
        Ok(parameters)
    }
}

pub(super) fn encode_placement(placement: Placement, out: &mut Vec<u8>) {
    match placement {
        Placement::Everyone => out.push(1),
        Placement::Drawn { seats } => {
            out.push(2);
            seats.encode(out);
        }
        Placement::Partition => out.push(3),
    }
}

pub(super) fn decode_placement(reader: &mut Reader<'_>) -> Result<Placement, CodecError> {
    match u8::decode(reader)? {
        1 => Ok(Placement::Everyone),
        2 => Ok(Placement::Drawn {
            seats: Decode::decode(reader)?,
        }),
        3 => Ok(Placement::Partition),
        found => Err(CodecError::Variant {
            value: "placement",
            found,
        }),
    }
}
