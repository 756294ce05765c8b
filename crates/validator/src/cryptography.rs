//! The keys of one validator and what is done with them, behind a trait that the simulator can replace.

use bytes::Bytes;
use quorate_consensus::{BlockError, VerifiedBlock, Verifier, VerifierError};
use quorate_crypto::{CombineError, IdentitySecret, KeysError, ShareSecret, ThresholdPublic};
use quorate_types::{
    Block, BlockBuilder, BlockRef, CodecError, Committee, DomainTag, FinalityShare, HeaderHash,
    Height, Round, Signature, ThresholdKey, ValidatorIndex,
};

use crate::job::{Candidate, CandidateVerdict, CoinVerdict, Proof};

/// Signing and verifying for one validator of one committee.
pub trait Cryptography: Send + Sync {
    /// Builds and signs the own block of `round`.
    ///
    /// # Errors
    /// [`ProposalError`]: the payload is above a limit, or the parents are not those of a valid block.
    fn propose(
        &self,
        round: Round,
        parents: &[BlockRef],
        timestamp_ms: u64,
        payload: &[Bytes],
    ) -> Result<VerifiedBlock, ProposalError>;

    /// Checks everything about a received block that does not take the DAG.
    ///
    /// # Errors
    /// [`BlockError`].
    fn verify_block(&self, block: Block) -> Result<VerifiedBlock, BlockError>;

    /// Accepts a block of the own log: its signature was checked, or made, before it was written.
    ///
    /// # Errors
    /// [`BlockError`]: it is not this committee's.
    fn recovered_block(&self, block: Block) -> Result<VerifiedBlock, BlockError>;

    /// Combines the shares of a coin.
    fn combine_coin(&self, round: Round, shares: &[(ValidatorIndex, Signature)]) -> CoinVerdict;

    /// Signs a header's hash with the own share.
    fn sign_share(&self, height: Height, header_hash: HeaderHash) -> FinalityShare;

    /// Judges what may be final, all of it together.
    fn finality(&self, candidates: &[Candidate]) -> Vec<CandidateVerdict>;
}

/// Why the own block could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// The payload is above a limit.
    #[error("own block: {0}")]
    Codec(#[from] CodecError),
    /// The block breaks a rule.
    #[error("own block: {0}")]
    Rule(#[from] BlockError),
}

/// Why keys do not make a validator.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The identity key is no member's.
    #[error("the identity key is not a member's of this committee")]
    NotMember,
    /// The share does not belong to the member with this identity.
    #[error("the threshold share is not that of member {index}")]
    ForeignShare {
        /// The member.
        index: ValidatorIndex,
    },
    /// The committee's keys do not parse, or are not of one polynomial.
    #[error(transparent)]
    Committee(#[from] KeysError),
    /// The committee's identity keys do not parse.
    #[error(transparent)]
    Identity(#[from] VerifierError),
}

/// The real thing: Ed25519 identities, threshold BLS on BLS12-381.
pub struct BlsCryptography {
    committee: Committee,
    me: ValidatorIndex,
    verifier: Verifier,
    threshold: ThresholdPublic,
    identity: IdentitySecret,
    share: ShareSecret,
}

impl BlsCryptography {
    /// Checks that the secrets are those of a member and takes them.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(
        committee: Committee,
        identity: IdentitySecret,
        share: ShareSecret,
    ) -> Result<Self, KeyError> {
        let me = committee
            .index_of(&identity.public())
            .ok_or(KeyError::NotMember)?;
        let keys: Vec<ThresholdKey> = committee
            .members()
            .iter()
            .map(|member| member.share_key)
            .collect();
        if share.public_key() != keys[me.position()] {
            return Err(KeyError::ForeignShare { index: me });
        }
        let threshold = ThresholdPublic::parse(
            committee.group_key(),
            &keys,
            usize::from(committee.quorum()),
        )?;
        let verifier = Verifier::new(&committee)?;
        Ok(Self {
            committee,
            me,
            verifier,
            threshold,
            identity,
            share,
        })
    }

    /// The validator's index.
    #[must_use]
    pub const fn me(&self) -> ValidatorIndex {
        self.me
    }

    /// The committee.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }
}

impl Cryptography for BlsCryptography {
    fn propose(
        &self,
        round: Round,
        parents: &[BlockRef],
        timestamp_ms: u64,
        payload: &[Bytes],
    ) -> Result<VerifiedBlock, ProposalError> {
        let coin_share = self.share.sign_share(&self.committee.coin_message(round));
        let builder = BlockBuilder::new(
            &self.committee.chain(),
            self.committee.shard(),
            self.committee.epoch(),
            self.me,
            round,
            timestamp_ms,
            parents,
            &coin_share,
            payload.iter().map(Bytes::as_ref),
        );
        let signature = self
            .identity
            .sign(DomainTag::BlockSignature, builder.digest());
        let block = builder.finish(&signature)?;
        Ok(self.verifier.recovered(block)?)
    }

    fn verify_block(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        self.verifier.verify(block)
    }

    fn recovered_block(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        self.verifier.recovered(block)
    }

    fn combine_coin(&self, round: Round, shares: &[(ValidatorIndex, Signature)]) -> CoinVerdict {
        let (signature, bad) = split(
            self.threshold
                .combine(&self.committee.coin_message(round), shares),
        );
        CoinVerdict { signature, bad }
    }

    fn sign_share(&self, height: Height, header_hash: HeaderHash) -> FinalityShare {
        FinalityShare {
            height,
            header_hash,
            signature: self.share.sign_share(&header_hash.signing_bytes()),
        }
    }

    fn finality(&self, candidates: &[Candidate]) -> Vec<CandidateVerdict> {
        let messages: Vec<[u8; 40]> = candidates
            .iter()
            .map(|candidate| candidate.header_hash.signing_bytes())
            .collect();
        let mut shares = Vec::new();
        let mut offers = Vec::new();
        for (candidate, message) in candidates.iter().zip(&messages) {
            match &candidate.proof {
                Proof::Shares(of_members) => {
                    shares.push((candidate, (message.as_slice(), of_members.as_slice())))
                }
                Proof::Signature { from, signature } => {
                    offers.push((candidate, *from, (message.as_slice(), *signature)));
                }
            }
        }
        let items: Vec<_> = shares.iter().map(|(_, item)| *item).collect();
        let combined = self.threshold.combine_many(&items).into_iter();
        let mut verdicts: Vec<_> = shares
            .iter()
            .zip(combined)
            .map(|((candidate, _), combined)| {
                let (signature, bad) = split(combined);
                CandidateVerdict::on_shares(candidate, signature, bad)
            })
            .collect();
        let items: Vec<_> = offers.iter().map(|(_, _, item)| *item).collect();
        let invalid = self
            .threshold
            .group()
            .verify_many(&items)
            .err()
            .unwrap_or_default();
        for (position, (candidate, from, (_, signature))) in offers.into_iter().enumerate() {
            let verifies = !invalid.contains(&position);
            verdicts.push(CandidateVerdict::on_offer(
                candidate, from, signature, verifies,
            ));
        }
        verdicts
    }
}

fn split(
    outcome: Result<quorate_crypto::Combined, CombineError>,
) -> (Option<Signature>, Vec<ValidatorIndex>) {
    match outcome {
        Ok(combined) => (Some(combined.signature), combined.bad),
        Err(CombineError::NotEnough { bad, .. }) => (None, bad),
        // The engine hands over distinct members of the committee only.
        Err(error) => unreachable!("shares by distinct members: {error}"),
    }
}
