//! Committees of real validators in one process, on directories of their own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_crypto::dealer::deal;
use quorate_crypto::identity::IdentitySecret;
use quorate_node::config::{Config, Listen, Peer};
use quorate_node::genesis_file;
use quorate_node::keystore::Secrets;
use quorate_node::{Node, NodeError, StartOptions};
use quorate_rpc::admin::v1::admin_service_client::AdminServiceClient;
use quorate_rpc::admin::v1::{GetStatusRequest, GetStatusResponse, ListEvidenceRequest};
use quorate_rpc::ledger::v1::ledger_service_client::LedgerServiceClient;
use quorate_rpc::ledger::v1::{GetCertificateRequest, GetHeaderRequest, GetServiceInfoRequest};
use quorate_rpc::submit::v1::submit_service_client::SubmitServiceClient;
use quorate_rpc::submit::v1::{
    GetOutcomeRequest, SubmitTransactionRequest, WaitFor, get_outcome_response,
};
use quorate_store::disk::Disk;
use quorate_types::{
    AccountId, Allocation, AssetId, Body, Certificate, ChainId, DomainTag, Encode, Epoch,
    Execution, Genesis, GenesisAsset, Header, KeySignature, Member, Round, RuleParameters, ShardId,
    SignedTransaction, Transaction,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// Validators of every committee here.
pub(crate) const SIZE: u16 = 4;
/// Nothing here takes longer on a machine that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a committee's validators, and their keys.
pub(crate) struct Committee {
    pub(crate) directory: TempDir,
    pub(crate) genesis: Genesis,
    seed: u64,
    ports: Vec<u16>,
    execution: Execution,
}

/// Keys of everybody, the same for the same seed.
struct Keys {
    genesis: Genesis,
    secrets: Vec<Secrets>,
}

/// With a ledger, the first member owns all that there is.
fn keys(seed: u64, execution: Execution) -> Keys {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let dealt = deal(SIZE, 3, &mut rng);
    let identities: Vec<_> = (0..SIZE)
        .map(|_| IdentitySecret::generate(&mut rng))
        .collect();
    let members = identities.iter().zip(&dealt.shares_public);
    let genesis = Genesis {
        name: format!("store-{seed}"),
        shard: ShardId(0),
        epoch: Epoch(0),
        quorum: 3,
        group_key: dealt.group,
        members: members
            .map(|(identity, share_key)| Member {
                identity: identity.public(),
                share_key: *share_key,
            })
            .collect(),
        rule: RuleParameters::default(),
        execution,
        transfer_fee: 0,
        fee_asset: AssetId(0),
        assets: vec![GenesisAsset {
            id: AssetId(0),
            decimals: 6,
        }],
        allocations: match execution {
            Execution::Opaque => Vec::new(),
            Execution::Ledger => [(0, 1_000_000), (1, 1)]
                .map(|(sub, amount)| Allocation {
                    owner: identities[0].public(),
                    sub,
                    asset: AssetId(0),
                    amount,
                })
                .to_vec(),
        },
    };
    let secrets = identities.into_iter().zip(dealt.secrets);
    Keys {
        genesis,
        secrets: secrets
            .map(|(identity, share)| Secrets { identity, share })
            .collect(),
    }
}

impl Committee {
    /// A committee that orders whatever bytes it is given.
    pub(crate) fn new(seed: u64) -> Self {
        Self::executing(seed, Execution::Opaque)
    }

    pub(crate) fn executing(seed: u64, execution: Execution) -> Self {
        let directory = TempDir::new().unwrap();
        let genesis = keys(seed, execution).genesis;
        genesis_file::write_new(&genesis, &directory.path().join("genesis.json")).unwrap();
        Self {
            directory,
            genesis,
            seed,
            execution,
            ports: (0..SIZE).map(|_| free_port()).collect(),
        }
    }

    pub(crate) fn chain(&self) -> ChainId {
        self.genesis.chain_id()
    }

    pub(crate) fn secrets(&self, index: u16) -> Secrets {
        keys(self.seed, self.execution)
            .secrets
            .swap_remove(usize::from(index))
    }

    /// The first member sends one atom to its other account: its transaction of that sequence number.
    pub(crate) fn transfer(&self, sequence: u64) -> Bytes {
        let owner = self.secrets(0).identity;
        let account = AccountId::derive(&owner.public(), 0);
        let body = Body::Transfer {
            from: account,
            to: AccountId::derive(&owner.public(), 1),
            asset: AssetId(0),
            amount: 1,
        };
        let transaction = Transaction {
            chain: self.chain(),
            shard: self.genesis.shard,
            access: body.touched(),
            body,
            dependencies: Vec::new(),
            lane: 0,
            sequence,
            valid_until_round: Round(u64::MAX),
            max_fee: 0,
        };
        let id = transaction.id();
        let signature = owner.sign(DomainTag::TransactionSignature, &id.0);
        let signatures = vec![KeySignature {
            key_index: 0,
            signature,
        }];
        let signed = SignedTransaction::new(transaction, signatures);
        signed.to_bytes().into()
    }

    pub(crate) fn data_dir(&self, index: u16) -> PathBuf {
        self.directory.path().join(format!("validator-{index}"))
    }

    pub(crate) fn config(&self, index: u16) -> Config {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let members = self.genesis.members.iter().zip(&self.ports);
        let mut config = Config {
            data_dir: self.data_dir(index),
            genesis: self.directory.path().join("genesis.json"),
            listen: Listen {
                public: any,
                admin: any,
                peer: (Ipv4Addr::LOCALHOST, self.ports[usize::from(index)]).into(),
                metrics: any,
            },
            peers: members
                .map(|(member, port)| Peer {
                    identity: member.identity,
                    address: format!("127.0.0.1:{port}"),
                })
                .collect(),
            ..Config::default()
        };
        config.pacing.idle_interval_ms = config.pacing.busy_interval_ms;
        config.sync.behind_heights = 256;
        config
    }

    /// A configuration for a validator that runs alone: every port is free.
    pub(crate) fn lone_config(&self, index: u16, data_dir: impl Into<PathBuf>) -> Config {
        let mut config = self.config(index);
        config.data_dir = data_dir.into();
        config.listen.peer.set_port(0);
        config
    }

    pub(crate) async fn start(&self, index: u16) -> Seat {
        let node = Node::start(self.config(index), self.secrets(index)).await;
        Seat::new(node.unwrap())
    }

    /// Starts a validator that joins at the others' newest state.
    pub(crate) async fn join(&self, index: u16) -> Seat {
        let how = StartOptions {
            join: true,
            ..StartOptions::default()
        };
        let node = Node::start_how(self.config(index), self.secrets(index), how).await;
        Seat::new(node.unwrap())
    }

    pub(crate) async fn start_with(&self, config: Config, index: u16) -> Seat {
        let node = Node::start(config, self.secrets(index)).await;
        Seat::new(node.unwrap())
    }

    pub(crate) async fn start_with_disk(
        &self,
        config: Config,
        index: u16,
        log_disk: impl Disk + 'static,
    ) -> Seat {
        let node = Node::start_on(config, self.secrets(index), log_disk);
        Seat::new(node.await.unwrap())
    }

    pub(crate) async fn start_on(
        &self,
        index: u16,
        log_disk: impl Disk + 'static,
    ) -> Result<Seat, NodeError> {
        let node = Node::start_on(self.config(index), self.secrets(index), log_disk);
        node.await.map(Seat::new)
    }

    pub(crate) async fn start_all(&self) -> Vec<Seat> {
        let mut members = Vec::new();
        for index in 0..SIZE {
            members.push(self.start(index).await);
        }
        members
    }
}

/// A port outside the range from which systems take ports for outgoing connections, so that it is still free after a
/// restart.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 97).unwrap() * 100;
    loop {
        let port = 20_000 + spread + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A running validator and its clients.
pub(crate) struct Seat {
    pub(crate) node: Node,
    submit: SubmitServiceClient<Channel>,
    ledger: LedgerServiceClient<Channel>,
    admin: AdminServiceClient<Channel>,
}

impl Seat {
    pub(crate) fn new(node: Node) -> Self {
        let channel = |address: SocketAddr| {
            Endpoint::from_shared(format!("http://{address}"))
                .unwrap()
                .connect_lazy()
        };
        let addresses = node.addresses();
        Self {
            submit: SubmitServiceClient::new(channel(addresses.public)),
            ledger: LedgerServiceClient::new(channel(addresses.public)),
            admin: AdminServiceClient::new(channel(addresses.admin)),
            node,
        }
    }

    pub(crate) async fn submit(&self, transaction: impl Into<Bytes>) -> Result<(), Status> {
        let request = SubmitTransactionRequest {
            transaction: transaction.into(),
            wait: WaitFor::Unspecified.into(),
        };
        let answer = self.submit.clone().submit_transaction(request).await;
        answer.map(|_| ())
    }

    /// Hands a transaction in and answers its id.
    pub(crate) async fn submit_named(&self, transaction: Bytes) -> Bytes {
        let request = SubmitTransactionRequest {
            transaction,
            wait: WaitFor::Unspecified.into(),
        };
        let answer = self.submit.clone().submit_transaction(request).await;
        answer.unwrap().into_inner().transaction_id
    }

    pub(crate) async fn outcome(&self, transaction_id: Bytes) -> Result<u64, Status> {
        let request = GetOutcomeRequest { transaction_id };
        let answer = self.submit.clone().get_outcome(request).await?;
        match answer.into_inner().status.unwrap() {
            get_outcome_response::Status::Outcome(outcome) => Ok(outcome.height),
            get_outcome_response::Status::Pending(_) => Ok(0),
        }
    }

    pub(crate) async fn lowest_receipts(&self) -> u64 {
        let request = GetServiceInfoRequest {};
        let answer = self.ledger.clone().get_service_info(request).await.unwrap();
        answer.into_inner().info.unwrap().lowest_receipts_height()
    }

    pub(crate) async fn status(&self) -> GetStatusResponse {
        let answer = self.admin.clone().get_status(GetStatusRequest {}).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn certified(&self) -> u64 {
        self.status().await.certified_height()
    }

    pub(crate) async fn transactions(&self) -> u64 {
        self.status().await.transactions_total()
    }

    /// Highest round of validator `index`'s blocks that this one holds.
    pub(crate) async fn round_of(&self, index: u16) -> u64 {
        let status = self.status().await;
        let peer = status
            .peers
            .iter()
            .find(|peer| peer.validator() == u32::from(index));
        peer.unwrap().highest_round()
    }

    pub(crate) async fn header(&self, height: u64) -> Header {
        let request = GetHeaderRequest {
            height: Some(height),
        };
        let answer = self.ledger.clone().get_header(request).await.unwrap();
        (&answer.into_inner().header.unwrap()).try_into().unwrap()
    }

    pub(crate) async fn certificate(&self, height: u64) -> Certificate {
        let request = GetCertificateRequest {
            height: Some(height),
        };
        let answer = self.ledger.clone().get_certificate(request).await.unwrap();
        (&answer.into_inner().certificate.unwrap())
            .try_into()
            .unwrap()
    }

    /// Whether the certificate of a height is there.
    pub(crate) async fn serves(&self, height: u64) -> bool {
        let request = GetCertificateRequest {
            height: Some(height),
        };
        self.ledger.clone().get_certificate(request).await.is_ok()
    }

    /// Nobody was seen to break a rule.
    pub(crate) async fn assert_no_evidence(&self) {
        let request = ListEvidenceRequest::default();
        let answer = self.admin.clone().list_evidence(request).await.unwrap();
        assert_eq!(answer.into_inner().evidence, []);
    }
}

/// Polls until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All have executed at least `count` transactions, and certified what they executed then.
pub(crate) async fn until_settled(members: &[Seat], count: u64) {
    for member in members {
        until("transactions are executed", || async {
            member.transactions().await >= count
        })
        .await;
    }
    for member in members {
        let height = member.status().await.executed_height();
        until("heights are certified", || async {
            member.certified().await >= height
        })
        .await;
    }
}

pub(crate) async fn stop_all(members: Vec<Seat>) {
    for member in members {
        member.node.shutdown().await.unwrap();
    }
}

/// Copies a directory of files and directories.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
