//! Finding chunks: the discrete logarithms of small multiples of the generator.
//!
//! An honest dealer's chunks are below 2^16. Thirty-two bits of all such multiples stand in a table, no two alike, and
//! each chunk is compared with every entry of it; the number found is multiplied out and compared with the chunk in
//! more bits. Whatever the chunk is, the same memory is read in the same order and the same instructions run, so that
//! neither the time it takes nor the addresses in a cache depend on it. (Rust promises no constant time; the
//! comparisons are arithmetic on masks, which compilers leave alone.)
//!
//! A dealer that cheats can encrypt larger chunks, or negative ones, of a magnitude that the chunking proof bounds.
//! These are searched for with baby steps and giant steps (Shanks), in a time that does depend on the chunk: it is
//! a number that the cheater chose, and evidence against it publishes it. That a chunk is not in the table is seen by
//! a later step's duration too, and also tells of nothing but a cheater.

use std::sync::OnceLock;

use zeroize::{Zeroize, Zeroizing};

use super::parameters::CHUNK_BITS;
use crate::bls::{Around, G1, G1Comb, G1Sum, G2, G2Comb, Scalar, SecretScalar, visit_multiples};

/// Chunks that an honest dealer encrypts.
pub(super) const CANONICAL: u32 = 1 << CHUNK_BITS;
/// Entries that are compared with one chunk after the other while a core's nearest cache holds them.
const SCAN_BLOCK: usize = 4096;
/// Lowest of the bits of an x coordinate that are a short tag: one from which on no two multiples have the same.
const SHORT_TAG_SHIFT: u32 = 0;
/// Digits from a row of the generator's table to the next: chunks have four.
const GENERATOR_SPACING: usize = 1;
/// The same for the table of the generator of G2.
const KEY_SPACING: usize = 2;

/// Discrete logarithms of chunks to the generator of G1. Build one, share it by reference.
///
/// The table of honest chunks takes 256 KiB. A second one of 19 MiB is built when the first chunk is met that is not
/// in it, which takes a cheating dealer.
pub struct ChunkTable {
    /// Short tags of 0, 1, .., 2^16 - 1 times the generator.
    tags: Vec<u32>,
    generator: G1Comb,
    generator_of_keys: G2Comb,
    search: OnceLock<Search>,
}

impl ChunkTable {
    /// Computes the table of honest chunks: some hundredths of a second.
    #[must_use]
    pub fn new() -> Self {
        let mut tags = Vec::with_capacity(CANONICAL as usize);
        tags.push(short_tag(&G1::identity()));
        visit_multiples(&G1::generator(), CANONICAL - 1, |_, point| {
            tags.push(short_tag(point));
        });
        Self {
            tags,
            generator: G1Comb::new(&G1::generator(), GENERATOR_SPACING),
            generator_of_keys: G2Comb::new(&G2::generator(), KEY_SPACING),
            search: OnceLock::new(),
        }
    }

    /// For every point the v below 2^16 of which it is the multiple, plus one; 0 for other points. Takes the same time
    /// for all points.
    ///
    /// Of a point that is none of these multiples, but within the bound of the chunking proof, the 128 bits of the
    /// long tag agree with none of theirs: among 2^16 * 2^37 pairs that is a matter of 2^-75.
    pub(super) fn canonical(&self, points: &[G1]) -> Zeroizing<Vec<u64>> {
        let mut found = Zeroizing::new(vec![0u32; points.len()]);
        for (first, tags) in (1..).step_by(SCAN_BLOCK).zip(self.tags.chunks(SCAN_BLOCK)) {
            for (found, point) in found.iter_mut().zip(points) {
                *found |= scan(first, tags, short_tag(point));
            }
        }
        // Where nothing was found, zero stays zero whatever is compared.
        let multiples: Vec<_> = found
            .iter()
            .map(|found| u64::from(found.saturating_sub(1)))
            .map(|number| self.generator.multiply_short(number, CHUNK_BITS))
            .collect();
        let mut multiples = G1Sum::to_points(&multiples);
        let confirmed = points.iter().zip(&multiples).zip(found.iter());
        let confirmed = confirmed.map(|((point, multiple), found)| {
            u64::from(*found) & mask_of_equality(point.tag(), multiple.tag())
        });
        let confirmed = Zeroizing::new(confirmed.collect());
        multiples.iter_mut().for_each(Zeroize::zeroize);
        confirmed
    }

    /// A secret times the generator of G2, in constant time.
    pub(super) fn public_key(&self, secret: &SecretScalar) -> G2 {
        self.generator_of_keys.multiply(secret).to_point()
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

/// Thirty-two bits of a point. Those of the multiples in the table are all different.
fn short_tag(point: &G1) -> u32 {
    let bits = point.tag_of_x() >> SHORT_TAG_SHIFT & u64::from(u32::MAX);
    u32::try_from(bits).expect("32 bits")
}

/// All ones if the tags are equal, else zero.
fn mask_of_equality(left: [u64; 2], right: [u64; 2]) -> u64 {
    let difference = (left[0] ^ right[0]) | (left[1] ^ right[1]);
    ((difference | difference.wrapping_neg()) >> 63).wrapping_sub(1)
}

/// The number of the entry that is `tag`, the first being `first`, or 0.
#[inline(never)]
fn scan(first: u32, tags: &[u32], tag: u32) -> u32 {
    let mut found = 0;
    // Wrapping, though it never does: a check for overflow keeps the compiler from comparing several at once.
    let mut number = first;
    for entry in tags {
        let difference = entry ^ tag;
        // All ones if there is no difference.
        let equal = ((difference | difference.wrapping_neg()) >> 31).wrapping_sub(1);
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
        for tag in &table.tags {
            assert_eq!(short_tag(&multiple), *tag);
            multiple = multiple.add(&G1::generator());
        }
        assert_eq!(multiple, point(65_536));
        let distinct: std::collections::BTreeSet<u32> = table.tags.iter().copied().collect();
        assert_eq!(distinct.len(), table.tags.len(), "no two tags are alike");
    }

    /// Another point with the short tag of an entry is not taken for that entry.
    #[test]
    fn a_short_tag_alone_is_not_believed() {
        let mut table = ChunkTable::new();
        let foreign = point(70_000);
        table.tags[77] = short_tag(&foreign);
        table.tags[0] = short_tag(&point(-1));
        assert_eq!(
            *table.canonical(&[foreign, point(78), point(-1)]),
            [0, 79, 0]
        );
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
