//! Finding chunks: the discrete logarithms of small multiples of the generator.
//!
//! An honest dealer's chunks are below 2^16. All such multiples stand in a table, and each chunk is compared with
//! every entry of it: whatever the chunk is, the same memory is read in the same order and the same instructions run,
//! so that neither the time it takes nor the addresses in a cache depend on it. (Rust promises no constant time; the
//! comparisons are arithmetic on masks, which compilers leave alone.)
//!
//! A dealer that cheats can encrypt larger chunks, or negative ones, of a magnitude that the chunking proof bounds.
//! These are searched for with baby steps and giant steps (Shanks), in a time that does depend on the chunk: it is
//! a number that the cheater chose, and evidence against it publishes it. That a chunk is not in the table is seen by
//! a later step's duration too, and also tells of nothing but a cheater.

use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::parameters::CHUNK_BITS;
use crate::bls::{Around, G1, Scalar, visit_multiples};

/// Chunks that an honest dealer encrypts.
pub(super) const CANONICAL: u32 = 1 << CHUNK_BITS;
/// Entries that are compared with one chunk after the other while a core's nearest cache holds them.
const SCAN_BLOCK: usize = 1024;

/// Discrete logarithms of chunks to the generator of G1. Build one, share it by reference.
///
/// The table of honest chunks takes 1 MiB. A second one of 19 MiB is built when the first chunk is met that is not
/// in it, which takes a cheating dealer.
pub struct ChunkTable {
    /// Halves of the tags of 0, 1, .., 2^16 - 1 times the generator.
    low: Vec<u64>,
    high: Vec<u64>,
    search: OnceLock<Search>,
}

impl ChunkTable {
    /// Computes the table of honest chunks: some hundredths of a second.
    #[must_use]
    pub fn new() -> Self {
        let [low, high] = G1::identity().tag();
        let (mut low, mut high) = (vec![low], vec![high]);
        low.reserve_exact(CANONICAL as usize - 1);
        high.reserve_exact(CANONICAL as usize - 1);
        visit_multiples(&G1::generator(), CANONICAL - 1, |_, point| {
            let tag = point.tag();
            low.push(tag[0]);
            high.push(tag[1]);
        });
        Self {
            low,
            high,
            search: OnceLock::new(),
        }
    }

    /// For every point the v below 2^16 of which it is the multiple, plus one; 0 for other points. Takes the same time
    /// for all points.
    ///
    /// Of a point that is none of these multiples, but within the bound of the chunking proof, the 128 bits of the
    /// tag agree with none of theirs: among 2^16 * 2^37 pairs that is a matter of 2^-75.
    pub(super) fn canonical(&self, points: &[G1]) -> Zeroizing<Vec<u64>> {
        let mut found = Zeroizing::new(vec![0u64; points.len()]);
        let blocks = self
            .low
            .chunks(SCAN_BLOCK)
            .zip(self.high.chunks(SCAN_BLOCK));
        for (first, (low, high)) in (1..).step_by(SCAN_BLOCK).zip(blocks) {
            for (found, point) in found.iter_mut().zip(points) {
                *found |= scan(first, low, high, point.tag());
            }
        }
        found
    }

    /// The v of a magnitude below `bound` of which `point` is the multiple. Builds the larger table if it is not there
    /// yet: some tenths of a second.
    pub(super) fn search(&self, point: &G1, bound: u64) -> Option<i64> {
        self.search.get_or_init(Search::new).find(point, bound)
    }
}

impl Default for ChunkTable {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of the entry that is `tag`, the first being `first`, or 0.
#[inline(never)]
fn scan(first: u64, low: &[u64], high: &[u64], tag: [u64; 2]) -> u64 {
    let mut found = 0;
    // Wrapping, though it never does: a check for overflow keeps the compiler from comparing several at once.
    let mut number = first;
    for (low, high) in low.iter().zip(high) {
        let difference = (low ^ tag[0]) | (high ^ tag[1]);
        // All ones if there is no difference.
        let equal = ((difference | difference.wrapping_neg()) >> 63).wrapping_sub(1);
        found |= number & equal;
        number = number.wrapping_add(1);
    }
    found
}

/// Baby steps: multiples 1..=BABIES of the generator are in the table.
const BABIES: u32 = 1 << 20;
/// A giant step. A baby step finds a point and its inverse, so that a window around each giant step is twice as wide.
const GIANT: i64 = 2 * BABIES as i64;
/// Giant steps on either side. They reach 2^36, above the bound of every dealing: for 128 members and two lanes it is
/// 2 * 128 * 128 * 32 * (2^16 - 1).
const GIANTS: u32 = 1 << 15;
/// Slots of the table: half of them are taken.
const SLOT_BITS: u32 = 21;
/// Bits of a slot that hold the number of the baby step; the others hold the tag's lower bits.
const NUMBER_BITS: u32 = 21;

/// The larger table, for chunks of cheating dealers.
struct Search {
    /// A hash table with open addressing, 16 MiB. The place follows from the tag's upper bits; 0 is an empty slot.
    slots: Vec<u64>,
    /// The giant steps, 3 MiB.
    giants: Vec<G1>,
}

impl Search {
    fn new() -> Self {
        let mut slots = vec![0; 1 << SLOT_BITS];
        visit_multiples(&G1::generator(), BABIES, |number, point| {
            let (mut place, lower) = hash(point.tag_of_x());
            while slots[place] != 0 {
                place = (place + 1) % slots.len();
            }
            slots[place] = lower << NUMBER_BITS | u64::from(number);
        });
        let mut giants = Vec::with_capacity(GIANTS as usize);
        let step = G1::generator().multiply(&scalar(GIANT));
        visit_multiples(&step, GIANTS, |_, point| giants.push(*point));
        Self { slots, giants }
    }

    fn find(&self, point: &G1, bound: u64) -> Option<i64> {
        let confirm = |value: i64| {
            let within = value.unsigned_abs() < bound;
            (within && G1::generator().multiply(&scalar(value)) == *point).then_some(value)
        };
        if point.is_identity() {
            return confirm(0);
        }
        // The window around zero, then those around the giant steps, from the nearest on both sides.
        let near = |center: i64, tag| {
            self.babies(tag)
                .find_map(|baby| confirm(center + baby).or_else(|| confirm(center - baby)))
        };
        if let Some(value) = near(0, point.tag_of_x()) {
            return Some(value);
        }
        let steps = usize::try_from(bound.div_ceil(GIANT.unsigned_abs())).unwrap_or(usize::MAX);
        let giants = &self.giants[..steps.min(self.giants.len())];
        Around::default().visit(point, giants, |position, tags| {
            let center = GIANT * (1 + i64::try_from(position).expect("as many as giant steps"));
            match tags {
                None => confirm(center).or_else(|| confirm(-center)),
                // The point plus a giant step is a baby step: it lies that giant step below zero.
                Some([plus, minus]) => near(-center, plus).or_else(|| near(center, minus)),
            }
        })
    }

    /// The baby steps that may have this tag: nearly always none, or the one that does.
    #[inline]
    fn babies(&self, tag: u64) -> impl Iterator<Item = i64> {
        let (start, lower) = hash(tag);
        let mask = (1 << NUMBER_BITS) - 1;
        let wrapped = self.slots[start..].iter().chain(&self.slots[..start]);
        wrapped
            .take_while(|slot| **slot != 0)
            .filter(move |slot| **slot >> NUMBER_BITS == lower)
            .map(move |slot| i64::try_from(slot & mask).expect("21 bits"))
    }
}

/// The place of a tag in the table and the part of it that is stored there.
fn hash(tag: u64) -> (usize, u64) {
    let place = usize::try_from(tag >> (u64::BITS - SLOT_BITS)).expect("21 bits");
    (place, tag & (u64::MAX >> NUMBER_BITS))
}

/// A signed number modulo the group order.
pub(super) fn scalar(number: i64) -> Scalar {
    let magnitude = Scalar::from(number.unsigned_abs());
    if number < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Z of the largest dealing, and of the smallest.
    const BOUNDS: [u64; 2] = [2 * 128 * 128 * 32 * 65_535, 2 * 128 * 4 * 16 * 65_535];

    fn point(value: i64) -> G1 {
        G1::generator().multiply(&scalar(value))
    }

    #[test]
    fn all_honest_chunks_are_in_the_table_and_nothing_else() {
        let table = ChunkTable::new();
        for value in [
            0, 1, 2, 511, 512, 513, 1023, 1024, 1025, 32_768, 65_534, 65_535,
        ] {
            assert_eq!(
                *table.canonical(&[point(value)]),
                [value.unsigned_abs() + 1]
            );
        }
        let others = [-1, -2, -65_535, 65_536, 65_537, 1 << 20, -(1 << 35)].map(point);
        assert_eq!(*table.canonical(&others), [0; 7]);
        assert_eq!(
            *table.canonical(&[point(7), point(-7), point(8)]),
            [8, 0, 9]
        );
        // Every entry is the one before plus the generator.
        let mut multiple = G1::identity();
        for (low, high) in table.low.iter().zip(&table.high) {
            assert_eq!(multiple.tag(), [*low, *high]);
            multiple = multiple.add(&G1::generator());
        }
        assert_eq!(multiple, point(65_536));
    }

    #[test]
    fn every_chunk_within_the_bound_is_found_and_none_beyond() {
        let table = ChunkTable::new();
        let babies = i64::from(BABIES);
        for bound in BOUNDS {
            let largest = i64::try_from(bound).unwrap() - 1;
            let windows = largest / GIANT;
            let mut values = vec![
                0,
                1,
                2,
                65_535,
                65_536,
                babies - 1,
                babies,
                babies + 1,
                largest,
            ];
            for window in [1, 2, windows / 2, windows] {
                let around = [0, 1, 511, 512, babies - 1, babies];
                values.extend(
                    around
                        .iter()
                        .flat_map(|near| [GIANT * window - near, GIANT * window + near]),
                );
            }
            for value in values.into_iter().filter(|value| *value <= largest) {
                assert_eq!(table.search(&point(value), bound), Some(value));
                assert_eq!(table.search(&point(-value), bound), Some(-value));
            }
            for value in [largest + 1, largest + 2, largest + GIANT, i64::MAX] {
                assert_eq!(table.search(&point(value), bound), None);
                assert_eq!(table.search(&point(-value), bound), None);
            }
        }
    }
}
