//! Files with secrets.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::KeystoreError;

/// Reads a file that only its owner may read.
pub(super) fn read_secret_file(
    path: &Path,
    bytes_max: u64,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let failed = |source| KeystoreError::Read {
        path: path.to_owned(),
        source,
    };
    // The mode is that of the opened file: asking by name could be answered for another one.
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeystoreError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    read_bounded(file, path, bytes_max)
}

/// Reads a file to its end, which must come soon.
pub(super) fn read_bounded(
    file: File,
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
            most: bytes_max,
        });
    }
    // Room for everything at once: a growing vector would leave copies behind.
    let room = usize::try_from(bytes_max).expect("limits fit memory");
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    // A pipe says that its length is 0, so the limit is looked for once more.
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > room {
        return Err(KeystoreError::TooLong {
            path: path.to_owned(),
            found: bytes.len() as u64,
            most: bytes_max,
        });
    }
    Ok(bytes)
}
