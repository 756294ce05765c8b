//! The content of one simulated file: as seen, as durable, and the changes between.

use std::sync::Arc;

use super::{DiskError, SplitMix};

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: Vec<Change>,
    /// Shared with every open file.
    handle: Arc<()>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

pub(super) fn bytes(len: usize) -> u64 {
    u64::try_from(len).expect("usize has at most 64 bits")
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated file fits in memory")
}

impl Inode {
    pub(super) fn durable(content: Vec<u8>) -> Self {
        Self {
            seen: content.clone(),
            durable: content,
            dirty: Vec::new(),
            handle: Arc::default(),
        }
    }

    pub(super) fn handle(&self) -> Arc<()> {
        Arc::clone(&self.handle)
    }

    pub(super) fn is_open(&self) -> bool {
        Arc::strong_count(&self.handle) > 1
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn length(&self) -> u64 {
        bytes(self.seen.len())
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), DiskError> {
        let start = usize::try_from(offset).map_err(|_| DiskError::PastEnd)?;
        let end = start.checked_add(out.len()).ok_or(DiskError::PastEnd)?;
        out.copy_from_slice(self.seen.get(start..end).ok_or(DiskError::PastEnd)?);
        Ok(())
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let change = Change::Write {
            offset: index(offset),
            data: data.to_vec(),
        };
        change.apply(&mut self.seen);
        self.dirty.push(change);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let change = Change::SetLen(index(len));
        change.apply(&mut self.seen);
        self.dirty.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.dirty.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync failed: the changes stay visible, but nobody will write them any more.
    pub(super) fn forget_dirty(&mut self) {
        self.dirty.clear();
    }

    pub(super) fn flip(&mut self, offset: u64, mask: u8) -> bool {
        let Ok(offset) = usize::try_from(offset) else {
            return false;
        };
        if let Some(byte) = self.durable.get_mut(offset) {
            *byte ^= mask;
        }
        self.seen
            .get_mut(offset)
            .map(|byte| *byte ^= mask)
            .is_some()
    }

    pub(super) fn crash(&mut self, random: &mut SplitMix) {
        for change in self.dirty.drain(..) {
            if let Some(change) = change.torn(random) {
                change.apply(&mut self.durable);
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => content.resize(*len, 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(data);
            }
        }
    }

    /// What a crash leaves of this change.
    fn torn(self, random: &mut SplitMix) -> Option<Self> {
        let fate = random.up_to(3);
        match (self, fate) {
            (_, 0) => None,
            (Self::Write { offset, mut data }, 1) => {
                data.truncate(random.up_to(data.len()));
                (!data.is_empty()).then_some(Self::Write { offset, data })
            }
            (Self::Write { offset, mut data }, 2) => {
                let lost = random.up_to(data.len());
                data.drain(..lost);
                (!data.is_empty()).then_some(Self::Write {
                    offset: offset + lost,
                    data,
                })
            }
            (whole, _) => Some(whole),
        }
    }
}
