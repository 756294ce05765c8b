//! What a ceremony leaves behind: everything anybody needs to check it, and members to compute their shares.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use quorate_crypto::pvss::{ChunkTable, Dealing, EncryptionSecret, Parallel, Sequential};
use quorate_crypto::{KeysError, ShareSecret, SignatureError, ThresholdPublic};
use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{
    CeremonyId, CodecError, DealingHash, Decode, DomainTag, Encode, Member, Reader, Sha256,
    Signature, TranscriptHash, ValidatorIndex, decode_version, encode_list,
};

use crate::ceremony::{Ceremony, HIGH};
use crate::dealing::{DealingFault, SignedDealing};
use crate::definition::{Definition, DefinitionError, Previous, Purpose};
use crate::keys::Keys;
use crate::recovery::{RecoverError, Recovered, recover};

/// The record of a completed ceremony.
///
/// Nothing in it is trusted: [`Transcript::verify`] recomputes the keys from the dealings and checks the certificate, which
/// q members signed with the very shares that the dealings gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// What the ceremony was.
    pub definition: Definition,
    /// The dealings that made the key: ascending by dealer for a fresh key, in the order in which they were counted for a
    /// resharing.
    pub dealings: Vec<SignedDealing>,
    /// The keys of the high lane.
    pub keys: Keys,
    /// Signature under the group key of [`Ceremony::completion_message`].
    pub certificate: Signature,
}

/// Why a transcript is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// The definition is refused.
    #[error("the definition: {0}")]
    Definition(#[from] DefinitionError),
    /// Too few dealings, or too many in a resharing.
    #[error("{found} dealings, {least} to {most} make the key")]
    Count {
        /// Dealings found.
        found: usize,
        /// The fewest.
        least: u16,
        /// The most.
        most: u16,
    },
    /// A dealer comes twice, or the dealings of a fresh key are not ascending by dealer.
    #[error("the dealing of {dealer} is out of order or its second")]
    Order {
        /// The dealer.
        dealer: ValidatorIndex,
    },
    /// The recorded keys are malformed or do not belong together.
    #[error("the recorded keys: {0}")]
    Keys(#[from] KeysError),
    /// The certificate does not verify under the recorded group key.
    #[error("the certificate: {0}")]
    Certificate(SignatureError),
    /// A dealing is refused.
    #[error("the dealing of {dealer}: {fault}")]
    Dealing {
        /// The dealer.
        dealer: ValidatorIndex,
        /// What is wrong.
        fault: DealingFault,
    },
    /// The dealings make other keys than those recorded.
    #[error("the dealings make other keys than those recorded")]
    OtherKeys,
    /// A resharing whose group key is not the previous one.
    #[error("the resharing has another group key than the one it began with")]
    GroupKeyChanged,
}

/// SHA-256 of what a ceremony agreed on: its id, the dealers with their dealings' hashes, in the order given, and the keys.
#[must_use]
pub fn transcript_hash(
    ceremony: &CeremonyId,
    dealings: &[(ValidatorIndex, DealingHash)],
    keys: &Keys,
) -> TranscriptHash {
    let mut bytes = ceremony.to_bytes();
    let count = u32::try_from(dealings.len()).expect("there are at most 128 dealers");
    count.encode(&mut bytes);
    for (dealer, hash) in dealings {
        dealer.encode(&mut bytes);
        hash.encode(&mut bytes);
    }
    keys.encode(&mut bytes);
    TranscriptHash(Sha256::new(DomainTag::Transcript).chain(bytes).finish())
}

impl Transcript {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// The transcript's hash: of everything but signatures. See [`transcript_hash`].
    #[must_use]
    pub fn hash(&self) -> TranscriptHash {
        let dealings: Vec<_> = self
            .dealings
            .iter()
            .map(|dealing| (dealing.dealer, dealing.hash()))
            .collect();
        transcript_hash(&self.definition.ceremony_id(), &dealings, &self.keys)
    }

    /// Checks the whole ceremony from nothing but these bytes: the definition, the certificate, every dealing, and that
    /// they make the recorded keys. Dealings are checked on the threads of `parallel`.
    ///
    /// # Errors
    /// [`TranscriptError`]: what is wrong, the cheap checks first.
    pub fn verify(&self, parallel: &dyn Parallel) -> Result<VerifiedTranscript, TranscriptError> {
        let ceremony = Ceremony::new(self.definition.clone())?;
        self.check_dealers(&ceremony)?;
        let public = self.keys.parse(ceremony.quorum())?;
        if let Purpose::Reshare { previous } = &self.definition.purpose
            && previous.group_key != self.keys.group
        {
            return Err(TranscriptError::GroupKeyChanged);
        }
        let hash = self.hash();
        public
            .verify(&ceremony.completion_message(&hash), &self.certificate)
            .map_err(TranscriptError::Certificate)?;
        let dealings = self.validate_dealings(&ceremony, parallel)?;
        let dealt = dealings.iter().map(|(dealer, dealing)| (*dealer, dealing));
        // That there is one share key for each member follows from this comparison.
        if Keys::of(&ceremony, HIGH, dealt) != self.keys {
            return Err(TranscriptError::OtherKeys);
        }
        Ok(VerifiedTranscript {
            ceremony,
            dealings,
            keys: self.keys.clone(),
            public,
            hash,
        })
    }

    /// Checks that as many distinct dealers as it takes are there, in the order that the purpose demands.
    fn check_dealers(&self, ceremony: &Ceremony) -> Result<(), TranscriptError> {
        let least = ceremony.dealings_needed();
        let most = if ceremony.is_reshare() {
            least
        } else {
            ceremony.dealers()
        };
        let found = self.dealings.len();
        if !(usize::from(least)..=usize::from(most)).contains(&found) {
            return Err(TranscriptError::Count { found, least, most });
        }
        let mut seen = BTreeSet::new();
        for SignedDealing { dealer, .. } in &self.dealings {
            let ascends = ceremony.is_reshare() || seen.last().is_none_or(|last| last < dealer);
            if !ascends || !seen.insert(*dealer) {
                return Err(TranscriptError::Order { dealer: *dealer });
            }
        }
        Ok(())
    }

    /// Validates all dealings, one job for each.
    fn validate_dealings(
        &self,
        ceremony: &Ceremony,
        parallel: &dyn Parallel,
    ) -> Result<Vec<(ValidatorIndex, Dealing)>, TranscriptError> {
        let slots: Vec<OnceLock<Result<Dealing, DealingFault>>> =
            self.dealings.iter().map(|_| OnceLock::new()).collect();
        parallel.run(self.dealings.len(), &|job| {
            if let (Some(slot), Some(dealing)) = (slots.get(job), self.dealings.get(job)) {
                slot.get_or_init(|| dealing.validate(ceremony, &Sequential));
            }
        });
        let results = self.dealings.iter().zip(slots);
        results
            .map(|(signed, slot)| {
                let dealer = signed.dealer;
                // A job that the caller's threads left out is done here.
                let result = slot
                    .into_inner()
                    .unwrap_or_else(|| signed.validate(ceremony, &Sequential));
                match result {
                    Ok(dealing) => Ok((dealer, dealing)),
                    Err(fault) => Err(TranscriptError::Dealing { dealer, fault }),
                }
            })
            .collect()
    }
}

/// A transcript that was verified, with everything parsed.
pub struct VerifiedTranscript {
    ceremony: Ceremony,
    dealings: Vec<(ValidatorIndex, Dealing)>,
    keys: Keys,
    public: ThresholdPublic,
    hash: TranscriptHash,
}

impl VerifiedTranscript {
    /// The ceremony.
    #[must_use]
    pub const fn ceremony(&self) -> &Ceremony {
        &self.ceremony
    }
    /// The keys it made.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
    /// The keys, parsed, with the ceremony's quorum as threshold.
    #[must_use]
    pub const fn public(&self) -> &ThresholdPublic {
        &self.public
    }
    /// The transcript's hash.
    #[must_use]
    pub const fn hash(&self) -> TranscriptHash {
        self.hash
    }
    /// The dealers, in the transcript's order.
    pub fn dealers(&self) -> impl Iterator<Item = ValidatorIndex> {
        self.dealings.iter().map(|(dealer, _)| *dealer)
    }
    /// The dealing of a dealer that counted.
    #[must_use]
    pub fn dealing(&self, dealer: ValidatorIndex) -> Option<&Dealing> {
        self.dealings
            .iter()
            .find_map(|(other, dealing)| (*other == dealer).then_some(dealing))
    }

    /// The members with their share keys, as a committee lists them.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let enrolled = &self.ceremony.definition().members;
        enrolled
            .iter()
            .zip(&self.keys.shares)
            .map(|(enrolment, share_key)| Member {
                identity: enrolment.identity,
                share_key: *share_key,
            })
            .collect()
    }

    /// What a resharing of these shares starts from.
    #[must_use]
    pub fn as_previous(&self) -> Previous {
        Previous {
            transcript: self.hash,
            quorum: self.ceremony.quorum(),
            group_key: self.keys.group,
            members: self.members(),
        }
    }

    /// Computes the share of member `me` from the dealings and its encryption secret.
    ///
    /// # Errors
    /// [`RecoverError`].
    pub fn recover(
        &self,
        secret: &EncryptionSecret,
        me: ValidatorIndex,
        table: &ChunkTable,
    ) -> Result<Recovered, RecoverError> {
        let dealings: Vec<_> = self
            .dealings
            .iter()
            .map(|(dealer, dealing)| (*dealer, dealing))
            .collect();
        recover(&self.ceremony, &dealings, &self.keys, secret, me, table)
    }

    /// As [`Self::recover`], for whoever wants nothing but the share.
    ///
    /// # Errors
    /// [`RecoverError`].
    pub fn recover_share(
        &self,
        secret: &EncryptionSecret,
        me: ValidatorIndex,
        table: &ChunkTable,
    ) -> Result<ShareSecret, RecoverError> {
        self.recover(secret, me, table)
            .map(|recovered| recovered.share)
    }
}

impl Encode for Transcript {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.definition.encode(out);
        encode_list(&self.dealings, out);
        self.keys.encode(out);
        self.certificate.encode(out);
    }
}

impl Decode for Transcript {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "transcript", Self::VERSION)?;
        Ok(Self {
            definition: Decode::decode(reader)?,
            dealings: reader.list("dealings", u32::from(COMMITTEE_MAX))?,
            keys: Decode::decode(reader)?,
            certificate: Decode::decode(reader)?,
        })
    }
}
