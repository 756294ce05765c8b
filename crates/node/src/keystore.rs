//! Secrets on disk: only encrypted, in the layout of EIP-2335.
//!
//! One file holds one secret: the identity (Ed25519 seed) or the share of the committee's key (a scalar). The key that
//! encrypts it comes from a passphrase by scrypt; a SHA-256 checksum tells a wrong passphrase from a right one; the
//! public key stands beside it in the clear, so that `keys show` needs no passphrase, and is compared after opening.
//!
//! Key stores and passphrase files that others than their owner may read are refused.
//!
//! Not protected against: whoever can read this process's memory, or both the key store and the passphrase.

mod cipher;
mod document;
mod passphrase;

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use quorate_crypto::{IdentitySecret, ScalarError, ShareSecret};
use quorate_types::{IdentityKey, ThresholdKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::files::{Audience, Existing, WriteError, write_file};

pub use cipher::{SCRYPT_LOG2_DEFAULT, SCRYPT_LOG2_DEVNET, ScryptCost, ScryptCostError};
pub use document::MalformedKeystore;
pub use passphrase::{PASSPHRASE_CREDENTIAL, PASSPHRASE_FILE_VARIABLE, Passphrase};

use document::Document;

/// Largest key store that is read, in bytes: one secret takes about a kilobyte.
const KEYSTORE_BYTES_MAX: u64 = 64 * 1024;
/// The version of the layout (EIP-2335).
const VERSION: u64 = 4;

/// The secrets of one validator.
pub struct Secrets {
    /// Signs its blocks and authenticates its connections.
    pub identity: IdentitySecret,
    /// Its share of the committee's key.
    pub share: ShareSecret,
}

/// What a key store holds, and the public key that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// An Ed25519 identity.
    Identity(IdentityKey),
    /// A share of a threshold key.
    Share(ThresholdKey),
}

/// The kinds of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// An Ed25519 identity.
    Identity,
    /// A share of a threshold key.
    Share,
}

/// A key store that was read or sealed but not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystore {
    document: Document,
    public: PublicKey,
}

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
    /// The file is too long to be a key store.
    #[error("{} has {found} bytes, a key store has at most {KEYSTORE_BYTES_MAX}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
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
    #[error("the passphrase does not open {}", path.display())]
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
}

impl Keystore {
    /// Encrypts an identity. Takes 64 bytes from `rng`.
    #[must_use]
    pub fn seal_identity(
        secret: &IdentitySecret,
        passphrase: &Passphrase,
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let public = PublicKey::Identity(secret.public());
        Self::seal(&secret.expose_bytes(), public, passphrase, cost, rng)
    }

    /// Encrypts a share. Takes 64 bytes from `rng`.
    #[must_use]
    pub fn seal_share(
        secret: &ShareSecret,
        passphrase: &Passphrase,
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let public = PublicKey::Share(secret.public_key());
        Self::seal(&secret.expose_bytes(), public, passphrase, cost, rng)
    }

    fn seal(
        secret: &[u8; 32],
        public: PublicKey,
        passphrase: &Passphrase,
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut parameters = cipher::Parameters::fresh(cost);
        rng.fill_bytes(&mut parameters.salt);
        rng.fill_bytes(&mut parameters.initial_vector);
        let mut uuid = [0; 16];
        rng.fill_bytes(&mut uuid);
        let sealed = cipher::seal(secret, passphrase, &parameters);
        Self {
            document: Document::new(&public, &parameters, &sealed, uuid),
            public,
        }
    }

    /// Reads a key store. It must be readable by its owner alone.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn read(path: &Path) -> Result<Self, KeystoreError> {
        let text = read_secret_file(path, KEYSTORE_BYTES_MAX)?;
        let document = Document::parse(&text, path)?;
        let public = document
            .public_key()
            .map_err(|source| KeystoreError::Malformed {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self { document, public })
    }

    /// Writes a new file that its owner alone can read. Nothing is overwritten.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write_new(&self, path: &Path) -> Result<(), WriteError> {
        let text = self.document.to_text();
        write_file(path, text.as_bytes(), Audience::Owner, Existing::Keep)
    }

    /// What it holds.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Opens an identity. `path` is for messages only.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn open_identity(
        &self,
        passphrase: &Passphrase,
        path: &Path,
    ) -> Result<IdentitySecret, KeystoreError> {
        let PublicKey::Identity(public) = self.public else {
            return Err(self.wrong_kind(path, KeyKind::Identity));
        };
        let secret = IdentitySecret::from_bytes(&*self.open(passphrase, path)?);
        if secret.public() != public {
            return Err(KeystoreError::WrongPublicKey {
                path: path.to_owned(),
            });
        }
        Ok(secret)
    }

    /// Opens a share. `path` is for messages only.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn open_share(
        &self,
        passphrase: &Passphrase,
        path: &Path,
    ) -> Result<ShareSecret, KeystoreError> {
        let PublicKey::Share(public) = self.public else {
            return Err(self.wrong_kind(path, KeyKind::Share));
        };
        let bytes = self.open(passphrase, path)?;
        let secret = ShareSecret::from_bytes(&bytes).map_err(|source| KeystoreError::Scalar {
            path: path.to_owned(),
            source,
        })?;
        if secret.public_key() != public {
            return Err(KeystoreError::WrongPublicKey {
                path: path.to_owned(),
            });
        }
        Ok(secret)
    }

    fn open(
        &self,
        passphrase: &Passphrase,
        path: &Path,
    ) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let malformed = |source| KeystoreError::Malformed {
            path: path.to_owned(),
            source,
        };
        let (parameters, sealed) = self.document.sealed().map_err(malformed)?;
        cipher::open(&sealed, passphrase, &parameters).ok_or_else(|| {
            KeystoreError::WrongPassphrase {
                path: path.to_owned(),
            }
        })
    }

    fn wrong_kind(&self, path: &Path, expected: KeyKind) -> KeystoreError {
        KeystoreError::WrongKind {
            path: path.to_owned(),
            expected,
            found: self.public.kind(),
        }
    }
}

impl Secrets {
    /// Opens the key stores that a configuration names.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn open(config: &Config) -> Result<Self, KeystoreError> {
        let passphrase = Passphrase::locate(config.passphrase_file.as_deref())?;
        let (identity, share) = (&config.identity_keystore, &config.share_keystore);
        Ok(Self {
            identity: Keystore::read(identity)?.open_identity(&passphrase, identity)?,
            share: Keystore::read(share)?.open_share(&passphrase, share)?,
        })
    }
}

impl PublicKey {
    /// Of which kind the secret is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self {
            Self::Identity(_) => KeyKind::Identity,
            Self::Share(_) => KeyKind::Share,
        }
    }

    /// The key in hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        match self {
            Self::Identity(key) => key.to_hex(),
            Self::Share(key) => key.to_hex(),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "validator identity",
            Self::Share => "threshold share",
        })
    }
}

/// Reads a file that only its owner may read.
fn read_secret_file(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let failed = |source| KeystoreError::Read {
        path: path.to_owned(),
        source,
    };
    // The mode is that of the opened file: asking by name could be answered for another one.
    let file = std::fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeystoreError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    read_bounded(file, path, bytes_max)
}

fn read_bounded(
    file: std::fs::File,
    path: &Path,
    bytes_max: u64,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let failed = |source| KeystoreError::Read {
        path: path.to_owned(),
        source,
    };
    let found = file.metadata().map_err(failed)?.len();
    if found > bytes_max {
        return Err(KeystoreError::TooLong {
            path: path.to_owned(),
            found,
        });
    }
    // Room for everything at once: a growing vector would leave copies behind.
    let room = usize::try_from(bytes_max).expect("limits fit memory");
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(bytes_max)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}
