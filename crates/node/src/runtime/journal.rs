//! The thread that owns the log: it appends what waits, syncs once, and then does what was waiting for the sync.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use quorate_store::disk::Disk;
use quorate_store::wal::{Position, Wal, WalError};
use quorate_validator::{Effect, Record};

use super::budget::Held;
use super::error::NodeError;
use super::shared::{JournalItem, Shared};

/// Most bytes in one group commit: bounds how long those in front wait for those behind them.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often a full disk is tried again, and whether the node stops is looked at.
const RETRY: Duration = Duration::from_millis(100);

/// Runs until the node stops and nothing waits any more. What waits for room on a full disk then was not promised to
/// anybody.
pub(crate) fn run<D: Disk>(mut wal: Wal<D>, items: &Receiver<JournalItem>, shared: &Arc<Shared>) {
    loop {
        if let Err(error) = cut(&mut wal, shared) {
            shared.fail(error);
            return;
        }
        let first = match items.recv_timeout(RETRY) {
            Ok(item) => item,
            Err(RecvTimeoutError::Timeout) if !shared.stopping() => continue,
            Err(_) => return,
        };
        match group(&mut wal, first, items, shared) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                shared.fail(error);
                return;
            }
        }
    }
}

/// Writes what waits. `false` if the node stopped before there was room for it.
fn group<D: Disk>(
    wal: &mut Wal<D>,
    first: JournalItem,
    items: &Receiver<JournalItem>,
    shared: &Arc<Shared>,
) -> Result<bool, NodeError> {
    let mut written: Vec<(Record, Vec<Effect>, Held, Position)> = Vec::new();
    let mut barriers = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next {
        match item {
            JournalItem::Record { record, then, room } => {
                let payload = record.payload();
                shared.metrics.log_bytes.inc_by(payload.len() as u64);
                let position = wal.append(record.kind(), &payload)?;
                written.push((record, then, room, position));
            }
            JournalItem::Barrier(done) => barriers.push(done),
        }
        next = if wal.waiting_bytes() < GROUP_BYTES_MAX {
            items.try_recv().ok()
        } else {
            None
        };
    }
    if !flush(wal, shared)? {
        return Ok(false);
    }
    for (record, then, room, position) in written {
        if let Record::Block(block) = &record {
            shared.blocks.insert(block, position);
        }
        shared.perform(then);
        drop(room);
    }
    for done in barriers {
        // Nobody listens any more when the node stops.
        let _ = done.send(());
    }
    Ok(true)
}

/// Removes the segments that nothing needs any more. Until the next look they do no harm, after a crash neither.
fn cut<D: Disk>(wal: &mut Wal<D>, shared: &Shared) -> Result<(), NodeError> {
    let from = Position {
        segment: shared.log_from.load(Ordering::Relaxed),
        offset: 0,
        len: 0,
    };
    let removed = wal.prune(from)?;
    if removed > 0 {
        tracing::debug!(segments = removed, "the log was cut");
    }
    Ok(())
}

/// Flushes, waiting while the disk is full. `false` if the node stopped meanwhile.
fn flush<D: Disk>(wal: &mut Wal<D>, shared: &Shared) -> Result<bool, NodeError> {
    loop {
        match wal.flush() {
            Ok(_) => {
                shared.metrics.log_syncs.inc();
                if shared.disk_full.swap(false, Ordering::Relaxed) {
                    tracing::info!("the disk has room again");
                }
                return Ok(true);
            }
            Err(WalError::Full) => {
                if !shared.disk_full.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the disk is full: nothing is signed and no transaction is taken until it has room"
                    );
                }
                if shared.stopping() {
                    return Ok(false);
                }
                cut(wal, shared)?;
                std::thread::sleep(RETRY);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
