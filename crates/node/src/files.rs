//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Its owner alone: mode 0600.
    Owner,
    /// Everybody: mode 0644.
    Everybody,
}

/// What to do when the file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse: the old content may be the only copy of a key.
    Keep,
    /// Replace it in one step.
    Replace,
}

/// A file could not be written; what was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file exists and may not be replaced.
    #[error("{} exists already: choose another place or move it away first", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

/// Writes a file by way of a temporary one beside it, and returns once content and name are on the disk.
///
/// # Errors
/// [`WriteError`].
pub fn write_file(
    path: &Path,
    content: &[u8],
    audience: Audience,
    existing: Existing,
) -> Result<(), WriteError> {
    write_file_with(path, audience, existing, |file| {
        file.write_all(content).map_err(|source| WriteError::Io {
            path: path.to_owned(),
            source,
        })
    })
}

/// As [`write_file`], with a content that `write` makes piece by piece. If that fails, there is no file.
///
/// # Errors
/// Those of `write`, and [`WriteError`].
pub fn write_file_with<T, E: From<WriteError>>(
    path: &Path,
    audience: Audience,
    existing: Existing,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let failed = |source| WriteError::Io {
        path: path.to_owned(),
        source,
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The temporary file is made with mode 0600, so that a secret is never readable by others, not even briefly.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let mut buffered = BufWriter::new(&mut file);
    let written = write(&mut buffered)?;
    buffered.flush().map_err(failed)?;
    drop(buffered);
    if audience == Audience::Everybody {
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    let persisted = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    };
    if let Err(error) = persisted {
        let refused = match error.error.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Exists {
                path: path.to_owned(),
            },
            _ => failed(error.error),
        };
        return Err(refused.into());
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)?;
    Ok(written)
}
