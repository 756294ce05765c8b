//! The public side of a committee's threshold key.

use core::ops::Range;

use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{Blake3, DomainTag, Signature, ThresholdKey, ValidatorIndex};

use super::group_key::GroupKey;
use super::weights::{Equation, Transcript};
use super::{IndexedShare, is_valid, parse_share};
use crate::SignatureError;
use crate::bisect::bad_positions;
use crate::bls::{
    DST, G1, G2, Pairings, PointError, Polynomial, Scalar, hash_to_g1, interpolation_denominators,
};

/// If so few shares are not all valid, each is asked: halving would sum keys and shares again, at nearly the cost of a pairing, and
/// spare few questions.
const ONE_BY_ONE_MAX: usize = 8;

/// A group key and its members' share keys, parsed and known to lie on one polynomial.
#[derive(Clone, Debug)]
pub struct ThresholdPublic {
    group: GroupKey,
    shares: Vec<G2>,
    threshold: usize,
    /// Hash of all keys, which stands for them in transcripts.
    digest: [u8; 32],
}

/// Why public keys are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There are more members than a committee may have.
    #[error("{found} share keys, a committee has at most {COMMITTEE_MAX}")]
    Size {
        /// Share keys given.
        found: usize,
    },
    /// The threshold is not between one and the number of members.
    #[error("threshold {threshold} of {members} members")]
    Threshold {
        /// The threshold given.
        threshold: usize,
        /// Share keys given.
        members: usize,
    },
    /// The group key is malformed.
    #[error("group key: {0}")]
    Group(PointError),
    /// A share key is malformed.
    #[error("share key of member {index}: {error}")]
    Member {
        /// Whose key.
        index: ValidatorIndex,
        /// What is wrong.
        error: PointError,
    },
    /// The keys do not lie on one polynomial with as many coefficients as the threshold says.
    #[error("group key and share keys do not lie on one polynomial with {threshold} coefficients")]
    Degree {
        /// The threshold given.
        threshold: usize,
    },
}

/// Why a share is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// There is no such member.
    #[error("no member {index} among {members}")]
    UnknownMember {
        /// The index given.
        index: ValidatorIndex,
        /// Size of the committee.
        members: usize,
    },
    /// The share is malformed or invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl ThresholdPublic {
    /// Parses all keys and makes sure that any `threshold` members can sign for the group, and always the same.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn parse(
        group: &ThresholdKey,
        members: &[ThresholdKey],
        threshold: usize,
    ) -> Result<Self, KeysError> {
        if members.len() > usize::from(COMMITTEE_MAX) {
            return Err(KeysError::Size {
                found: members.len(),
            });
        }
        if !(1..=members.len()).contains(&threshold) {
            return Err(KeysError::Threshold {
                threshold,
                members: members.len(),
            });
        }
        let parsed_group = GroupKey::parse(group).map_err(KeysError::Group)?;
        let mut shares = Vec::with_capacity(members.len());
        for (index, key) in (0..).map(ValidatorIndex).zip(members) {
            shares
                .push(G2::from_bytes(&key.0).map_err(|error| KeysError::Member { index, error })?);
        }
        let hash = members.iter().fold(
            Blake3::new(DomainTag::BatchWeights).chain(group),
            |hash, key| hash.chain(key),
        );
        let keys = Self {
            group: parsed_group,
            shares,
            threshold,
            digest: hash.finish(),
        };
        keys.check_degree()?;
        Ok(keys)
    }

    /// The group's key.
    #[must_use]
    pub const fn group(&self) -> &GroupKey {
        &self.group
    }

    /// t: how many shares make a signature.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// n: how many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.shares.len()
    }

    /// A member's share key.
    #[must_use]
    pub fn share_key(&self, index: ValidatorIndex) -> Option<&G2> {
        self.shares.get(usize::from(index.0))
    }

    /// Verifies a signature under the group's key, as [`GroupKey::verify`].
    ///
    /// # Errors
    /// The signature is malformed or not one of `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        self.group.verify(message, signature)
    }

    /// Verifies one member's share.
    ///
    /// # Errors
    /// [`ShareError`].
    pub fn verify_share(
        &self,
        index: ValidatorIndex,
        message: &[u8],
        share: &Signature,
    ) -> Result<(), ShareError> {
        let key = self.share_key(index).ok_or(ShareError::UnknownMember {
            index,
            members: self.members(),
        })?;
        let share = parse_share(share).map_err(SignatureError::from)?;
        if is_valid(key, &hash_to_g1(message, DST), &share) {
            return Ok(());
        }
        Err(SignatureError::Invalid.into())
    }

    /// Verifies many members' shares of one message with one pairing equation, and names the bad ones if it fails.
    ///
    /// # Errors
    /// The members whose share is malformed or invalid, and the indices that name no member, in the order given.
    pub fn verify_shares_batch(
        &self,
        message: &[u8],
        shares: &[IndexedShare],
    ) -> Result<(), Vec<ValidatorIndex>> {
        let bad = self.check_shares(message, shares).bad;
        if bad.is_empty() { Ok(()) } else { Err(bad) }
    }

    /// Sorts shares into valid ones, as points of the curve, and the bad ones' indices.
    pub(super) fn check_shares(&self, message: &[u8], shares: &[IndexedShare]) -> CheckedShares {
        let mut parsed = Vec::with_capacity(shares.len());
        let mut is_bad = vec![true; shares.len()];
        for (position, (index, share)) in shares.iter().enumerate() {
            if let (Some(key), Ok(point)) = (self.share_key(*index), parse_share(share)) {
                parsed.push((position, point, *key));
                is_bad[position] = false;
            }
        }
        for position in self.invalid_shares(message, shares, &parsed) {
            is_bad[parsed[position].0] = true;
        }
        let bad = shares.iter().zip(&is_bad).filter(|(_, is_bad)| **is_bad);
        CheckedShares {
            bad: bad.map(|((index, _), _)| *index).collect(),
            good: parsed
                .into_iter()
                .filter(|(position, _, _)| !is_bad[*position])
                .map(|(position, point, _)| (shares[position].0, point))
                .collect(),
        }
    }

    /// Positions in `parsed` of invalid shares. The equation is e(sum of w s, generator) = e(hash, sum of w k) over
    /// shares s, keys k and weights w. It speaks of the shares' parts in the subgroup: the order of the rest has no factor in common
    /// with that of pairings, whose value it therefore leaves alone.
    fn invalid_shares(
        &self,
        message: &[u8],
        shares: &[IndexedShare],
        parsed: &[(usize, G1, G2)],
    ) -> Vec<usize> {
        let transcript = Transcript::new(Equation::Shares)
            .fixed(self.digest)
            .message(message);
        let transcript = shares
            .iter()
            .fold(transcript, |transcript, (index, share)| {
                transcript.fixed(index.0.to_le_bytes()).fixed(share.0)
            });
        let weights = transcript.weights(parsed.len());
        let points: Vec<G1> = parsed.iter().map(|(_, point, _)| *point).collect();
        let keys: Vec<G2> = parsed.iter().map(|(_, _, key)| *key).collect();
        let hash = hash_to_g1(message, DST);
        let look = |range: Range<usize>| {
            let weights = &weights[range.clone()];
            let share = G1::weighted_sum(&points[range.clone()], weights);
            let key = G2::weighted_sum(&keys[range], weights);
            Pairings::product(&[(share.negate(), G2::generator()), (hash, key)])
        };
        if parsed.len() > ONE_BY_ONE_MAX {
            return bad_positions(parsed.len(), look);
        }
        if parsed.is_empty() || look(0..parsed.len()).is_one() {
            return Vec::new();
        }
        let invalid = parsed.iter().enumerate();
        let invalid = invalid.filter(|(_, (_, share, key))| !is_valid(key, &hash, share));
        invalid.map(|(position, _)| position).collect()
    }

    /// Tests that the group key at 0 and the share keys at 1..=n lie on one polynomial with t coefficients.
    ///
    /// Values of such polynomials at n + 1 points are a Reed-Solomon code; its dual code has the words f(x) / d(x)
    /// where f is any polynomial with n + 1 - t coefficients and d(x) the product of x's distances from the other
    /// points. A random word of the dual code is orthogonal to keys off the code with probability 2^-128 (Cascudo
    /// and David, SCRAPE, ACNS 2017, section 2).
    fn check_degree(&self) -> Result<(), KeysError> {
        let size = self.members() + 1;
        let transcript = Transcript::new(Equation::Degree)
            .fixed(self.digest)
            .fixed((self.threshold as u64).to_le_bytes());
        let coefficients = transcript.weights(size - self.threshold);
        let word = Polynomial::new(
            coefficients
                .iter()
                .map(|bytes| Scalar::from_wide_bytes(bytes))
                .collect(),
        );
        let points: Vec<i64> = (0..).take(size).collect();
        let scalars: Vec<Scalar> = (0u64..)
            .zip(interpolation_denominators(&points))
            .map(|(point, denominator)| word.evaluate(Scalar::from(point)) * denominator)
            .collect();
        let keys: Vec<G2> = core::iter::once(self.group.point())
            .chain(&self.shares)
            .copied()
            .collect();
        if G2::multi_scalar(&keys, &scalars).is_identity() {
            return Ok(());
        }
        Err(KeysError::Degree {
            threshold: self.threshold,
        })
    }
}

/// Shares after [`ThresholdPublic::check_shares`], both lists in the order given.
pub(super) struct CheckedShares {
    pub(super) good: Vec<(ValidatorIndex, G1)>,
    pub(super) bad: Vec<ValidatorIndex>,
}
