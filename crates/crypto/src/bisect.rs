//! Finding the bad items of a batch that failed as a whole.

use core::ops::Range;

use crate::bls::Pairings;

/// What is found out about some items of a batch together.
pub(crate) trait Residue: Sized {
    /// Whether none of the items is bad.
    fn is_clean(&self) -> bool;

    /// What is known of the other items of a whole that is not clean, once one part of it was looked at.
    fn without(&self, part: &Self) -> Option<Self>;
}

/// A verdict. A clean part of a whole that is not clean leaves the rest to blame.
impl Residue for bool {
    fn is_clean(&self) -> bool {
        *self
    }

    fn without(&self, part: &Self) -> Option<Self> {
        part.then_some(false)
    }
}

/// A product of pairings, which is one if all items are good: the rest's is the whole's over the part's.
impl Residue for Pairings {
    fn is_clean(&self) -> bool {
        self.is_one()
    }

    fn without(&self, part: &Self) -> Option<Self> {
        Some(self.over(part))
    }
}

/// The positions below `length` that are bad, ascending; `look` finds out about a range.
///
/// A range that is clean is left alone, and a second half is not looked at when whole and first half tell: with verdicts,
/// b bad ones among n take at most about 2 b log2(n) looks, with pairings b log2(n), and never more than n.
pub(crate) fn bad_positions<R: Residue>(
    length: usize,
    mut look: impl FnMut(Range<usize>) -> R,
) -> Vec<usize> {
    let mut bad = Vec::new();
    if length > 0 {
        let whole = look(0..length);
        search(0..length, &whole, &mut look, &mut bad);
    }
    bad
}

fn search<R: Residue>(
    range: Range<usize>,
    residue: &R,
    look: &mut impl FnMut(Range<usize>) -> R,
    bad: &mut Vec<usize>,
) {
    if residue.is_clean() {
        return;
    }
    if range.len() == 1 {
        bad.push(range.start);
        return;
    }
    let middle = range.start + range.len() / 2;
    let first = look(range.start..middle);
    let second = residue
        .without(&first)
        .unwrap_or_else(|| look(middle..range.end));
    search(range.start..middle, &first, look, bad);
    search(middle..range.end, &second, look, bad);
}

#[cfg(test)]
mod tests {
    use super::{Residue, bad_positions};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_exactly_the_bad_ones(items in proptest::collection::vec(any::<bool>(), 0..40)) {
            let expected: Vec<usize> = (0..items.len()).filter(|position| !items[*position]).collect();
            let found = bad_positions(items.len(), |range| items[range].iter().all(|good| *good));
            prop_assert_eq!(found, expected);
        }
    }

    /// Sums stand for products of pairings: items are good if they are zero.
    impl Residue for i64 {
        fn is_clean(&self) -> bool {
            *self == 0
        }

        fn without(&self, part: &Self) -> Option<Self> {
            Some(self - part)
        }
    }

    proptest! {
        #[test]
        fn differences_find_exactly_the_bad_ones_with_a_look_at_each_at_most(
            items in proptest::collection::vec(prop_oneof![Just(0i64), 1..1_000_000_000_000i64], 1..40)
        ) {
            let expected: Vec<usize> = (0..items.len()).filter(|position| items[*position] != 0).collect();
            let mut looks = 0;
            let found = bad_positions(items.len(), |range| {
                looks += 1;
                items[range].iter().sum::<i64>()
            });
            prop_assert_eq!(found, expected);
            prop_assert!(looks <= items.len());
        }
    }

    #[test]
    fn one_bad_item_takes_logarithmically_many_questions() {
        let mut asked = 0;
        let bad = bad_positions(1024, |range| {
            asked += 1;
            !range.contains(&1000)
        });
        assert_eq!(bad, [1000]);
        assert!(asked <= 21, "{asked} questions");
    }
}
