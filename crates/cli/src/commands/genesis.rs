//! `quorate genesis`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use quorate_crypto::{KeysError, ThresholdPublic};
use quorate_dkg::VerifiedTranscript;
use quorate_node::genesis_file;
use quorate_types::{
    Allocation, AssetId, Epoch, Execution, Genesis, GenesisAsset, Member, RuleParameters, ShardId,
    ThresholdKey,
};
use serde::{Deserialize, Serialize};

use crate::args::{GenesisCommand, GenesisNewArgs};
use crate::ceremony::read_verified;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

/// Public result of a key ceremony.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    group_key: String,
    share_keys: Vec<String>,
}

#[derive(Serialize)]
struct Shown {
    file: String,
    chain_id: String,
    name: String,
    shard: u32,
    epoch: u64,
    validators: usize,
    quorum: u16,
    wave: u8,
    execution: &'static str,
    group_key: String,
    assets: usize,
    allocations: usize,
}

pub(crate) fn run(command: GenesisCommand, json: bool) -> Result<(), Failure> {
    let (file, genesis) = match command {
        GenesisCommand::New(args) => {
            let committee = Committee::of(&args)?;
            let genesis = build(&args, committee).or_fail(Kind::File)?;
            genesis_file::write_new(&genesis, &args.out).or_fail(Kind::File)?;
            (args.out, genesis)
        }
        GenesisCommand::Show { file } => {
            let genesis = genesis_file::read(&file).or_fail(Kind::File)?;
            check_keys(&genesis)
                .with_context(|| format!("{}", file.display()))
                .or_fail(Kind::File)?;
            (file, genesis)
        }
    };
    show(file, &genesis, json)
}

/// Who signs, and with which keys.
struct Committee {
    quorum: u16,
    group_key: ThresholdKey,
    members: Vec<Member>,
}

impl Committee {
    /// Of a transcript, which is verified here, or of the keys that a ceremony gave.
    fn of(args: &GenesisNewArgs) -> Result<Self, Failure> {
        match (&args.ceremony, &args.group) {
            (Some(transcript), _) => Ok(Self::of_transcript(&read_verified(transcript)?.verified)),
            (None, Some(group)) => Self::of_group(args, group).or_fail(Kind::File),
            (None, None) => {
                let error =
                    anyhow!("give --ceremony TRANSCRIPT, or --group FILE with --member KEY");
                Err(Failure::new(Kind::Usage, error))
            }
        }
    }

    fn of_transcript(transcript: &VerifiedTranscript) -> Self {
        Self {
            quorum: transcript.ceremony().quorum(),
            group_key: transcript.keys().group,
            members: transcript.members(),
        }
    }

    fn of_group(args: &GenesisNewArgs, group: &Path) -> anyhow::Result<Self> {
        let (group_key, share_keys) = read_group(group)?;
        if share_keys.len() != args.members.len() {
            return Err(anyhow!(
                "{} has {} share keys for {} members: give --member once for each, in order",
                group.display(),
                share_keys.len(),
                args.members.len()
            ));
        }
        let members = args.members.iter().zip(share_keys);
        let size = u16::try_from(args.members.len()).unwrap_or(u16::MAX);
        Ok(Self {
            quorum: args.quorum.unwrap_or(size - size.saturating_sub(1) / 3),
            group_key,
            members: members
                .map(|(identity, share_key)| Member {
                    identity: *identity,
                    share_key,
                })
                .collect(),
        })
    }
}

fn build(args: &GenesisNewArgs, committee: Committee) -> anyhow::Result<Genesis> {
    let genesis = Genesis {
        name: args.name.clone(),
        shard: ShardId(args.shard),
        epoch: Epoch(0),
        quorum: committee.quorum,
        group_key: committee.group_key,
        members: committee.members,
        rule: RuleParameters {
            wave: args.wave,
            ..RuleParameters::default()
        },
        execution: if args.opaque {
            Execution::Opaque
        } else {
            Execution::Ledger
        },
        transfer_fee: args.transfer_fee,
        fee_asset: AssetId(args.fee_asset),
        assets: args
            .assets
            .iter()
            .map(|(id, decimals)| GenesisAsset {
                id: *id,
                decimals: *decimals,
            })
            .collect(),
        allocations: args
            .allocations
            .iter()
            .map(|(owner, asset, amount)| Allocation {
                owner: *owner,
                sub: 0,
                asset: *asset,
                amount: *amount,
            })
            .collect(),
    };
    genesis.validate()?;
    check_keys(&genesis)?;
    Ok(genesis)
}

fn read_group(path: &Path) -> anyhow::Result<(ThresholdKey, Vec<ThresholdKey>)> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: GroupFile =
        serde_json::from_slice(&text).with_context(|| format!("{}", path.display()))?;
    let key = |name: &str, text: &str| {
        ThresholdKey::from_hex(text).ok_or_else(|| {
            anyhow!(
                "{}: `{name}` must be 192 hexadecimal digits",
                path.display()
            )
        })
    };
    let shares = file.share_keys.iter().enumerate();
    let shares: Result<_, _> = shares
        .map(|(index, text)| key(&format!("share_keys[{index}]"), text))
        .collect();
    Ok((key("group_key", &file.group_key)?, shares?))
}

/// Whether the keys of a genesis are points of one polynomial of the right degree.
fn check_keys(genesis: &Genesis) -> Result<(), KeysError> {
    let shares: Vec<ThresholdKey> = genesis
        .members
        .iter()
        .map(|member| member.share_key)
        .collect();
    ThresholdPublic::parse(&genesis.group_key, &shares, usize::from(genesis.quorum)).map(|_| ())
}

fn show(file: PathBuf, genesis: &Genesis, json: bool) -> Result<(), Failure> {
    let shown = Shown {
        file: file.display().to_string(),
        chain_id: genesis.chain_id().to_hex(),
        name: genesis.name.clone(),
        shard: genesis.shard.0,
        epoch: genesis.epoch.0,
        validators: genesis.members.len(),
        quorum: genesis.quorum,
        wave: genesis.rule.wave,
        execution: match genesis.execution {
            Execution::Ledger => "ledger",
            Execution::Opaque => "opaque",
        },
        group_key: genesis.group_key.to_hex(),
        assets: genesis.assets.len(),
        allocations: genesis.allocations.len(),
    };
    output::print(json, &shown, |shown| {
        output::list([
            ("file", shown.file.clone()),
            ("chain id", shown.chain_id.clone()),
            ("name", shown.name.clone()),
            ("shard, epoch", format!("{}, {}", shown.shard, shown.epoch)),
            (
                "validators",
                format!("{}, quorum {}", shown.validators, shown.quorum),
            ),
            (
                "execution",
                format!("{}, w = {}", shown.execution, shown.wave),
            ),
            ("group key", shown.group_key.clone()),
            ("assets", shown.assets.to_string()),
            ("allocations", shown.allocations.to_string()),
        ])
    })?;
    Ok(())
}
