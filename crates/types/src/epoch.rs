//! Epoch records: which committee and which key each shard has, under the one key of the beacon.
//!
//! Source: SHARDING, decision 4 and sections 2.5 to 2.7. An epoch record lists for every shard its [`ShardKey`]; the leaves of
//! a Merkle tree are those, so that a light client takes one of them and a path instead of all. What the beacon signs is
//! a hash of the record's *head*: chain, epoch, number of shards, the tree's root, and one hash of what only those need
//! who follow the beacon ([`EpochOrigin`]).
//!
//! A shard whose committee did not hand over keeps its [`ShardKey`] unchanged from one record to the next. So the epoch
//! in a [`ShardKey`] is that of the record in which the committee first stands, the one in the headers it certifies, and
//! may be lower than the record's.

use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, decode_version, encode_list};
use crate::domain::DomainTag;
use crate::hash::Sha256;
use crate::ids::{
    ChainId, CommitteeHash, Epoch, EpochRecordHash, Hash32, Height, ShardId, Signature,
    ThresholdKey,
};
use crate::limits::SHARDS_MAX;
use crate::merkle::{MerkleProof, MerkleTree, path_length};

/// What one shard's committee is known by, and from where on it speaks: a leaf of an epoch record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardKey {
    /// The shard.
    pub shard: ShardId,
    /// The epoch in which this committee's term began; headers that it certifies name it.
    pub epoch: Epoch,
    /// Hash of the committee.
    pub committee: CommitteeHash,
    /// What the shard's certificates verify under.
    pub group_key: ThresholdKey,
    /// q, members.
    pub quorum: u16,
    /// The first height that this key certifies; the height below it is the last one of the key before.
    pub first: Height,
}
codec_struct!(ShardKey {
    shard,
    epoch,
    committee,
    group_key,
    quorum,
    first
});

impl ShardKey {
    /// The length of the encoding in bytes.
    pub const LENGTH: usize = 4 + 8 + 32 + 96 + 2 + 8;
}

/// Where an epoch record comes from: what those need who follow the beacon, and others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochOrigin {
    /// Height of the beacon's chain at which the record was made.
    pub height: Height,
    /// R_e: the randomness that the epoch's committees were drawn with.
    pub seed: Hash32,
    /// Hash of the epoch record before; zero in the first one.
    pub previous: EpochRecordHash,
}
codec_struct!(EpochOrigin {
    height,
    seed,
    previous
});

impl EpochOrigin {
    /// SHA-256 of the canonical encoding under its tag.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        let hash = Sha256::new(DomainTag::EpochOrigin).chain(self.to_bytes());
        Hash32(hash.finish())
    }
}

/// Everything that the beacon fixes for one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochRecord {
    /// The chain.
    pub chain: ChainId,
    /// The epoch; the first record has epoch 0.
    pub epoch: Epoch,
    /// Where the record comes from.
    pub origin: EpochOrigin,
    /// The committees and keys of shards 0, 1, .. in order.
    pub shards: Vec<ShardKey>,
}

/// What the beacon signs of an epoch record. Its hash is the record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochHead {
    /// The chain.
    pub chain: ChainId,
    /// The epoch.
    pub epoch: Epoch,
    /// How many shards there are.
    pub shards: u32,
    /// RFC 6962 root over the encodings of the record's [`ShardKey`]s, in order of shard.
    pub root: Hash32,
    /// Hash of the record's [`EpochOrigin`].
    pub origin: Hash32,
}

impl EpochHead {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
    /// The length of the encoding in bytes.
    pub const LENGTH: usize = 2 + 32 + 8 + 4 + 32 + 32;

    /// SHA-256 of the canonical encoding under its tag.
    #[must_use]
    pub fn hash(&self) -> EpochRecordHash {
        let hash = Sha256::new(DomainTag::EpochRecord).chain(self.to_bytes());
        EpochRecordHash(hash.finish())
    }
}

impl EpochRecordHash {
    /// What precedes the first epoch record.
    pub const ZERO: Self = Self([0; 32]);

    /// The message that the beacon signs for an epoch record with this hash: the tag `ep-cert` and the hash, 40 bytes.
    #[must_use]
    pub fn signing_bytes(&self) -> [u8; 40] {
        let mut message = [0; 40];
        message[..8].copy_from_slice(DomainTag::EpochCertificate.bytes());
        message[8..].copy_from_slice(&self.0);
        message
    }
}

/// The head of an epoch record and the beacon's one signature over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochCertificate {
    /// What is certified.
    pub head: EpochHead,
    /// BLS signature under the beacon's group key over [`EpochRecordHash::signing_bytes`].
    pub signature: Signature,
}
codec_struct!(EpochCertificate { head, signature });

/// Why an epoch record is no successor of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// It is of another chain.
    #[error("an epoch record of chain {found} after one of {expected}")]
    Chain {
        /// The earlier record's chain.
        expected: ChainId,
        /// This one's.
        found: ChainId,
    },
    /// It skips an epoch, or repeats one.
    #[error("the epoch record after {previous} is of epoch {found}")]
    Epoch {
        /// The earlier record's epoch.
        previous: Epoch,
        /// This one's.
        found: Epoch,
    },
    /// It names another record as the one before.
    #[error("the epoch record follows {found}, not {expected}")]
    Previous {
        /// The earlier record's hash.
        expected: EpochRecordHash,
        /// The hash named.
        found: EpochRecordHash,
    },
    /// The beacon's height did not grow.
    #[error("an epoch record of beacon height {found} after one of {previous}")]
    Height {
        /// The earlier record's height.
        previous: Height,
        /// This one's.
        found: Height,
    },
    /// It has another number of shards.
    #[error("an epoch record of {found} shards after one of {expected}")]
    Shards {
        /// The earlier record's number.
        expected: usize,
        /// This one's.
        found: usize,
    },
    /// A shard's key is neither the one before nor one of a later term.
    #[error("the key of shard {shard} does not follow the one before")]
    Key {
        /// The shard.
        shard: ShardId,
    },
}

impl EpochRecord {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// The part that the beacon signs.
    #[must_use]
    pub fn head(&self) -> EpochHead {
        EpochHead {
            chain: self.chain,
            epoch: self.epoch,
            shards: u32::try_from(self.shards.len()).unwrap_or(u32::MAX),
            root: self.tree().root(),
            origin: self.origin.hash(),
        }
    }

    /// The record's hash: that of its head.
    #[must_use]
    pub fn hash(&self) -> EpochRecordHash {
        self.head().hash()
    }

    /// The committee and key of one shard.
    #[must_use]
    pub fn key(&self, shard: ShardId) -> Option<&ShardKey> {
        self.shards.get(usize::try_from(shard.0).ok()?)
    }

    /// Proof that a shard's key stands in this record, or `None` if there is no such shard.
    #[must_use]
    pub fn prove(&self, shard: ShardId) -> Option<ShardKeyProof> {
        let position = usize::try_from(shard.0).ok()?;
        let proof = self.tree().proof(position)?;
        Some(ShardKeyProof {
            shards: u32::try_from(self.shards.len()).ok()?,
            key: *self.shards.get(position)?,
            path: proof.path,
        })
    }

    /// Checks that this record comes right after `previous`: the next epoch, linked by hash, and each shard's key either
    /// unchanged or another one of a later term, which begins where the old one did or above (where it did, if the old one
    /// certified nothing).
    ///
    /// # Errors
    /// [`SuccessionError`]: the first thing that is wrong.
    pub fn require_follows(&self, previous: &Self) -> Result<(), SuccessionError> {
        if self.chain != previous.chain {
            return Err(SuccessionError::Chain {
                expected: previous.chain,
                found: self.chain,
            });
        }
        if previous.epoch.0.checked_add(1) != Some(self.epoch.0) {
            return Err(SuccessionError::Epoch {
                previous: previous.epoch,
                found: self.epoch,
            });
        }
        let expected = previous.hash();
        if self.origin.previous != expected {
            return Err(SuccessionError::Previous {
                expected,
                found: self.origin.previous,
            });
        }
        if self.origin.height <= previous.origin.height {
            return Err(SuccessionError::Height {
                previous: previous.origin.height,
                found: self.origin.height,
            });
        }
        if self.shards.len() != previous.shards.len() {
            return Err(SuccessionError::Shards {
                expected: previous.shards.len(),
                found: self.shards.len(),
            });
        }
        for (old, new) in previous.shards.iter().zip(&self.shards) {
            let fresh = new.shard == old.shard
                && new.epoch > old.epoch
                && new.epoch <= self.epoch
                && new.first >= old.first
                && new.group_key != old.group_key
                && new.committee != old.committee;
            if new != old && !fresh {
                return Err(SuccessionError::Key { shard: old.shard });
            }
        }
        Ok(())
    }

    fn tree(&self) -> MerkleTree {
        MerkleTree::new(self.shards.iter().map(Encode::to_bytes))
    }
}

/// Proof that a shard's key stands in an epoch record, given the head that it is signed by.
///
/// The position in the record is the number of the shard, and the length of the path follows from it and from the number
/// of shards, so neither is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardKeyProof {
    /// How many shards the record has.
    pub shards: u32,
    /// The shard's key.
    pub key: ShardKey,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Hash32>,
}

impl ShardKeyProof {
    /// The root of the record that the key stands in, if the path has the right length: what the head must name.
    #[must_use]
    pub fn root(&self) -> Option<Hash32> {
        let proof = MerkleProof {
            index: u64::from(self.key.shard.0),
            size: u64::from(self.shards),
            path: self.path.clone(),
        };
        proof.root(&self.key.to_bytes())
    }
}

impl Encode for EpochHead {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.epoch.encode(out);
        self.shards.encode(out);
        self.root.encode(out);
        self.origin.encode(out);
    }
}

impl Decode for EpochHead {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "epoch head", Self::VERSION)?;
        Ok(Self {
            chain: Decode::decode(reader)?,
            epoch: Decode::decode(reader)?,
            shards: Decode::decode(reader)?,
            root: Decode::decode(reader)?,
            origin: Decode::decode(reader)?,
        })
    }
}

impl Encode for EpochRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.epoch.encode(out);
        self.origin.encode(out);
        encode_list(&self.shards, out);
    }
}

impl Decode for EpochRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "epoch record", Self::VERSION)?;
        let record = Self {
            chain: Decode::decode(reader)?,
            epoch: Decode::decode(reader)?,
            origin: Decode::decode(reader)?,
            shards: reader.list("shards", SHARDS_MAX)?,
        };
        let numbered = (0..).zip(&record.shards);
        let canonical = numbered
            .into_iter()
            .all(|(number, key)| key.shard.0 == number);
        if record.shards.is_empty() || !canonical {
            return Err(CodecError::NotCanonical { field: "shards" });
        }
        Ok(record)
    }
}

impl Encode for ShardKeyProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.shards.encode(out);
        self.key.encode(out);
        for sibling in &self.path {
            sibling.encode(out);
        }
    }
}

impl Decode for ShardKeyProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let shards = u32::decode(reader)?;
        if shards > SHARDS_MAX {
            return Err(CodecError::TooMany {
                field: "shards",
                count: u64::from(shards),
                limit: u64::from(SHARDS_MAX),
            });
        }
        let key = ShardKey::decode(reader)?;
        let Some(length) = path_length(u64::from(key.shard.0), u64::from(shards)) else {
            return Err(CodecError::NotCanonical { field: "shard" });
        };
        let path = (0..length)
            .map(|_| Decode::decode(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self { shards, key, path })
    }
}

/// A sitting member's word, in a block of its own, that the beacon said the next committee is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochSeen {
    /// The epoch in which the next committee's term is to begin.
    pub epoch: Epoch,
    /// The next committee.
    pub committee: CommitteeHash,
}
codec_struct!(EpochSeen { epoch, committee });

/// The message whose signature by the beacon is the seed of an epoch: tag, chain, epoch; 48 bytes.
///
/// Source: SHARDING 2.4. The registry of the epoch is frozen, finally, before anybody signs it.
#[must_use]
pub fn epoch_seed_message(chain: &ChainId, epoch: Epoch) -> Vec<u8> {
    let mut message = DomainTag::EpochSeed.bytes().to_vec();
    chain.encode(&mut message);
    epoch.encode(&mut message);
    message
}

/// R_e: the seed that follows from the beacon's signature of [`epoch_seed_message`].
#[must_use]
pub fn epoch_seed(signature: &Signature) -> Hash32 {
    Hash32(
        Sha256::new(DomainTag::EpochRandomness)
            .chain(signature)
            .finish(),
    )
}
