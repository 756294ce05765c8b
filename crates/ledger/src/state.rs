//! What the state tree holds, and copies of it for readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::{
    Account, AccountId, AssetId, AssetInfo, Decode, Encode, Hash32, Height, SparseLeaf, StateKey,
    StateProof,
};

use crate::chunk::{ENTRY_OVERHEAD, StateChunk};
use crate::error::LedgerError;
use crate::rules::Rules;
use crate::tree::StateTree;

/// One value of the state, under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: StateKey,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Account(Account),
    Asset(AssetInfo),
}

impl Entry {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match &self.value {
            Value::Account(account) => account.to_bytes(),
            Value::Asset(asset) => asset.to_bytes(),
        }
    }

    /// Decodes a stored value and checks that it stands under its own key.
    pub(crate) fn from_stored(key: StateKey, bytes: &[u8]) -> Result<Self, LedgerError> {
        let malformed = |error| LedgerError::Value { key, error };
        let value = match key {
            StateKey::Account(id) => {
                let account = Account::from_bytes(bytes).map_err(malformed)?;
                if account.id() != id {
                    return Err(LedgerError::Misplaced { key });
                }
                Value::Account(account)
            }
            StateKey::Asset(_) => Value::Asset(AssetInfo::from_bytes(bytes).map_err(malformed)?),
        };
        Ok(Self { key, value })
    }
}

/// The state at one height, and the rules it lives under. Shared, never changes: `clone` is O(1), and execution goes on
/// while readers keep it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    rules: Arc<Rules>,
    height: Height,
    tree: StateTree<Entry>,
}

impl Snapshot {
    pub(crate) const fn new(rules: Arc<Rules>, height: Height, tree: StateTree<Entry>) -> Self {
        Self {
            rules,
            height,
            tree,
        }
    }

    /// The next state: `entries` written, which come with their encodings.
    pub(crate) fn next(&self, height: Height, entries: Vec<(Entry, &[u8])>) -> Self {
        let mut tree = self.tree.clone();
        tree.apply(entries.into_iter().map(|(entry, bytes)| {
            let place = SparseLeaf::new(entry.key.hash(), bytes);
            (place, entry)
        }));
        Self::new(self.rules.clone(), height, tree)
    }

    /// The chain's rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The height after whose commit this is the state.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.height
    }

    /// The state root.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        self.tree.root()
    }

    /// How many accounts and assets there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there are neither accounts nor assets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        match &self.tree.get(&StateKey::Account(*id).hash())?.value {
            Value::Account(account) => Some(account),
            Value::Asset(_) => None,
        }
    }

    /// An asset.
    #[must_use]
    pub fn asset(&self, id: AssetId) -> Option<&AssetInfo> {
        match &self.tree.get(&StateKey::Asset(id).hash())?.value {
            Value::Asset(asset) => Some(asset),
            Value::Account(_) => None,
        }
    }

    /// The encoding of a key's value, and the proof of it, or of its absence, under [`Snapshot::root`].
    #[must_use]
    pub fn prove(&self, key: &StateKey) -> (Option<Vec<u8>>, StateProof) {
        let (entry, proof) = self.tree.prove(&key.hash());
        (entry.map(Entry::to_bytes), proof)
    }

    /// All keys and the encodings of their values, in ascending order of the keys' hashes.
    pub fn entries(&self) -> impl Iterator<Item = (StateKey, Vec<u8>)> {
        self.tree.iter().map(|entry| (entry.key, entry.to_bytes()))
    }

    /// The part of the state around a key hash that is handed out at once: see [`StateChunk`].
    #[must_use]
    pub fn chunk(&self, start: &Hash32, bytes_max: usize) -> StateChunk {
        let length = |entry: &Entry| entry.to_bytes().len() + ENTRY_OVERHEAD;
        let (entries, siblings) = self.tree.subtree(start, bytes_max, length);
        let entries = entries.into_iter();
        StateChunk {
            entries: entries.map(|entry| (entry.key, entry.to_bytes())).collect(),
            siblings,
        }
    }

    /// Recomputes from all accounts that balances and fees of each asset add up to its supply. Visits the whole state.
    ///
    /// # Errors
    /// [`LedgerError::Conservation`].
    pub fn check_conservation(&self) -> Result<(), LedgerError> {
        let mut sums = BTreeMap::<AssetId, Option<u128>>::new();
        let mut supplies = BTreeMap::new();
        let mut add = |asset: AssetId, amount: u128| {
            let sum = sums.entry(asset).or_insert(Some(0));
            *sum = sum.and_then(|sum| sum.checked_add(amount));
        };
        for entry in self.tree.iter() {
            match (&entry.key, &entry.value) {
                (StateKey::Asset(id), Value::Asset(asset)) => {
                    add(*id, asset.fees);
                    supplies.insert(*id, Some(asset.supply));
                }
                (_, Value::Account(account)) => {
                    for (asset, amount) in &account.free {
                        add(*asset, *amount);
                    }
                }
                (StateKey::Account(_), Value::Asset(_)) => {
                    unreachable!("an entry is made with a key of its own kind")
                }
            }
        }
        let wrong = sums
            .iter()
            .find(|(asset, sum)| supplies.get(asset) != Some(sum));
        match wrong {
            Some((asset, _)) => Err(LedgerError::Conservation { asset: *asset }),
            None => Ok(()),
        }
    }
}
