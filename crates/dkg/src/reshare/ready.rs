//! A new member's word that it holds its new share of one transcript.

use quorate_crypto::{CombineError, ShareError};
use quorate_types::{
    CeremonyId, CodecError, Decode, Encode, Reader, Signature, TranscriptHash, ValidatorIndex,
    decode_version,
};

/// A new member's share of the hand-over certificate, made with its new share of the key.
///
/// A member that signed one never signs another in the same ceremony: that is why only one list of dealings can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Hash of the transcript that gave the share.
    pub transcript: TranscriptHash,
    /// The new member.
    pub member: ValidatorIndex,
    /// Its signature share of [`Ceremony::completion_message`](crate::Ceremony::completion_message).
    pub share: Signature,
}

/// Why a member's word is refused, or is not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadyError {
    /// It is about another ceremony or attempt.
    #[error("member {member} is ready in another ceremony, {found}")]
    OtherCeremony {
        /// The member.
        member: ValidatorIndex,
        /// The ceremony it names.
        found: CeremonyId,
    },
    /// It is about another choice or order of dealings.
    #[error("member {member} is ready for another list of dealings, with transcript {found}")]
    OtherTranscript {
        /// The member.
        member: ValidatorIndex,
        /// The transcript it names.
        found: TranscriptHash,
    },
    /// The signature share is not the member's.
    #[error("member {member}: {error}")]
    Share {
        /// The member.
        member: ValidatorIndex,
        /// What is wrong.
        error: ShareError,
    },
    /// The secret to sign with does not belong to the member's new share key.
    #[error("the share does not belong to the new share key of member {member}")]
    WrongShare {
        /// The member.
        member: ValidatorIndex,
    },
    /// Too few members are ready, or one comes twice.
    #[error(transparent)]
    Combine(#[from] CombineError),
}

impl Ready {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
}

impl Encode for Ready {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.ceremony.encode(out);
        self.transcript.encode(out);
        self.member.encode(out);
        self.share.encode(out);
    }
}

impl Decode for Ready {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "ready", Self::VERSION)?;
        Ok(Self {
            ceremony: Decode::decode(reader)?,
            transcript: Decode::decode(reader)?,
            member: Decode::decode(reader)?,
            share: Decode::decode(reader)?,
        })
    }
}
