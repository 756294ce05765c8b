//! Sealing keys: small files whose destruction makes key stores useless, wherever copies of them are.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::cipher::ScryptCost;
use super::document::uuid_text;
use super::error::KeystoreError;
use super::passphrase::Passphrase;
use super::secret_file::read_secret_file;
use super::{Keystore, PublicKey};
use crate::files::{Audience, Existing, WriteError, write_file};

/// How the names of sealing files end.
pub const SEALING_SUFFIX: &str = ".sealing";

/// A sealing file: the key store's UUID as text, then the key.
const FILE_BYTES: usize = UUID_BYTES + 32;
const UUID_BYTES: usize = 36;

/// 32 random bytes that open a key store together with its passphrase. Erased on drop; they cannot be printed.
pub(super) struct SealingKey([u8; 32]);

impl SealingKey {
    fn random(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; 32]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// Reads the sealing key `name` of the key store `path`, which has `uuid`.
    pub(super) fn read(path: &Path, name: &str, uuid: &str) -> Result<Self, KeystoreError> {
        let sealing = path.with_file_name(name);
        let erased = || KeystoreError::Erased {
            path: path.to_owned(),
            sealing: sealing.clone(),
        };
        let bytes = match read_secret_file(&sealing, FILE_BYTES as u64) {
            Ok(bytes) => bytes,
            Err(KeystoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(erased());
            }
            Err(error) => return Err(error),
        };
        // An erasure that was interrupted after it overwrote the file.
        if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
            return Err(erased());
        }
        let key = bytes
            .strip_prefix(uuid.as_bytes())
            .and_then(|key| <&[u8; 32]>::try_from(key).ok());
        let key = key.ok_or_else(|| KeystoreError::ForeignSealing {
            path: path.to_owned(),
            sealing: sealing.clone(),
        })?;
        Ok(Self(*key))
    }

    fn write_new(&self, path: &Path, uuid: [u8; 16]) -> Result<(), WriteError> {
        let mut content = zeroize::Zeroizing::new([0; FILE_BYTES]);
        content[..UUID_BYTES].copy_from_slice(uuid_text(uuid).as_bytes());
        content[UUID_BYTES..].copy_from_slice(&self.0);
        write_file(path, &*content, Audience::Owner, Existing::Keep)
    }

    pub(super) const fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for SealingKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for SealingKey {}

/// Writes a new erasable key store, its sealing key first: a crash in between leaves a sealing key of nothing.
pub(super) fn create(
    secret: &[u8; 32],
    public: PublicKey,
    path: &Path,
    passphrase: &Passphrase,
    cost: ScryptCost,
    rng: &mut impl CryptoRng,
) -> Result<(), WriteError> {
    if path.exists() {
        return Err(WriteError::Exists {
            path: path.to_owned(),
        });
    }
    let (keystore, sealing) = seal(secret, public, path, passphrase, cost, rng)?;
    let written = keystore.write(path, Existing::Keep);
    if written.is_err() {
        // Best effort: it opens nothing.
        let _ = fs::remove_file(sealing);
    }
    written
}

/// Makes a sealing key, puts it on the disk, and seals with it.
fn seal(
    secret: &[u8; 32],
    public: PublicKey,
    path: &Path,
    passphrase: &Passphrase,
    cost: ScryptCost,
    rng: &mut impl CryptoRng,
) -> Result<(Keystore, PathBuf), WriteError> {
    let mut uuid = [0; 16];
    rng.fill_bytes(&mut uuid);
    let name = path.file_name().unwrap_or(OsStr::new("keystore"));
    let name = format!(
        "{}.{}{SEALING_SUFFIX}",
        name.to_string_lossy(),
        hex::encode(&uuid[..4])
    );
    let sealing = path.with_file_name(&name);
    let key = SealingKey::random(rng);
    key.write_new(&sealing, uuid)?;
    let keystore = Keystore::seal_with(
        secret,
        public,
        passphrase,
        Some((&key, name)),
        uuid,
        cost,
        rng,
    );
    Ok((keystore, sealing))
}

/// Destroys the secret in an erasable key store for ever, by destroying its sealing key; the key store stays, and tells
/// which key it was. Returns whether there was anything left to destroy: it may be called any number of times, and after a
/// crash at any point calling it again finishes the work.
///
/// What this does not reach is said in the [module's documentation](super).
///
/// # Errors
/// [`KeystoreError::NotErasable`]; else whatever the disk reports: the secret may then still exist.
pub fn erase(path: &Path) -> Result<bool, KeystoreError> {
    let keystore = Keystore::read(path)?;
    let name = keystore
        .document
        .sealing()
        .ok_or_else(|| KeystoreError::NotErasable {
            path: path.to_owned(),
        })?;
    // A rotation that was interrupted may have left another sealing key.
    let mut files = siblings(path)?;
    let named = path.with_file_name(name);
    if !files.contains(&named) && named.exists() {
        files.push(named);
    }
    for file in &files {
        destroy(file).map_err(|source| failed(file, source))?;
    }
    sync_directory(path)?;
    Ok(!files.is_empty())
}

/// Puts another passphrase on a key store. Whatever happens, the file is whole and opens with one of the two. An erasable
/// key store gets a new sealing key, and the old one is destroyed.
///
/// # Errors
/// [`KeystoreError`]: the old passphrase is still the one, unless only the destruction of the old sealing key failed.
pub fn rotate(
    path: &Path,
    old: &Passphrase,
    new: &Passphrase,
    cost: ScryptCost,
    rng: &mut impl CryptoRng,
) -> Result<(), KeystoreError> {
    let keystore = Keystore::read(path)?;
    let secret = keystore.open(old, path)?;
    if !keystore.is_erasable() {
        let sealed = Keystore::seal(&secret, keystore.public, new, cost, rng);
        return Ok(sealed.write(path, Existing::Replace)?);
    }
    let (sealed, sealing) = seal(&secret, keystore.public, path, new, cost, rng)?;
    if let Err(error) = sealed.write(path, Existing::Replace) {
        // Best effort: it opens nothing. If the file was replaced all the same, it is needed.
        if Keystore::read(path).is_ok_and(|there| there == keystore) {
            let _ = fs::remove_file(sealing);
        }
        return Err(error.into());
    }
    for old in siblings(path)?.iter().filter(|file| **file != sealing) {
        destroy(old).map_err(|source| failed(old, source))?;
    }
    sync_directory(path)
}

/// All sealing files of a key store: the one in use, and what interrupted rotations left.
fn siblings(path: &Path) -> Result<Vec<PathBuf>, KeystoreError> {
    let directory = directory(path);
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let of_this = |name: &OsStr| {
        let middle = name
            .as_bytes()
            .strip_prefix(prefix.as_bytes())
            .and_then(|rest| rest.strip_suffix(SEALING_SUFFIX.as_bytes()));
        middle.is_some_and(|middle| middle.len() == 8 && middle.iter().all(u8::is_ascii_hexdigit))
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(|source| failed(directory, source))? {
        let entry = entry.map_err(|source| failed(directory, source))?;
        if of_this(&entry.file_name()) {
            found.push(path.with_file_name(entry.file_name()));
        }
    }
    Ok(found)
}

/// Overwrites in place, syncs, and removes. Until the name is gone the file is blank, and blank files open nothing.
fn destroy(file: &Path) -> io::Result<()> {
    let mut open = match OpenOptions::new().write(true).open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(open.metadata()?.len()).unwrap_or(FILE_BYTES);
    open.write_all(&vec![0; length.min(4096)])?;
    open.sync_all()?;
    fs::remove_file(file)
}

fn sync_directory(path: &Path) -> Result<(), KeystoreError> {
    let directory = directory(path);
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|source| failed(directory, source))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, source: io::Error) -> KeystoreError {
    KeystoreError::Write(WriteError::Io {
        path: path.to_owned(),
        source,
    })
}
