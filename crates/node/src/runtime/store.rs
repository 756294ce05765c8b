//! Opening the data directory: its identity, its tables and its log.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use quorate_store::disk::OsDisk;
use quorate_store::tables::{Tables, TablesOptions};
use quorate_store::wal::{Wal, WalOptions};
use quorate_types::{Blake3, ChainId, DomainTag, IdentityKey};

use super::error::NodeError;

/// File with the random part of the store's identity.
const IDENTITY_FILE: &str = "store-id";
/// File with the tables.
pub(crate) const TABLES_FILE: &str = "tables.redb";
/// Directory with the log.
pub(crate) const LOG_DIRECTORY: &str = "log";

/// An opened data directory.
pub(crate) struct Store {
    pub(crate) tables: Arc<Tables>,
    pub(crate) wal: Wal<OsDisk>,
}

/// Opens or creates the store of one validator of one chain.
pub(crate) fn open(
    directory: &Path,
    chain: &ChainId,
    identity: &IdentityKey,
) -> Result<Store, NodeError> {
    let log_directory = directory.join(LOG_DIRECTORY);
    let disk = OsDisk::open(log_directory.clone())?;
    let random = store_identity(directory, &log_directory)?;
    let id = Blake3::new(DomainTag::Store)
        .chain(chain)
        .chain(identity)
        .chain(random)
        .finish();
    // The tables are opened first: their lock keeps a second process off the log too.
    let tables = Tables::open(directory.join(TABLES_FILE), &TablesOptions::new(id))?;
    let (wal, recovered) = Wal::open(disk, WalOptions::new(id), |_| ())?;
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
    })
}

/// Reads the random part of the store's identity, or makes it if the store is new.
fn store_identity(directory: &Path, log_directory: &Path) -> Result<[u8; 32], NodeError> {
    let path = directory.join(IDENTITY_FILE);
    let bad = || NodeError::StoreIdentity {
        path: path.display().to_string(),
    };
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| bad()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let empty = fs::read_dir(log_directory)
                .map_err(NodeError::system("log directory"))?
                .next()
                .is_none();
            if !empty {
                return Err(bad());
            }
            create_identity(directory, &path).map_err(NodeError::system("store identity"))
        }
        Err(error) => Err(NodeError::system("store identity")(error)),
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
