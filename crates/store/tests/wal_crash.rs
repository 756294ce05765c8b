//! Random appends, flushes, prunes and crashes against an obvious model of the log.

use proptest::prelude::*;
use quorate_store::disk::MemoryDisk;
use quorate_store::wal::{Position, Sequence, Wal, WalError, WalOptions};

const OPTIONS: WalOptions = WalOptions {
    store_id: [9; 32],
    segment_bytes: 400,
    buffer_bytes_max: 1 << 20,
    #[cfg(feature = "mutants")]
    keep_torn_tail: false,
};

#[derive(Clone, Debug)]
enum Step {
    Append {
        kind: u8,
        len: usize,
    },
    Flush,
    /// Drops segments before the record that many from the end; the power may fail amid that.
    Prune {
        back: usize,
        amid: Option<(u64, u64)>,
    },
    /// The power fails at once, or amid the changes of the flush that follows.
    Crash {
        seed: u64,
        amid: Option<u64>,
    },
    Kill {
        failed_sync: bool,
    },
    Full {
        spare: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u8>(), prop_oneof![0..40usize, 0..40usize, 0..600usize]).prop_map(|(kind, len)| Step::Append { kind, len }),
        4 => Just(Step::Flush),
        1 => (0..12usize, prop::option::of((1..5u64, any::<u64>())))
            .prop_map(|(back, amid)| Step::Prune { back, amid }),
        4 => (any::<u64>(), prop::option::weighted(0.8, 1..6u64)).prop_map(|(seed, amid)| Step::Crash { seed, amid }),
        1 => any::<bool>().prop_map(|failed_sync| Step::Kill { failed_sync }),
        1 => (0..300u64).prop_map(|spare| Step::Full { spare }),
    ]
}

/// What was appended, and how much of it must survive.
#[derive(Default)]
struct Model {
    records: Vec<(Sequence, u8, Vec<u8>, Position)>,
    durable: usize,
}

/// A payload that depends on its number, so that mixing up records shows.
fn payload(number: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((number * 31 + at * 7) % 251).expect("fits"))
        .collect()
}

fn reopen(disk: &MemoryDisk, model: &mut Model) -> Wal<MemoryDisk> {
    let mut replayed = Vec::new();
    let opened = Wal::open(disk.clone(), OPTIONS, |record| {
        replayed.push((
            record.sequence,
            record.kind,
            record.payload.to_vec(),
            record.position,
        ));
    });
    let (wal, recovered) = opened.expect("no crash is damage");
    assert_eq!(
        recovered.records,
        u64::try_from(replayed.len()).expect("fits")
    );
    // Pruning may have removed the beginning; the rest must be there up to what is durable, and nothing else.
    let skipped = replayed.first().map_or(model.durable, |first| {
        model
            .records
            .iter()
            .position(|record| record.0 == first.0)
            .expect("only what was appended")
    });
    assert!(
        replayed.len() + skipped >= model.durable,
        "lost a durable record"
    );
    assert_eq!(
        replayed[..],
        model.records[skipped..skipped + replayed.len()]
    );
    model.records.drain(..skipped);
    model.records.truncate(replayed.len());
    model.durable = replayed.len();
    if let Some(last) = model.records.last() {
        assert_eq!((wal.durable(), recovered.last), (last.0, last.0));
    }
    wal
}

fn check_reads(wal: &Wal<MemoryDisk>, model: &Model) {
    let reader = wal.reader();
    for (at, (sequence, kind, payload, position)) in model.records.iter().enumerate() {
        let record = wal.read(*position).expect("readable, flushed or not");
        assert_eq!(
            (record.sequence, record.kind, &record.payload),
            (*sequence, *kind, payload)
        );
        if at < model.durable {
            assert_eq!(reader.read(*position), Ok(record));
        }
    }
    let from = model.durable / 2;
    let mut replayed = 0;
    if from < model.durable {
        wal.replay(Some(model.records[from].3), |record| {
            assert_eq!(record.position, model.records[from + replayed].3);
            replayed += 1;
        })
        .expect("durable records replay");
        assert_eq!(replayed, model.durable - from);
    }
}

fn run(steps: &[Step]) {
    let mut disk = MemoryDisk::new();
    let mut model = Model::default();
    let mut wal = reopen(&disk, &mut model);
    let mut number = 0;
    for step in steps {
        match step {
            Step::Append { kind, len } => {
                number += 1;
                let bytes = payload(number, *len);
                let (left, right) = bytes.split_at(len / 3);
                let position = wal
                    .append_parts(*kind, &[left, right])
                    .expect("the log is healthy");
                model.records.push((wal.appended(), *kind, bytes, position));
            }
            Step::Flush => {
                let durable = wal.flush().expect("the disk is healthy");
                assert_eq!(durable, wal.appended());
                model.durable = model.records.len();
            }
            Step::Prune { back, amid } => {
                let keep = model.durable.saturating_sub(*back);
                if let Some(position) = model.records.get(keep).map(|record| record.3) {
                    let was_durable = keep < model.durable;
                    if let Some((changes, seed)) = amid {
                        disk.power_off_after(*changes);
                        let cut = wal.prune(position);
                        assert!(
                            cut.is_ok() || wal.append(0, b"") == Err(WalError::Poisoned),
                            "{cut:?}"
                        );
                        disk.crash(*seed);
                        wal = reopen(&disk, &mut model);
                        let mut left = model.records.iter();
                        assert!(
                            !was_durable || left.any(|record| record.3 == position),
                            "it cut too much"
                        );
                        continue;
                    }
                    wal.prune(position).expect("the disk is healthy");
                    // Whole segments go, so of the records before only some.
                    let first = wal.reader().first_segment().expect("one segment at least");
                    let gone = model
                        .records
                        .iter()
                        .take_while(|record| record.3.segment < first)
                        .count();
                    assert!(gone <= keep);
                    model.records.drain(..gone);
                    model.durable -= gone;
                }
            }
            Step::Crash { seed, amid } => {
                if let Some(changes) = amid {
                    disk.power_off_after(*changes);
                    // A flush that begins a segment may fail after a part of it is durable.
                    let flushed = wal.flush().is_ok();
                    model.durable = model
                        .records
                        .iter()
                        .filter(|record| record.0 <= wal.durable())
                        .count();
                    assert!(!flushed || model.durable == model.records.len());
                }
                disk.crash(*seed);
                wal = reopen(&disk, &mut model);
            }
            Step::Kill { failed_sync } => {
                if *failed_sync {
                    disk.fail_next_syncs(1);
                    if wal.waiting_bytes() > 0 {
                        assert!(wal.flush().is_err());
                        assert_eq!(wal.append(0, b""), Err(WalError::Poisoned));
                    }
                }
                disk.kill();
                // Opening made durable what it showed, even what a failed sync had dropped.
                reopen(&disk, &mut model);
                disk.crash(1);
                wal = reopen(&disk, &mut model);
            }
            Step::Full { spare } => {
                let used: u64 = quorate_store::disk::Disk::list(&disk)
                    .expect("healthy")
                    .iter()
                    .map(|name| {
                        u64::try_from(disk.content(name).expect("fits").len()).expect("fits")
                    })
                    .sum();
                disk.set_capacity(Some(used + spare));
                let flushed = wal.flush();
                assert!(
                    matches!(flushed, Ok(_) | Err(WalError::Full)),
                    "{flushed:?}"
                );
                model.durable = model
                    .records
                    .iter()
                    .filter(|record| record.0 <= wal.durable())
                    .count();
                check_reads(&wal, &model);
                disk.set_capacity(None);
            }
        }
        check_reads(&wal, &model);
    }
    disk.crash(7);
    reopen(&disk, &mut model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_flushed_survives_and_nothing_is_invented(steps in prop::collection::vec(step(), 1..60)) {
        run(&steps);
    }
}

/// One group whose write a crash tears in every way: its records survive as a prefix, and what is readable behind a hole is told.
#[test]
fn a_torn_group_leaves_a_prefix() {
    let (mut whole, mut prefixes, mut stranded) = (0, 0, 0);
    for seed in 0..500 {
        let mut disk = MemoryDisk::new();
        let mut model = Model::default();
        let mut wal = reopen(&disk, &mut model);
        for number in 0..10 {
            let bytes = payload(number, number);
            let position = wal.append(1, &bytes).expect("healthy");
            model.records.push((wal.appended(), 1, bytes, position));
            if number == 2 {
                wal.flush().expect("healthy");
                model.durable = 3;
                // The write of the flush that follows happens, its sync does not.
                disk.power_off_after(2);
            }
        }
        assert!(wal.flush().is_err());
        disk.crash(seed);
        let (_, recovered) =
            Wal::open(disk.copy(), OPTIONS, |_| ()).expect("a torn group is no damage");
        reopen(&disk, &mut model);
        match recovered.records {
            3 => {}
            4..9 => prefixes += 1,
            _ => whole += 1,
        }
        stranded += u64::from(recovered.stranded_records > 0);
    }
    assert!(
        whole > 50 && prefixes > 50 && stranded > 50,
        "{whole} {prefixes} {stranded}"
    );
}
