//! A committee: its members, its keys and its one quorum parameter.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::block::BlockRef;
use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, encode_list};
use crate::domain::DomainTag;
use crate::hash::Sha256;
use crate::ids::{
    ChainId, CommitteeHash, Epoch, IdentityKey, Round, ShardId, ThresholdKey, ValidatorIndex,
};
use crate::limits::{COMMITTEE_MAX, COMMITTEE_MIN};

/// One validator of a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Ed25519 key that signs its blocks and authenticates its connections.
    pub identity: IdentityKey,
    /// Public key of its threshold share: the committee polynomial at index + 1, in G2.
    pub share_key: ThresholdKey,
}
codec_struct!(Member {
    identity,
    share_key
});

/// A committee of n validators for one shard and epoch, with quorum q.
///
/// The one parameter q serves as DAG quorum, coin threshold and certificate threshold (SHARDING, decision 3). A fork
/// takes 2q - n Byzantine members; more than n - q silent ones stall the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    chain: ChainId,
    shard: ShardId,
    epoch: Epoch,
    quorum: u16,
    group_key: ThresholdKey,
    members: Vec<Member>,
}

/// Why a committee is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// n is out of bounds.
    #[error("a committee has {COMMITTEE_MIN} to {COMMITTEE_MAX} members, not {found}")]
    Size {
        /// The number of members given.
        found: usize,
    },
    /// q is outside n-f..=n.
    #[error("quorum {quorum} is outside {least}..={most}")]
    Quorum {
        /// The quorum given.
        quorum: u16,
        /// n - f.
        least: u16,
        /// n.
        most: u16,
    },
    /// Two members share an identity key.
    #[error("members {first} and {second} have the same identity key")]
    DuplicateIdentity {
        /// The earlier member.
        first: ValidatorIndex,
        /// The later member.
        second: ValidatorIndex,
    },
}

impl Committee {
    /// Makes a committee; `quorum: None` takes the default n - f.
    ///
    /// # Errors
    /// [`CommitteeError`].
    pub fn new(
        chain: ChainId,
        shard: ShardId,
        epoch: Epoch,
        quorum: Option<u16>,
        group_key: ThresholdKey,
        members: Vec<Member>,
    ) -> Result<Self, CommitteeError> {
        let size = u16::try_from(members.len()).unwrap_or(u16::MAX);
        if !(COMMITTEE_MIN..=COMMITTEE_MAX).contains(&size) {
            return Err(CommitteeError::Size {
                found: members.len(),
            });
        }
        let least = default_quorum(size);
        let quorum = quorum.unwrap_or(least);
        if !(least..=size).contains(&quorum) {
            return Err(CommitteeError::Quorum {
                quorum,
                least,
                most: size,
            });
        }
        let mut seen = BTreeSet::new();
        for (second, member) in (0u16..).zip(&members) {
            if !seen.insert(member.identity) {
                let first = (0u16..)
                    .zip(&members)
                    .find(|(_, other)| other.identity == member.identity)
                    .map_or(second, |(index, _)| index);
                return Err(CommitteeError::DuplicateIdentity {
                    first: ValidatorIndex(first),
                    second: ValidatorIndex(second),
                });
            }
        }
        Ok(Self {
            chain,
            shard,
            epoch,
            quorum,
            group_key,
            members,
        })
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }
    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }
    /// The epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// The key that certificates and coins verify under.
    #[must_use]
    pub const fn group_key(&self) -> &ThresholdKey {
        &self.group_key
    }
    /// n.
    #[must_use]
    pub fn size(&self) -> u16 {
        u16::try_from(self.members.len()).expect("checked in Committee::new")
    }
    /// q.
    #[must_use]
    pub const fn quorum(&self) -> u16 {
        self.quorum
    }
    /// f = floor((n-1)/3).
    #[must_use]
    pub fn faults(&self) -> u16 {
        faults(self.size())
    }
    /// All members in order of index.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }
    /// The member at `index`, if there is one.
    #[must_use]
    pub fn member(&self, index: ValidatorIndex) -> Option<&Member> {
        self.members.get(index.position())
    }
    /// All indices in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = ValidatorIndex> + use<> {
        (0..self.size()).map(ValidatorIndex)
    }
    /// The index of the member with this identity key.
    #[must_use]
    pub fn index_of(&self, identity: &IdentityKey) -> Option<ValidatorIndex> {
        self.indices()
            .find(|index| self.members[index.position()].identity == *identity)
    }
    /// The message of the coin of `round`: what its shares and their combination sign.
    #[must_use]
    pub fn coin_message(&self, round: Round) -> Vec<u8> {
        let mut message = DomainTag::Coin.bytes().to_vec();
        self.chain.encode(&mut message);
        self.shard.encode(&mut message);
        self.epoch.encode(&mut message);
        round.encode(&mut message);
        message
    }
    /// The implicit round-0 block of `author`.
    #[must_use]
    pub fn genesis_block(&self, author: ValidatorIndex) -> BlockRef {
        BlockRef::genesis(&self.chain, self.shard, self.epoch, author)
    }
    /// SHA-256 of the canonical encoding under its tag.
    #[must_use]
    pub fn hash(&self) -> CommitteeHash {
        CommitteeHash(
            Sha256::new(DomainTag::Committee)
                .chain(self.to_bytes())
                .finish(),
        )
    }
}

/// f = floor((n-1)/3).
const fn faults(size: u16) -> u16 {
    (size - 1) / 3
}

/// n - f.
const fn default_quorum(size: u16) -> u16 {
    size - faults(size)
}

impl Encode for Committee {
    fn encode(&self, out: &mut Vec<u8>) {
        self.chain.encode(out);
        self.shard.encode(out);
        self.epoch.encode(out);
        self.quorum.encode(out);
        self.group_key.encode(out);
        encode_list(&self.members, out);
    }
}

impl Decode for Committee {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let chain = ChainId::decode(reader)?;
        let shard = ShardId::decode(reader)?;
        let epoch = Epoch::decode(reader)?;
        let quorum = u16::decode(reader)?;
        let group_key = ThresholdKey::decode(reader)?;
        let members = reader.list("members", u32::from(COMMITTEE_MAX))?;
        Self::new(chain, shard, epoch, Some(quorum), group_key, members)
            .map_err(|_| CodecError::NotCanonical { field: "committee" })
    }
}
