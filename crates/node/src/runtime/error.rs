//! Why a node does not start, or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use quorate_consensus::BlockError;
use quorate_ledger::LedgerError;
use quorate_store::disk::DiskError;
use quorate_store::tables::TablesError;
use quorate_store::wal::WalError;
use quorate_types::{CodecError, GenesisError, HeaderHash, Height};
use quorate_validator::{KeyError, LoggedError, ProposalError};

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The genesis content is refused.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The genesis file is refused.
    #[error(transparent)]
    GenesisFile(Box<crate::genesis_file::GenesisFileError>),
    /// The keys do not fit the committee.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The committee's group key does not parse.
    #[error("genesis: the group key: {0}")]
    GroupKey(quorate_crypto::PointError),
    /// The data directory cannot be used.
    #[error("data directory {}: {error}", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: DiskError,
    },
    /// The data directory is empty although the validator has run, or that it runs cannot be marked.
    #[error(transparent)]
    Started(#[from] crate::started::StartedError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] WalError),
    /// The tables cannot be used.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// A record of the log cannot be read.
    #[error(transparent)]
    Logged(#[from] LoggedError),
    /// A block of the log is not this committee's.
    #[error("log: {0}")]
    LoggedBlock(#[from] BlockError),
    /// Something in the tables cannot be decoded.
    #[error("tables: {what}: {error}")]
    Stored {
        /// What.
        what: &'static str,
        /// Why.
        error: CodecError,
    },
    /// The tables lack a height below the checkpoint.
    #[error("tables: nothing is stored at height {0}, below the checkpoint")]
    MissingHeight(Height),
    /// The place of a transaction's outcome cannot be decoded.
    #[error("tables: the place of an outcome is malformed")]
    StoredOutcome,
    /// What the tables say of what was pruned cannot be decoded.
    #[error("tables: what was pruned is malformed")]
    StoredFloor,
    /// The file that tells this store from others is missing or malformed, though there is a log.
    #[error(
        "{}: the store's identity is missing or malformed; restore the file, or the whole directory from before it was damaged",
        path.display()
    )]
    StoreIdentity {
        /// The file.
        path: PathBuf,
    },
    /// The tables know of a log that is not there. Without it the validator may sign what contradicts what it signed.
    #[error(
        "{}: the log of this validator is gone: restore it; or move the whole data directory away and start once with --lost-disk",
        path.display()
    )]
    LogMissing {
        /// Where it was.
        path: PathBuf,
    },
    /// The ledger refuses its stored state, or a commit.
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The own block could not be built.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The configuration lists a peer that is no member.
    #[error(
        "peers: {identity} is not a member of the committee in the genesis file; remove it or correct it"
    )]
    UnknownPeer {
        /// Its identity key.
        identity: quorate_types::IdentityKey,
    },
    /// An address cannot be listened on.
    #[error("{what} listener: {address}: {error}; choose another port in the configuration")]
    Listen {
        /// Which listener.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// A listener ended.
    #[error("{what} listener: {error}")]
    Serve {
        /// Which.
        what: &'static str,
        /// Why.
        error: crate::net::ServeError,
    },
    /// The keys make no TLS configuration.
    #[error("network: {0}")]
    Tls(#[from] crate::net::TlsError),
    /// The operating system refuses a thread, a file or the clock.
    #[error("{what}: {error}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// Why it was refused.
        error: std::io::Error,
    },
    /// The validator computed something else than the committee certified, or than it had signed itself before.
    #[error(
        "height {height}: computed header {own}, but {certified} is signed: this machine or its store is faulty"
    )]
    Diverged {
        /// Where.
        height: Height,
        /// The header computed here.
        own: HeaderHash,
        /// The header signed.
        certified: HeaderHash,
    },
    /// A peer proved that the committee is far ahead: the node must be started again to join at the tip.
    #[error(
        "this validator is behind: the committee has certified height {height}; it joins there by state sync"
    )]
    Behind {
        /// A certified height.
        height: Height,
    },
    /// A thread of the node ended, which only a bug does.
    #[error("the {0} thread ended unexpectedly")]
    ThreadEnded(&'static str),
}

impl NodeError {
    /// Wraps a decoding error of something in the tables.
    pub(crate) fn stored(what: &'static str) -> impl FnOnce(CodecError) -> Self {
        move |error| Self::Stored { what, error }
    }

    /// Wraps an error of the operating system.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}
