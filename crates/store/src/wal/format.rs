//! Bytes of the log: segment names, segment headers and record headers. The tables are in the documentation of [`crate::wal`].

use super::{Sequence, WalError};

/// The version of the layout that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"QUORWAL\n";
const EXTENSION: &str = ".wal";

/// Bytes of a segment's header; the first record starts there.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes before a record's payload.
pub(super) const RECORD_HEADER_BYTES: usize = 25;

pub(super) fn segment_name(segment: u64) -> String {
    format!("{segment:016x}{EXTENSION}")
}

/// The number of the segment in a file of that name; `None` for files that are not ours.
pub(super) fn parse_segment_name(name: &str) -> Option<u64> {
    let segment = u64::from_str_radix(name.strip_suffix(EXTENSION)?, 16).ok()?;
    (segment_name(segment) == name).then_some(segment)
}

/// Why a segment's header could not be used.
pub(super) enum HeaderError {
    /// Not a header at all: never completely written, or damaged.
    Bad,
    /// A good header that this store must refuse.
    Refused(WalError),
}

impl HeaderError {
    /// The error where the header must be there.
    pub(super) fn unless_torn(self, segment: u64) -> WalError {
        match self {
            Self::Bad => WalError::Corrupt { segment, offset: 0 },
            Self::Refused(error) => error,
        }
    }
}

pub(super) fn encode_segment_header(
    store_id: &[u8; 32],
    segment: u64,
    first: Sequence,
) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[16..48].copy_from_slice(store_id);
    header[48..56].copy_from_slice(&segment.to_le_bytes());
    header[56..].copy_from_slice(&first.0.to_le_bytes());
    let crc = segment_header_crc(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The sequence of the segment's first record.
pub(super) fn decode_segment_header(
    bytes: &[u8],
    store_id: &[u8; 32],
    segment: u64,
) -> Result<Sequence, HeaderError> {
    if array::<8>(bytes, 0) != Some(MAGIC) {
        return Err(HeaderError::Bad);
    }
    // Before anything else: a newer layout may put the rest elsewhere.
    let found = u32::from_le_bytes(array(bytes, 8).ok_or(HeaderError::Bad)?);
    if found > FORMAT_VERSION {
        return Err(HeaderError::Refused(WalError::NewerFormat {
            found,
            supported: FORMAT_VERSION,
        }));
    }
    let header: [u8; SEGMENT_HEADER_BYTES] = array(bytes, 0).ok_or(HeaderError::Bad)?;
    let number = |at| {
        array(&header, at)
            .map(u64::from_le_bytes)
            .ok_or(HeaderError::Bad)
    };
    let crc = array(&header, 12).map(u32::from_le_bytes);
    if found != FORMAT_VERSION || crc != Some(segment_header_crc(&header)) || number(48)? != segment
    {
        return Err(HeaderError::Bad);
    }
    let found = array(&header, 16).ok_or(HeaderError::Bad)?;
    if found != *store_id {
        return Err(HeaderError::Refused(WalError::ForeignStore { found }));
    }
    Ok(Sequence(number(56)?))
}

fn segment_header_crc(header: &[u8; SEGMENT_HEADER_BYTES]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..12]);
    crc.update(&header[16..]);
    crc.finalize()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) payload_crc: u32,
    pub(super) sequence: Sequence,
    /// Offset in the segment of the first record written together with this one.
    pub(super) group_start: u32,
    pub(super) len: u32,
    pub(super) kind: u8,
}

/// Checks and makes record headers of one segment. The checksum starts from store, segment and offset, so that a record counts
/// only where it was written: a copy of one inside another's payload is not a record.
#[derive(Clone)]
pub(super) struct SegmentKey(crc32fast::Hasher);

impl SegmentKey {
    pub(super) fn new(store_id: &[u8; 32], segment: u64) -> Self {
        let mut crc = crc32fast::Hasher::new();
        crc.update(store_id);
        crc.update(&segment.to_le_bytes());
        Self(crc)
    }

    pub(super) fn encode(&self, offset: u64, record: &RecordHeader) -> [u8; RECORD_HEADER_BYTES] {
        let mut header = [0; RECORD_HEADER_BYTES];
        header[4..8].copy_from_slice(&record.payload_crc.to_le_bytes());
        header[8..16].copy_from_slice(&record.sequence.0.to_le_bytes());
        header[16..20].copy_from_slice(&record.group_start.to_le_bytes());
        header[20..24].copy_from_slice(&record.len.to_le_bytes());
        header[24] = record.kind;
        let crc = self.crc(offset, &header);
        header[..4].copy_from_slice(&crc.to_le_bytes());
        header
    }

    /// The header at the start of `bytes`, which are those at `offset` of the segment; `None` if there is no valid one.
    pub(super) fn decode(&self, offset: u64, bytes: &[u8]) -> Option<RecordHeader> {
        let header: [u8; RECORD_HEADER_BYTES] = array(bytes, 0)?;
        if u32::from_le_bytes(array(&header, 0)?) != self.crc(offset, &header) {
            return None;
        }
        Some(RecordHeader {
            payload_crc: u32::from_le_bytes(array(&header, 4)?),
            sequence: peek_sequence(&header)?,
            group_start: u32::from_le_bytes(array(&header, 16)?),
            len: u32::from_le_bytes(array(&header, 20)?),
            kind: header[24],
        })
    }

    fn crc(&self, offset: u64, header: &[u8; RECORD_HEADER_BYTES]) -> u32 {
        let mut crc = self.0.clone();
        crc.update(&offset.to_le_bytes());
        crc.update(&header[4..]);
        crc.finalize()
    }
}

/// What would be the sequence if a record started here: a cheap test before the checksum.
pub(super) fn peek_sequence(bytes: &[u8]) -> Option<Sequence> {
    array(bytes, 8).map(u64::from_le_bytes).map(Sequence)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
