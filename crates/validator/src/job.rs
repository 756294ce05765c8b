//! Expensive or secret cryptography, handed to the driver to run where it likes and answered by an [`Input`].

use quorate_types::{BlockRef, HeaderHash, Height, Round, Signature, ValidatorIndex};

use crate::cryptography::Cryptography;
use crate::validator::Input;

/// One piece of cryptography. All jobs but [`Job::Propose`], which needs a payload, run with [`Job::run`].
#[derive(Clone, Debug)]
pub enum Job {
    /// Build and sign the own block of `round`, with what the pool holds as payload; answered by [`Input::Built`].
    Propose {
        /// The round.
        round: Round,
        /// The parents, in order.
        parents: Vec<BlockRef>,
    },
    /// Combine the shares of a coin; answered by [`Input::Coin`].
    Coin {
        /// The round.
        round: Round,
        /// At least q shares by distinct members.
        shares: Vec<(ValidatorIndex, Signature)>,
    },
    /// Sign a header's hash with the own share; answered by [`Input::ShareSigned`].
    SignShare {
        /// The height.
        height: Height,
        /// The header's hash.
        header_hash: HeaderHash,
    },
    /// Turn shares into certificates and check certificates of others; answered by [`Input::Finality`].
    Finality {
        /// What to look at, each of another height or hash.
        candidates: Vec<Candidate>,
    },
}

/// A height that may become final.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The height.
    pub height: Height,
    /// The hash that the signatures are over.
    pub header_hash: HeaderHash,
    /// What there is to prove it.
    pub proof: Proof,
}

/// What may prove a header final.
#[derive(Clone, Debug)]
pub enum Proof {
    /// At least q shares by distinct members.
    Shares(Vec<(ValidatorIndex, Signature)>),
    /// A finished signature, said by one peer to be the committee's.
    Signature {
        /// Who says so.
        from: ValidatorIndex,
        /// The signature.
        signature: Signature,
    },
}

/// What became of a [`Candidate`].
#[derive(Clone, Debug)]
pub struct CandidateVerdict {
    /// The height.
    pub height: Height,
    /// The hash.
    pub header_hash: HeaderHash,
    /// The committee's signature, if it could be had and verifies.
    pub signature: Option<Signature>,
    /// Members whose shares do not verify.
    pub bad_shares: Vec<ValidatorIndex>,
    /// The peer whose signature was looked at and does not verify.
    pub bad_offer: Option<ValidatorIndex>,
}

/// What became of a coin.
#[derive(Clone, Debug)]
pub struct CoinVerdict {
    /// The combined signature, unless too few shares were good.
    pub signature: Option<Signature>,
    /// Members whose shares do not verify.
    pub bad: Vec<ValidatorIndex>,
}

impl CandidateVerdict {
    /// The verdict on shares: what they combined to, and which of them are bad.
    #[must_use]
    pub fn on_shares(
        candidate: &Candidate,
        signature: Option<Signature>,
        bad: Vec<ValidatorIndex>,
    ) -> Self {
        Self {
            height: candidate.height,
            header_hash: candidate.header_hash,
            signature,
            bad_shares: bad,
            bad_offer: None,
        }
    }

    /// The verdict on a finished signature that `from` offered.
    #[must_use]
    pub fn on_offer(
        candidate: &Candidate,
        from: ValidatorIndex,
        signature: Signature,
        verifies: bool,
    ) -> Self {
        Self {
            height: candidate.height,
            header_hash: candidate.header_hash,
            signature: verifies.then_some(signature),
            bad_shares: Vec::new(),
            bad_offer: (!verifies).then_some(from),
        }
    }
}

impl Job {
    /// Runs the job. `None` for [`Job::Propose`], which takes a payload: see [`Cryptography::propose`].
    #[must_use]
    pub fn run(self, cryptography: &dyn Cryptography) -> Option<Input> {
        match self {
            Self::Propose { .. } => None,
            Self::Coin { round, shares } => {
                let verdict = cryptography.combine_coin(round, &shares);
                Some(Input::Coin { round, verdict })
            }
            Self::SignShare {
                height,
                header_hash,
            } => Some(Input::ShareSigned(
                cryptography.sign_share(height, header_hash),
            )),
            Self::Finality { candidates } => {
                Some(Input::Finality(cryptography.finality(&candidates)))
            }
        }
    }
}
