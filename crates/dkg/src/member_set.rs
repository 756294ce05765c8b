//! A set of members as one machine word.

use quorate_types::{CodecError, Decode, Encode, Reader, ValidatorIndex};

/// How many members a ceremony may have at most: as many as a [`MemberSet`] has bits.
pub const MEMBERS_MAX: u16 = 128;

/// A set names a member that the ceremony does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the set names member {highest}, there are {members} members")]
pub struct NoSuchMember {
    /// The highest member named.
    pub highest: ValidatorIndex,
    /// How many members the ceremony has.
    pub members: u16,
}

/// A set of members: bit i stands for the member of index i.
///
/// The encoding is 16 bytes, little-endian, so every set has one. Whether all its members exist is for
/// [`MemberSet::check`] to say. Indices of [`MEMBERS_MAX`] and above are in no set.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberSet(u128);

impl MemberSet {
    /// Of no member.
    pub const EMPTY: Self = Self(0);

    /// Of the first `members` members: everybody, in a ceremony of that size.
    #[must_use]
    pub const fn all(members: u16) -> Self {
        if members >= MEMBERS_MAX {
            return Self(u128::MAX);
        }
        Self((1 << members) - 1)
    }

    /// Adds a member; whether it was not in the set before.
    pub fn insert(&mut self, member: ValidatorIndex) -> bool {
        let with = self.0 | Self::bit(member);
        let new = with != self.0;
        self.0 = with;
        new
    }

    /// Takes a member out; whether it was in the set.
    pub fn remove(&mut self, member: ValidatorIndex) -> bool {
        let without = self.0 & !Self::bit(member);
        let old = without != self.0;
        self.0 = without;
        old
    }

    /// Whether the member is in the set.
    #[must_use]
    pub fn contains(self, member: ValidatorIndex) -> bool {
        self.0 & Self::bit(member) != 0
    }

    /// How many members are in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no member is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of this set that are not in the other one.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all members of this set are in the other one.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The members, ascending.
    pub fn iter(self) -> impl Iterator<Item = ValidatorIndex> {
        (0..MEMBERS_MAX)
            .map(ValidatorIndex)
            .filter(move |member| self.contains(*member))
    }

    /// Refuses a set that names somebody who is none of the first `members` members.
    ///
    /// # Errors
    /// [`NoSuchMember`], with the highest index in the set.
    pub fn check(self, members: u16) -> Result<(), NoSuchMember> {
        if self.is_subset(Self::all(members)) {
            return Ok(());
        }
        let highest = self.iter().last().unwrap_or(ValidatorIndex(0));
        Err(NoSuchMember { highest, members })
    }

    fn bit(member: ValidatorIndex) -> u128 {
        1u128.checked_shl(u32::from(member.0)).unwrap_or(0)
    }
}

impl FromIterator<ValidatorIndex> for MemberSet {
    fn from_iter<I: IntoIterator<Item = ValidatorIndex>>(members: I) -> Self {
        let mut set = Self::EMPTY;
        for member in members {
            set.insert(member);
        }
        set
    }
}

impl std::fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|member| member.0))
            .finish()
    }
}

impl Encode for MemberSet {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for MemberSet {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        u128::decode(reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::{MEMBERS_MAX, MemberSet, NoSuchMember};
    use quorate_types::{Decode, Encode, ValidatorIndex};

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let mut set = MemberSet::EMPTY;
        assert!(set.insert(ValidatorIndex(127)) && set.insert(ValidatorIndex(0)));
        assert!(!set.insert(ValidatorIndex(0)), "already there");
        assert_eq!(set.len(), 2);
        assert!(set.iter().eq([ValidatorIndex(0), ValidatorIndex(127)]));
        assert!(set.remove(ValidatorIndex(0)) && !set.remove(ValidatorIndex(0)));
        assert_eq!(MemberSet::from_bytes(&set.to_bytes()), Ok(set));
    }

    #[test]
    fn an_index_too_high_is_in_no_set() {
        let mut set = MemberSet::all(MEMBERS_MAX);
        assert!(!set.insert(ValidatorIndex(128)) && !set.contains(ValidatorIndex(u16::MAX)));
        assert_eq!(set.len(), 128);
    }

    #[test]
    fn check_refuses_the_first_index_that_is_no_member() {
        let of_four: MemberSet = [0, 3].map(ValidatorIndex).into_iter().collect();
        assert_eq!(of_four.check(4), Ok(()));
        let (highest, members) = (ValidatorIndex(3), 3);
        assert_eq!(of_four.check(3), Err(NoSuchMember { highest, members }));
    }
}
