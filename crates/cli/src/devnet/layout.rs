//! Keys, genesis and configurations of a devnet, on disk.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use quorate_crypto::IdentitySecret;
use quorate_crypto::dealer::deal;
use quorate_node::config::{Config, Listen, Log, Peer};
use quorate_node::files::{Audience, Existing, write_file};
use quorate_node::genesis_file;
use quorate_node::keystore::{Keystore, Passphrase, ScryptCost};
use quorate_types::{
    AccountId, Allocation, AssetId, Epoch, Execution, Genesis, GenesisAsset, Member,
    RuleParameters, ShardId,
};
use rand_chacha::rand_core::Rng;

use crate::load::{Payer, Transfers};
use crate::random;

/// The devnet's one asset; fees are paid in it.
pub(crate) const ASSET: AssetId = AssetId(0);
/// First balance of an account in atoms.
const FUNDS: u128 = 1_000_000_000_000;
/// How many of the funded accounts get a key store, for commands to play with.
const ACCOUNT_KEYSTORES: usize = 4;
/// Ports are taken from here: below the range from which systems give ports to outgoing connections, so that a
/// validator that restarts finds its own free.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// What to lay out.
pub(crate) struct Plan {
    pub(crate) validators: u16,
    pub(crate) wave: u8,
    pub(crate) execution: Execution,
    pub(crate) accounts: u16,
    pub(crate) transfer_fee: u128,
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
    /// Makes keys with the trusted dealer and writes everything that `quorate run` needs.
    pub(crate) fn create(directory: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let mut rng = random::generator();
        let faults = (plan.validators - 1) / 3;
        let quorum = plan.validators - faults;
        let dealt = deal(plan.validators, quorum, &mut rng);
        let identities: Vec<_> = (0..plan.validators)
            .map(|_| IdentitySecret::generate(&mut rng))
            .collect();
        let accounts: Vec<_> = (0..plan.accounts)
            .map(|_| Arc::new(IdentitySecret::generate(&mut rng)))
            .collect();
        let members = identities.iter().zip(&dealt.shares_public);
        let genesis = Genesis {
            name: "devnet".into(),
            shard: ShardId(0),
            epoch: Epoch(0),
            quorum,
            group_key: dealt.group,
            members: members
                .map(|(identity, share_key)| Member {
                    identity: identity.public(),
                    share_key: *share_key,
                })
                .collect(),
            rule: RuleParameters {
                wave: plan.wave,
                ..RuleParameters::default()
            },
            execution: plan.execution,
            transfer_fee: plan.transfer_fee,
            fee_asset: ASSET,
            assets: vec![GenesisAsset {
                id: ASSET,
                decimals: 6,
            }],
            allocations: accounts
                .iter()
                .map(|owner| Allocation {
                    owner: owner.public(),
                    sub: 0,
                    asset: ASSET,
                    amount: FUNDS,
                })
                .collect(),
        };
        genesis.validate()?;
        genesis_file::write_new(&genesis, &directory.join("genesis.json"))?;

        let mut secret = [0; 16];
        rng.fill_bytes(&mut secret);
        let text = hex::encode(secret);
        let file = directory.join("passphrase");
        write_file(&file, text.as_bytes(), Audience::Owner, Existing::Keep)?;
        let passphrase = Passphrase::new(&text);

        let listeners = free_ports(plan.validators)?;
        let peers: Vec<Peer> = identities
            .iter()
            .zip(&listeners)
            .map(|(identity, listen)| Peer {
                identity: identity.public(),
                address: listen.peer.to_string(),
            })
            .collect();
        let mut validators = Vec::new();
        for (index, (identity, share)) in identities.iter().zip(&dealt.secrets).enumerate() {
            let name = format!("validator-{index}");
            let files = ValidatorFiles {
                directory: directory.join(&name),
                config: directory.join(&name).join("validator.toml"),
                name,
                listen: listeners[index],
            };
            std::fs::create_dir(&files.directory)
                .with_context(|| format!("cannot make {}", files.directory.display()))?;
            Keystore::seal_identity(identity, &passphrase, ScryptCost::DEVNET, &mut rng)
                .write_new(&files.directory.join("identity.json"))?;
            Keystore::seal_share(share, &passphrase, ScryptCost::DEVNET, &mut rng)
                .write_new(&files.directory.join("share.json"))?;
            let config = files.config(&peers);
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
    fn config(&self, peers: &[Peer]) -> Config {
        Config {
            genesis: "../genesis.json".into(),
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

/// Addresses for all listeners of `validators` validators, no two alike and free at this moment.
fn free_ports(validators: u16) -> anyhow::Result<Vec<Listen>> {
    let mut rng = random::generator();
    // Held until all are found, so that none is found twice.
    let mut held = Vec::new();
    let wanted = usize::from(validators) * 4;
    let span = u32::from(PORTS.end - PORTS.start);
    for _ in 0..wanted * 50 {
        if held.len() == wanted {
            break;
        }
        let offset = u16::try_from(rng.next_u32() % span).unwrap_or(0);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start + offset));
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
