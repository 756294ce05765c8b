//! What ends a member of a ceremony.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use quorate_dkg::{KeyHolderError, RecoverError, TranscriptError};
use quorate_store::disk::DiskError;
use quorate_store::wal::WalError;
use quorate_types::{CodecError, ThresholdKey, ValidatorIndex};

use crate::files::WriteError;
use crate::keystore::KeystoreError;
use crate::net::{ServeError, TlsError};

/// Why a member of a ceremony cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The secrets are no member's.
    #[error(transparent)]
    Secrets(#[from] KeyHolderError),
    /// The ceremony is a resharing, which needs no process.
    #[error("the ceremony hands a key over: that goes over files, not over a running process")]
    Reshare,
    /// An address was given for somebody who is no member.
    #[error("an address is given for member {0}, and there is no such member")]
    UnknownPeer(ValidatorIndex),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener cannot be opened.
    #[error("cannot listen on {address} for {purpose}: {source}")]
    Listen {
        /// Whom it is for.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A listener stopped.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The data directory cannot be used.
    #[error("cannot use {}: {error}", path.display())]
    Directory {
        /// The directory or a file in it.
        path: PathBuf,
        /// Why.
        error: DiskError,
    },
    /// Another process has the data directory.
    #[error("{} is already open: another process runs this member", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The log's own id is missing or damaged while there is a log.
    #[error(
        "{} is missing or damaged: without it the log cannot be read; restore it, or remove the log and start with \
         recovery",
        path.display()
    )]
    StoreIdentity {
        /// The file.
        path: PathBuf,
    },
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] WalError),
    /// A record of the log is not of this program's making.
    #[error("record {number} of the log: {error}")]
    Record {
        /// The record's number in the log, from 1.
        number: u64,
        /// What is wrong with it.
        error: CodecError,
    },
    /// The log is that of another ceremony or member.
    #[error("{} holds the log of another ceremony or member: choose another directory", path.display())]
    OtherCeremony {
        /// The data directory.
        path: PathBuf,
    },
    /// A result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The share's key store cannot be read back.
    #[error("{0}; or move it away, and this member computes its share again")]
    Keystore(#[from] KeystoreError),
    /// There is a share already, and it is another one.
    #[error("{} holds the share of {found}, this ceremony gives {expected}: move it away", path.display())]
    OtherShare {
        /// The key store.
        path: PathBuf,
        /// Its public key.
        found: Box<ThresholdKey>,
        /// The share key in the transcript.
        expected: Box<ThresholdKey>,
    },
    /// The ceremony ended, but this member's share cannot be computed.
    #[error("the ceremony is complete, but not this member: {0}")]
    NoShare(#[from] RecoverError),
    /// The result does not stand up to the check that anybody can make.
    #[error("the result does not verify, which is a bug: {0}")]
    Result(TranscriptError),
    /// The operating system refuses something.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// A thread ended that should not.
    #[error("the thread `{0}` ended: this is a bug")]
    ThreadEnded(&'static str),
}

impl CeremonyError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
