//! Stores that a validator must refuse: each with its own error, each left as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quorate_node::config::Config;
use quorate_node::{Node, NodeError};
use quorate_store::tables::TablesError;
use quorate_store::wal::WalError;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::committee::{Committee, copy_directory, stop_all, until_settled};

const LOG: &str = "log/0000000000000000.wal";

/// A committee that ran once and was shut down.
async fn seasoned() -> &'static Committee {
    static SEASONED: OnceCell<Committee> = OnceCell::const_new();
    SEASONED
        .get_or_init(|| async {
            let committee = Committee::new(6);
            let members = committee.start_all().await;
            members[0].submit("something").await.unwrap();
            until_settled(&members, 1).await;
            stop_all(members).await;
            committee
        })
        .await
}

/// A copy of validator 0's store.
struct Copy {
    committee: &'static Committee,
    directory: TempDir,
}

impl Copy {
    async fn new() -> Self {
        let committee = seasoned().await;
        let directory = TempDir::new().unwrap();
        copy_directory(&committee.data_dir(0), directory.path());
        Self {
            committee,
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> Config {
        self.committee.lone_config(0, self.directory.path())
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(name), bytes).unwrap();
    }

    async fn starts(&self) {
        let node = Node::start(self.config(), self.committee.secrets(0)).await;
        node.unwrap().shutdown().await.unwrap();
    }

    /// The error of a start, which changes nothing but what redb notes in its own file about being open.
    async fn refusal(&self) -> NodeError {
        let before = files(self.directory.path());
        let error = Node::start(self.config(), self.committee.secrets(0)).await;
        let error = error.err().expect("the store is refused");
        assert_eq!(files(self.directory.path()), before);
        error
    }
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().unwrap() == "tables.redb" {
            found.insert(path, Vec::new());
        } else {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_is_refused_untouched_and_taken_when_restored() {
    let store = Copy::new().await;
    let middle = std::fs::read(store.path(LOG)).unwrap().len() / 2;
    store.change(LOG, |bytes| bytes[middle] ^= 1);
    let error = store.refusal().await;
    let NodeError::Log(WalError::Corrupt { segment: 0, offset }) = error else {
        panic!("{error:?}");
    };
    assert!(offset <= middle as u64);
    store.change(LOG, |bytes| bytes[middle] ^= 1);
    store.starts().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_a_newer_format_is_refused() {
    let store = Copy::new().await;
    store.change(LOG, |bytes| bytes[8] += 1);
    let error = store.refusal().await;
    assert!(
        matches!(
            error,
            NodeError::Log(WalError::NewerFormat {
                found: 2,
                supported: 1
            })
        ),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_a_newer_format_are_refused() {
    let store = Copy::new().await;
    let meta: redb::TableDefinition<'_, &str, &[u8]> =
        redb::TableDefinition::new("quorate_store_meta");
    let database = redb::Database::open(store.path("tables.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(meta).unwrap();
    table
        .insert("format_version", 2u32.to_be_bytes().as_slice())
        .unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    let error = store.refusal().await;
    assert!(
        matches!(
            error,
            NodeError::Tables(TablesError::NewerFormat {
                found: 2,
                supported: 1
            })
        ),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_another_validator_or_chain_is_refused() {
    let store = Copy::new().await;
    let foreign = |error: &Option<NodeError>| {
        matches!(
            error,
            Some(NodeError::Tables(TablesError::ForeignStore { .. }))
        )
    };
    let config = store.committee.lone_config(1, store.directory.path());
    let error = Node::start(config, store.committee.secrets(1)).await.err();
    assert!(foreign(&error), "{error:?}");

    let other = Committee::new(7);
    let config = other.lone_config(0, store.directory.path());
    let error = Node::start(config, other.secrets(0)).await.err();
    assert!(foreign(&error), "{error:?}");

    let log = store.committee.data_dir(1).join(LOG);
    std::fs::copy(log, store.path(LOG)).unwrap();
    let error = store.refusal().await;
    assert!(
        matches!(error, NodeError::Log(WalError::ForeignStore { .. })),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_its_identity_is_refused() {
    let store = Copy::new().await;
    for damage in [
        |path: &Path| std::fs::write(path, [1; 31]),
        |path: &Path| std::fs::remove_file(path),
    ] {
        damage(&store.path("store-id")).unwrap();
        let error = store.refusal().await;
        let NodeError::StoreIdentity { path } = error else {
            panic!("{error:?}");
        };
        assert_eq!(path, store.path("store-id"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_its_log_is_refused() {
    let store = Copy::new().await;
    std::fs::remove_file(store.path(LOG)).unwrap();
    let error = store.refusal().await;
    let NodeError::LogMissing { path } = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, store.path("log"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_holds_no_tables_is_refused() {
    let store = Copy::new().await;
    std::fs::write(store.path("tables.redb"), [7; 100_000]).unwrap();
    let error = store.refusal().await;
    assert!(
        matches!(error, NodeError::Tables(TablesError::NotTables)),
        "{error:?}"
    );
    std::fs::write(store.path("tables.redb"), b"short").unwrap();
    let error = store.refusal().await;
    assert!(
        matches!(
            error,
            NodeError::Tables(TablesError::NotTables | TablesError::Corrupt)
        ),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_opened_once() {
    let store = Copy::new().await;
    let first = Node::start(store.config(), store.committee.secrets(0)).await;
    let first = first.unwrap();
    let second = Node::start(store.config(), store.committee.secrets(0)).await;
    let error = second.err();
    assert!(
        matches!(error, Some(NodeError::Tables(TablesError::AlreadyOpen))),
        "{error:?}"
    );
    first.shutdown().await.unwrap();
    store.starts().await;
}
