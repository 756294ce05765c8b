//! The thread that owns the ledger, and the one that writes the tables behind it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use quorate_consensus::Checkpoint;
use quorate_ledger::Ledger;
use quorate_types::{Certificate, Commit, Evidence, Round};
use quorate_validator::Input;

use super::archive::ArchiveBatch;
use super::budget::Held;
use super::error::NodeError;
use super::evidence::EvidenceFile;
use super::shared::Shared;

/// Work for the ledger, in the order in which the core decided it.
pub(crate) enum ExecutionItem {
    Commit {
        commit: Commit,
        room: Held,
    },
    Checkpoint {
        checkpoint: Checkpoint,
        /// Resolves once the log is durable up to where the checkpoint was taken.
        durable: Receiver<()>,
    },
    Certified(Box<Certificate>),
    Evidence(Evidence),
    Stop,
}

/// A checkpoint for the tables.
pub(crate) struct TablesItem {
    batch: ArchiveBatch,
    gc_round: Round,
    durable: Receiver<()>,
}

/// Checkpoints that may wait for the tables before execution waits for them.
pub(crate) const TABLES_QUEUE: usize = 2;
/// How often a checkpoint that waits for room on the disk looks again.
const FULL_WAIT: Duration = Duration::from_millis(100);

/// Runs the ledger until told to stop.
pub(crate) fn run(
    mut ledger: Ledger,
    items: &Receiver<ExecutionItem>,
    tables: &SyncSender<TablesItem>,
    mut evidence: EvidenceFile,
    shared: &Arc<Shared>,
) {
    while let Ok(item) = items.recv() {
        let done = match item {
            ExecutionItem::Commit { commit, room } => {
                let executed = execute(&mut ledger, &commit, shared);
                drop((commit, room));
                executed
            }
            ExecutionItem::Checkpoint {
                checkpoint,
                durable,
            } => write_checkpoint(&checkpoint, durable, tables, shared),
            ExecutionItem::Certified(certificate) => {
                certify(&certificate, shared);
                Ok(())
            }
            ExecutionItem::Evidence(found) => evidence.append(&found),
            ExecutionItem::Stop => return,
        };
        if let Err(error) = done {
            shared.fail(error);
            return;
        }
    }
}

fn execute(ledger: &mut Ledger, commit: &Commit, shared: &Shared) -> Result<(), NodeError> {
    let execution = ledger.execute_prepared(commit, shared.take_prepared(commit))?;
    let height = execution.header.height;
    let mut arrivals = Vec::new();
    for block in commit
        .blocks
        .iter()
        .filter(|block| block.author() == shared.me)
    {
        arrivals.extend(shared.take_arrivals(block.round()));
    }
    let header = execution.header.clone();
    shared
        .admission
        .lock()
        .expect("no thread panics while it holds the admission")
        .settle(commit, &execution);
    shared.points.executed(commit, &execution);
    shared.archive.push(execution);
    shared.observe_commit(height, arrivals);
    shared.metrics.height.set(gauge(height.0));
    shared
        .metrics
        .transactions_committed
        .set(gauge(header.transactions_total));
    shared.publish_head(|head| head.executed = height);
    shared.answer(Input::Executed(header));
    Ok(())
}

fn certify(certificate: &Certificate, shared: &Shared) {
    let height = certificate.header.height;
    shared.archive.certify(certificate);
    shared.points.certified(height, shared.now());
    {
        let mut shares = shared
            .shares
            .lock()
            .expect("no thread panics while it holds the shares");
        *shares = shares.split_off(&height.next());
    }
    shared.observe_certificate(height);
    shared.metrics.certified_height.set(gauge(height.0));
    shared.publish_head(|head| head.certified = height);
}

fn write_checkpoint(
    checkpoint: &Checkpoint,
    durable: Receiver<()>,
    tables: &SyncSender<TablesItem>,
    shared: &Shared,
) -> Result<(), NodeError> {
    shared.forget_prepared(checkpoint.gc_round);
    let replay_from = shared.blocks.replay_from(checkpoint.gc_round);
    let batch = shared.archive.batch(checkpoint, replay_from)?;
    let item = TablesItem {
        batch,
        gc_round: checkpoint.gc_round,
        durable,
    };
    // The writer is gone only when it has failed, and has said so itself.
    let _ = tables.send(item);
    Ok(())
}

/// Writes checkpoints into the tables until the executing thread is gone. While the log finds the disk full they wait:
/// the log can try again as often as it likes, but tables whose write failed must be opened anew.
pub(crate) fn run_tables(items: &Receiver<TablesItem>, shared: &Shared) {
    while let Ok(mut item) = items.recv() {
        if item.durable.recv().is_err() {
            // The log ended before that: the node stops, and a restart goes on from the checkpoint before.
            return;
        }
        while shared.disk_full.load(Ordering::Relaxed) {
            if shared.stopping() {
                return;
            }
            std::thread::sleep(FULL_WAIT);
        }
        // Positions of all that is durable by now: a restart does not replay what lies below the checkpoint.
        let blocks = shared.blocks.write_positions(&mut item.batch.batch);
        if let Err(error) = commit(&mut item, shared) {
            shared.fail(error);
            return;
        }
        shared.archive.written(&item.batch);
        shared.blocks.written(&blocks, item.gc_round);
        tracing::debug!(height = %item.batch.up_to, "checkpoint written");
    }
    // So that what is stored of a node that was stopped is certified up to its checkpoint.
    if let Err(error) = shared.archive.write_late() {
        shared.fail(error);
    }
}

/// Commits a checkpoint together with what it prunes, and then lets the log go that nothing points into any more.
fn commit(item: &mut TablesItem, shared: &Shared) -> Result<(), NodeError> {
    let keep = &shared.pruning;
    let cut = item.batch.replay_from.and_then(|replay_from| {
        let batch = &mut item.batch.batch;
        shared.blocks.cut(keep, replay_from, item.gc_round, batch)
    });
    let receipts = keep.receipt_heights;
    let lowest = shared.archive.prune_receipts(receipts, &mut item.batch)?;
    shared.tables.commit(&item.batch.batch)?;
    if let Some(cut) = cut {
        shared.log_from.fetch_max(cut.segment, Ordering::Relaxed);
    }
    if let Some(lowest) = lowest {
        shared.publish_head(|head| head.lowest_receipts = lowest);
    }
    Ok(())
}

/// Feeds commits of recovery to the ledger, without latencies or answers to a core that does not run yet.
pub(crate) fn replay(
    ledger: &mut Ledger,
    commit: &Commit,
    shared: &Shared,
) -> Result<Input, NodeError> {
    let execution = ledger.execute(commit)?;
    let header = execution.header.clone();
    shared
        .admission
        .lock()
        .expect("no thread panics while it holds the admission")
        .settle(commit, &execution);
    shared.points.executed(commit, &execution);
    shared.archive.push(execution);
    shared.publish_head(|head| head.executed = header.height);
    Ok(Input::Executed(header))
}

/// A number as a gauge's value.
pub(crate) fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
