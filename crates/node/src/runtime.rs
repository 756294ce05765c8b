//! A running validator: recovery, threads, listeners, shutdown.
//!
//! Threads: `core` owns the state machine of agreement and finality; `log` owns the log and syncs it; `ledger` executes
//! commits; `tables` writes checkpoints; a small pool runs cryptography; the caller's tokio runtime owns the sockets. Each
//! queue between them is bounded, by a number or by the effects it answers, and they form no cycle that could wait for
//! itself.

mod api;
mod archive;
mod blocks;
mod budget;
mod core;
pub mod database;
mod error;
mod evidence;
mod execution;
mod inbox;
mod journal;
mod listen;
mod peers;
mod pruning;
mod recovery;
mod shared;
mod store;
mod sync;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use quorate_ledger::{Admission, AdmissionLimits};
use quorate_rpc::peer::v1::sync_service_client::SyncServiceClient;
use quorate_store::disk::{Disk, DiskError, OsDisk};
use quorate_sync::Trust;
use quorate_types::{Committee, Timestamp, ValidatorIndex};
use quorate_validator::{BlsCryptography, Cryptography, Pool, PoolLimits};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

pub(crate) use self::store::LOG_DIRECTORY;
pub use error::NodeError;

use crate::api::Head;
use crate::config::Config;
use crate::keystore::Secrets;
use crate::metrics::Metrics;
use crate::net::PeerTls;
use crate::started;
use archive::Archive;
use blocks::BlockIndex;
use evidence::EvidenceFile;
use listen::Listeners;
use pruning::Floor;
use shared::{Channels, EXECUTION_QUEUE, JOURNAL_QUEUE, Parts, Shared};

/// Threads that run cryptography: two, so that a long batch does not delay a proposal.
const WORKERS: usize = 2;
/// Threads that verify transactions of blocks before their turn: apart from the others, so that no proposal waits for a
/// long payload.
const VERIFIERS: usize = 2;

/// How long a shutdown waits for the last computations to let go of the store.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The clients' API.
    pub public: SocketAddr,
    /// The operator's API.
    pub admin: SocketAddr,
    /// The other validators.
    pub peer: SocketAddr,
    /// Prometheus metrics.
    pub metrics: SocketAddr,
}

/// How a node is started, when not as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartOptions {
    /// The data directory is not the newest that this validator had: lost, or restored from a backup. It proposes nothing
    /// until a quorum of others has said what they hold from it. Once is enough: the log remembers.
    pub lost_disk: bool,
    /// Whether the mark beside the share's key store is heeded and written: see [`StartedError`](crate::started::StartedError).
    /// Not for shares that never were in a file.
    pub marked: bool,
    /// Joins at a peer's newest state before anything else: what [`NodeError::Behind`] asks for.
    pub join: bool,
}

/// A running validator.
pub struct Node {
    addresses: Addresses,
    shared: Arc<Shared>,
    released: oneshot::Receiver<Infallible>,
    fatal: mpsc::UnboundedReceiver<NodeError>,
    stop: CancellationToken,
    stop_core: Option<oneshot::Sender<()>>,
    servers: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<(&'static str, JoinHandle<()>)>,
    stop_requested: Arc<tokio::sync::Notify>,
}

impl Node {
    /// Opens the store, recovers, and joins the committee.
    ///
    /// # Errors
    /// [`NodeError`]: nothing was left running.
    pub async fn start(config: Config, secrets: Secrets) -> Result<Self, NodeError> {
        let how = StartOptions::default();
        Self::start_with(config, secrets, |directory| OsDisk::open(directory), how).await
    }

    /// As [`Node::start`], for special circumstances.
    ///
    /// # Errors
    /// [`NodeError`]: nothing was left running.
    pub async fn start_how(
        config: Config,
        secrets: Secrets,
        how: StartOptions,
    ) -> Result<Self, NodeError> {
        Self::start_with(config, secrets, |directory| OsDisk::open(directory), how).await
    }

    /// As [`Node::start`], with the log on a disk of the caller's, which may be one that fills up and fails on demand. The
    /// tables stay in the data directory.
    ///
    /// # Errors
    /// [`NodeError`]: nothing was left running.
    pub async fn start_on(
        config: Config,
        secrets: Secrets,
        log_disk: impl Disk + 'static,
    ) -> Result<Self, NodeError> {
        Self::start_with(config, secrets, |_| Ok(log_disk), StartOptions::default()).await
    }

    async fn start_with<D: Disk + 'static>(
        config: Config,
        secrets: Secrets,
        log_disk: impl FnOnce(&Path) -> Result<D, DiskError>,
        how: StartOptions,
    ) -> Result<Self, NodeError> {
        let genesis = crate::genesis_file::read(&config.genesis)
            .map_err(|error| NodeError::GenesisFile(Box::new(error)))?;
        let committee = genesis
            .committee()
            .map_err(quorate_types::GenesisError::from)?;
        let me = committee
            .index_of(&secrets.identity.public())
            .ok_or(quorate_validator::KeyError::NotMember)?;
        listen::check_peers(&config, &committee)?;
        let tls = Arc::new(PeerTls::new(&committee, me, &secrets.identity)?);
        let cryptography =
            BlsCryptography::new(committee.clone(), secrets.identity, secrets.share)?;
        let listeners = Listeners::bind(&config).await?;
        if how.marked {
            started::check(&config, how.lost_disk)?;
        }

        let metrics = Metrics::default();
        let identity = committee.members()[me.position()].identity;
        let mut opened = store::open(
            &config.data_dir,
            log_disk,
            &committee.chain(),
            &identity,
            config.pruning.segment_bytes,
        )?;
        if how.marked {
            started::mark(&config)?;
        }
        let channels_to = listen::peer_channels(&config, &committee, me, &tls)?;
        let trust = Trust::new(committee.clone(), genesis.rule).map_err(NodeError::GroupKey)?;
        let mut restored = Archive::restore(&opened.tables)?;
        if how.join {
            let join = sync::Join {
                me,
                genesis: &genesis,
                trust: &trust,
                tables: &opened.tables,
                peers: sync_clients(&channels_to),
                above: restored.certified,
                metrics: &metrics,
            };
            join.run(&mut opened.wal, restored.replay_from).await?;
            restored = Archive::restore(&opened.tables)?;
        }
        let floor = Floor::restore(&opened.tables)?;
        let ledger = recovery::ledger(&genesis, &restored, &opened.tables)?;
        let archive = Archive::new(
            Arc::clone(&opened.tables),
            ledger.snapshot(),
            ledger.head(),
            restored.certified,
            restored.lowest,
            floor.receipts,
        );
        let (answers_in, answers) = mpsc::unbounded_channel();
        let (network_in, network) = inbox::queue(committee.size());
        let (journal_in, journal) = std_mpsc::sync_channel(JOURNAL_QUEUE);
        let (execution_in, execution) = std_mpsc::sync_channel(EXECUTION_QUEUE);
        let (tables_in, tables) = std_mpsc::sync_channel(execution::TABLES_QUEUE);
        let (fetches_in, fetches) = mpsc::unbounded_channel();
        let (fatal_in, fatal) = mpsc::unbounded_channel();
        let parts = Parts {
            me,
            committee: committee.clone(),
            cryptography: Arc::new(cryptography) as Arc<dyn Cryptography>,
            metrics,
            blocks: BlockIndex::new(me, opened.wal.reader(), floor.round, opened.segments),
            archive,
            trust,
            behind_heights: config.sync.behind_heights,
            tables: opened.tables,
            pool: Pool::new(pool_limits(&config)),
            admission: Admission::new(me, ledger.snapshot(), AdmissionLimits::default()),
            workers: thread_pool("crypto", WORKERS)?,
            verifiers: thread_pool("verify", VERIFIERS)?,
            head: Head {
                executed: ledger.head().height,
                certified: restored.certified,
                lowest: restored.lowest,
                lowest_receipts: floor.receipts,
            },
            pruning: config.pruning,
            log_from: floor.segment,
            peer_addresses: peer_addresses(&config, &committee),
            data_dir: config.data_dir.clone(),
            genesis_header: quorate_ledger::Ledger::genesis_header(&genesis)?,
            genesis,
        };
        let channels = Channels {
            core: answers_in,
            journal: journal_in,
            execution: execution_in,
            fetches: fetches_in,
            fatal: fatal_in,
        };
        let (shared, released) = Shared::new(parts, channels);
        let shared = Arc::new(shared);

        let evidence = EvidenceFile::open(&config.data_dir)?;
        let mut recovered = recovery::run(
            &config,
            ledger,
            restored,
            &opened.wal,
            &shared,
            how.lost_disk,
        )?;
        let (stop_core, core_stopped) = oneshot::channel();
        let stop = CancellationToken::new();
        let stop_requested = Arc::new(tokio::sync::Notify::new());
        let addresses = listeners.addresses;
        let peers = listen::connect_peers(&channels_to, &shared, &network_in);

        let mut threads = Vec::new();
        let shared_log = Arc::clone(&shared);
        let wal = opened.wal;
        threads.push(spawn("log", move || {
            journal::run(wal, &journal, &shared_log)
        })?);
        let shared_ledger = Arc::clone(&shared);
        let ledger = recovered.ledger;
        threads.push(spawn("ledger", move || {
            execution::run(ledger, &execution, &tables_in, evidence, &shared_ledger);
        })?);
        let shared_tables = Arc::clone(&shared);
        threads.push(spawn("tables", move || {
            execution::run_tables(&tables, &shared_tables)
        })?);

        let mut effects = std::mem::take(&mut recovered.effects);
        recovered.validator.start(shared.now(), &mut effects);
        core::publish_window(&recovered.validator, &shared);
        shared.perform(effects);
        let inputs = core::Inputs {
            answers,
            network,
            stop: core_stopped,
        };
        let shared_core = Arc::clone(&shared);
        let validator = recovered.validator;
        threads.push(spawn("core", move || {
            core::run(validator, inputs, &shared_core)
        })?);

        let mut servers = listeners.serve(&shared, &tls, &stop, &stop_requested).await;
        for peer in peers.iter().flatten().cloned() {
            servers.push(tokio::spawn(peer.follow(stop.clone())));
        }
        let backfill = sync::Backfill {
            shared: Arc::clone(&shared),
            peers: sync_clients(&channels_to),
        };
        servers.push(tokio::spawn(sync::run_history(backfill, stop.clone())));
        servers.push(tokio::spawn(peers::run_fetches(
            fetches,
            peers,
            stop.clone(),
        )));
        Ok(Self {
            addresses,
            shared,
            released,
            fatal,
            stop,
            stop_core: Some(stop_core),
            servers,
            threads,
            stop_requested,
        })
    }

    /// Where the node listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The chain's id, for people.
    #[must_use]
    pub fn chain_id(&self) -> quorate_types::ChainId {
        self.shared.committee.chain()
    }

    /// The validator's index.
    #[must_use]
    pub fn index(&self) -> ValidatorIndex {
        self.shared.me
    }

    /// Resolves with the reason if the node cannot go on, or with `None` if an operator asked it to stop.
    pub async fn wait(&mut self) -> Option<NodeError> {
        tokio::select! {
            error = self.fatal.recv() => error,
            () = self.stop_requested.notified() => None,
        }
    }

    /// Stops taking work, ends the streams, writes what is under way, joins the threads and closes the store, so that
    /// another node can open it.
    ///
    /// # Errors
    /// The first error that a thread met since the start, or a thread that panicked.
    pub async fn shutdown(mut self) -> Result<(), NodeError> {
        self.stop.cancel();
        for server in self.servers.drain(..) {
            let _ = server.await;
        }
        if let Some(stop) = self.stop_core.take() {
            let _ = stop.send(());
        }
        self.shared.stop_threads();
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for (name, thread) in threads {
                thread.join().map_err(|_| NodeError::ThreadEnded(name))?;
            }
            Ok(())
        });
        joined
            .await
            .unwrap_or(Err(NodeError::ThreadEnded("shutdown")))?;
        let failed = self.fatal.try_recv().map_or(Ok(()), Err);
        drop(self.shared);
        let released = tokio::time::timeout(RELEASE_TIMEOUT, self.released).await;
        if released.is_err() {
            tracing::warn!("something still uses the store");
        }
        failed
    }

    /// The instant of the node's clock, for tests and status.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Whether the disk was found full and has not had room since.
    #[must_use]
    pub fn disk_full(&self) -> bool {
        self.shared.disk_full.load(Ordering::Relaxed)
    }
}

fn sync_clients(
    channels: &[(ValidatorIndex, Channel)],
) -> Vec<(ValidatorIndex, SyncServiceClient<Channel>)> {
    let channels = channels.iter();
    channels
        .map(|(index, channel)| (*index, sync::client(channel.clone())))
        .collect()
}

/// Where each member is dialled; empty where the configuration does not say.
fn peer_addresses(config: &Config, committee: &Committee) -> Vec<String> {
    let address = |identity| config.peers.iter().find(|peer| peer.identity == identity);
    let members = committee.members().iter();
    members
        .map(|member| {
            address(member.identity).map_or_else(String::new, |peer| peer.address.clone())
        })
        .collect()
}

fn pool_limits(config: &Config) -> PoolLimits {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    PoolLimits {
        bytes_max: count(config.limits.pool_bytes),
        transactions_max: count(config.limits.pool_transactions),
        block_bytes_max: count(u64::from(config.limits.block_bytes)),
    }
}

fn thread_pool(name: &'static str, threads: usize) -> Result<rayon::ThreadPool, NodeError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |index| format!("{name}-{index}"))
        .build()
        .map_err(|error| NodeError::system("threads")(std::io::Error::other(error)))
}

fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<(&'static str, JoinHandle<()>), NodeError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let handle = thread.spawn(run).map_err(NodeError::system("thread"))?;
    Ok((name, handle))
}
