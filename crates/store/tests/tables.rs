//! The tables' promises, each of their errors, and crashes at every step of a commit.

use std::collections::BTreeMap;
use std::ops::Bound;

use quorate_store::disk::{Disk, DiskError, MemoryDisk};
use quorate_store::tables::{
    Batch, DiskBackend, TABLES_FORMAT_VERSION, Table, Tables, TablesError, TablesOptions,
};
use redb::{Database, TableDefinition};

const HEADERS: Table = Table("headers");
const ACCOUNTS: Table = Table("accounts");
const FILE: &str = "tables.redb";
const ALL: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

fn options() -> TablesOptions {
    TablesOptions {
        cache_bytes: 1 << 20,
        ..TablesOptions::new([3; 32])
    }
}

fn open(disk: &MemoryDisk) -> Result<Tables, TablesError> {
    Tables::open_on(disk, FILE, &options())
}

#[test]
fn batches_apply_in_order_and_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let tables = Tables::open(&path, &options()).unwrap();
    assert_eq!(tables.get(HEADERS, b"none"), Ok(None));
    assert_eq!(tables.last(HEADERS), Ok(None));
    assert_eq!(tables.range(HEADERS, ALL, 10), Ok(vec![]));
    let mut batch = Batch::new();
    for height in 0..10u8 {
        batch.put(HEADERS, [height], [height; 3]);
    }
    batch
        .put(ACCOUNTS, b"a", b"1")
        .delete(ACCOUNTS, b"a")
        .put(ACCOUNTS, b"b", b"2")
        .delete(HEADERS, [4]);
    batch
        .delete_below(HEADERS, [2])
        .delete(ACCOUNTS, b"never there");
    tables.commit(&batch).unwrap();
    let before = tables.snapshot().unwrap();
    tables
        .commit(Batch::new().put(HEADERS, [10], b"ten"))
        .unwrap();
    assert_eq!(before.last(HEADERS).unwrap(), Some((vec![9], vec![9; 3])));
    drop(before);

    let keys = |entries: Vec<(Vec<u8>, Vec<u8>)>| {
        entries
            .into_iter()
            .map(|(key, _)| key[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(tables.range(HEADERS, ALL, 3).unwrap()), [2, 3, 5]);
    let some = (Bound::Excluded(&[3][..]), Bound::Included(&[7][..]));
    assert_eq!(keys(tables.range(HEADERS, some, 9).unwrap()), [5, 6, 7]);
    let backwards = tables
        .snapshot()
        .unwrap()
        .range_reversed(HEADERS, some, 2)
        .unwrap();
    assert_eq!(keys(backwards), [7, 6]);
    let empty = (Bound::Included(&[7][..]), Bound::Excluded(&[3][..]));
    assert_eq!(tables.range(HEADERS, empty, 9), Ok(vec![]));
    assert_eq!(
        (tables.get(ACCOUNTS, b"a"), tables.get(ACCOUNTS, b"b")),
        (Ok(None), Ok(Some(b"2".to_vec())))
    );

    assert_eq!(
        Tables::open(&path, &options()).map(|_| ()),
        Err(TablesError::AlreadyOpen)
    );
    drop(tables);
    let mut tables = Tables::open(&path, &options()).unwrap();
    assert_eq!(
        tables.last(HEADERS).unwrap(),
        Some((vec![10], b"ten".to_vec()))
    );
    tables.verify().unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn foreign_newer_and_other_files_are_refused() {
    let disk = MemoryDisk::new();
    drop(open(&disk).unwrap());
    let foreign = Tables::open_on(&disk, FILE, &TablesOptions::new([4; 32]));
    assert_eq!(
        foreign.map(|_| ()),
        Err(TablesError::ForeignStore { found: [3; 32] })
    );

    let meta = TableDefinition::<&str, &[u8]>::new("quorate_store_meta");
    let rewrite = |disk: &MemoryDisk, version: &[u8]| {
        let backend = DiskBackend::new(disk.open(FILE).unwrap());
        let database = Database::builder().create_with_backend(backend).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(meta)
            .unwrap()
            .insert("format_version", version)
            .unwrap();
        transaction.commit().unwrap();
    };
    rewrite(&disk, &2u32.to_be_bytes());
    let newer = TablesError::NewerFormat {
        found: 2,
        supported: TABLES_FORMAT_VERSION,
    };
    assert_eq!(open(&disk).map(|_| ()), Err(newer));
    rewrite(&disk, b"x");
    assert_eq!(open(&disk).map(|_| ()), Err(TablesError::Corrupt));

    let other = MemoryDisk::new();
    let database = Database::builder()
        .create_with_backend(DiskBackend::new(other.create(FILE).unwrap()))
        .unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(TableDefinition::<u64, u64>::new("other"))
        .unwrap()
        .insert(1, 2)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_eq!(open(&other).map(|_| ()), Err(TablesError::NotTables));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    std::fs::write(&path, b"a text file of somebody's").unwrap();
    assert_eq!(
        Tables::open(&path, &options()).map(|_| ()),
        Err(TablesError::NotTables)
    );
    let missing = Tables::open(path.join("below a file"), &options());
    assert!(matches!(missing, Err(TablesError::Disk(_))), "{missing:?}");

    let tables = open(&MemoryDisk::new()).unwrap();
    let reserved = tables.commit(Batch::new().put(Table("quorate_store_meta"), b"store_id", b""));
    assert_eq!(reserved, Err(TablesError::ReservedTable));
}

#[test]
fn a_full_or_failing_disk_leaves_the_last_commit() {
    let mut disk = MemoryDisk::new();
    let tables = open(&disk).unwrap();
    tables
        .commit(Batch::new().put(HEADERS, b"1", b"kept"))
        .unwrap();
    disk.set_capacity(Some(0));
    let large = tables.commit(Batch::new().put(HEADERS, b"2", vec![1; 1 << 23]));
    assert_eq!(large, Err(TablesError::Disk(DiskError::Full)));
    disk.set_capacity(None);
    drop(tables);
    disk.crash(1);
    let tables = open(&disk).unwrap();
    assert_eq!(tables.last(HEADERS).unwrap().unwrap().0, b"1");
    disk.fail_next_syncs(1);
    assert!(matches!(
        tables.commit(Batch::new().put(HEADERS, b"2", b"lost")),
        Err(TablesError::Disk(_))
    ));
    assert_eq!(
        tables.commit(Batch::new().put(HEADERS, b"3", b"refused")),
        Err(TablesError::Poisoned)
    );
    drop(tables);
    disk.crash(2);
    let tables = open(&disk).unwrap();
    assert_eq!(tables.get(HEADERS, b"1"), Ok(Some(b"kept".to_vec())));
    assert_eq!(tables.get(HEADERS, b"3"), Ok(None));
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn content(tables: &Tables) -> Model {
    tables
        .range(ACCOUNTS, ALL, usize::MAX)
        .expect("healthy")
        .into_iter()
        .collect()
}

/// The batch of a step, and what it makes of the model.
fn batch_of(step: u64, model: &Model) -> (Batch, Model) {
    let (mut batch, mut after) = (Batch::new(), model.clone());
    for entry in 0..20u64 {
        let key = (step * 7 + entry * 13) % 50;
        let key = key.to_be_bytes().to_vec();
        if entry % 5 == 4 {
            batch.delete(ACCOUNTS, key.clone());
            after.remove(&key);
        } else {
            let value = vec![
                u8::try_from(step % 251).expect("healthy");
                usize::try_from(entry * 40).expect("healthy")
            ];
            batch.put(ACCOUNTS, key.clone(), value.clone());
            after.insert(key, value);
        }
    }
    (batch, after)
}

#[test]
fn a_crash_anywhere_leaves_all_of_a_commit_or_nothing() {
    let (mut interrupted, mut whole, mut none) = (0, 0, 0);
    let mut disk = MemoryDisk::new();
    let mut model = Model::new();
    drop(open(&disk).unwrap());
    for step in 0..150u64 {
        let tables = open(&disk).unwrap();
        assert_eq!(content(&tables), model);
        let (batch, after) = batch_of(step, &model);
        disk.power_off_after(1 + step % 25);
        let committed = tables.commit(&batch);
        if committed.is_err() {
            interrupted += 1;
        }
        disk.crash(step);
        drop(tables);
        let reopened = open(&disk).unwrap();
        let found = content(&reopened);
        assert!(
            found == after || (committed.is_err() && found == model),
            "step {step}: half a commit"
        );
        if found == after {
            whole += 1
        } else {
            none += 1
        }
        model = found;
        drop(reopened);
    }
    assert!(
        interrupted > 20 && whole > 20 && none > 20,
        "{interrupted} {whole} {none}"
    );
}

#[test]
fn a_crash_amid_the_creation_is_no_obstacle() {
    for changes in 1..40 {
        for seed in 0..8 {
            let mut disk = MemoryDisk::new();
            disk.power_off_after(changes);
            let created = open(&disk).is_ok();
            disk.crash(seed);
            let tables = open(&disk);
            assert!(
                tables.is_ok(),
                "created: {created}, {changes} changes, seed {seed}: {tables:?}"
            );
            assert_eq!(disk.list().unwrap(), [FILE]);
        }
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let disk = MemoryDisk::new();
    let tables = open(&disk).unwrap();
    let mut model = Model::new();
    for step in 0..5 {
        let (batch, after) = batch_of(step, &model);
        tables.commit(&batch).unwrap();
        model = after;
    }
    drop(tables);
    let length = u64::try_from(disk.content(FILE).unwrap().len()).unwrap();
    let mut refused = 0;
    for round in 0..400u64 {
        let damaged = disk.copy();
        // Most of the file is unused: aim at its beginning, where the roots are, as often.
        let offset = if round % 2 == 0 {
            round % 400
        } else {
            round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % length.min(1 << 17)
        };
        assert!(damaged.flip_byte(FILE, offset, 0xff));
        match open(&damaged) {
            Ok(tables) => {
                // Reading does not verify every page, but it must end in an error or a value.
                let _ = tables.range(ACCOUNTS, ALL, usize::MAX);
                let _ = tables.commit(Batch::new().put(ACCOUNTS, b"k", b"v"));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10, "{refused}");
}
