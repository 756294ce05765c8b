//! Quorums, and what it takes to break them.

use quorate_types::limits::COMMITTEE_MIN;

use crate::VALIDATORS_MAX;
use crate::error::RiskError;

/// f = floor((n-1)/3): how many Byzantine members a committee of `committee` (n, members) tolerates; 0 for n = 0.
#[must_use]
pub const fn faults(committee: u32) -> u32 {
    committee.saturating_sub(1) / 3
}

/// A rule that gives the quorum q of a committee of any size: a share of n, never less than n - f.
///
/// Source: SHARDING, decision 3 and section 2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuorumRule {
    per_mille: u32,
}

impl QuorumRule {
    /// q = n - f, the least quorum: the smallest number of members that is more than 2n/3.
    pub const LEAST: Self = Self { per_mille: 0 };
    /// q = ceil(0.70 n), which section 2.2 recommends for certificates.
    pub const SEVEN_TENTHS: Self = Self { per_mille: 700 };
    /// q = ceil(0.75 n).
    pub const THREE_QUARTERS: Self = Self { per_mille: 750 };

    /// q = ceil(`per_mille` n / 1000), or n - f where that is more.
    ///
    /// # Errors
    /// [`RiskError::QuorumShare`] above 1000 thousandths.
    pub const fn per_mille(per_mille: u32) -> Result<Self, RiskError> {
        if per_mille > 1000 {
            return Err(RiskError::QuorumShare { per_mille });
        }
        Ok(Self { per_mille })
    }

    /// The rule's share of n in thousandths; 0 for [`QuorumRule::LEAST`].
    #[must_use]
    pub const fn share_per_mille(self) -> u32 {
        self.per_mille
    }

    /// q, in members, of a committee of `committee` (n) members.
    ///
    /// # Errors
    /// [`RiskError::Committee`] outside 4..=[`VALIDATORS_MAX`].
    pub fn quorum(self, committee: u32) -> Result<u32, RiskError> {
        check_committee(committee, VALIDATORS_MAX)?;
        let share = (committee * self.per_mille).div_ceil(1000);
        Ok(share.max(committee - faults(committee)))
    }

    /// w = max(1, floor((n-q)/2)): how many members of a committee of `committee` (n) may be exchanged in one epoch.
    /// As many again may be faulty without a stall while the newcomers do not vote yet.
    ///
    /// Source: SHARDING 2.4.
    ///
    /// # Errors
    /// [`RiskError::Committee`] outside 4..=[`VALIDATORS_MAX`].
    pub fn swap_max(self, committee: u32) -> Result<u32, RiskError> {
        let quorum = self.quorum(committee)?;
        Ok(((committee - quorum) / 2).max(1))
    }
}

/// What Byzantine members can do to their committee once there are enough of them.
///
/// Source: SHARDING 2.1 (excess) and 2.2 (fork, stall).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// More than f members are Byzantine: the model of agreement itself does not hold.
    Excess,
    /// Two conflicting certificates can be made: at least 2q - n are Byzantine. Nothing repairs that.
    Fork {
        /// q, members.
        quorum: u32,
    },
    /// No certificate needs to come: more than n - q are Byzantine and silent. The beacon can staff the shard anew.
    Stall {
        /// q, members.
        quorum: u32,
    },
}

impl Harm {
    /// The fewest Byzantine members of a committee of `committee` (n) members that can do this. At least 1.
    ///
    /// # Errors
    /// [`RiskError::Committee`] if n is outside 4..=[`VALIDATORS_MAX`], [`RiskError::Quorum`] if q is outside n-f..=n.
    pub fn members(self, committee: u32) -> Result<u32, RiskError> {
        check_committee(committee, VALIDATORS_MAX)?;
        match self {
            Self::Excess => Ok(faults(committee) + 1),
            Self::Fork { quorum } => {
                check_quorum(quorum, committee)?;
                Ok(2 * quorum - committee)
            }
            Self::Stall { quorum } => {
                check_quorum(quorum, committee)?;
                Ok(committee - quorum + 1)
            }
        }
    }
}

/// n within 4..=`most`.
pub(crate) fn check_committee(committee: u32, most: u32) -> Result<(), RiskError> {
    if !(u32::from(COMMITTEE_MIN)..=most).contains(&committee) {
        return Err(RiskError::Committee {
            found: committee,
            most,
        });
    }
    Ok(())
}

fn check_quorum(quorum: u32, committee: u32) -> Result<(), RiskError> {
    let least = committee - faults(committee);
    if !(least..=committee).contains(&quorum) {
        return Err(RiskError::Quorum {
            quorum,
            least,
            most: committee,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_give_the_quorums_of_the_design() {
        let quorums = |committee| {
            [
                QuorumRule::LEAST,
                QuorumRule::SEVEN_TENTHS,
                QuorumRule::THREE_QUARTERS,
            ]
            .map(|rule| rule.quorum(committee).unwrap())
        };
        assert_eq!(quorums(100), [67, 70, 75]);
        assert_eq!(quorums(128), [86, 90, 96]);
        assert_eq!(quorums(4), [3, 3, 3]);
        assert_eq!(quorums(6), [5, 5, 5], "never below n - f");
    }

    #[test]
    fn the_least_quorum_is_the_least_above_two_thirds() {
        for committee in 4..=2000 {
            let quorum = QuorumRule::LEAST.quorum(committee).unwrap();
            assert!(3 * quorum > 2 * committee && 3 * (quorum - 1) <= 2 * committee);
        }
    }

    #[test]
    fn harm_takes_more_than_f_members_and_stalls_trade_for_forks() {
        for committee in 4..=300 {
            for quorum in committee - faults(committee)..=committee {
                let fork = Harm::Fork { quorum }.members(committee).unwrap();
                let stall = Harm::Stall { quorum }.members(committee).unwrap();
                assert!(fork > faults(committee));
                // Quorums of two sides overlap in `fork` members; a quorum needs all but `stall` - 1.
                assert_eq!(fork + 2 * (stall - 1), committee);
            }
        }
        assert_eq!(Harm::Excess.members(100), Ok(34));
        assert_eq!(Harm::Fork { quorum: 70 }.members(100), Ok(40));
        assert_eq!(Harm::Stall { quorum: 70 }.members(100), Ok(31));
    }

    #[test]
    fn a_swap_is_half_of_what_may_be_missing_and_at_least_one() {
        let swap = |rule: QuorumRule, committee| rule.swap_max(committee).unwrap();
        assert_eq!(swap(QuorumRule::LEAST, 4), 1);
        assert_eq!(swap(QuorumRule::LEAST, 100), 16);
        assert_eq!(swap(QuorumRule::SEVEN_TENTHS, 128), 19);
        assert_eq!(swap(QuorumRule::per_mille(1000).unwrap(), 100), 1);
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        assert_eq!(
            QuorumRule::per_mille(1001),
            Err(RiskError::QuorumShare { per_mille: 1001 })
        );
        for found in [0, 3, VALIDATORS_MAX + 1, u32::MAX] {
            let most = VALIDATORS_MAX;
            let refused = Err(RiskError::Committee { found, most });
            assert_eq!(QuorumRule::LEAST.quorum(found), refused);
            assert_eq!(QuorumRule::LEAST.swap_max(found), refused);
            assert_eq!(Harm::Excess.members(found), refused);
        }
        for quorum in [0, 66, 101, u32::MAX] {
            let (least, most) = (67, 100);
            let refused = Err(RiskError::Quorum {
                quorum,
                least,
                most,
            });
            assert_eq!(Harm::Fork { quorum }.members(100), refused);
            assert_eq!(Harm::Stall { quorum }.members(100), refused);
        }
    }
}
