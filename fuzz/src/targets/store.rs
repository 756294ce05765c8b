//! The log's bytes on a disk that returns anything.

use quorate_store::disk::MemoryDisk;
use quorate_store::wal::{Position, RECORD_BYTES_MAX, Wal, WalOptions};

use crate::Target;
use crate::choices::{Choices, with_length};
use crate::samples::chain::CHAIN;

const STORE: [u8; 32] = [7; 32];
/// Small, so that the samples have several.
const SEGMENT_BYTES: u64 = 700;
/// Names that the log gives its first segments.
const NAMES: [&str; 2] = ["0000000000000000.wal", "0000000000000001.wal"];

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("log", log, logs).mutations(400),
        Target::new("log-position", position, || {
            let disk = MemoryDisk::new();
            let mut wal = open(&disk).unwrap().0;
            vec![wal.append(1, b"record").unwrap().to_bytes().to_vec()]
        })
        // Positions come from the own tables: a length is believed up to the limit.
        .allocated_max((64 << 10) + u64::from(RECORD_BYTES_MAX)),
    ]
}

type Opened = (Wal<MemoryDisk>, Vec<(u8, Vec<u8>)>, u64);

fn open(disk: &MemoryDisk) -> Option<Opened> {
    let mut options = WalOptions::new(STORE);
    options.segment_bytes = SEGMENT_BYTES;
    options.buffer_bytes_max = 64 << 10;
    let mut records = Vec::new();
    let opened = Wal::open(disk.clone(), options, |record| {
        records.push((record.kind, record.payload.to_vec()));
    });
    let (wal, recovered) = opened.ok()?;
    assert_eq!(Ok(recovered.records), u64::try_from(records.len()));
    Some((wal, records, recovered.last.0))
}

/// Segments with any content: opening refuses, or cuts what is no record. What it took is there when it is opened again and when
/// it is replayed, and new records go behind it.
fn log(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let disk = MemoryDisk::new();
    for name in segment_names() {
        let content = choices.bytes();
        if !content.is_empty() {
            disk.put(&name, content.to_vec()).unwrap();
        }
    }
    let Some((mut wal, records, last)) = open(&disk) else {
        return false;
    };
    let replay = |wal: &Wal<MemoryDisk>| {
        let mut replayed = Vec::new();
        let done = wal.replay(None, |record| {
            replayed.push((record.kind, record.payload.to_vec()));
        });
        done.unwrap();
        replayed
    };
    assert_eq!(replay(&wal), records);
    // Numbers end where 64 bits do, which no honest log comes to.
    if last < u64::MAX - 1 {
        let position = wal.append(9, b"behind").unwrap();
        assert_eq!(wal.flush().unwrap().0, last + 1);
        assert_eq!(wal.read(position).unwrap().payload, b"behind");
    }
    drop(wal);
    let (_, again, _) = open(&disk).expect("what was opened opens again");
    assert_eq!(again[..records.len()], records);
    !records.is_empty()
}

fn position(bytes: &[u8]) -> bool {
    let Some(position) = Position::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(position.to_bytes()[..], *bytes);
    let disk = MemoryDisk::new();
    let (mut wal, ..) = open(&disk).unwrap();
    let there = wal.append(1, b"record").unwrap();
    for flushed in [false, true] {
        if flushed {
            wal.flush().unwrap();
        }
        assert_eq!(wal.read(position).is_ok(), position == there);
        // Where a replay starts does not depend on how long the first record is.
        let starts = (position.segment, position.offset) == (there.segment, there.offset);
        let replayed = wal.replay(Some(position), |_| {}).is_ok();
        assert_eq!(replayed, flushed && starts);
    }
    true
}

fn segment_names() -> Vec<String> {
    NAMES.iter().map(ToString::to_string).collect()
}

/// One segment, and two of them.
fn logs() -> Vec<Vec<u8>> {
    let seed = |records: usize| {
        let disk = MemoryDisk::new();
        let (mut wal, ..) = open(&disk).unwrap();
        for (kind, block) in (1..).zip(CHAIN.blocks.iter().take(records)) {
            wal.append(kind, &block.bytes()[..250]).unwrap();
            wal.flush().unwrap();
        }
        let contents = segment_names().into_iter().map(|name| disk.content(&name));
        contents
            .flat_map(|content| with_length(&content.unwrap_or_default()))
            .collect()
    };
    vec![seed(1), seed(2), seed(4)]
}
