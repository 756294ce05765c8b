//! New keys, and their holders' word that they have them.

use std::sync::Arc;

use quorate_crypto::pvss::{ChunkTable, Dealing, EncryptionSecret};
use quorate_crypto::{KeysError, ShareSecret, ThresholdPublic};
use quorate_types::{TranscriptHash, ValidatorIndex};

use super::ready::{Ready, ReadyError};
use crate::ceremony::{Ceremony, HIGH};
use crate::dealing::SignedDealing;
use crate::definition::Purpose;
use crate::keys::Keys;
use crate::recovery::{RecoverError, Recovered, recover};
use crate::transcript::{Transcript, transcript_hash};

/// New keys that wait for their holders' word, and the dealings that make them.
pub struct Handover {
    ceremony: Arc<Ceremony>,
    dealings: Vec<(SignedDealing, Dealing)>,
    keys: Keys,
    public: ThresholdPublic,
    hash: TranscriptHash,
    message: Vec<u8>,
}

impl Handover {
    /// From the dealings that count, in their order.
    pub(super) fn new(
        ceremony: Arc<Ceremony>,
        dealings: Vec<(SignedDealing, Dealing)>,
    ) -> Result<Self, KeysError> {
        let dealt = dealings
            .iter()
            .map(|(signed, dealing)| (signed.dealer, dealing));
        let keys = Keys::of(&ceremony, HIGH, dealt);
        if let Purpose::Reshare { previous } = &ceremony.definition().purpose {
            assert_eq!(
                keys.group, previous.group_key,
                "dealers share their previous shares, which Definition::verify found to lie on one polynomial"
            );
        }
        let public = keys.parse(ceremony.quorum())?;
        let hashes: Vec<_> = dealings
            .iter()
            .map(|(signed, _)| (signed.dealer, signed.hash()))
            .collect();
        let hash = transcript_hash(&ceremony.id(), &hashes, &keys);
        Ok(Self {
            message: ceremony.completion_message(&hash),
            ceremony,
            dealings,
            keys,
            public,
            hash,
        })
    }

    /// The new keys; the group key is the previous one.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
    /// The new keys, parsed, with the new quorum as threshold.
    #[must_use]
    pub const fn public(&self) -> &ThresholdPublic {
        &self.public
    }
    /// The transcript's hash.
    #[must_use]
    pub const fn hash(&self) -> TranscriptHash {
        self.hash
    }

    /// Computes the new share of member `me` from the dealings and its encryption secret.
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
            .map(|(signed, dealing)| (signed.dealer, dealing))
            .collect();
        recover(&self.ceremony, &dealings, &self.keys, secret, me, table)
    }

    /// Signs that `me` holds its new share. The share, and that this transcript was signed, must be on the disk first: a
    /// member signs for one transcript of a ceremony, ever.
    ///
    /// # Errors
    /// [`ReadyError::WrongShare`].
    pub fn sign_ready(&self, share: &ShareSecret, me: ValidatorIndex) -> Result<Ready, ReadyError> {
        if self.keys.shares.get(me.position()) != Some(&share.public_key()) {
            return Err(ReadyError::WrongShare { member: me });
        }
        Ok(Ready {
            ceremony: self.ceremony.id(),
            transcript: self.hash,
            member: me,
            share: share.sign_share(&self.message),
        })
    }

    /// Checks a member's word.
    ///
    /// # Errors
    /// [`ReadyError`].
    pub fn verify_ready(&self, ready: &Ready) -> Result<(), ReadyError> {
        self.require_same(ready)?;
        let member = ready.member;
        self.public
            .verify_share(member, &self.message, &ready.share)
            .map_err(|error| ReadyError::Share { member, error })
    }

    fn require_same(&self, ready: &Ready) -> Result<(), ReadyError> {
        let member = ready.member;
        if ready.ceremony != self.ceremony.id() {
            return Err(ReadyError::OtherCeremony {
                member,
                found: ready.ceremony,
            });
        }
        if ready.transcript != self.hash {
            return Err(ReadyError::OtherTranscript {
                member,
                found: ready.transcript,
            });
        }
        Ok(())
    }

    /// Combines the words of a new quorum into the hand-over certificate: the transcript of this resharing. Words whose
    /// signature share is bad are left out.
    ///
    /// # Errors
    /// A word is about something else, a member comes twice, or too few are ready.
    pub fn complete(&self, ready: &[Ready]) -> Result<Transcript, ReadyError> {
        for word in ready {
            self.require_same(word)?;
        }
        let shares: Vec<_> = ready.iter().map(|word| (word.member, word.share)).collect();
        let combined = self.public.combine(&self.message, &shares)?;
        Ok(Transcript {
            definition: self.ceremony.definition().clone(),
            dealings: self
                .dealings
                .iter()
                .map(|(signed, _)| signed.clone())
                .collect(),
            keys: self.keys.clone(),
            certificate: combined.signature,
        })
    }
}
