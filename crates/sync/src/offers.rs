//! The heights at which others can join.
//!
//! Every so many heights a validator keeps its state, which shares all that did not change with the newest; and all commits whose
//! blocks a point's tail names are remembered. All of it lives in memory: after a restart a validator offers points again as soon as
//! its tail goes back far enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_ledger::{Execution, Snapshot};
use quorate_types::{Commit, Header, Height, Round, Signature, Timestamp};

use crate::tail::CommitRecord;

/// Newest points that are kept though nobody asks for them.
const POINTS_KEPT: usize = 4;
/// Older points that are kept because somebody did.
const POINTS_USED_MAX: usize = 4;
/// How long a point counts as used after the last request, in microseconds.
const USED_MICROS: u64 = 120_000_000;

/// The points on offer.
#[derive(Debug)]
pub struct Offers {
    gc_depth: u64,
    /// Heights between two points.
    interval: u64,
    /// Commits, consecutive up to the newest.
    commits: BTreeMap<Height, Arc<CommitRecord>>,
    points: BTreeMap<Height, Point>,
}

#[derive(Debug)]
struct Point {
    snapshot: Snapshot,
    coin: Signature,
    leader_round: Round,
    used: Option<Timestamp>,
}

impl Offers {
    /// No points yet. There will be one every `interval` heights: whoever joins catches up at most so many, plus what passes while it
    /// fetches the state. `gc_depth` is the rule's.
    #[must_use]
    pub const fn new(gc_depth: u64, interval: u64) -> Self {
        Self {
            gc_depth,
            interval,
            commits: BTreeMap::new(),
            points: BTreeMap::new(),
        }
    }

    /// A commit was executed.
    pub fn executed(&mut self, commit: &Commit, execution: &Execution) {
        let record = CommitRecord {
            header: execution.header.clone(),
            blocks: commit.references().collect(),
        };
        self.commits.insert(commit.height, Arc::new(record));
        if !commit.height.0.is_multiple_of(self.interval) {
            return;
        }
        if let Some(coin) = commit.coin {
            let point = Point {
                snapshot: execution.snapshot.clone(),
                coin,
                leader_round: commit.leader.round,
                used: None,
            };
            self.points.insert(commit.height, point);
        }
    }

    /// A height was certified: points that nobody needs are let go.
    pub fn certified(&mut self, height: Height, now: Timestamp) {
        if !height.0.is_multiple_of(self.interval) {
            return;
        }
        let newest: Vec<Height> = self
            .points
            .range(..=height)
            .map(|(height, _)| *height)
            .collect();
        let older = newest.len().saturating_sub(POINTS_KEPT);
        let mut used = 0;
        for height in newest[..older].iter().rev() {
            let point = &self.points[height];
            let recently = point
                .used
                .is_some_and(|used| now.micros_since(used) < USED_MICROS);
            if recently && used < POINTS_USED_MAX {
                used += 1;
            } else {
                self.points.remove(height);
            }
        }
        self.forget_commits();
    }

    /// Forgets commits that no kept or coming point's tail names.
    fn forget_commits(&mut self) {
        let oldest = self.points.values().next().map(|point| point.leader_round);
        let newest = self.commits.values().next_back();
        let Some(round) = oldest.or_else(|| newest.map(|commit| commit.header.leader_round)) else {
            return;
        };
        let least = round.back(self.gc_depth);
        // The first below shows that no more are needed.
        let mut below = self
            .commits
            .iter()
            .rev()
            .skip_while(|(_, commit)| commit.header.leader_round >= least);
        if let Some((lowest, _)) = below.next() {
            let lowest = *lowest;
            self.commits = self.commits.split_off(&lowest);
        }
    }

    /// The coin of the point at a height, or of the newest point at or below `certified`, and the height.
    pub fn find(
        &mut self,
        height: Option<Height>,
        certified: Height,
        now: Timestamp,
    ) -> Option<(Height, Signature)> {
        let (height, leader_round) = match height {
            Some(height) if height > certified => return None,
            Some(height) => (height, self.points.get(&height)?.leader_round),
            None => {
                let (height, point) = self.points.range(..=certified).next_back()?;
                (*height, point.leader_round)
            }
        };
        let (lowest, first) = self.commits.first_key_value()?;
        let least = leader_round.back(self.gc_depth);
        if *lowest > Height(1) && first.header.leader_round >= least {
            return None;
        }
        let point = self.points.get_mut(&height)?;
        point.used = Some(now);
        Some((height, point.coin))
    }

    /// Commits from `from` downwards, about `bytes_max` bytes of them and at least one. `None`: the point is not on offer.
    pub fn commits(
        &mut self,
        point: Height,
        from: Height,
        bytes_max: usize,
        now: Timestamp,
    ) -> Option<Vec<Arc<CommitRecord>>> {
        self.points.get_mut(&point)?.used = Some(now);
        let mut bytes = 0;
        let commits = self.commits.range(..=from.min(point)).rev();
        let fit = commits.take_while(|(_, commit)| {
            let first = bytes == 0;
            bytes += HEADER_BYTES + REFERENCE_BYTES * commit.blocks.len();
            first || bytes <= bytes_max
        });
        Some(fit.map(|(_, commit)| Arc::clone(commit)).collect())
    }

    /// The state at a point. `None`: the point is not on offer.
    pub fn snapshot(&mut self, point: Height, now: Timestamp) -> Option<Snapshot> {
        let point = self.points.get_mut(&point)?;
        point.used = Some(now);
        Some(point.snapshot.clone())
    }
}

/// Bytes of an encoded header.
const HEADER_BYTES: usize = Header::LENGTH;
/// Bytes of an encoded reference.
const REFERENCE_BYTES: usize = 8 + 2 + 32;
