//! Reading a log back: replay, the torn tail, and telling it from damage.

use std::collections::BTreeMap;

use super::format::{
    HeaderError, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentKey,
    decode_segment_header, encode_segment_header, parse_segment_name, peek_sequence, segment_name,
};
use super::types::{
    Position, RECORD_BYTES_MAX, RecordRef, Recovered, SEGMENT_BYTES_MAX, Sequence, WalError,
    WalOptions,
};
use super::{as_u32, as_u64, as_usize};
use crate::disk::{Disk, DiskError, DiskFile};

/// No segment can be longer: the record that passes the limit starts before it.
const FILE_BYTES_MAX: u64 = SEGMENT_BYTES_MAX + RECORD_BYTES_MAX as u64 + 128;

/// A log found on a disk, ready for appending.
pub(super) struct Found<F> {
    pub(super) files: BTreeMap<u64, F>,
    pub(super) active: u64,
    pub(super) active_len: u64,
    pub(super) recovered: Recovered,
}

/// Replays the log of `disk` and makes its end ready for appending; starts a log if there is none.
pub(super) fn recover<D: Disk>(
    disk: &D,
    options: &WalOptions,
    visit: impl FnMut(RecordRef<'_>),
) -> Result<Found<D::File>, WalError> {
    let Walked {
        mut files,
        recovered,
        end,
        unfinished,
    } = walk(disk, options, visit)?;
    if let Some(segment) = unfinished {
        disk.remove(&segment_name(segment))?;
    }
    let mut active_len = as_u64(SEGMENT_HEADER_BYTES);
    if let (Some(end), Some(file)) = (&end, files.values().next_back()) {
        active_len = as_u64(end.good.len());
        if unfinished.is_none() {
            settle(file, &end.good, end.group_start)?;
        }
    }
    // Names may be as little durable as contents.
    disk.sync_directory()?;
    let active = match files.keys().next_back() {
        Some(segment) => *segment,
        None => {
            files.insert(0, create_segment(disk, options, 0, Sequence(1))?);
            0
        }
    };
    Ok(Found {
        files,
        active,
        active_len,
        recovered,
    })
}

/// What is on a disk. Nothing of it was changed.
pub(super) struct Walked<F> {
    pub(super) files: BTreeMap<u64, F>,
    pub(super) recovered: Recovered,
    /// The end of the last segment that has a header.
    end: Option<End>,
    /// A last segment whose creation was interrupted.
    unfinished: Option<u64>,
}

/// The end of a log.
struct End {
    /// The last segment without what is torn.
    good: Vec<u8>,
    /// Where its last group begins.
    group_start: usize,
}

/// Reads the log of `disk` from its first record to its last.
pub(super) fn walk<D: Disk>(
    disk: &D,
    options: &WalOptions,
    mut visit: impl FnMut(RecordRef<'_>),
) -> Result<Walked<D::File>, WalError> {
    let segments = segments(disk)?;
    let mut walked = Walked {
        files: BTreeMap::new(),
        recovered: Recovered::default(),
        end: None,
        unfinished: None,
    };
    let mut expected = None;
    for (at, &segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        let file = disk.open(&segment_name(segment))?;
        let mut bytes = read_all(&file, segment)?;
        let mut scan = match Scan::from_start(&options.store_id, segment, &bytes) {
            // Records are written only into a segment whose header is durable, and the first segment left is durable if it is
            // not the very first: what else has no header was being created.
            Err(HeaderError::Bad)
                if last && bytes.len() <= SEGMENT_HEADER_BYTES && (at > 0 || segment == 0) =>
            {
                walked.recovered.cut_bytes += as_u64(bytes.len());
                walked.unfinished = Some(segment);
                break;
            }
            scan => scan.map_err(|error| error.unless_torn(segment))?,
        };
        if expected.is_some_and(|expected| expected != scan.expected) {
            return Err(WalError::Corrupt { segment, offset: 0 });
        }
        for record in scan.by_ref() {
            walked.recovered.records += 1;
            visit(record);
        }
        if scan.offset != bytes.len() {
            let stranded = if last { scan.stranded() } else { None };
            let corrupt = WalError::Corrupt {
                segment,
                offset: as_u64(scan.offset),
            };
            walked.recovered.stranded_records = stranded.ok_or(corrupt)?;
            walked.recovered.cut_bytes += as_u64(bytes.len() - scan.offset);
        }
        expected = Some(scan.expected);
        walked.recovered.last = Sequence(scan.expected.0.saturating_sub(1));
        let (good, group_start) = (scan.offset, scan.group_start);
        #[cfg(feature = "mutants")]
        let good = if options.keep_torn_tail {
            bytes.len()
        } else {
            good
        };
        bytes.truncate(good);
        walked.end = Some(End {
            good: bytes,
            group_start,
        });
        walked.files.insert(segment, file);
    }
    Ok(walked)
}

/// The numbers of the segments, without gaps.
fn segments<D: Disk>(disk: &D) -> Result<Vec<u64>, WalError> {
    let mut segments: Vec<u64> = disk
        .list()?
        .iter()
        .filter_map(|name| parse_segment_name(name))
        .collect();
    segments.sort_unstable();
    match segments.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        Some(pair) => Err(WalError::MissingSegment {
            segment: pair[0] + 1,
        }),
        None => Ok(segments),
    }
}

/// Creates a segment and makes it and its name durable, before any record goes into it.
pub(super) fn create_segment<D: Disk>(
    disk: &D,
    options: &WalOptions,
    segment: u64,
    first: Sequence,
) -> Result<D::File, WalError> {
    let name = segment_name(segment);
    let file = disk.create(&name).map_err(full)?;
    match file.write_at(0, &encode_segment_header(&options.store_id, segment, first)) {
        Err(DiskError::Full) => {
            disk.remove(&name)?;
            return Err(WalError::Full);
        }
        written => written?,
    }
    file.sync()?;
    disk.sync_directory()?;
    Ok(file)
}

/// The space ran out before anything happened.
fn full(error: DiskError) -> WalError {
    if error == DiskError::Full {
        WalError::Full
    } else {
        error.into()
    }
}

pub(super) fn read_all<F: DiskFile>(file: &F, segment: u64) -> Result<Vec<u8>, WalError> {
    let length = file.length()?;
    if length > FILE_BYTES_MAX {
        return Err(WalError::Corrupt {
            segment,
            offset: FILE_BYTES_MAX,
        });
    }
    let mut bytes = vec![0; as_usize(length)];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Cuts the last segment to its `good` bytes and makes them durable.
///
/// They may be in the page cache only (the process died before its sync), or even marked clean there after a failed sync; writing
/// the last group again is what makes the sync mean something. The bytes are the same, so tearing this write does no harm.
fn settle<F: DiskFile>(file: &F, good: &[u8], group_start: usize) -> Result<(), WalError> {
    file.set_len(as_u64(good.len()))?;
    file.write_at(0, &good[..SEGMENT_HEADER_BYTES])?;
    if group_start < good.len() {
        file.write_at(as_u64(group_start), &good[group_start..])?;
    }
    file.sync()?;
    Ok(())
}

/// Goes through the records of a segment in memory, as far as they are good.
pub(super) struct Scan<'a> {
    key: SegmentKey,
    segment: u64,
    bytes: &'a [u8],
    /// Start of the next record; after the iteration, the end of the good ones.
    pub(super) offset: usize,
    /// Sequence of the next record.
    pub(super) expected: Sequence,
    /// Start of the last group seen.
    group_start: usize,
}

impl<'a> Scan<'a> {
    /// All records, from the segment's header on.
    pub(super) fn from_start(
        store_id: &[u8; 32],
        segment: u64,
        bytes: &'a [u8],
    ) -> Result<Self, HeaderError> {
        let expected = decode_segment_header(bytes, store_id, segment)?;
        let key = SegmentKey::new(store_id, segment);
        let start = SEGMENT_HEADER_BYTES;
        Ok(Self {
            key,
            segment,
            bytes,
            offset: start,
            expected,
            group_start: start,
        })
    }

    /// The records from the one at `offset` on; `None` if there is none.
    pub(super) fn from_record(
        store_id: &[u8; 32],
        segment: u64,
        bytes: &'a [u8],
        offset: u64,
    ) -> Option<Self> {
        let key = SegmentKey::new(store_id, segment);
        let start = usize::try_from(offset).ok()?;
        let header = key.decode(offset, bytes.get(start..)?)?;
        let group_start = as_usize(header.group_start.into());
        Some(Self {
            key,
            segment,
            bytes,
            offset: start,
            expected: header.sequence,
            group_start,
        })
    }

    fn decode_at(&self, offset: usize) -> Option<RecordHeader> {
        self.key.decode(as_u64(offset), self.bytes.get(offset..)?)
    }

    /// Looks for records behind the first bad one. `None`: a later group is there, which was written only after the bad bytes were
    /// durable, so these are damaged. Otherwise the bad bytes belong to the last group, whose write was interrupted, and the number
    /// is that of the group's record headers that made it to the disk.
    fn stranded(&self) -> Option<u64> {
        let mut stranded = 0;
        for offset in self.offset + 1..self.bytes.len() {
            // Most offsets fail this cheap test: the sequence must be one that fits into the bytes between.
            let between = as_u64((offset - self.offset) / RECORD_HEADER_BYTES + 1);
            let plausible = peek_sequence(&self.bytes[offset..])
                .and_then(|sequence| sequence.0.checked_sub(self.expected.0))
                .is_some_and(|distance| distance <= between);
            if !plausible {
                continue;
            }
            if let Some(header) = self.decode_at(offset) {
                if as_usize(header.group_start.into()) > self.offset {
                    return None;
                }
                stranded += 1;
            }
        }
        Some(stranded)
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = RecordRef<'a>;

    fn next(&mut self) -> Option<RecordRef<'a>> {
        let header = self.decode_at(self.offset)?;
        let group_start = as_usize(header.group_start.into());
        if header.sequence != self.expected
            || (group_start != self.group_start && group_start != self.offset)
        {
            return None;
        }
        let payload = payload(&header, &self.bytes[self.offset..])?;
        let position = Position {
            segment: self.segment,
            offset: as_u64(self.offset),
            len: as_u32(payload.len()),
        };
        self.offset += RECORD_HEADER_BYTES + payload.len();
        self.expected = self.expected.next();
        self.group_start = group_start;
        Some(RecordRef {
            sequence: header.sequence,
            position,
            kind: header.kind,
            payload,
        })
    }
}

/// The payload behind the header at the start of `record`, if it is whole.
pub(super) fn payload<'a>(header: &RecordHeader, record: &'a [u8]) -> Option<&'a [u8]> {
    let rest = record.get(RECORD_HEADER_BYTES..)?;
    let payload = rest.get(..usize::try_from(header.len).ok()?)?;
    (crc32fast::hash(payload) == header.payload_crc).then_some(payload)
}
