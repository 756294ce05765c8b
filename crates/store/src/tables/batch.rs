//! What one commit changes.

use redb::{TableDefinition, WriteTransaction};

use super::TablesError;

/// The name of a table. Tables come into being with their first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

impl Table {
    pub(super) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.0)
    }
}

/// One change of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets the value of a key.
    Put {
        /// The table.
        table: Table,
        /// The key; keys order as their bytes.
        key: Vec<u8>,
        /// Its new value.
        value: Vec<u8>,
    },
    /// Removes a key, if it is there.
    Delete {
        /// The table.
        table: Table,
        /// The key.
        key: Vec<u8>,
    },
    /// Removes all keys below one: pruning.
    DeleteBelow {
        /// The table.
        table: Table,
        /// The first key to keep.
        key: Vec<u8>,
    },
}

impl Change {
    /// The table it changes.
    #[must_use]
    pub fn table(&self) -> Table {
        match self {
            Self::Put { table, .. }
            | Self::Delete { table, .. }
            | Self::DeleteBelow { table, .. } => *table,
        }
    }
}

/// Changes that are committed together, in the order they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// No changes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key.
    pub fn put(
        &mut self,
        table: Table,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> &mut Self {
        self.changes.push(Change::Put {
            table,
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push(Change::Delete {
            table,
            key: key.into(),
        });
        self
    }

    /// Removes all keys below `key`.
    pub fn delete_below(&mut self, table: Table, key: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push(Change::DeleteBelow {
            table,
            key: key.into(),
        });
        self
    }

    /// Adds the changes of another batch behind these.
    pub fn append(&mut self, mut other: Self) -> &mut Self {
        self.changes.append(&mut other.changes);
        self
    }

    /// The changes, in order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Applies the changes to a transaction, opening a table once for neighbouring changes of it.
pub(super) fn apply(transaction: &WriteTransaction, batch: &Batch) -> Result<(), TablesError> {
    for changes in batch
        .changes
        .chunk_by(|left, right| left.table() == right.table())
    {
        let Some(first) = changes.first() else {
            continue;
        };
        let mut table = transaction.open_table(first.table().definition())?;
        for change in changes {
            match change {
                Change::Put { key, value, .. } => {
                    table.insert(key.as_slice(), value.as_slice())?;
                }
                Change::Delete { key, .. } => {
                    table.remove(key.as_slice())?;
                }
                Change::DeleteBelow { key, .. } => {
                    table.retain_in(..key.as_slice(), |_, _| false)?
                }
            }
        }
    }
    Ok(())
}
