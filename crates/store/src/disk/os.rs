//! The real disk: one directory of the operating system's file system.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, DiskError, DiskFile, check_name};

/// New files are readable and writable by their owner alone: they hold votes and key shares.
const FILE_MODE: u32 = 0o600;
/// New directories likewise.
const DIRECTORY_MODE: u32 = 0o700;

/// One directory of the operating system's file system.
#[derive(Clone, Debug)]
pub struct OsDisk {
    directory: PathBuf,
}

impl OsDisk {
    /// Uses `directory`, creating it (mode 0700, with its parents) if it does not exist.
    ///
    /// # Errors
    /// [`DiskError::Permission`], or [`DiskError::Io`] if the path is a file.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let directory = directory.into();
        if !directory.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(DIRECTORY_MODE)
                .create(&directory)?;
            if let Some(parent) = directory
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
            {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { directory })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> Result<PathBuf, DiskError> {
        check_name(name)?;
        Ok(self.directory.join(name))
    }
}

impl Disk for OsDisk {
    type File = OsFile;

    fn list(&self) -> Result<Vec<String>, DiskError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A name that is not UTF-8 is not ours.
            if let (true, Ok(name)) = (
                entry.file_type()?.is_file(),
                entry.file_name().into_string(),
            ) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<OsFile, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(name)?)?;
        Ok(OsFile(Arc::new(file)))
    }

    fn create(&self, name: &str) -> Result<OsFile, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.path(name)?)?;
        Ok(OsFile(Arc::new(file)))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        Ok(fs::remove_file(self.path(name)?)?)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        Ok(fs::rename(self.path(from)?, self.path(to)?)?)
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        Ok(File::open(&self.directory)?.sync_all()?)
    }
}

/// An open file of an [`OsDisk`]; reads and writes carry their offset (pread, pwrite) and so need no lock.
#[derive(Clone, Debug)]
pub struct OsFile(Arc<File>);

impl OsFile {
    /// The open file itself, for a library that wants one.
    ///
    /// # Errors
    /// [`DiskError::Io`] if the process has too many files open.
    pub fn duplicate(&self) -> Result<File, DiskError> {
        Ok(self.0.try_clone()?)
    }
}

impl DiskFile for OsFile {
    fn length(&self) -> Result<u64, DiskError> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), DiskError> {
        Ok(self.0.read_exact_at(out, offset)?)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        Ok(self.0.write_all_at(data, offset)?)
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        Ok(self.0.set_len(len)?)
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(self.0.sync_data()?)
    }
}
