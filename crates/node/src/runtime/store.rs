//! Opening the data directory: its identity, its tables and its log.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use quorate_store::disk::{Disk, DiskError};
use quorate_store::tables::{Batch, Table, Tables, TablesOptions};
use quorate_store::wal::{Wal, WalOptions};
use quorate_types::{Blake3, ChainId, DomainTag, IdentityKey};
use quorate_validator::Logged;

use super::error::NodeError;
use super::pruning::Segments;

/// File with the random part of the store's identity.
const IDENTITY_FILE: &str = "store-id";
/// File with the tables.
pub(crate) const TABLES_FILE: &str = "tables.redb";
/// Directory with the log.
pub(crate) const LOG_DIRECTORY: &str = "log";
/// What the tables know of the store itself.
const STORE: Table = Table("store");
/// Key in [`STORE`], there once the log was created.
const LOG_CREATED: &[u8] = b"log_created";

/// An opened data directory.
pub(crate) struct Store<D: Disk> {
    pub(crate) tables: Arc<Tables>,
    pub(crate) wal: Wal<D>,
    pub(crate) segments: Segments,
}

/// Opens or creates the store of one validator of one chain, its log on the disk that `log_disk` opens.
pub(crate) fn open<D: Disk>(
    directory: &Path,
    log_disk: impl FnOnce(&Path) -> Result<D, DiskError>,
    chain: &ChainId,
    identity: &IdentityKey,
    segment_bytes: u64,
) -> Result<Store<D>, NodeError> {
    let unusable = |error: DiskError| NodeError::DataDirectory {
        path: directory.to_owned(),
        error,
    };
    create_directory(directory).map_err(|error| unusable(error.into()))?;
    let log_directory = directory.join(LOG_DIRECTORY);
    let disk = log_disk(&log_directory).map_err(unusable)?;
    let no_log = disk.list().map_err(unusable)?.is_empty();
    // The tables are opened first: their lock keeps a second process off the log too.
    let (tables, id) = open_tables(directory, chain, identity, no_log)?;
    let log_created = had_log(&tables)?;
    if no_log && log_created {
        return Err(NodeError::LogMissing {
            path: log_directory,
        });
    }
    let mut options = WalOptions::new(id);
    options.segment_bytes = segment_bytes;
    let mut segments = Segments::default();
    let (wal, recovered) = Wal::open(disk, options, |record| {
        if let Some(round) = Logged::block_round(record.kind, record.payload) {
            segments.note(record.position, round);
        }
    })?;
    if !log_created {
        let mut batch = Batch::new();
        batch.put(STORE, LOG_CREATED, []);
        tables.commit(&batch)?;
    }
    if recovered.cut_bytes > 0 {
        tracing::warn!(
            bytes = recovered.cut_bytes,
            "an interrupted write was cut from the end of the log"
        );
    }
    if recovered.stranded_records > 0 {
        tracing::warn!(
            records = recovered.stranded_records,
            "readable records were among what was cut: the disk reordered an interrupted write, or damaged it"
        );
    }
    Ok(Store {
        tables: Arc::new(tables),
        wal,
        segments,
    })
}

/// Opens or creates the tables alone, and tells the store's id.
pub(crate) fn open_tables(
    directory: &Path,
    chain: &ChainId,
    identity: &IdentityKey,
    may_create: bool,
) -> Result<(Tables, [u8; 32]), NodeError> {
    let random = store_identity(directory, may_create)?;
    let id = Blake3::new(DomainTag::Store)
        .chain(chain)
        .chain(identity)
        .chain(random)
        .finish();
    let tables = Tables::open(directory.join(TABLES_FILE), &TablesOptions::new(id))?;
    Ok((tables, id))
}

/// Whether these tables ever had a log beside them.
pub(crate) fn had_log(tables: &Tables) -> Result<bool, NodeError> {
    Ok(tables.get(STORE, LOG_CREATED)?.is_some())
}

/// Reads the random part of the store's identity, or makes it if the store is new.
fn store_identity(directory: &Path, may_create: bool) -> Result<[u8; 32], NodeError> {
    let path = directory.join(IDENTITY_FILE);
    let bad = || NodeError::StoreIdentity { path: path.clone() };
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| bad()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !may_create {
                return Err(bad());
            }
            create_identity(directory, &path).map_err(NodeError::system("store identity"))
        }
        Err(error) => Err(NodeError::system("store identity")(error)),
    }
}

fn create_directory(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn create_identity(directory: &Path, path: &Path) -> std::io::Result<[u8; 32]> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let partial = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(&random)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    fs::File::open(directory)?.sync_all()?;
    Ok(random)
}
