//! A deterministic disk in memory that keeps what is synced apart from what is not.
//!
//! A crash ([`MemoryDisk::crash`]) decides from its seed, for every write, truncation, creation and removal since the last sync
//! on its own, whether it happened: writes may survive wholly, up to or from any byte, or not at all, and in any order. That is
//! harsher than real disks, which keep sectors whole.

mod inode;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::inode::Inode;
use super::random::SplitMix;
use super::{Disk, DiskError, DiskFile, check_name};

/// How much a disk was used: for tests that promise one write and one sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Calls of [`DiskFile::write_at`].
    pub writes: u64,
    /// Bytes written by them.
    pub written_bytes: u64,
    /// Calls of [`DiskFile::sync`].
    pub syncs: u64,
    /// Calls of [`Disk::sync_directory`].
    pub directory_syncs: u64,
}

/// A simulated disk. Clones are handles of the same disk; [`MemoryDisk::copy`] makes another disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
    /// The boot this handle belongs to; handles of earlier boots are dead.
    boot: u64,
}

/// An open file of a [`MemoryDisk`]; dead after a crash.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    disk: MemoryDisk,
    inode: u64,
    /// Keeps the content of a removed file while it is open.
    _handle: Arc<()>,
}

#[derive(Clone, Debug, Default)]
struct State {
    boot: u64,
    inodes: BTreeMap<u64, Inode>,
    inode_next: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    capacity_bytes: Option<u64>,
    failing_syncs: u64,
    failing_writes: u64,
    /// Changes left until the power goes; `None`: it stays.
    changes_left: Option<u64>,
    stats: DiskStats,
}

impl MemoryDisk {
    /// An empty disk without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk with the same content, synced and not: what a backup of this one restores.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.locked().clone();
        let boot = state.boot;
        Self {
            state: Arc::new(Mutex::new(state)),
            boot,
        }
    }

    /// The power fails. What was not synced survives, is torn or is lost as `seed` has it. Every other handle (and every open
    /// file) goes dead with [`DiskError::Stale`], this one goes on. Injected failures and the power limit are forgotten.
    pub fn crash(&mut self, seed: u64) {
        let mut random = SplitMix::new(seed);
        let mut state = self.locked();
        let State {
            names,
            durable_names,
            inodes,
            ..
        } = &mut *state;
        let changed: Vec<String> = names
            .iter()
            .filter(|(name, inode)| durable_names.get(*name) != Some(*inode))
            .chain(
                durable_names
                    .iter()
                    .filter(|(name, _)| !names.contains_key(*name)),
            )
            .map(|(name, _)| name.clone())
            .collect();
        for name in changed {
            if random.up_to(1) == 0 {
                match names.get(&name) {
                    Some(inode) => durable_names.insert(name, *inode),
                    None => durable_names.remove(&name),
                };
            }
        }
        names.clone_from(durable_names);
        inodes.retain(|inode, _| durable_names.values().any(|named| named == inode));
        for inode in inodes.values_mut() {
            inode.crash(&mut random);
        }
        let boot = state.reboot();
        drop(state);
        self.boot = boot;
    }

    /// The process dies but the machine goes on: nothing is lost, nothing more is synced than was, other handles go dead.
    pub fn kill(&mut self) {
        let boot = self.locked().reboot();
        self.boot = boot;
    }

    /// Limits the sum of all file lengths; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.locked().capacity_bytes = bytes;
    }

    /// Lets the next `count` calls of [`DiskFile::sync`] fail. As in Linux, what such a call should have made durable stays
    /// visible but is no longer dirty: a later successful sync does not make it durable.
    pub fn fail_next_syncs(&self, count: u64) {
        self.locked().failing_syncs = count;
    }

    /// Lets the next `count` calls of [`DiskFile::write_at`] fail, writing nothing.
    pub fn fail_next_writes(&self, count: u64) {
        self.locked().failing_writes = count;
    }

    /// After `changes` more changes (writes, truncations, syncs, creations, removals) every operation fails with
    /// [`DiskError::Stale`], until [`MemoryDisk::crash`] or [`MemoryDisk::kill`]: for crashes amid an operation.
    pub fn power_off_after(&self, changes: u64) {
        self.locked().changes_left = Some(changes);
    }

    /// Turns over the bits of `mask` in one byte, durably, as decay does. Returns whether there is such a byte.
    pub fn flip_byte(&self, name: &str, offset: u64, mask: u8) -> bool {
        let mut state = self.locked();
        let Some(inode) = state
            .names
            .get(name)
            .copied()
            .and_then(|inode| state.inodes.get_mut(&inode))
        else {
            return false;
        };
        inode.flip(offset, mask)
    }

    /// The content of a file as a running process sees it.
    ///
    /// # Errors
    /// [`DiskError::NotFound`].
    pub fn content(&self, name: &str) -> Result<Vec<u8>, DiskError> {
        let state = self.locked();
        let inode = state.names.get(name).ok_or(DiskError::NotFound)?;
        Ok(state
            .inodes
            .get(inode)
            .ok_or(DiskError::NotFound)?
            .content()
            .to_vec())
    }

    /// Puts a file there, durably, replacing what was.
    ///
    /// # Errors
    /// [`DiskError::BadName`].
    pub fn put(&self, name: &str, content: Vec<u8>) -> Result<(), DiskError> {
        check_name(name)?;
        let mut state = self.locked();
        let inode = state.add(Inode::durable(content));
        state.names.insert(name.to_owned(), inode);
        state.durable_names.insert(name.to_owned(), inode);
        Ok(())
    }

    /// What was done on this disk so far.
    #[must_use]
    pub fn stats(&self) -> DiskStats {
        self.locked().stats
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // The state is consistent between statements, so a panic elsewhere while holding the lock does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading(&self) -> Result<MutexGuard<'_, State>, DiskError> {
        let state = self.locked();
        if state.boot != self.boot || state.changes_left == Some(0) {
            return Err(DiskError::Stale);
        }
        Ok(state)
    }

    fn changing(&self) -> Result<MutexGuard<'_, State>, DiskError> {
        let mut state = self.reading()?;
        if let Some(left) = &mut state.changes_left {
            *left -= 1;
            if *left == 0 {
                return Err(DiskError::Stale);
            }
        }
        Ok(state)
    }
}

impl State {
    fn reboot(&mut self) -> u64 {
        self.boot += 1;
        self.failing_syncs = 0;
        self.failing_writes = 0;
        self.changes_left = None;
        self.boot
    }

    fn add(&mut self, content: Inode) -> u64 {
        let inode = self.inode_next;
        self.inode_next += 1;
        self.inodes.insert(inode, content);
        inode
    }

    /// How many more bytes fit.
    fn free_bytes(&self) -> u64 {
        let used = |state: &Self| -> u64 {
            state
                .names
                .values()
                .filter_map(|inode| state.inodes.get(inode))
                .map(Inode::length)
                .sum()
        };
        self.capacity_bytes
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(used(self)))
    }

    fn inode(&mut self, inode: u64) -> Result<&mut Inode, DiskError> {
        self.inodes.get_mut(&inode).ok_or(DiskError::Stale)
    }
}

/// Counts an injected failure down and says whether it strikes.
fn strikes(left: &mut u64) -> bool {
    let strikes = *left > 0;
    *left = left.saturating_sub(1);
    strikes
}

const INJECTED: DiskError = DiskError::Io {
    kind: io::ErrorKind::Other,
};

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn list(&self) -> Result<Vec<String>, DiskError> {
        Ok(self.reading()?.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> Result<MemoryFile, DiskError> {
        check_name(name)?;
        let mut state = self.reading()?;
        let inode = *state.names.get(name).ok_or(DiskError::NotFound)?;
        let handle = state.inode(inode)?.handle();
        Ok(MemoryFile {
            disk: self.clone(),
            inode,
            _handle: handle,
        })
    }

    fn create(&self, name: &str) -> Result<MemoryFile, DiskError> {
        check_name(name)?;
        let mut state = self.changing()?;
        if state.names.contains_key(name) {
            return Err(DiskError::AlreadyExists);
        }
        let inode = state.add(Inode::durable(Vec::new()));
        state.names.insert(name.to_owned(), inode);
        let handle = state.inode(inode)?.handle();
        Ok(MemoryFile {
            disk: self.clone(),
            inode,
            _handle: handle,
        })
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        check_name(name)?;
        self.changing()?
            .names
            .remove(name)
            .map(|_| ())
            .ok_or(DiskError::NotFound)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        check_name(to)?;
        let mut state = self.changing()?;
        let inode = state.names.remove(from).ok_or(DiskError::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        let mut state = self.changing()?;
        state.stats.directory_syncs += 1;
        if strikes(&mut state.failing_syncs) {
            return Err(INJECTED);
        }
        let State {
            names,
            durable_names,
            inodes,
            ..
        } = &mut *state;
        durable_names.clone_from(names);
        inodes.retain(|inode, content| {
            content.is_open() || names.values().any(|named| named == inode)
        });
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> Result<u64, DiskError> {
        Ok(self.disk.reading()?.inode(self.inode)?.length())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), DiskError> {
        self.disk.reading()?.inode(self.inode)?.read(offset, out)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut state = self.disk.changing()?;
        state.stats.writes += 1;
        if strikes(&mut state.failing_writes) {
            return Err(INJECTED);
        }
        let free = state.free_bytes();
        let length = state.inode(self.inode)?.length();
        let end = offset
            .checked_add(inode::bytes(data.len()))
            .ok_or(DiskError::Full)?;
        let written = if end.saturating_sub(length) <= free {
            data
        } else {
            // A full disk takes the bytes that fit, then fails.
            let fitting = length.saturating_add(free).saturating_sub(offset);
            &data[..usize::try_from(fitting)
                .unwrap_or(data.len())
                .min(data.len())]
        };
        state.stats.written_bytes += inode::bytes(written.len());
        let inode = state.inode(self.inode)?;
        if !written.is_empty() {
            inode.write(offset, written);
        }
        if written.len() == data.len() {
            Ok(())
        } else {
            Err(DiskError::Full)
        }
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let mut state = self.disk.changing()?;
        let free = state.free_bytes();
        let inode = state.inode(self.inode)?;
        if len.saturating_sub(inode.length()) > free {
            return Err(DiskError::Full);
        }
        inode.set_len(len);
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        let mut state = self.disk.changing()?;
        state.stats.syncs += 1;
        if strikes(&mut state.failing_syncs) {
            state.inode(self.inode)?.forget_dirty();
            return Err(INJECTED);
        }
        state.inode(self.inode)?.sync();
        Ok(())
    }
}
