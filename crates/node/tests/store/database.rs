//! What `quorate db` does, on directories that real validators left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use quorate_node::config::Pruning;
use quorate_node::database::{
    self, Check, DatabaseError, Directory, Fault, FileSummary, Part, check_file,
};
use quorate_node::{Node, NodeError, StartOptions};
use quorate_store::tables::{Batch, Table, Tables, TablesError, TablesOptions};
use quorate_store::wal::WalError;
use quorate_types::{Blake3, DomainTag, Execution, Header, Height};

use crate::committee::{Committee, SIZE, copy_directory, stop_all, until, until_settled};

/// Heights that a committee runs for before it is stopped.
const HEIGHTS: u64 = 300;
/// Bytes of an export before its first certificate, and of each.
const HEAD: usize = 64;
const CERTIFICATE: usize = Header::LENGTH + 48;

/// A committee that ran and was stopped. Its logs have many segments.
async fn stopped(seed: u64) -> Committee {
    let committee = Committee::executing(seed, Execution::Ledger);
    let mut members = Vec::new();
    for index in 0..SIZE {
        let mut config = committee.config(index);
        config.pruning.segment_bytes = 32 << 10;
        members.push(committee.start_with(config, index).await);
    }
    for sequence in 0..5 {
        members[0].submit_named(committee.transfer(sequence)).await;
    }
    until_settled(&members, 5).await;
    until("heights are certified", || async {
        members[0].certified().await > HEIGHTS
    })
    .await;
    stop_all(members).await;
    committee
}

fn directory<'a>(committee: &'a Committee, path: &'a Path, index: u16) -> Directory<'a> {
    Directory {
        path,
        genesis: &committee.genesis,
        identity: committee.genesis.members[usize::from(index)].identity,
    }
}

fn verify(committee: &Committee, path: &Path) -> Result<Vec<Check>, DatabaseError> {
    database::verify(&directory(committee, path, 0), &mut |_, _, _| ())
}

#[track_caller]
fn assert_good(checks: &[Check]) {
    let bad: Vec<_> = checks
        .iter()
        .filter(|check| check.fault.is_some())
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
}

fn checked(checks: &[Check], part: Part) -> u64 {
    let check = checks.iter().find(|check| check.part == part);
    check.unwrap().checked
}

/// The fault of a part; the others are good.
#[track_caller]
fn only_fault(checks: Vec<Check>, part: Part) -> Fault {
    let mut bad = checks.into_iter().filter(|check| check.fault.is_some());
    let first = bad.next().expect("something is wrong");
    assert_eq!(first.part, part, "{first:?}");
    assert_eq!(bad.map(|check| check.part).collect::<Vec<_>>(), []);
    first.fault.unwrap()
}

fn export(committee: &Committee, file: &Path) -> Result<FileSummary, DatabaseError> {
    let path = committee.data_dir(0);
    let directory = directory(committee, &path, 0);
    database::export(&directory, file, true, &mut |_, _, _| ())
}

/// A copy of a data directory whose tables were changed.
fn changed(committee: &Committee, name: &str, change: impl FnOnce(&mut Batch, &Tables)) -> PathBuf {
    let copy = committee.directory.path().join(name);
    copy_directory(&committee.data_dir(0), &copy);
    let random = std::fs::read(copy.join("store-id")).unwrap();
    let id = Blake3::new(DomainTag::Store)
        .chain(committee.chain())
        .chain(committee.genesis.members[0].identity)
        .chain(random)
        .finish();
    let tables = Tables::open(copy.join("tables.redb"), &TablesOptions::new(id)).unwrap();
    let mut batch = Batch::new();
    change(&mut batch, &tables);
    tables.commit(&batch).unwrap();
    copy
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_validator_holds_verifies_and_what_was_changed_is_named() {
    let committee = stopped(40).await;
    let data = committee.data_dir(0);
    let checks = verify(&committee, &data).unwrap();
    assert_good(&checks);
    assert!(checked(&checks, Part::Certificates) >= HEIGHTS / 2);
    assert!(checked(&checks, Part::Log) > checked(&checks, Part::Blocks));
    assert!(checked(&checks, Part::Blocks) > 100);
    assert_eq!(checked(&checks, Part::Receipts), 5);
    assert!(checked(&checks, Part::State) > 0);

    let key = 7u64.to_be_bytes();
    for (table, part, name) in [
        ("certificates", Part::Certificates, "certificate"),
        ("headers", Part::Certificates, "header"),
    ] {
        let copy = changed(&committee, name, |batch, tables| {
            let value = tables.get(Table(table), &key).unwrap().unwrap();
            batch.put(Table(table), key, flipped(&value, 40));
        });
        let checks = verify(&committee, &copy).unwrap();
        let fault = checks
            .into_iter()
            .find_map(|check| (check.part == part).then_some(check.fault).flatten());
        assert!(
            matches!(
                fault,
                Some(
                    Fault::Certificate { height: Height(7) } | Fault::Foreign { height: Height(7) }
                )
            ),
            "{name}: {fault:?}"
        );
    }
    let copy = changed(&committee, "missing", |batch, _| {
        batch.delete(Table("certificates"), key);
    });
    let fault = only_fault(verify(&committee, &copy).unwrap(), Part::Certificates);
    assert!(matches!(fault, Fault::NoCertificate { height: Height(7) }));
    let copy = changed(&committee, "receipts", |batch, tables| {
        let other = tables.get(Table("receipts"), &key).unwrap().unwrap();
        let paid = tables.range(
            Table("receipts"),
            (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
            1_000,
        );
        // Another height's: whatever transfer was executed at that one stays where it is.
        let paid = paid.unwrap().into_iter();
        let paid = paid.rev().find(|(_, value)| *value != other);
        batch.put(Table("receipts"), paid.unwrap().0, other);
    });
    let fault = only_fault(verify(&committee, &copy).unwrap(), Part::Receipts);
    assert!(matches!(fault, Fault::Receipts { .. }), "{fault}");
    let copy = changed(&committee, "index", |batch, tables| {
        let two = tables.range(
            Table("blocks"),
            (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
            2,
        );
        let two = two.unwrap();
        batch.put(Table("blocks"), two[0].0.clone(), two[1].1.clone());
    });
    let fault = only_fault(verify(&committee, &copy).unwrap(), Part::Blocks);
    assert!(matches!(fault, Fault::Block { reference: Some(_) }));
    let copy = changed(&committee, "state", |batch, tables| {
        let last = tables.last(Table("state")).unwrap().unwrap();
        batch.delete(Table("state"), last.0);
    });
    only_fault(verify(&committee, &copy).unwrap(), Part::State);

    let copy = changed(&committee, "evidence", |_, _| ());
    let line =
        |author| format!("{{\"kind\":\"bad_coin_share\",\"author\":{author},\"round\":9}}\n");
    std::fs::write(copy.join("evidence.jsonl"), line(3)).unwrap();
    let checks = verify(&committee, &copy).unwrap();
    assert_good(&checks);
    assert_eq!(checked(&checks, Part::Evidence), 1);
    std::fs::write(copy.join("evidence.jsonl"), line(3) + &line(4)).unwrap();
    let fault = only_fault(verify(&committee, &copy).unwrap(), Part::Evidence);
    assert!(matches!(fault, Fault::Stranger { line: 2 }));

    // The log: a byte of a first segment was durable, the end of the last may be torn.
    let log = copy.join("log");
    std::fs::write(copy.join("evidence.jsonl"), line(3)).unwrap();
    let mut segments: Vec<PathBuf> = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    let last = segments.last().unwrap();
    let whole = std::fs::read(last).unwrap();
    std::fs::write(last, [&whole[..], &[7; 99]].concat()).unwrap();
    let checks = verify(&committee, &copy).unwrap();
    assert_good(&checks);
    let log_check = checks.iter().find(|check| check.part == Part::Log).unwrap();
    assert!(log_check.note.as_ref().unwrap().contains("99 bytes"));
    assert_eq!(
        std::fs::read(last).unwrap().len(),
        whole.len() + 99,
        "nothing is mended"
    );
    let first = std::fs::read(&segments[0]).unwrap();
    std::fs::write(&segments[0], flipped(&first, 200)).unwrap();
    let fault = only_fault(verify(&committee, &copy).unwrap(), Part::Log);
    assert!(
        matches!(
            fault,
            Fault::Unreadable(NodeError::Log(WalError::Corrupt { segment: 0, .. }))
        ),
        "{fault}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_in_use_missing_or_of_somebody_else_is_refused() {
    let committee = Committee::new(41);
    let seat = committee.start(0).await;
    let data = committee.data_dir(0);
    let busy = verify(&committee, &data);
    assert!(matches!(busy, Err(DatabaseError::Busy { .. })), "{busy:?}");
    let busy = database::prune(
        &directory(&committee, &data, 0),
        &Pruning::default(),
        &mut |_, _, _| (),
    );
    assert!(matches!(busy, Err(DatabaseError::Busy { .. })), "{busy:?}");
    stop_all(vec![seat]).await;
    assert_good(&verify(&committee, &data).unwrap());

    let nothing = export(&committee, &committee.directory.path().join("none"));
    assert!(
        matches!(nothing, Err(DatabaseError::NothingCertified)),
        "{nothing:?}"
    );
    let foreign = database::verify(&directory(&committee, &data, 1), &mut |_, _, _| ());
    assert!(
        matches!(
            foreign,
            Err(DatabaseError::Store(NodeError::Tables(
                TablesError::ForeignStore { .. }
            )))
        ),
        "{foreign:?}"
    );
    let nowhere = committee.directory.path().join("nowhere");
    let missing = verify(&committee, &nowhere);
    assert!(
        matches!(missing, Err(DatabaseError::Missing { .. })),
        "{missing:?}"
    );
    assert!(!nowhere.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruning_drops_receipts_and_blocks_and_nothing_else() {
    let committee = stopped(42).await;
    let data = committee.data_dir(0);
    let before = verify(&committee, &data).unwrap();
    let keep = Pruning {
        receipt_heights: 50,
        log_rounds: 20,
        log_bytes: 0,
        segment_bytes: 32 << 10,
    };
    let freed = database::prune(&directory(&committee, &data, 0), &keep, &mut |_, _, _| ());
    let freed = freed.unwrap();
    assert!(freed.receipt_heights > 50, "{freed:?}");
    assert!(
        freed.segments > 0 && freed.log_bytes.1 < freed.log_bytes.0,
        "{freed:?}"
    );
    let after = verify(&committee, &data).unwrap();
    assert_good(&after);
    assert!(checked(&after, Part::Blocks) < checked(&before, Part::Blocks));
    for part in [Part::Certificates, Part::Uncertified, Part::State] {
        assert_eq!(checked(&after, part), checked(&before, part), "{part:?}");
    }
    let again = database::prune(&directory(&committee, &data, 0), &keep, &mut |_, _, _| ());
    let again = again.unwrap();
    assert_eq!((again.receipt_heights, again.segments), (0, 0));

    // It goes on with the others.
    let members = committee.start_all().await;
    let height = members[1].certified().await + 20;
    until("heights are certified", || async {
        members[0].certified().await > height
    })
    .await;
    stop_all(members).await;
    assert_good(&verify(&committee, &data).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_written_out_and_read_in_and_every_flipped_byte_is_found() {
    let committee = stopped(43).await;
    let file = committee.directory.path().join("chain.export");
    let written = export(&committee, &file).unwrap();
    assert_eq!(written.from, Height(1));
    assert!(written.to.0 >= HEIGHTS / 2);
    assert!(
        written
            .state_height
            .is_some_and(|height| height <= written.to)
    );
    assert_eq!(written.bytes, std::fs::metadata(&file).unwrap().len());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(
        check_file(&committee.genesis, &file, &mut |_, _, _| ()).unwrap(),
        written
    );
    let exists = export(&committee, &file);
    assert!(matches!(exists, Err(DatabaseError::Write(_))), "{exists:?}");

    // Flipped bytes: in the head, in a header, in a signature, in the state, in the hash; bytes missing and to spare.
    let bytes = std::fs::read(&file).unwrap();
    let bad = committee.directory.path().join("bad.export");
    let third = HEAD + 2 * CERTIFICATE;
    let state = HEAD + usize::try_from(written.to.0).unwrap() * CERTIFICATE;
    let target = committee.directory.path().join("imported");
    let refuse = |content: Vec<u8>| {
        std::fs::write(&bad, content).unwrap();
        let directory = directory(&committee, &target, 3);
        let refused = database::import(&directory, &bad, &mut |_, _, _| ()).unwrap_err();
        assert!(!target.exists());
        refused
    };
    assert!(matches!(
        refuse(flipped(&bytes, 7)),
        DatabaseError::NotExport { .. }
    ));
    assert!(matches!(
        refuse(flipped(&bytes, 8)),
        DatabaseError::ForeignFile { .. }
    ));
    for (at, begins) in [
        (third + 200, third),
        (third + CERTIFICATE - 9, third),
        (state + 4 + 9, state + 4),
        (bytes.len() - 1, bytes.len() - 32),
    ] {
        let refused = refuse(flipped(&bytes, at));
        let DatabaseError::File { offset, .. } = &refused else {
            panic!("byte {at}: {refused}");
        };
        assert_eq!(usize::try_from(*offset).unwrap(), begins, "{refused}");
    }
    refuse(bytes[..bytes.len() - 1].to_vec());
    refuse([&bytes[..], &[0]].concat());
    let left = std::fs::read_dir(committee.directory.path()).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with(".import")
    });
    assert_eq!(left.count(), 0, "nothing is left of what was refused");

    // A validator that lost everything takes the history from the file and joins the others.
    let data = committee.data_dir(3);
    let place = directory(&committee, &data, 3);
    let taken = database::import(&place, &file, &mut |_, _, _| ());
    assert!(
        matches!(taken, Err(DatabaseError::NotEmpty { .. })),
        "{taken:?}"
    );
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(
        database::import(&place, &file, &mut |_, _, _| ()).unwrap(),
        written
    );
    let checks = database::verify(&place, &mut |_, _, _| ()).unwrap();
    assert_good(&checks);
    assert_eq!(checked(&checks, Part::Certificates), written.to.0);
    let mut members = Vec::new();
    for index in 0..3 {
        members.push(committee.start(index).await);
    }
    until("the others go on", || async {
        members[0].certified().await > written.to.0 + 300
    })
    .await;
    let how = StartOptions {
        lost_disk: true,
        join: true,
        ..StartOptions::default()
    };
    let node = Node::start_how(committee.config(3), committee.secrets(3), how).await;
    let joined = crate::committee::Seat::new(node.unwrap());
    until("the history is served", || async { joined.serves(1).await }).await;
    members.push(joined);
    stop_all(members).await;
    let checks = database::verify(&place, &mut |_, _, _| ()).unwrap();
    assert_good(&checks);
    assert!(checked(&checks, Part::Certificates) > written.to.0);
}
