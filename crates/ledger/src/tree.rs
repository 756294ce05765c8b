//! The state tree: a persistent binary sparse Merkle tree in memory.
//!
//! Shape and hashes are those that [`StateProof`] documents: 256-bit key hashes read from the most significant bit, a
//! subtree with one leaf is that leaf, an empty subtree is zero. Nodes are shared and never change, so a copy of the
//! tree costs one reference count, and old copies stay valid while new leaves are written.
//!
//! There is no deletion: neither accounts nor assets ever leave the state.
//!
//! Depth is at most 256, because two distinct keys differ in one of their 256 bits; so recursion, in dropping a tree
//! too, is bounded by that.

use std::sync::Arc;

use quorate_types::{EMPTY_STATE_ROOT, Hash32, SparseLeaf, StateProof, internal_hash, leaf_hash};

/// A persistent sparse Merkle tree with a value beside each leaf. `clone` is O(1).
#[derive(Debug)]
pub struct StateTree<V> {
    root: Node<V>,
    leaves: usize,
}

#[derive(Debug)]
enum Node<V> {
    Empty,
    Leaf(Arc<Leaf<V>>),
    Inner(Arc<Inner<V>>),
}

#[derive(Debug)]
struct Leaf<V> {
    place: SparseLeaf,
    hash: Hash32,
    value: V,
}

#[derive(Debug)]
struct Inner<V> {
    hash: Hash32,
    left: Node<V>,
    right: Node<V>,
}

impl<V> StateTree<V> {
    /// A tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            root: Node::Empty,
            leaves: 0,
        }
    }

    /// The root hash; zero without leaves.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        self.root.hash()
    }

    /// How many keys have a value.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.leaves
    }

    /// Whether no key has a value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// Writes leaves and the values beside them, in any order; of several for one key the last one stays. Each node on
    /// the way is hashed once, whatever the number of leaves below it.
    pub fn apply(&mut self, writes: impl IntoIterator<Item = (SparseLeaf, V)>) {
        let mut leaves: Vec<Arc<Leaf<V>>> = writes
            .into_iter()
            .map(|(place, value)| {
                let hash = leaf_hash(&place);
                Arc::new(Leaf { place, hash, value })
            })
            .collect();
        // Stable, so that the writes of one key keep their order, and after reversal the last comes first.
        leaves.reverse();
        leaves.sort_by_key(|leaf| leaf.place.key_hash);
        leaves.dedup_by_key(|leaf| leaf.place.key_hash);
        let (root, added) = self.root.put(&leaves, 0);
        self.root = root;
        self.leaves += added;
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key_hash: &Hash32) -> Option<&V> {
        let leaf = self.descend(key_hash, |_| ())?;
        (leaf.place.key_hash == *key_hash).then_some(&leaf.value)
    }

    /// The value of a key, and the proof of it or of its absence.
    #[must_use]
    pub fn prove(&self, key_hash: &Hash32) -> (Option<&V>, StateProof) {
        let mut siblings = Vec::new();
        let leaf = self.descend(key_hash, |sibling| siblings.push(sibling.hash()));
        let value = leaf
            .filter(|leaf| leaf.place.key_hash == *key_hash)
            .map(|leaf| &leaf.value);
        let leaf = leaf.map(|leaf| leaf.place);
        (value, StateProof { leaf, siblings })
    }

    /// All values in ascending order of their key hashes.
    pub fn iter(&self) -> impl Iterator<Item = &V> {
        self.root.values()
    }

    /// The largest subtree on a key's path whose values together weigh at most `weight_max`, or what stands at the path's
    /// end if even that weighs more: its values in ascending order of their key hashes, and the siblings from the root down
    /// to it, as many as the subtree is deep.
    #[must_use]
    pub fn subtree(
        &self,
        key_hash: &Hash32,
        weight_max: usize,
        weight: impl Fn(&V) -> usize,
    ) -> (Vec<&V>, Vec<Hash32>) {
        let mut path = vec![&self.root];
        let mut siblings = Vec::new();
        while let Some(Node::Inner(inner)) = path.last() {
            let (next, sibling) = if key_hash.bit(siblings.len()) {
                (&inner.right, &inner.left)
            } else {
                (&inner.left, &inner.right)
            };
            siblings.push(sibling);
            path.push(next);
        }
        let mut depth = siblings.len();
        let mut total = path[depth].weigh(usize::MAX, &weight).unwrap_or(usize::MAX);
        while depth > 0 {
            let left = weight_max.checked_sub(total);
            let Some(more) = left.and_then(|left| siblings[depth - 1].weigh(left, &weight)) else {
                break;
            };
            total += more;
            depth -= 1;
        }
        let siblings = siblings[..depth].iter().map(|node| node.hash()).collect();
        (path[depth].values().collect(), siblings)
    }

    /// The leaf at the end of a key's path, which may be another key's. `passed` sees the siblings on the way.
    fn descend<'a>(
        &'a self,
        key_hash: &Hash32,
        mut passed: impl FnMut(&'a Node<V>),
    ) -> Option<&'a Leaf<V>> {
        let mut node = &self.root;
        let mut depth = 0;
        loop {
            match node {
                Node::Empty => return None,
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => {
                    let (next, sibling) = if key_hash.bit(depth) {
                        (&inner.right, &inner.left)
                    } else {
                        (&inner.left, &inner.right)
                    };
                    passed(sibling);
                    node = next;
                    depth += 1;
                }
            }
        }
    }
}

impl<V> Default for StateTree<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Clone for StateTree<V> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            leaves: self.leaves,
        }
    }
}

impl<V> Clone for Node<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Inner(inner) => Self::Inner(inner.clone()),
        }
    }
}

impl<V> Node<V> {
    fn hash(&self) -> Hash32 {
        match self {
            Self::Empty => EMPTY_STATE_ROOT,
            Self::Leaf(leaf) => leaf.hash,
            Self::Inner(inner) => inner.hash,
        }
    }

    fn values(&self) -> impl Iterator<Item = &V> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            loop {
                match waiting.pop()? {
                    Self::Empty => {}
                    Self::Leaf(leaf) => return Some(&leaf.value),
                    Self::Inner(inner) => waiting.extend([&inner.right, &inner.left]),
                }
            }
        })
    }

    /// What all values weigh together; `None` if that is more than `most`, found out without visiting the rest.
    fn weigh(&self, most: usize, weight: impl Fn(&V) -> usize) -> Option<usize> {
        self.values().try_fold(0usize, |sum, value| {
            sum.checked_add(weight(value)).filter(|sum| *sum <= most)
        })
    }

    fn inner(left: Self, right: Self) -> Self {
        let hash = internal_hash(&left.hash(), &right.hash());
        Self::Inner(Arc::new(Inner { hash, left, right }))
    }

    /// This subtree with `leaves` written, and how many of them are new. `leaves` are strictly ascending and agree with
    /// each other and with this subtree in their first `depth` bits.
    fn put(&self, leaves: &Leaves<V>, depth: usize) -> (Self, usize) {
        if leaves.is_empty() {
            return (self.clone(), 0);
        }
        match self {
            Self::Empty => (Self::build(leaves, depth), leaves.len()),
            Self::Leaf(old) => {
                let position =
                    leaves.binary_search_by_key(&old.place.key_hash, |leaf| leaf.place.key_hash);
                match position {
                    Ok(_) => (Self::build(leaves, depth), leaves.len() - 1),
                    Err(position) => {
                        let mut all = leaves.to_vec();
                        all.insert(position, old.clone());
                        (Self::build(&all, depth), leaves.len())
                    }
                }
            }
            Self::Inner(inner) => {
                let (left, right) = split(leaves, depth);
                let (left, left_added) = inner.left.put(left, depth + 1);
                let (right, right_added) = inner.right.put(right, depth + 1);
                (Self::inner(left, right), left_added + right_added)
            }
        }
    }

    fn build(leaves: &Leaves<V>, depth: usize) -> Self {
        match leaves {
            [] => Self::Empty,
            [leaf] => Self::Leaf(leaf.clone()),
            _ => {
                let (left, right) = split(leaves, depth);
                Self::inner(Self::build(left, depth + 1), Self::build(right, depth + 1))
            }
        }
    }
}

/// The hash of the subtree at `depth` with exactly these leaves, strictly ascending, which agree in their first `depth` bits.
pub(crate) fn subtree_hash(places: &[SparseLeaf], depth: usize) -> Hash32 {
    let leaves: Vec<Arc<Leaf<()>>> = places
        .iter()
        .map(|&place| {
            let hash = leaf_hash(&place);
            let value = ();
            Arc::new(Leaf { place, hash, value })
        })
        .collect();
    Node::build(&leaves, depth).hash()
}

/// Leaves in strictly ascending order of their keys.
type Leaves<V> = [Arc<Leaf<V>>];

/// Parts ascending leaves by bit `depth` of their keys.
fn split<V>(leaves: &Leaves<V>, depth: usize) -> (&Leaves<V>, &Leaves<V>) {
    leaves.split_at(leaves.partition_point(|leaf| !leaf.place.key_hash.bit(depth)))
}
