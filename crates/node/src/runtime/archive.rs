//! What the chain has become: headers, receipts, certificates, outcomes and state.
//!
//! Heights above the last checkpoint live in memory, where the log can bring them back; a checkpoint moves them into the
//! tables in one transaction together with the ledger's state and the place in the DAG, so that a restart finds all of
//! them at one height.

pub(crate) mod stored;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, RwLock};

use quorate_consensus::Checkpoint;
use quorate_ledger::{Execution, Snapshot};
use quorate_store::tables::{Batch, Tables};
use quorate_store::wal::Position;
use quorate_types::{
    Certificate, Decode, Encode, Header, Height, Receipt, Signature, StateKey, TransactionId,
};

use self::stored::{
    BELOW, CERTIFICATES, CHECKPOINT, HEADERS, LOWEST, OUTCOMES, PLACE, Place, RECEIPTS,
    REPLAY_FROM, STATE, Standing, certified_prefix, decode_receipts, encode_receipts, put_below,
    put_certificate, stored_below, stored_certificate, stored_header, stored_lowest,
    stored_signature,
};
use super::error::NodeError;
use super::pruning::{Floor, RECEIPT_HEIGHTS_AT_ONCE};

/// How many heights below the certified one keep a snapshot of the state, for reads with proofs under a slightly older
/// certificate.
const SNAPSHOTS_KEPT: u64 = 256;

/// One executed height that is still in memory.
#[derive(Clone)]
pub(crate) struct Executed {
    pub(crate) header: Header,
    pub(crate) receipts: Arc<Vec<Receipt>>,
    pub(crate) signature: Option<Signature>,
}

struct Recent {
    head: Height,
    transactions_total: u64,
    certified: Height,
    /// The lowest height from which on all certificates are there.
    lowest: Height,
    /// The lowest height whose receipts are kept.
    lowest_receipts: Height,
    /// Executed heights above the last checkpoint that is in the tables.
    executed: BTreeMap<Height, Executed>,
    /// Certificates of heights that are in the tables already, waiting for the next batch.
    late_signatures: BTreeMap<Height, Signature>,
    snapshots: BTreeMap<Height, Snapshot>,
    outcomes: HashMap<TransactionId, Place>,
    /// State entries that changed since the last batch.
    changes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Shared view of the chain. The executing thread writes, everybody reads.
pub(crate) struct Archive {
    tables: Arc<Tables>,
    recent: RwLock<Recent>,
}

/// What a restart finds.
pub(crate) struct Restored {
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) replay_from: Option<Position>,
    /// The header at the checkpoint, and the state there.
    pub(crate) head: Option<Header>,
    pub(crate) certified: Height,
    pub(crate) uncertified: Vec<Header>,
    /// The lowest height from which on all certificates are stored.
    pub(crate) lowest: Height,
}

/// Where state sync ended.
pub(crate) struct JoinedAt<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) entries: &'a [(StateKey, Vec<u8>)],
    /// Position in the log from which on it tells of anything after the point.
    pub(crate) replay_from: Position,
}

/// A batch for the tables, and what to forget once it is committed.
pub(crate) struct ArchiveBatch {
    pub(crate) batch: Batch,
    pub(crate) up_to: Height,
    /// From where a restart replays the log, if that has moved.
    pub(crate) replay_from: Option<Position>,
    /// Heights whose certificates are in the batch.
    signed: BTreeSet<Height>,
}

impl ArchiveBatch {
    /// A batch that writes nothing, at a checkpoint that is stored already.
    pub(crate) const fn at(checkpoint: Height, batch: Batch) -> Self {
        Self {
            batch,
            up_to: checkpoint,
            replay_from: None,
            signed: BTreeSet::new(),
        }
    }
}

impl Archive {
    pub(crate) fn new(
        tables: Arc<Tables>,
        state: Snapshot,
        head: &Header,
        certified: Height,
        lowest: Height,
        lowest_receipts: Height,
    ) -> Self {
        let recent = Recent {
            lowest_receipts,
            head: head.height,
            transactions_total: head.transactions_total,
            certified,
            lowest,
            executed: BTreeMap::new(),
            late_signatures: BTreeMap::new(),
            snapshots: BTreeMap::from([(head.height, state)]),
            outcomes: HashMap::new(),
            changes: BTreeMap::new(),
        };
        Self {
            tables,
            recent: RwLock::new(recent),
        }
    }

    /// Reads the last checkpoint.
    pub(crate) fn restore(tables: &Tables) -> Result<Restored, NodeError> {
        let place = |key: &[u8]| tables.get(PLACE, key);
        let checkpoint = place(CHECKPOINT)?
            .map(|bytes| Checkpoint::from_bytes(&bytes))
            .transpose()
            .map_err(NodeError::stored("checkpoint"))?;
        let replay_from = place(REPLAY_FROM)?.and_then(|bytes| Position::from_bytes(&bytes));
        let Some(checkpoint) = checkpoint else {
            return Ok(Restored {
                checkpoint: None,
                replay_from: None,
                head: None,
                certified: Height(0),
                uncertified: Vec::new(),
                lowest: Height(1),
            });
        };
        let head = stored_header(tables, checkpoint.height)?
            .ok_or(NodeError::MissingHeight(checkpoint.height))?;
        let certified = certified_prefix(tables, checkpoint.height)?;
        let mut uncertified = Vec::new();
        for height in certified.0 + 1..=checkpoint.height.0 {
            let height = Height(height);
            uncertified
                .push(stored_header(tables, height)?.ok_or(NodeError::MissingHeight(height))?);
        }
        Ok(Restored {
            checkpoint: Some(checkpoint),
            replay_from,
            head: Some(head),
            certified,
            uncertified,
            lowest: stored_lowest(tables)?,
        })
    }

    /// All state entries at the checkpoint.
    pub(crate) fn state_entries(tables: &Tables) -> Result<Vec<(StateKey, Vec<u8>)>, NodeError> {
        tables
            .range(STATE, (Bound::Unbounded, Bound::Unbounded), usize::MAX)?
            .into_iter()
            .map(|(key, value)| {
                let key = StateKey::from_bytes(&key).map_err(NodeError::stored("state key"))?;
                Ok((key, value))
            })
            .collect()
    }

    /// A height was executed.
    pub(crate) fn push(&self, execution: Execution) {
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the archive");
        let height = execution.header.height;
        recent.head = height;
        recent.transactions_total = execution.header.transactions_total;
        for (index, receipt) in (0u32..).zip(&execution.receipts) {
            let place = Place {
                height,
                index,
                standing: Standing::of(&receipt.outcome),
            };
            recent
                .outcomes
                .entry(receipt.transaction)
                .and_modify(|earlier| *earlier = earlier.better(place))
                .or_insert(place);
        }
        for (key, value) in &execution.changes {
            recent.changes.insert(key.to_bytes(), value.clone());
        }
        recent.snapshots.insert(height, execution.snapshot);
        let executed = Executed {
            header: execution.header,
            receipts: Arc::new(execution.receipts),
            signature: None,
        };
        recent.executed.insert(height, executed);
    }

    /// A height was certified; heights come in order.
    pub(crate) fn certify(&self, certificate: &Certificate) {
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the archive");
        let height = certificate.header.height;
        recent.certified = height;
        match recent.executed.get_mut(&height) {
            Some(executed) => executed.signature = Some(certificate.signature),
            None => {
                recent.late_signatures.insert(height, certificate.signature);
            }
        }
        let keep = Height(height.0.saturating_sub(SNAPSHOTS_KEPT));
        recent.snapshots = recent.snapshots.split_off(&keep);
    }

    /// Everything up to the checkpoint that the tables lack. The ledger stands exactly at the checkpoint's height.
    pub(crate) fn batch(
        &self,
        checkpoint: &Checkpoint,
        replay_from: Option<Position>,
    ) -> Result<ArchiveBatch, NodeError> {
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the archive");
        let mut batch = Batch::new();
        let mut signed = BTreeSet::new();
        for (height, executed) in recent.executed.range(..=checkpoint.height) {
            let key = height.0.to_be_bytes();
            batch.put(HEADERS, key, executed.header.to_bytes());
            batch.put(RECEIPTS, key, encode_receipts(&executed.receipts));
            if let Some(signature) = executed.signature {
                batch.put(CERTIFICATES, key, signature.0);
                signed.insert(*height);
            }
        }
        for (height, signature) in &recent.late_signatures {
            batch.put(CERTIFICATES, height.0.to_be_bytes(), signature.0);
            signed.insert(*height);
        }
        for (transaction, place) in &recent.outcomes {
            let counts = place.standing == Standing::Applied
                || self
                    .stored_place(transaction)?
                    .is_none_or(|stored| stored.better(*place) == *place);
            if counts {
                batch.put(OUTCOMES, transaction.0, place.to_bytes());
            }
        }
        for (key, value) in std::mem::take(&mut recent.changes) {
            batch.put(STATE, key, value);
        }
        batch.put(PLACE, CHECKPOINT, checkpoint.to_bytes());
        if let Some(position) = replay_from {
            batch.put(PLACE, REPLAY_FROM, position.to_bytes());
        }
        Ok(ArchiveBatch {
            batch,
            up_to: checkpoint.height,
            replay_from,
            signed,
        })
    }

    /// Adds to the batch that receipts are dropped, and outcomes that stand there, but for the `keep` newest heights; none
    /// if that is 0. Answers the lowest height that stays, if it has moved.
    pub(crate) fn prune_receipts(
        &self,
        keep: u64,
        written: &mut ArchiveBatch,
    ) -> Result<Option<Height>, NodeError> {
        let (from, unwritten) = {
            let recent = self.read();
            let unwritten = recent.executed.keys().next().copied();
            (recent.lowest_receipts, unwritten)
        };
        let until = (written.up_to.0 + 1).saturating_sub(keep);
        let until = until.min(from.0.saturating_add(RECEIPT_HEIGHTS_AT_ONCE));
        // What this batch writes itself goes with a later one.
        let until = until.min(unwritten.map_or(u64::MAX, |height| height.0));
        if keep == 0 || until <= from.0 {
            return Ok(None);
        }
        let mut batch = Batch::new();
        for height in (from.0..until).map(Height) {
            let receipts = self.receipts(height)?.unwrap_or_default();
            for receipt in receipts.iter() {
                // The same transaction may have another outcome that counts, and stays.
                let place = self.stored_place(&receipt.transaction)?;
                if place.is_some_and(|place| place.height == height) {
                    batch.delete(OUTCOMES, receipt.transaction.0);
                }
            }
        }
        batch.delete_below(RECEIPTS, until.to_be_bytes());
        Floor::put_receipts(&mut batch, Height(until));
        // First, for the batch may note a newer outcome of a transaction whose old one goes.
        batch.append(std::mem::take(&mut written.batch));
        written.batch = batch;
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the archive");
        recent.lowest_receipts = Height(until);
        Ok(Some(Height(until)))
    }

    /// The lowest height whose receipts are kept; 1 if none were pruned.
    pub(crate) fn lowest_receipts(&self) -> Height {
        self.read().lowest_receipts
    }

    /// The batch is in the tables: its heights need no memory any more.
    pub(crate) fn written(&self, batch: &ArchiveBatch) {
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the archive");
        let above = recent.executed.split_off(&batch.up_to.next());
        let below = std::mem::replace(&mut recent.executed, above);
        // Certificates that came while the batch was being written are not in it.
        for (height, executed) in &below {
            if let Some(signature) = executed.signature {
                recent.late_signatures.insert(*height, signature);
            }
        }
        recent
            .late_signatures
            .retain(|height, _| !batch.signed.contains(height));
        recent
            .outcomes
            .retain(|_, place| place.height > batch.up_to);
    }

    /// Writes certificates of stored heights that came since the last batch: once no more batches come.
    pub(crate) fn write_late(&self) -> Result<(), NodeError> {
        let mut batch = Batch::new();
        for (height, signature) in &self.read().late_signatures {
            batch.put(CERTIFICATES, height.0.to_be_bytes(), signature.0);
        }
        Ok(self.tables.commit(&batch)?)
    }

    pub(crate) fn head(&self) -> Height {
        self.read().head
    }

    pub(crate) fn certified(&self) -> Height {
        self.read().certified
    }

    /// The lowest height from which on all certificates are there.
    pub(crate) fn lowest(&self) -> Height {
        self.read().lowest
    }

    /// The highest of the certificates below the gap that state sync left.
    pub(crate) fn stored_below(&self) -> Result<Option<Certificate>, NodeError> {
        match stored_below(&self.tables)? {
            Some((_, highest)) => stored_certificate(&self.tables, highest),
            None => Ok(None),
        }
    }

    /// The gap is closed.
    pub(crate) fn join_history(&self) -> Result<(), NodeError> {
        let Some((lowest, _)) = stored_below(&self.tables)? else {
            return Ok(());
        };
        let mut batch = Batch::new();
        batch.put(PLACE, LOWEST, lowest.to_bytes());
        batch.delete(PLACE, BELOW);
        self.tables.commit(&batch)?;
        self.set_lowest(lowest);
        Ok(())
    }

    /// Verified certificates, ascending, that end just below the lowest one.
    pub(crate) fn extend_history(&self, certificates: &[Certificate]) -> Result<(), NodeError> {
        let Some(first) = certificates.first() else {
            return Ok(());
        };
        let lowest = first.header.height;
        let mut batch = Batch::new();
        for certificate in certificates {
            put_certificate(&mut batch, certificate);
        }
        batch.put(PLACE, LOWEST, lowest.to_bytes());
        self.tables.commit(&batch)?;
        self.set_lowest(lowest);
        Ok(())
    }

    fn set_lowest(&self, lowest: Height) {
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the archive");
        recent.lowest = lowest;
    }

    /// Replaces the checkpoint and the state by those of a point that was synced to. What was stored of lower heights stays.
    pub(crate) fn replace(
        tables: &Tables,
        batch: &mut Batch,
        joined: &JoinedAt<'_>,
    ) -> Result<(), NodeError> {
        let before = Self::restore(tables)?;
        let height = joined.certificate.header.height;
        let below = if before.certified >= before.lowest {
            Some((before.lowest, before.certified))
        } else {
            // What was read in from a file; it may reach further than the point.
            stored_below(tables)?
        };
        if let Some((lowest, highest)) = below {
            put_below(
                batch,
                lowest,
                highest.min(Height(height.0.saturating_sub(1))),
            );
        }
        batch.delete_below(STATE, [0xff; 64]);
        for (key, value) in joined.entries {
            batch.put(STATE, key.to_bytes(), value.clone());
        }
        put_certificate(batch, joined.certificate);
        batch.put(PLACE, LOWEST, height.to_bytes());
        batch.put(PLACE, CHECKPOINT, joined.checkpoint.to_bytes());
        batch.put(PLACE, REPLAY_FROM, joined.replay_from.to_bytes());
        Ok(())
    }

    /// The header at `height`, if it was executed.
    pub(crate) fn header(&self, height: Height) -> Result<Option<Header>, NodeError> {
        if let Some(executed) = self.read().executed.get(&height) {
            return Ok(Some(executed.header.clone()));
        }
        stored_header(&self.tables, height)
    }

    /// The certificate at `height`, if it is certified.
    pub(crate) fn certificate(&self, height: Height) -> Result<Option<Certificate>, NodeError> {
        let signature = {
            let recent = self.read();
            if height > recent.certified {
                return Ok(None);
            }
            let late = recent.late_signatures.get(&height).copied();
            late.or_else(|| {
                recent
                    .executed
                    .get(&height)
                    .and_then(|executed| executed.signature)
            })
        };
        let signature = match signature {
            Some(signature) => Some(signature),
            None => stored_signature(&self.tables, height)?,
        };
        let header = self.header(height)?;
        Ok(header
            .zip(signature)
            .map(|(header, signature)| Certificate { header, signature }))
    }

    /// Receipts of `height`, in order.
    pub(crate) fn receipts(&self, height: Height) -> Result<Option<Arc<Vec<Receipt>>>, NodeError> {
        if let Some(executed) = self.read().executed.get(&height) {
            return Ok(Some(executed.receipts.clone()));
        }
        self.tables
            .get(RECEIPTS, &height.0.to_be_bytes())?
            .map(|bytes| decode_receipts(&bytes).map(Arc::new))
            .transpose()
            .map_err(NodeError::stored("receipts"))
    }

    /// Where a transaction's outcome stands: its height, and its position among the height's receipts. Of several
    /// outcomes the one that counts: that it was executed, if it was.
    pub(crate) fn outcome(
        &self,
        transaction: &TransactionId,
    ) -> Result<Option<(Height, u32)>, NodeError> {
        // Memory first: what leaves it is in the tables by then.
        let recent = self.read().outcomes.get(transaction).copied();
        let stored = self.stored_place(transaction)?;
        let place = match (stored, recent) {
            (Some(stored), Some(recent)) => Some(stored.better(recent)),
            (stored, recent) => stored.or(recent),
        };
        Ok(place.map(|place| (place.height, place.index)))
    }

    fn stored_place(&self, transaction: &TransactionId) -> Result<Option<Place>, NodeError> {
        let stored = self.tables.get(OUTCOMES, &transaction.0)?;
        stored
            .map(|bytes| Place::from_bytes(&bytes).ok_or(NodeError::StoredOutcome))
            .transpose()
    }

    /// The state at `height`, if it is among the recent ones.
    pub(crate) fn snapshot(&self, height: Height) -> Option<Snapshot> {
        self.read().snapshots.get(&height).cloned()
    }

    /// The lowest height whose state is kept.
    pub(crate) fn lowest_snapshot(&self) -> Height {
        self.read()
            .snapshots
            .keys()
            .next()
            .copied()
            .unwrap_or(Height(0))
    }

    /// How many transactions were ordered since genesis.
    pub(crate) fn transactions_total(&self) -> u64 {
        self.read().transactions_total
    }

    /// The newest state, certified or not.
    pub(crate) fn latest_snapshot(&self) -> Snapshot {
        let recent = self.read();
        recent
            .snapshots
            .values()
            .next_back()
            .expect("the head's snapshot is always kept")
            .clone()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Recent> {
        self.recent
            .read()
            .expect("no thread panics while it holds the archive")
    }
}
