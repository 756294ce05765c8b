//! The files that a ceremony ends with. Each appears whole, and writing all of them again changes nothing.

use std::io;
use std::path::{Path, PathBuf};

use quorate_crypto::ShareSecret;
use quorate_dkg::{DealerEvidence, Keys, Transcript};
use quorate_types::{Decode, Encode, ThresholdKey, ValidatorIndex};
use rand_core::CryptoRng;
use serde::Serialize;

use super::error::CeremonyError;
use crate::files::{Audience, Existing, WriteError, write_file};
use crate::keystore::{Keystore, Passphrase, PublicKey, ScryptCost};

/// The share, sealed.
pub const SHARE_FILE: &str = "share.json";
/// The transcript, in its canonical encoding.
pub const TRANSCRIPT_FILE: &str = "transcript.bin";
/// The public keys, as `quorate genesis new --group` reads them.
pub const GROUP_FILE: &str = "group.json";
/// One file for each piece of evidence.
pub const EVIDENCE_DIRECTORY: &str = "evidence";

/// Largest piece of evidence: a dealing, and what is said about it.
const EVIDENCE_BYTES_MAX: u64 = 512 * 1024;

#[derive(Serialize)]
struct Group {
    group_key: String,
    share_keys: Vec<String>,
}

/// The public keys as JSON: `group_key` and `share_keys` in hexadecimal.
#[must_use]
pub fn group_text(keys: &Keys) -> String {
    let group = Group {
        group_key: keys.group.to_hex(),
        share_keys: keys.shares.iter().map(ThresholdKey::to_hex).collect(),
    };
    let mut text = serde_json::to_string_pretty(&group).expect("text has a JSON form");
    text.push('\n');
    text
}

/// Writes the public keys. What is there and equal stays.
///
/// # Errors
/// [`WriteError`].
pub fn write_group(keys: &Keys, path: &Path) -> Result<(), WriteError> {
    write_public(path, group_text(keys).as_bytes())
}

/// Writes the transcript. What is there and equal stays.
pub(super) fn write_transcript(
    transcript: &Transcript,
    directory: &Path,
) -> Result<Vec<u8>, WriteError> {
    let bytes = transcript.to_bytes();
    write_public(&directory.join(TRANSCRIPT_FILE), &bytes)?;
    Ok(bytes)
}

/// Seals the share. One that is there must be the same, and open.
pub(super) fn write_share(
    share: &ShareSecret,
    directory: &Path,
    passphrase: &Passphrase,
    cost: ScryptCost,
    rng: &mut impl CryptoRng,
) -> Result<(), CeremonyError> {
    let path = directory.join(SHARE_FILE);
    match Keystore::create_erasable_share(share, &path, passphrase, cost, rng) {
        Ok(()) => Ok(()),
        Err(WriteError::Exists { .. }) => require_share(share, path, passphrase),
        Err(error) => Err(error.into()),
    }
}

fn require_share(
    share: &ShareSecret,
    path: PathBuf,
    passphrase: &Passphrase,
) -> Result<(), CeremonyError> {
    let there = Keystore::read(&path)?;
    let expected = share.public_key();
    match there.public() {
        PublicKey::Share(found) if found != expected => Err(CeremonyError::OtherShare {
            path,
            found: Box::new(found),
            expected: Box::new(expected),
        }),
        // That it opens with today's passphrase is worth knowing while the ceremony's process still has the share.
        _ => Ok(there.open_share(passphrase, &path).map(|_| ())?),
    }
}

/// Writes evidence, one file for each dealer and kind. What is there and was written by an earlier run stays: proofs in it
/// are different each time they are made. Returns what is in the file.
pub(super) fn write_evidence(
    evidence: &DealerEvidence,
    directory: &Path,
) -> Result<Vec<u8>, WriteError> {
    let directory = directory.join(EVIDENCE_DIRECTORY);
    match std::fs::create_dir(&directory) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(WriteError::Io {
                path: directory,
                source,
            });
        }
        _ => {}
    }
    let kind = match evidence {
        DealerEvidence::TwoDealings { .. } => "two-dealings",
        DealerEvidence::InvalidDealing(_) => "invalid-dealing",
        DealerEvidence::BadChunk { .. } => "bad-chunk",
    };
    let path = directory.join(format!("{}-{kind}.bin", evidence.dealer()));
    let bytes = evidence.to_bytes();
    match write_file(&path, &bytes, Audience::Everybody, Existing::Keep) {
        Ok(()) => Ok(bytes),
        Err(WriteError::Exists { path }) => {
            std::fs::read(&path).map_err(|source| WriteError::Io { path, source })
        }
        Err(error) => Err(error),
    }
}

/// Evidence that earlier runs wrote, by name of its file. What does not decode is left alone.
pub(super) fn read_evidence(directory: &Path) -> Vec<(ValidatorIndex, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(directory.join(EVIDENCE_DIRECTORY)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let short = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= EVIDENCE_BYTES_MAX)
    };
    paths
        .iter()
        .filter(|path| short(path))
        .filter_map(|path| {
            let bytes = std::fs::read(path).ok()?;
            let evidence = DealerEvidence::from_bytes(&bytes).ok()?;
            Some((evidence.dealer(), bytes))
        })
        .collect()
}

fn write_public(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    if std::fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    write_file(path, content, Audience::Everybody, Existing::Replace)
}
