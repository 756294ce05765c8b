//! Reading such a file back: to check it, or into an empty data directory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use quorate_ledger::StateChunk;
use quorate_store::tables::Batch;
use quorate_types::{
    Blake3, Certificate, ChainId, Decode, DomainTag, Genesis, Hash32, Height, IdentityKey, Reader,
};

use super::super::archive::stored::{put_below, put_certificate};
use super::super::error::NodeError;
use super::super::store;
use super::export::{CERTIFICATE_BYTES, HEAD_BYTES, MAGIC, after};
use super::{Chain, DatabaseError, Directory, Fault, Progress};

/// Most bytes of a chunk of the state that are read: far more than are written.
const CHUNK_BYTES_MAX: u32 = 64 << 20;

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The first height.
    pub from: Height,
    /// The last height.
    pub to: Height,
    /// The height of the state, if it is there.
    pub state_height: Option<Height>,
    /// How many entries the state has.
    pub state_entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The hash at its end.
    pub hash: Hash32,
}

/// Verifies a file against a genesis, and needs nothing else.
///
/// # Errors
/// [`DatabaseError::File`] says where what does not verify begins.
pub fn check_file(
    genesis: &Genesis,
    file: &Path,
    progress: Progress<'_>,
) -> Result<FileSummary, DatabaseError> {
    read(genesis, file, progress, |_| Ok(()))
}

/// Reads the certificates of a file into the empty data directory of a validator, which then holds the chain's history and no
/// state: it joins the others like one that was away, and fetches no history that it has. Everything in the file is verified.
/// The directory appears whole or not at all.
///
/// # Errors
/// [`DatabaseError`].
pub fn import(
    directory: &Directory<'_>,
    file: &Path,
    progress: Progress<'_>,
) -> Result<FileSummary, DatabaseError> {
    let failed = |source| DatabaseError::Io {
        path: directory.path.to_owned(),
        source,
    };
    match std::fs::read_dir(directory.path) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(DatabaseError::NotEmpty {
                    path: directory.path.to_owned(),
                });
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let parent = match directory.path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unfinished = tempfile::Builder::new()
        .prefix(".import-")
        .tempdir_in(parent)
        .map_err(failed)?;
    let genesis = directory.genesis;
    let (tables, _) = store::open_tables(
        unfinished.path(),
        &genesis.chain_id(),
        &directory.identity,
        true,
    )?;
    let summary = read(genesis, file, progress, |certificates| {
        let mut batch = Batch::new();
        for certificate in certificates {
            put_certificate(&mut batch, certificate);
        }
        Ok(tables.commit(&batch)?)
    })?;
    let mut batch = Batch::new();
    put_below(&mut batch, summary.from, summary.to);
    tables.commit(&batch).map_err(NodeError::Tables)?;
    drop(tables);
    std::fs::rename(unfinished.path(), directory.path).map_err(failed)?;
    // It has another name now.
    let _ = unfinished.keep();
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(failed)?;
    Ok(summary)
}

/// Verifies a file, and hands its certificates out as they are verified.
fn read(
    genesis: &Genesis,
    path: &Path,
    progress: Progress<'_>,
    mut take: impl FnMut(&[Certificate]) -> Result<(), NodeError>,
) -> Result<FileSummary, DatabaseError> {
    let file = File::open(path).map_err(|source| DatabaseError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut source = Source {
        path,
        reader: BufReader::new(file),
        hash: Blake3::new(DomainTag::Export),
        offset: 0,
    };
    let head = source.head(genesis)?;
    let directory = Directory {
        path,
        genesis,
        identity: IdentityKey([0; 32]),
    };
    let mut chain = Chain::from(&directory, head.from)?;
    let at = |error: Fault| match &error {
        Fault::Foreign { height } | Fault::Chain { height } | Fault::Certificate { height } => {
            let before = height.0.saturating_sub(head.from.0) * CERTIFICATE_BYTES as u64;
            DatabaseError::File {
                path: path.to_owned(),
                offset: HEAD_BYTES as u64 + before,
                fault: error,
            }
        }
        _ => error.into(),
    };
    let mut state_root = None;
    for height in (head.from.0..=head.to.0).map(Height) {
        let certificate: Certificate = source.decode(CERTIFICATE_BYTES)?;
        if head.state == Some(height) {
            state_root = Some(certificate.header.state_root);
        }
        if chain.certificate(certificate).map_err(at)? {
            take(&chain.settle().map_err(at)?)?;
            progress("certificates", height.0, head.to.0);
        }
    }
    take(&chain.settle().map_err(at)?)?;
    let state_entries = match state_root {
        Some(root) => source.state(&root)?,
        None => 0,
    };
    let hash = source.end()?;
    Ok(FileSummary {
        from: head.from,
        to: head.to,
        state_height: head.state,
        state_entries,
        bytes: source.offset,
        hash,
    })
}

/// The beginning of a file.
#[derive(Clone, Copy)]
struct Head {
    from: Height,
    to: Height,
    state: Option<Height>,
}

struct Source<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    hash: Blake3,
    offset: u64,
}

impl Source<'_> {
    fn fault(&self, offset: u64, fault: Fault) -> DatabaseError {
        DatabaseError::File {
            path: self.path.to_owned(),
            offset,
            fault,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), DatabaseError> {
        match self.reader.read_exact(bytes) {
            Ok(()) => {
                self.offset += bytes.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.fault(self.offset, Fault::Malformed))
            }
            Err(source) => Err(DatabaseError::Io {
                path: self.path.to_owned(),
                source,
            }),
        }
    }

    fn decode<T: Decode>(&mut self, length: usize) -> Result<T, DatabaseError> {
        let offset = self.offset;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        self.hash.update(&bytes);
        T::from_bytes(&bytes).map_err(|_| self.fault(offset, Fault::Malformed))
    }

    fn head(&mut self, genesis: &Genesis) -> Result<Head, DatabaseError> {
        let not_export = || DatabaseError::NotExport {
            path: self.path.to_owned(),
        };
        let mut bytes = [0; HEAD_BYTES];
        if self.reader.read_exact(&mut bytes).is_err() || bytes[..8] != MAGIC {
            return Err(not_export());
        }
        self.hash.update(bytes);
        self.offset = HEAD_BYTES as u64;
        let mut reader = Reader::new(&bytes[8..]);
        let mut decode = || -> Result<_, quorate_types::CodecError> {
            let chain = ChainId::decode(&mut reader)?;
            let heights: [Height; 3] = [
                Height::decode(&mut reader)?,
                Height::decode(&mut reader)?,
                Height::decode(&mut reader)?,
            ];
            Ok((chain, heights))
        };
        let (chain, [from, to, state]) = decode().map_err(|_| not_export())?;
        if chain != genesis.chain_id() {
            return Err(DatabaseError::ForeignFile {
                path: self.path.to_owned(),
            });
        }
        let state = (state != Height(0)).then_some(state);
        let in_order = from >= Height(1) && from <= to;
        if !in_order || state.is_some_and(|state| state < from || state > to) {
            return Err(self.fault(8 + 32, Fault::Malformed));
        }
        Ok(Head { from, to, state })
    }

    /// Reads the whole state under a root; answers how many entries it has.
    fn state(&mut self, root: &Hash32) -> Result<u64, DatabaseError> {
        let mut entries = 0;
        let mut next = Some(Hash32([0; 32]));
        while let Some(start) = next {
            let offset = self.offset;
            let length: u32 = self.decode(4)?;
            if length > CHUNK_BYTES_MAX {
                return Err(self.fault(offset, Fault::Malformed));
            }
            let offset = self.offset;
            let chunk: StateChunk = self.decode(length as usize)?;
            let range = chunk
                .verify(root, &start)
                .map_err(|error| self.fault(offset, error.into()))?;
            entries += chunk.entries.len() as u64;
            next = after(&range.last);
        }
        Ok(entries)
    }

    /// The hash, and nothing behind it.
    fn end(&mut self) -> Result<Hash32, DatabaseError> {
        let offset = self.offset;
        let computed = Hash32(self.hash.finish());
        let mut bytes = [0; 32];
        self.fill(&mut bytes)?;
        if computed.0 != bytes {
            return Err(self.fault(offset, Fault::Hash));
        }
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(computed),
            _ => Err(self.fault(self.offset, Fault::Malformed)),
        }
    }
}
