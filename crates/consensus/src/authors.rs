//! Sets of authors.

use quorate_types::ValidatorIndex;
use quorate_types::limits::COMMITTEE_MAX;

/// A set of members of a committee, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthorSet(u128);

const _: () = assert!(COMMITTEE_MAX <= 128, "a set is 128 bits");

impl AuthorSet {
    /// Adds an author; whether it was new.
    pub(crate) fn insert(&mut self, author: ValidatorIndex) -> bool {
        let before = self.0;
        self.0 |= 1 << author.0;
        self.0 != before
    }

    pub(crate) const fn contains(self, author: ValidatorIndex) -> bool {
        self.0 >> author.0 & 1 == 1
    }

    /// Its members, ascending.
    pub(crate) fn iter(self) -> impl Iterator<Item = ValidatorIndex> {
        (0..COMMITTEE_MAX)
            .map(ValidatorIndex)
            .filter(move |author| self.contains(*author))
    }

    pub(crate) fn count(self) -> u16 {
        u16::try_from(self.0.count_ones()).expect("at most 128")
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
