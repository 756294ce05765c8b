//! Secrets on disk: only encrypted, in the layout of EIP-2335.
//!
//! One file holds one secret: the identity (Ed25519 seed), the share of a committee's key (a scalar) or the key that a
//! member's shares are encrypted to in a ceremony (a scalar). The key that encrypts the file comes from a passphrase by
//! scrypt; a SHA-256 checksum tells a wrong passphrase from a right one; the public key stands beside it in the clear,
//! so that `keys show` needs no passphrase, and is compared after opening.
//!
//! Key stores and passphrase files that others than their owner may read are refused.
//!
//! # Erasing
//!
//! Shares and encryption keys must die at a certain point, and a disk does not forget a file because it was removed:
//! copies live on in its spare blocks, in backups, in snapshots. So such a key store is *erasable*: what scrypt gets is the
//! passphrase followed by 32 random bytes, the sealing key, from a file of its own (`NAME.XXXXXXXX.sealing`, mode 0600,
//! named by the key store). [`erase`] overwrites that file, syncs, removes it and syncs its directory. Without it every
//! copy of the key store is noise, to one who knows the passphrase too.
//!
//! This moves the problem to 48 bytes; it does not solve it there. Erasing does **not** reach
//! - copies of the sealing file itself: leave `*.sealing` out of backups and snapshots;
//! - its old content on a file system that never writes in place (btrfs, ZFS, log-structured ones, most overlays) or on
//!   flash, until the blocks are used again. Where that matters, keep key stores on a volume whose own key can be
//!   destroyed, or in memory (tmpfs) on machines that may lose a share;
//! - a process that has the secret in memory, its swap and its core dumps.
//!
//! # Rotation
//!
//! [`rotate`] puts another passphrase on a key store in one step: at any instant the file is whole and opens with one of
//! the two. An erasable one gets a new sealing key too, and the old one is destroyed, so that old copies open no more.
//!
//! Not protected against: whoever can read this process's memory, or the key store, its sealing key and the passphrase.

mod cipher;
mod document;
mod error;
mod passphrase;
mod sealing;
mod secret_file;

use std::fmt;
use std::path::Path;

use quorate_crypto::pvss::EncryptionSecret;
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_types::{EncryptionKey, IdentityKey, ThresholdKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::files::{Audience, Existing, WriteError, write_file};

pub use cipher::{SCRYPT_LOG2_DEFAULT, SCRYPT_LOG2_DEVNET, ScryptCost, ScryptCostError};
pub use document::MalformedKeystore;
pub use error::KeystoreError;
pub use passphrase::{PASSPHRASE_CREDENTIAL, PASSPHRASE_FILE_VARIABLE, Passphrase};
pub use sealing::{SEALING_SUFFIX, erase, rotate};

use document::Document;
use sealing::SealingKey;
use secret_file::read_secret_file;

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

impl Secrets {
    /// A second copy, for a node that starts again in the same process: a passphrase may be readable only once.
    ///
    /// # Panics
    /// Never: what a secret exposes is a secret again.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let share = ShareSecret::from_bytes(&self.share.expose_bytes());
        Self {
            identity: IdentitySecret::from_bytes(&self.identity.expose_bytes()),
            share: share.expect("a share's bytes are those of a share"),
        }
    }
}

/// What a key store holds, and the public key that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// An Ed25519 identity.
    Identity(IdentityKey),
    /// A share of a threshold key.
    Share(ThresholdKey),
    /// A key that shares are encrypted to.
    Encryption(EncryptionKey),
}

/// The kinds of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// An Ed25519 identity.
    Identity,
    /// A share of a threshold key.
    Share,
    /// A key that shares are encrypted to in a ceremony.
    Encryption,
}

/// A key store that was read or sealed but not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystore {
    document: Document,
    public: PublicKey,
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

    /// Writes a new key store of an encryption key, with a sealing key of its own. Nothing is overwritten.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn create_encryption(
        secret: &EncryptionSecret,
        path: &Path,
        passphrase: &Passphrase,
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Result<(), WriteError> {
        let public = PublicKey::Encryption(secret.public());
        sealing::create(&secret.expose_bytes(), public, path, passphrase, cost, rng)
    }

    /// Writes a new key store of a share, with a sealing key of its own. Nothing is overwritten.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn create_erasable_share(
        secret: &ShareSecret,
        path: &Path,
        passphrase: &Passphrase,
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Result<(), WriteError> {
        let public = PublicKey::Share(secret.public_key());
        sealing::create(&secret.expose_bytes(), public, path, passphrase, cost, rng)
    }

    fn seal(
        secret: &[u8; 32],
        public: PublicKey,
        passphrase: &Passphrase,
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut uuid = [0; 16];
        rng.fill_bytes(&mut uuid);
        Self::seal_with(secret, public, passphrase, None, uuid, cost, rng)
    }

    fn seal_with(
        secret: &[u8; 32],
        public: PublicKey,
        passphrase: &Passphrase,
        sealing: Option<(&SealingKey, String)>,
        uuid: [u8; 16],
        cost: ScryptCost,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut parameters = cipher::Parameters::fresh(cost);
        rng.fill_bytes(&mut parameters.salt);
        rng.fill_bytes(&mut parameters.initial_vector);
        let key = sealing.as_ref().map(|(key, _)| key.expose_bytes());
        let sealed = cipher::seal(secret, passphrase, key, &parameters);
        let name = sealing.map(|(_, name)| name);
        Self {
            document: Document::new(&public, &parameters, &sealed, uuid, name),
            public,
        }
    }

    /// Reads a key store. It must be readable by its owner alone.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn read(path: &Path) -> Result<Self, KeystoreError> {
        let text = read_secret_file(path, KEYSTORE_BYTES_MAX)?;
        Self::parse(&text, path)
    }

    /// Parses the text of the file at `path`.
    ///
    /// # Errors
    /// [`KeystoreError`], but none of reading.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, KeystoreError> {
        let document = Document::parse(text, path)?;
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
        self.write(path, Existing::Keep)
    }

    fn write(&self, path: &Path, existing: Existing) -> Result<(), WriteError> {
        write_file(path, self.to_text().as_bytes(), Audience::Owner, existing)
    }

    /// The text of the file. The secret in it is encrypted.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.document.to_text()
    }

    /// Whether a sealing key opens it, so that [`erase`] can destroy it.
    #[must_use]
    pub const fn is_erasable(&self) -> bool {
        self.document.sealing().is_some()
    }

    /// What it holds.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Opens an identity. `path` is where it was read: the sealing key is looked for beside it.
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

    /// Opens a share. `path` is where it was read: the sealing key is looked for beside it.
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

    /// Opens an encryption key. `path` is where it was read: the sealing key is looked for beside it.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn open_encryption(
        &self,
        passphrase: &Passphrase,
        path: &Path,
    ) -> Result<EncryptionSecret, KeystoreError> {
        let PublicKey::Encryption(public) = self.public else {
            return Err(self.wrong_kind(path, KeyKind::Encryption));
        };
        let bytes = self.open(passphrase, path)?;
        let secret =
            EncryptionSecret::from_bytes(&bytes).map_err(|source| KeystoreError::Scalar {
                path: path.to_owned(),
                source,
            })?;
        if secret.public() != public {
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
        let sealing = match self.document.sealing() {
            Some(name) => Some(SealingKey::read(path, name, self.document.uuid())?),
            None => None,
        };
        let key = sealing.as_ref().map(SealingKey::expose_bytes);
        cipher::open(&sealed, passphrase, key, &parameters).ok_or_else(|| {
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
            Self::Encryption(_) => KeyKind::Encryption,
        }
    }

    /// The key in hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        match self {
            Self::Identity(key) => key.to_hex(),
            Self::Share(key) => key.to_hex(),
            Self::Encryption(key) => key.to_hex(),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "validator identity",
            Self::Share => "threshold share",
            Self::Encryption => "encryption key",
        })
    }
}
