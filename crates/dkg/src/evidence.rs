//! Evidence that convicts a dealer: its own signatures, and checks that are functions of bytes.

use quorate_crypto::pvss::{
    ChunkFault, ChunkOpening, Dealing, EncryptionSecret, OpeningError, Sequential,
};
use quorate_types::{
    CodecError, DealingHash, Decode, Encode, IdentitySignature, Reader, ValidatorIndex,
    decode_version,
};
use rand_core::CryptoRng;

use crate::ceremony::Ceremony;
use crate::dealing::{DealingFault, SignedDealing, verify_hash_signature};

/// A dealing's hash and its dealer's signature on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHash {
    /// The hash.
    pub hash: DealingHash,
    /// The dealer's, as in [`SignedDealing::signature`].
    pub signature: IdentitySignature,
}

/// What convicts a dealer in a ceremony, to anybody who has the ceremony's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DealerEvidence {
    /// The dealer signed two different dealings.
    TwoDealings {
        /// The dealer.
        dealer: ValidatorIndex,
        /// The one with the lesser hash.
        first: SignedHash,
        /// The one with the greater hash.
        second: SignedHash,
    },
    /// The dealer signed a dealing that is invalid: of the wrong length or degree, with wrong proofs, made for another
    /// ceremony, or sharing another secret than the dealer's previous share.
    InvalidDealing(SignedDealing),
    /// The dealer encrypted a chunk out of range to a member, which the member shows by opening that chunk. The dealing is
    /// valid all the same: every member can decrypt it.
    BadChunk {
        /// The dealing.
        dealing: SignedDealing,
        /// The chunk, decrypted, with a proof that it was decrypted rightly.
        opening: ChunkOpening,
    },
}

/// Why evidence convicts nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// There is no such dealer, or it did not sign this in this ceremony.
    #[error("no dealer signed this: {0}")]
    NotSigned(DealingFault),
    /// Both hashes are the same, or the greater comes first.
    #[error("two dealings have different hashes, the lesser first")]
    NotTwo,
    /// The dealing is valid.
    #[error("the dealing of {dealer} is valid")]
    Valid {
        /// Who is cleared.
        dealer: ValidatorIndex,
    },
    /// The dealing of which a chunk was opened is itself invalid: that is other evidence.
    #[error("the dealing whose chunk was opened is invalid: {0}")]
    Invalid(DealingFault),
    /// The opening shows nothing.
    #[error("the opening: {0}")]
    Opening(#[from] OpeningError),
}

impl DealerEvidence {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Evidence from two signed hashes of one dealer, in either order; `None` if the hashes are the same.
    #[must_use]
    pub fn two_dealings(
        dealer: ValidatorIndex,
        one: SignedHash,
        other: SignedHash,
    ) -> Option<Self> {
        let (first, second) = if one.hash < other.hash {
            (one, other)
        } else {
            (other, one)
        };
        (first.hash != second.hash).then_some(Self::TwoDealings {
            dealer,
            first,
            second,
        })
    }

    /// Evidence from a chunk out of range that member `me` decrypted of `dealing`, which `valid` was parsed from.
    #[must_use]
    pub fn bad_chunk(
        ceremony: &Ceremony,
        dealing: SignedDealing,
        valid: &Dealing,
        secret: &EncryptionSecret,
        me: ValidatorIndex,
        fault: &ChunkFault,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let context = ceremony.context(dealing.dealer);
        Self::BadChunk {
            opening: ChunkOpening::prove(valid, secret, me, fault, &context, rng),
            dealing,
        }
    }

    /// Whom it is about. It convicts only once [`Self::verify`] says so.
    #[must_use]
    pub const fn dealer(&self) -> ValidatorIndex {
        match self {
            Self::TwoDealings { dealer, .. } => *dealer,
            Self::InvalidDealing(dealing) | Self::BadChunk { dealing, .. } => dealing.dealer,
        }
    }

    /// Checks the evidence; returns the dealer that it convicts.
    ///
    /// # Errors
    /// [`EvidenceError`]: nobody is convicted.
    pub fn verify(&self, ceremony: &Ceremony) -> Result<ValidatorIndex, EvidenceError> {
        match self {
            Self::TwoDealings {
                dealer,
                first,
                second,
            } => {
                if first.hash >= second.hash {
                    return Err(EvidenceError::NotTwo);
                }
                for SignedHash { hash, signature } in [first, second] {
                    verify_hash_signature(ceremony, *dealer, hash, signature)
                        .map_err(EvidenceError::NotSigned)?;
                }
                Ok(*dealer)
            }
            Self::InvalidDealing(dealing) => match dealing.validate(ceremony, &Sequential) {
                Ok(_) => Err(EvidenceError::Valid {
                    dealer: dealing.dealer,
                }),
                Err(fault) if fault.convicts() => Ok(dealing.dealer),
                Err(fault) => Err(EvidenceError::NotSigned(fault)),
            },
            Self::BadChunk { dealing, opening } => {
                let valid = dealing.validate(ceremony, &Sequential).map_err(|fault| {
                    if fault.convicts() {
                        EvidenceError::Invalid(fault)
                    } else {
                        EvidenceError::NotSigned(fault)
                    }
                })?;
                let context = ceremony.context(dealing.dealer);
                opening.verify(&valid, ceremony.recipients(), &context)?;
                Ok(dealing.dealer)
            }
        }
    }
}

impl SignedDealing {
    /// The dealing's hash with its signature.
    #[must_use]
    pub fn signed_hash(&self) -> SignedHash {
        SignedHash {
            hash: self.hash(),
            signature: self.signature,
        }
    }
}

impl Encode for SignedHash {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hash.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for SignedHash {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            hash: Decode::decode(reader)?,
            signature: Decode::decode(reader)?,
        })
    }
}

impl Encode for DealerEvidence {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        match self {
            Self::TwoDealings {
                dealer,
                first,
                second,
            } => {
                out.push(1);
                dealer.encode(out);
                first.encode(out);
                second.encode(out);
            }
            Self::InvalidDealing(dealing) => {
                out.push(2);
                dealing.encode(out);
            }
            Self::BadChunk { dealing, opening } => {
                out.push(3);
                dealing.encode(out);
                opening.encode(out);
            }
        }
    }
}

impl Decode for DealerEvidence {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "evidence", Self::VERSION)?;
        match u8::decode(reader)? {
            1 => Ok(Self::TwoDealings {
                dealer: Decode::decode(reader)?,
                first: Decode::decode(reader)?,
                second: Decode::decode(reader)?,
            }),
            2 => Ok(Self::InvalidDealing(Decode::decode(reader)?)),
            3 => Ok(Self::BadChunk {
                dealing: Decode::decode(reader)?,
                opening: Decode::decode(reader)?,
            }),
            found => Err(CodecError::Variant {
                value: "evidence",
                found,
            }),
        }
    }
}
