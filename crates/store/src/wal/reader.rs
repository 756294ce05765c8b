//! Reading records while the writer goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::format::{RECORD_HEADER_BYTES, SegmentKey};
use super::recovery::payload;
use super::types::{Position, RECORD_BYTES_MAX, Record, WalError};
use super::{as_u32, as_u64, as_usize};
use crate::disk::{DiskError, DiskFile};

/// Reads durable records by position, from any thread. Clones share the list of segments with the writer.
#[derive(Clone, Debug)]
pub struct WalReader<F> {
    store_id: [u8; 32],
    files: Arc<RwLock<BTreeMap<u64, F>>>,
}

impl<F: DiskFile> WalReader<F> {
    pub(super) fn new(store_id: [u8; 32], files: BTreeMap<u64, F>) -> Self {
        Self {
            store_id,
            files: Arc::new(RwLock::new(files)),
        }
    }

    /// The record at `position`.
    ///
    /// # Errors
    /// [`WalError::NoSuchRecord`] if it is pruned or not flushed; [`WalError::Corrupt`] if it is damaged, or the position is not one that
    /// this log gave; [`WalError::Disk`].
    pub fn read(&self, position: Position) -> Result<Record, WalError> {
        if position.len > RECORD_BYTES_MAX {
            return Err(WalError::NoSuchRecord(position));
        }
        let file = self
            .file(position.segment)
            .ok_or(WalError::NoSuchRecord(position))?;
        // A position may come from a damaged table: nothing is allocated for what the file cannot hold.
        let total = RECORD_HEADER_BYTES + as_usize(position.len.into());
        let length = file.length()?;
        let end = position.offset.checked_add(as_u64(total));
        if end.is_none_or(|end| end > length) {
            return Err(WalError::NoSuchRecord(position));
        }
        let mut bytes = vec![0; total];
        match file.read_at(position.offset, &mut bytes) {
            Err(DiskError::PastEnd) => return Err(WalError::NoSuchRecord(position)),
            read => read?,
        }
        decode_record(&self.store_id, position, &bytes).ok_or(WalError::Corrupt {
            segment: position.segment,
            offset: position.offset,
        })
    }

    /// The number of the oldest segment.
    #[must_use]
    pub fn first_segment(&self) -> Option<u64> {
        self.shared().keys().next().copied()
    }

    pub(super) fn file(&self, segment: u64) -> Option<F> {
        self.shared().get(&segment).cloned()
    }

    pub(super) fn files_from(&self, segment: u64) -> Vec<(u64, F)> {
        self.shared()
            .range(segment..)
            .map(|(segment, file)| (*segment, file.clone()))
            .collect()
    }

    pub(super) fn insert(&self, segment: u64, file: F) {
        self.exclusive().insert(segment, file);
    }

    pub(super) fn remove(&self, segment: u64) {
        self.exclusive().remove(&segment);
    }

    fn shared(&self) -> RwLockReadGuard<'_, BTreeMap<u64, F>> {
        // Nothing panics while holding the lock, and a map of files has no half-done states.
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, F>> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record at the start of `bytes`, if it is the one of `position` and whole.
pub(super) fn decode_record(
    store_id: &[u8; 32],
    position: Position,
    bytes: &[u8],
) -> Option<Record> {
    let header = SegmentKey::new(store_id, position.segment).decode(position.offset, bytes)?;
    let payload = payload(&header, bytes)?;
    (as_u32(payload.len()) == position.len).then(|| Record {
        sequence: header.sequence,
        kind: header.kind,
        payload: payload.to_vec(),
    })
}
