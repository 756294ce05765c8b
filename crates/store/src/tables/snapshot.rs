//! Reading.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableError};

use super::{Table, Tables, TablesError};

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

type Opened = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A view of one commit.
#[derive(Debug)]
pub struct Snapshot<'a> {
    tables: &'a Tables,
    transaction: ReadTransaction,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(tables: &'a Tables, transaction: ReadTransaction) -> Self {
        Self {
            tables,
            transaction,
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, TablesError> {
        self.in_table(table, |opened| {
            Ok(opened.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    /// The first `limit` entries between two keys, ascending. A range whose start is above its end is empty.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn range(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        limit: usize,
    ) -> Result<Vec<KeyValue>, TablesError> {
        self.in_table(table, |opened| {
            opened
                .range::<&[u8]>(range)?
                .take(limit)
                .map(|entry| Ok(copied(&entry?)))
                .collect()
        })
    }

    /// The last `limit` entries between two keys, descending: the newest first.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn range_reversed(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        limit: usize,
    ) -> Result<Vec<KeyValue>, TablesError> {
        self.in_table(table, |opened| {
            opened
                .range::<&[u8]>(range)?
                .rev()
                .take(limit)
                .map(|entry| Ok(copied(&entry?)))
                .collect()
        })
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// [`TablesError::Disk`], [`TablesError::Corrupt`].
    pub fn last(&self, table: Table) -> Result<Option<KeyValue>, TablesError> {
        self.in_table(table, |opened| Ok(opened.last()?.as_ref().map(copied)))
    }

    /// Reads from a table; one that does not exist yet has nothing.
    fn in_table<T: Default>(
        &self,
        table: Table,
        read: impl FnOnce(&Opened) -> Result<T, TablesError>,
    ) -> Result<T, TablesError> {
        self.tables
            .guarded(|| match self.transaction.open_table(table.definition()) {
                Ok(opened) => read(&opened),
                Err(TableError::TableDoesNotExist(_)) => Ok(T::default()),
                Err(error) => Err(error.into()),
            })
    }
}

type Entry<'a> = (
    redb::AccessGuard<'a, &'static [u8]>,
    redb::AccessGuard<'a, &'static [u8]>,
);

fn copied((key, value): &Entry<'_>) -> KeyValue {
    (key.value().to_vec(), value.value().to_vec())
}
