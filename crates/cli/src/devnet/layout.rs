//! Keys, genesis and configurations of a devnet, on disk.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use quorate_crypto::IdentitySecret;
use quorate_dkg::VerifiedTranscript;
use quorate_node::config::{Config, Listen, Log, Peer, Pruning};
use quorate_node::files::{Audience, Existing, write_file};
use quorate_node::genesis_file;
use quorate_node::keystore::{Keystore, Passphrase, ScryptCost};
use quorate_types::{
    AccountId, Allocation, AssetId, Epoch, Execution, Genesis, GenesisAsset, RuleParameters,
    ShardId,
};

use super::ceremony::{self, KeyFacts};
use super::keys::{self, SHARE, Seat};
use crate::failure::Failure;
use crate::load::{Payer, Transfers};
use crate::random;

/// The devnet's one asset; fees are paid in it.
pub(crate) const ASSET: AssetId = AssetId(0);
/// First balance of an account in atoms.
pub(crate) const FUNDS: u128 = 1_000_000_000_000;
/// How many of the funded accounts get a key store, for commands to play with.
const ACCOUNT_KEYSTORES: usize = 4;
/// Ports are taken from here: below the range from which systems give ports to outgoing connections, so that a
/// validator that restarts finds its own free.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// How many ports lie between the places where two processes begin to look.
const PORTS_APART: usize = 64;

/// What to lay out.
pub(crate) struct Plan {
    pub(crate) validators: u16,
    pub(crate) wave: u8,
    pub(crate) execution: Execution,
    pub(crate) accounts: u16,
    pub(crate) transfer_fee: u128,
    /// What the validators keep of the past.
    pub(crate) pruning: Pruning,
}

impl Plan {
    fn genesis(
        &self,
        accounts: &[Arc<IdentitySecret>],
        transcript: &VerifiedTranscript,
    ) -> Genesis {
        let fund = |owner: &Arc<IdentitySecret>| Allocation {
            owner: owner.public(),
            sub: 0,
            asset: ASSET,
            amount: FUNDS,
        };
        Genesis {
            name: "devnet".into(),
            shard: ShardId(0),
            epoch: Epoch(0),
            quorum: transcript.ceremony().quorum(),
            group_key: transcript.keys().group,
            members: transcript.members(),
            rule: RuleParameters {
                wave: self.wave,
                ..RuleParameters::default()
            },
            execution: self.execution,
            transfer_fee: self.transfer_fee,
            fee_asset: ASSET,
            assets: vec![GenesisAsset {
                id: ASSET,
                decimals: 6,
            }],
            allocations: accounts.iter().map(fund).collect(),
        }
    }
}

/// A network that was laid out.
pub(crate) struct Network {
    pub(crate) directory: PathBuf,
    pub(crate) genesis: Genesis,
    pub(crate) validators: Vec<ValidatorFiles>,
    /// Owners of the funded accounts.
    pub(crate) accounts: Vec<Arc<IdentitySecret>>,
}

/// One validator's part.
pub(crate) struct ValidatorFiles {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) listen: Listen,
}

impl Network {
    /// Has the committee make its key in a ceremony between processes, and writes everything that `quorate run` needs.
    pub(crate) async fn create(directory: &Path, plan: &Plan) -> Result<(Self, KeyFacts), Failure> {
        let passphrase = directory.join("passphrase");
        let seats = enrol(directory, plan.validators, &passphrase)
            .context("cannot lay out the key ceremony")?;
        let (transcript, facts) = Box::pin(ceremony::run(&seats, &passphrase)).await?;
        let network = Self::found(directory, plan, seats, &transcript)
            .context("cannot lay out the network")?;
        Ok((network, facts))
    }

    /// Writes genesis, configurations and accounts.
    fn found(
        directory: &Path,
        plan: &Plan,
        seats: Vec<Seat>,
        transcript: &VerifiedTranscript,
    ) -> anyhow::Result<Self> {
        let mut rng = random::generator();
        let accounts: Vec<_> = (0..plan.accounts)
            .map(|_| Arc::new(IdentitySecret::generate(&mut rng)))
            .collect();
        let genesis = plan.genesis(&accounts, transcript);
        genesis.validate()?;
        genesis_file::write_new(&genesis, &directory.join("genesis.json"))?;
        let peers: Vec<Peer> = seats
            .iter()
            .map(|seat| Peer {
                identity: seat.identity,
                address: seat.listen.peer.to_string(),
            })
            .collect();
        let mut validators = Vec::new();
        for seat in seats {
            let files = ValidatorFiles {
                config: seat.directory.join("validator.toml"),
                directory: seat.directory,
                name: seat.name,
                listen: seat.listen,
            };
            let config = files.config(&peers, plan.pruning);
            write_file(
                &files.config,
                config.to_toml().as_bytes(),
                Audience::Everybody,
                Existing::Keep,
            )?;
            validators.push(files);
        }
        let folder = directory.join("accounts");
        std::fs::create_dir(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let passphrase = Passphrase::from_file(&directory.join("passphrase"))?;
        for (index, owner) in accounts.iter().take(ACCOUNT_KEYSTORES).enumerate() {
            Keystore::seal_identity(owner, &passphrase, ScryptCost::DEVNET, &mut rng)
                .write_new(&folder.join(format!("{index}.json")))?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            genesis,
            validators,
            accounts,
        })
    }

    /// Sources of transfers from each account to the next, with their endpoints: `connections` of each validator, every
    /// account on one of them.
    pub(crate) fn transfers(&self, connections: u16) -> Vec<(String, Transfers)> {
        let endpoints = self.endpoints(connections);
        let count = self.accounts.len();
        let mut payers: Vec<Vec<Payer>> = endpoints.iter().map(|_| Vec::new()).collect();
        for (index, owner) in self.accounts.iter().enumerate() {
            let to = self.account((index + 1) % count);
            let payer = Payer::new(&self.genesis, Arc::clone(owner), to, 0);
            payers[index % endpoints.len()].push(payer);
        }
        endpoints
            .into_iter()
            .zip(payers.into_iter().map(Transfers::new))
            .collect()
    }

    /// The public endpoint of every validator, `connections` times.
    pub(crate) fn endpoints(&self, connections: u16) -> Vec<String> {
        (0..connections)
            .flat_map(|_| &self.validators)
            .map(ValidatorFiles::public_url)
            .collect()
    }

    /// The funded account at `index`.
    pub(crate) fn account(&self, index: usize) -> AccountId {
        AccountId::derive(&self.accounts[index].public(), 0)
    }
}

impl ValidatorFiles {
    fn config(&self, peers: &[Peer], pruning: Pruning) -> Config {
        Config {
            pruning,
            genesis: "../genesis.json".into(),
            share_keystore: SHARE.into(),
            passphrase_file: Some("../passphrase".into()),
            listen: self.listen,
            log: Log {
                level: "info".into(),
                ..Log::default()
            },
            peers: peers.to_vec(),
            ..Config::default()
        }
    }

    pub(crate) fn public_url(&self) -> String {
        format!("http://{}", self.listen.public)
    }
}

/// Makes a passphrase and everything that a ceremony of so many members starts from.
fn enrol(directory: &Path, validators: u16, passphrase: &Path) -> anyhow::Result<Vec<Seat>> {
    let text = hex::encode(random::bytes());
    write_file(passphrase, text.as_bytes(), Audience::Owner, Existing::Keep)?;
    let listeners = free_ports(validators)?;
    keys::enrol(directory, &listeners, &Passphrase::new(&text))
}

/// Addresses for all listeners of `validators` validators, no two alike and free at this moment. Each process looks from
/// another place on, so that networks that start at the same time do not take what the other has just found free.
fn free_ports(validators: u16) -> anyhow::Result<Vec<Listen>> {
    // Held until all are found, so that none is found twice.
    let mut held = Vec::new();
    let wanted = usize::from(validators) * 4;
    let places = u32::try_from(PORTS.len() / PORTS_APART).unwrap_or(1);
    let place = usize::try_from(std::process::id() % places).unwrap_or(0) * PORTS_APART;
    for port in PORTS.cycle().skip(place).take(PORTS.len()) {
        if held.len() == wanted {
            break;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        held.extend(TcpListener::bind(address).map(|listener| (address, listener)));
    }
    ensure!(
        held.len() == wanted,
        "there are not {wanted} free ports on this machine"
    );
    let addresses: Vec<SocketAddr> = held.iter().map(|(address, _)| *address).collect();
    Ok(addresses
        .chunks_exact(4)
        .map(|four| Listen {
            public: four[0],
            admin: four[1],
            peer: four[2],
            metrics: four[3],
        })
        .collect())
}
