//! The log's promises one by one, and each of its errors.

use quorate_store::disk::{Disk, DiskError, DiskFile, MemoryDisk, OsDisk};
use quorate_store::wal::{
    FORMAT_VERSION, Position, RECORD_BYTES_MAX, Recovered, SEGMENT_BYTES_MAX, Sequence, Wal,
    WalError, WalOptions,
};

const OPTIONS: WalOptions = WalOptions {
    store_id: [3; 32],
    segment_bytes: 256,
    buffer_bytes_max: 1 << 20,
    #[cfg(feature = "mutants")]
    keep_torn_tail: false,
};
const FIRST: &str = "0000000000000000.wal";
const HEADER: u64 = 64;
const RECORD_HEADER: u64 = 25;

type Replayed = Vec<(u64, u8, Vec<u8>)>;

fn open(disk: &MemoryDisk) -> Result<(Wal<MemoryDisk>, Recovered, Replayed), WalError> {
    let mut replayed = Vec::new();
    let (wal, recovered) = Wal::open(disk.clone(), OPTIONS, |record| {
        replayed.push((record.sequence.0, record.kind, record.payload.to_vec()));
    })?;
    Ok((wal, recovered, replayed))
}

/// A log whose groups are the given payloads, flushed one by one.
fn written(groups: &[&[&[u8]]]) -> (MemoryDisk, Vec<Position>) {
    let disk = MemoryDisk::new();
    let (mut wal, ..) = open(&disk).expect("healthy");
    let mut positions = Vec::new();
    for group in groups {
        positions.extend(
            group
                .iter()
                .map(|payload| wal.append(5, payload).expect("healthy")),
        );
        wal.flush().expect("healthy");
    }
    (disk, positions)
}

#[test]
fn a_flush_is_one_write_and_one_sync_for_all_that_waits() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = Wal::open(disk.clone(), WalOptions::new([1; 32]), |_| ()).unwrap();
    let before = disk.stats();
    for number in 0..100u8 {
        wal.append(1, &[number; 50]).unwrap();
    }
    assert_eq!(disk.stats(), before);
    assert_eq!(wal.flush(), Ok(Sequence(100)));
    let after = disk.stats();
    assert_eq!(
        (after.writes - before.writes, after.syncs - before.syncs),
        (1, 1)
    );
    assert_eq!(
        after.written_bytes - before.written_bytes,
        100 * (RECORD_HEADER + 50)
    );
    assert_eq!(wal.flush(), Ok(Sequence(100)));
    assert_eq!(disk.stats(), after, "nothing waits, nothing is done");
}

#[test]
fn the_layout_is_the_documented_one() {
    let (disk, positions) = written(&[&[b"ab", b"c"]]);
    assert_eq!(
        positions[1],
        Position {
            segment: 0,
            offset: HEADER + RECORD_HEADER + 2,
            len: 1
        }
    );
    let bytes = disk.content(FIRST).unwrap();
    assert_eq!(bytes[..8], *b"QUORWAL\n");
    assert_eq!(bytes[8..12], FORMAT_VERSION.to_le_bytes());
    assert_eq!(bytes[16..48], [3; 32]);
    assert_eq!(bytes[56..64], 1u64.to_le_bytes());
    let second = &bytes[64 + 25 + 2..];
    assert_eq!(second[4..8], crc32fast::hash(b"c").to_le_bytes());
    assert_eq!(second[8..16], 2u64.to_le_bytes());
    assert_eq!(
        second[16..20],
        64u32.to_le_bytes(),
        "the group starts at the first record"
    );
    assert_eq!(second[20..], [1, 0, 0, 0, 5, b'c']);
    let mut keyed = [3; 32].to_vec();
    keyed.extend(0u64.to_le_bytes());
    keyed.extend(positions[1].offset.to_le_bytes());
    keyed.extend(&second[4..25]);
    assert_eq!(second[..4], crc32fast::hash(&keyed).to_le_bytes());
}

#[test]
fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let (disk, positions) = written(&[&[b"first"], &[b"second", b"third"]]);
    let whole = disk.content(FIRST).unwrap();
    let second = usize::try_from(positions[1].offset).unwrap();
    let third = usize::try_from(positions[2].offset).unwrap();
    for length in second..whole.len() {
        let torn = MemoryDisk::new();
        torn.put(FIRST, whole[..length].to_vec()).unwrap();
        let (mut wal, recovered, replayed) = open(&torn).unwrap();
        let left = if length < third { 1 } else { 2 };
        assert_eq!(replayed.len(), left);
        let cut = length - if length < third { second } else { third };
        assert_eq!(recovered.cut_bytes, u64::try_from(cut).unwrap());
        assert_eq!(recovered.stranded_records, 0);
        // The log goes on as if the tail had never been.
        wal.append(6, b"after").unwrap();
        wal.flush().unwrap();
        let (_, again, replayed) = open(&torn).unwrap();
        assert_eq!((again.cut_bytes, replayed.len()), (0, left + 1));
    }
}

#[test]
fn a_hole_in_the_last_group_is_an_interrupted_write_and_its_rest_is_counted() {
    let (disk, positions) = written(&[&[b"first"], &[b"second", b"third", b"fourth"]]);
    assert!(disk.flip_byte(FIRST, positions[1].offset + 30, 1));
    let (_, recovered, replayed) = open(&disk).unwrap();
    assert_eq!(replayed, [(1, 5, b"first".to_vec())]);
    assert_eq!(recovered.stranded_records, 2);
}

#[test]
fn a_hole_before_the_last_group_is_damage() {
    let (disk, positions) = written(&[&[b"first"], &[b"second", b"third"], &[b"fourth"]]);
    for damaged in &positions[..3] {
        assert!(disk.flip_byte(FIRST, damaged.offset + 26, 0x80));
        let corrupt = WalError::Corrupt {
            segment: 0,
            offset: damaged.offset,
        };
        let before = disk.content(FIRST).unwrap();
        assert_eq!(open(&disk).map(|_| ()), Err(corrupt));
        assert_eq!(
            disk.content(FIRST).unwrap(),
            before,
            "refusing changes nothing"
        );
        assert!(disk.flip_byte(FIRST, damaged.offset + 26, 0x80));
    }
    assert_eq!(open(&disk).unwrap().2.len(), 4);
}

#[test]
fn any_flipped_byte_is_found() {
    let payloads: Vec<Vec<u8>> = (0..12u8)
        .map(|number| vec![number; 20 + usize::from(number)])
        .collect();
    let groups: Vec<Vec<&[u8]>> = payloads
        .chunks(2)
        .map(|pair| pair.iter().map(Vec::as_slice).collect())
        .collect();
    let groups: Vec<&[&[u8]]> = groups.iter().map(Vec::as_slice).collect();
    let (disk, positions) = written(&groups);
    let names = disk.list().unwrap();
    assert!(names.len() > 2, "several segments");
    for name in &names {
        for offset in 0..u64::try_from(disk.content(name).unwrap().len()).unwrap() {
            for mask in [1, 0x80, 0xff] {
                let damaged = disk.copy();
                assert!(damaged.flip_byte(name, offset, mask));
                match open(&damaged) {
                    // Only the last group may go, as if its write had been interrupted.
                    Ok((_, recovered, replayed)) => {
                        assert!(
                            replayed.len() >= 10 && replayed.len() < 12,
                            "{name} {offset}: {recovered:?}"
                        );
                        assert!(recovered.cut_bytes > 0);
                        for (at, record) in replayed.iter().enumerate() {
                            assert_eq!(record.2, payloads[at]);
                        }
                        assert!(Some(name) == names.last() && offset >= positions[10].offset);
                    }
                    Err(WalError::NewerFormat { .. }) => assert!((8..12).contains(&offset)),
                    Err(error) => assert!(matches!(error, WalError::Corrupt { .. }), "{error:?}"),
                }
            }
        }
    }
}

#[test]
fn random_bytes_never_panic_and_never_give_a_record() {
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    let (good, _) = written(&[&[b"first"]]);
    let header = good.content(FIRST).unwrap()[..64].to_vec();
    for round in 0..2000u32 {
        let disk = MemoryDisk::new();
        let length = usize::from(random()) + usize::from(random());
        let noise = (0..length).map(|_| random());
        // Half of them behind a good header, so that the records' decoder sees the noise.
        let content = if round % 2 == 0 {
            noise.collect()
        } else {
            header.iter().copied().chain(noise).collect()
        };
        disk.put(FIRST, content).unwrap();
        if let Ok((_, _, replayed)) = open(&disk) {
            assert_eq!(replayed, []);
        }
    }
}

#[test]
fn a_record_copied_into_a_payload_is_no_record() {
    let (disk, positions) = written(&[&[b"inner"]]);
    let inner = disk.content(FIRST).unwrap()[64..].to_vec();
    let (mut wal, ..) = open(&disk).unwrap();
    let outer = wal.append(5, &inner).unwrap();
    wal.flush().unwrap();
    let within = Position {
        offset: outer.offset + RECORD_HEADER,
        ..positions[0]
    };
    assert!(matches!(wal.read(within), Err(WalError::Corrupt { .. })));
}

#[test]
fn a_failed_sync_or_write_poisons_until_reopened() {
    let inject: [fn(&MemoryDisk); 2] = [
        |disk| disk.fail_next_syncs(1),
        |disk| disk.fail_next_writes(1),
    ];
    for inject in inject {
        let (disk, positions) = written(&[&[b"first"]]);
        let (mut wal, ..) = open(&disk).unwrap();
        wal.append(5, b"doubtful").unwrap();
        inject(&disk);
        assert!(matches!(
            wal.flush(),
            Err(WalError::Disk(DiskError::Io { .. }))
        ));
        assert!(wal.is_poisoned());
        assert_eq!(wal.flush(), Err(WalError::Poisoned));
        assert_eq!(wal.append(5, b"more"), Err(WalError::Poisoned));
        assert_eq!(wal.prune(positions[0]), Err(WalError::Poisoned));
        assert_eq!(wal.durable(), Sequence(1));
        assert_eq!(wal.read(positions[0]).unwrap().payload, b"first");
        let (mut wal, _, replayed) = open(&disk).unwrap();
        wal.append(5, b"more").unwrap();
        assert_eq!(
            wal.flush(),
            Ok(Sequence(u64::try_from(replayed.len()).unwrap() + 1))
        );
    }
}

#[test]
fn a_full_disk_is_reported_cut_and_survived() {
    let (mut disk, positions) = written(&[&[b"first"]]);
    let (mut wal, ..) = open(&disk).unwrap();
    let before = disk.content(FIRST).unwrap();
    disk.set_capacity(Some(u64::try_from(before.len()).unwrap() + 30));
    let waiting = wal.append(5, &[1; 40]).unwrap();
    for _ in 0..2 {
        assert_eq!(wal.flush(), Err(WalError::Full));
        assert_eq!(disk.content(FIRST).unwrap(), before, "no half record stays");
    }
    assert!(!wal.is_poisoned());
    assert_eq!((wal.appended(), wal.durable()), (Sequence(2), Sequence(1)));
    assert_eq!(wal.read(positions[0]).unwrap().payload, b"first");
    assert_eq!(wal.read(waiting).unwrap().payload, [1; 40]);
    disk.set_capacity(None);
    assert_eq!(wal.flush(), Ok(Sequence(2)));
    disk.crash(0);
    assert_eq!(open(&disk).unwrap().2.len(), 2);
}

#[test]
fn a_disk_too_full_for_a_new_segment_is_survived_too() {
    let (disk, _) = written(&[&[&[1; 150]]]);
    let (mut wal, ..) = open(&disk).unwrap();
    let used = u64::try_from(disk.content(FIRST).unwrap().len()).unwrap();
    wal.append(5, &[2; 150]).unwrap();
    for spare in [0, 10, 63, 64, 100] {
        disk.set_capacity(Some(used + spare));
        assert_eq!(wal.flush(), Err(WalError::Full), "{spare} bytes left");
    }
    disk.set_capacity(None);
    assert_eq!(wal.flush(), Ok(Sequence(2)));
    assert_eq!(disk.list().unwrap().len(), 2);
    assert_eq!(open(&disk).unwrap().2.len(), 2);
}

#[test]
fn names_and_headers_are_durable_after_any_death_amid_a_new_segment() {
    for changes in 1..8 {
        for seed in 0..40 {
            let (mut disk, _) = written(&[&[&[1; 150]]]);
            let (mut wal, ..) = open(&disk).unwrap();
            wal.append(5, &[2; 150]).unwrap();
            disk.power_off_after(changes);
            let flushed = wal.flush().is_ok();
            disk.kill();
            let (mut wal, _, replayed) = open(&disk).unwrap();
            assert!(replayed.len() == 2 || !flushed);
            wal.append(5, &[3; 150]).unwrap();
            wal.flush().unwrap();
            disk.crash(seed);
            let (_, _, after) = open(&disk).unwrap();
            assert_eq!(after.len(), replayed.len() + 1);
        }
    }
}

#[test]
fn pruning_keeps_what_it_must_and_survives_reopening() {
    let payloads = [[7u8; 100]; 9];
    let groups: Vec<[&[u8]; 1]> = payloads.iter().map(|payload| [&payload[..]]).collect();
    let groups: Vec<&[&[u8]]> = groups.iter().map(|group| &group[..]).collect();
    let (mut disk, positions) = written(&groups);
    let (mut wal, ..) = open(&disk).unwrap();
    assert_eq!(wal.prune(positions[0]), Ok(0));
    let removed = wal.prune(positions[6]).unwrap();
    assert_eq!(removed, positions[6].segment);
    let reader = wal.reader();
    assert_eq!(
        reader.read(positions[0]),
        Err(WalError::NoSuchRecord(positions[0]))
    );
    assert!(wal.replay(Some(positions[0]), |_| ()).is_err());
    assert_eq!(reader.read(positions[6]).unwrap().sequence, Sequence(7));
    disk.crash(3);
    let (mut wal, recovered, replayed) = open(&disk).unwrap();
    assert_eq!(
        (recovered.last, replayed.last().unwrap().0),
        (Sequence(9), 9)
    );
    assert!(replayed.iter().any(|record| record.0 == 7));
    // Everything but the segment in use may go, and the numbers still go on.
    wal.prune(Position {
        segment: u64::MAX,
        offset: 0,
        len: 0,
    })
    .unwrap();
    assert_eq!(disk.list().unwrap().len(), 1);
    let (mut wal, ..) = open(&disk).unwrap();
    wal.append(5, b"tenth").unwrap();
    assert_eq!(wal.flush(), Ok(Sequence(10)));
}

#[test]
fn a_missing_or_exchanged_segment_is_found() {
    let (disk, _) = written(&[&[&[1; 150]], &[&[2; 150]], &[&[3; 150]]]);
    let names = disk.list().unwrap();
    assert_eq!(names.len(), 3);
    let gap = disk.copy();
    gap.remove(&names[1]).unwrap();
    assert_eq!(
        open(&gap).map(|_| ()),
        Err(WalError::MissingSegment { segment: 1 })
    );
    let exchanged = disk.copy();
    exchanged
        .put(&names[1], disk.content(&names[2]).unwrap())
        .unwrap();
    assert_eq!(
        open(&exchanged).map(|_| ()),
        Err(WalError::Corrupt {
            segment: 1,
            offset: 0
        })
    );
    // A segment that records were written into had a header; so had the first one left by pruning.
    let headless = disk.copy();
    headless.put(&names[2], vec![0; 100]).unwrap();
    assert_eq!(
        open(&headless).map(|_| ()),
        Err(WalError::Corrupt {
            segment: 2,
            offset: 0
        })
    );
    let only = MemoryDisk::new();
    only.put(&names[2], vec![0; 10]).unwrap();
    assert_eq!(
        open(&only).map(|_| ()),
        Err(WalError::Corrupt {
            segment: 2,
            offset: 0
        })
    );
    // Truncating an earlier segment at a record's end is damage as well.
    let short = disk.copy();
    short
        .put(&names[1], disk.content(&names[1]).unwrap()[..64].to_vec())
        .unwrap();
    assert_eq!(
        open(&short).map(|_| ()),
        Err(WalError::Corrupt {
            segment: 2,
            offset: 0
        })
    );
}

#[test]
fn newer_and_foreign_logs_are_refused_untouched() {
    let (disk, _) = written(&[&[b"first"]]);
    let newer = disk.copy();
    newer.flip_byte(FIRST, 8, 3);
    let error = WalError::NewerFormat {
        found: 2,
        supported: FORMAT_VERSION,
    };
    assert_eq!(open(&newer).map(|_| ()), Err(error));
    let foreign = Wal::open(
        disk.clone(),
        WalOptions {
            store_id: [4; 32],
            ..OPTIONS
        },
        |_| (),
    );
    assert_eq!(
        foreign.map(|_| ()).unwrap_err(),
        WalError::ForeignStore { found: [3; 32] }
    );
    assert_eq!(open(&disk).unwrap().2.len(), 1);
}

#[test]
fn limits_are_errors() {
    let disk = MemoryDisk::new();
    let bytes = SEGMENT_BYTES_MAX + 1;
    let refused = Wal::open(
        disk.clone(),
        WalOptions {
            segment_bytes: bytes,
            ..OPTIONS
        },
        |_| (),
    );
    let error = WalError::SegmentTooLarge {
        bytes,
        max: SEGMENT_BYTES_MAX,
    };
    assert_eq!(refused.map(|_| ()).unwrap_err(), error);

    let options = WalOptions {
        buffer_bytes_max: 100,
        ..OPTIONS
    };
    let (mut wal, _) = Wal::open(disk, options, |_| ()).unwrap();
    let part = vec![0; 1 << 20];
    let parts = vec![&part[..]; 65];
    let error = WalError::RecordTooLarge {
        len: 65 << 20,
        max: RECORD_BYTES_MAX,
    };
    assert_eq!(wal.append_parts(1, &parts), Err(error));
    // A single record above the buffer's limit, and above a segment's, is taken.
    let large = wal.append(1, &[5; 1000]).unwrap();
    assert_eq!(
        wal.append(1, b"next"),
        Err(WalError::BufferFull { waiting: 1025 })
    );
    wal.flush().unwrap();
    wal.append(1, b"next").unwrap();
    assert_eq!(wal.flush(), Ok(Sequence(2)));
    assert_eq!(wal.read(large).unwrap().payload, [5; 1000]);
    let nowhere = Position {
        segment: 0,
        offset: 5000,
        len: 3,
    };
    assert_eq!(wal.read(nowhere), Err(WalError::NoSuchRecord(nowhere)));
    assert_eq!(Position::from_bytes(&large.to_bytes()), Some(large));
    assert_eq!(Position::from_bytes(&[0; 19]), None);
}

#[test]
fn the_real_disk_keeps_the_log_private_and_readable_from_other_threads() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(directory.path().join("wal")).unwrap();
    let (mut wal, _) = Wal::open(disk.clone(), OPTIONS, |_| ()).unwrap();
    let reader = wal.reader();
    let (sender, receiver) = std::sync::mpsc::channel::<Position>();
    let reading = std::thread::spawn(move || {
        receiver
            .iter()
            .map(|position| reader.read(position).unwrap().payload)
            .collect::<Vec<_>>()
    });
    for number in 0..50u8 {
        let position = wal.append(2, &[number; 33]).unwrap();
        wal.flush().unwrap();
        sender.send(position).unwrap();
    }
    drop(sender);
    let expected: Vec<Vec<u8>> = (0..50u8).map(|number| vec![number; 33]).collect();
    assert_eq!(reading.join().unwrap(), expected);
    let path = disk.directory().join(FIRST);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(wal);
    let mut replayed = Vec::new();
    let (wal, _) = Wal::open(disk.clone(), OPTIONS, |record| {
        replayed.push(record.payload.to_vec())
    })
    .unwrap();
    assert_eq!(replayed, expected);
    assert_eq!(wal.durable(), Sequence(50));
    assert_eq!(disk.open("missing").map(|_| ()), Err(DiskError::NotFound));
    assert_eq!(disk.open("../escape").map(|_| ()), Err(DiskError::BadName));
    assert_eq!(
        disk.create(FIRST).map(|_| ()),
        Err(DiskError::AlreadyExists)
    );
    let mut past = [0; 1];
    assert_eq!(
        disk.open(FIRST).unwrap().read_at(1 << 20, &mut past),
        Err(DiskError::PastEnd)
    );
    assert!(OsDisk::open(path.join("below a file")).is_err());
}

#[test]
fn a_position_past_the_end_allocates_nothing() {
    let (disk, positions) = written(&[&[b"a"]]);
    let (wal, ..) = open(&disk).unwrap();
    let mut largest = positions[0];
    largest.len = RECORD_BYTES_MAX;
    let mut beyond = positions[0];
    beyond.offset = u64::MAX;
    for position in [largest, beyond] {
        let found = allocation_counter::measure(|| {
            assert_eq!(wal.read(position), Err(WalError::NoSuchRecord(position)));
        });
        assert!(found.bytes_total < 1024, "{} bytes", found.bytes_total);
    }
}
