//! Real cryptography whose verdicts a world remembers: what one validator has verified, no other has to verify again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use quorate_consensus::{BlockError, VerifiedBlock};
use quorate_types::{
    Block, BlockRef, FinalityShare, HeaderHash, Height, Round, Signature, ValidatorIndex,
};
use quorate_validator::{
    Candidate, CandidateVerdict, CoinVerdict, Cryptography, Proof, ProposalError,
};

/// One validator's cryptography. All of a world share the memory: what they verify under is the committee's.
pub(crate) struct Remembered<C> {
    inner: C,
    memory: Arc<Mutex<Memory>>,
}

/// What was verified. A verdict is a function of what was looked at, which is the key, whole.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Blocks that verify, by their encoding.
    blocks: BTreeSet<Bytes>,
    coins: BTreeMap<(Round, Vec<(ValidatorIndex, Signature)>), CoinVerdict>,
    candidates: BTreeMap<(Height, HeaderHash, Shown), CandidateVerdict>,
}

/// What is shown for a header.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Shares(Vec<(ValidatorIndex, Signature)>),
    Offer(ValidatorIndex, Signature),
}

impl<C> Remembered<C> {
    pub(crate) const fn new(inner: C, memory: Arc<Mutex<Memory>>) -> Self {
        Self { inner, memory }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(candidate: &Candidate) -> (Height, HeaderHash, Shown) {
    let shown = match &candidate.proof {
        Proof::Shares(shares) => Shown::Shares(shares.clone()),
        Proof::Signature { from, signature } => Shown::Offer(*from, *signature),
    };
    (candidate.height, candidate.header_hash, shown)
}

impl<C: Cryptography> Cryptography for Remembered<C> {
    fn propose(
        &self,
        round: Round,
        parents: &[BlockRef],
        timestamp_ms: u64,
        payload: &[Bytes],
    ) -> Result<VerifiedBlock, ProposalError> {
        self.inner.propose(round, parents, timestamp_ms, payload)
    }

    fn verify_block(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        if self.memory().blocks.contains(block.bytes()) {
            return self.inner.recovered_block(block);
        }
        let bytes = block.bytes().clone();
        let verified = self.inner.verify_block(block)?;
        self.memory().blocks.insert(bytes);
        Ok(verified)
    }

    fn recovered_block(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        self.inner.recovered_block(block)
    }

    fn combine_coin(&self, round: Round, shares: &[(ValidatorIndex, Signature)]) -> CoinVerdict {
        let key = (round, shares.to_vec());
        if let Some(verdict) = self.memory().coins.get(&key) {
            return verdict.clone();
        }
        let verdict = self.inner.combine_coin(round, shares);
        self.memory().coins.insert(key, verdict.clone());
        verdict
    }

    fn sign_share(&self, height: Height, header_hash: HeaderHash) -> FinalityShare {
        self.inner.sign_share(height, header_hash)
    }

    fn finality(&self, candidates: &[Candidate]) -> Vec<CandidateVerdict> {
        let (mut verdicts, mut unknown) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match self.memory().candidates.get(&key(candidate)) {
                Some(verdict) => verdicts.push(verdict.clone()),
                None => unknown.push(candidate.clone()),
            }
        }
        if unknown.is_empty() {
            return verdicts;
        }
        let new = self.inner.finality(&unknown);
        let mut memory = self.memory();
        for candidate in &unknown {
            // One for each candidate, in an order of their own; a height comes once in a batch.
            let verdict = new
                .iter()
                .find(|verdict| verdict.height == candidate.height);
            if let Some(verdict) = verdict {
                memory.candidates.insert(key(candidate), verdict.clone());
            }
        }
        drop(memory);
        verdicts.extend(new);
        verdicts
    }
}
