//! The end of a key generation: shares of the certificate, and results that peers claim.

use std::collections::BTreeMap;

use quorate_types::{DealingHash, Signature, TranscriptHash, ValidatorIndex};

use crate::io::DealingName;
use crate::keys::Keys;
use crate::member_set::MemberSet;
use crate::message::MessageError;

/// A result that peers claim. It is right if its certificate verifies under the sum of its dealings: these are at
/// least n - f and valid, so one is an honest dealer's, and no certificate is made without honest members.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) dealings: Vec<DealingName>,
    pub(crate) certificate: Signature,
    /// Who claims it; they have the dealings.
    pub(crate) by: MemberSet,
    /// It is being checked.
    pub(crate) checking: bool,
}

/// What this member itself found to be the result.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) transcript: TranscriptHash,
    pub(crate) keys: Keys,
}

/// What is known about the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Completion {
    /// All accepted dealings, once every agreement decided and every body is here.
    pub(crate) dealings: Option<Vec<DealingName>>,
    pub(crate) own: Option<Own>,
    shares: BTreeMap<ValidatorIndex, (TranscriptHash, Signature)>,
    pub(crate) combining: bool,
    claims: Vec<Claim>,
}

impl Completion {
    /// Takes a share of the certificate; a member sends one.
    pub(crate) fn add(
        &mut self,
        from: ValidatorIndex,
        transcript: TranscriptHash,
        share: Signature,
    ) -> Result<(), MessageError> {
        if self.shares.contains_key(&from) {
            return Err(MessageError::Repeated);
        }
        self.shares.insert(from, (transcript, share));
        Ok(())
    }

    pub(crate) fn drop_share(&mut self, of: ValidatorIndex) {
        self.shares.remove(&of);
    }

    /// Whose shares there are.
    pub(crate) fn have(&self) -> MemberSet {
        self.shares.keys().copied().collect()
    }

    /// Who signed another transcript than this member's. Honest members all find the same.
    pub(crate) fn dissenters(&self) -> Vec<ValidatorIndex> {
        let Some(own) = &self.own else {
            return Vec::new();
        };
        let others = self
            .shares
            .iter()
            .filter(|(_, (transcript, _))| *transcript != own.transcript);
        others.map(|(from, _)| *from).collect()
    }

    /// The shares to combine, if there are `least` and nothing is under way. Dissenters' are dropped before.
    pub(crate) fn due(&self, least: usize) -> Option<Vec<(ValidatorIndex, Signature)>> {
        let due = self.own.is_some() && !self.combining && self.shares.len() >= least;
        due.then(|| {
            let shares = self.shares.iter();
            shares.map(|(from, (_, share))| (*from, *share)).collect()
        })
    }

    /// Takes a claimed result; a member claims one.
    pub(crate) fn claim(
        &mut self,
        from: ValidatorIndex,
        set: MemberSet,
        hashes: &[DealingHash],
        certificate: Signature,
    ) -> Result<(), MessageError> {
        if self.claims.iter().any(|claim| claim.by.contains(from)) {
            return Err(MessageError::Repeated);
        }
        let dealings: Vec<DealingName> = set.iter().zip(hashes.iter().copied()).collect();
        let same = self
            .claims
            .iter_mut()
            .find(|claim| claim.dealings == dealings && claim.certificate == certificate);
        if let Some(claim) = same {
            claim.by.insert(from);
            return Ok(());
        }
        self.claims.push(Claim {
            dealings,
            certificate,
            by: [from].into_iter().collect(),
            checking: false,
        });
        Ok(())
    }

    pub(crate) fn claims(&self) -> &[Claim] {
        &self.claims
    }

    pub(crate) fn claims_mut(&mut self) -> &mut [Claim] {
        &mut self.claims
    }

    /// Forgets claims; hands back by whom they were.
    pub(crate) fn drop_claims(&mut self, wrong: impl Fn(&Claim) -> bool) -> MemberSet {
        let mut by = MemberSet::EMPTY;
        self.claims.retain(|claim| {
            let drop = wrong(claim);
            if drop {
                by = by.union(claim.by);
            }
            !drop
        });
        by
    }
}
