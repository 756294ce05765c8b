//! What was pruned, and what may be.
//!
//! Pruning is part of a checkpoint: one transaction moves the position from which a restart replays, drops what points into
//! the segments that the log no longer needs, and notes where what is kept begins. Only then do the files go, on the log's
//! own thread. A crash in between leaves files that nothing points into, and the next start removes them.

use std::collections::BTreeMap;

use quorate_store::tables::{Batch, Table, Tables};
use quorate_store::wal::Position;
use quorate_types::{Height, Round};

use super::error::NodeError;
use crate::config::Pruning;

const PRUNED: Table = Table("pruned");
/// Key in [`PRUNED`] of the lowest round (big-endian) whose blocks are kept.
const ROUND: &[u8] = b"round";
/// Key in [`PRUNED`] of the lowest height (big-endian) whose receipts are kept.
const RECEIPTS: &[u8] = b"receipts";
/// Key in [`PRUNED`] of the number (big-endian) of the first segment of the log that is kept.
const SEGMENT: &[u8] = b"segment";

/// Most heights whose receipts one checkpoint drops: more than it adds, and few enough not to hold up execution when an
/// operator decides to keep less.
pub(crate) const RECEIPT_HEIGHTS_AT_ONCE: u64 = 1_024;

/// Where what is kept begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    /// The lowest round whose blocks are kept; 1 if none was pruned.
    pub(crate) round: Round,
    /// The lowest height whose receipts are kept; 1 if none was pruned.
    pub(crate) receipts: Height,
    /// The first segment of the log that is kept; those before it may still be there.
    pub(crate) segment: u64,
}

impl Floor {
    /// As the last transaction left it.
    pub(crate) fn restore(tables: &Tables) -> Result<Self, NodeError> {
        let number = |key| -> Result<Option<u64>, NodeError> {
            let stored = tables.get(PRUNED, key)?;
            stored
                .map(|bytes| bytes.try_into().map(u64::from_be_bytes))
                .transpose()
                .map_err(|_| NodeError::StoredFloor)
        };
        Ok(Self {
            round: Round(number(ROUND)?.unwrap_or(1)),
            receipts: Height(number(RECEIPTS)?.unwrap_or(1)),
            segment: number(SEGMENT)?.unwrap_or(0),
        })
    }

    /// Notes that the node joined at a point: it holds no blocks below the point's garbage-collection round, and no
    /// receipts of its height or below.
    pub(crate) fn put_joined(batch: &mut Batch, gc_round: Round, height: Height) {
        batch.put(PRUNED, ROUND, gc_round.0.to_be_bytes());
        Self::put_receipts(batch, height.next());
    }

    /// Notes that receipts below a height are dropped.
    pub(crate) fn put_receipts(batch: &mut Batch, lowest: Height) {
        batch.put(PRUNED, RECEIPTS, lowest.0.to_be_bytes());
    }

    /// Notes that the log is cut.
    pub(crate) fn put_cut(batch: &mut Batch, cut: Cut) {
        batch.put(PRUNED, ROUND, cut.round.0.to_be_bytes());
        batch.put(PRUNED, SEGMENT, cut.segment.to_be_bytes());
    }
}

/// Where the log is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The first segment that stays.
    pub(crate) segment: u64,
    /// No block of this round or above is in the segments that go.
    pub(crate) round: Round,
}

/// What the segments of the log hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments(BTreeMap<u64, Segment>);

#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    /// End of the last block.
    bytes: u64,
    /// The highest round of a block.
    highest: Round,
}

impl Segments {
    /// A block of `round` is at `position`.
    pub(crate) fn note(&mut self, position: Position, round: Round) {
        let segment = self.0.entry(position.segment).or_default();
        let end = position.offset + u64::from(position.len);
        segment.bytes = segment.bytes.max(end);
        segment.highest = segment.highest.max(round);
    }

    /// Where the log may be cut, if anywhere: below what a restart replays from `replay_from` on, below the rounds that
    /// are kept for others, and only while enough bytes stay. `lowest` is where the last cut was.
    pub(crate) fn cut(
        &self,
        keep: &Pruning,
        replay_from: Position,
        gc_round: Round,
        lowest: Round,
    ) -> Option<Cut> {
        if keep.log_rounds == 0 {
            return None;
        }
        let keep_round = gc_round.back(keep.log_rounds);
        let mut bytes: u64 = self.0.values().map(|segment| segment.bytes).sum();
        let mut round = lowest;
        let mut cut = None;
        for (number, segment) in self.0.range(..replay_from.segment) {
            bytes -= segment.bytes;
            if bytes < keep.log_bytes || segment.highest >= keep_round {
                break;
            }
            round = round.max(segment.highest.next());
            cut = Some(Cut {
                segment: number + 1,
                round,
            });
        }
        cut
    }

    /// The segments before the cut are gone.
    pub(crate) fn forget(&mut self, cut: Cut) {
        self.0 = self.0.split_off(&cut.segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u64, offset: u64) -> Position {
        Position {
            segment,
            offset,
            len: 100,
        }
    }

    /// Segments 3 to 7 of 1,100 bytes each, with the rounds of ten times their number, and one early block of round 52 in
    /// segment 4.
    fn segments() -> Segments {
        let mut segments = Segments::default();
        for number in 3..=7 {
            segments.note(at(number, 0), Round(number * 10));
            segments.note(at(number, 1_000), Round(number * 10 - 5));
        }
        segments.note(at(4, 500), Round(52));
        segments
    }

    fn keep(log_rounds: u64, log_bytes: u64) -> Pruning {
        Pruning {
            log_rounds,
            log_bytes,
            ..Pruning::default()
        }
    }

    #[test]
    fn the_log_is_cut_below_everything_that_somebody_needs() {
        let cases = [
            // Everything below the replay.
            (keep(1, 0), at(7, 0), 1_000, Some((7, 61))),
            (keep(1, 0), at(5, 700), 1_000, Some((5, 53))),
            (keep(1, 0), at(3, 0), 1_000, None),
            // Rounds for others: an early block of round 52 holds its segment back, and what follows.
            (keep(8, 0), at(7, 0), 61, Some((6, 53))),
            (keep(9, 0), at(7, 0), 61, Some((4, 31))),
            (keep(30, 0), at(7, 0), 61, Some((4, 31))),
            (keep(31, 0), at(7, 0), 61, None),
            (keep(1_000, 0), at(7, 0), 61, None),
            // Bytes that stay in any case.
            (keep(1, 4_400), at(7, 0), 1_000, Some((4, 31))),
            (keep(1, 4_401), at(7, 0), 1_000, None),
            (keep(1, 2_000), at(7, 0), 1_000, Some((6, 53))),
            // Everything is kept.
            (keep(0, 0), at(7, 0), 1_000, None),
        ];
        for (number, (keep, replay_from, gc_round, expected)) in cases.into_iter().enumerate() {
            let cut = segments().cut(&keep, replay_from, Round(gc_round), Round(7));
            let expected = expected.map(|(segment, round)| Cut {
                segment,
                round: Round(round),
            });
            assert_eq!(cut, expected, "case {number}");
        }
    }

    #[test]
    fn a_cut_never_lowers_the_lowest_round() {
        let mut segments = segments();
        let cut = segments.cut(&keep(1, 0), at(7, 0), Round(1_000), Round(99));
        let cut = cut.expect("there is something to cut");
        assert_eq!(cut.round, Round(99));
        segments.forget(cut);
        let again = segments.cut(&keep(1, 0), at(7, 0), Round(1_000), Round(99));
        assert_eq!(again, None);
    }
}
