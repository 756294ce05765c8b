//! A list that is nearly always short.

use alloc::vec::Vec;

/// A list that allocates only beyond `N` items. Almost every lane has one feed and few legs, and an allocation for each
/// of them would cost as much as the lane's arithmetic.
#[derive(Clone, Debug)]
pub(crate) struct Few<T, const N: usize> {
    /// The items, while there are no more than N: the first `count`.
    inline: [T; N],
    count: usize,
    /// All items, once there are more. Empty until then.
    spilled: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    /// An empty list.
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            inline: [T::default(); N],
            count: 0,
            spilled: Vec::new(),
        }
    }

    /// Adds an item at the back.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        if !self.spilled.is_empty() {
            self.spilled.push(item);
        } else if self.count < N {
            self.inline[self.count] = item;
            self.count += 1;
        } else {
            self.spilled.extend_from_slice(&self.inline);
            self.spilled.push(item);
        }
    }

    /// Removes all items and keeps the memory.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.spilled.clear();
        self.count = 0;
    }

    /// First to last.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        if self.spilled.is_empty() {
            &self.inline[..self.count]
        } else {
            &self.spilled
        }
    }

    /// First to last.
    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.spilled.is_empty() {
            &mut self.inline[..self.count]
        } else {
            &mut self.spilled
        }
    }
}

impl<T: Copy + Default + PartialEq, const N: usize> PartialEq for Few<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Default + Eq, const N: usize> Eq for Few<T, N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order_beyond_the_inline_ones_and_after_clearing() {
        let mut list = Few::<u32, 2>::new();
        let mut expected = Vec::new();
        for _ in 0..2 {
            for item in 7..12 {
                assert_eq!(list.as_slice(), expected);
                list.push(item);
                expected.push(item);
                list.as_mut_slice()[0] += 1;
                expected[0] += 1;
            }
            assert_eq!(list, list.clone());
            list.clear();
            expected.clear();
        }
        // What was cleared does not enter comparison.
        assert_eq!(list, Few::new());
        list.push(1);
        assert_ne!(list, Few::new());
    }
}
