//! redb's storage on a file of any [`Disk`](crate::disk::Disk).

use std::io;

use crate::disk::DiskFile;

/// A file of a disk as storage for [`Tables`](super::Tables): with a [`MemoryDisk`](crate::disk::MemoryDisk), tables whose commits
/// a test can interrupt and tear. It does not lock.
#[derive(Debug)]
pub struct DiskBackend<F>(F);

impl<F: DiskFile> DiskBackend<F> {
    /// Uses an open file.
    #[must_use]
    pub fn new(file: F) -> Self {
        Self(file)
    }
}

impl<F: DiskFile> redb::StorageBackend for DiskBackend<F> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.length()?)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        Ok(self.0.read_at(offset, out)?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Ok(self.0.set_len(len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(self.0.sync()?)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        Ok(self.0.write_at(offset, data)?)
    }
}
