//! What the services need of the validator behind them.

use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_rpc::Fault;
use quorate_types::{
    AccountId, BlockRef, Certificate, ChainId, Epoch, Evidence, Execution, FinalityShare, Header,
    Height, IdentityKey, MerkleProof, Receipt, RejectCode, Round, ShardId, StateProof,
    ThresholdKey, TransactionId, ValidatorIndex,
};
use tokio::sync::watch;

/// When a client may try again after UNAVAILABLE.
const RETRY_NOT_READY: Duration = Duration::from_secs(1);

/// What does not change while a node runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The chain.
    pub chain: ChainId,
    /// The chain's name, for people.
    pub chain_name: String,
    /// The shard.
    pub shard: ShardId,
    /// The epoch.
    pub epoch: Epoch,
    /// The committee's group key.
    pub group_key: ThresholdKey,
    /// What becomes of transactions.
    pub execution: Execution,
    /// The program's version.
    pub build_version: &'static str,
}

/// How far the chain is. Whatever these heights name can be read before they are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The highest executed height.
    pub executed: Height,
    /// The highest height with a certificate, all below having one.
    pub certified: Height,
    /// The lowest height whose certificate is still kept; 1 if none was pruned.
    pub lowest: Height,
    /// The lowest height whose receipts are still kept; 1 if none were pruned.
    pub lowest_receipts: Height,
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Above the head.
    #[error("height {height} is above the head {head}")]
    NotReached {
        /// The height asked for.
        height: Height,
        /// The head.
        head: Height,
    },
    /// No longer kept.
    #[error("heights below {lowest} are no longer kept")]
    Pruned {
        /// The lowest height that is.
        lowest: Height,
    },
    /// The blocks of a round are no longer kept.
    #[error("blocks of rounds below {lowest} are no longer kept")]
    RoundPruned {
        /// The lowest round whose blocks are.
        lowest: Round,
    },
    /// The chain does not execute.
    #[error("the chain keeps no accounts")]
    NoLedger,
    /// Recovering or overloaded.
    #[error("not ready")]
    NotReady,
    /// The part that should answer is gone.
    #[error("shutting down")]
    Stopped,
    /// A failure of the environment or a bug: logged here, not told to the caller.
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl From<ViewError> for Fault {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::NotReached { height, head } => Self::height_not_reached(height, head),
            ViewError::Pruned { lowest } => Self::height_pruned(lowest),
            ViewError::RoundPruned { lowest } => Self::round_pruned(lowest),
            ViewError::NoLedger => Self::no_ledger(),
            ViewError::NotReady => Self::not_ready(RETRY_NOT_READY),
            ViewError::Stopped => Self::shutting_down(),
            ViewError::Internal(source) => internal(&*source),
        }
    }
}

/// Logs a failure under a number that the caller is told.
pub(super) fn internal(error: &(dyn Error + Send + Sync + 'static)) -> Fault {
    static INCIDENTS: AtomicU64 = AtomicU64::new(1);
    let incident = INCIDENTS.fetch_add(1, Ordering::Relaxed);
    let error: &(dyn Error + 'static) = error;
    tracing::error!(
        incident = format_args!("{incident:016x}"),
        error,
        "a call failed"
    );
    Fault::internal(incident)
}

/// An account as it was at one height.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The canonical account, or `None` if it did not exist.
    pub value: Option<Vec<u8>>,
    /// Proof of that under `header.state_root`.
    pub proof: StateProof,
    /// The header at the height.
    pub header: Header,
    /// Its certificate; `None` at height 0.
    pub certificate: Option<Certificate>,
}

/// A receipt and where it stands.
#[derive(Clone, Debug)]
pub struct OutcomeView {
    /// The receipt.
    pub receipt: Receipt,
    /// Its place under `header.receipts_root`.
    pub inclusion: MerkleProof,
    /// The header of the height that ordered the transaction.
    pub header: Header,
    /// That height's certificate, once there is one.
    pub certificate: Option<Certificate>,
}

/// What is known of a transaction.
#[derive(Clone, Debug)]
pub enum TransactionStatus {
    /// Nothing, or no longer anything.
    Unknown,
    /// It waits for a block, or its block waits to be ordered.
    Pending,
    /// It was executed.
    Executed(Box<OutcomeView>),
}

/// Reads of what is final. Cheap to ask from many tasks at once; slow reads run off the calling thread.
pub trait LedgerView: Send + Sync + 'static {
    /// What does not change.
    fn facts(&self) -> &Facts;

    /// How far the chain is; changes whenever one of the heights does. Closed once the node stops.
    fn head(&self) -> watch::Receiver<Head>;

    /// The header of an executed height.
    fn header(&self, height: Height) -> impl Future<Output = Result<Header, ViewError>> + Send;

    /// Consecutive certificates from `from` on: at most `count`, fewer or none at the head.
    /// [`ViewError::Pruned`] if `from` is no longer kept.
    fn certificates(
        &self,
        from: Height,
        count: u32,
    ) -> impl Future<Output = Result<Vec<Certificate>, ViewError>> + Send;

    /// An account at `height`, or at the highest certified height whose state is at hand.
    fn account(
        &self,
        id: AccountId,
        height: Option<Height>,
    ) -> impl Future<Output = Result<AccountView, ViewError>> + Send;

    /// What is known of a transaction.
    fn outcome(
        &self,
        id: TransactionId,
    ) -> impl Future<Output = Result<TransactionStatus, ViewError>> + Send;
}

/// Why a transaction was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It is not admissible.
    #[error("{0}")]
    Rejected(RejectCode),
    /// The pool is full.
    #[error("the pool is full, retry after {retry:?}")]
    PoolFull {
        /// When there will be room, by estimate.
        retry: Duration,
    },
    /// The node is recovering.
    #[error("not ready")]
    NotReady,
    /// The node goes down.
    #[error("shutting down")]
    Stopped,
}

impl From<SubmitError> for Fault {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Rejected(code) => Self::rejected(code),
            SubmitError::PoolFull { retry } => Self::pool_full(retry),
            SubmitError::NotReady => Self::not_ready(RETRY_NOT_READY),
            SubmitError::Stopped => Self::shutting_down(),
        }
    }
}

/// Admission to the pool.
pub trait Submitter: Send + Sync + 'static {
    /// Admits transactions in order and answers one result for each. Their lengths are within bounds, everything else
    /// is to be checked. One that waits already or was executed already is answered with its id again.
    fn submit(
        &self,
        transactions: Vec<Bytes>,
    ) -> impl Future<Output = Vec<Result<TransactionId, SubmitError>>> + Send;
}

/// State of the connection to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Its stream is up.
    Connected,
    /// Being dialled.
    Connecting,
    /// Waiting before it is dialled again.
    Disconnected,
}

/// How a peer is doing.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Who it is.
    pub index: ValidatorIndex,
    /// Its identity key.
    pub identity: IdentityKey,
    /// Where it is dialled.
    pub address: String,
    /// The connection.
    pub state: ConnectionState,
    /// The highest round a block of it came for.
    pub highest_round: Round,
    /// Time since anything came from it.
    pub silent: Option<Duration>,
    /// Why the last connection failed; empty if none did.
    pub last_error: String,
}

/// Sizes on disk, in bytes and pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreSizes {
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Segments of the log.
    pub log_segments: u64,
    /// Bytes of the tables.
    pub tables_bytes: u64,
}

/// How the validator is doing.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Which member it is.
    pub validator: ValidatorIndex,
    /// Round of its last own block.
    pub own_round: Round,
    /// The highest round it holds a block of.
    pub highest_round: Round,
    /// The highest committed height.
    pub committed: Height,
    /// Transactions that wait.
    pub pool_transactions: u64,
    /// Bytes that wait.
    pub pool_bytes: u64,
    /// Transactions ordered since genesis.
    pub transactions_total: u64,
    /// The other members, ascending by index.
    pub peers: Vec<PeerView>,
    /// Sizes on disk.
    pub store: StoreSizes,
    /// Time since the start.
    pub uptime: Duration,
    /// Whether it is still recovering or catching up.
    pub recovering: bool,
}

/// What an operator may ask.
pub trait Operator: Send + Sync + 'static {
    /// How the validator is doing.
    fn status(&self) -> impl Future<Output = Result<NodeStatus, ViewError>> + Send;

    /// Evidence from the `from`th entry on, at most `count`.
    fn evidence(
        &self,
        from: u64,
        count: u32,
    ) -> impl Future<Output = Result<Vec<Evidence>, ViewError>> + Send;

    /// Starts a graceful stop and returns at once. Harmless when repeated.
    fn shutdown(&self);
}

/// Where this validator stands, told to a peer that connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The highest round of which a block of the caller is held here; 0 if none is.
    pub caller_highest: Round,
    /// Round of the last own block that was sent.
    pub own_round: Round,
    /// The highest certified height.
    pub certified: Height,
    /// The lowest height whose certificate is still kept.
    pub lowest: Height,
    /// The lowest round whose blocks are still kept; 1 if none was pruned.
    pub lowest_round: Round,
}

/// What finality has for one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalityItem {
    /// The height is certified.
    Certificate(Box<Certificate>),
    /// It is not; this is the own share.
    Share(FinalityShare),
}

impl FinalityItem {
    /// The height.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Certificate(certificate) => certificate.header.height,
            Self::Share(share) => share.height,
        }
    }
}

/// What peers are due. Nothing may be answered here before what binds the validator to it is durable.
pub trait PeerSource: Send + Sync + 'static {
    /// Where this validator stands.
    fn standing(
        &self,
        caller: ValidatorIndex,
    ) -> impl Future<Output = Result<Standing, ViewError>> + Send;

    /// Own blocks at rounds >= `from`, ascending, none left out in between: at most `bytes_max` bytes of them, but at least
    /// one if there is any. [`ViewError::RoundPruned`] if blocks of round `from` are no longer kept.
    fn own_blocks(
        &self,
        from: Round,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Vec<(Round, Bytes)>, ViewError>> + Send;

    /// Heights >= `from`, consecutive and at most `count`: the certificate of each certified one, the own share of each
    /// above. [`ViewError::Pruned`] if the certificate of `from` is no longer kept.
    fn finality(
        &self,
        from: Height,
        count: u32,
    ) -> impl Future<Output = Result<Vec<FinalityItem>, ViewError>> + Send;

    /// Those of `blocks` that are held, in order, until `bytes_max` is passed.
    fn fetch(
        &self,
        blocks: Vec<BlockRef>,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Vec<Bytes>, ViewError>> + Send;

    /// Changes whenever [`PeerSource::own_blocks`] or [`PeerSource::finality`] has something new; the value means
    /// nothing. Closed once the node stops.
    fn changed(&self) -> watch::Receiver<u64>;
}

#[cfg(test)]
pub(super) mod tests {
    use quorate_types::{BlockId, CommitteeHash, Hash32, HeaderHash, Signature};

    use super::*;

    /// A chain with certificates and nothing else.
    pub(in crate::api) struct Certified {
        facts: Facts,
        head: watch::Sender<Head>,
    }

    impl Certified {
        pub(in crate::api) fn new(certified: u64) -> Self {
            let head = Head {
                executed: Height(certified),
                certified: Height(certified),
                lowest: Height(1),
                lowest_receipts: Height(1),
            };
            let facts = Facts {
                chain: ChainId([1; 32]),
                chain_name: String::new(),
                shard: ShardId(0),
                epoch: Epoch(0),
                group_key: ThresholdKey([0; 96]),
                execution: Execution::Opaque,
                build_version: "",
            };
            Self {
                facts,
                head: watch::Sender::new(head),
            }
        }
    }

    impl LedgerView for Certified {
        fn facts(&self) -> &Facts {
            &self.facts
        }

        fn head(&self) -> watch::Receiver<Head> {
            self.head.subscribe()
        }

        async fn header(&self, height: Height) -> Result<Header, ViewError> {
            Ok(Header {
                chain: self.facts.chain,
                shard: self.facts.shard,
                epoch: self.facts.epoch,
                height,
                previous: HeaderHash([0; 32]),
                leader_round: Round(0),
                leader_author: ValidatorIndex(0),
                leader: BlockId([0; 32]),
                timestamp_ms: 0,
                transactions_total: 0,
                blocks_root: Hash32::ZERO,
                receipts_root: Hash32::ZERO,
                outbox_root: Hash32::ZERO,
                state_root: Hash32::ZERO,
                next_committee: CommitteeHash([0; 32]),
            })
        }

        async fn certificates(
            &self,
            from: Height,
            count: u32,
        ) -> Result<Vec<Certificate>, ViewError> {
            let certified = self.head.borrow().certified;
            let mut certificates = Vec::new();
            for height in (from.0..=certified.0).take(count as usize) {
                certificates.push(Certificate {
                    header: self.header(Height(height)).await?,
                    signature: Signature([0; 48]),
                });
            }
            Ok(certificates)
        }

        async fn account(
            &self,
            _id: AccountId,
            _height: Option<Height>,
        ) -> Result<AccountView, ViewError> {
            Err(ViewError::NoLedger)
        }

        async fn outcome(&self, _id: TransactionId) -> Result<TransactionStatus, ViewError> {
            Ok(TransactionStatus::Unknown)
        }
    }
}
