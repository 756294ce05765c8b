//! Finding the bad items of a batch that failed as a whole.

use core::ops::Range;

/// The positions below `length` that are bad, ascending; `holds` says whether a range has no bad one.
///
/// A range that holds is left alone, and the second half is not asked about when a clean first half tells: with b bad
/// ones among n, at most about 2 b log2(n) questions.
pub(crate) fn bad_positions(
    length: usize,
    mut holds: impl FnMut(Range<usize>) -> bool,
) -> Vec<usize> {
    let mut bad = Vec::new();
    if length > 0 {
        search(0..length, false, &mut holds, &mut bad);
    }
    bad
}

fn search(
    range: Range<usize>,
    known_bad: bool,
    holds: &mut impl FnMut(Range<usize>) -> bool,
    bad: &mut Vec<usize>,
) {
    if !known_bad && holds(range.clone()) {
        return;
    }
    if range.len() == 1 {
        bad.push(range.start);
        return;
    }
    let middle = range.start + range.len() / 2;
    let found_before = bad.len();
    search(range.start..middle, false, holds, bad);
    let left_is_good = bad.len() == found_before;
    search(middle..range.end, left_is_good, holds, bad);
}

#[cfg(test)]
mod tests {
    use super::bad_positions;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_exactly_the_bad_ones(items in proptest::collection::vec(any::<bool>(), 0..40)) {
            let expected: Vec<usize> = (0..items.len()).filter(|position| !items[*position]).collect();
            let found = bad_positions(items.len(), |range| items[range].iter().all(|good| *good));
            prop_assert_eq!(found, expected);
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
