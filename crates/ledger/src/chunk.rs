//! Parts of the state, each of which proves itself against the state root.
//!
//! A chunk is everything under one node of the state tree, and the siblings on the way from the root to that node. The
//! receiver builds the node's hash from the values alone, so nothing can be added, left out or changed without leading to
//! another root. Servers choose the node: as high as a limit of bytes allows.

use quorate_types::{
    CodecError, Decode, Encode, Hash32, Reader, SparseLeaf, StateKey, encode_list, internal_hash,
};

use crate::error::LedgerError;
use crate::state::Entry;
use crate::tree::subtree_hash;

/// Bytes that an entry's encoding takes besides its value.
pub(crate) const ENTRY_OVERHEAD: usize = 33 + 4;
/// Most entries of a chunk: far more than fit the limit of bytes of any server.
const ENTRIES_MAX: u32 = 65_536;
/// Most bytes of one value: an account with every asset and every lane takes about half.
const VALUE_BYTES_MAX: u32 = 16 * 1024;
/// Deepest node of the tree.
const DEPTH_MAX: u32 = 256;

/// All entries whose key hashes share a prefix, and the proof that these are all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChunk {
    /// Keys and the encodings of their values, in strictly ascending order of the keys' hashes.
    pub entries: Vec<(StateKey, Vec<u8>)>,
    /// Hashes beside the path from the root to the chunk's node: as many as the shared prefix has bits.
    pub siblings: Vec<Hash32>,
}

/// The key hashes from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRange {
    /// The lowest.
    pub first: Hash32,
    /// The highest.
    pub last: Hash32,
}

/// Why a chunk is not the part of the state that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Its entries are not in strictly ascending order of their key hashes.
    #[error("the entries are not in order")]
    Order,
    /// An entry lies outside the chunk's range.
    #[error("{key:?} is outside the chunk")]
    Outside {
        /// The entry's key.
        key: StateKey,
    },
    /// It leads to another state root.
    #[error("the chunk leads to another state root")]
    Root,
    /// A value is no canonical one under its key.
    #[error(transparent)]
    Value(#[from] LedgerError),
}

impl KeyRange {
    /// All key hashes.
    pub const ALL: Self = Self {
        first: Hash32([0; 32]),
        last: Hash32([0xff; 32]),
    };

    /// The key hashes whose first `depth` bits are those of `key_hash`; all of them are for `depth` 0.
    #[must_use]
    pub fn around(key_hash: &Hash32, depth: usize) -> Self {
        let (mut first, mut last) = (key_hash.0, key_hash.0);
        for bit in depth.min(256)..256 {
            let mask = 0x80 >> (bit % 8);
            first[bit / 8] &= !mask;
            last[bit / 8] |= mask;
        }
        Self {
            first: Hash32(first),
            last: Hash32(last),
        }
    }

    /// Whether the range has this key hash.
    #[must_use]
    pub fn contains(&self, key_hash: &Hash32) -> bool {
        (&self.first..=&self.last).contains(&key_hash)
    }
}

impl StateChunk {
    /// Which part of the state it is, if it was asked for with `start`.
    #[must_use]
    pub fn range(&self, start: &Hash32) -> KeyRange {
        KeyRange::around(start, self.siblings.len())
    }

    /// Checks that it is all of the state around `start` under `root`, each value being canonical and under its own key.
    /// Returns the part that it is.
    ///
    /// # Errors
    /// [`ChunkError`].
    pub fn verify(&self, root: &Hash32, start: &Hash32) -> Result<KeyRange, ChunkError> {
        let range = self.range(start);
        let mut places = Vec::with_capacity(self.entries.len());
        for (key, value) in &self.entries {
            let place = SparseLeaf::new(key.hash(), value);
            if !range.contains(&place.key_hash) {
                return Err(ChunkError::Outside { key: *key });
            }
            places.push(place);
        }
        if !places.is_sorted_by(|left, right| left.key_hash < right.key_hash) {
            return Err(ChunkError::Order);
        }
        let mut hash = subtree_hash(&places, self.siblings.len());
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if start.bit(depth) {
                internal_hash(sibling, &hash)
            } else {
                internal_hash(&hash, sibling)
            };
        }
        if hash != *root {
            return Err(ChunkError::Root);
        }
        for (key, value) in &self.entries {
            Entry::from_stored(*key, value)?;
        }
        Ok(range)
    }
}

impl Encode for StateChunk {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(&self.siblings, out);
        let count = u32::try_from(self.entries.len()).expect("servers bound a chunk's bytes");
        count.encode(out);
        for (key, value) in &self.entries {
            key.encode(out);
            let length = u32::try_from(value.len()).expect("values are far smaller");
            length.encode(out);
            out.extend_from_slice(value);
        }
    }
}

impl Decode for StateChunk {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let siblings = reader.list("state chunk siblings", DEPTH_MAX)?;
        let count = reader.count("state chunk entries", ENTRIES_MAX)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let key = StateKey::decode(reader)?;
            let length = reader.count("state chunk value", VALUE_BYTES_MAX)?;
            entries.push((key, reader.take(length)?.to_vec()));
        }
        Ok(Self { entries, siblings })
    }
}
