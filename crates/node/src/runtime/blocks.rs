//! Where every block of the log can be found again: in memory while recent, by its position in the log for ever.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use quorate_consensus::VerifiedBlock;
use quorate_store::disk::DiskFile;
use quorate_store::tables::{Batch, Table, Tables};
use quorate_store::wal::{Position, WalError, WalReader};
use quorate_types::{BlockRef, Encode, Round, ValidatorIndex};

use super::error::NodeError;
use super::pruning::{Cut, Floor, Segments};
use crate::config::Pruning;

/// Block reference (round and author big-endian, then id) to position in the log.
pub(crate) const BLOCKS: Table = Table("blocks");
/// Round (big-endian) of an own block to position in the log.
pub(crate) const OWN_BLOCKS: Table = Table("own_blocks");

/// How many rounds below the garbage-collection round stay in memory, for peers that are a little behind.
const RECENT_ROUNDS: u64 = 8;

/// Reads the payload of a record of the log, on whatever disk that is.
type ReadRecord = dyn Fn(Position) -> Result<Vec<u8>, WalError> + Send + Sync;

/// Index of the blocks in the log.
pub(crate) struct BlockIndex {
    me: ValidatorIndex,
    read: Box<ReadRecord>,
    /// Blocks of rounds below this one are pruned.
    lowest_kept: AtomicU64,
    recent: RwLock<Recent>,
}

#[derive(Default)]
struct Recent {
    blocks: BTreeMap<BlockRef, VerifiedBlock>,
    /// Positions not yet written to the tables.
    positions: BTreeMap<BlockRef, Position>,
    /// Lowest position of any block of a round.
    first_positions: BTreeMap<Round, Position>,
    segments: Segments,
}

impl BlockIndex {
    /// `lowest_kept`: blocks of lower rounds are pruned. `segments`: what is in the log.
    pub(crate) fn new<F: DiskFile>(
        me: ValidatorIndex,
        reader: WalReader<F>,
        lowest_kept: Round,
        segments: Segments,
    ) -> Self {
        Self {
            me,
            read: Box::new(move |position| Ok(reader.read(position)?.payload)),
            lowest_kept: AtomicU64::new(lowest_kept.0),
            recent: RwLock::new(Recent {
                segments,
                ..Recent::default()
            }),
        }
    }

    /// The lowest round whose blocks are kept; 1 if none was pruned.
    pub(crate) fn lowest_kept(&self) -> Round {
        Round(self.lowest_kept.load(Ordering::Acquire))
    }

    /// The payload at `position`; `None` if its part of the log was cut meanwhile.
    fn read(&self, position: Position) -> Result<Option<Bytes>, NodeError> {
        match (self.read)(position) {
            Ok(payload) => Ok(Some(payload.into())),
            Err(WalError::NoSuchRecord(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Remembers a block that was appended at `position`.
    pub(crate) fn insert(&self, block: &VerifiedBlock, position: Position) {
        let reference = block.reference();
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the index");
        recent.segments.note(position, reference.round);
        recent.blocks.insert(reference, block.clone());
        recent.positions.insert(reference, position);
        let first = recent
            .first_positions
            .entry(reference.round)
            .or_insert(position);
        *first = position.min(*first);
    }

    /// Position from which the log must be replayed to hold every block at or above `gc_round`.
    pub(crate) fn replay_from(&self, gc_round: Round) -> Option<Position> {
        let recent = self
            .recent
            .read()
            .expect("no thread panics while it holds the index");
        recent
            .first_positions
            .range(gc_round..)
            .map(|(_, position)| *position)
            .min()
    }

    /// Moves positions into `batch` and forgets blocks far below `gc_round`. Once the batch is committed, call
    /// [`BlockIndex::written`].
    pub(crate) fn write_positions(&self, batch: &mut Batch) -> Vec<BlockRef> {
        let recent = self
            .recent
            .read()
            .expect("no thread panics while it holds the index");
        for (reference, position) in &recent.positions {
            batch.put(BLOCKS, block_key(reference), position.to_bytes());
            if reference.author == self.me {
                batch.put(
                    OWN_BLOCKS,
                    reference.round.0.to_be_bytes(),
                    position.to_bytes(),
                );
            }
        }
        recent.positions.keys().copied().collect()
    }

    /// The positions of these blocks are in the tables.
    pub(crate) fn written(&self, references: &[BlockRef], gc_round: Round) {
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the index");
        for reference in references {
            recent.positions.remove(reference);
        }
        let keep = BlockRef {
            round: gc_round.back(RECENT_ROUNDS),
            author: ValidatorIndex(0),
            id: quorate_types::BlockId([0; 32]),
        };
        recent.blocks = recent.blocks.split_off(&keep);
        recent.first_positions = recent.first_positions.split_off(&gc_round);
    }

    /// Cuts the log where it may be, if anywhere: drops from the tables what points before the cut. From now on peers
    /// are told that those rounds are gone, so that none is left out of a stream in silence.
    pub(crate) fn cut(
        &self,
        keep: &Pruning,
        replay_from: Position,
        gc_round: Round,
        batch: &mut Batch,
    ) -> Option<Cut> {
        let lowest = self.lowest_kept();
        let mut recent = self
            .recent
            .write()
            .expect("no thread panics while it holds the index");
        let cut = recent.segments.cut(keep, replay_from, gc_round, lowest)?;
        recent.segments.forget(cut);
        drop(recent);
        let first = BlockRef {
            round: cut.round,
            author: ValidatorIndex(0),
            id: quorate_types::BlockId([0; 32]),
        };
        batch.delete_below(BLOCKS, block_key(&first));
        batch.delete_below(OWN_BLOCKS, cut.round.0.to_be_bytes());
        Floor::put_cut(batch, cut);
        self.lowest_kept.store(cut.round.0, Ordering::Release);
        Some(cut)
    }

    /// A block's bytes, from memory or from the log.
    pub(crate) fn block(
        &self,
        tables: &Tables,
        reference: &BlockRef,
    ) -> Result<Option<Bytes>, NodeError> {
        let position = {
            let recent = self
                .recent
                .read()
                .expect("no thread panics while it holds the index");
            if let Some(block) = recent.blocks.get(reference) {
                return Ok(Some(block.bytes().clone()));
            }
            recent.positions.get(reference).copied()
        };
        let position = match position {
            Some(position) => Some(position),
            None => tables
                .get(BLOCKS, &block_key(reference))?
                .and_then(|bytes| Position::from_bytes(&bytes)),
        };
        let Some(position) = position else {
            return Ok(None);
        };
        self.read(position)
    }

    /// Own blocks from `from` on that are in memory, up to `bytes_max` but at least one if there is one; `None` if some
    /// of them are in the log alone.
    pub(crate) fn recent_own(&self, from: Round, bytes_max: usize) -> Option<Vec<(Round, Bytes)>> {
        let recent = self
            .recent
            .read()
            .expect("no thread panics while it holds the index");
        if from < recent.lowest() {
            return None;
        }
        let start = BlockRef {
            round: from,
            author: ValidatorIndex(0),
            id: quorate_types::BlockId([0; 32]),
        };
        let own = recent
            .blocks
            .range(start..)
            .filter(|(reference, _)| reference.author == self.me);
        let mut bytes = 0;
        let mut found = Vec::new();
        for (reference, block) in own {
            if bytes >= bytes_max {
                break;
            }
            bytes += block.bytes().len();
            found.push((reference.round, block.bytes().clone()));
        }
        Some(found)
    }

    /// As [`BlockIndex::recent_own`], for rounds that are in the log alone; where those end, it ends.
    pub(crate) fn stored_own(
        &self,
        tables: &Tables,
        from: Round,
        bytes_max: usize,
    ) -> Result<Vec<(Round, Bytes)>, NodeError> {
        let lowest = {
            let recent = self
                .recent
                .read()
                .expect("no thread panics while it holds the index");
            recent.lowest()
        };
        let (start, end) = (from.0.to_be_bytes(), lowest.0.to_be_bytes());
        let bounds = (Bound::Included(&start[..]), Bound::Excluded(&end[..]));
        let mut found = Vec::new();
        let mut bytes = 0;
        for (round, position) in tables.range(OWN_BLOCKS, bounds, OWN_BATCH)? {
            let (Ok(round), Some(position)) = (round.try_into(), Position::from_bytes(&position))
            else {
                continue;
            };
            let Some(payload) = self.read(position)? else {
                continue;
            };
            bytes += payload.len();
            found.push((Round(u64::from_be_bytes(round)), payload));
            if bytes >= bytes_max {
                break;
            }
        }
        if found.is_empty() {
            // No own block was made between there and what is in memory.
            return Ok(self.recent_own(lowest, bytes_max).unwrap_or_default());
        }
        Ok(found)
    }
}

impl Recent {
    /// The lowest round with a block in memory.
    fn lowest(&self) -> Round {
        self.blocks
            .keys()
            .next()
            .map_or(Round(u64::MAX), |reference| reference.round)
    }
}

/// Most own blocks read from the log at once.
const OWN_BATCH: usize = 64;

/// Rounds and authors big-endian, so that byte order is the order of rounds.
pub(crate) fn block_key(reference: &BlockRef) -> Vec<u8> {
    let mut key = reference.round.0.to_be_bytes().to_vec();
    key.extend_from_slice(&reference.author.0.to_be_bytes());
    reference.id.encode(&mut key);
    key
}
