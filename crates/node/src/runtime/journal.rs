//! The thread that owns the log: it appends what waits, syncs once, and then does what was waiting for the sync.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use quorate_store::disk::OsDisk;
use quorate_store::wal::{Position, Wal, WalError};
use quorate_validator::Record;

use super::error::NodeError;
use super::shared::{JournalItem, Shared};

/// Most bytes in one group commit: bounds how long those in front wait for those behind them.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(500);

/// Runs until the sending ends are gone.
pub(crate) fn run(
    mut wal: Wal<OsDisk>,
    items: &Receiver<JournalItem>,
    stop: &Receiver<()>,
    shared: &Arc<Shared>,
) {
    loop {
        let first = match items.recv_timeout(Duration::from_millis(200)) {
            Ok(item) => item,
            Err(RecvTimeoutError::Timeout) if stop.try_recv().is_err() => continue,
            Err(_) => return,
        };
        if let Err(error) = group(&mut wal, first, items, stop, shared) {
            shared.fail(error);
            return;
        }
    }
}

fn group(
    wal: &mut Wal<OsDisk>,
    first: JournalItem,
    items: &Receiver<JournalItem>,
    stop: &Receiver<()>,
    shared: &Arc<Shared>,
) -> Result<(), NodeError> {
    let mut written: Vec<(JournalItem, Position)> = Vec::new();
    let mut next = Some(first);
    while let Some(item) = next {
        let payload = item.record.payload();
        shared.metrics.log_bytes.inc_by(payload.len() as u64);
        let position = wal.append(item.record.kind(), &payload)?;
        written.push((item, position));
        next = if wal.waiting_bytes() < GROUP_BYTES_MAX {
            items.try_recv().ok()
        } else {
            None
        };
    }
    if !flush(wal, stop, shared)? {
        return Ok(());
    }
    for (item, position) in written {
        if let Record::Block(block) = &item.record {
            shared.blocks.insert(block, position);
        }
        shared.perform(item.then);
    }
    Ok(())
}

/// Flushes, waiting while the disk is full. `false` if the node stopped meanwhile.
fn flush(wal: &mut Wal<OsDisk>, stop: &Receiver<()>, shared: &Shared) -> Result<bool, NodeError> {
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
                if stop.recv_timeout(FULL_RETRY).is_ok() {
                    return Ok(false);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}
