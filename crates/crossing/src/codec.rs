//! Counts of lists, as numbers that can be sent.

/// How many entries a list in memory has, as a number that can be sent.
pub(crate) fn count_of<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
