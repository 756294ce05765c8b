//! Why tables refuse or fail, and redb's many errors as few.

use std::io;

use crate::disk::DiskError;

/// Why the tables refused or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// The disk failed or is full. Nothing of the commit counts; after a failed write or sync, open the tables again.
    #[error("tables: {0}")]
    Disk(#[from] DiskError),
    /// An earlier disk failure: open the tables again.
    #[error("tables: the disk failed earlier; they must be opened again")]
    Poisoned,
    /// The file is damaged.
    #[error("tables: the file is corrupt")]
    Corrupt,
    /// The file is no file of tables.
    #[error("tables: not a file of tables")]
    NotTables,
    /// Another process, or another part of this one, has them open.
    #[error("tables: already open elsewhere")]
    AlreadyOpen,
    /// The tables were written by a newer program.
    #[error("tables: format {found} is newer than {supported}, the newest this program knows")]
    NewerFormat {
        /// The version in the file.
        found: u32,
        /// [`TABLES_FORMAT_VERSION`](super::TABLES_FORMAT_VERSION).
        supported: u32,
    },
    /// The file has the layout of an old redb.
    #[error("tables: redb file format {found} is not supported")]
    OldFile {
        /// redb's version of the file.
        found: u8,
    },
    /// The tables belong to another chain or validator.
    #[error("tables: they belong to another store")]
    ForeignStore {
        /// The id in the file.
        found: [u8; 32],
    },
    /// A value (or key) above redb's limit.
    #[error("tables: a value of {len} bytes is too large")]
    ValueTooLarge {
        /// Its bytes.
        len: usize,
    },
    /// A table of the caller's has the name of the store's own.
    #[error("tables: the table's name is reserved")]
    ReservedTable,
}

impl From<io::Error> for TablesError {
    fn from(error: io::Error) -> Self {
        // redb says so where the file's magic or length is not its own.
        if error.kind() == io::ErrorKind::InvalidData {
            Self::NotTables
        } else {
            Self::Disk(error.into())
        }
    }
}

impl From<redb::Error> for TablesError {
    fn from(error: redb::Error) -> Self {
        use redb::Error as E;
        match error {
            E::Io(error) => error.into(),
            E::PreviousIo | E::LockPoisoned(_) | E::DatabaseClosed => Self::Poisoned,
            E::DatabaseAlreadyOpen | E::LockProtocolMismatch => Self::AlreadyOpen,
            E::UpgradeRequired(found) => Self::OldFile { found },
            E::ValueTooLarge(len) => Self::ValueTooLarge { len },
            // Tables, types and transactions are ours alone, so the rest says that the file does not hold what we wrote.
            _ => Self::Corrupt,
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ty),+) => {
        $(impl From<$error> for TablesError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })+
    };
}

through_redb_error!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);
