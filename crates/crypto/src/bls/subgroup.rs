//! Whether points of G1 are in the subgroup of prime order, all of them at once, for less than asking each.
//!
//! A point of the curve is one of the subgroup plus one whose order divides the cofactor; call that t. Add up all points, each times
//! 1, 0 or -1 by chance. If a point has a t that is not the identity, its three possible terms differ outside the subgroup, for the
//! cofactor is odd: whatever the other points add up to, at most one of the three cancels it. So a sum is in the subgroup with
//! probability 1/3 at most, and 84 such sums all are with less than 2^-133. (Larger factors would gain nothing: the
//! cofactor is a multiple of 3.)
//!
//! Sums are made four at a time. What chance gives a point for four of them is one of 81 words, and a word and its opposite share a
//! bucket: a point is added once, to the bucket of its word, and sums are made of buckets.

use blst::{blst_p1, blst_p1_affine};

use super::ffi::{field, sums};
use super::points::G1;

/// Sums made from the same buckets.
const DIGITS: u32 = 4;
/// Choices of 1, 0 or -1 for each of them: the word w stands for the digits of w to base 3, each less one. The opposite of w is
/// `WORDS` - 1 - w, and the word in the middle is all zeros.
const WORDS: u32 = 3u32.pow(DIGITS);
const MIDDLE: u32 = WORDS / 2;
/// How many times buckets are filled.
const PARTS: usize = 21;
/// Bytes that a word is made of. No word is more probable than 810 / 65536, a little more than 1/81. Whatever the other points have, one
/// word at most lets all four sums pass, and (810 / 65536)^21 is below 2^-133.
const WORD_BYTES: usize = 2;

/// The test of some points, in parts that do not depend on each other.
pub(crate) struct SubgroupTest<'a> {
    points: &'a [G1],
    chance: &'a [u8],
}

impl<'a> SubgroupTest<'a> {
    /// Bytes of chance that the test of so many points takes.
    pub(crate) const fn chance_bytes(points: usize) -> usize {
        points * PARTS * WORD_BYTES
    }

    /// The test of points of the curve. Who chooses the points must not choose, and not know beforehand, the bytes of chance.
    ///
    /// # Panics
    /// If there are not [`Self::chance_bytes`] of them.
    pub(crate) fn new(points: &'a [G1], chance: &'a [u8]) -> Self {
        assert_eq!(
            chance.len(),
            Self::chance_bytes(points.len()),
            "a word for each point and part"
        );
        Self { points, chance }
    }

    /// How many parts there are.
    pub(crate) const fn parts() -> usize {
        PARTS
    }

    /// Whether the sums of one part are in the subgroup, in variable time.
    pub(crate) fn part_holds(&self, index: usize) -> bool {
        let buckets = self.fill(index);
        (0..DIGITS).all(|digit| sums::in_g1(&sum(&buckets, digit)))
    }

    /// The buckets of the words above the middle, lowest word first.
    fn fill(&self, part: usize) -> [blst_p1; MIDDLE as usize] {
        let mut buckets = [blst_p1::default(); MIDDLE as usize];
        let bytes = self.points.len() * WORD_BYTES;
        let words = self.chance[part * bytes..][..bytes].chunks_exact(WORD_BYTES);
        for (point, bytes) in self.points.iter().zip(words) {
            let chance = u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
            add(&mut buckets, (chance * WORDS) >> u16::BITS, point.affine());
        }
        buckets
    }
}

/// Adds a point to the bucket of its word or, as its inverse, to that of the word's opposite.
fn add(buckets: &mut [blst_p1], word: u32, point: &blst_p1_affine) {
    let bucket = |above: u32| above as usize - 1;
    if word > MIDDLE {
        sums::g1::add_affine(&mut buckets[bucket(word - MIDDLE)], point);
    } else if word < MIDDLE {
        let inverse = field::negative_g1(point);
        sums::g1::add_affine(&mut buckets[bucket(MIDDLE - word)], &inverse);
    }
}

/// The sum of all points, each times the digit of its word.
fn sum(buckets: &[blst_p1], digit: u32) -> blst_p1 {
    let (mut plus, mut minus) = (blst_p1::default(), blst_p1::default());
    for (word, bucket) in (MIDDLE + 1..).zip(buckets) {
        match word / 3u32.pow(digit) % 3 {
            0 => sums::g1::add(&mut minus, bucket),
            1 => {}
            _ => sums::g1::add(&mut plus, bucket),
        }
    }
    sums::negate_g1(&mut minus);
    sums::g1::add(&mut plus, &minus);
    plus
}

#[cfg(test)]
mod tests {
    use quorate_types::{Blake3, DomainTag};

    use super::*;
    use crate::bls::points::G1_COFACTOR_EXPONENT as EXPONENT;
    use crate::bls::{Scalar, hash_to_g1};

    /// The group's order, big-endian (draft-irtf-cfrg-pairing-friendly-curves-11, section 4.2.1).
    const ORDER: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

    /// Any multiple of any point of the curve.
    fn times(point: &G1, factor: &[u8]) -> G1 {
        let bits = factor
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        bits.fold(G1::identity(), |sum, bit| {
            let double = sum.add(&sum);
            if bit == 1 { double.add(point) } else { double }
        })
    }

    /// A point whose order is this prime factor of the cofactor. The cofactor is a third of [`EXPONENT`]'s square, and the points of
    /// the cofactor's order are two groups: one of that order, and one of a third of it.
    fn of_order(factor: u64) -> G1 {
        let order = hex::decode(ORDER).expect("hexadecimal");
        let outside = (0u64..).find_map(|number| {
            let mut bytes = [0; 48];
            bytes[0] = 0x80;
            bytes[40..].copy_from_slice(&number.to_be_bytes());
            let point = times(&G1::on_curve_from_bytes(&bytes).ok()?, &order);
            let point = times(&point, &(EXPONENT / factor).to_be_bytes());
            (!point.is_identity()).then_some(point)
        });
        let point = outside.expect("most points are outside the subgroup");
        assert!(times(&point, &factor.to_be_bytes()).is_identity());
        assert!(!point.in_subgroup());
        point
    }

    fn members(count: u64) -> Vec<G1> {
        (0..count)
            .map(|number| hash_to_g1(&number.to_le_bytes(), b"test"))
            .collect()
    }

    fn chance(points: usize, seed: u64) -> Vec<u8> {
        let mut chance = vec![0; SubgroupTest::chance_bytes(points)];
        Blake3::new(DomainTag::PvssWeights)
            .chain(seed.to_le_bytes())
            .finish_into(&mut chance);
        chance
    }

    /// How many parts hold.
    fn holding(points: &[G1], seed: u64) -> usize {
        let chance = chance(points.len(), seed);
        let test = SubgroupTest::new(points, &chance);
        (0..SubgroupTest::parts())
            .filter(|part| test.part_holds(*part))
            .count()
    }

    #[test]
    fn members_hold_in_every_part() {
        for count in [0, 1, 2, 50] {
            let mut points = members(count);
            points.extend(points.clone());
            points.push(G1::identity());
            assert_eq!(holding(&points, count), PARTS);
        }
    }

    #[test]
    fn a_point_outside_is_missed_by_a_part_as_rarely_as_chance_says() {
        // The prime factors of the cofactor.
        for factor in [3, 11, 10_177, 859_267, 52_437_899] {
            let stray = of_order(factor);
            let mut points = members(7);
            points[3] = points[3].add(&stray);
            let missed: usize = (0..40).map(|seed| holding(&points, seed)).sum();
            // 840 parts; each misses it with probability 1 / 81, so that some 10 do.
            assert!((1..=30).contains(&missed), "{factor}: {missed}");
        }
    }

    #[test]
    fn the_subgroup_part_is_what_the_cofactor_leaves() {
        let member = hash_to_g1(b"member", b"test");
        assert_eq!(member.subgroup_part(), member);
        for factor in [3, 11, 10_177, 859_267, 52_437_899] {
            let stray = of_order(factor);
            assert!(stray.subgroup_part().is_identity(), "{factor}");
            assert_eq!(member.add(&stray).subgroup_part(), member, "{factor}");
        }
    }

    #[test]
    fn points_outside_that_cancel_each_other_are_found() {
        let stray = of_order(3);
        let mut points = members(9);
        points[0] = points[0].add(&stray);
        points[1] = points[1].add(&stray.negate());
        points[2] = stray;
        assert!(holding(&points, 1) < PARTS);
        // All of the points, and as many times as the order says.
        let points = vec![stray; 9];
        assert!(holding(&points, 2) < PARTS);
    }

    #[test]
    fn sums_are_those_of_the_words() {
        let points = members(60);
        let chance = chance(points.len(), 5);
        let test = SubgroupTest::new(&points, &chance);
        for part in [0, PARTS - 1] {
            let buckets = test.fill(part);
            for digit in 0..DIGITS {
                let slow =
                    points
                        .iter()
                        .zip(chance[part * 120..].chunks(2))
                        .map(|(point, bytes)| {
                            let word =
                                u64::from(u16::from_le_bytes([bytes[0], bytes[1]])) * 81 / 65_536;
                            let digit = word / 3u64.pow(digit) % 3;
                            point.multiply(&(Scalar::from(digit) - Scalar::from(1)))
                        });
                let slow: Vec<G1> = slow.collect();
                let fast = sums::g1::to_affine(&[&sum(&buckets, digit)]);
                assert_eq!(G1::from_affine(fast[0]), G1::sum(&slow));
            }
        }
    }
}
