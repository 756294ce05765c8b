//! Proofs against the state root: that a key has a value, or has none.
//!
//! The state tree is a binary sparse Merkle tree over 256-bit key hashes in which a subtree with one leaf is that
//! leaf (the shape of the Jellyfish Merkle tree, Gao, Hu, Wu 2021, section 3). Key bits are read from the most
//! significant bit of the first byte. Nodes are BLAKE3 under tags of their own; an empty subtree is 32 zero bytes.

use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, encode_list};
use crate::domain::DomainTag;
use crate::hash::Blake3;
use crate::ids::Hash32;
use crate::limits::STATE_PATH_MAX;

/// Root of a tree without leaves, and hash of every empty subtree.
pub const EMPTY_STATE_ROOT: Hash32 = Hash32::ZERO;

/// A leaf as it stands in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseLeaf {
    /// Hash of the leaf's key: its place.
    pub key_hash: Hash32,
    /// Hash of the leaf's value.
    pub value_hash: Hash32,
}

impl SparseLeaf {
    /// The leaf for `value` under `key_hash`.
    #[must_use]
    pub fn new(key_hash: Hash32, value: &[u8]) -> Self {
        let value_hash = Hash32(Blake3::new(DomainTag::StateValue).chain(value).finish());
        Self {
            key_hash,
            value_hash,
        }
    }
}

/// Hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &SparseLeaf) -> Hash32 {
    Hash32(
        Blake3::new(DomainTag::StateLeaf)
            .chain(leaf.key_hash)
            .chain(leaf.value_hash)
            .finish(),
    )
}

/// Hash of an inner node.
#[must_use]
pub fn internal_hash(left: &Hash32, right: &Hash32) -> Hash32 {
    Hash32(
        Blake3::new(DomainTag::StateNode)
            .chain(left)
            .chain(right)
            .finish(),
    )
}

/// Proof about one key: the path of siblings, and what stands at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// The leaf at the end of the key's path: the key's own, another one's, or none.
    pub leaf: Option<SparseLeaf>,
    /// Sibling hashes from the root downwards.
    pub siblings: Vec<Hash32>,
}

/// Why a state proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateProofError {
    /// The path does not lead to the root.
    #[error("the proof leads to another state root")]
    Root,
    /// The proof shows that the key has no value.
    #[error("the proof shows that the key is absent")]
    Absent,
    /// The proof shows that the key has a value.
    #[error("the proof shows that the key is present")]
    Present,
    /// The key has another value.
    #[error("the proof is for another value")]
    Value,
    /// The leaf that should show absence does not stand on the key's path.
    #[error("the proof's leaf is not on the key's path")]
    Unrelated,
}

impl StateProof {
    /// Checks that `key_hash` has exactly `value` under `root`.
    ///
    /// # Errors
    /// [`StateProofError`].
    pub fn verify_present(
        &self,
        root: &Hash32,
        key_hash: &Hash32,
        value: &[u8],
    ) -> Result<(), StateProofError> {
        self.verify_path(root, key_hash)?;
        let Some(leaf) = self.leaf.filter(|leaf| leaf.key_hash == *key_hash) else {
            return Err(StateProofError::Absent);
        };
        if leaf != SparseLeaf::new(*key_hash, value) {
            return Err(StateProofError::Value);
        }
        Ok(())
    }

    /// Checks that `key_hash` has no value under `root`.
    ///
    /// # Errors
    /// [`StateProofError`].
    pub fn verify_absent(&self, root: &Hash32, key_hash: &Hash32) -> Result<(), StateProofError> {
        self.verify_path(root, key_hash)?;
        match self.leaf {
            Some(leaf) if leaf.key_hash == *key_hash => Err(StateProofError::Present),
            Some(leaf) if common_bits(&leaf.key_hash, key_hash) < self.siblings.len() => {
                Err(StateProofError::Unrelated)
            }
            _ => Ok(()),
        }
    }

    /// Hashes from the end of `key_hash`'s path up to the root.
    fn verify_path(&self, root: &Hash32, key_hash: &Hash32) -> Result<(), StateProofError> {
        if self.siblings.len() > 256 {
            return Err(StateProofError::Root);
        }
        let mut hash = self.leaf.as_ref().map_or(EMPTY_STATE_ROOT, leaf_hash);
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if key_hash.bit(depth) {
                internal_hash(sibling, &hash)
            } else {
                internal_hash(&hash, sibling)
            };
        }
        if hash == *root {
            Ok(())
        } else {
            Err(StateProofError::Root)
        }
    }
}

impl Hash32 {
    /// Bit `depth` of the key path, the first being the most significant of the first byte.
    ///
    /// # Panics
    /// If `depth` is 256 or more.
    #[must_use]
    pub const fn bit(&self, depth: usize) -> bool {
        self.0[depth / 8] >> (7 - depth % 8) & 1 == 1
    }
}

fn common_bits(left: &Hash32, right: &Hash32) -> usize {
    (0..256)
        .find(|depth| left.bit(*depth) != right.bit(*depth))
        .unwrap_or(256)
}

impl Encode for StateProof {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.leaf {
            None => out.push(0),
            Some(leaf) => {
                out.push(1);
                leaf.key_hash.encode(out);
                leaf.value_hash.encode(out);
            }
        }
        encode_list(&self.siblings, out);
    }
}

impl Decode for StateProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let leaf = match u8::decode(reader)? {
            0 => None,
            1 => Some(SparseLeaf {
                key_hash: Decode::decode(reader)?,
                value_hash: Decode::decode(reader)?,
            }),
            found => {
                return Err(CodecError::Variant {
                    value: "state proof leaf",
                    found,
                });
            }
        };
        let siblings = reader.list("state proof siblings", STATE_PATH_MAX)?;
        Ok(Self { leaf, siblings })
    }
}
