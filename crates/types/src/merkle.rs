//! Merkle trees over lists: SHA-256, shaped as RFC 6962 section 2.1 says, so that others can recompute them.

use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, encode_list};
use crate::hash::sha256_prefixed;
use crate::ids::Hash32;
use crate::limits::MERKLE_PATH_MAX;

const LEAF: u8 = 0;
const NODE: u8 = 1;

/// A list and the hashes of its leaves, from which proofs are made.
#[derive(Clone, Debug, Default)]
pub struct MerkleTree {
    leaves: Vec<Hash32>,
}

/// Proof that a leaf stands at one position of a list of known length (RFC 6962, 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleProof {
    /// Position of the leaf, from 0.
    pub index: u64,
    /// Length of the list.
    pub size: u64,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Hash32>,
}

/// Root over `leaves`' bytes; an empty list's is SHA-256 of nothing (RFC 6962, 2.1).
#[must_use]
pub fn merkle_root<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Hash32 {
    MerkleTree::new(leaves).root()
}

impl MerkleTree {
    /// Hashes the leaves.
    #[must_use]
    pub fn new<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Self {
        let leaves = leaves
            .into_iter()
            .map(|leaf| leaf_node(leaf.as_ref()))
            .collect();
        Self { leaves }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        subtree_root(&self.leaves)
    }

    /// Proof for the leaf at `index`, or `None` past the end.
    #[must_use]
    pub fn proof(&self, index: usize) -> Option<MerkleProof> {
        if index >= self.leaves.len() {
            return None;
        }
        let mut path = Vec::new();
        collect_path(&self.leaves, index, &mut path);
        Some(MerkleProof {
            index: index as u64,
            size: self.leaves.len() as u64,
            path,
        })
    }
}

impl MerkleProof {
    /// Whether `leaf` stands at [`MerkleProof::index`] of the list with this `root`.
    #[must_use]
    pub fn verifies(&self, root: &Hash32, leaf: &[u8]) -> bool {
        self.root(leaf).is_some_and(|found| found == *root)
    }

    /// The root of the list in which `leaf` stands at [`MerkleProof::index`], or `None` if the path is too long or too
    /// short for that.
    #[must_use]
    pub fn root(&self, leaf: &[u8]) -> Option<Hash32> {
        Some(self.to_path()?.root(leaf))
    }

    /// The path alone: which side each sibling stands on, without position and length of the list. `None` if the path is
    /// too long or too short.
    ///
    /// The walk is that of RFC 9162, 2.1.3.2.
    #[must_use]
    pub fn to_path(&self) -> Option<MerklePath> {
        if path_length(self.index, self.size)? != self.path.len() {
            return None;
        }
        let mut sides = 0u64;
        let mut node = self.index;
        let mut last = self.size - 1;
        for step in 0..self.path.len() {
            if node & 1 == 1 || node == last {
                sides |= 1 << step;
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            }
            node >>= 1;
            last >>= 1;
        }
        Some(MerklePath {
            sides,
            siblings: self.path.clone(),
        })
    }
}

/// How many siblings the leaf at `index` of a list of `size` has on its path; `None` past the end.
pub(crate) const fn path_length(index: u64, size: u64) -> Option<usize> {
    if index >= size {
        return None;
    }
    // Below the last leaf on the right side, levels without a sibling are left out.
    let mut node = index;
    let mut last = size - 1;
    let mut length = 0;
    while last > 0 {
        if node & 1 == 1 || node < last {
            length += 1;
        }
        node >>= 1;
        last >>= 1;
    }
    Some(length)
}

/// A path from a leaf to a root that says nothing of where in the list the leaf stands: one path has one encoding, where
/// several positions and lengths of a [`MerkleProof`] describe the same steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerklePath {
    /// Bit i, from the lowest, is set if sibling i stands on the left.
    pub sides: u64,
    /// Sibling hashes from the leaf to the root.
    pub siblings: Vec<Hash32>,
}

impl MerklePath {
    /// The root that the path leads to from `leaf`.
    #[must_use]
    pub fn root(&self, leaf: &[u8]) -> Hash32 {
        let mut hash = leaf_node(leaf);
        let mut sides = self.sides;
        for sibling in &self.siblings {
            hash = if sides & 1 == 1 {
                inner_node(sibling, &hash)
            } else {
                inner_node(&hash, sibling)
            };
            sides >>= 1;
        }
        hash
    }
}

impl Encode for MerklePath {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(&self.siblings, out);
        self.sides.encode(out);
    }
}

impl Decode for MerklePath {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let siblings: Vec<Hash32> = reader.list("merkle path", MERKLE_PATH_MAX)?;
        let sides = u64::decode(reader)?;
        let unused =
            u32::try_from(siblings.len()).map_or(0, |steps| sides.checked_shr(steps).unwrap_or(0));
        if unused != 0 {
            return Err(CodecError::NotCanonical {
                field: "merkle path",
            });
        }
        Ok(Self { sides, siblings })
    }
}

pub(crate) fn leaf_node(bytes: &[u8]) -> Hash32 {
    sha256_prefixed(LEAF, &[bytes])
}

pub(crate) fn inner_node(left: &Hash32, right: &Hash32) -> Hash32 {
    sha256_prefixed(NODE, &[&left.0, &right.0])
}

/// The largest power of two below `length`, for `length >= 2`.
pub(crate) const fn split(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}

fn middle_of(leaves: &[Hash32]) -> usize {
    in_memory(split(leaves.len() as u64))
}

/// A number of hashes that are held in memory.
pub(crate) fn in_memory(count: u64) -> usize {
    usize::try_from(count).expect("what is in memory can be counted")
}

fn subtree_root(leaves: &[Hash32]) -> Hash32 {
    match leaves {
        [] => {
            use sha2::Digest;
            Hash32(sha2::Sha256::digest([]).into())
        }
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(middle_of(leaves));
            inner_node(&subtree_root(left), &subtree_root(right))
        }
    }
}

fn collect_path(leaves: &[Hash32], index: usize, path: &mut Vec<Hash32>) {
    if leaves.len() < 2 {
        return;
    }
    let middle = middle_of(leaves);
    let (left, right) = leaves.split_at(middle);
    if index < middle {
        collect_path(left, index, path);
        path.push(subtree_root(right));
    } else {
        collect_path(right, index - middle, path);
        path.push(subtree_root(left));
    }
}

impl Encode for MerkleProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.index.encode(out);
        self.size.encode(out);
        encode_list(&self.path, out);
    }
}

impl Decode for MerkleProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            index: Decode::decode(reader)?,
            size: Decode::decode(reader)?,
            path: reader.list("merkle path", MERKLE_PATH_MAX)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roots_of_rfc_6962_test_tree() {
        // Leaves and roots from the reference tests of certificate-transparency (merkletree/merkle_tree_test).
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let known = [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            ),
            (
                2,
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            ),
            (
                3,
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            ),
            (
                8,
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ),
        ];
        for (count, root) in known {
            assert_eq!(
                merkle_root(&leaves[..count]).to_hex(),
                root,
                "{count} leaves"
            );
        }
    }

    proptest! {
        #[test]
        fn every_leaf_proves_and_nothing_else_does(size in 1usize..70, salt: u8) {
            let leaves: Vec<[u8; 2]> = (0..size).map(|leaf| [u8::try_from(leaf).unwrap(), salt]).collect();
            let tree = MerkleTree::new(&leaves);
            let root = tree.root();
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = tree.proof(index).unwrap();
                prop_assert!(proof.verifies(&root, leaf));
                prop_assert!(!proof.verifies(&root, b"other"));
                prop_assert!(!proof.verifies(&Hash32::ZERO, leaf));
                let mut moved = proof.clone();
                moved.index = (moved.index + 1) % (moved.size + 1);
                prop_assert!(!moved.verifies(&root, leaf));
                let mut longer = proof.clone();
                longer.path.push(Hash32::ZERO);
                prop_assert!(!longer.verifies(&root, leaf));
                let mut shorter = proof.clone();
                if shorter.path.pop().is_some() {
                    prop_assert!(!shorter.verifies(&root, leaf));
                }
                let path = proof.to_path().unwrap();
                prop_assert_eq!(path.root(leaf), root);
                prop_assert_eq!(MerklePath::from_bytes(&path.to_bytes()), Ok(path));
                prop_assert_eq!(MerkleProof::from_bytes(&proof.to_bytes()), Ok(proof));
            }
            prop_assert!(tree.proof(size).is_none());
        }
    }
}
