//! Accounts: two buckets of assets, positions, debt and status.

use std::collections::BTreeMap;

use quorate_types::limits::{ASSETS_MAX, LANES_MAX};
use quorate_types::{
    AccountId, AssetId, CodecError, Decode, Encode, IdentityKey, InstrumentId, Reader, Round,
    codec_struct, decode_map, decode_version, encode_map,
};

use crate::limits::POSITIONS_MAX;

/// An account.
///
/// `free` is unencumbered and debited by its owner alone. Everything else stands behind the positions: the margin cash is
/// the quote asset's collateral, less debt, with what futures and perpetuals were entered at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Ed25519 key that signs for the account.
    pub owner: IdentityKey,
    /// Sub-account number.
    pub sub: u32,
    /// Next sequence number of each lane that was ever used. No zero entries.
    pub lanes: BTreeMap<u16, u64>,
    /// Unencumbered atoms by asset. No zero entries.
    pub free: BTreeMap<AssetId, u128>,
    /// Posted atoms by asset. No zero entries.
    pub collateral: BTreeMap<AssetId, u128>,
    /// What is held. None of zero lots.
    pub positions: BTreeMap<InstrumentId, Position>,
    /// Quote atoms that the account owes and could not pay. None while there is quote collateral.
    pub debt: u128,
    /// Whether it may be liquidated.
    pub status: Status,
    /// Number of the next batch that it signs as a venue.
    pub venue_sequence: u64,
    /// How many doubts and lines it ever had: their numbers name them in its escrow.
    pub numbers: u64,
}

/// Lots of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Lots held, negative if short.
    pub lots: i64,
    /// What futures and perpetuals were entered at and not yet paid, in quote atoms, negative if bought; 0 for options,
    /// whose premium is paid up front.
    pub entry: i128,
    /// The perpetual's funding index up to which funding is in `entry`, in quote atoms a lot; 0 for others.
    pub funding_index: i64,
}
codec_struct!(Position {
    lots,
    entry,
    funding_index
});

/// Where an account stands between trading and being liquidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing is wrong.
    Active,
    /// A margin call was accepted.
    Called {
        /// The round from which it may be liquidated.
        deadline: Round,
    },
    /// Slices of it are auctioned, or it owes what it could not pay.
    Liquidating {
        /// The round at which the auction began.
        since: Round,
    },
    /// Closed by its owner, for ever.
    Closed,
}

impl Account {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// An account with nothing in it.
    #[must_use]
    pub const fn new(owner: IdentityKey, sub: u32) -> Self {
        Self {
            owner,
            sub,
            lanes: BTreeMap::new(),
            free: BTreeMap::new(),
            collateral: BTreeMap::new(),
            positions: BTreeMap::new(),
            debt: 0,
            status: Status::Active,
            venue_sequence: 0,
            numbers: 0,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> AccountId {
        AccountId::derive(&self.owner, self.sub)
    }

    /// Unencumbered atoms of an asset.
    #[must_use]
    pub fn free_of(&self, asset: AssetId) -> u128 {
        self.free.get(&asset).copied().unwrap_or(0)
    }

    /// Posted atoms of an asset.
    #[must_use]
    pub fn collateral_of(&self, asset: AssetId) -> u128 {
        self.collateral.get(&asset).copied().unwrap_or(0)
    }

    /// Lots of an instrument, 0 if none are held.
    #[must_use]
    pub fn lots_of(&self, instrument: InstrumentId) -> i64 {
        self.positions
            .get(&instrument)
            .map_or(0, |position| position.lots)
    }

    /// Next sequence number of a lane.
    #[must_use]
    pub fn next_sequence(&self, lane: u16) -> u64 {
        self.lanes.get(&lane).copied().unwrap_or(0)
    }

    pub(crate) fn set_free(&mut self, asset: AssetId, amount: u128) {
        set(&mut self.free, asset, amount);
    }

    pub(crate) fn set_collateral(&mut self, asset: AssetId, amount: u128) {
        set(&mut self.collateral, asset, amount);
    }
}

fn set(bucket: &mut BTreeMap<AssetId, u128>, asset: AssetId, amount: u128) {
    if amount == 0 {
        bucket.remove(&asset);
    } else {
        bucket.insert(asset, amount);
    }
}

impl Encode for Status {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Active => out.push(0),
            Self::Called { deadline } => {
                out.push(1);
                deadline.encode(out);
            }
            Self::Liquidating { since } => {
                out.push(2);
                since.encode(out);
            }
            Self::Closed => out.push(3),
        }
    }
}

impl Decode for Status {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Active),
            1 => Ok(Self::Called {
                deadline: Decode::decode(reader)?,
            }),
            2 => Ok(Self::Liquidating {
                since: Decode::decode(reader)?,
            }),
            3 => Ok(Self::Closed),
            found => Err(CodecError::Variant {
                value: "account status",
                found,
            }),
        }
    }
}

impl Encode for Account {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.owner.encode(out);
        self.sub.encode(out);
        encode_map(&self.lanes, out);
        encode_map(&self.free, out);
        encode_map(&self.collateral, out);
        encode_map(&self.positions, out);
        self.debt.encode(out);
        self.status.encode(out);
        self.venue_sequence.encode(out);
        self.numbers.encode(out);
    }
}

impl Decode for Account {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "settlement account", Self::VERSION)?;
        let account = Self {
            owner: Decode::decode(reader)?,
            sub: Decode::decode(reader)?,
            lanes: decode_map(reader, "lanes", LANES_MAX)?,
            free: decode_map(reader, "free balances", ASSETS_MAX)?,
            collateral: decode_map(reader, "collateral", ASSETS_MAX)?,
            positions: decode_map(reader, "positions", POSITIONS_MAX)?,
            debt: Decode::decode(reader)?,
            status: Decode::decode(reader)?,
            venue_sequence: Decode::decode(reader)?,
            numbers: Decode::decode(reader)?,
        };
        let zero = |field| Err(CodecError::NotCanonical { field });
        if account.lanes.values().any(|next| *next == 0) {
            return zero("lanes");
        }
        if account.free.values().any(|amount| *amount == 0) {
            return zero("free balances");
        }
        if account.collateral.values().any(|amount| *amount == 0) {
            return zero("collateral");
        }
        if account.positions.values().any(|held| held.lots == 0) {
            return zero("positions");
        }
        Ok(account)
    }
}
