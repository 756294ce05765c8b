//! A segmented write-ahead log with group commit.
//!
//! Records wait in memory until [`Wal::flush`], which makes all of them durable with one write and one sync. What a flush has
//! acknowledged is never lost or changed silently; what it has not survives a crash as a prefix, or not at all.
//!
//! # Layout
//!
//! All numbers are little-endian. A log is a directory of segments `<number, 16 hex digits>.wal`, numbered without gaps. A segment
//! is a header, then records without gaps:
//!
//! | offset | bytes | segment header |
//! | --- | --- | --- |
//! | 0 | 8 | magic `QUORWAL\n` |
//! | 8 | 4 | [`FORMAT_VERSION`] |
//! | 12 | 4 | CRC-32 of the rest of the header |
//! | 16 | 32 | [`WalOptions::store_id`] |
//! | 48 | 8 | the segment's number |
//! | 56 | 8 | sequence of its first record |
//!
//! | offset | bytes | record |
//! | --- | --- | --- |
//! | 0 | 4 | CRC-32 of store id, segment number, offset of the record in the segment, and the 21 bytes that follow |
//! | 4 | 4 | CRC-32 of the payload |
//! | 8 | 8 | sequence: the previous record's plus one |
//! | 16 | 4 | group start: offset in the segment of the first record that was written together with this one |
//! | 20 | 4 | payload length |
//! | 24 | 1 | kind, the caller's |
//! | 25 | | payload |
//!
//! # Recovery
//!
//! A group is written only after the group before it is durable, and a segment is created (header and name durable) only after
//! the segment before it is. So a bad record in the last group is an interrupted write and is cut; a bad record with a *later*
//! group or segment behind it was durable once and is damage: [`WalError::Corrupt`], and nothing is touched. Damage within the last
//! group cannot be told from an interrupted write; [`Recovered::stranded_records`] says when either left records behind.
//!
//! After a failed write or sync nobody knows what is durable, and trying again may report success for data that the
//! kernel has dropped. The log then refuses everything with [`WalError::Poisoned`] until it is opened again, and opening writes the
//! last group anew before it trusts it. Only a full disk is harmless: what was partly written is cut again.

mod format;
mod reader;
mod recovery;
mod types;

pub use self::format::FORMAT_VERSION;
pub use self::reader::WalReader;
pub use self::types::{
    Position, RECORD_BYTES_MAX, Record, RecordRef, Recovered, SEGMENT_BYTES_MAX, Sequence,
    WalError, WalOptions,
};

use std::collections::VecDeque;

use self::format::{
    RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentKey, segment_name,
};
use self::recovery::Scan;
use crate::disk::{Disk, DiskError, DiskFile};

/// The log's only writer.
#[derive(Debug)]
pub struct Wal<D: Disk> {
    disk: D,
    options: WalOptions,
    reader: WalReader<D::File>,
    /// The last segment on the disk and its durable bytes.
    active: u64,
    active_len: u64,
    /// What the next flush writes, in order; only the first can belong to the active segment.
    waiting: VecDeque<Group>,
    waiting_bytes: usize,
    appended: Sequence,
    durable: Sequence,
    /// An emptied buffer, so that a steady stream of flushes allocates nothing.
    spare: Vec<u8>,
    poisoned: bool,
}

/// Records that are written with one write and one sync.
#[derive(Debug)]
struct Group {
    segment: u64,
    start: u64,
    bytes: Vec<u8>,
    first: Sequence,
    last: Sequence,
}

/// Buffers above this are given back to the allocator after a flush.
const SPARE_BYTES_MAX: usize = 8 << 20;

/// Reads a whole log and changes nothing: for operators' checks. Every record is handed to `visit`, oldest first; the answer
/// says what opening the log would cut from its end, and reads single records.
///
/// # Errors
/// As [`Wal::open`], but for what writing may meet.
pub fn inspect<D: Disk>(
    disk: &D,
    store_id: [u8; 32],
    visit: impl FnMut(RecordRef<'_>),
) -> Result<(WalReader<D::File>, Recovered), WalError> {
    let walked = recovery::walk(disk, &WalOptions::new(store_id), visit)?;
    Ok((WalReader::new(store_id, walked.files), walked.recovered))
}

impl<D: Disk> Wal<D> {
    /// Opens the log of a disk, or starts one, and hands every record to `visit`, oldest first.
    ///
    /// What `visit` got counts only if opening succeeds.
    ///
    /// # Errors
    /// [`WalError::Corrupt`], [`WalError::MissingSegment`], [`WalError::NewerFormat`], [`WalError::ForeignStore`] (the disk is left as
    /// it was), [`WalError::SegmentTooLarge`], [`WalError::Full`] or [`WalError::Disk`].
    pub fn open(
        disk: D,
        options: WalOptions,
        visit: impl FnMut(RecordRef<'_>),
    ) -> Result<(Self, Recovered), WalError> {
        if options.segment_bytes > SEGMENT_BYTES_MAX {
            return Err(WalError::SegmentTooLarge {
                bytes: options.segment_bytes,
                max: SEGMENT_BYTES_MAX,
            });
        }
        let found = recovery::recover(&disk, &options, visit)?;
        let wal = Self {
            disk,
            options,
            reader: WalReader::new(options.store_id, found.files),
            active: found.active,
            active_len: found.active_len,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            appended: found.recovered.last,
            durable: found.recovered.last,
            spare: Vec::new(),
            poisoned: false,
        };
        Ok((wal, found.recovered))
    }

    /// Adds a record to what the next [`Wal::flush`] writes. It is not durable before.
    ///
    /// # Errors
    /// [`WalError::RecordTooLarge`], [`WalError::BufferFull`] (flush and try again) or [`WalError::Poisoned`].
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> Result<Position, WalError> {
        self.append_parts(kind, &[payload])
    }

    /// [`Wal::append`] of a payload that is the parts one after the other; they are copied once, into the buffer.
    ///
    /// # Errors
    /// As [`Wal::append`].
    pub fn append_parts(&mut self, kind: u8, parts: &[&[u8]]) -> Result<Position, WalError> {
        self.check_poison()?;
        let len = parts
            .iter()
            .fold(0usize, |sum, part| sum.saturating_add(part.len()));
        if len > as_usize(RECORD_BYTES_MAX.into()) {
            return Err(WalError::RecordTooLarge {
                len,
                max: RECORD_BYTES_MAX,
            });
        }
        let total = RECORD_HEADER_BYTES + len;
        if self.waiting_bytes > 0 && self.waiting_bytes + total > self.options.buffer_bytes_max {
            return Err(WalError::BufferFull {
                waiting: self.waiting_bytes,
            });
        }

        let store_id = self.options.store_id;
        let sequence = self.appended.next();
        let group = self.group_for(total);
        let at = group.bytes.len();
        let offset = group.start + as_u64(at);
        group.bytes.reserve(total);
        group.bytes.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
        let mut payload_crc = crc32fast::Hasher::new();
        for part in parts {
            payload_crc.update(part);
            group.bytes.extend_from_slice(part);
        }
        let header = RecordHeader {
            payload_crc: payload_crc.finalize(),
            sequence,
            group_start: u32::try_from(group.start)
                .expect("segments are below 4 GiB: SEGMENT_BYTES_MAX"),
            len: as_u32(len),
            kind,
        };
        let encoded = SegmentKey::new(&store_id, group.segment).encode(offset, &header);
        group.bytes[at..at + RECORD_HEADER_BYTES].copy_from_slice(&encoded);
        group.last = sequence;
        let position = Position {
            segment: group.segment,
            offset,
            len: header.len,
        };
        self.waiting_bytes += total;
        self.appended = sequence;
        Ok(position)
    }

    /// Makes everything appended so far durable: one write and one sync, and a few more where a segment begins. Returns the last
    /// durable sequence.
    ///
    /// # Errors
    /// [`WalError::Full`]: nothing of the current segment's share was written, it still waits, the log is as good as before.
    /// [`WalError::Disk`]: the log is poisoned. [`WalError::Poisoned`]: it was before.
    pub fn flush(&mut self) -> Result<Sequence, WalError> {
        self.check_poison()?;
        while !self.waiting.is_empty() {
            self.poisoned = true;
            let flushed = self.flush_group();
            // After anything but a success or a cleanly cut full disk, the disk's state is unknown.
            self.poisoned = !matches!(flushed, Ok(()) | Err(WalError::Full));
            flushed?;
        }
        Ok(self.durable)
    }

    /// The record at `position`, flushed or still waiting.
    ///
    /// # Errors
    /// [`WalError::NoSuchRecord`], [`WalError::Corrupt`], [`WalError::Disk`].
    pub fn read(&self, position: Position) -> Result<Record, WalError> {
        let waiting = self.waiting.iter().find(|group| {
            group.segment == position.segment
                && (group.start..group.start + as_u64(group.bytes.len())).contains(&position.offset)
        });
        match waiting {
            Some(group) => {
                let record = &group.bytes[as_usize(position.offset - group.start)..];
                reader::decode_record(&self.options.store_id, position, record)
                    .ok_or(WalError::NoSuchRecord(position))
            }
            None => self.reader.read(position),
        }
    }

    /// Hands every durable record from `from` on (all, if `None`) to `visit`.
    ///
    /// # Errors
    /// [`WalError::NoSuchRecord`] if no record is at `from`; [`WalError::Corrupt`], [`WalError::Disk`].
    pub fn replay(
        &self,
        from: Option<Position>,
        mut visit: impl FnMut(RecordRef<'_>),
    ) -> Result<(), WalError> {
        let files = self
            .reader
            .files_from(from.map_or(0, |position| position.segment));
        let first = files.first().map(|(segment, _)| *segment);
        if let Some(position) = from.filter(|position| Some(position.segment) != first) {
            return Err(WalError::NoSuchRecord(position));
        }
        for (segment, file) in files {
            let mut bytes = recovery::read_all(&file, segment)?;
            if segment == self.active {
                bytes.truncate(as_usize(self.active_len));
            }
            let mut scan = match from.filter(|position| position.segment == segment) {
                Some(position) => {
                    Scan::from_record(&self.options.store_id, segment, &bytes, position.offset)
                        .ok_or(WalError::NoSuchRecord(position))?
                }
                None => Scan::from_start(&self.options.store_id, segment, &bytes)
                    .map_err(|error| error.unless_torn(segment))?,
            };
            scan.by_ref().for_each(&mut visit);
            if scan.offset != bytes.len() {
                return Err(WalError::Corrupt {
                    segment,
                    offset: as_u64(scan.offset),
                });
            }
        }
        Ok(())
    }

    /// Removes the segments before the one of `keep_from`, oldest first, so that a crash in between leaves no gap. The segment in
    /// use always stays. Returns how many were removed.
    ///
    /// # Errors
    /// [`WalError::Poisoned`]; [`WalError::Disk`], and the log is poisoned, as nobody knows which names are left.
    pub fn prune(&mut self, keep_from: Position) -> Result<u64, WalError> {
        self.check_poison()?;
        let mut removed = 0;
        while let Some(segment) = self.reader.first_segment() {
            if segment >= keep_from.segment.min(self.active) {
                break;
            }
            self.poisoned = true;
            self.disk.remove(&segment_name(segment))?;
            self.disk.sync_directory()?;
            self.poisoned = false;
            self.reader.remove(segment);
            removed += 1;
        }
        Ok(removed)
    }

    /// A handle for reading durable records from other threads while this one goes on appending.
    #[must_use]
    pub fn reader(&self) -> WalReader<D::File> {
        self.reader.clone()
    }

    /// The last record appended, durable or not; 0 if there never was one.
    #[must_use]
    pub fn appended(&self) -> Sequence {
        self.appended
    }

    /// The last durable record; 0 if there never was one.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.durable
    }

    /// Bytes that wait for a flush.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether the log refuses to go on until it is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    fn check_poison(&self) -> Result<(), WalError> {
        if self.poisoned {
            Err(WalError::Poisoned)
        } else {
            Ok(())
        }
    }

    /// The group that a record of `total` bytes goes into.
    fn group_for(&mut self, total: usize) -> &mut Group {
        let (segment, end) = self
            .waiting
            .back()
            .map_or((self.active, self.active_len), |group| {
                (group.segment, group.start + as_u64(group.bytes.len()))
            });
        let first_bytes = as_u64(SEGMENT_HEADER_BYTES);
        let rolls = end > first_bytes && end + as_u64(total) > self.options.segment_bytes;
        if rolls || self.waiting.is_empty() {
            let (segment, start) = if rolls {
                (segment + 1, first_bytes)
            } else {
                (segment, end)
            };
            let first = self.appended.next();
            let bytes = std::mem::take(&mut self.spare);
            self.waiting.push_back(Group {
                segment,
                start,
                bytes,
                first,
                last: first,
            });
        }
        self.waiting
            .back_mut()
            .expect("pushed above if there was none")
    }

    /// Writes and syncs the first waiting group, in a new segment if it begins one.
    fn flush_group(&mut self) -> Result<(), WalError> {
        let Some(group) = self.waiting.front() else {
            return Ok(());
        };
        if group.segment != self.active {
            let file =
                recovery::create_segment(&self.disk, &self.options, group.segment, group.first)?;
            self.reader.insert(group.segment, file);
            self.active = group.segment;
            self.active_len = as_u64(SEGMENT_HEADER_BYTES);
        }
        let file = self
            .reader
            .file(self.active)
            .expect("the active segment is never pruned");
        match file.write_at(group.start, &group.bytes) {
            Err(DiskError::Full) => {
                file.set_len(self.active_len)?;
                return Err(WalError::Full);
            }
            written => written?,
        }
        file.sync()?;
        self.active_len = group.start + as_u64(group.bytes.len());
        self.durable = group.last;
        self.waiting_bytes -= group.bytes.len();
        if let Some(mut group) = self
            .waiting
            .pop_front()
            .filter(|group| group.bytes.capacity() <= SPARE_BYTES_MAX)
        {
            group.bytes.clear();
            self.spare = group.bytes;
        }
        Ok(())
    }
}

fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("usize has at most 64 bits")
}

fn as_usize(bytes: u64) -> usize {
    usize::try_from(bytes).expect("below the limits of segments and records, which fit in memory")
}

fn as_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("at most RECORD_BYTES_MAX")
}
