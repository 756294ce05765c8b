//! The facts a chain starts from, agreed by all its members before anything else. Their hash is the chain's id.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, decode_version, encode_list};
use crate::committee::{Committee, CommitteeError, Member};
use crate::domain::DomainTag;
use crate::hash::Sha256;
use crate::ids::{AssetId, ChainId, Epoch, IdentityKey, ShardId, ThresholdKey};
use crate::limits::{ALLOCATIONS_MAX, ASSETS_MAX, COMMITTEE_MAX, LEADERS_MAX, NAME_BYTES_MAX};

/// Content of a genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// A name for people; at most 64 bytes.
    pub name: String,
    /// The shard that this chain's one committee runs.
    pub shard: ShardId,
    /// The first epoch.
    pub epoch: Epoch,
    /// The committee's quorum q.
    pub quorum: u16,
    /// The committee's group key.
    pub group_key: ThresholdKey,
    /// The committee's members, in order of index.
    pub members: Vec<Member>,
    /// Parameters of the commit rule, which all members must share.
    pub rule: RuleParameters,
    /// What the chain does with the transactions it orders.
    pub execution: Execution,
    /// Cost of a transfer in atoms of `fee_asset`.
    pub transfer_fee: u128,
    /// The asset that fees are paid in.
    pub fee_asset: AssetId,
    /// The assets, ascending by id.
    pub assets: Vec<GenesisAsset>,
    /// The first balances.
    pub allocations: Vec<Allocation>,
}

/// Parameters of the commit rule (CONSENSUS, Commit rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleParameters {
    /// Length w of a wave in rounds: 4 or 5.
    pub wave: u8,
    /// Leader slots l in each round: at least 1.
    pub leaders: u16,
    /// G: a committed leader outputs no block more than this many rounds below it.
    pub gc_depth: u64,
}
codec_struct!(RuleParameters {
    wave,
    leaders,
    gc_depth
});

/// What a chain does with what it orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Payloads are [`crate::SignedTransaction`]s, executed by the ledger.
    Ledger,
    /// Payloads are opaque bytes, ordered, counted and certified but not executed: to measure agreement alone.
    Opaque,
}

/// An asset at genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenesisAsset {
    /// Its number.
    pub id: AssetId,
    /// How many decimal digits of an atom amount stand behind the point when shown.
    pub decimals: u8,
}
codec_struct!(GenesisAsset { id, decimals });

/// A first balance. Several for one account and asset add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The account's owner.
    pub owner: IdentityKey,
    /// The sub-account number.
    pub sub: u32,
    /// The asset.
    pub asset: AssetId,
    /// How many atoms.
    pub amount: u128,
}
codec_struct!(Allocation {
    owner,
    sub,
    asset,
    amount
});

/// Why genesis content is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The committee is refused.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// The name is too long.
    #[error("the name has {found} bytes, the limit is {NAME_BYTES_MAX}")]
    Name {
        /// Its length.
        found: usize,
    },
    /// w is neither 4 nor 5.
    #[error("a wave has 4 or 5 rounds, not {found}")]
    Wave {
        /// The length given.
        found: u8,
    },
    /// l is out of range.
    #[error("a round has 1 to {most} leader slots, not {found}")]
    Leaders {
        /// The number given.
        found: u16,
        /// n, or the limit of leader slots if that is less.
        most: u16,
    },
    /// G is too small for a wave and its anchor.
    #[error("garbage collection depth {found} is outside {GC_DEPTH_MIN}..={GC_DEPTH_MAX}")]
    GcDepth {
        /// The depth given.
        found: u64,
    },
    /// Assets are not strictly ascending.
    #[error("assets are not strictly ascending at {at}")]
    Assets {
        /// The first asset out of order.
        at: AssetId,
    },
    /// An allocation or the fee names an asset that is not listed.
    #[error("asset {asset} is not listed")]
    UnknownAsset {
        /// The asset.
        asset: AssetId,
    },
    /// The supply of an asset leaves the range of signed 128-bit numbers.
    #[error("the supply of asset {asset} is above 2^127 - 1")]
    Supply {
        /// The asset.
        asset: AssetId,
    },
    /// More entries than the limit.
    #[error("{found} allocations or assets, above the limit")]
    TooMany {
        /// The number given.
        found: usize,
    },
}

/// Least G: a wave, its anchor's wave and room for stragglers.
const GC_DEPTH_MIN: u64 = 16;
/// Largest G: a validator keeps that many rounds in memory.
const GC_DEPTH_MAX: u64 = 10_000;

impl Genesis {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Checks everything that does not take cryptography.
    ///
    /// # Errors
    /// [`GenesisError`].
    pub fn validate(&self) -> Result<(), GenesisError> {
        if self.name.len() > NAME_BYTES_MAX as usize {
            return Err(GenesisError::Name {
                found: self.name.len(),
            });
        }
        self.committee()?;
        self.rule.validate(self.members.len())?;
        let most = self.allocations.len().max(self.assets.len());
        if self.allocations.len() > ALLOCATIONS_MAX as usize
            || self.assets.len() > ASSETS_MAX as usize
        {
            return Err(GenesisError::TooMany { found: most });
        }
        if let Some(pair) = self.assets.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            return Err(GenesisError::Assets { at: pair[1].id });
        }
        let mut supplies: BTreeMap<AssetId, i128> =
            self.assets.iter().map(|asset| (asset.id, 0)).collect();
        if self.transfer_fee > 0 && !supplies.contains_key(&self.fee_asset) {
            return Err(GenesisError::UnknownAsset {
                asset: self.fee_asset,
            });
        }
        for Allocation { asset, amount, .. } in &self.allocations {
            let supply = supplies
                .get_mut(asset)
                .ok_or(GenesisError::UnknownAsset { asset: *asset })?;
            *supply = i128::try_from(*amount)
                .ok()
                .and_then(|amount| supply.checked_add(amount))
                .ok_or(GenesisError::Supply { asset: *asset })?;
        }
        Ok(())
    }

    /// SHA-256 of the canonical encoding under its tag.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        ChainId(
            Sha256::new(DomainTag::Genesis)
                .chain(self.to_bytes())
                .finish(),
        )
    }

    /// The first committee.
    ///
    /// # Errors
    /// [`CommitteeError`].
    pub fn committee(&self) -> Result<Committee, CommitteeError> {
        Committee::new(
            self.chain_id(),
            self.shard,
            self.epoch,
            Some(self.quorum),
            self.group_key,
            self.members.clone(),
        )
    }
}

impl RuleParameters {
    /// The setting for low latency: w = 4, two leaders a round.
    #[must_use]
    pub const fn low_latency() -> Self {
        Self {
            wave: 4,
            leaders: 2,
            gc_depth: 64,
        }
    }

    fn validate(&self, members: usize) -> Result<(), GenesisError> {
        if !(4..=5).contains(&self.wave) {
            return Err(GenesisError::Wave { found: self.wave });
        }
        let most = u16::try_from(members).unwrap_or(u16::MAX).min(LEADERS_MAX);
        if self.leaders == 0 || self.leaders > most {
            return Err(GenesisError::Leaders {
                found: self.leaders,
                most,
            });
        }
        if !(GC_DEPTH_MIN..=GC_DEPTH_MAX).contains(&self.gc_depth) {
            return Err(GenesisError::GcDepth {
                found: self.gc_depth,
            });
        }
        Ok(())
    }
}

impl Default for RuleParameters {
    /// The asynchronous guarantee: w = 5, two leaders a round, 64 rounds kept.
    fn default() -> Self {
        Self {
            wave: 5,
            ..Self::low_latency()
        }
    }
}

impl Encode for Execution {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Ledger => 1,
            Self::Opaque => 2,
        });
    }
}

impl Decode for Execution {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Ledger),
            2 => Ok(Self::Opaque),
            found => Err(CodecError::Variant {
                value: "execution",
                found,
            }),
        }
    }
}

impl Encode for Genesis {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        encode_list(self.name.as_bytes(), out);
        self.shard.encode(out);
        self.epoch.encode(out);
        self.quorum.encode(out);
        self.group_key.encode(out);
        encode_list(&self.members, out);
        self.rule.encode(out);
        self.execution.encode(out);
        self.transfer_fee.encode(out);
        self.fee_asset.encode(out);
        encode_list(&self.assets, out);
        encode_list(&self.allocations, out);
    }
}

impl Decode for Genesis {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "genesis", Self::VERSION)?;
        let name = reader.list("name", NAME_BYTES_MAX)?;
        Ok(Self {
            name: String::from_utf8(name)
                .map_err(|_| CodecError::NotCanonical { field: "name" })?,
            shard: Decode::decode(reader)?,
            epoch: Decode::decode(reader)?,
            quorum: Decode::decode(reader)?,
            group_key: Decode::decode(reader)?,
            members: reader.list("members", u32::from(COMMITTEE_MAX))?,
            rule: Decode::decode(reader)?,
            execution: Decode::decode(reader)?,
            transfer_fee: Decode::decode(reader)?,
            fee_asset: Decode::decode(reader)?,
            assets: reader.list("assets", ASSETS_MAX)?,
            allocations: reader.list("allocations", ALLOCATIONS_MAX)?,
        })
    }
}
