//! Dropping what an operator no longer wants to keep, as a running node does at its checkpoints.

use std::path::Path;
use std::sync::Arc;

use quorate_store::disk::OsDisk;
use quorate_store::tables::{Batch, Tables};
use quorate_store::wal::Position;
use quorate_types::{Genesis, Height, Round, ValidatorIndex};

use super::super::archive::{Archive, ArchiveBatch};
use super::super::blocks::BlockIndex;
use super::super::error::NodeError;
use super::super::pruning::Floor;
use super::super::{recovery, store};
use super::{DatabaseError, Directory, Progress};
use crate::config::Pruning;

/// What pruning dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Heights whose receipts and outcomes went.
    pub receipt_heights: u64,
    /// The lowest height that keeps its receipts.
    pub lowest_receipts: Height,
    /// Segments of the log that went.
    pub segments: u64,
    /// The lowest round whose blocks are kept.
    pub lowest_round: Round,
    /// Bytes of the log before and after.
    pub log_bytes: (u64, u64),
    /// Bytes of the tables before and after.
    pub tables_bytes: (u64, u64),
}

/// Drops receipts, outcomes and segments of the log below what `keep` says, and gives their space back. Certificates, headers,
/// the state, evidence, and whatever a restart needs stay.
///
/// # Errors
/// [`DatabaseError`].
pub fn prune(
    directory: &Directory<'_>,
    keep: &Pruning,
    progress: Progress<'_>,
) -> Result<Freed, DatabaseError> {
    directory.require_data()?;
    let log_directory = directory.path.join(store::LOG_DIRECTORY);
    let tables_file = directory.path.join(store::TABLES_FILE);
    let before = (bytes_in(&log_directory)?, bytes_of(&tables_file)?);
    let opened = directory.opened(store::open(
        directory.path,
        |path| OsDisk::open(path),
        &directory.genesis.chain_id(),
        &directory.identity,
        keep.segment_bytes,
    ))?;
    let mut wal = opened.wal;
    let floor = Floor::restore(&opened.tables)?;
    let mut freed = Freed {
        receipt_heights: 0,
        lowest_receipts: floor.receipts,
        segments: 0,
        lowest_round: floor.round,
        log_bytes: (before.0, before.0),
        tables_bytes: (before.1, before.1),
    };
    let member = directory.genesis.members.iter();
    let me = (0..)
        .zip(member)
        .find(|(_, member)| member.identity == directory.identity)
        .map(|(index, _)| ValidatorIndex(index));
    let me = me.ok_or(NodeError::Keys(quorate_validator::KeyError::NotMember))?;
    let blocks = BlockIndex::new(me, wal.reader(), floor.round, opened.segments);
    let from = prune_tables(
        directory.genesis,
        &opened.tables,
        &blocks,
        keep,
        &mut freed,
        progress,
    )?;
    let keep_from = Position {
        segment: from.max(floor.segment),
        offset: 0,
        len: 0,
    };
    freed.segments = wal.prune(keep_from).map_err(NodeError::Log)?;
    drop((wal, blocks));
    progress("compacting", 0, 1);
    if let Ok(mut tables) = Arc::try_unwrap(opened.tables) {
        tables.compact().map_err(NodeError::Tables)?;
    }
    freed.log_bytes.1 = bytes_in(&log_directory)?;
    freed.tables_bytes.1 = bytes_of(&tables_file)?;
    Ok(freed)
}

/// Drops what the tables hold; answers the first segment of the log that stays.
fn prune_tables(
    genesis: &Genesis,
    tables: &Arc<Tables>,
    blocks: &BlockIndex,
    keep: &Pruning,
    freed: &mut Freed,
    progress: Progress<'_>,
) -> Result<u64, NodeError> {
    let restored = Archive::restore(tables)?;
    let (Some(checkpoint), Some(replay_from)) = (&restored.checkpoint, restored.replay_from) else {
        return Ok(0);
    };
    let ledger = recovery::ledger(genesis, &restored, tables)?;
    let archive = Archive::new(
        Arc::clone(tables),
        ledger.snapshot(),
        ledger.head(),
        restored.certified,
        restored.lowest,
        freed.lowest_receipts,
    );
    let target = checkpoint.height.0.saturating_sub(keep.receipt_heights);
    loop {
        let mut batch = ArchiveBatch::at(checkpoint.height, Batch::new());
        let Some(lowest) = archive.prune_receipts(keep.receipt_heights, &mut batch)? else {
            break;
        };
        tables.commit(&batch.batch)?;
        freed.receipt_heights += lowest.0 - freed.lowest_receipts.0;
        freed.lowest_receipts = lowest;
        progress("receipts", lowest.0, target);
    }
    let mut batch = Batch::new();
    let Some(cut) = blocks.cut(keep, replay_from, checkpoint.gc_round, &mut batch) else {
        return Ok(0);
    };
    tables.commit(&batch)?;
    freed.lowest_round = cut.round;
    Ok(cut.segment)
}

fn bytes_of(file: &Path) -> Result<u64, DatabaseError> {
    let metadata = std::fs::metadata(file);
    Ok(metadata.map_err(NodeError::system("file"))?.len())
}

fn bytes_in(directory: &Path) -> Result<u64, DatabaseError> {
    let failed = |source| DatabaseError::Io {
        path: directory.to_owned(),
        source,
    };
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        bytes += entry
            .and_then(|entry| entry.metadata())
            .map_err(failed)?
            .len();
    }
    Ok(bytes)
}
