//! A dealing with its dealer's signature.

use std::sync::Arc;

use quorate_crypto::pvss::{self, DealError, Dealing, DealingError, Parallel};
use quorate_crypto::{IdentitySecret, ShareSecret, SignatureError, identity};
use quorate_types::{
    Blake3, CeremonyId, CodecError, DealingHash, Decode, DomainTag, Encode, IdentitySignature,
    Reader, ValidatorIndex,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::ceremony::Ceremony;

/// Most bytes of a dealing: one for 128 members with two lanes has about 247 000.
pub const DEALING_BYTES_MAX: u32 = 256 * 1024;

/// A dealing's bytes and their dealer's signature.
///
/// The signature covers ceremony, dealer and the bytes' hash, so that hash and signature alone already commit the
/// dealer: two of them convict it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedDealing {
    /// Who dealt: a member, or a previous member in a resharing.
    pub dealer: ValidatorIndex,
    /// The dealing, unchecked; at most [`DEALING_BYTES_MAX`] bytes.
    pub body: Arc<[u8]>,
    /// By the dealer's identity, over the ceremony's id, the dealer's index and [`SignedDealing::hash`].
    pub signature: IdentitySignature,
}

/// Why a dealing is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealingFault {
    /// There is no such dealer.
    #[error("no dealer {dealer} among {dealers}")]
    UnknownDealer {
        /// The index given.
        dealer: ValidatorIndex,
        /// How many dealers there are.
        dealers: u16,
    },
    /// The dealer did not sign this in this ceremony: it says nothing about the dealer.
    #[error("the dealer's signature: {0}")]
    Signature(SignatureError),
    /// The dealing has the wrong length, is malformed, its proofs are wrong, or it shares another secret than it has to.
    #[error(transparent)]
    Invalid(#[from] DealingError),
}

impl DealingFault {
    /// Whether the fault is the dealer's for certain: it signed what is invalid.
    #[must_use]
    pub const fn convicts(&self) -> bool {
        match self {
            Self::UnknownDealer { .. } | Self::Signature(_) => false,
            // `Arguments` would be this program's mistake and not the dealer's.
            Self::Invalid(error) => !matches!(error, DealingError::Arguments { .. }),
        }
    }
}

/// Why a dealer cannot deal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealFault {
    /// The identity is not a dealer's in this ceremony.
    #[error("this identity is no dealer of the ceremony")]
    NotADealer,
    /// A share was given where a fresh key is made, or none where one is reshared.
    #[error("a resharing takes the dealer's share, a fresh key takes none")]
    Share,
    /// The share is not the one that belongs to the dealer's share key.
    #[error("the share does not belong to the dealer's share key")]
    WrongShare,
    /// The dealing could not be made.
    #[error(transparent)]
    Deal(#[from] DealError),
}

/// What a dealer signs: the ceremony's id, its index, the dealing's hash.
fn signed_bytes(ceremony: &CeremonyId, dealer: ValidatorIndex, hash: &DealingHash) -> Vec<u8> {
    let mut out = ceremony.to_bytes();
    dealer.encode(&mut out);
    hash.encode(&mut out);
    out
}

/// Checks a dealer's signature on a dealing's hash alone.
///
/// # Errors
/// [`DealingFault::UnknownDealer`], [`DealingFault::Signature`].
pub fn verify_hash_signature(
    ceremony: &Ceremony,
    dealer: ValidatorIndex,
    hash: &DealingHash,
    signature: &IdentitySignature,
) -> Result<(), DealingFault> {
    let key = ceremony
        .identity_of_dealer(dealer)
        .ok_or_else(|| DealingFault::UnknownDealer {
            dealer,
            dealers: ceremony.dealers(),
        })?;
    let message = signed_bytes(&ceremony.id(), dealer, hash);
    identity::verify(key, DomainTag::DealingSignature, &message, signature)
        .map_err(DealingFault::Signature)
}

impl SignedDealing {
    /// Signs a dealing's bytes.
    #[must_use]
    pub fn sign(
        ceremony: &Ceremony,
        dealer: ValidatorIndex,
        body: Arc<[u8]>,
        identity: &IdentitySecret,
    ) -> Self {
        let message = signed_bytes(&ceremony.id(), dealer, &hash_of(&body));
        let signature = identity.sign(DomainTag::DealingSignature, &message);
        Self {
            dealer,
            body,
            signature,
        }
    }

    /// Makes and signs the dealing of `identity`: a fresh secret, or in a resharing `share`, the dealer's previous
    /// share.
    ///
    /// Randomness is hedged: 32 bytes of `rng` are mixed with the identity's secret, the ceremony and the members'
    /// keys, so that a broken or repeated generator gives nothing away. A dealer makes one dealing in a ceremony and
    /// keeps it before it shows it: another one would convict it.
    ///
    /// # Errors
    /// [`DealFault`].
    pub fn deal(
        ceremony: &Ceremony,
        identity: &IdentitySecret,
        share: Option<&ShareSecret>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, DealFault> {
        let dealer = ceremony
            .dealer_of(&identity.public())
            .ok_or(DealFault::NotADealer)?;
        let secrets: Vec<Option<&ShareSecret>> = match (share, ceremony.is_reshare()) {
            (Some(share), true) => {
                if ceremony.expected(dealer) != [Some(share.public_key())] {
                    return Err(DealFault::WrongShare);
                }
                vec![Some(share)]
            }
            (None, false) => vec![None; ceremony.parameters().thresholds().len()],
            _ => return Err(DealFault::Share),
        };
        let context = ceremony.context(dealer);
        let mut system = Zeroizing::new([0; 32]);
        rng.fill_bytes(system.as_mut());
        let mut hedged = pvss::hedged_rng(&system, identity, &context, ceremony.recipients());
        let body = pvss::deal(
            ceremony.parameters(),
            &context,
            ceremony.recipients(),
            &secrets,
            &mut hedged,
        )?;
        Ok(Self::sign(ceremony, dealer, body.into(), identity))
    }

    /// BLAKE3 of the dealing's bytes.
    #[must_use]
    pub fn hash(&self) -> DealingHash {
        hash_of(&self.body)
    }

    /// Checks the signature alone.
    ///
    /// # Errors
    /// [`DealingFault::UnknownDealer`], [`DealingFault::Signature`].
    pub fn verify_signature(&self, ceremony: &Ceremony) -> Result<(), DealingFault> {
        verify_hash_signature(ceremony, self.dealer, &self.hash(), &self.signature)
    }

    /// Checks signature, length, points and all proofs. The verdict is a function of the bytes: everybody's is the same.
    ///
    /// # Errors
    /// [`DealingFault`]; one that [`DealingFault::convicts`] is evidence together with this dealing.
    pub fn validate(
        &self,
        ceremony: &Ceremony,
        parallel: &dyn Parallel,
    ) -> Result<Dealing, DealingFault> {
        self.verify_signature(ceremony)?;
        let dealing = Dealing::validate(
            ceremony.parameters(),
            &ceremony.context(self.dealer),
            ceremony.recipients(),
            &ceremony.expected(self.dealer),
            &self.body,
            parallel,
        )?;
        Ok(dealing)
    }
}

fn hash_of(body: &[u8]) -> DealingHash {
    DealingHash(Blake3::new(DomainTag::DealingHash).chain(body).finish())
}

impl core::fmt::Debug for SignedDealing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SignedDealing")
            .field("dealer", &self.dealer)
            .field("hash", &self.hash())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Encode for SignedDealing {
    fn encode(&self, out: &mut Vec<u8>) {
        self.dealer.encode(out);
        let length = u32::try_from(self.body.len()).expect("dealings are bounded when made");
        length.encode(out);
        out.extend_from_slice(&self.body);
        self.signature.encode(out);
    }
}

impl Decode for SignedDealing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let dealer = Decode::decode(reader)?;
        let length = reader.count("dealing", DEALING_BYTES_MAX)?;
        let body = reader.take(length)?.into();
        Ok(Self {
            dealer,
            body,
            signature: Decode::decode(reader)?,
        })
    }
}
