//! A stopped validator's data directory: checked, pruned, written out into a file, and read in from one.
//!
//! Nothing here trusts what is stored: certificates are verified under the group key of the genesis file, headers must form a
//! chain, and everything else must lead to what the headers say. The lock of the tables keeps a running validator and these
//! functions apart.

mod evidence;
mod export;
mod import;
mod prune;
mod verify;

use std::path::{Path, PathBuf};

use quorate_crypto::GroupKey;
use quorate_ledger::{ChunkError, LedgerError};
use quorate_store::tables::TablesError;
use quorate_store::wal::WalError;
use quorate_types::{BlockRef, Certificate, Genesis, Header, HeaderHash, Height, IdentityKey};
use quorate_validator::LoggedError;

use super::error::NodeError;
use crate::files::WriteError;

pub use export::export;
pub use import::{FileSummary, check_file, import};
pub use prune::{Freed, prune};
pub use verify::{Check, Part, verify};

/// How many certificates are verified with one pairing equation.
const CERTIFICATES_AT_ONCE: u64 = 1_024;

/// A data directory, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// The directory.
    pub path: &'a Path,
    /// The chain's genesis.
    pub genesis: &'a Genesis,
    /// The validator's identity.
    pub identity: IdentityKey,
}

/// How far a long piece of work is: what is being done, how much of it is done, and how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Why a directory is not worked on, or a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A validator, or another of these commands, uses the directory.
    #[error("{}: a validator runs on this data directory; stop it first", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// There is no validator's data in the directory.
    #[error("{}: no validator's data is here", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// Something is in a directory that must be empty.
    #[error("{}: only an empty or new data directory takes an import", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] NodeError),
    /// What is stored does not verify.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// No certificate is stored yet.
    #[error("nothing is certified yet")]
    NothingCertified,
    /// The state is of a height whose certificate is not stored.
    #[error(
        "the stored state is that of height {state}, but certificates end at {certified}: start the validator and stop it \
         with SIGTERM, which stores them"
    )]
    StateUncertified {
        /// The state's height.
        state: Height,
        /// The highest height with a certificate.
        certified: Height,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file, or a directory, cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no export, or one of another version.
    #[error("{}: this is no file that `quorate db export` of this version wrote", path.display())]
    NotExport {
        /// The file.
        path: PathBuf,
    },
    /// The file is another chain's.
    #[error("{}: the file is of another chain", path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// A file does not verify.
    #[error("{}: at byte {offset}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where what is wrong begins.
        offset: u64,
        /// What is wrong.
        fault: Fault,
    },
}

/// What does not verify.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] NodeError),
    /// A record of the log does not decode.
    #[error("log: segment {segment}, byte {offset}: {error}")]
    Record {
        /// The segment.
        segment: u64,
        /// Where the record begins.
        offset: u64,
        /// Why.
        error: LoggedError,
    },
    /// The index of blocks is malformed, or points at something else than the block.
    #[error("index of blocks: {reference:?} is not where the index says")]
    Block {
        /// The block; `None` if not even its name can be read.
        reference: Option<BlockRef>,
    },
    /// A header is another chain's, shard's, epoch's or height's.
    #[error("height {height}: the header is of another chain or height")]
    Foreign {
        /// The height.
        height: Height,
    },
    /// A header does not name the one before it.
    #[error("height {height}: the header does not follow from the one below")]
    Chain {
        /// The height.
        height: Height,
    },
    /// A certificate does not verify.
    #[error("height {height}: the certificate does not verify under the group key")]
    Certificate {
        /// The height.
        height: Height,
    },
    /// A certificate is missing.
    #[error("height {height}: there is no certificate")]
    NoCertificate {
        /// The height.
        height: Height,
    },
    /// The receipts of a height are missing.
    #[error("height {height}: there are no receipts")]
    NoReceipts {
        /// The height.
        height: Height,
    },
    /// Receipts do not lead to the root in the header.
    #[error("height {height}: the receipts are not those of the header")]
    Receipts {
        /// The height.
        height: Height,
    },
    /// A transaction with a receipt has no outcome.
    #[error("height {height}: receipt {index} has no outcome")]
    NoOutcome {
        /// The height.
        height: Height,
        /// The receipt's position.
        index: u32,
    },
    /// Outcomes stand at receipts that are not theirs.
    #[error("{count} outcomes name receipts of other transactions")]
    Outcomes {
        /// How many.
        count: u64,
    },
    /// A line of the evidence cannot be read.
    #[error("evidence: line {line} is malformed")]
    Evidence {
        /// The line, from 1 on.
        line: u64,
    },
    /// A line of the evidence is about somebody who is no member.
    #[error("evidence: line {line} convicts nobody of this committee")]
    Stranger {
        /// The line, from 1 on.
        line: u64,
    },
    /// A part of the state leads to another root.
    #[error("state: {0}")]
    Chunk(#[from] ChunkError),
    /// The file ends too early, has something behind its end, or something in it cannot be decoded.
    #[error("malformed")]
    Malformed,
    /// The hash at the end is not that of the content.
    #[error("the content is not what the hash at the end says")]
    Hash,
}

impl From<TablesError> for Fault {
    fn from(error: TablesError) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<WalError> for Fault {
    fn from(error: WalError) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Unreadable(error.into())
    }
}

impl Directory<'_> {
    /// Refuses a directory that holds no validator's data.
    fn require_data(&self) -> Result<(), DatabaseError> {
        if self.path.join(super::store::TABLES_FILE).is_file() {
            Ok(())
        } else {
            Err(DatabaseError::Missing {
                path: self.path.to_owned(),
            })
        }
    }

    /// Tells that the directory is in use from other errors of opening it.
    fn opened<T>(&self, opened: Result<T, NodeError>) -> Result<T, DatabaseError> {
        opened.map_err(|error| match error {
            NodeError::Tables(TablesError::AlreadyOpen) => DatabaseError::Busy {
                path: self.path.to_owned(),
            },
            error => error.into(),
        })
    }

    fn group_key(&self) -> Result<GroupKey, NodeError> {
        GroupKey::parse(&self.genesis.group_key).map_err(NodeError::GroupKey)
    }
}

/// Takes headers upwards, and verifies their certificates together.
struct Chain<'a> {
    genesis: &'a Genesis,
    key: GroupKey,
    /// The header before the next one; the first of a chain that does not begin at height 1 follows from nothing.
    previous: Option<HeaderHash>,
    next: Height,
    /// Certificates that are not verified yet.
    waiting: Vec<Certificate>,
}

impl<'a> Chain<'a> {
    fn from(directory: &Directory<'a>, lowest: Height) -> Result<Self, NodeError> {
        let genesis = directory.genesis;
        let first = lowest == Height(1);
        let previous = first
            .then(|| quorate_ledger::Ledger::genesis_header(genesis))
            .transpose()?;
        Ok(Self {
            genesis,
            key: directory.group_key()?,
            previous: previous.map(|header| header.hash()),
            next: lowest,
            waiting: Vec::new(),
        })
    }

    /// Takes the header of the next height.
    fn header(&mut self, header: &Header) -> Result<(), Fault> {
        let height = self.next;
        let (genesis, chain) = (self.genesis, header.chain);
        let place = (header.shard, header.epoch, header.height);
        if chain != genesis.chain_id() || place != (genesis.shard, genesis.epoch, height) {
            return Err(Fault::Foreign { height });
        }
        if self.previous.is_some_and(|hash| hash != header.previous) {
            return Err(Fault::Chain { height });
        }
        self.previous = Some(header.hash());
        self.next = height.next();
        Ok(())
    }

    /// Takes the certificate of the next height. Answers whether enough wait to be verified.
    fn certificate(&mut self, certificate: Certificate) -> Result<bool, Fault> {
        // What is not signed is told first: whoever changes a header changes the next one's link as well.
        let linked = self.header(&certificate.header);
        self.waiting.push(certificate);
        if linked.is_err() {
            self.settle()?;
        }
        linked?;
        Ok(self.waiting.len() as u64 >= CERTIFICATES_AT_ONCE)
    }

    /// Verifies what waits, and hands it out.
    fn settle(&mut self) -> Result<Vec<Certificate>, Fault> {
        let certificates = std::mem::take(&mut self.waiting);
        let messages: Vec<[u8; 40]> = certificates
            .iter()
            .map(|certificate| certificate.header.hash().signing_bytes())
            .collect();
        let items: Vec<_> = messages
            .iter()
            .zip(&certificates)
            .map(|(message, certificate)| (message.as_slice(), certificate.signature))
            .collect();
        match self.key.verify_many(&items) {
            Ok(()) => Ok(certificates),
            Err(bad) => Err(Fault::Certificate {
                height: bad
                    .first()
                    .map_or(self.next, |position| certificates[*position].header.height),
            }),
        }
    }
}
