//! What a validator offers those that join by state sync.

use std::sync::Arc;

use quorate_ledger::Snapshot;
use quorate_sync::{CommitRecord, SyncPoint};
use quorate_types::{Certificate, Encode, Height};

use super::Process;
use crate::hub::Hub;

impl Process {
    /// The point at a height, or the newest.
    pub(crate) fn sync_point(&mut self, height: Option<Height>, hub: &Hub) -> Option<Vec<u8>> {
        let certified = self.validator.finality().certified;
        let (height, coin) = self.offers.find(height, certified, hub.now)?;
        let certificate = self.certificates.get(&height)?.as_ref().clone();
        Some(SyncPoint { certificate, coin }.to_bytes())
    }

    /// A certificate that is here.
    pub(crate) fn certificate(&self, height: Height) -> Option<Arc<Certificate>> {
        self.certificates.get(&height).cloned()
    }

    /// Commits below a point, from `from` downwards.
    pub(crate) fn sync_commits(
        &mut self,
        point: Height,
        from: Height,
        bytes_max: usize,
        hub: &Hub,
    ) -> Option<Vec<Arc<CommitRecord>>> {
        self.offers.commits(point, from, bytes_max, hub.now)
    }

    /// The state at a point.
    pub(crate) fn sync_snapshot(&mut self, point: Height, hub: &Hub) -> Option<Snapshot> {
        self.offers.snapshot(point, hub.now)
    }
}
