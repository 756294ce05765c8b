//! Making a signature out of shares.

use std::collections::BTreeSet;

use quorate_types::{Signature, ValidatorIndex};

use super::IndexedShare;
use super::public::ThresholdPublic;
use crate::bls::{DST, G1, ShareIndex, hash_to_g1, interpolate_at_zero};

/// A signature under the group's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combined {
    /// The signature; it was verified.
    pub signature: Signature,
    /// Members whose share was found to be malformed or invalid, in the order given. Shares that were not needed may
    /// be unchecked: a member that is not named is not cleared.
    pub bad: Vec<ValidatorIndex>,
}

/// Why shares make no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// There is no such member.
    #[error("no member {index} among {members}")]
    UnknownMember {
        /// The index given.
        index: ValidatorIndex,
        /// Size of the committee.
        members: usize,
    },
    /// A member comes twice.
    #[error("two shares of member {index}")]
    Duplicate {
        /// The member.
        index: ValidatorIndex,
    },
    /// Too few shares are valid.
    #[error("{good} valid shares, {needed} needed; {} are bad", .bad.len())]
    NotEnough {
        /// Valid shares.
        good: usize,
        /// The threshold.
        needed: usize,
        /// Members whose share is malformed or invalid, in the order given.
        bad: Vec<ValidatorIndex>,
    },
}

/// The result of interpolation, before it is verified.
struct Candidate {
    point: G1,
    bad: Vec<ValidatorIndex>,
}

impl Candidate {
    fn into_combined(self) -> Combined {
        Combined {
            signature: Signature(self.point.to_bytes()),
            bad: self.bad,
        }
    }
}

impl ThresholdPublic {
    /// Combines shares of `message`. If the first t are good, this takes one multi-scalar multiplication and one
    /// pairing equation; else all shares are checked, the bad ones named and left out.
    ///
    /// # Errors
    /// [`CombineError`].
    pub fn combine(
        &self,
        message: &[u8],
        shares: &[IndexedShare],
    ) -> Result<Combined, CombineError> {
        self.require_distinct_members(shares)?;
        if let Some(candidate) = self.candidate(shares)
            && self
                .group()
                .is_valid(&hash_to_g1(message, DST), &candidate.point)
        {
            return Ok(candidate.into_combined());
        }
        self.combine_checked(message, shares)
    }

    /// Combines shares of many messages, with one pairing equation for all results. An item whose result is wrong is
    /// then treated as by [`Self::combine`]; it does not disturb the others.
    #[must_use]
    pub fn combine_many(
        &self,
        items: &[(&[u8], &[IndexedShare])],
    ) -> Vec<Result<Combined, CombineError>> {
        let candidates: Vec<Result<Option<Candidate>, CombineError>> = items
            .iter()
            .map(|(_, shares)| {
                self.require_distinct_members(shares)
                    .map(|()| self.candidate(shares))
            })
            .collect();
        let mut positions = Vec::with_capacity(items.len());
        let mut signed = Vec::with_capacity(items.len());
        for (position, candidate) in candidates.iter().enumerate() {
            if let Ok(Some(candidate)) = candidate {
                positions.push(position);
                signed.push((items[position].0, candidate.point));
            }
        }
        let invalid = self.group().invalid_positions(&signed);
        let invalid: BTreeSet<usize> = invalid
            .into_iter()
            .map(|position| positions[position])
            .collect();
        let results = candidates.into_iter().zip(items).enumerate();
        results
            .map(
                |(position, (candidate, (message, shares)))| match candidate? {
                    Some(candidate) if !invalid.contains(&position) => {
                        Ok(candidate.into_combined())
                    }
                    _ => self.combine_checked(message, shares),
                },
            )
            .collect()
    }

    fn require_distinct_members(&self, shares: &[IndexedShare]) -> Result<(), CombineError> {
        let mut seen = vec![false; self.members()];
        for (index, _) in shares {
            let Some(seen) = seen.get_mut(usize::from(index.0)) else {
                return Err(CombineError::UnknownMember {
                    index: *index,
                    members: self.members(),
                });
            };
            if core::mem::replace(seen, true) {
                return Err(CombineError::Duplicate { index: *index });
            }
        }
        Ok(())
    }

    /// Interpolates the first t well-formed shares, or `None` if there are not so many or they make no signature.
    ///
    /// Nothing of the shares is checked: a result that verifies is the signature, whatever it was made of.
    fn candidate(&self, shares: &[IndexedShare]) -> Option<Candidate> {
        let mut bad = Vec::new();
        let mut points = Vec::with_capacity(self.threshold());
        for (index, share) in shares {
            match G1::on_curve_from_bytes(&share.0) {
                Ok(point) => points.push((*index, point)),
                Err(_) => bad.push(*index),
            }
            if points.len() == self.threshold() {
                let point = signature_part(interpolate(&points));
                return (!point.is_identity()).then_some(Candidate { point, bad });
            }
        }
        None
    }

    /// Checks every share and combines good ones.
    fn combine_checked(
        &self,
        message: &[u8],
        shares: &[IndexedShare],
    ) -> Result<Combined, CombineError> {
        let checked = self.check_shares(message, shares);
        let Some(enough) = checked.good.get(..self.threshold()) else {
            return Err(CombineError::NotEnough {
                good: checked.good.len(),
                needed: self.threshold(),
                bad: checked.bad,
            });
        };
        let point = signature_part(interpolate(enough));
        assert!(
            self.group().is_valid(&hash_to_g1(message, DST), &point),
            "valid shares interpolate to a valid signature: the keys' degree was checked in ThresholdPublic::parse"
        );
        Ok(Combined {
            signature: Signature(point.to_bytes()),
            bad: checked.bad,
        })
    }
}

/// Frees what shares were combined to of what is outside the subgroup.
fn signature_part(point: G1) -> G1 {
    if point.in_subgroup() {
        point
    } else {
        point.subgroup_part()
    }
}

/// The value at zero of the polynomial through distinct members' shares: their signature, if they are all good and in the subgroup.
///
/// # Panics
/// If a member comes twice.
#[must_use]
pub fn interpolate(shares: &[(ValidatorIndex, G1)]) -> G1 {
    let indices: Vec<ShareIndex> = shares.iter().map(|(index, _)| (*index).into()).collect();
    let points: Vec<G1> = shares.iter().map(|(_, point)| *point).collect();
    interpolate_at_zero(&indices, &points)
}
