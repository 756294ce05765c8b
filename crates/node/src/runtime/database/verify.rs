//! Everything in a data directory against the genesis file's group key.

use std::ops::Bound;

use bytes::Bytes;
use quorate_ledger::Ledger;
use quorate_store::disk::{Disk, DiskFile, OsDisk};
use quorate_store::tables::{Table, Tables};
use quorate_store::wal::{self, Position, Recovered, WalError, WalReader};
use quorate_types::{BlockId, BlockRef, Decode, Encode, Height, Outcome, Reader, merkle_root};
use quorate_validator::Logged;

use super::super::archive::stored::{
    OUTCOMES, Place, RECEIPTS, decode_receipts, stored_below, stored_certificate, stored_header,
};
use super::super::archive::{Archive, Restored};
use super::super::blocks::BLOCKS;
use super::super::error::NodeError;
use super::super::pruning::Floor;
use super::super::store;
use super::{Chain, DatabaseError, Directory, Fault, Progress, evidence};

/// Entries that are read from a table at once.
const PAGE: usize = 1_024;

/// What is checked of a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Checksums of the tables' pages.
    Pages,
    /// Records of the log: checksums, order, form.
    Log,
    /// Blocks that the index points at.
    Blocks,
    /// Certificates and the chain of their headers.
    Certificates,
    /// Headers above the last certificate, up to the checkpoint.
    Uncertified,
    /// Receipts against the headers' roots, and the outcomes that name them.
    Receipts,
    /// Entries of the state at the checkpoint, against its header.
    State,
    /// Lines of evidence.
    Evidence,
}

/// What a check found.
#[derive(Debug)]
pub struct Check {
    /// The part checked.
    pub part: Part,
    /// How many things of it were found good.
    pub checked: u64,
    /// What else there is to say.
    pub note: Option<String>,
    /// The first that is not good.
    pub fault: Option<Fault>,
}

/// Counts of a check that found nothing wrong.
#[derive(Default)]
struct Good {
    checked: u64,
    note: Option<String>,
}

impl From<u64> for Good {
    fn from(checked: u64) -> Self {
        Self {
            checked,
            note: None,
        }
    }
}

/// Checks everything, each part up to its first fault. A torn end of the log is no fault: the next start cuts it. Nothing is
/// changed.
///
/// # Errors
/// [`DatabaseError`], if the directory cannot be opened at all.
pub fn verify(
    directory: &Directory<'_>,
    progress: Progress<'_>,
) -> Result<Vec<Check>, DatabaseError> {
    directory.require_data()?;
    let (mut tables, id) = directory.opened(store::open_tables(
        directory.path,
        &directory.genesis.chain_id(),
        &directory.identity,
        false,
    ))?;
    let mut checks = Vec::new();
    let mut note = |part, result: Result<Good, Fault>| {
        let (good, fault) = match result {
            Ok(good) => (good, None),
            Err(fault) => (Good::default(), Some(fault)),
        };
        checks.push(Check {
            part,
            checked: good.checked,
            note: good.note,
            fault,
        });
    };
    progress("pages", 0, 1);
    note(
        Part::Pages,
        tables.verify().map(|()| 1.into()).map_err(Into::into),
    );
    match log(directory, &tables, id, progress) {
        Ok(Some((reader, good))) => {
            note(Part::Log, Ok(good));
            note(Part::Blocks, blocks(&tables, &reader, progress));
        }
        Ok(None) => note(Part::Log, Ok(0.into())),
        Err(fault) => note(Part::Log, Err(fault)),
    }
    match Archive::restore(&tables) {
        Ok(restored) => {
            let (certified, above) = (
                certificates(directory, &tables, &restored, progress),
                uncertified(directory, &restored),
            );
            note(Part::Certificates, certified);
            note(Part::Uncertified, above);
            note(Part::Receipts, receipts(&tables, &restored, progress));
            note(Part::State, state(directory, &tables, restored));
        }
        Err(error) => note(Part::Certificates, Err(error.into())),
    }
    note(
        Part::Evidence,
        evidence::check(directory, &tables).map(|(checked, proved)| Good {
            checked,
            note: (checked > 0).then(|| format!("{proved} proved by blocks in the log")),
        }),
    );
    Ok(checks)
}

/// The reader of single records, and what reading all of them found.
type ReadLog = (WalReader<<OsDisk as Disk>::File>, Good);

/// Reads the whole log, if the validator ever had one.
fn log(
    directory: &Directory<'_>,
    tables: &Tables,
    id: [u8; 32],
    progress: Progress<'_>,
) -> Result<Option<ReadLog>, Fault> {
    let path = directory.path.join(store::LOG_DIRECTORY);
    if !path.is_dir() {
        return match store::had_log(tables)? {
            true => Err(NodeError::LogMissing { path }.into()),
            false => Ok(None),
        };
    }
    let disk = OsDisk::open(path).map_err(WalError::from)?;
    let mut records = 0;
    let mut bad = None;
    let (reader, found) = wal::inspect(&disk, id, |record| {
        records += 1;
        if records % (PAGE as u64) == 0 {
            progress("log", records, 0);
        }
        let decoded = Logged::decode(record.kind, Bytes::copy_from_slice(record.payload));
        if let (Err(error), true) = (decoded, bad.is_none()) {
            bad = Some(Fault::Record {
                segment: record.position.segment,
                offset: record.position.offset,
                error,
            });
        }
    })?;
    match bad {
        Some(fault) => Err(fault),
        None => Ok(Some((
            reader,
            Good {
                checked: records,
                note: torn(&found),
            },
        ))),
    }
}

fn torn(found: &Recovered) -> Option<String> {
    (found.cut_bytes > 0).then(|| {
        format!(
            "an interrupted write of {} bytes at the end, {} readable records among them: the next start cuts it",
            found.cut_bytes, found.stranded_records
        )
    })
}

/// Each block of the index must be where the index says.
fn blocks<F: DiskFile>(
    tables: &Tables,
    reader: &WalReader<F>,
    progress: Progress<'_>,
) -> Result<Good, Fault> {
    let mut checked = 0;
    each(tables, BLOCKS, |key, value| {
        let reference = reference(key);
        let position = Position::from_bytes(value);
        let (Some(wanted), Some(position)) = (reference, position) else {
            return Err(Fault::Block { reference });
        };
        let record = reader
            .read(position)
            .map_err(|_| Fault::Block { reference })?;
        let found = Logged::decode(record.kind, record.payload.into());
        let same = matches!(&found, Ok(Logged::Block(block)) if block.reference() == wanted);
        if !same {
            return Err(Fault::Block { reference });
        }
        checked += 1;
        if checked % (PAGE as u64) == 0 {
            progress("blocks", checked, 0);
        }
        Ok(())
    })?;
    Ok(checked.into())
}

fn reference(key: &[u8]) -> Option<BlockRef> {
    let (round, rest) = key.split_first_chunk()?;
    let (author, rest) = rest.split_first_chunk()?;
    let mut reader = Reader::new(rest);
    let id = BlockId::decode(&mut reader).ok()?;
    reader.finish().ok()?;
    Some(BlockRef {
        round: quorate_types::Round(u64::from_be_bytes(*round)),
        author: quorate_types::ValidatorIndex(u16::from_be_bytes(*author)),
        id,
    })
}

/// Hands every entry of a table out, in the order of keys.
pub(super) fn each(
    tables: &Tables,
    table: Table,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let page = tables.range(table, (from, Bound::Unbounded), PAGE)?;
        for (key, value) in &page {
            visit(key, value)?;
        }
        match page.into_iter().next_back() {
            Some((key, _)) => after = Some(key),
            None => return Ok(()),
        }
    }
}

/// Certificates of all heights that have one: those below a gap that state sync left, and those above it.
fn certificates(
    directory: &Directory<'_>,
    tables: &Tables,
    restored: &Restored,
    progress: Progress<'_>,
) -> Result<Good, Fault> {
    let mut ranges = Vec::new();
    ranges.extend(stored_below(tables)?);
    ranges.push((restored.lowest, restored.certified));
    let mut checked = 0;
    let mut note = None;
    for (from, to) in ranges {
        let mut chain = Chain::from(directory, from)?;
        for height in (from.0..=to.0).map(Height) {
            let certificate = stored_certificate(tables, height)?;
            let certificate = certificate.ok_or(Fault::NoCertificate { height })?;
            if chain.certificate(certificate)? {
                checked += chain.settle()?.len() as u64;
                progress("certificates", height.0, to.0);
            }
        }
        checked += chain.settle()?.len() as u64;
        if to.0 >= from.0 {
            let before = note.map_or_else(String::new, |note| format!("{note}, "));
            note = Some(format!("{before}heights {from} to {to}"));
        }
    }
    Ok(Good { checked, note })
}

/// Headers that the committee has not certified as far as this directory knows.
fn uncertified(directory: &Directory<'_>, restored: &Restored) -> Result<Good, Fault> {
    let Some(first) = restored.uncertified.first() else {
        return Ok(0.into());
    };
    let mut chain = Chain::from(directory, first.height)?;
    for header in &restored.uncertified {
        chain.header(header)?;
    }
    Ok((restored.uncertified.len() as u64).into())
}

/// Receipts of every height that should have them, and the outcomes that name them.
fn receipts(tables: &Tables, restored: &Restored, progress: Progress<'_>) -> Result<Good, Fault> {
    let floor = Floor::restore(tables)?.receipts;
    let head = restored.head.as_ref().map_or(Height(0), |head| head.height);
    let (mut checked, mut named) = (0, 0);
    for height in (floor.0..=head.0).map(Height) {
        let header = stored_header(tables, height)?;
        let header = header.ok_or(NodeError::MissingHeight(height))?;
        let stored = tables.get(RECEIPTS, &height.0.to_be_bytes())?;
        let stored = stored.ok_or(Fault::NoReceipts { height })?;
        let receipts = decode_receipts(&stored).map_err(NodeError::stored("receipts"))?;
        if merkle_root(receipts.iter().map(Encode::to_bytes)) != header.receipts_root {
            return Err(Fault::Receipts { height });
        }
        for (index, receipt) in (0..).zip(&receipts) {
            let place = place(tables, &receipt.transaction.0)?;
            let here = |place: Place| (place.height, place.index) == (height, index);
            named += u64::from(place.is_some_and(here));
            // A refusal may repeat an older outcome that counted, and was pruned.
            if place.is_none() && matches!(receipt.outcome, Outcome::Applied { .. }) {
                return Err(Fault::NoOutcome { height, index });
            }
        }
        checked += receipts.len() as u64;
        if height.0.is_multiple_of(PAGE as u64) {
            progress("receipts", height.0, head.0);
        }
    }
    let mut outcomes = 0;
    each(tables, OUTCOMES, |_, value| {
        let place = Place::from_bytes(value).ok_or(NodeError::StoredOutcome)?;
        outcomes += u64::from(place.height >= floor);
        Ok(())
    })?;
    if outcomes != named {
        return Err(Fault::Outcomes {
            count: outcomes.abs_diff(named),
        });
    }
    Ok(Good {
        checked,
        note: (head >= floor).then(|| format!("heights {floor} to {head}")),
    })
}

fn place(tables: &Tables, transaction: &[u8]) -> Result<Option<Place>, Fault> {
    let stored = tables.get(OUTCOMES, transaction)?;
    let place = stored.map(|bytes| Place::from_bytes(&bytes).ok_or(NodeError::StoredOutcome));
    Ok(place.transpose()?)
}

/// The state must be the one that the checkpoint's header names.
fn state(directory: &Directory<'_>, tables: &Tables, restored: Restored) -> Result<Good, Fault> {
    let Some(head) = restored.head else {
        return Ok(0.into());
    };
    let height = head.height;
    let entries = Archive::state_entries(tables)?;
    let checked = entries.len() as u64;
    let ledger = Ledger::restore(directory.genesis, head, entries.into_iter())?;
    ledger.snapshot().check_conservation()?;
    Ok(Good {
        checked,
        note: Some(format!("at height {height}")),
    })
}
