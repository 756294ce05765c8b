//! What the log's users name: options, positions, records, errors.

use crate::disk::DiskError;

/// Most bytes of one record's payload. Far above any block, far below what a segment's 32-bit offsets can say.
pub const RECORD_BYTES_MAX: u32 = 64 << 20;
/// Most bytes of [`WalOptions::segment_bytes`]: recovery reads a segment at once.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// How a log is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalOptions {
    /// Whose log this is (chain, validator). A log of another id is refused. Some unpredictable bytes in it make it infeasible for
    /// the author of a payload to forge what looks like a record.
    pub store_id: [u8; 32],
    /// A new segment starts when a record would pass this many bytes; a larger record has a segment for itself.
    pub segment_bytes: u64,
    /// Most bytes that wait for [`Wal::flush`](super::Wal::flush), but for a single larger record.
    pub buffer_bytes_max: usize,
    /// A torn tail stays where it is, and appending goes on behind it: the mistake that tests must notice.
    #[cfg(feature = "mutants")]
    pub keep_torn_tail: bool,
}

impl WalOptions {
    /// Segments of 64 MiB and at most 64 MiB waiting: above what a group commit gathers at full load, small enough to replay in a blink.
    #[must_use]
    pub fn new(store_id: [u8; 32]) -> Self {
        Self {
            store_id,
            segment_bytes: 64 << 20,
            buffer_bytes_max: 64 << 20,
            #[cfg(feature = "mutants")]
            keep_torn_tail: false,
        }
    }
}

/// The number of a record: the first ever is 1 and none is left out. 0 stands for "no record".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The record after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a record is, for reading it again. Positions order as the records do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// Offset in bytes of the record's header in the segment.
    pub offset: u64,
    /// Bytes of the payload.
    pub len: u32,
}

impl Position {
    /// Bytes of [`Position::to_bytes`].
    pub const BYTES: usize = 20;

    /// Segment, offset and length, big-endian: byte order is log order, so a position can be a key of a table.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.segment.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_be_bytes());
        bytes[16..].copy_from_slice(&self.len.to_be_bytes());
        bytes
    }

    /// The reverse of [`Position::to_bytes`]; `None` if the length is not [`Position::BYTES`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (segment, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        Some(Self {
            segment: u64::from_be_bytes(*segment),
            offset: u64::from_be_bytes(*offset),
            len: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// A record while the log is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its number.
    pub sequence: Sequence,
    /// Where it is.
    pub position: Position,
    /// What the caller said it is.
    pub kind: u8,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A record read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub sequence: Sequence,
    /// What the caller said it is.
    pub kind: u8,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// What opening a log found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Records replayed.
    pub records: u64,
    /// The last of them; 0 if the log never had a record.
    pub last: Sequence,
    /// Bytes cut from the end because they were no complete record: the rest of a write that a crash interrupted.
    pub cut_bytes: u64,
    /// Readable record headers among the bytes cut. An interrupted write may leave them (disks reorder), but so does damage to the
    /// last write after it was acknowledged: not 0 deserves a warning, and the same care as a lost disk.
    pub stranded_records: u64,
}

/// Why the log refused or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// The disk failed.
    #[error("log: {0}")]
    Disk(#[from] DiskError),
    /// No space: what waits was not written and still waits; [`Wal::flush`](super::Wal::flush) may be tried again.
    #[error("log: the disk is full")]
    Full,
    /// An earlier write or sync failed, so what is durable is unknown: open the log again.
    #[error("log: an earlier write or sync failed; it must be opened again")]
    Poisoned,
    /// Bytes that were once durable are not what was written. Nothing was changed; restore or recover from the peers.
    #[error("log: segment {segment} is corrupt at byte {offset}")]
    Corrupt {
        /// The segment's number.
        segment: u64,
        /// Offset of the first bad record or header.
        offset: u64,
    },
    /// A segment between the first and the last is not there.
    #[error("log: segment {segment} is missing")]
    MissingSegment {
        /// The segment's number.
        segment: u64,
    },
    /// The log was written by a newer program.
    #[error("log: format {found} is newer than {supported}, the newest this program knows")]
    NewerFormat {
        /// The version in the segment's header.
        found: u32,
        /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
        supported: u32,
    },
    /// The log belongs to another chain or validator.
    #[error("log: it belongs to another store")]
    ForeignStore {
        /// The id in the segment's header.
        found: [u8; 32],
    },
    /// A record above [`RECORD_BYTES_MAX`].
    #[error("log: a record of {len} bytes is above the limit of {max}")]
    RecordTooLarge {
        /// Bytes of the payload.
        len: usize,
        /// The limit.
        max: u32,
    },
    /// More waits for a flush than [`WalOptions::buffer_bytes_max`].
    #[error("log: {waiting} bytes wait for a flush already")]
    BufferFull {
        /// Bytes waiting.
        waiting: usize,
    },
    /// [`WalOptions::segment_bytes`] is above [`SEGMENT_BYTES_MAX`].
    #[error("log: segments of {bytes} bytes are above the limit of {max}")]
    SegmentTooLarge {
        /// The bytes asked for.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// No record is there: pruned, or never written.
    #[error("log: no record at byte {} of segment {}", .0.offset, .0.segment)]
    NoSuchRecord(Position),
}
