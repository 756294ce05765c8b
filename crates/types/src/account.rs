//! What the state tree holds: accounts and assets, and the keys they stand under.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::codec::{
    CodecError, Decode, Encode, Reader, codec_struct, decode_version, require_ascending,
};
use crate::domain::DomainTag;
use crate::hash::Blake3;
use crate::ids::{AccountId, AssetId, Hash32, IdentityKey};
use crate::limits::{ASSETS_MAX, LANES_MAX};

/// An account: its owner, its sequence numbers and its balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Ed25519 key that signs for the account.
    pub owner: IdentityKey,
    /// Sub-account number, so that one key may own several accounts.
    pub sub: u32,
    /// Next sequence number of each lane that was ever used. Absent lanes start at 0. No zero entries.
    pub lanes: BTreeMap<u16, u64>,
    /// Unencumbered balance of each asset in atoms; only operations signed by the owner debit it. No zero entries.
    pub free: BTreeMap<AssetId, u128>,
}

impl Account {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// An account without balances.
    #[must_use]
    pub const fn new(owner: IdentityKey, sub: u32) -> Self {
        Self {
            owner,
            sub,
            lanes: BTreeMap::new(),
            free: BTreeMap::new(),
        }
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> AccountId {
        AccountId::derive(&self.owner, self.sub)
    }

    /// Unencumbered balance of `asset` in atoms.
    #[must_use]
    pub fn free_of(&self, asset: AssetId) -> u128 {
        self.free.get(&asset).copied().unwrap_or(0)
    }

    /// Next sequence number of `lane`.
    #[must_use]
    pub fn next_sequence(&self, lane: u16) -> u64 {
        self.lanes.get(&lane).copied().unwrap_or(0)
    }
}

impl AccountId {
    /// The id of sub-account `sub` of `owner`: BLAKE3 over both.
    #[must_use]
    pub fn derive(owner: &IdentityKey, sub: u32) -> Self {
        Self(
            Blake3::new(DomainTag::AccountId)
                .chain(owner)
                .chain(sub.to_le_bytes())
                .finish(),
        )
    }
}

impl Encode for Account {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.owner.encode(out);
        self.sub.encode(out);
        encode_map(&self.lanes, out);
        encode_map(&self.free, out);
    }
}

impl Decode for Account {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "account", Self::VERSION)?;
        let account = Self {
            owner: Decode::decode(reader)?,
            sub: Decode::decode(reader)?,
            lanes: decode_map(reader, "lanes", LANES_MAX)?,
            free: decode_map(reader, "balances", ASSETS_MAX)?,
        };
        if account.lanes.values().any(|next| *next == 0) {
            return Err(CodecError::NotCanonical { field: "lanes" });
        }
        if account.free.values().any(|amount| *amount == 0) {
            return Err(CodecError::NotCanonical { field: "balances" });
        }
        Ok(account)
    }
}

fn encode_map<K: Encode, V: Encode>(map: &BTreeMap<K, V>, out: &mut Vec<u8>) {
    let count = u32::try_from(map.len()).expect("maps are bounded when filled");
    count.encode(out);
    for (key, value) in map {
        key.encode(out);
        value.encode(out);
    }
}

fn decode_map<K: Decode + Ord + Copy, V: Decode>(
    reader: &mut Reader<'_>,
    field: &'static str,
    limit: u32,
) -> Result<BTreeMap<K, V>, CodecError> {
    let count = reader.count(field, limit)?;
    let mut keys = Vec::with_capacity(count.min(reader.remaining()));
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let key = K::decode(reader)?;
        keys.push(key);
        map.insert(key, V::decode(reader)?);
    }
    require_ascending(&keys, field)?;
    Ok(map)
}

/// An asset's fixed facts and its totals over the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetInfo {
    /// How many decimal digits of an atom amount stand behind the point when shown.
    pub decimals: u8,
    /// Sum of all balances and fees, in atoms.
    pub supply: u128,
    /// Fees collected and not yet paid out, in atoms.
    pub fees: u128,
}
codec_struct!(AssetInfo {
    decimals,
    supply,
    fees
});

/// First byte of an account's state key.
pub const STATE_ACCOUNT: u8 = 1;
const STATE_ASSET: u8 = 2;

/// What a leaf of the state tree is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKey {
    /// The leaf holds an [`Account`].
    Account(AccountId),
    /// The leaf holds an [`AssetInfo`].
    Asset(AssetId),
}

impl StateKey {
    /// The leaf's place in the tree: BLAKE3 over kind and id.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        Hash32(
            Blake3::new(DomainTag::StateKey)
                .chain(self.to_bytes())
                .finish(),
        )
    }
}

impl Encode for StateKey {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Account(id) => {
                STATE_ACCOUNT.encode(out);
                id.encode(out);
            }
            Self::Asset(id) => {
                STATE_ASSET.encode(out);
                id.encode(out);
            }
        }
    }
}

impl Decode for StateKey {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            STATE_ACCOUNT => Ok(Self::Account(Decode::decode(reader)?)),
            STATE_ASSET => Ok(Self::Asset(Decode::decode(reader)?)),
            found => Err(CodecError::Variant {
                value: "state key",
                found,
            }),
        }
    }
}
