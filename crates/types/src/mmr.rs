//! Mountain ranges: lists that only grow, with proofs of any run of entries, and that one list is the start of another.
//!
//! The tree over the entries is that of RFC 6962 section 2.1, with its prefixes. Of a list of n entries it consists of one
//! complete tree for each bit of n, largest first (the *peaks*), joined from the right. So [`Peaks`], at most 64 hashes,
//! are all that appending takes. A range's root binds the number of entries: SHA-256 of a tag, n and the tree's hash.
//!
//! A [`RangeProof`] shows the entries `start..start + k` of a list of n: the peaks of the list's first `start` entries, which are
//! the siblings to the left, then the siblings to the right, all from left to right. With k = 1 it proves
//! inclusion; with k = 0 it proves that a list of `start` entries is the beginning of this one, and of which list.

use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, encode_list};
use crate::domain::DomainTag;
use crate::hash::Sha256;
use crate::ids::Hash32;
use crate::limits::RANGE_PATH_MAX;
use crate::merkle::{in_memory, inner_node, leaf_node, merkle_root, split};

/// The complete trees of a list that only grows, largest first: what appending to it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peaks {
    count: u64,
    hashes: Vec<Hash32>,
}

impl Peaks {
    /// Of an empty list.
    pub const EMPTY: Self = Self {
        count: 0,
        hashes: Vec::new(),
    };

    /// How many entries the list has.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds an entry at the end. The list must have fewer than 2^64 - 1 entries, which nobody can reach one by one.
    pub fn append(&mut self, leaf: &[u8]) {
        self.append_hash(leaf_node(leaf));
    }

    /// The root: SHA-256 of the tag `mmr-root`, the number of entries and the tree's hash.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        root_of(self.count, &bag(&self.hashes))
    }

    fn append_hash(&mut self, mut hash: Hash32) {
        let mut merges = self.count.trailing_ones();
        while merges > 0
            && let Some(left) = self.hashes.pop()
        {
            hash = inner_node(&left, &hash);
            merges -= 1;
        }
        self.hashes.push(hash);
        self.count += 1;
    }
}

impl Encode for Peaks {
    fn encode(&self, out: &mut Vec<u8>) {
        self.count.encode(out);
        for hash in &self.hashes {
            hash.encode(out);
        }
    }
}

impl Decode for Peaks {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let count = u64::decode(reader)?;
        // One peak for each bit of the number of entries, so 64 at most.
        let hashes = (0..count.count_ones()).map(|_| Hash32::decode(reader));
        let hashes = hashes.collect::<Result<_, _>>()?;
        Ok(Self { count, hashes })
    }
}

/// A list that only grows, as hashes of its entries. Entries at its beginning may be dropped; what is left can be proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mmr {
    /// Of the entries that were dropped.
    base: Peaks,
    /// Hashes of the entries after them.
    leaves: Vec<Hash32>,
    /// Of all entries.
    head: Peaks,
}

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MmrError {
    /// The entries or the size asked for are not those of a list that there was, or are in the wrong order.
    #[error("entries {start}..{end} of {size} are not within {count}")]
    Bounds {
        /// First entry asked for.
        start: u64,
        /// The entry after the last one asked for.
        end: u64,
        /// Size of the list for which the proof should be.
        size: u64,
        /// Size of the list there is.
        count: u64,
    },
    /// The entries were dropped.
    #[error("entries below {base} were dropped, and {start} is asked for")]
    Dropped {
        /// First entry asked for.
        start: u64,
        /// First entry that is still there.
        base: u64,
    },
}

impl Mmr {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            base: Peaks::EMPTY,
            leaves: Vec::new(),
            head: Peaks::EMPTY,
        }
    }

    /// How many entries the list has, dropped ones included.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.head.count
    }

    /// The first entry that was not dropped.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base.count
    }

    /// The root; see [`Peaks::root`].
    #[must_use]
    pub fn root(&self) -> Hash32 {
        self.head.root()
    }

    /// Adds an entry at the end.
    pub fn append(&mut self, leaf: &[u8]) {
        let hash = leaf_node(leaf);
        self.leaves.push(hash);
        self.head.append_hash(hash);
    }

    /// The peaks when the list had `count` entries.
    ///
    /// # Errors
    /// [`MmrError`].
    pub fn peaks_at(&self, count: u64) -> Result<Peaks, MmrError> {
        self.check(count, count, count)?;
        let mut peaks = self.base.clone();
        for hash in self.between(self.base.count, count) {
            peaks.append_hash(*hash);
        }
        Ok(peaks)
    }

    /// Drops the entries before `start`; what was dropped cannot be proved any more. Does nothing if they already are.
    ///
    /// # Errors
    /// [`MmrError::Bounds`] past the end.
    pub fn drop_before(&mut self, start: u64) -> Result<(), MmrError> {
        if start <= self.base.count {
            return Ok(());
        }
        self.base = self.peaks_at(start)?;
        let kept = in_memory(self.head.count - start);
        self.leaves.drain(..self.leaves.len() - kept);
        Ok(())
    }

    /// Proof of the entries `start..end` when the list had `size` entries. With `start == end` it proves that the list of
    /// `start` entries is the beginning of that of `size`.
    ///
    /// # Errors
    /// [`MmrError`].
    pub fn prove(&self, start: u64, end: u64, size: u64) -> Result<RangeProof, MmrError> {
        self.check(start, end, size)?;
        let mut path = self.peaks_at(start)?.hashes;
        self.right_siblings(0, size, end, &mut path);
        Ok(RangeProof { start, size, path })
    }

    const fn check(&self, start: u64, end: u64, size: u64) -> Result<(), MmrError> {
        if start > end || end > size || size > self.head.count {
            return Err(MmrError::Bounds {
                start,
                end,
                size,
                count: self.head.count,
            });
        }
        if start < self.base.count {
            return Err(MmrError::Dropped {
                start,
                base: self.base.count,
            });
        }
        Ok(())
    }

    /// Hashes of the entries `from..to`, none of which was dropped.
    fn between(&self, from: u64, to: u64) -> &[Hash32] {
        let position = |entry: u64| in_memory(entry - self.base.count);
        &self.leaves[position(from)..position(to)]
    }

    /// Hashes of the subtrees of `low..high` that begin at `end` or later and whose parents do not, from left to right.
    fn right_siblings(&self, low: u64, high: u64, end: u64, path: &mut Vec<Hash32>) {
        if high <= end {
            return;
        }
        if low >= end {
            path.push(tree_hash(self.between(low, high)));
            return;
        }
        let middle = low + split(high - low);
        self.right_siblings(low, middle, end, path);
        self.right_siblings(middle, high, end, path);
    }
}

/// Proof that consecutive entries stand in a list of known size, and what stood before them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RangeProof {
    /// Number of the first entry, from 0.
    pub start: u64,
    /// Size of the list.
    pub size: u64,
    /// Siblings from left to right: first the peaks of the entries before `start`.
    pub path: Vec<Hash32>,
}

impl RangeProof {
    /// Checks that `leaves` stand from [`RangeProof::start`] on in the list with this `root`. Returns the peaks of the entries
    /// before them, which are proved too; `None` if the proof does not hold.
    ///
    /// The work is at most 64 hashes for each leaf and for each side.
    #[must_use]
    pub fn verify<T: AsRef<[u8]>>(&self, root: &Hash32, leaves: &[T]) -> Option<Peaks> {
        let end = self.start.checked_add(leaves.len() as u64)?;
        if end > self.size {
            return None;
        }
        let left = self.start.count_ones() as usize;
        let (left, right) = self.path.split_at_checked(left)?;
        let mut walk = Walk {
            start: self.start,
            end,
            left: left.iter(),
            leaves: leaves.iter(),
            right: right.iter(),
        };
        let (tree, consumed) = if self.start == self.size {
            // Nothing is to the right, and the peaks are the list's own.
            (bag(left), right.is_empty())
        } else {
            let tree = walk.hash(0, self.size)?;
            (tree, walk.left.len() == 0 && walk.right.len() == 0)
        };
        let proved = consumed && root_of(self.size, &tree) == *root;
        proved.then(|| Peaks {
            count: self.start,
            hashes: left.to_vec(),
        })
    }
}

impl Encode for RangeProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.start.encode(out);
        self.size.encode(out);
        encode_list(&self.path, out);
    }
}

impl Decode for RangeProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            start: Decode::decode(reader)?,
            size: Decode::decode(reader)?,
            path: reader.list("range path", RANGE_PATH_MAX)?,
        })
    }
}

/// A walk through the tree from left to right that takes hashes of a proof outside the range and leaves inside.
struct Walk<'a, T> {
    start: u64,
    end: u64,
    left: core::slice::Iter<'a, Hash32>,
    leaves: core::slice::Iter<'a, T>,
    right: core::slice::Iter<'a, Hash32>,
}

impl<T: AsRef<[u8]>> Walk<'_, T> {
    /// Hash of the subtree over `low..high`, which is not empty.
    fn hash(&mut self, low: u64, high: u64) -> Option<Hash32> {
        if high <= self.start {
            return self.left.next().copied();
        }
        if low >= self.end {
            return self.right.next().copied();
        }
        if high - low == 1 {
            return self.leaves.next().map(|leaf| leaf_node(leaf.as_ref()));
        }
        let middle = low + split(high - low);
        let left = self.hash(low, middle)?;
        let right = self.hash(middle, high)?;
        Some(inner_node(&left, &right))
    }
}

/// The tree's hash of its peaks, joined from the right; of none, that of an empty list.
fn bag(peaks: &[Hash32]) -> Hash32 {
    let mut peaks = peaks.iter().rev();
    let Some(last) = peaks.next() else {
        return merkle_root::<&[u8]>([]);
    };
    peaks.fold(*last, |right, left| inner_node(left, &right))
}

/// The tree's hash over hashes of leaves.
fn tree_hash(leaves: &[Hash32]) -> Hash32 {
    let mut peaks = Peaks::EMPTY;
    for hash in leaves {
        peaks.append_hash(*hash);
    }
    bag(&peaks.hashes)
}

fn root_of(count: u64, tree: &Hash32) -> Hash32 {
    let hash = Sha256::new(DomainTag::MmrRoot)
        .chain(count.to_le_bytes())
        .chain(tree);
    Hash32(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf(entry: u64) -> Vec<u8> {
        entry.to_le_bytes()[..1 + in_memory(entry % 3)].to_vec()
    }

    fn range(count: u64) -> Mmr {
        let mut range = Mmr::new();
        for entry in 0..count {
            range.append(&leaf(entry));
        }
        range
    }

    fn leaves(start: u64, end: u64) -> Vec<Vec<u8>> {
        (start..end).map(leaf).collect()
    }

    /// The slow, obvious model: the whole tree of RFC 6962, with the count bound to it.
    fn slow_root(count: u64) -> Hash32 {
        root_of(count, &merkle_root(leaves(0, count)))
    }

    #[test]
    fn roots_peaks_and_old_peaks_are_those_of_the_whole_tree() {
        let whole = range(140);
        for count in 0..=140 {
            let range = range(count);
            assert_eq!(range.root(), slow_root(count), "{count}");
            let peaks = whole.peaks_at(count).unwrap();
            assert_eq!(peaks, range.head);
            assert_eq!(Peaks::from_bytes(&peaks.to_bytes()), Ok(peaks));
        }
    }

    #[test]
    fn every_run_of_every_size_is_proved_and_so_is_what_stood_before_it() {
        let whole = range(35);
        for size in 0..=35 {
            let root = slow_root(size);
            for start in 0..=size {
                for end in start..=size {
                    let proof = whole.prove(start, end, size).unwrap();
                    let before = proof.verify(&root, &leaves(start, end));
                    assert_eq!(before, whole.peaks_at(start).ok(), "{start}..{end}/{size}");
                }
            }
        }
    }

    #[test]
    fn one_leaf_is_proved_by_the_hashes_of_the_tree_s_own_path() {
        let tree = crate::MerkleTree::new(leaves(0, 57));
        let whole = range(57);
        for index in 0..57u64 {
            let mut ours = whole.prove(index, index + 1, 57).unwrap().path;
            let mut theirs = tree.proof(in_memory(index)).unwrap().path;
            ours.sort_unstable();
            theirs.sort_unstable();
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn dropping_entries_changes_no_root_and_no_later_proof() {
        let whole = range(75);
        let mut short = whole.clone();
        for base in [0, 1, 5, 16, 33, 64, 74, 75] {
            short.drop_before(base).unwrap();
            assert_eq!((short.base(), short.count()), (base, 75));
            assert_eq!(short.root(), whole.root());
            for (start, end) in [(base, 75), (base, base), (74.max(base), 75)] {
                assert_eq!(short.prove(start, end, 75), whole.prove(start, end, 75));
            }
        }
        assert_eq!(
            short.prove(74, 75, 75),
            Err(MmrError::Dropped {
                start: 74,
                base: 75
            })
        );
        short.append(&leaf(75));
        assert_eq!(short.root(), slow_root(76));
        assert!(matches!(
            short.drop_before(77),
            Err(MmrError::Bounds { .. })
        ));
        short.drop_before(3).unwrap();
        assert_eq!(short.base(), 75);
    }

    #[test]
    fn what_was_never_there_has_no_proof() {
        let whole = range(5);
        for (start, end, size) in [(0, 6, 6), (3, 2, 5), (0, 4, 3), (6, 6, 6)] {
            let bounds = MmrError::Bounds {
                start,
                end,
                size,
                count: 5,
            };
            assert_eq!(whole.prove(start, end, size), Err(bounds));
        }
    }

    #[test]
    fn a_proof_for_a_list_of_any_claimed_size_is_refused_quickly() {
        for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
            for start in [0, 1, size - 1, size] {
                for length in [0, 1, 64, 128] {
                    let path = alloc::vec![Hash32::ZERO; length];
                    let proof = RangeProof { start, size, path };
                    assert_eq!(proof.verify(&Hash32::ZERO, &[b"x"]), None);
                    assert_eq!(proof.verify(&Hash32::ZERO, &leaves(0, 0)), None);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_flipped_bit_of_a_proof_or_a_leaf_or_the_root_is_refused(
            size in 1u64..200, at: (prop::sample::Index, prop::sample::Index), flip: prop::sample::Index, bit in 0u8..8,
        ) {
            let whole = range(size);
            let places = [at.0, at.1].map(|at| at.index(usize::try_from(size).unwrap() + 1) as u64);
            let (start, end) = (places[0].min(places[1]), places[0].max(places[1]));
            let proof = whole.prove(start, end, size).unwrap();
            let root = whole.root();
            prop_assert!(proof.verify(&root, &leaves(start, end)).is_some());
            let mut bytes = proof.to_bytes();
            let place = flip.index(bytes.len());
            bytes[place] ^= 1 << bit;
            if let Ok(other) = RangeProof::from_bytes(&bytes) {
                // Where nothing is shown but a beginning, other bytes may show another beginning, and then say which.
                let shown = other.verify(&root, &leaves(start, end));
                let elsewhere = (start == end && other.start != start)
                    .then(|| whole.peaks_at(other.start).ok())
                    .flatten();
                prop_assert!(shown.is_none() || shown == elsewhere);
            }
            let mut longer = proof.clone();
            longer.path.push(Hash32::ZERO);
            prop_assert_eq!(longer.verify(&root, &leaves(start, end)), None);
            if end < size {
                prop_assert_eq!(proof.verify(&root, &leaves(start, end + 1)), None);
            }
            if start < end {
                prop_assert_eq!(proof.verify(&root, &leaves(start, end - 1)), None);
                let mut bad = leaves(start, end);
                let place = flip.index(bad.len());
                bad[place][0] ^= 1 << bit;
                prop_assert_eq!(proof.verify(&root, &bad), None);
            }
            prop_assert_eq!(proof.verify(&slow_root(size + 1), &leaves(start, end)), None);
        }

        #[test]
        fn a_list_that_differs_anywhere_is_no_beginning(size in 1u64..150, old in 0u64..150, at: prop::sample::Index) {
            let old = old % (size + 1);
            let proof = range(size).prove(old, old, size).unwrap();
            let none: &[Vec<u8>] = &[];
            let before = proof.verify(&slow_root(size), none).unwrap();
            prop_assert_eq!(before.root(), slow_root(old));
            if old > 0 {
                let mut other = Peaks::EMPTY;
                let changed = at.index(usize::try_from(old).unwrap()) as u64;
                for entry in 0..old {
                    other.append(&leaf(if entry == changed { 1000 } else { entry }));
                }
                prop_assert_ne!(before, other);
            }
        }
    }
}
