//! The heights at which others can join at this node.

use std::sync::{Arc, Mutex, MutexGuard};

use quorate_ledger::{Execution, Snapshot};
use quorate_sync::{CommitRecord, Offers};
use quorate_types::{Commit, Height, Signature, Timestamp};

/// Heights between two points: a joining validator catches up at most so many, plus what passes while it fetches the state.
const POINT_HEIGHTS: u64 = 128;

/// [`Offers`] that threads share.
pub(crate) struct Points(Mutex<Offers>);

impl Points {
    pub(crate) const fn new(gc_depth: u64) -> Self {
        Self(Mutex::new(Offers::new(gc_depth, POINT_HEIGHTS)))
    }

    pub(crate) fn executed(&self, commit: &Commit, execution: &Execution) {
        self.lock().executed(commit, execution);
    }

    pub(crate) fn certified(&self, height: Height, now: Timestamp) {
        self.lock().certified(height, now);
    }

    pub(crate) fn find(
        &self,
        height: Option<Height>,
        certified: Height,
        now: Timestamp,
    ) -> Option<(Height, Signature)> {
        self.lock().find(height, certified, now)
    }

    pub(crate) fn commits(
        &self,
        point: Height,
        from: Height,
        bytes_max: usize,
        now: Timestamp,
    ) -> Option<Vec<Arc<CommitRecord>>> {
        self.lock().commits(point, from, bytes_max, now)
    }

    pub(crate) fn snapshot(&self, point: Height, now: Timestamp) -> Option<Snapshot> {
        self.lock().snapshot(point, now)
    }

    fn lock(&self) -> MutexGuard<'_, Offers> {
        self.0
            .lock()
            .expect("no thread panics while it holds the points")
    }
}
