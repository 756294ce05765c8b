//! A small synchronous file system of one flat directory: all that the log and the tables need of a disk.
//!
//! [`OsDisk`] is the real one; [`MemoryDisk`] is a deterministic one that loses, tears and reorders whatever was not synced.
//! Writing is durable only after [`DiskFile::sync`]; a new or removed *name* only after [`Disk::sync_directory`].

mod memory;
mod os;
mod random;

pub use self::memory::{DiskStats, MemoryDisk, MemoryFile};
pub use self::os::{OsDisk, OsFile};

use std::io;

/// Why a disk operation failed. Small and `Copy`, so that an engine can take it as an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// No file (or directory) of that name.
    #[error("no such file")]
    NotFound,
    /// A file of that name exists already.
    #[error("the file exists already")]
    AlreadyExists,
    /// No space or no quota is left (ENOSPC, EDQUOT).
    #[error("the disk is full")]
    Full,
    /// The process may not do this here, or the file system is read-only.
    #[error("permission denied")]
    Permission,
    /// A read went past the end of the file.
    #[error("read past the end of the file")]
    PastEnd,
    /// The name is not a plain file name of this directory.
    #[error("not a plain file name")]
    BadName,
    /// The handle belongs to a process that has crashed (simulated disks only).
    #[error("the handle did not survive the crash")]
    Stale,
    /// Anything else the operating system reports.
    #[error("disk failure: {kind}")]
    Io {
        /// The operating system's reason.
        kind: io::ErrorKind,
    },
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        if let Some(inner) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Self>())
        {
            return *inner;
        }
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::AlreadyExists,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Permission,
            io::ErrorKind::UnexpectedEof => Self::PastEnd,
            kind => Self::Io { kind },
        }
    }
}

impl From<DiskError> for io::Error {
    fn from(error: DiskError) -> Self {
        let kind = match error {
            DiskError::NotFound => io::ErrorKind::NotFound,
            DiskError::AlreadyExists => io::ErrorKind::AlreadyExists,
            DiskError::Full => io::ErrorKind::StorageFull,
            DiskError::Permission => io::ErrorKind::PermissionDenied,
            DiskError::PastEnd => io::ErrorKind::UnexpectedEof,
            DiskError::BadName => io::ErrorKind::InvalidInput,
            DiskError::Stale => io::ErrorKind::NotConnected,
            DiskError::Io { kind } => kind,
        };
        Self::new(kind, error)
    }
}

/// One flat directory of files.
///
/// A disk handle is shared: several may exist, and files opened from it are used by several threads.
pub trait Disk: Send {
    /// An open file of this disk.
    type File: DiskFile;

    /// The names of all files, sorted.
    ///
    /// # Errors
    /// Whatever the disk reports.
    fn list(&self) -> Result<Vec<String>, DiskError>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is none; [`DiskError::BadName`].
    fn open(&self, name: &str) -> Result<Self::File, DiskError>;

    /// Creates an empty file. The name survives a crash only after [`Disk::sync_directory`].
    ///
    /// # Errors
    /// [`DiskError::AlreadyExists`], [`DiskError::Full`], [`DiskError::BadName`].
    fn create(&self, name: &str) -> Result<Self::File, DiskError>;

    /// Removes a file; open handles go on working. Durable only after [`Disk::sync_directory`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is none.
    fn remove(&self, name: &str) -> Result<(), DiskError>;

    /// Gives a file another name, replacing the file that had it; open handles go on working. Durable only after
    /// [`Disk::sync_directory`]; until then a crash leaves the old file or the new one under `to`, if there was an old one.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is no `from`.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Makes every creation, removal and renaming so far durable.
    ///
    /// # Errors
    /// Whatever the disk reports; after an error nothing may be assumed about names changed since the last success.
    fn sync_directory(&self) -> Result<(), DiskError>;
}

/// An open file. Clones are handles of the same file.
pub trait DiskFile: Clone + Send + Sync + std::fmt::Debug + 'static {
    /// The file's length in bytes.
    ///
    /// # Errors
    /// Whatever the disk reports.
    fn length(&self) -> Result<u64, DiskError>;

    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// [`DiskError::PastEnd`] if the file ends before `out` is full.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), DiskError>;

    /// Writes all of `data` at `offset`, growing the file (with zeros, if need be).
    ///
    /// # Errors
    /// [`DiskError::Full`]; a part of `data` may then have been written.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError>;

    /// Cuts the file or extends it with zeros.
    ///
    /// # Errors
    /// [`DiskError::Full`] when extending.
    fn set_len(&self, len: u64) -> Result<(), DiskError>;

    /// Makes content and length durable (fdatasync).
    ///
    /// # Errors
    /// After an error the content since the last success may be lost even if a later call succeeds: do not go on.
    fn sync(&self) -> Result<(), DiskError>;
}

/// Rejects names that would leave the directory.
fn check_name(name: &str) -> Result<(), DiskError> {
    let plain =
        !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    if plain {
        Ok(())
    } else {
        Err(DiskError::BadName)
    }
}
