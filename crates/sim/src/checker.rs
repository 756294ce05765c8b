//! Looks at everything that validators do and says when a promise is broken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_sync::Blame;
use quorate_types::{
    BlockId, BlockRef, Certificate, Commit, Evidence, FinalityShare, HeaderHash, Height, Round,
    Signature, ValidatorIndex,
};

use crate::convictions::{Convictions, Lie};
use crate::failure::{Refusal, Violation};
use crate::setup::Setup;

/// What the honest validators of one world agree on so far. The first to say something binds all others, and itself
/// after a restart.
#[derive(Debug)]
pub(crate) struct Checker {
    honest: Vec<bool>,
    commits: BTreeMap<Height, (BlockRef, u64, Vec<BlockId>)>,
    headers: BTreeMap<Height, HeaderHash>,
    certificates: BTreeMap<Height, Signature>,
    /// The highest height certified in each validator's present boot.
    certified: Vec<Height>,
    own_blocks: BTreeMap<(ValidatorIndex, Round), BlockId>,
    shares: BTreeMap<(ValidatorIndex, Height), HeaderHash>,
    /// Unique transactions that commits have output.
    ordered: BTreeSet<Bytes>,
    unique_transactions: bool,
    highest_round: Round,
    convictions: Vec<Convictions>,
    violation: Option<Violation>,
}

impl Checker {
    /// `unique_transactions`: no client sends the same bytes twice.
    pub(crate) fn new(honest: Vec<bool>, unique_transactions: bool) -> Self {
        Self {
            commits: BTreeMap::new(),
            headers: BTreeMap::new(),
            certificates: BTreeMap::new(),
            certified: vec![Height(0); honest.len()],
            convictions: vec![Convictions::default(); honest.len()],
            honest,
            own_blocks: BTreeMap::new(),
            shares: BTreeMap::new(),
            ordered: BTreeSet::new(),
            unique_transactions,
            highest_round: Round(0),
            violation: None,
        }
    }

    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The highest round of an own block that left an honest validator.
    pub(crate) const fn highest_round(&self) -> Round {
        self.highest_round
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.len() as u64
    }

    pub(crate) fn certificates(&self) -> u64 {
        self.certificates.len() as u64
    }

    /// Keeps the first violation.
    pub(crate) fn report(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    pub(crate) fn is_honest(&self, validator: ValidatorIndex) -> bool {
        self.honest[validator.position()]
    }

    /// A validator refused for good what another sent.
    pub(crate) fn refused(&mut self, at: ValidatorIndex, from: ValidatorIndex, why: Refusal) {
        if self.is_honest(at) && self.is_honest(from) {
            self.report(Violation::HonestRefused {
                validator: at,
                from,
                why,
            });
        }
    }

    /// A validator that joins blames a peer for its chunk.
    pub(crate) fn blamed(&mut self, at: ValidatorIndex, peer: ValidatorIndex, why: Blame) {
        if self.is_honest(peer) {
            self.report(Violation::HonestRefused {
                validator: at,
                from: peer,
                why: Refusal::Chunk(why),
            });
        }
    }

    pub(crate) fn commit(&mut self, at: ValidatorIndex, commit: &Commit) {
        if !self.is_honest(at) {
            return;
        }
        let blocks: Vec<BlockId> = commit
            .blocks
            .iter()
            .map(|block| block.reference().id)
            .collect();
        let told = (commit.leader, commit.timestamp_ms, blocks);
        match self.commits.get(&commit.height) {
            Some(known) if *known == told => return,
            Some(known) => {
                let violation = Violation::Commit {
                    validator: at,
                    height: commit.height,
                    leader: commit.leader,
                    known: known.0,
                };
                self.report(violation);
                return;
            }
            None => {
                self.commits.insert(commit.height, told);
            }
        }
        if !self.unique_transactions {
            return;
        }
        for block in &commit.blocks {
            // A liar may order what it likes as often as it likes.
            if !self.is_honest(block.author()) {
                continue;
            }
            for transaction in block.payload() {
                if !self.ordered.insert(Bytes::copy_from_slice(transaction)) {
                    self.report(Violation::OrderedTwice {
                        block: block.reference(),
                        height: commit.height,
                    });
                }
            }
        }
    }

    pub(crate) fn header(&mut self, at: ValidatorIndex, height: Height, hash: HeaderHash) {
        let honest = self.is_honest(at);
        if honest && *self.headers.entry(height).or_insert(hash) != hash {
            self.report(Violation::Header {
                validator: at,
                height,
            });
        }
    }

    pub(crate) fn own_block(&mut self, block: BlockRef) {
        if !self.is_honest(block.author) {
            return;
        }
        self.highest_round = self.highest_round.max(block.round);
        let slot = (block.author, block.round);
        let first = *self.own_blocks.entry(slot).or_insert(block.id);
        if first != block.id {
            self.report(Violation::Equivocation {
                first: BlockRef { id: first, ..block },
                second: block,
            });
        }
    }

    pub(crate) fn share(&mut self, at: ValidatorIndex, share: &FinalityShare) {
        let slot = (at, share.height);
        let hash = share.header_hash;
        if self.is_honest(at) && *self.shares.entry(slot).or_insert(hash) != hash {
            self.report(Violation::TwoShares {
                validator: at,
                height: share.height,
            });
        }
    }

    /// A validator starts, with certificates up to `certified`.
    pub(crate) fn started(&mut self, at: ValidatorIndex, certified: Height) {
        self.certified[at.position()] = certified;
        self.convictions[at.position()].restart();
    }

    pub(crate) fn certificate(
        &mut self,
        at: ValidatorIndex,
        certificate: &Certificate,
        setup: &Setup,
    ) {
        if !self.is_honest(at) {
            return;
        }
        let height = certificate.header.height;
        let before = std::mem::replace(&mut self.certified[at.position()], height);
        if before.next() != height {
            self.report(Violation::CertificateGap {
                validator: at,
                height,
                before,
            });
        }
        self.header(at, height, certificate.header.hash());
        match self.certificates.get(&height) {
            // The committee's signature is unique, so one that was verified vouches for all.
            Some(known) if *known == certificate.signature => {}
            Some(_) => self.report(Violation::Certificate {
                validator: at,
                height,
            }),
            None if setup.verifies(certificate) => {
                self.certificates.insert(height, certificate.signature);
            }
            None => self.report(Violation::Certificate {
                validator: at,
                height,
            }),
        }
    }

    /// A validator accepts a block.
    pub(crate) fn accepted(&mut self, at: ValidatorIndex, block: BlockRef) {
        self.convictions[at.position()].accept(block);
    }

    /// A validator looked at something that does not verify.
    pub(crate) fn found_out(&mut self, at: ValidatorIndex, liar: ValidatorIndex, lie: Lie) {
        self.convictions[at.position()].find(liar, lie);
    }

    /// At the end: whoever was found out must be convicted.
    pub(crate) fn judge(&mut self) {
        for (validator, convictions) in (0..).map(ValidatorIndex).zip(&self.convictions) {
            if self.honest[validator.position()]
                && let Some((liar, lie)) = convictions.let_go()
            {
                self.report(Violation::LetGo {
                    validator,
                    liar,
                    lie,
                });
                return;
            }
        }
    }

    pub(crate) fn evidence(&mut self, at: ValidatorIndex, evidence: &Evidence) {
        self.convictions[at.position()].convict(evidence);
        let accused = match evidence {
            Evidence::Equivocation { first, .. } => first.author,
            Evidence::BadCoinShare { author, .. } | Evidence::BadFinalityShare { author, .. } => {
                *author
            }
        };
        if self.is_honest(at) && self.is_honest(accused) {
            self.report(Violation::FalseEvidence {
                validator: at,
                evidence: evidence.clone(),
            });
        }
    }

    /// Whether commits have output a transaction, where clients send none twice.
    pub(crate) fn is_ordered(&self, transaction: &Bytes) -> bool {
        self.ordered.contains(transaction)
    }
}
