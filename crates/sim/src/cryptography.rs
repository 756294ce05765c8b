//! A fast, deterministic stand-in for signatures, coins and certificates.

use std::sync::Arc;

use bytes::Bytes;
use quorate_consensus::{BlockError, VerifiedBlock, Verifier, VerifierError};
use quorate_types::{
    Block, BlockBuilder, BlockRef, Committee, FinalityShare, HeaderHash, Height, IdentitySignature,
    Round, Signature, ValidatorIndex,
};
use quorate_validator::{
    Candidate, CandidateVerdict, CoinVerdict, Cryptography, Proof, ProposalError,
};

use crate::options::DriverFault;

/// The keys of a whole committee. Everything that [`KeyedHashCryptography`] makes is a hash keyed by one of them, so it
/// is as unforgeable as the world is honest with itself: a liar of the simulation uses no key but its own.
#[derive(Debug)]
pub struct HashKeys {
    seed: [u8; 32],
    quorum: usize,
}

impl HashKeys {
    /// The keys of a seed for a committee with this quorum.
    #[must_use]
    pub const fn new(seed: [u8; 32], quorum: u16) -> Self {
        Self {
            seed,
            quorum: quorum as usize,
        }
    }

    pub(crate) fn identity(&self, author: ValidatorIndex, digest: &[u8; 32]) -> IdentitySignature {
        IdentitySignature(self.keyed(b"identity", Some(author), digest))
    }

    fn share(&self, author: ValidatorIndex, message: &[u8]) -> Signature {
        Signature(self.keyed(b"share", Some(author), message))
    }

    /// The committee's signature over a message: whichever shares it is combined from, it is this one.
    #[must_use]
    pub fn group_signature(&self, message: &[u8]) -> Signature {
        Signature(self.keyed(b"group", None, message))
    }

    fn keyed<const N: usize>(
        &self,
        purpose: &[u8],
        author: Option<ValidatorIndex>,
        message: &[u8],
    ) -> [u8; N] {
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(purpose);
        hasher.update(&author.map_or(u16::MAX, |author| author.0).to_le_bytes());
        hasher.update(message);
        let mut bytes = [0; N];
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }

    fn combine(
        &self,
        message: &[u8],
        shares: &[(ValidatorIndex, Signature)],
    ) -> (Option<Signature>, Vec<ValidatorIndex>) {
        let bad: Vec<ValidatorIndex> = shares
            .iter()
            .filter(|(author, share)| *share != self.share(*author, message))
            .map(|(author, _)| *author)
            .collect();
        let enough = shares.len() - bad.len() >= self.quorum;
        (enough.then(|| self.group_signature(message)), bad)
    }

    /// What comes of shares that nobody looks at: with a bad one among them, something that depends on all of them.
    #[cfg(feature = "mutants")]
    fn interpolate(&self, message: &[u8], shares: &[(ValidatorIndex, Signature)]) -> Signature {
        let shares = &shares[..self.quorum];
        if let (Some(signature), _) = self.combine(message, shares) {
            return signature;
        }
        let all: Vec<u8> = shares.iter().flat_map(|(_, share)| share.0).collect();
        Signature(self.keyed(b"interpolated", None, &all))
    }
}

/// One validator's view of [`HashKeys`].
pub struct KeyedHashCryptography {
    committee: Committee,
    me: ValidatorIndex,
    verifier: Verifier,
    keys: Arc<HashKeys>,
    #[cfg(feature = "mutants")]
    mistake: Option<DriverFault>,
    /// Its own shares are bad.
    #[cfg(feature = "mutants")]
    spoils: bool,
}

impl KeyedHashCryptography {
    /// The validator `me` of a committee, whose identity keys must parse and are not used.
    ///
    /// # Errors
    /// [`VerifierError`].
    pub fn new(
        committee: Committee,
        me: ValidatorIndex,
        keys: Arc<HashKeys>,
    ) -> Result<Self, VerifierError> {
        let verifier = Verifier::new(&committee)?;
        Ok(Self {
            committee,
            me,
            verifier,
            keys,
            #[cfg(feature = "mutants")]
            mistake: None,
            #[cfg(feature = "mutants")]
            spoils: false,
        })
    }

    /// Makes a deliberate mistake; a liar takes advantage of it.
    #[cfg(feature = "mutants")]
    pub(crate) fn with_mistake(mut self, mistake: Option<DriverFault>, liar: bool) -> Self {
        self.mistake = mistake;
        match mistake {
            Some(DriverFault::ParentsUnchecked) => self.verifier = self.verifier.trusting(),
            Some(DriverFault::CoinUnverified | DriverFault::CertificateUnverified) => {
                self.spoils = liar;
            }
            _ => {}
        }
        self
    }

    fn own_share(&self, message: &[u8]) -> Signature {
        let share = self.keys.share(self.me, message);
        #[cfg(feature = "mutants")]
        if self.spoils {
            return Signature(share.0.map(|byte| !byte));
        }
        share
    }

    /// Combines shares and says whose are bad, unless it is mistaken in that.
    fn combine(
        &self,
        unverified: DriverFault,
        message: &[u8],
        shares: &[(ValidatorIndex, Signature)],
    ) -> (Option<Signature>, Vec<ValidatorIndex>) {
        #[cfg(feature = "mutants")]
        if self.mistake == Some(unverified) {
            return (Some(self.keys.interpolate(message, shares)), Vec::new());
        }
        let _ = unverified;
        self.keys.combine(message, shares)
    }
}

impl Cryptography for KeyedHashCryptography {
    fn propose(
        &self,
        round: Round,
        parents: &[BlockRef],
        timestamp_ms: u64,
        payload: &[Bytes],
    ) -> Result<VerifiedBlock, ProposalError> {
        let builder = BlockBuilder::new(
            &self.committee.chain(),
            self.committee.shard(),
            self.committee.epoch(),
            self.me,
            round,
            timestamp_ms,
            parents,
            &self.own_share(&self.committee.coin_message(round)),
            payload.iter().map(Bytes::as_ref),
        );
        let signature = self.keys.identity(self.me, builder.digest());
        let block = builder.finish(&signature)?;
        Ok(self.verifier.recovered(block)?)
    }

    fn verify_block(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        let block = self.verifier.recovered(block)?;
        let author = block.author();
        if *block.signature() != self.keys.identity(author, block.digest()) {
            return Err(BlockError::Signature { author });
        }
        Ok(block)
    }

    fn recovered_block(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        self.verifier.recovered(block)
    }

    fn combine_coin(&self, round: Round, shares: &[(ValidatorIndex, Signature)]) -> CoinVerdict {
        let message = self.committee.coin_message(round);
        let (signature, bad) = self.combine(DriverFault::CoinUnverified, &message, shares);
        CoinVerdict { signature, bad }
    }

    fn sign_share(&self, height: Height, header_hash: HeaderHash) -> FinalityShare {
        FinalityShare {
            height,
            header_hash,
            signature: self.own_share(&header_hash.signing_bytes()),
        }
    }

    fn finality(&self, candidates: &[Candidate]) -> Vec<CandidateVerdict> {
        let judge = |candidate: &Candidate| {
            let message = candidate.header_hash.signing_bytes();
            match &candidate.proof {
                Proof::Shares(shares) => {
                    let (signature, bad) =
                        self.combine(DriverFault::CertificateUnverified, &message, shares);
                    CandidateVerdict::on_shares(candidate, signature, bad)
                }
                Proof::Signature { from, signature } => {
                    let verifies = *signature == self.keys.group_signature(&message);
                    CandidateVerdict::on_offer(candidate, *from, *signature, verifies)
                }
            }
        };
        candidates.iter().map(judge).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_combine_to_one_signature_and_bad_ones_are_named() {
        let keys = HashKeys::new([3; 32], 3);
        let shares: Vec<_> = (0..4)
            .map(|author| {
                (
                    ValidatorIndex(author),
                    keys.share(ValidatorIndex(author), b"m"),
                )
            })
            .collect();
        let signature = Some(keys.group_signature(b"m"));
        assert_eq!(keys.combine(b"m", &shares[..3]), (signature, vec![]));
        assert_eq!(keys.combine(b"m", &shares[1..]), (signature, vec![]));
        assert_eq!(keys.combine(b"m", &shares[2..]), (None, vec![]));
        let mut bad = shares;
        bad[1].1.0[0] ^= 1;
        let blamed = vec![ValidatorIndex(1)];
        assert_eq!(keys.combine(b"m", &bad), (signature, blamed.clone()));
        assert_eq!(keys.combine(b"m", &bad[..3]), (None, blamed));
    }
}
