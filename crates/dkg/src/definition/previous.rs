//! What a ceremony is for, and the keys it starts from.

use std::collections::BTreeMap;

use quorate_crypto::{KeysError, ThresholdPublic};
use quorate_types::limits::{COMMITTEE_MAX, COMMITTEE_MIN};
use quorate_types::{
    CodecError, Decode, Encode, IdentityKey, Member, Reader, ThresholdKey, TranscriptHash,
    ValidatorIndex, encode_list,
};

use super::least_quorum;

/// What a ceremony is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A fresh key. All members deal.
    Genesis,
    /// New shares of a key that exists. The previous members deal; with the same members it is a refresh.
    Reshare {
        /// Who holds the key, and its public side.
        previous: Previous,
    },
}

/// The key that is reshared, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Transcript of the ceremony that made the shares; zeros if a trusted dealer did.
    pub transcript: TranscriptHash,
    /// How many of the previous members sign, and how many of their dealings make the new shares.
    pub quorum: u16,
    /// The group key, which stays.
    pub group_key: ThresholdKey,
    /// The previous members' identities and share keys, in order of index.
    pub members: Vec<Member>,
}

/// Why the previous keys are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreviousError {
    /// Too few or too many members.
    #[error("a committee has {COMMITTEE_MIN} to {COMMITTEE_MAX} members, not {found}")]
    Size {
        /// The number found.
        found: usize,
    },
    /// The quorum is outside n-f..=n.
    #[error("quorum {quorum} is outside {least}..={most}")]
    Quorum {
        /// The quorum found.
        quorum: u16,
        /// n - f.
        least: u16,
        /// n.
        most: u16,
    },
    /// Two members share an identity.
    #[error("members {first} and {second} have the same identity key")]
    DuplicateIdentity {
        /// The earlier one.
        first: ValidatorIndex,
        /// The later one.
        second: ValidatorIndex,
    },
    /// A key is malformed, or the keys are not shares of the group key at the quorum.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Previous {
    /// Checks size, quorum and identities, and that the keys lie on one polynomial of the quorum's degree.
    ///
    /// That the transcript exists is not checked: whoever has it compares these fields with it.
    ///
    /// # Errors
    /// [`PreviousError`].
    pub fn verify(&self) -> Result<(), PreviousError> {
        let size = check_size(self.members.len()).ok_or(PreviousError::Size {
            found: self.members.len(),
        })?;
        let least = least_quorum(size);
        if !(least..=size).contains(&self.quorum) {
            return Err(PreviousError::Quorum {
                quorum: self.quorum,
                least,
                most: size,
            });
        }
        let identities = self.members.iter().map(|member| member.identity);
        if let Some((first, second)) = first_duplicate(identities) {
            return Err(PreviousError::DuplicateIdentity { first, second });
        }
        let keys: Vec<ThresholdKey> = self.members.iter().map(|member| member.share_key).collect();
        ThresholdPublic::parse(&self.group_key, &keys, usize::from(self.quorum))?;
        Ok(())
    }

    /// The index of the previous member with this identity.
    #[must_use]
    pub fn index_of(&self, identity: &IdentityKey) -> Option<ValidatorIndex> {
        (0..)
            .map(ValidatorIndex)
            .zip(&self.members)
            .find_map(|(index, member)| (member.identity == *identity).then_some(index))
    }
}

/// The number of members, if a committee may have so many.
pub(super) fn check_size(members: usize) -> Option<u16> {
    u16::try_from(members)
        .ok()
        .filter(|size| (COMMITTEE_MIN..=COMMITTEE_MAX).contains(size))
}

/// The first member that equals an earlier one, after that earlier one.
pub(super) fn first_duplicate<T: Ord>(
    values: impl Iterator<Item = T>,
) -> Option<(ValidatorIndex, ValidatorIndex)> {
    let mut seen = BTreeMap::new();
    for (value, second) in values.zip((0..).map(ValidatorIndex)) {
        if let Some(first) = seen.insert(value, second) {
            return Some((first, second));
        }
    }
    None
}

impl Encode for Purpose {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Genesis => out.push(1),
            Self::Reshare { previous } => {
                out.push(2);
                previous.encode(out);
            }
        }
    }
}

impl Decode for Purpose {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Genesis),
            2 => Ok(Self::Reshare {
                previous: Decode::decode(reader)?,
            }),
            found => Err(CodecError::Variant {
                value: "purpose",
                found,
            }),
        }
    }
}

impl Encode for Previous {
    fn encode(&self, out: &mut Vec<u8>) {
        self.transcript.encode(out);
        self.quorum.encode(out);
        self.group_key.encode(out);
        encode_list(&self.members, out);
    }
}

impl Decode for Previous {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            transcript: Decode::decode(reader)?,
            quorum: Decode::decode(reader)?,
            group_key: Decode::decode(reader)?,
            members: reader.list("previous members", u32::from(COMMITTEE_MAX))?,
        })
    }
}
