//! The log: what this member said and stored, in order.

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use quorate_dkg::{MemberSet, Record};
use quorate_store::disk::{Disk, DiskError, OsDisk};
use quorate_store::wal::{RecordRef, Wal, WalError, WalOptions};
use quorate_types::{
    Blake3, CeremonyId, CodecError, Decode, DomainTag, Encode, IdentityKey, ValidatorIndex,
};

use super::error::CeremonyError;
use crate::files::{Audience, Existing, write_file};

/// Directory with the log.
const LOG_DIRECTORY: &str = "log";
/// File with the random part of the log's id.
const IDENTITY_FILE: &str = "store-id";
/// There once the log was made; a log that is missing while this is there was lost.
const CREATED_FILE: &str = "log-created";
/// Locked while a process has the directory.
const LOCK_FILE: &str = "lock";

/// Kinds of records.
const ENGINE: u8 = 1;
const SILENT: u8 = 2;
const COMPLETE: u8 = 3;
const ACKNOWLEDGED: u8 = 4;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Of the engine.
    Engine(Record),
    /// The member lost its log, and says nothing in this ceremony any more.
    Silent,
    /// A peer said that it is complete.
    Complete(ValidatorIndex),
    /// A peer has heard that this member is complete.
    Acknowledged(ValidatorIndex),
}

/// What the log held.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The engine's records, in order.
    pub(super) records: Vec<Record>,
    /// Whether the member must say nothing: an entry says so, or the log was lost.
    pub(super) silent: bool,
    /// Whether [`Entry::Silent`] is still to be written.
    pub(super) lost: bool,
    /// Peers that said that they are complete.
    pub(super) complete: MemberSet,
    /// Peers that have heard that this member is.
    pub(super) acknowledged: MemberSet,
}

/// The log, opened for writing.
pub(super) struct Log {
    wal: Wal<OsDisk>,
    /// Keeps other processes out as long as it is open.
    _lock: File,
}

impl Log {
    /// Opens the log in `directory` or starts one, and reads it back.
    pub(super) fn open(
        directory: &Path,
        ceremony: &CeremonyId,
        member: &IdentityKey,
    ) -> Result<(Self, Recovered), CeremonyError> {
        let unusable = |error: DiskError| CeremonyError::Directory {
            path: directory.to_owned(),
            error,
        };
        create_directory(directory).map_err(|error| unusable(error.into()))?;
        let lock = lock(directory)?;
        let disk = OsDisk::open(directory.join(LOG_DIRECTORY)).map_err(unusable)?;
        let no_log = disk.list().map_err(unusable)?.is_empty();
        let random = store_identity(directory, no_log)?;
        let id = Blake3::new(DomainTag::Store)
            .chain(ceremony)
            .chain(member)
            .chain(random)
            .finish();
        let created = directory.join(CREATED_FILE);
        let mut recovered = Recovered {
            lost: no_log && created.exists(),
            ..Recovered::default()
        };
        recovered.silent = recovered.lost;
        let mut bad = None;
        let opened = Wal::open(disk, WalOptions::new(id), |record| {
            if let Err(error) = recovered.take(record) {
                bad.get_or_insert((record.sequence.0, error));
            }
        });
        let (wal, found) = opened.map_err(|error| match error {
            WalError::ForeignStore { .. } => CeremonyError::OtherCeremony {
                path: directory.to_owned(),
            },
            error => error.into(),
        })?;
        if let Some((number, error)) = bad {
            return Err(CeremonyError::Record { number, error });
        }
        if found.stranded_records > 0 {
            tracing::warn!(
                records = found.stranded_records,
                "readable records were among what was cut from the end of the log: the disk reordered an interrupted \
                 write, or damaged it"
            );
        }
        if !created.exists() {
            write_file(&created, b"", Audience::Owner, Existing::Replace)?;
        }
        Ok((Self { wal, _lock: lock }, recovered))
    }

    /// Appends an entry, which is durable after the next flush.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), WalError> {
        let (kind, payload) = match entry {
            Entry::Engine(record) => (ENGINE, record.to_bytes()),
            Entry::Silent => (SILENT, Vec::new()),
            Entry::Complete(peer) => (COMPLETE, peer.to_bytes()),
            Entry::Acknowledged(peer) => (ACKNOWLEDGED, peer.to_bytes()),
        };
        self.wal.append(kind, &payload).map(|_| ())
    }

    /// Makes all entries durable. [`WalError::Full`] may be tried again.
    pub(super) fn flush(&mut self) -> Result<(), WalError> {
        self.wal.flush().map(|_| ())
    }
}

impl Recovered {
    fn take(&mut self, record: RecordRef<'_>) -> Result<(), CodecError> {
        match record.kind {
            ENGINE => self.records.push(Record::from_bytes(record.payload)?),
            SILENT => self.silent = true,
            COMPLETE => {
                self.complete
                    .insert(ValidatorIndex::from_bytes(record.payload)?);
            }
            ACKNOWLEDGED => {
                self.acknowledged
                    .insert(ValidatorIndex::from_bytes(record.payload)?);
            }
            found => {
                let value = "kind of a ceremony log's record";
                return Err(CodecError::Variant { value, found });
            }
        }
        Ok(())
    }
}

fn create_directory(directory: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Takes the directory for this process, until the file is closed.
fn lock(directory: &Path) -> Result<File, CeremonyError> {
    let path = directory.join(LOCK_FILE);
    let unusable = |error: io::Error| CeremonyError::Directory {
        path: path.clone(),
        error: error.into(),
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(CeremonyError::InUse {
            path: directory.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// The random part of the log's id, made with the log.
fn store_identity(directory: &Path, no_log: bool) -> Result<[u8; 32], CeremonyError> {
    let path: PathBuf = directory.join(IDENTITY_FILE);
    match std::fs::read(&path) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| CeremonyError::StoreIdentity { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && no_log => {
            let mut random = [0; 32];
            getrandom::fill(&mut random)
                .map_err(|error| CeremonyError::system("random bytes")(io::Error::other(error)))?;
            write_file(&path, &random, Audience::Owner, Existing::Keep)?;
            Ok(random)
        }
        Err(_) => Err(CeremonyError::StoreIdentity { path }),
    }
}
