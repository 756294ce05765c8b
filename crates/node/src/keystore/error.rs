//! Why a key store is refused.

use std::io;
use std::path::PathBuf;

use quorate_crypto::ScalarError;

use super::document::MalformedKeystore;
use super::passphrase::{PASSPHRASE_CREDENTIAL, PASSPHRASE_FILE_VARIABLE};
use super::{KeyKind, VERSION};
use crate::files::WriteError;

/// Why a key store or its passphrase is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Others than the owner may read or change a secret file.
    #[error(
        "{} has mode {mode:04o}, so others may read it: run `chmod 600` on it, and replace the secret if they did",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is too long to be a key store or a passphrase.
    #[error("{} has {found} bytes or more, at most {most} belong there", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length, or what was read of it.
        found: u64,
        /// The limit in bytes.
        most: u64,
    },
    /// The file ends early: it was cut off.
    #[error("{} ends in the middle: restore it from a copy", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// The file is of a later version of the layout, or an unknown one.
    #[error(
        "{} has version {found} of the key store layout, this program knows {VERSION}: use a newer program",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The file is no key store in the layout of EIP-2335 as this program writes it.
    #[error("{} is no usable key store: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: MalformedKeystore,
    },
    /// The passphrase does not open the key store.
    #[error(
        "the passphrase does not open {}: it is another one, or the key store or its sealing key is damaged",
        path.display()
    )]
    WrongPassphrase {
        /// The key store.
        path: PathBuf,
    },
    /// The secret opens but is not that of the public key beside it.
    #[error("the secret in {} does not belong to the public key beside it: the file was altered", path.display())]
    WrongPublicKey {
        /// The key store.
        path: PathBuf,
    },
    /// The secret opens but is no scalar.
    #[error("the secret in {} is no share: {source}", path.display())]
    Scalar {
        /// The key store.
        path: PathBuf,
        /// Why.
        source: ScalarError,
    },
    /// The key store holds the other kind of secret.
    #[error("{} holds a {found}, a {expected} is needed here", path.display())]
    WrongKind {
        /// The key store.
        path: PathBuf,
        /// What is needed.
        expected: KeyKind,
        /// What it holds.
        found: KeyKind,
    },
    /// Nothing says where the passphrase is.
    #[error(
        "no passphrase: set `passphrase_file` in the configuration, or the environment variable \
         {PASSPHRASE_FILE_VARIABLE}, or give the service the credential `{PASSPHRASE_CREDENTIAL}`"
    )]
    NoPassphrase,
    /// The passphrase is empty.
    #[error("the first line of {} is empty: a passphrase belongs there", path.display())]
    EmptyPassphrase {
        /// The passphrase file.
        path: PathBuf,
    },
    /// The passphrase is no UTF-8 text.
    #[error("{} is not UTF-8 text", path.display())]
    PassphraseText {
        /// The passphrase file.
        path: PathBuf,
    },
    /// The key store has no sealing key: it can be removed, but not erased.
    #[error(
        "{} has no sealing key, so nothing can be destroyed that would make copies of it useless: overwrite and \
         remove it, and its copies",
        path.display()
    )]
    NotErasable {
        /// The key store.
        path: PathBuf,
    },
    /// The sealing key was destroyed, or not copied along.
    #[error(
        "{} is sealed by {}, and that file is missing or blank: an erased key does not come back; if only the key store \
         was moved, move that file along",
        path.display(),
        sealing.display()
    )]
    Erased {
        /// The key store.
        path: PathBuf,
        /// Its sealing file.
        sealing: PathBuf,
    },
    /// The sealing file is that of another key store, or damaged.
    #[error("{} is no sealing key of {}: it belongs to another key store, or was damaged", sealing.display(), path.display())]
    ForeignSealing {
        /// The key store.
        path: PathBuf,
        /// The file found in the place of its sealing key.
        sealing: PathBuf,
    },
}
