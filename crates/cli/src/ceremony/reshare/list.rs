//! The file with an ordered list of dealings: the ceremony's id, then the dealings that count.

use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::SignedDealing;
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{CeremonyId, CodecError, Decode, Encode, Reader, encode_list};

use super::transcript::read_bounded;
use crate::failure::{Failure, Kind, OrFail};

/// Largest list that is read: 128 dealings of a quarter megabyte, and room.
const LIST_BYTES_MAX: u64 = 64 << 20;

struct List {
    ceremony: CeremonyId,
    dealings: Vec<SignedDealing>,
}

impl Decode for List {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            ceremony: Decode::decode(reader)?,
            dealings: reader.list("dealings", u32::from(COMMITTEE_MAX))?,
        })
    }
}

/// Reads the list of a ceremony. Its dealings are not checked.
pub(crate) fn read(path: &Path, ceremony: &CeremonyId) -> Result<Vec<SignedDealing>, Failure> {
    let shown = path.display();
    let bytes = read_bounded(path, LIST_BYTES_MAX).or_fail(Kind::File)?;
    let list = List::from_bytes(&bytes)
        .with_context(|| format!("{shown} is no list of dealings, or was cut off"))
        .or_fail(Kind::Unverified)?;
    if list.ceremony != *ceremony {
        let error = anyhow!("{shown} is the list of another ceremony, {}", list.ceremony);
        return Err(Failure::new(Kind::Unverified, error));
    }
    Ok(list.dealings)
}

/// Writes a list; the same one that is there already is left as it is.
pub(crate) fn write(
    path: &Path,
    ceremony: &CeremonyId,
    dealings: &[SignedDealing],
) -> anyhow::Result<()> {
    let mut bytes = ceremony.to_bytes();
    encode_list(dealings, &mut bytes);
    write_once(path, &bytes)
}

/// Writes a public file that is never replaced by another one.
pub(crate) fn write_once(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.exists() {
        let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let same = read_bounded(path, limit).is_ok_and(|there| there == bytes);
        ensure!(
            same,
            "{} holds something else: choose another place, or move it away first",
            path.display()
        );
        return Ok(());
    }
    write_file(path, bytes, Audience::Everybody, Existing::Keep)?;
    Ok(())
}
