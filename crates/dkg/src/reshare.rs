//! Resharing and refresh: the same group key in new hands, from an ordered list of dealings.
//!
//! Each previous member deals its share to the new members (Desmedt and Jajodia, 1997; with encrypted, publicly verifiable
//! dealings as in Groth, ePrint 2021/339, section 9). The first q valid dealings in the list's order count, where q is the
//! previous quorum; weighted with their dealers' Lagrange coefficients they interpolate the previous polynomial, so that
//! the group key stays and all shares change. With the same members this is a refresh.
//!
//! Who orders the list is not trusted (ADR 0008): a chain can, or anybody with files. Everybody checks every dealing. A list
//! with another choice or order among the counted dealings is another transcript. The new members who hold their shares
//! sign the transcript with them ([`Ready`]); q of them, the new quorum, make the hand-over certificate, which verifies
//! under the unchanged group key. An honest member signs for one list only and two quorums share an honest member, so that
//! at most one list completes. Until then the previous shares are the ones that count; after it they are to be erased.

mod handover;
mod ready;

pub use handover::Handover;
pub use ready::{Ready, ReadyError};

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::KeysError;
use quorate_crypto::pvss::{Dealing, Parallel};
use quorate_types::ValidatorIndex;

use crate::ceremony::Ceremony;
use crate::dealing::{DealingFault, SignedDealing};
use crate::evidence::{DealerEvidence, SignedHash};

/// A resharing, fed with dealings in their order.
pub struct Reshare {
    ceremony: Arc<Ceremony>,
    /// The first dealing that each dealer signed, valid or not: what a second one is compared with.
    first: BTreeMap<ValidatorIndex, SignedHash>,
    /// The dealers that count, in order.
    counted: Vec<ValidatorIndex>,
    /// Their dealings, until there are enough.
    dealings: Vec<(SignedDealing, Dealing)>,
    handover: Option<Result<Handover, KeysError>>,
}

/// What became of a dealing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ordered {
    /// It counts.
    Counted,
    /// It does not count, and convicts its dealer. Of a dealer that signed several dealings the first valid one counts all
    /// the same.
    Evidence(Box<DealerEvidence>),
    /// It changes nothing.
    Ignored(Ignored),
}

/// Why a dealing changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It was in the list before.
    Repeated,
    /// Enough dealings had been counted before it.
    Enough,
    /// No dealer signed it for this ceremony and attempt.
    NotSigned(DealingFault),
}

/// Why a ceremony cannot be run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ceremony makes a fresh key: there is nothing to reshare")]
pub struct NotAReshare;

/// Why there is no hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// Dealings are missing.
    #[error("{counted} dealings count, {needed} are needed")]
    Waiting {
        /// How many count so far.
        counted: usize,
        /// The previous quorum.
        needed: u16,
    },
    /// The dealings make unusable keys. That takes a previous quorum of liars.
    #[error("the new keys: {0}")]
    Keys(#[from] KeysError),
}

impl Reshare {
    /// Begins a resharing.
    ///
    /// # Errors
    /// The ceremony is for a fresh key.
    pub fn new(ceremony: Arc<Ceremony>) -> Result<Self, NotAReshare> {
        if !ceremony.is_reshare() {
            return Err(NotAReshare);
        }
        Ok(Self {
            ceremony,
            first: BTreeMap::new(),
            counted: Vec::new(),
            dealings: Vec::new(),
            handover: None,
        })
    }

    /// The ceremony.
    #[must_use]
    pub const fn ceremony(&self) -> &Arc<Ceremony> {
        &self.ceremony
    }

    /// Takes the next dealing of the list.
    ///
    /// A dealer's first valid dealing counts until there are enough. A dealing that differs from the dealer's first is
    /// evidence even after that; one that is invalid is evidence only before, because nobody looks at it after.
    pub fn order(&mut self, dealing: SignedDealing, parallel: &dyn Parallel) -> Ordered {
        if let Err(fault) = dealing.verify_signature(&self.ceremony) {
            return Ordered::Ignored(Ignored::NotSigned(fault));
        }
        let dealer = dealing.dealer;
        let signed = dealing.signed_hash();
        let first = *self.first.entry(dealer).or_insert(signed);
        let is_counted = self.counted.contains(&dealer);
        if let Some(evidence) = DealerEvidence::two_dealings(dealer, first, signed)
            && (is_counted || self.is_complete())
        {
            return Ordered::Evidence(Box::new(evidence));
        }
        if is_counted {
            return Ordered::Ignored(Ignored::Repeated);
        }
        if self.is_complete() {
            return Ordered::Ignored(Ignored::Enough);
        }
        match dealing.validate(&self.ceremony, parallel) {
            Ok(valid) => {
                self.counted.push(dealer);
                self.dealings.push((dealing, valid));
                if self.is_complete() {
                    let dealings = core::mem::take(&mut self.dealings);
                    self.handover = Some(Handover::new(Arc::clone(&self.ceremony), dealings));
                }
                Ordered::Counted
            }
            Err(fault) if fault.convicts() => {
                Ordered::Evidence(Box::new(DealerEvidence::InvalidDealing(dealing)))
            }
            Err(fault) => Ordered::Ignored(Ignored::NotSigned(fault)),
        }
    }

    /// The dealers whose dealings count, in order.
    #[must_use]
    pub fn counted(&self) -> &[ValidatorIndex] {
        &self.counted
    }

    /// Whether enough dealings count: what follows changes nothing any more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.counted.len() >= usize::from(self.ceremony.dealings_needed())
    }

    /// What there is to hand over, once enough dealings count.
    ///
    /// # Errors
    /// [`HandoverError`].
    pub fn handover(&self) -> Result<&Handover, HandoverError> {
        match &self.handover {
            Some(Ok(handover)) => Ok(handover),
            Some(Err(error)) => Err((*error).into()),
            None => Err(HandoverError::Waiting {
                counted: self.counted.len(),
                needed: self.ceremony.dealings_needed(),
            }),
        }
    }
}
