//! Transactional tables of byte keys and values over redb: indices, certificates, state, whatever can be rebuilt or verified.
//!
//! Every commit is two-phase with quick repair. One-phase commits trust a checksum that whoever writes values and provokes
//! crashes may defeat, and block contents are such values; quick repair makes opening after a crash independent of the size.
//!
//! redb has assertions on paths that only a damaged file reaches. They become [`TablesError::Corrupt`] here, and the tables refuse
//! everything afterwards. Calls block on the disk: use them from a thread of their own.

mod backend;
mod batch;
mod error;
mod snapshot;

pub use self::backend::DiskBackend;
pub use self::batch::{Batch, Change, Table};
pub use self::error::TablesError;
pub use self::snapshot::{KeyValue, Snapshot};

use std::cmp::Ordering;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{self, AtomicBool};

use redb::backends::FileBackend;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableHandle,
    WriteTransaction,
};

use crate::disk::{Disk, DiskError, OsDisk};

/// The version of the tables' layout that this code writes, and the newest that it reads.
pub const TABLES_FORMAT_VERSION: u32 = 1;

/// The table of the tables themselves; callers cannot name it.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("quorate_store_meta");
const META_FORMAT: &str = "format_version";
const META_STORE_ID: &str = "store_id";

/// How tables are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablesOptions {
    /// Whose tables these are (chain, validator); tables of another id are refused.
    pub store_id: [u8; 32],
    /// Most bytes of pages kept in memory.
    pub cache_bytes: usize,
}

impl TablesOptions {
    /// With a cache of 64 MiB.
    #[must_use]
    pub fn new(store_id: [u8; 32]) -> Self {
        Self {
            store_id,
            cache_bytes: 64 << 20,
        }
    }
}

/// The tables of one file.
#[derive(Debug)]
pub struct Tables {
    database: Database,
    /// redb panicked: what it holds in memory cannot be trusted any more.
    broken: AtomicBool,
}

impl Tables {
    /// Opens the tables in the file at `path`, or creates them (mode 0600) with their directory. The file is locked against other processes.
    ///
    /// # Errors
    /// [`TablesError::AlreadyOpen`], [`TablesError::Corrupt`], [`TablesError::NotTables`], [`TablesError::NewerFormat`],
    /// [`TablesError::ForeignStore`], [`TablesError::Disk`].
    pub fn open(path: impl AsRef<Path>, options: &TablesOptions) -> Result<Self, TablesError> {
        let path = path.as_ref();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or(DiskError::BadName)?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Self::open_in(&OsDisk::open(directory)?, name, options, |file| {
            Ok(FileBackend::new(file.duplicate()?)?)
        })
    }

    /// Opens the tables in a file of any disk, or creates them. There is no lock.
    ///
    /// # Errors
    /// As [`Tables::open`], but for [`TablesError::AlreadyOpen`].
    pub fn open_on<D: Disk>(
        disk: &D,
        name: &str,
        options: &TablesOptions,
    ) -> Result<Self, TablesError> {
        Self::open_in(disk, name, options, |file| {
            Ok(DiskBackend::new(file.clone()))
        })
    }

    /// Opens the tables in a storage of the caller's, or creates them if it is empty. A creation that a crash interrupts may leave a
    /// storage that is refused as [`TablesError::NotTables`]; [`Tables::open`] and [`Tables::open_on`] see to that.
    ///
    /// # Errors
    /// As [`Tables::open_on`].
    pub fn open_backend(
        backend: impl StorageBackend,
        options: &TablesOptions,
    ) -> Result<Self, TablesError> {
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache_bytes);
        let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(backend)));
        let database = opened.map_err(|_| TablesError::Corrupt)??;
        let tables = Self {
            database,
            broken: AtomicBool::new(false),
        };
        tables.guarded(|| tables.bind(options))?;
        Ok(tables)
    }

    /// Applies all changes of the batch in their order, durably, or none. A batch without changes does nothing.
    ///
    /// # Errors
    /// [`TablesError::ReservedTable`], [`TablesError::Disk`] (after which the tables must be opened again), [`TablesError::Corrupt`].
    pub fn commit(&self, batch: &Batch) -> Result<(), TablesError> {
        if batch.is_empty() {
            return Ok(());
        }
        if batch
            .changes()
            .iter()
            .any(|change| change.table().0 == META.name())
        {
            return Err(TablesError::ReservedTable);
        }
        self.guarded(|| {
            let transaction = begin(&self.database)?;
            batch::apply(&transaction, batch)?;
            Ok(transaction.commit()?)
        })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, TablesError> {
        self.snapshot()?.get(table, key)
    }

    /// The first `limit` entries between two keys, ascending.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn range(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        limit: usize,
    ) -> Result<Vec<KeyValue>, TablesError> {
        self.snapshot()?.range(table, range, limit)
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn last(&self, table: Table) -> Result<Option<KeyValue>, TablesError> {
        self.snapshot()?.last(table)
    }

    /// A view of the last commit that later commits do not change. Keeping it keeps old pages from being reused.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn snapshot(&self) -> Result<Snapshot<'_>, TablesError> {
        let transaction = self.guarded(|| Ok(self.database.begin_read()?))?;
        Ok(Snapshot::new(self, transaction))
    }

    /// Verifies every page against its checksum. Slow: for operators' checks, not for every start.
    ///
    /// # Errors
    /// [`TablesError::Corrupt`] if anything is damaged; [`TablesError::Disk`].
    pub fn verify(&mut self) -> Result<(), TablesError> {
        let database = &mut self.database;
        let clean = catch_unwind(AssertUnwindSafe(|| database.check_integrity()));
        match clean {
            Ok(Ok(true)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(false)) => Err(TablesError::Corrupt),
            Err(_) => {
                self.broken.store(true, atomic::Ordering::Relaxed);
                Err(TablesError::Corrupt)
            }
        }
    }

    /// Gives back to the file system the space that removed entries took. Takes long: for operators, not for a node that runs.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn compact(&mut self) -> Result<(), TablesError> {
        let database = &mut self.database;
        match catch_unwind(AssertUnwindSafe(|| database.compact())) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(redb::CompactionError::Storage(error))) => Err(error.into()),
            // Nobody else holds a transaction while this has the only reference; the rest comes from a panic.
            Ok(Err(_)) | Err(_) => {
                self.broken.store(true, atomic::Ordering::Relaxed);
                Err(TablesError::Corrupt)
            }
        }
    }

    /// Opens the file of that name; new tables get the name only when they are complete, so that no crash leaves half of them.
    fn open_in<D: Disk, B: StorageBackend>(
        disk: &D,
        name: &str,
        options: &TablesOptions,
        backend: impl Fn(&D::File) -> Result<B, TablesError>,
    ) -> Result<Self, TablesError> {
        match disk.open(name) {
            Err(DiskError::NotFound) => {}
            file => return Self::open_backend(backend(&file?)?, options),
        }
        let unfinished = format!("{name}.new");
        let create = || {
            let file = match disk.open(&unfinished) {
                Err(DiskError::NotFound) => disk.create(&unfinished)?,
                file => file?,
            };
            Self::open_backend(backend(&file)?, options)
        };
        let tables = match create() {
            Err(error @ (TablesError::AlreadyOpen | TablesError::Disk(_))) => return Err(error),
            // An earlier creation was interrupted.
            Err(_) => {
                disk.remove(&unfinished)?;
                create()?
            }
            Ok(tables) => tables,
        };
        // Whoever was faster has renamed its file, and holds the lock of it, since the look above.
        if disk.list()?.iter().any(|existing| existing == name) {
            return Err(TablesError::AlreadyOpen);
        }
        disk.rename(&unfinished, name)?;
        disk.sync_directory()?;
        Ok(tables)
    }

    /// Writes what the tables are into new ones, checks it in others.
    fn bind(&self, options: &TablesOptions) -> Result<(), TablesError> {
        let read = self.database.begin_read()?;
        match read.open_table(META) {
            Ok(meta) => return check_meta(&meta, options),
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error.into()),
        }
        // A file of redb's that has tables but not this one is not ours.
        if read.list_tables()?.next().is_some() {
            return Err(TablesError::NotTables);
        }
        let transaction = begin(&self.database)?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_FORMAT, TABLES_FORMAT_VERSION.to_be_bytes().as_slice())?;
            meta.insert(META_STORE_ID, options.store_id.as_slice())?;
        }
        Ok(transaction.commit()?)
    }

    /// Runs something on the database, turning a panic of redb into an error and the end of these tables.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T, TablesError>) -> Result<T, TablesError> {
        if self.broken.load(atomic::Ordering::Relaxed) {
            return Err(TablesError::Corrupt);
        }
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            self.broken.store(true, atomic::Ordering::Relaxed);
            Err(TablesError::Corrupt)
        })
    }
}

fn begin(database: &Database) -> Result<WriteTransaction, TablesError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn check_meta(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    options: &TablesOptions,
) -> Result<(), TablesError> {
    let value = |key| -> Result<Vec<u8>, TablesError> {
        Ok(meta.get(key)?.ok_or(TablesError::Corrupt)?.value().to_vec())
    };
    let found = value(META_FORMAT)?
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| TablesError::Corrupt)?;
    match found.cmp(&TABLES_FORMAT_VERSION) {
        Ordering::Equal => {}
        Ordering::Greater => {
            return Err(TablesError::NewerFormat {
                found,
                supported: TABLES_FORMAT_VERSION,
            });
        }
        // There is no version before the first.
        Ordering::Less => return Err(TablesError::Corrupt),
    }
    let found: [u8; 32] = value(META_STORE_ID)?
        .try_into()
        .map_err(|_| TablesError::Corrupt)?;
    if found == options.store_id {
        Ok(())
    } else {
        Err(TablesError::ForeignStore { found })
    }
}
