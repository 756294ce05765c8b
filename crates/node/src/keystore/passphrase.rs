//! Where the passphrase comes from, and its form.

use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::error::KeystoreError;
use super::secret_file::{read_bounded, read_secret_file};

/// Names a file with the passphrase, when the configuration does not.
pub const PASSPHRASE_FILE_VARIABLE: &str = "QUORATE_PASSPHRASE_FILE";
/// Name of the credential in the directory that systemd gives a service (`LoadCredential=`).
pub const PASSPHRASE_CREDENTIAL: &str = "quorate-passphrase";

/// Longest passphrase file, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

/// A passphrase in the form of EIP-2335: NFKD, without control characters. Erased on drop; it cannot be printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// A passphrase from text. Control characters are dropped, as the layout demands.
    #[must_use]
    pub fn new(text: &str) -> Self {
        // In UTF-8 no text grows more than elevenfold (Unicode annex 15), so the vector never moves.
        let mut normal = Zeroizing::new(Vec::with_capacity(text.len() * 11));
        for character in text.nfkd().filter(|character| !character.is_control()) {
            let mut buffer = Zeroizing::new([0; 4]);
            normal.extend_from_slice(character.encode_utf8(&mut *buffer).as_bytes());
        }
        Self(normal)
    }

    /// The first line of a file that only its owner may read.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn from_file(path: &Path) -> Result<Self, KeystoreError> {
        Self::parse(&read_secret_file(path, PASSPHRASE_BYTES_MAX)?, path)
    }

    /// The first line of what an inherited descriptor gives until its end, for instance a pipe:
    /// `quorate ... --passphrase-fd 3 3< <(secret-tool lookup service quorate)`. Whoever started the process decided who
    /// may read that, so no mode is looked at. It works where `/dev/fd` does; a regular file is read from its start.
    ///
    /// The descriptor stays open, as it belongs to nobody in this process: a pipe is empty afterwards.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn from_descriptor(descriptor: u32) -> Result<Self, KeystoreError> {
        let path = PathBuf::from(format!("/dev/fd/{descriptor}"));
        match std::fs::File::open(&path) {
            Ok(file) => Self::parse(&read_bounded(file, &path, PASSPHRASE_BYTES_MAX)?, &path),
            Err(source) => Err(KeystoreError::Read { path, source }),
        }
    }

    /// The first of these that there is: the first line of the `configured` file; of the file that the environment
    /// variable [`PASSPHRASE_FILE_VARIABLE`] names; of the credential [`PASSPHRASE_CREDENTIAL`] of a systemd service.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn locate(configured: Option<&Path>) -> Result<Self, KeystoreError> {
        if let Some(path) = configured {
            return Self::from_file(path);
        }
        if let Some(path) = std::env::var_os(PASSPHRASE_FILE_VARIABLE) {
            return Self::from_file(Path::new(&path));
        }
        match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(directory) => Self::from_credential(PathBuf::from(directory)),
            None => Err(KeystoreError::NoPassphrase),
        }
    }

    /// Reads a credential. Its mode is not looked at: systemd closes the directory to all but the service, and shows
    /// the access list of the file as bits of its group.
    fn from_credential(directory: PathBuf) -> Result<Self, KeystoreError> {
        let path = directory.join(PASSPHRASE_CREDENTIAL);
        match std::fs::File::open(&path) {
            Ok(file) => Self::parse(&read_bounded(file, &path, PASSPHRASE_BYTES_MAX)?, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(KeystoreError::NoPassphrase)
            }
            Err(source) => Err(KeystoreError::Read { path, source }),
        }
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, KeystoreError> {
        let text = std::str::from_utf8(bytes).map_err(|_| KeystoreError::PassphraseText {
            path: path.to_owned(),
        })?;
        let passphrase = Self::new(text.lines().next().unwrap_or(""));
        if passphrase.0.is_empty() {
            return Err(KeystoreError::EmptyPassphrase {
                path: path.to_owned(),
            });
        }
        Ok(passphrase)
    }

    pub(super) fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}
