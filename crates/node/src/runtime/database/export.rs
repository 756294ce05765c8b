//! Headers, certificates and the state in one file that proves itself.
//!
//! All numbers are little-endian. The head has a fixed length, and so has every certificate; chunks of the state follow if the
//! head names a height for it, and cover all of it:
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | [`MAGIC`] |
//! | 32 | chain id |
//! | 8, 8 | the first and the last height |
//! | 8 | the height of the state; 0 if there is none |
//! | each [`CERTIFICATE_BYTES`] | header and signature of every height, ascending |
//! | 4 and as many | length and encoding of each chunk of the state, in the order of key hashes |
//! | 32 | BLAKE3 of everything before, under [`DomainTag::Export`] |
//!
//! The hash tells a damaged file early; trust comes from the signatures alone.

use std::io::Write;
use std::path::Path;

use quorate_ledger::Ledger;
use quorate_store::tables::Tables;
use quorate_types::{Blake3, Certificate, DomainTag, Encode, Hash32, Header, Height, Signature};

use super::super::archive::Archive;
use super::super::archive::stored::stored_certificate;
use super::super::store;
use super::import::FileSummary;
use super::{Chain, DatabaseError, Directory, Fault, Progress};
use crate::files::{Audience, Existing, WriteError, write_file_with};

/// What every such file begins with; the last byte is the version.
pub(super) const MAGIC: [u8; 8] = *b"QRTCHAI\x01";
/// Bytes before the first certificate.
pub(super) const HEAD_BYTES: usize = 8 + 32 + 3 * 8;
/// Bytes of one certificate.
pub(super) const CERTIFICATE_BYTES: usize = Header::LENGTH + Signature::LENGTH;
/// Bytes of state that a chunk has at most, unless a single entry is larger.
const CHUNK_BYTES: usize = 256 * 1024;

/// Writes headers and certificates of all heights from the lowest to the highest that has one, and the state if that is
/// wanted. Everything is verified as it is read.
///
/// # Errors
/// [`DatabaseError`]; there is no file then.
pub fn export(
    directory: &Directory<'_>,
    file: &Path,
    with_state: bool,
    progress: Progress<'_>,
) -> Result<FileSummary, DatabaseError> {
    directory.require_data()?;
    let (tables, _) = directory.opened(store::open_tables(
        directory.path,
        &directory.genesis.chain_id(),
        &directory.identity,
        false,
    ))?;
    let restored = Archive::restore(&tables)?;
    let (from, to) = (restored.lowest, restored.certified);
    if to < from {
        return Err(DatabaseError::NothingCertified);
    }
    let ledger = match &restored.head {
        Some(head) if with_state => {
            if head.height > to {
                return Err(DatabaseError::StateUncertified {
                    state: head.height,
                    certified: to,
                });
            }
            let entries = Archive::state_entries(&tables)?.into_iter();
            let ledger = Ledger::restore(directory.genesis, head.clone(), entries);
            Some(ledger.map_err(Fault::from)?)
        }
        _ => None,
    };
    write_file_with(file, Audience::Everybody, Existing::Keep, |out| {
        let mut out = Sink {
            path: file,
            out,
            hash: Blake3::new(DomainTag::Export),
            bytes: 0,
        };
        let state_height = ledger
            .as_ref()
            .map_or(Height(0), |ledger| ledger.head().height);
        out.put(&MAGIC)?;
        out.put(&directory.genesis.chain_id().to_bytes())?;
        for height in [from, to, state_height] {
            out.put(&height.to_bytes())?;
        }
        certificates(directory, &tables, (from, to), &mut out, progress)?;
        let state_entries = match &ledger {
            Some(ledger) => state(ledger, &mut out)?,
            None => 0,
        };
        let hash = Hash32(out.hash.finish());
        out.put(&hash.0)?;
        Ok(FileSummary {
            from,
            to,
            state_height: ledger.map(|_| state_height),
            state_entries,
            bytes: out.bytes,
            hash,
        })
    })
}

fn certificates(
    directory: &Directory<'_>,
    tables: &Tables,
    (from, to): (Height, Height),
    out: &mut Sink<'_>,
    progress: Progress<'_>,
) -> Result<(), DatabaseError> {
    let mut chain = Chain::from(directory, from)?;
    for height in (from.0..=to.0).map(Height) {
        let certificate = stored_certificate(tables, height)?;
        let certificate = certificate.ok_or(Fault::NoCertificate { height })?;
        if chain.certificate(certificate)? {
            out.certificates(&chain.settle()?)?;
            progress("certificates", height.0, to.0);
        }
    }
    out.certificates(&chain.settle()?)
}

/// Writes the state; answers how many entries it has.
fn state(ledger: &Ledger, out: &mut Sink<'_>) -> Result<u64, DatabaseError> {
    let snapshot = ledger.snapshot();
    let mut entries = 0;
    let mut next = Some(Hash32([0; 32]));
    while let Some(start) = next {
        let chunk = snapshot.chunk(&start, CHUNK_BYTES);
        entries += chunk.entries.len() as u64;
        let bytes = chunk.to_bytes();
        let length = u32::try_from(bytes.len()).expect("chunks are bounded far below");
        out.put(&length.to_bytes())?;
        out.put(&bytes)?;
        next = after(&chunk.range(&start).last);
    }
    Ok(entries)
}

/// The key hash after this one, unless it is the last.
pub(super) fn after(hash: &Hash32) -> Option<Hash32> {
    let mut bytes = hash.0;
    for byte in bytes.iter_mut().rev() {
        let (next, carry) = byte.overflowing_add(1);
        *byte = next;
        if !carry {
            return Some(Hash32(bytes));
        }
    }
    None
}

/// The file as it grows.
struct Sink<'a> {
    path: &'a Path,
    out: &'a mut dyn Write,
    hash: Blake3,
    bytes: u64,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), DatabaseError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|source| {
            WriteError::Io {
                path: self.path.to_owned(),
                source,
            }
            .into()
        })
    }

    fn certificates(&mut self, certificates: &[Certificate]) -> Result<(), DatabaseError> {
        for certificate in certificates {
            self.put(&certificate.to_bytes())?;
        }
        Ok(())
    }
}
