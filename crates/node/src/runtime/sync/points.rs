//! The heights at which others can join.
//!
//! Every [`POINT_HEIGHTS`]th height keeps its state, which shares all that did not change with the newest; and all commits
//! whose blocks a point's tail names are remembered. All of it lives in memory: after a restart a node offers points again as
//! soon as its tail goes back far enough.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_ledger::{Execution, Snapshot};
use quorate_sync::CommitRecord;
use quorate_types::{Commit, Height, Round, Signature, Timestamp};

/// Heights between two points: a joining validator catches up at most so many, plus what passes while it fetches the state.
const POINT_HEIGHTS: u64 = 128;
/// Newest points that are kept though nobody asks for them.
const POINTS_KEPT: usize = 4;
/// Older points that are kept because somebody did.
const POINTS_USED_MAX: usize = 4;
/// How long a point counts as used after the last request, in microseconds.
const USED_MICROS: u64 = 120_000_000;

/// The points on offer.
pub(crate) struct Points {
    gc_depth: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Commits, consecutive up to the newest.
    commits: BTreeMap<Height, Arc<CommitRecord>>,
    points: BTreeMap<Height, Point>,
}

struct Point {
    snapshot: Snapshot,
    coin: Signature,
    leader_round: Round,
    used: Option<Timestamp>,
}

impl Points {
    pub(crate) fn new(gc_depth: u64) -> Self {
        Self {
            gc_depth,
            kept: Mutex::default(),
        }
    }

    /// A commit was executed.
    pub(crate) fn executed(&self, commit: &Commit, execution: &Execution) {
        let record = CommitRecord {
            header: execution.header.clone(),
            blocks: commit.references().collect(),
        };
        let mut kept = self.lock();
        kept.commits.insert(commit.height, Arc::new(record));
        if !commit.height.0.is_multiple_of(POINT_HEIGHTS) {
            return;
        }
        if let Some(coin) = commit.coin {
            let point = Point {
                snapshot: execution.snapshot.clone(),
                coin,
                leader_round: commit.leader.round,
                used: None,
            };
            kept.points.insert(commit.height, point);
        }
    }

    /// A height was certified: points that nobody needs are let go.
    pub(crate) fn certified(&self, height: Height, now: Timestamp) {
        if !height.0.is_multiple_of(POINT_HEIGHTS) {
            return;
        }
        let mut kept = self.lock();
        let newest: Vec<Height> = kept
            .points
            .range(..=height)
            .map(|(height, _)| *height)
            .collect();
        let older = newest.len().saturating_sub(POINTS_KEPT);
        let mut used = 0;
        for height in newest[..older].iter().rev() {
            let point = &kept.points[height];
            let recently = point
                .used
                .is_some_and(|used| now.micros_since(used) < USED_MICROS);
            if recently && used < POINTS_USED_MAX {
                used += 1;
            } else {
                kept.points.remove(height);
            }
        }
        self.forget_commits(&mut kept);
    }

    /// Forgets commits that no kept or coming point's tail names.
    fn forget_commits(&self, kept: &mut Kept) {
        let oldest = kept.points.values().next().map(|point| point.leader_round);
        let newest = kept.commits.values().next_back();
        let Some(round) = oldest.or_else(|| newest.map(|commit| commit.header.leader_round)) else {
            return;
        };
        let least = round.back(self.gc_depth);
        // The first below shows that no more are needed.
        let mut below = kept
            .commits
            .iter()
            .rev()
            .skip_while(|(_, commit)| commit.header.leader_round >= least);
        if let Some((lowest, _)) = below.next() {
            let lowest = *lowest;
            kept.commits = kept.commits.split_off(&lowest);
        }
    }

    /// The coin of the point at a height, or of the newest point at or below `certified`, and the height.
    pub(crate) fn find(
        &self,
        height: Option<Height>,
        certified: Height,
        now: Timestamp,
    ) -> Option<(Height, Signature)> {
        let mut kept = self.lock();
        let (height, leader_round) = match height {
            Some(height) if height > certified => return None,
            Some(height) => (height, kept.points.get(&height)?.leader_round),
            None => {
                let (height, point) = kept.points.range(..=certified).next_back()?;
                (*height, point.leader_round)
            }
        };
        let (lowest, first) = kept.commits.first_key_value()?;
        let least = leader_round.back(self.gc_depth);
        if *lowest > Height(1) && first.header.leader_round >= least {
            return None;
        }
        let point = kept.points.get_mut(&height)?;
        point.used = Some(now);
        Some((height, point.coin))
    }

    /// Commits from `from` downwards.
    pub(crate) fn commits(
        &self,
        point: Height,
        from: Height,
        bytes_max: usize,
        now: Timestamp,
    ) -> Option<Vec<Arc<CommitRecord>>> {
        let mut kept = self.lock();
        kept.points.get_mut(&point)?.used = Some(now);
        let mut bytes = 0;
        let commits = kept.commits.range(..=from.min(point)).rev();
        let fit = commits.take_while(|(_, commit)| {
            let first = bytes == 0;
            bytes += HEADER_BYTES + REFERENCE_BYTES * commit.blocks.len();
            first || bytes <= bytes_max
        });
        Some(fit.map(|(_, commit)| Arc::clone(commit)).collect())
    }

    /// The state at a point.
    pub(crate) fn snapshot(&self, point: Height, now: Timestamp) -> Option<Snapshot> {
        let mut kept = self.lock();
        let point = kept.points.get_mut(&point)?;
        point.used = Some(now);
        Some(point.snapshot.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept
            .lock()
            .expect("no thread panics while it holds the points")
    }
}

/// Bytes of an encoded header.
const HEADER_BYTES: usize = quorate_types::Header::LENGTH;
/// Bytes of an encoded reference.
const REFERENCE_BYTES: usize = 8 + 2 + 32;
