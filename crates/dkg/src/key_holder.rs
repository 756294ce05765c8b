//! A member's secrets, and the work that is expensive or needs them.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::pvss::{ChunkOpening, ChunkTable, Dealing, EncryptionSecret, Parallel};
use quorate_crypto::{CombineError, IdentitySecret, ShareSecret, ThresholdPublic};
use quorate_types::{Signature, TranscriptHash, ValidatorIndex};
use rand_core::CryptoRng;

use crate::ceremony::{Ceremony, HIGH, LOW};
use crate::coin;
use crate::dealing::{DealingFault, SignedDealing};
use crate::evidence::DealerEvidence;
use crate::io::{CoinJob, DealingName, Job, JobFailure, JobResult};
use crate::keys::Keys;
use crate::transcript::transcript_hash;

/// Why secrets do not fit a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyHolderError {
    /// The identity is no member's.
    #[error("this identity is no member of the ceremony")]
    NotAMember,
    /// The member enrolled with another encryption key.
    #[error("this is not the encryption key that member {0} enrolled with")]
    OtherEncryptionKey(ValidatorIndex),
}

/// A member's secrets in one ceremony: what it came with, and its shares as they arrive.
///
/// All is erased on drop. To be dropped once the ceremony is over and the share is stored: what is in it beside that
/// share opens coins that are of no use any more.
pub struct KeyHolder {
    me: ValidatorIndex,
    identity: Arc<IdentitySecret>,
    encryption: Arc<EncryptionSecret>,
    dealings: BTreeMap<DealingName, Held>,
    /// Low-lane keys by proposer.
    coin_keys: BTreeMap<ValidatorIndex, ThresholdPublic>,
    sum: Option<Sum>,
    share: Option<ShareSecret>,
}

/// A valid dealing with the own shares of it, unless they could not be decrypted.
struct Held {
    dealing: Arc<Dealing>,
    shares: Option<Vec<ShareSecret>>,
}

/// What dealings add up to.
#[derive(Clone)]
struct Sum {
    dealings: Vec<DealingName>,
    keys: Keys,
    public: ThresholdPublic,
    transcript: TranscriptHash,
}

impl KeyHolder {
    /// Takes a member's secrets.
    ///
    /// # Errors
    /// [`KeyHolderError`]: they are no member's.
    pub fn new(
        ceremony: &Ceremony,
        identity: Arc<IdentitySecret>,
        encryption: Arc<EncryptionSecret>,
    ) -> Result<Self, KeyHolderError> {
        let me = ceremony
            .index_of(&identity.public())
            .ok_or(KeyHolderError::NotAMember)?;
        let member = ceremony.definition().members.get(me.position());
        if member.is_none_or(|member| member.encryption_key != encryption.public()) {
            return Err(KeyHolderError::OtherEncryptionKey(me));
        }
        Ok(Self {
            me,
            identity,
            encryption,
            dealings: BTreeMap::new(),
            coin_keys: BTreeMap::new(),
            sum: None,
            share: None,
        })
    }

    /// Whose secrets these are.
    #[must_use]
    pub const fn member(&self) -> ValidatorIndex {
        self.me
    }

    /// The member's share of the new key, once the engine handed out the result
    /// ([`Effect::Complete`](crate::Effect::Complete)). `None` after that means that a dealing could not be decrypted,
    /// see [`JobFailure::Decrypt`]. Compare it with its share key in the transcript before it is stored.
    #[must_use]
    pub const fn share(&self) -> Option<&ShareSecret> {
        self.share.as_ref()
    }

    /// Does a job. `rng` must be the system's generator, or as good: dealings are hedged against its failure.
    pub fn perform(
        &mut self,
        ceremony: &Ceremony,
        job: Job,
        table: &ChunkTable,
        parallel: &dyn Parallel,
        rng: &mut impl CryptoRng,
    ) -> JobResult {
        let done = match job {
            Job::Deal => SignedDealing::deal(ceremony, &self.identity, None, rng)
                .map(JobResult::Dealt)
                .map_err(JobFailure::from),
            Job::Validate(dealing) => Ok(self.validate(ceremony, &dealing, table, parallel, rng)),
            Job::SignCoin(coin) => self.sign_coin(ceremony, &coin),
            Job::CombineCoin { coin, shares } => self.combine_coin(ceremony, &coin, &shares),
            Job::SignCompletion { dealings } => self.sign_completion(ceremony, &dealings),
            Job::CombineCompletion { dealings, shares } => {
                self.combine_completion(ceremony, &dealings, &shares)
            }
            Job::CheckComplete {
                dealings,
                certificate,
            } => self.check_complete(ceremony, dealings, certificate),
        };
        done.unwrap_or_else(JobResult::Failed)
    }

    /// Does [`Job::Validate`] with the verdict of somebody who validated the same bytes before: a simulation runs many
    /// members, and the verdict is the same for all of them.
    #[cfg(any(test, feature = "test-utils"))]
    pub fn accept(
        &mut self,
        ceremony: &Ceremony,
        signed: &SignedDealing,
        verdict: Result<Arc<Dealing>, DealingFault>,
        table: &ChunkTable,
        rng: &mut impl CryptoRng,
    ) -> JobResult {
        self.keep(ceremony, signed, || verdict, table, rng)
    }

    fn validate(
        &mut self,
        ceremony: &Ceremony,
        signed: &SignedDealing,
        table: &ChunkTable,
        parallel: &dyn Parallel,
        rng: &mut impl CryptoRng,
    ) -> JobResult {
        let validate = || signed.validate(ceremony, parallel).map(Arc::new);
        self.keep(ceremony, signed, validate, table, rng)
    }

    /// Keeps a dealing that is valid and new, and decrypts the own shares of it.
    fn keep(
        &mut self,
        ceremony: &Ceremony,
        signed: &SignedDealing,
        validate: impl FnOnce() -> Result<Arc<Dealing>, DealingFault>,
        table: &ChunkTable,
        rng: &mut impl CryptoRng,
    ) -> JobResult {
        let name = (signed.dealer, signed.hash());
        let mut evidence = Vec::new();
        let verdict = if self.dealings.contains_key(&name) {
            Ok(())
        } else {
            validate().map(|dealing| {
                let decrypted = dealing.decrypt(&self.encryption, self.me, table).ok();
                let fault = decrypted.as_ref().and_then(|d| d.faults.first());
                if let Some(fault) = fault {
                    let context = ceremony.context(signed.dealer);
                    let secret = &self.encryption;
                    let opening =
                        ChunkOpening::prove(&dealing, secret, self.me, fault, &context, rng);
                    let dealing = signed.clone();
                    evidence.push(DealerEvidence::BadChunk { dealing, opening });
                }
                let shares = decrypted.map(|decrypted| decrypted.shares);
                self.dealings.insert(name, Held { dealing, shares });
            })
        };
        JobResult::Validated {
            dealing: name,
            verdict,
            evidence,
        }
    }

    fn sign_coin(&self, ceremony: &Ceremony, coin: &CoinJob) -> Result<JobResult, JobFailure> {
        let secret = self.add_shares(&coin.dealings, LOW)?;
        let share = secret.sign_share(&message(ceremony, coin));
        Ok(JobResult::CoinSigned {
            proposer: coin.proposer,
            round: coin.round,
            share,
        })
    }

    fn combine_coin(
        &mut self,
        ceremony: &Ceremony,
        coin: &CoinJob,
        shares: &[(ValidatorIndex, Signature)],
    ) -> Result<JobResult, JobFailure> {
        if !self.coin_keys.contains_key(&coin.proposer) {
            let keys = self.add_keys(ceremony, &coin.dealings, LOW)?;
            let public = keys.parse(ceremony.faults() + 1);
            let public = public.map_err(|_| JobFailure::Keys)?;
            self.coin_keys.insert(coin.proposer, public);
        }
        let public = &self.coin_keys[&coin.proposer];
        let (signature, bad) = combine(public, &message(ceremony, coin), shares);
        Ok(JobResult::CoinCombined {
            proposer: coin.proposer,
            round: coin.round,
            coin: signature.as_ref().map(coin::bit),
            bad,
        })
    }

    fn sign_completion(
        &mut self,
        ceremony: &Ceremony,
        dealings: &[DealingName],
    ) -> Result<JobResult, JobFailure> {
        let sum = self.add_up(ceremony, dealings)?;
        let secret = self.own_share(&sum)?;
        let share = secret.sign_share(&ceremony.completion_message(&sum.transcript));
        self.share = Some(secret);
        Ok(JobResult::CompletionSigned {
            transcript: sum.transcript,
            keys: sum.keys,
            share,
        })
    }

    fn combine_completion(
        &mut self,
        ceremony: &Ceremony,
        dealings: &[DealingName],
        shares: &[(ValidatorIndex, Signature)],
    ) -> Result<JobResult, JobFailure> {
        let sum = self.add_up(ceremony, dealings)?;
        let message = ceremony.completion_message(&sum.transcript);
        let (certificate, bad) = combine(&sum.public, &message, shares);
        Ok(JobResult::CompletionCombined { certificate, bad })
    }

    fn check_complete(
        &mut self,
        ceremony: &Ceremony,
        dealings: Vec<DealingName>,
        certificate: Signature,
    ) -> Result<JobResult, JobFailure> {
        let keys = match self.add_up(ceremony, &dealings) {
            Ok(sum) => {
                let message = ceremony.completion_message(&sum.transcript);
                let right = sum.public.verify(&message, &certificate).is_ok();
                if right {
                    self.share = self.own_share(&sum).ok();
                }
                right.then_some(sum.keys)
            }
            // Dealings that liars chose may add up to no usable key.
            Err(JobFailure::Keys) => None,
            Err(failure) => return Err(failure),
        };
        Ok(JobResult::CompleteChecked {
            dealings,
            certificate,
            keys,
        })
    }

    /// The high lane of dealings, added up; the last sum is kept.
    fn add_up(&mut self, ceremony: &Ceremony, names: &[DealingName]) -> Result<Sum, JobFailure> {
        if let Some(sum) = self.sum.as_ref().filter(|sum| sum.dealings == names) {
            return Ok(sum.clone());
        }
        let keys = self.add_keys(ceremony, names, HIGH)?;
        let public = keys.parse(ceremony.quorum());
        let sum = Sum {
            dealings: names.to_vec(),
            public: public.map_err(|_| JobFailure::Keys)?,
            transcript: transcript_hash(&ceremony.id(), names, &keys),
            keys,
        };
        self.sum = Some(sum.clone());
        Ok(sum)
    }

    fn add_keys(
        &self,
        ceremony: &Ceremony,
        names: &[DealingName],
        lane: usize,
    ) -> Result<Keys, JobFailure> {
        let mut dealings = Vec::with_capacity(names.len());
        for name in names {
            dealings.push((name.0, &*self.held(name)?.dealing));
        }
        Ok(Keys::of(ceremony, lane, dealings.into_iter()))
    }

    fn add_shares(&self, names: &[DealingName], lane: usize) -> Result<ShareSecret, JobFailure> {
        let mut shares = Vec::with_capacity(names.len());
        for name in names {
            let own = self.held(name)?.shares.as_ref();
            let own = own.and_then(|lanes| lanes.get(lane));
            shares.push(own.ok_or(JobFailure::Decrypt { dealer: name.0 })?);
        }
        Ok(ShareSecret::sum(shares))
    }

    /// The own share of a sum. Every summand was compared with its dealing, so this cannot be another one; it is
    /// compared again because nothing would be worse.
    fn own_share(&self, sum: &Sum) -> Result<ShareSecret, JobFailure> {
        let share = self.add_shares(&sum.dealings, HIGH)?;
        if sum.keys.shares.get(self.me.position()) == Some(&share.public_key()) {
            return Ok(share);
        }
        Err(JobFailure::Keys)
    }

    fn held(&self, name: &DealingName) -> Result<&Held, JobFailure> {
        let dealer = name.0;
        let held = self.dealings.get(name);
        held.ok_or(JobFailure::UnknownDealing { dealer })
    }
}

fn message(ceremony: &Ceremony, coin: &CoinJob) -> Vec<u8> {
    coin::message(&ceremony.id(), coin.proposer, coin.set, coin.round)
}

/// The signature, if enough shares are good, and whose are bad.
fn combine(
    public: &ThresholdPublic,
    message: &[u8],
    shares: &[(ValidatorIndex, Signature)],
) -> (Option<Signature>, Vec<ValidatorIndex>) {
    match public.combine(message, shares) {
        Ok(combined) => (Some(combined.signature), combined.bad),
        Err(CombineError::NotEnough { bad, .. }) => (None, bad),
        Err(CombineError::UnknownMember { index, .. } | CombineError::Duplicate { index }) => {
            (None, vec![index])
        }
    }
}
