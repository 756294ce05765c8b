//! A mark beside the key store of the share: a validator has run with it. Whoever then finds an empty data directory has
//! lost one, and could contradict what it said before.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::files::{Audience, Existing, WriteError, write_file};

/// What the mark says, to people who wonder about the file.
const TEXT: &[u8] = b"A validator has run with this share. If its data directory is lost, start it with --lost-disk.\n";

/// Why a validator may not start, or whether it has ever started is not known.
#[derive(Debug, thiserror::Error)]
pub enum StartedError {
    /// The data directory is empty, and must not be.
    #[error(
        "{}: the data directory is empty, but a validator has run with this share before ({} says so). If the directory was \
         lost, or is restored from a backup, start once with --lost-disk: the validator then asks the others what they hold \
         from it before it proposes anything",
        data_dir.display(), mark.display()
    )]
    DataLost {
        /// The data directory.
        data_dir: PathBuf,
        /// The mark.
        mark: PathBuf,
    },
    /// The mark cannot be written.
    #[error(transparent)]
    Mark(#[from] WriteError),
}

/// Makes sure that an empty data directory is that of a validator that never ran, or that the operator knows better
/// (`lost`).
pub(crate) fn check(config: &Config, lost: bool) -> Result<(), StartedError> {
    let mark = mark_of(&config.share_keystore);
    let log = config.data_dir.join(crate::runtime::LOG_DIRECTORY);
    let empty = std::fs::read_dir(log).map_or(true, |mut files| files.next().is_none());
    if empty && !lost && mark.exists() {
        return Err(StartedError::DataLost {
            data_dir: config.data_dir.clone(),
            mark,
        });
    }
    Ok(())
}

/// Marks that a validator runs with the share. To be called once the log is there and before anything leaves: a start that
/// failed earlier leaves no mark, so that it can be repeated.
pub(crate) fn mark(config: &Config) -> Result<(), StartedError> {
    let mark = mark_of(&config.share_keystore);
    if !mark.exists() {
        write_file(&mark, TEXT, Audience::Everybody, Existing::Replace)?;
    }
    Ok(())
}

/// The mark's file.
fn mark_of(share: &Path) -> PathBuf {
    let mut name = share.file_name().unwrap_or_default().to_owned();
    name.push(".started");
    share.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_directory_is_taken_once_and_then_only_if_it_is_known_to_be_lost() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: directory.path().join("data"),
            share_keystore: directory.path().join("share.json"),
            ..Config::default()
        };
        check(&config, false).unwrap();
        check(&config, false).expect("a start that failed can be repeated");
        mark(&config).unwrap();
        let lost = check(&config, false);
        assert!(
            matches!(lost, Err(StartedError::DataLost { .. })),
            "{lost:?}"
        );
        check(&config, true).unwrap();
        let log = config.data_dir.join("log");
        std::fs::create_dir_all(&log).unwrap();
        assert!(check(&config, false).is_err(), "still no log");
        std::fs::write(log.join("0"), b"something").unwrap();
        check(&config, false).unwrap();
        assert!(directory.path().join("share.json.started").exists());
    }
}
