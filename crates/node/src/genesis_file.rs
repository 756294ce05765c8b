//! The genesis file: JSON that people read and compare, of exactly the content of [`Genesis`].
//!
//! Keys are hexadecimal, amounts are decimal text (JSON numbers lose digits above 2^53). The file states the chain's id;
//! reading computes it again, so that a changed file is noticed. Unknown fields are refused.
//!
//! Reading checks all but the keys' cryptography: that the share keys and the group key lie on one polynomial is
//! checked where they are parsed, by `quorate_crypto::ThresholdPublic`.

use std::path::{Path, PathBuf};

use quorate_types::{
    Allocation, AssetId, ChainId, Epoch, Execution, Genesis, GenesisAsset, GenesisError,
    IdentityKey, Member, RuleParameters, ShardId, ThresholdKey,
};
use serde::{Deserialize, Serialize};

use crate::files::{Audience, Existing, WriteError, write_file};
use crate::json_text as text;

/// Version of the file's layout.
const VERSION: u32 = 1;
/// Largest file that is read: the most allocations take about 200 bytes each.
const GENESIS_BYTES_MAX: u64 = 256 << 20;

/// Why a genesis file is refused.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// The file cannot be read.
    #[error("cannot read the genesis file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The file is longer than any genesis can be.
    #[error("{} has {found} bytes, a genesis file has at most {GENESIS_BYTES_MAX}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The text is no JSON, or not the fields that belong there. The source says line and column.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// The file's layout is of another version.
    #[error(
        "{}: the layout has version {found}, this program knows {VERSION}: use the program that the chain's members agreed on",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The content breaks a rule.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Which.
        source: GenesisError,
    },
    /// The content is not that of the stated chain.
    #[error(
        "{}: the content is that of chain {computed}, but `chain_id` says {stated}: somebody changed the file after it \
         was agreed on; get the original",
        path.display()
    )]
    ChainId {
        /// The file.
        path: PathBuf,
        /// What the file says.
        stated: ChainId,
        /// What its content gives.
        computed: ChainId,
    },
}

/// Reads and checks a genesis file.
///
/// # Errors
/// [`GenesisFileError`].
pub fn read(path: &Path) -> Result<Genesis, GenesisFileError> {
    let failed = |source| GenesisFileError::Read {
        path: path.to_owned(),
        source,
    };
    let found = std::fs::metadata(path).map_err(failed)?.len();
    if found > GENESIS_BYTES_MAX {
        return Err(GenesisFileError::TooLong {
            path: path.to_owned(),
            found,
        });
    }
    parse(&std::fs::read(path).map_err(failed)?, path)
}

/// Parses and checks the text of the file at `path`.
///
/// # Errors
/// [`GenesisFileError`].
pub fn parse(text: &[u8], path: &Path) -> Result<Genesis, GenesisFileError> {
    let refused = |source| GenesisFileError::Json {
        path: path.to_owned(),
        source,
    };
    let Versioned { version } = serde_json::from_slice(text).map_err(refused)?;
    if version != VERSION {
        return Err(GenesisFileError::Version {
            path: path.to_owned(),
            found: version,
        });
    }
    let document: Document = serde_json::from_slice(text).map_err(refused)?;
    let stated = document.chain_id;
    let genesis = Genesis::from(document);
    genesis
        .validate()
        .map_err(|source| GenesisFileError::Content {
            path: path.to_owned(),
            source,
        })?;
    let computed = genesis.chain_id();
    if stated != computed {
        return Err(GenesisFileError::ChainId {
            path: path.to_owned(),
            stated,
            computed,
        });
    }
    Ok(genesis)
}

/// The text of the file.
#[must_use]
pub fn to_text(genesis: &Genesis) -> String {
    let document = Document::from(genesis);
    let mut text =
        serde_json::to_string_pretty(&document).expect("text and numbers have a JSON form");
    text.push('\n');
    text
}

/// Writes a new file. Nothing is overwritten.
///
/// # Errors
/// [`WriteError`].
pub fn write_new(genesis: &Genesis, path: &Path) -> Result<(), WriteError> {
    let text = to_text(genesis);
    write_file(path, text.as_bytes(), Audience::Everybody, Existing::Keep)
}

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(with = "text")]
    chain_id: ChainId,
    name: String,
    shard: u32,
    epoch: u64,
    quorum: u16,
    #[serde(with = "text")]
    group_key: ThresholdKey,
    members: Vec<MemberDocument>,
    rule: RuleDocument,
    execution: ExecutionDocument,
    #[serde(with = "text")]
    transfer_fee: u128,
    fee_asset: u32,
    assets: Vec<AssetDocument>,
    allocations: Vec<AllocationDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberDocument {
    #[serde(with = "text")]
    identity: IdentityKey,
    #[serde(with = "text")]
    share_key: ThresholdKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleDocument {
    wave: u8,
    leaders: u16,
    gc_depth: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExecutionDocument {
    Ledger,
    Opaque,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssetDocument {
    id: u32,
    decimals: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllocationDocument {
    #[serde(with = "text")]
    owner: IdentityKey,
    sub: u32,
    asset: u32,
    #[serde(with = "text")]
    amount: u128,
}

impl From<&Genesis> for Document {
    fn from(genesis: &Genesis) -> Self {
        let member = |member: &Member| MemberDocument {
            identity: member.identity,
            share_key: member.share_key,
        };
        let allocation = |allocation: &Allocation| AllocationDocument {
            owner: allocation.owner,
            sub: allocation.sub,
            asset: allocation.asset.0,
            amount: allocation.amount,
        };
        let asset = |asset: &GenesisAsset| AssetDocument {
            id: asset.id.0,
            decimals: asset.decimals,
        };
        Self {
            version: VERSION,
            chain_id: genesis.chain_id(),
            name: genesis.name.clone(),
            shard: genesis.shard.0,
            epoch: genesis.epoch.0,
            quorum: genesis.quorum,
            group_key: genesis.group_key,
            members: genesis.members.iter().map(member).collect(),
            rule: RuleDocument {
                wave: genesis.rule.wave,
                leaders: genesis.rule.leaders,
                gc_depth: genesis.rule.gc_depth,
            },
            execution: match genesis.execution {
                Execution::Ledger => ExecutionDocument::Ledger,
                Execution::Opaque => ExecutionDocument::Opaque,
            },
            transfer_fee: genesis.transfer_fee,
            fee_asset: genesis.fee_asset.0,
            assets: genesis.assets.iter().map(asset).collect(),
            allocations: genesis.allocations.iter().map(allocation).collect(),
        }
    }
}

impl From<Document> for Genesis {
    fn from(document: Document) -> Self {
        let member = |member: MemberDocument| Member {
            identity: member.identity,
            share_key: member.share_key,
        };
        let allocation = |allocation: AllocationDocument| Allocation {
            owner: allocation.owner,
            sub: allocation.sub,
            asset: AssetId(allocation.asset),
            amount: allocation.amount,
        };
        let asset = |asset: AssetDocument| GenesisAsset {
            id: AssetId(asset.id),
            decimals: asset.decimals,
        };
        Self {
            name: document.name,
            shard: ShardId(document.shard),
            epoch: Epoch(document.epoch),
            quorum: document.quorum,
            group_key: document.group_key,
            members: document.members.into_iter().map(member).collect(),
            rule: RuleParameters {
                wave: document.rule.wave,
                leaders: document.rule.leaders,
                gc_depth: document.rule.gc_depth,
            },
            execution: match document.execution {
                ExecutionDocument::Ledger => Execution::Ledger,
                ExecutionDocument::Opaque => Execution::Opaque,
            },
            transfer_fee: document.transfer_fee,
            fee_asset: AssetId(document.fee_asset),
            assets: document.assets.into_iter().map(asset).collect(),
            allocations: document.allocations.into_iter().map(allocation).collect(),
        }
    }
}
