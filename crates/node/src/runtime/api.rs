//! The running validator as the gRPC services see it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use quorate_ledger::{AdmissionError, Authenticated, StateChunk};
use quorate_sync::{CommitRecord, SyncPoint};
use quorate_types::{
    AccountId, Blake3, BlockRef, Certificate, Decode, DomainTag, Evidence, Execution, Hash32,
    Header, Height, RejectCode, Round, SignedTransaction, StateKey, TransactionId, ValidatorIndex,
};
use tokio::sync::{Notify, watch};

use super::error::NodeError;
use super::shared::Shared;
use crate::api::{
    AccountView, ConnectionState, Facts, FinalityItem, Head, LedgerView, NodeStatus, Operator,
    OutcomeView, PeerSource, PeerView, Standing, StoreSizes, SubmitError, Submitter, SyncSource,
    TransactionStatus, ViewError,
};
use crate::metrics::ReasonLabel;

/// When a client whose transaction found no room should try again: a few commits later.
const RETRY_POOL: Duration = Duration::from_millis(250);

/// One validator, behind all services.
pub(crate) struct Service {
    facts: Facts,
    shared: Arc<Shared>,
    stop_requested: Arc<Notify>,
}

impl Service {
    pub(crate) fn new(shared: Arc<Shared>, stop_requested: Arc<Notify>) -> Self {
        let committee = &shared.committee;
        let facts = Facts {
            chain: committee.chain(),
            chain_name: shared.genesis.name.clone(),
            shard: committee.shard(),
            epoch: committee.epoch(),
            group_key: *committee.group_key(),
            execution: shared.genesis.execution,
            build_version: env!("CARGO_PKG_VERSION"),
        };
        Self {
            facts,
            shared,
            stop_requested,
        }
    }

    /// Runs a read that may touch the disk off the calling thread.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || read(&shared))
            .await
            .unwrap_or(Err(ViewError::Stopped))
    }
}

impl From<NodeError> for ViewError {
    fn from(error: NodeError) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// The certificate of a height at or below the certified one.
fn certificate(shared: &Shared, height: Height) -> Result<Certificate, ViewError> {
    let found = shared.archive.certificate(height)?;
    found.ok_or_else(|| missing(shared, height))
}

/// Why nothing is stored at a height that was certified: state sync has passed over it, or the store is damaged.
fn missing(shared: &Shared, height: Height) -> ViewError {
    let lowest = shared.archive.lowest();
    if height < lowest {
        return ViewError::Pruned { lowest };
    }
    NodeError::MissingHeight(height).into()
}

fn header(shared: &Shared, height: Height) -> Result<Header, ViewError> {
    let head = shared.archive.head();
    if height > head {
        return Err(ViewError::NotReached { height, head });
    }
    let found = shared.archive.header(height)?;
    found.ok_or_else(|| missing(shared, height))
}

impl LedgerView for Service {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    async fn header(&self, height: Height) -> Result<Header, ViewError> {
        self.read(move |shared| header(shared, height)).await
    }

    async fn certificates(&self, from: Height, count: u32) -> Result<Vec<Certificate>, ViewError> {
        self.read(move |shared| {
            let last = from
                .0
                .saturating_add(u64::from(count))
                .min(shared.archive.certified().0 + 1);
            (from.0..last)
                .map(|height| certificate(shared, Height(height)))
                .collect()
        })
        .await
    }

    async fn account(
        &self,
        id: AccountId,
        height: Option<Height>,
    ) -> Result<AccountView, ViewError> {
        if self.facts.execution == Execution::Opaque {
            return Err(ViewError::NoLedger);
        }
        self.read(move |shared| {
            let certified = shared.archive.certified();
            let height = height.unwrap_or(certified);
            if height > certified {
                return Err(ViewError::NotReached {
                    height,
                    head: certified,
                });
            }
            let snapshot = shared
                .archive
                .snapshot(height)
                .ok_or_else(|| ViewError::Pruned {
                    lowest: shared.archive.lowest_snapshot(),
                })?;
            let (value, proof) = snapshot.prove(&StateKey::Account(id));
            let certificate = match height {
                Height(0) => None,
                _ => Some(certificate(shared, height)?),
            };
            let header = match &certificate {
                Some(certificate) => certificate.header.clone(),
                None => shared.genesis_header.clone(),
            };
            Ok(AccountView {
                value,
                proof,
                header,
                certificate,
            })
        })
        .await
    }

    async fn outcome(&self, id: TransactionId) -> Result<TransactionStatus, ViewError> {
        self.read(move |shared| outcome(shared, &id)).await
    }
}

fn outcome(shared: &Shared, id: &TransactionId) -> Result<TransactionStatus, ViewError> {
    let Some((height, index)) = shared.archive.outcome(id)? else {
        let admission = shared
            .admission
            .lock()
            .expect("no thread panics while it holds the admission");
        let pending = admission.is_pending(id);
        return Ok(if pending {
            TransactionStatus::Pending
        } else {
            TransactionStatus::Unknown
        });
    };
    let receipts = shared.archive.receipts(height)?;
    let lowest = shared.archive.lowest_receipts();
    let receipts = match receipts {
        Some(receipts) => receipts,
        // Dropped since the outcome was looked up.
        None if height < lowest => return Err(ViewError::Pruned { lowest }),
        None => return Err(NodeError::MissingHeight(height).into()),
    };
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let inclusion =
        quorate_ledger::receipt_proof(&receipts, index).ok_or(NodeError::StoredOutcome)?;
    Ok(TransactionStatus::Executed(Box::new(OutcomeView {
        receipt: receipts[index].clone(),
        inclusion,
        header: header(shared, height)?,
        certificate: shared.archive.certificate(height)?,
    })))
}

impl Submitter for Service {
    async fn submit(&self, transactions: Vec<Bytes>) -> Vec<Result<TransactionId, SubmitError>> {
        let count = transactions.len();
        let shared = Arc::clone(&self.shared);
        let submitted = tokio::task::spawn_blocking(move || shared.submit(transactions)).await;
        submitted.unwrap_or_else(|_| vec![Err(SubmitError::Stopped); count])
    }
}

impl Shared {
    fn submit(&self, transactions: Vec<Bytes>) -> Vec<Result<TransactionId, SubmitError>> {
        let room = {
            let pool = self
                .pool
                .lock()
                .expect("no thread panics while it holds the pool");
            pool.has_room()
        };
        if !room {
            // Before any signature is looked at: a flood costs little once the pool is full.
            return self.refuse(transactions.len());
        }
        let results = match self.genesis.execution {
            Execution::Opaque => self.submit_opaque(transactions),
            Execution::Ledger => self.submit_signed(transactions),
        };
        self.count_refused(&results);
        results
    }

    /// Refuses everything until there is room again.
    fn refuse(&self, count: usize) -> Vec<Result<TransactionId, SubmitError>> {
        let results = vec![Err(SubmitError::PoolFull { retry: RETRY_POOL }); count];
        self.count_refused(&results);
        results
    }

    fn count_refused(&self, results: &[Result<TransactionId, SubmitError>]) {
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            let reason = match error {
                SubmitError::Rejected(code) => code.name(),
                SubmitError::PoolFull { .. } => "PoolFull",
                SubmitError::NotReady => "NotReady",
                SubmitError::Stopped => "Stopped",
            };
            self.metrics
                .submissions_refused
                .get_or_create(&ReasonLabel { reason })
                .inc();
        }
    }

    fn submit_opaque(&self, transactions: Vec<Bytes>) -> Vec<Result<TransactionId, SubmitError>> {
        let ids: Vec<_> = transactions
            .iter()
            .map(|bytes| TransactionId(Blake3::new(DomainTag::TransactionId).chain(bytes).finish()))
            .collect();
        let pushed = self.push(transactions);
        let results = ids.into_iter().zip(pushed);
        results.map(|(id, pushed)| pushed.map(|()| id)).collect()
    }

    fn submit_signed(&self, transactions: Vec<Bytes>) -> Vec<Result<TransactionId, SubmitError>> {
        let decoded: Vec<_> = transactions
            .iter()
            .map(|bytes| SignedTransaction::from_bytes(bytes))
            .collect();
        let snapshot = self.archive.latest_snapshot();
        let good = decoded
            .iter()
            .filter_map(|decoded| decoded.as_ref().ok().cloned())
            .collect();
        let mut authenticated = Authenticated::batch(good, &snapshot).into_iter();
        let mut verdicts = Vec::with_capacity(decoded.len());
        let mut admitted = Vec::new();
        {
            let round = self.newest_round();
            let mut admission = self
                .admission
                .lock()
                .expect("no thread panics while it holds the admission");
            for (decoded, bytes) in decoded.iter().zip(transactions) {
                let Ok(signed) = decoded else {
                    verdicts.push(Err(SubmitError::Rejected(RejectCode::BadEncoding)));
                    continue;
                };
                let checked = authenticated.next().unwrap_or(Err(RejectCode::BadEncoding));
                let reserved = checked
                    .map_err(AdmissionError::from)
                    .and_then(|authenticated| admission.reserve(&authenticated, round));
                match reserved {
                    Ok(()) => admitted.push((verdicts.len(), bytes)),
                    Err(AdmissionError::AlreadyPending) => {}
                    Err(AdmissionError::Full { .. } | AdmissionError::AccountFull { .. }) => {
                        verdicts.push(Err(SubmitError::PoolFull { retry: RETRY_POOL }));
                        continue;
                    }
                    Err(AdmissionError::Rejected(code)) => {
                        verdicts.push(Err(SubmitError::Rejected(code)));
                        continue;
                    }
                }
                verdicts.push(Ok(signed.id()));
            }
        }
        self.accept_executed(&decoded, &mut verdicts);
        let (places, bytes): (Vec<_>, Vec<_>) = admitted.into_iter().unzip();
        for (place, pushed) in places.into_iter().zip(self.push(bytes)) {
            if let (Err(error), Ok(id)) = (pushed, verdicts[place]) {
                let mut admission = self
                    .admission
                    .lock()
                    .expect("no thread panics while it holds the admission");
                admission.dropped(&id);
                verdicts[place] = Err(error);
            }
        }
        verdicts
    }

    /// A transaction that was executed before is not out of sequence but done: submitting it again is harmless.
    fn accept_executed(
        &self,
        decoded: &[Result<SignedTransaction, quorate_types::CodecError>],
        verdicts: &mut [Result<TransactionId, SubmitError>],
    ) {
        for (decoded, verdict) in decoded.iter().zip(verdicts) {
            if let (
                Ok(signed),
                Err(SubmitError::Rejected(RejectCode::BadSequence | RejectCode::AccountExists)),
            ) = (decoded, &*verdict)
                && matches!(self.archive.outcome(&signed.id()), Ok(Some(_)))
            {
                *verdict = Ok(signed.id());
            }
        }
    }

    /// Queues what was admitted.
    fn push(&self, transactions: Vec<Bytes>) -> Vec<Result<(), SubmitError>> {
        if self.disk_full.load(Ordering::Relaxed) {
            return vec![Err(SubmitError::PoolFull { retry: RETRY_POOL }); transactions.len()];
        }
        let now = self.now();
        let mut pool = self
            .pool
            .lock()
            .expect("no thread panics while it holds the pool");
        let was_empty = pool.is_empty();
        let results = transactions
            .into_iter()
            .map(|bytes| {
                // A copy, so that what waits does not keep alive the request that it came in.
                pool.push(now, Bytes::copy_from_slice(&bytes))
                    .map_err(|_| SubmitError::PoolFull { retry: RETRY_POOL })
            })
            .collect();
        let filled = was_empty && !pool.is_empty();
        drop(pool);
        if filled {
            self.payload_waiting();
        }
        results
    }

    fn newest_round(&self) -> Round {
        let status = self
            .status
            .lock()
            .expect("no thread panics while it holds the status");
        status.consensus.highest_round
    }
}

impl Operator for Service {
    async fn status(&self) -> Result<NodeStatus, ViewError> {
        self.read(|shared| Ok(status(shared))).await
    }

    async fn evidence(&self, from: u64, count: u32) -> Result<Vec<Evidence>, ViewError> {
        let found = self
            .shared
            .evidence
            .lock()
            .expect("no thread panics while it holds the evidence");
        let kept = found.kept();
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(kept.iter().skip(from).take(count).cloned().collect())
    }

    fn shutdown(&self) {
        self.stop_requested.notify_one();
    }
}

fn status(shared: &Shared) -> NodeStatus {
    let consensus = {
        let status = shared
            .status
            .lock()
            .expect("no thread panics while it holds the status");
        status.consensus
    };
    let (pool_transactions, pool_bytes) = {
        let pool = shared
            .pool
            .lock()
            .expect("no thread panics while it holds the pool");
        (pool.len() as u64, pool.bytes() as u64)
    };
    let members = shared
        .committee
        .members()
        .iter()
        .zip(shared.committee.indices());
    let peers = members
        .filter(|(_, index)| *index != shared.me)
        .map(|(member, index)| {
            let up = shared.connected[index.position()].load(Ordering::Relaxed);
            let last = shared.heard[index.position()].load(Ordering::Relaxed);
            let silent =
                (last > 0).then(|| Duration::from_micros(shared.now().0.saturating_sub(last)));
            let errors = shared
                .peer_errors
                .lock()
                .expect("no thread panics while it holds the errors");
            PeerView {
                index,
                identity: member.identity,
                address: shared.peer_addresses[index.position()].clone(),
                state: if up {
                    ConnectionState::Connected
                } else {
                    ConnectionState::Disconnected
                },
                highest_round: Round(shared.received[index.position()].load(Ordering::Relaxed)),
                silent,
                last_error: errors.get(&index).cloned().unwrap_or_default(),
            }
        });
    let (log_bytes, log_segments) =
        directory_size(&shared.data_dir.join(super::store::LOG_DIRECTORY));
    let tables = std::fs::metadata(shared.data_dir.join(super::store::TABLES_FILE));
    NodeStatus {
        validator: shared.me,
        own_round: consensus.round,
        highest_round: consensus.highest_round,
        committed: consensus.committed_height,
        pool_transactions,
        pool_bytes,
        transactions_total: shared.archive.transactions_total(),
        peers: peers.collect(),
        store: StoreSizes {
            log_bytes,
            log_segments,
            tables_bytes: tables.map_or(0, |file| file.len()),
        },
        uptime: Duration::from_micros(shared.now().0),
        recovering: false,
    }
}

/// Bytes and number of the files in a directory.
fn directory_size(directory: &Path) -> (u64, u64) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return (0, 0);
    };
    let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    sizes.fold((0, 0), |(bytes, files), file| {
        (bytes + file.len(), files + 1)
    })
}

impl PeerSource for Service {
    async fn standing(&self, caller: ValidatorIndex) -> Result<Standing, ViewError> {
        let held = self.shared.held.get(caller.position());
        Ok(Standing {
            caller_highest: Round(held.map_or(0, |round| round.load(Ordering::Relaxed))),
            own_round: self.shared.own_round(),
            certified: self.shared.archive.certified(),
            lowest: self.shared.archive.lowest(),
            lowest_round: self.shared.blocks.lowest_kept(),
        })
    }

    async fn own_blocks(
        &self,
        from: Round,
        bytes_max: usize,
    ) -> Result<Vec<(Round, Bytes)>, ViewError> {
        let found = match self.shared.blocks.recent_own(from, bytes_max) {
            Some(found) => found,
            None => {
                self.read(move |shared| {
                    Ok(shared.blocks.stored_own(&shared.tables, from, bytes_max)?)
                })
                .await?
            }
        };
        // Looked at last: what was pruned while this was read is missing from what was found.
        let lowest = self.shared.blocks.lowest_kept();
        if from < lowest {
            return Err(ViewError::RoundPruned { lowest });
        }
        self.count_sent(found.iter().map(|(_, bytes)| bytes.len()).sum());
        Ok(found)
    }

    async fn finality(&self, from: Height, count: u32) -> Result<Vec<FinalityItem>, ViewError> {
        let certified = self.shared.archive.certified();
        let items: Vec<FinalityItem> = if from <= certified {
            let certificates = self.certificates(from, count).await?.into_iter();
            certificates
                .map(|certificate| FinalityItem::Certificate(Box::new(certificate)))
                .collect()
        } else {
            let shares = self
                .shared
                .shares
                .lock()
                .expect("no thread panics while it holds the shares");
            let consecutive = (from.0..).map_while(|height| shares.get(&Height(height)));
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            consecutive
                .take(count)
                .map(|share| FinalityItem::Share(*share))
                .collect()
        };
        let bytes = items.iter().map(|item| match item {
            FinalityItem::Certificate(_) => 352,
            FinalityItem::Share(_) => 88,
        });
        self.count_sent(bytes.sum());
        Ok(items)
    }

    async fn fetch(
        &self,
        blocks: Vec<BlockRef>,
        bytes_max: usize,
    ) -> Result<Vec<Bytes>, ViewError> {
        let found = self
            .read(move |shared| {
                let mut found = Vec::new();
                let mut bytes = 0;
                for reference in &blocks {
                    if bytes >= bytes_max {
                        break;
                    }
                    if let Some(block) = shared.blocks.block(&shared.tables, reference)? {
                        bytes += block.len();
                        found.push(block);
                    }
                }
                Ok(found)
            })
            .await?;
        self.count_sent(found.iter().map(Bytes::len).sum());
        Ok(found)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }
}

impl Service {
    fn count_sent(&self, bytes: usize) {
        self.shared.metrics.peer_sent_bytes.inc_by(bytes as u64);
    }
}

impl SyncSource for Service {
    async fn point(&self, height: Option<Height>) -> Result<Option<SyncPoint>, ViewError> {
        self.read(move |shared| {
            let certified = shared.archive.certified();
            let found = shared.points.find(height, certified, shared.now());
            let Some((height, coin)) = found else {
                return Ok(None);
            };
            let certificate = certificate(shared, height)?;
            Ok(Some(SyncPoint { certificate, coin }))
        })
        .await
    }

    async fn commits(
        &self,
        point: Height,
        from: Height,
        bytes_max: usize,
    ) -> Result<Option<Vec<Arc<CommitRecord>>>, ViewError> {
        let now = self.shared.now();
        Ok(self.shared.points.commits(point, from, bytes_max, now))
    }

    async fn chunk(
        &self,
        point: Height,
        start: Hash32,
        bytes_max: usize,
    ) -> Result<Option<StateChunk>, ViewError> {
        self.read(move |shared| {
            let snapshot = shared.points.snapshot(point, shared.now());
            Ok(snapshot.map(|snapshot| snapshot.chunk(&start, bytes_max)))
        })
        .await
    }

    async fn certificates_to(&self, to: Height, count: u32) -> Result<Vec<Certificate>, ViewError> {
        let lowest = self.shared.archive.lowest();
        let head = self.shared.archive.certified();
        if to > head {
            return Err(ViewError::NotReached { height: to, head });
        }
        if to < lowest {
            return Err(ViewError::Pruned { lowest });
        }
        let from = to.0.saturating_sub(u64::from(count) - 1).max(lowest.0);
        let count = u32::try_from(to.0 - from + 1).unwrap_or(count);
        self.certificates(Height(from), count).await
    }
}
