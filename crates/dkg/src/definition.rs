//! The definition of a ceremony: everything its members agree on before it, signed by its organiser.
//!
//! The organiser only collects: it holds no secret of the ceremony, and every member checks the definition by itself
//! and is shown its hash. The ceremony's id is a hash of the signed definition, so that two definitions that differ
//! anywhere are two ceremonies, whose dealings, signatures and keys have nothing to do with each other.

mod enrolment;
mod previous;
mod text;

pub use enrolment::{Enrolment, EnrolmentError};
pub use previous::{Previous, PreviousError, Purpose};
pub use text::{AddressError, NameError};

use quorate_crypto::{IdentitySecret, SignatureError, identity};
use quorate_types::limits::{COMMITTEE_MAX, COMMITTEE_MIN, NAME_BYTES_MAX};
use quorate_types::{
    CeremonyId, CodecError, Decode, DomainTag, Encode, Hash32, IdentityKey, IdentitySignature,
    Reader, Sha256, ValidatorIndex, decode_version, encode_list,
};

use previous::{check_size, first_duplicate};
use text::{check_name, decode_text, encode_text};

/// f = floor((n-1)/3): how many of n members may lie.
pub(crate) const fn faults(size: u16) -> u16 {
    size.saturating_sub(1) / 3
}

/// n - f: the least quorum.
pub(crate) const fn least_quorum(size: u16) -> u16 {
    size - faults(size)
}

/// A ceremony's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// A name for people: 1 to 64 bytes, no control characters.
    pub name: String,
    /// A fresh key, or new shares of one.
    pub purpose: Purpose,
    /// Number of the attempt: raised when a ceremony is abandoned and repeated.
    pub attempt: u32,
    /// q: how many members will sign, n-f..=n.
    pub quorum: u16,
    /// Those who will hold the shares, in order of index.
    pub members: Vec<Enrolment>,
    /// Who put the definition together.
    pub organiser: IdentityKey,
    /// By the organiser, over [`Definition::hash`].
    pub signature: IdentitySignature,
}

/// Why a definition is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The ceremony's name is malformed.
    #[error("the ceremony's name: {0}")]
    Name(NameError),
    /// n is out of bounds.
    #[error("a ceremony has {COMMITTEE_MIN} to {COMMITTEE_MAX} members, not {found}")]
    Size {
        /// The number of members found.
        found: usize,
    },
    /// q is outside n-f..=n.
    #[error("quorum {quorum} is outside {least}..={most}")]
    Quorum {
        /// The quorum found.
        quorum: u16,
        /// n - f.
        least: u16,
        /// n.
        most: u16,
    },
    /// A member's enrolment is refused.
    #[error("member {index}: {error}")]
    Member {
        /// Which member.
        index: ValidatorIndex,
        /// What is wrong.
        error: EnrolmentError,
    },
    /// Two members share an identity.
    #[error("members {first} and {second} have the same identity key")]
    DuplicateIdentity {
        /// The earlier one.
        first: ValidatorIndex,
        /// The later one.
        second: ValidatorIndex,
    },
    /// Two members share an encryption key.
    #[error("members {first} and {second} have the same encryption key")]
    DuplicateKey {
        /// The earlier one.
        first: ValidatorIndex,
        /// The later one.
        second: ValidatorIndex,
    },
    /// The keys to be reshared are refused.
    #[error("the previous keys: {0}")]
    Previous(#[from] PreviousError),
    /// The organiser did not sign this.
    #[error("the organiser's signature: {0}")]
    Organiser(SignatureError),
}

impl Definition {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Puts a definition together and signs it; `quorum: None` takes n - f. Nothing is checked, see
    /// [`Definition::verify`].
    #[must_use]
    pub fn sign(
        name: String,
        purpose: Purpose,
        attempt: u32,
        quorum: Option<u16>,
        members: Vec<Enrolment>,
        organiser: &IdentitySecret,
    ) -> Self {
        let size = u16::try_from(members.len()).unwrap_or(u16::MAX);
        let mut definition = Self {
            name,
            purpose,
            attempt,
            quorum: quorum.unwrap_or(least_quorum(size)),
            members,
            organiser: organiser.public(),
            signature: IdentitySignature([0; IdentitySignature::LENGTH]),
        };
        definition.signature = organiser.sign(DomainTag::DefinitionSignature, &definition.hash().0);
        definition
    }

    /// Checks everything: sizes, the quorum, every enrolment, that no identity and no key comes twice, the keys to be
    /// reshared, and the organiser's signature.
    ///
    /// # Errors
    /// [`DefinitionError`]: the first thing that is wrong.
    pub fn verify(&self) -> Result<(), DefinitionError> {
        check_name(&self.name).map_err(DefinitionError::Name)?;
        let size = check_size(self.members.len()).ok_or(DefinitionError::Size {
            found: self.members.len(),
        })?;
        let least = least_quorum(size);
        if !(least..=size).contains(&self.quorum) {
            return Err(DefinitionError::Quorum {
                quorum: self.quorum,
                least,
                most: size,
            });
        }
        let identities = self.members.iter().map(|member| member.identity);
        if let Some((first, second)) = first_duplicate(identities) {
            return Err(DefinitionError::DuplicateIdentity { first, second });
        }
        let keys = self.members.iter().map(|member| member.encryption_key);
        if let Some((first, second)) = first_duplicate(keys) {
            return Err(DefinitionError::DuplicateKey { first, second });
        }
        for (index, member) in (0..).map(ValidatorIndex).zip(&self.members) {
            member
                .verify()
                .map_err(|error| DefinitionError::Member { index, error })?;
        }
        if let Purpose::Reshare { previous } = &self.purpose {
            previous.verify()?;
        }
        identity::verify(
            &self.organiser,
            DomainTag::DefinitionSignature,
            &self.hash().0,
            &self.signature,
        )
        .map_err(DefinitionError::Organiser)
    }

    /// What the organiser signs and members compare: SHA-256 of everything but the signature.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        Hash32(
            Sha256::new(DomainTag::CeremonyDefinition)
                .chain(self.signed_bytes())
                .finish(),
        )
    }

    /// The ceremony's id: SHA-256 of the definition's hash and the organiser's signature.
    #[must_use]
    pub fn ceremony_id(&self) -> CeremonyId {
        CeremonyId(
            Sha256::new(DomainTag::Ceremony)
                .chain(self.hash())
                .chain(self.signature)
                .finish(),
        )
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Self::VERSION.encode(&mut out);
        encode_text(&self.name, &mut out);
        self.purpose.encode(&mut out);
        self.attempt.encode(&mut out);
        self.quorum.encode(&mut out);
        encode_list(&self.members, &mut out);
        self.organiser.encode(&mut out);
        out
    }
}

impl Encode for Definition {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.signed_bytes());
        self.signature.encode(out);
    }
}

impl Decode for Definition {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "definition", Self::VERSION)?;
        Ok(Self {
            name: decode_text(reader, "name", NAME_BYTES_MAX)?,
            purpose: Decode::decode(reader)?,
            attempt: Decode::decode(reader)?,
            quorum: Decode::decode(reader)?,
            members: reader.list("members", u32::from(COMMITTEE_MAX))?,
            organiser: Decode::decode(reader)?,
            signature: Decode::decode(reader)?,
        })
    }
}
