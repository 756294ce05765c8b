//! What the threads of a validator share, and how effects are carried out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use quorate_consensus::VerifiedBlock;
use quorate_ledger::{Admission, PreparedBlock};
use quorate_store::tables::Tables;
use quorate_sync::Trust;
use quorate_types::limits::BLOCK_BYTES_MAX;
use quorate_types::{
    BlockRef, Commit, Committee, Evidence, Execution, FinalityShare, Genesis, Header, Height,
    Round, Timestamp, ValidatorIndex,
};
use quorate_validator::{Cryptography, Effect, Input, Job, Pool, Record};
use tokio::sync::{mpsc, oneshot, watch};

use super::archive::Archive;
use super::blocks::BlockIndex;
use super::budget::{ByteBudget, Held};
use super::error::NodeError;
use super::evidence::Found;
use super::execution::ExecutionItem;
use super::sync::Points;
use crate::api::Head;
use crate::config::Pruning;
use crate::metrics::Metrics;

/// Records that may wait for the log before the core waits for it.
pub(crate) const JOURNAL_QUEUE: usize = 4096;
/// Commits that may wait for execution before the core waits for it.
pub(crate) const EXECUTION_QUEUE: usize = 1024;
/// Bytes of blocks that may wait for the log before the core waits for it: some group commits.
const JOURNAL_BYTES_MAX: usize = 64 << 20;
/// Bytes of blocks in commits that may wait for execution before the core waits for it.
const EXECUTION_BYTES_MAX: usize = 128 << 20;
/// Bytes of blocks that are being prepared for execution, or are and wait for it, over all authors: each has an equal part, and
/// at least the largest block's. Decoded they take up about three times as much. What does not fit is prepared when it is
/// executed.
const PREPARED_BYTES_MAX: usize = 64 << 20;

/// Work for the log's thread.
pub(crate) enum JournalItem {
    /// A record for the log and what may be done once it is durable.
    Record {
        record: Record,
        then: Vec<Effect>,
        room: Held,
    },
    /// Tell when everything before this is durable.
    Barrier(SyncSender<()>),
}

/// How far the core can take messages of peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// The highest round whose blocks are not refused.
    pub(crate) round_most: Round,
    /// The highest height whose shares and certificates are kept.
    pub(crate) height_most: Height,
}

/// What the core last said of itself, for operators.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreStatus {
    pub(crate) consensus: quorate_consensus::Status,
}

/// When the transactions of one own block arrived in the pool: instants and counts.
type Arrivals = Vec<(Timestamp, u32)>;

/// Everything that several threads use.
pub(crate) struct Shared {
    pub(crate) me: ValidatorIndex,
    pub(crate) genesis: Genesis,
    pub(crate) committee: Committee,
    pub(crate) cryptography: Arc<dyn Cryptography>,
    pub(crate) metrics: Metrics,
    pub(crate) blocks: BlockIndex,
    pub(crate) archive: Archive,
    /// The points at which others can join.
    pub(crate) points: Points,
    /// What proves that a peer's point, or certificate, is the committee's.
    pub(crate) trust: Trust,
    /// How many heights behind a peer this node joins at the tip.
    pub(crate) behind_heights: u64,
    pub(crate) tables: Arc<Tables>,
    pub(crate) pool: Mutex<Pool>,
    pub(crate) admission: Mutex<Admission>,
    /// Own shares of heights that are not certified yet.
    pub(crate) shares: Mutex<BTreeMap<Height, FinalityShare>>,
    /// How far the chain is; subscribers of the public API follow it.
    pub(crate) head: watch::Sender<Head>,
    /// Counts what peers' streams may have to send; a change wakes them.
    pub(crate) changed: watch::Sender<u64>,
    /// Round of the last own block that is durable.
    own_round: AtomicU64,
    pub(crate) window: watch::Sender<Window>,
    pub(crate) status: Mutex<CoreStatus>,
    pub(crate) evidence: Mutex<Found>,
    /// Highest own round of each peer that was received and verified, from which its stream is resumed.
    pub(crate) received: Vec<AtomicU64>,
    /// Highest round of a block of each member that was verified here: what the member is told when it asks.
    pub(crate) held: Vec<AtomicU64>,
    /// When something last came from each peer, in microseconds since the start; 0 if nothing did.
    pub(crate) heard: Vec<AtomicU64>,
    /// Why the last connection to a peer ended, for operators.
    pub(crate) peer_errors: Mutex<BTreeMap<ValidatorIndex, String>>,
    pub(crate) peer_addresses: Vec<String>,
    pub(crate) data_dir: PathBuf,
    pub(crate) genesis_header: Header,
    pub(crate) connected: Vec<AtomicBool>,
    pub(crate) disk_full: AtomicBool,
    pub(crate) pruning: Pruning,
    /// The first segment of the log that is needed: what lies before it may go.
    pub(crate) log_from: AtomicU64,
    stopping: AtomicBool,
    in_flight: Mutex<BTreeMap<Round, Arrivals>>,
    certifying: Mutex<BTreeMap<Height, Arrivals>>,
    started: Instant,
    core: mpsc::UnboundedSender<Input>,
    journal: SyncSender<JournalItem>,
    execution: SyncSender<ExecutionItem>,
    fetches: mpsc::UnboundedSender<(ValidatorIndex, Vec<BlockRef>)>,
    fatal: mpsc::UnboundedSender<NodeError>,
    workers: rayon::ThreadPool,
    verifiers: rayon::ThreadPool,
    /// Blocks whose transactions are decoded and verified before their turn to be executed; `None` while they are.
    prepared: Mutex<BTreeMap<BlockRef, Option<(PreparedBlock, Held)>>>,
    /// By author, the room for those.
    prepared_room: Vec<ByteBudget>,
    journal_room: ByteBudget,
    execution_room: ByteBudget,
    /// Dropped after everything else, the open store above all: see [`Shared::new`].
    _released: oneshot::Sender<Infallible>,
}

/// The sending ends that effects go to.
pub(crate) struct Channels {
    /// Answers to the core. Not bounded by a number, but by the effects that they answer.
    pub(crate) core: mpsc::UnboundedSender<Input>,
    pub(crate) journal: SyncSender<JournalItem>,
    pub(crate) execution: SyncSender<ExecutionItem>,
    /// Fetches, bounded by the engine's limit of references in flight.
    pub(crate) fetches: mpsc::UnboundedSender<(ValidatorIndex, Vec<BlockRef>)>,
    pub(crate) fatal: mpsc::UnboundedSender<NodeError>,
}

/// Chain-bound parts of [`Shared`].
pub(crate) struct Parts {
    pub(crate) me: ValidatorIndex,
    pub(crate) genesis: Genesis,
    pub(crate) committee: Committee,
    pub(crate) cryptography: Arc<dyn Cryptography>,
    pub(crate) metrics: Metrics,
    pub(crate) blocks: BlockIndex,
    pub(crate) archive: Archive,
    pub(crate) trust: Trust,
    pub(crate) behind_heights: u64,
    pub(crate) tables: Arc<Tables>,
    pub(crate) pool: Pool,
    pub(crate) admission: Admission,
    pub(crate) workers: rayon::ThreadPool,
    pub(crate) verifiers: rayon::ThreadPool,
    pub(crate) head: Head,
    pub(crate) peer_addresses: Vec<String>,
    pub(crate) data_dir: PathBuf,
    pub(crate) genesis_header: Header,
    pub(crate) pruning: Pruning,
    pub(crate) log_from: u64,
}

impl Shared {
    /// The receiver resolves, to an error, once nobody uses this any more and the store is closed.
    pub(crate) fn new(parts: Parts, channels: Channels) -> (Self, oneshot::Receiver<Infallible>) {
        let members = parts.committee.members().len();
        let (_released, released) = oneshot::channel();
        let shared = Self {
            me: parts.me,
            points: Points::new(parts.genesis.rule.gc_depth),
            trust: parts.trust,
            behind_heights: parts.behind_heights,
            genesis: parts.genesis,
            committee: parts.committee,
            cryptography: parts.cryptography,
            metrics: parts.metrics,
            blocks: parts.blocks,
            archive: parts.archive,
            tables: parts.tables,
            pool: Mutex::new(parts.pool),
            admission: Mutex::new(parts.admission),
            shares: Mutex::default(),
            head: watch::Sender::new(parts.head),
            changed: watch::Sender::new(0),
            own_round: AtomicU64::new(0),
            window: watch::Sender::new(Window::default()),
            status: Mutex::default(),
            evidence: Mutex::default(),
            received: (0..members).map(|_| AtomicU64::new(0)).collect(),
            held: (0..members).map(|_| AtomicU64::new(0)).collect(),
            heard: (0..members).map(|_| AtomicU64::new(0)).collect(),
            peer_errors: Mutex::default(),
            peer_addresses: parts.peer_addresses,
            data_dir: parts.data_dir,
            genesis_header: parts.genesis_header,
            connected: (0..members).map(|_| AtomicBool::new(false)).collect(),
            disk_full: AtomicBool::new(false),
            pruning: parts.pruning,
            log_from: AtomicU64::new(parts.log_from),
            stopping: AtomicBool::new(false),
            in_flight: Mutex::default(),
            certifying: Mutex::default(),
            started: Instant::now(),
            core: channels.core,
            journal: channels.journal,
            execution: channels.execution,
            fetches: channels.fetches,
            fatal: channels.fatal,
            workers: parts.workers,
            verifiers: parts.verifiers,
            prepared: Mutex::default(),
            prepared_room: (0..members)
                .map(|_| {
                    ByteBudget::new((PREPARED_BYTES_MAX / members).max(BLOCK_BYTES_MAX as usize))
                })
                .collect(),
            journal_room: ByteBudget::new(JOURNAL_BYTES_MAX),
            execution_room: ByteBudget::new(EXECUTION_BYTES_MAX),
            _released,
        };
        (shared, released)
    }

    /// Microseconds since the node started.
    pub(crate) fn now(&self) -> Timestamp {
        let micros = self.started.elapsed().as_micros();
        Timestamp(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Stops the node with an error.
    pub(crate) fn fail(&self, error: NodeError) {
        // Nobody listens any more when the node is stopping already.
        let _ = self.fatal.send(error);
    }

    /// Answers the core.
    pub(crate) fn answer(&self, input: Input) {
        let _ = self.core.send(input);
    }

    /// Carries out effects, in order.
    pub(crate) fn perform(self: &Arc<Self>, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist { record, then } => {
                    let mut bytes = 0;
                    if let Record::Block(block) = &record {
                        self.prepare(block);
                        bytes = block.bytes().len();
                    }
                    let room = self.journal_room.take(bytes);
                    let item = JournalItem::Record { record, then, room };
                    let _ = self.journal.send(item);
                }
                Effect::SendBlock(block) => self.publish_block(block.round()),
                Effect::SendShare(share) => self.publish_share(share),
                Effect::Fetch { peer, blocks } => {
                    let _ = self.fetches.send((peer, blocks));
                }
                Effect::Compute(job) => self.compute(job),
                Effect::Execute(commit) => {
                    let blocks = commit.blocks.iter();
                    let bytes = blocks.map(|block| block.bytes().len()).sum();
                    let room = self.execution_room.take(bytes);
                    self.execute(ExecutionItem::Commit { commit, room });
                }
                Effect::Checkpoint(checkpoint) => {
                    // A checkpoint rests on blocks that may not be durable yet, and on none that come later.
                    let (done, durable) = sync_channel(1);
                    let _ = self.journal.send(JournalItem::Barrier(done));
                    self.execute(ExecutionItem::Checkpoint {
                        checkpoint,
                        durable,
                    });
                }
                Effect::Certified(certificate) => {
                    self.execute(ExecutionItem::Certified(certificate))
                }
                Effect::Reclaim {
                    round,
                    transactions,
                } => {
                    let mut pool = self
                        .pool
                        .lock()
                        .expect("no thread panics while it holds the pool");
                    pool.restore(self.now(), transactions.into_iter());
                    drop(pool);
                    self.take_arrivals(round);
                    self.payload_waiting();
                }
                Effect::Evidence(evidence) => self.keep_evidence(evidence),
                Effect::Amnesia { round } => {
                    tracing::error!(
                        %round,
                        "a peer shows an own block that the log lacks: this store is older than the validator; it proposes \
                         nothing until enough others have said what they hold"
                    );
                }
                Effect::Diverged {
                    height,
                    own,
                    certified,
                } => {
                    self.fail(NodeError::Diverged {
                        height,
                        own,
                        certified,
                    });
                }
            }
        }
    }

    /// Decodes and verifies a block's transactions while agreement goes on.
    fn prepare(self: &Arc<Self>, block: &VerifiedBlock) {
        if self.genesis.execution == Execution::Opaque || block.transaction_count() == 0 {
            return;
        }
        let room = &self.prepared_room[block.author().position()];
        let Some(room) = room.try_take(block.bytes().len()) else {
            return;
        };
        self.prepared
            .lock()
            .expect("no thread panics while it holds the prepared blocks")
            .insert(block.reference(), None);
        let (shared, block) = (Arc::clone(self), block.clone());
        self.verifiers.spawn_fifo(move || {
            let prepared = PreparedBlock::new(&block, &shared.archive.latest_snapshot());
            let mut all = shared
                .prepared
                .lock()
                .expect("no thread panics while it holds the prepared blocks");
            // Gone if it was executed or given up meanwhile.
            if let Some(wanted) = all.get_mut(&block.reference()) {
                *wanted = Some((prepared, room));
            }
        });
    }

    /// What is prepared of a commit's blocks; the ledger prepares the others itself.
    pub(crate) fn take_prepared(&self, commit: &Commit) -> Vec<PreparedBlock> {
        let mut all = self
            .prepared
            .lock()
            .expect("no thread panics while it holds the prepared blocks");
        let blocks = commit.blocks.iter();
        blocks
            .filter_map(|block| all.remove(&block.reference()).flatten())
            .map(|(prepared, _)| prepared)
            .collect()
    }

    /// Forgets blocks that no commit will output, or that were executed before they were prepared.
    pub(crate) fn forget_prepared(&self, gc_round: Round) {
        let mut all = self
            .prepared
            .lock()
            .expect("no thread panics while it holds the prepared blocks");
        all.retain(|block, _| block.round >= gc_round);
    }

    fn execute(&self, item: ExecutionItem) {
        let _ = self.execution.send(item);
    }

    /// Tells the threads of the log, the ledger and the tables that nothing more will come.
    pub(crate) fn stop_threads(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.execute(ExecutionItem::Stop);
    }

    /// Whether the node is being stopped.
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Tells the core that the pool holds something.
    pub(crate) fn payload_waiting(&self) {
        self.answer(Input::PayloadWaiting(true));
    }

    fn publish_share(&self, share: FinalityShare) {
        let mut shares = self
            .shares
            .lock()
            .expect("no thread panics while it holds the shares");
        shares.insert(share.height, share);
        drop(shares);
        self.wake_streams();
    }

    /// Peers may have the own block of `round`: it is durable.
    pub(crate) fn publish_block(&self, round: Round) {
        self.own_round.fetch_max(round.0, Ordering::Relaxed);
        self.wake_streams();
    }

    /// Round of the last own block that is durable.
    pub(crate) fn own_round(&self) -> Round {
        Round(self.own_round.load(Ordering::Relaxed))
    }

    fn wake_streams(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The chain went on.
    pub(crate) fn publish_head(&self, change: impl FnOnce(&mut Head)) {
        self.head.send_modify(change);
        self.wake_streams();
    }

    fn compute(self: &Arc<Self>, job: Job) {
        let shared = Arc::clone(self);
        self.workers.spawn_fifo(move || match job {
            Job::Propose { round, parents } => shared.propose(round, &parents),
            job => {
                if let Some(input) = job.run(&*shared.cryptography) {
                    shared.answer(input);
                }
            }
        });
    }

    /// Builds the own block of `round` with what the pool holds.
    fn propose(&self, round: Round, parents: &[BlockRef]) {
        let (taken, empty) = {
            let mut pool = self
                .pool
                .lock()
                .expect("no thread panics while it holds the pool");
            let taken = if self.disk_full.load(Ordering::Relaxed) {
                quorate_validator::Taken::default()
            } else {
                pool.take()
            };
            (taken, pool.is_empty())
        };
        if empty {
            self.answer(Input::PayloadWaiting(false));
        }
        if !taken.arrivals.is_empty() {
            let mut in_flight = self
                .in_flight
                .lock()
                .expect("no thread panics while it holds the arrivals");
            in_flight.insert(round, taken.arrivals);
        }
        match self
            .cryptography
            .propose(round, parents, unix_millis(), &taken.transactions)
        {
            Ok(block) => self.answer(Input::Built(block)),
            Err(error) => self.fail(error.into()),
        }
    }

    /// Arrivals of an own block's transactions, when it is output.
    pub(crate) fn take_arrivals(&self, round: Round) -> Arrivals {
        let mut in_flight = self
            .in_flight
            .lock()
            .expect("no thread panics while it holds the arrivals");
        in_flight.remove(&round).unwrap_or_default()
    }

    /// Observes commit latencies, and remembers the arrivals for the certificate.
    pub(crate) fn observe_commit(&self, height: Height, arrivals: Arrivals) {
        let now = self.now();
        for (arrived, count) in &arrivals {
            let latency = now.micros_since(*arrived);
            self.metrics
                .commit_latency
                .observe(latency, u64::from(*count));
        }
        if !arrivals.is_empty() {
            let mut certifying = self
                .certifying
                .lock()
                .expect("no thread panics while it holds the arrivals");
            certifying.insert(height, arrivals);
        }
    }

    /// Observes certificate latencies of everything up to `height`.
    pub(crate) fn observe_certificate(&self, height: Height) {
        let now = self.now();
        let mut certifying = self
            .certifying
            .lock()
            .expect("no thread panics while it holds the arrivals");
        let above = certifying.split_off(&height.next());
        for arrivals in std::mem::replace(&mut *certifying, above).into_values() {
            for (arrived, count) in arrivals {
                let latency = now.micros_since(arrived);
                self.metrics
                    .certificate_latency
                    .observe(latency, u64::from(count));
            }
        }
    }

    fn keep_evidence(&self, evidence: Evidence) {
        self.metrics.evidence.inc();
        let mut found = self
            .evidence
            .lock()
            .expect("no thread panics while it holds the evidence");
        let kept = found.add(&evidence);
        drop(found);
        if kept {
            tracing::warn!(?evidence, "a validator misbehaved");
            self.execute(ExecutionItem::Evidence(evidence));
        }
    }
}

/// Milliseconds since the Unix epoch, or 0 before it. No rule of agreement reads it.
pub(crate) fn unix_millis() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
