//! How likely a randomly drawn committee has enough Byzantine members to do harm: exact, by counting.
//!
//! A committee of n is drawn without replacement from N validators of which K are Byzantine. The number of Byzantine
//! members follows the hypergeometric law: k of them in C(K, k) C(N-K, n-k) of C(N, n) cases. Over several shards the
//! risks are added up (union bound), which is exact enough: the sum is never less than the truth, and more only by what
//! happens in two shards at once.
//!
//! Source: SHARDING 2.1 and 2.2.

use alloc::vec::Vec;

use num_bigint::BigUint;
use quorate_types::limits::COMMITTEE_MIN;

use crate::error::RiskError;
use crate::exact::Risk;
use crate::quorum::{Harm, check_committee};
use crate::{SHARDS_MAX, VALIDATORS_MAX};

/// beta: the share of validators that is taken to be Byzantine, in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByzantineShare(u32);

impl ByzantineShare {
    /// The whole, in parts per million.
    pub const WHOLE_PPM: u32 = 1_000_000;

    /// A share of `ppm` parts per million: 250000 for 25 %.
    ///
    /// # Errors
    /// [`RiskError::Share`] above the whole.
    pub const fn from_ppm(ppm: u32) -> Result<Self, RiskError> {
        if ppm > Self::WHOLE_PPM {
            return Err(RiskError::Share { ppm });
        }
        Ok(Self(ppm))
    }

    /// Parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// floor(beta N): how many of `validators` are Byzantine.
    #[must_use]
    pub fn of(self, validators: u32) -> u32 {
        let scaled = u64::from(self.0) * u64::from(validators) / u64::from(Self::WHOLE_PPM);
        u32::try_from(scaled).expect("a share is at most the whole")
    }
}

/// N validators, K of them Byzantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    validators: u32,
    byzantine: u32,
}

impl Population {
    /// `validators` (N), of which K = floor(beta N) are Byzantine.
    ///
    /// # Errors
    /// [`RiskError::Validators`] if N is outside 4..=[`VALIDATORS_MAX`].
    pub fn new(validators: u32, share: ByzantineShare) -> Result<Self, RiskError> {
        Self::with_byzantine(validators, share.of(validators))
    }

    /// `validators` (N), of which exactly `byzantine` (K) are Byzantine.
    ///
    /// # Errors
    /// [`RiskError::Validators`] if N is outside 4..=[`VALIDATORS_MAX`], [`RiskError::Byzantine`] if K is more than N.
    pub fn with_byzantine(validators: u32, byzantine: u32) -> Result<Self, RiskError> {
        if !(u32::from(COMMITTEE_MIN)..=VALIDATORS_MAX).contains(&validators) {
            return Err(RiskError::Validators {
                found: validators.into(),
            });
        }
        if byzantine > validators {
            return Err(RiskError::Byzantine {
                byzantine,
                validators,
            });
        }
        Ok(Self {
            validators,
            byzantine,
        })
    }

    /// N.
    #[must_use]
    pub const fn validators(self) -> u32 {
        self.validators
    }

    /// K.
    #[must_use]
    pub const fn byzantine(self) -> u32 {
        self.byzantine
    }
}

/// A committee of n drawn at random from a population: the exact law of its number of Byzantine members.
#[derive(Clone, Debug)]
pub struct Draw {
    committee: u32,
    /// The least number of Byzantine members there can be: more than nought if there are too few honest validators.
    least: u32,
    /// In how many of all cases at least `least` + position members are Byzantine. The first is the number of all cases.
    tails: Vec<BigUint>,
}

impl Draw {
    /// The law of a committee of `committee` (n) members drawn from `population`.
    ///
    /// # Errors
    /// [`RiskError::Committee`] if n is outside 4..=N.
    pub fn new(population: Population, committee: u32) -> Result<Self, RiskError> {
        check_committee(committee, population.validators)?;
        let byzantine = population.byzantine;
        let honest = population.validators - byzantine;
        let least = committee.saturating_sub(honest);
        let most = byzantine.min(committee);
        // The number of cases with `members` Byzantine ones, C(K, k) C(N-K, n-k), each from the one before.
        let mut cases = if least == 0 {
            binomial(honest, committee)
        } else {
            binomial(byzantine, least)
        };
        let mut tails = Vec::new();
        for members in least..most {
            let more = u64::from(byzantine - members) * u64::from(committee - members);
            let fewer = u64::from(members + 1) * u64::from(honest + members + 1 - committee);
            let next = &cases * more / fewer;
            tails.push(core::mem::replace(&mut cases, next));
        }
        tails.push(cases);
        for position in (1..tails.len()).rev() {
            let (fewer, more) = tails.split_at_mut(position);
            fewer[position - 1] += &more[0];
        }
        Ok(Self {
            committee,
            least,
            tails,
        })
    }

    /// n.
    #[must_use]
    pub const fn committee(&self) -> u32 {
        self.committee
    }

    /// The risk that at least `members` members are Byzantine; any number may be asked for.
    #[must_use]
    pub fn at_least(&self, members: u32) -> Risk {
        let cases = &self.tails[0];
        let Some(beyond) = members.checked_sub(self.least) else {
            return Risk::certain();
        };
        let position = usize::try_from(beyond).unwrap_or(usize::MAX);
        let tail = self.tails.get(position).cloned().unwrap_or_default();
        Risk::quotient(tail, cases.clone())
    }

    /// The risk that exactly `members` members are Byzantine; any number may be asked for.
    #[must_use]
    pub fn exactly(&self, members: u32) -> Risk {
        let tail = |members: Option<u32>| {
            let position = usize::try_from(members?).ok()?;
            self.tails.get(position).cloned()
        };
        let beyond = members.checked_sub(self.least);
        let after = beyond.and_then(|beyond| beyond.checked_add(1));
        let cases = tail(beyond).unwrap_or_default() - tail(after).unwrap_or_default();
        Risk::quotient(cases, self.tails[0].clone())
    }

    /// The risk that this committee has enough Byzantine members for `harm`.
    ///
    /// # Errors
    /// [`RiskError::Quorum`] if the quorum is outside n-f..=n.
    pub fn risk(&self, harm: Harm) -> Result<Risk, RiskError> {
        Ok(self.at_least(harm.members(self.committee)?))
    }
}

/// The risk of one epoch that some committee of a partition has more than f Byzantine members: `population` (N) in
/// `shards` disjoint committees of `committee` (n) members each. Union bound over the shards.
///
/// Source: SHARDING 2.1, the table.
///
/// # Errors
/// [`RiskError::Committee`] if n is outside 4..=N, [`RiskError::Shards`] outside 1..=[`SHARDS_MAX`],
/// [`RiskError::Overfull`] if the committees do not fit into N validators.
pub fn partition_risk(
    population: Population,
    committee: u32,
    shards: u32,
) -> Result<Risk, RiskError> {
    check_shards(shards)?;
    let draw = Draw::new(population, committee)?;
    check_fits(population.validators, committee, shards)?;
    Ok(draw.risk(Harm::Excess)?.union_bound(shards.into()))
}

/// The risk of more than f Byzantine members where every validator sits in every committee: nothing is drawn, so it is
/// 0 if K <= f = floor((N-1)/3), and 1 otherwise.
///
/// Source: SHARDING 2.1, the row of overlapping committees.
#[must_use]
pub fn overlapping_risk(population: Population) -> Risk {
    if population.byzantine <= crate::faults(population.validators) {
        Risk::impossible()
    } else {
        Risk::certain()
    }
}

/// The largest number K of Byzantine ones among `validators` (N) with which the risk of `harm` in any of `shards`
/// committees of `committee` (n) members is at most `target` in an epoch. K / N is the largest beta.
///
/// Committees may overlap: whether they fit beside each other is not checked.
///
/// Source: SHARDING 2.1, the sentence below the table.
///
/// # Errors
/// [`RiskError::Validators`], [`RiskError::Committee`], [`RiskError::Shards`], [`RiskError::Quorum`], each if the
/// number is out of its bounds.
pub fn byzantine_max(
    validators: u32,
    committee: u32,
    shards: u32,
    harm: Harm,
    target: &Risk,
) -> Result<u32, RiskError> {
    check_shards(shards)?;
    // More Byzantine validators never make harm less likely, so the search may halve. With none harm is impossible.
    let (mut good, mut beyond) = (0, validators.saturating_add(1));
    // Refuses what is out of bounds even if nothing is left to search.
    Draw::new(Population::with_byzantine(validators, 0)?, committee)?.risk(harm)?;
    while beyond - good > 1 {
        let middle = good + (beyond - good) / 2;
        let population = Population::with_byzantine(validators, middle)?;
        let risk = Draw::new(population, committee)?.risk(harm)?;
        if risk.union_bound(shards.into()) <= *target {
            good = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(good)
}

/// The number of shards within 1..=[`SHARDS_MAX`].
pub(crate) fn check_shards(shards: u32) -> Result<(), RiskError> {
    if !(1..=SHARDS_MAX).contains(&shards) {
        return Err(RiskError::Shards { found: shards });
    }
    Ok(())
}

/// `shards` disjoint committees fit into the population.
pub(crate) fn check_fits(validators: u32, committee: u32, shards: u32) -> Result<(), RiskError> {
    if u64::from(shards) * u64::from(committee) > u64::from(validators) {
        return Err(RiskError::Overfull {
            shards,
            committee,
            validators,
        });
    }
    Ok(())
}

/// C(from, chosen); 0 if more are chosen than there are.
fn binomial(from: u32, chosen: u32) -> BigUint {
    let Some(rest) = from.checked_sub(chosen) else {
        return BigUint::ZERO;
    };
    let chosen = chosen.min(rest);
    (0..chosen).fold(BigUint::from(1u32), |ways, done| {
        ways * (from - done) / (done + 1)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::QuorumRule;

    fn draw(validators: u32, byzantine: u32, committee: u32) -> Draw {
        let population = Population::with_byzantine(validators, byzantine).unwrap();
        Draw::new(population, committee).unwrap()
    }

    /// Of all committees, given as sets of bits, how many have exactly 0, 1, .. of the first `byzantine` validators.
    fn enumerate(validators: u32, byzantine: u32, committee: u32) -> Vec<u32> {
        let mut counts = alloc::vec![0; 32];
        for seats in 0u32..1 << validators {
            if seats.count_ones() == committee {
                let members = seats & ((1 << byzantine) - 1);
                counts[usize::try_from(members.count_ones()).unwrap()] += 1;
            }
        }
        counts
    }

    #[test]
    fn counting_agrees_with_looking_at_every_committee() {
        for validators in 4..=11 {
            for byzantine in 0..=validators {
                for committee in 4..=validators {
                    let counts = enumerate(validators, byzantine, committee);
                    let all: u32 = counts.iter().sum();
                    let draw = draw(validators, byzantine, committee);
                    for (members, count) in (0u32..).zip(&counts) {
                        let exact = Risk::quotient((*count).into(), all.into());
                        assert_eq!(draw.exactly(members), exact);
                        let tail: u32 = counts.iter().skip(usize::try_from(members).unwrap()).sum();
                        assert_eq!(
                            draw.at_least(members),
                            Risk::quotient(tail.into(), all.into())
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_cases_add_up_to_all_committees() {
        for (validators, byzantine, committee) in
            [(2000, 500, 500), (1000, 999, 998), (10_000, 3333, 128)]
        {
            let draw = draw(validators, byzantine, committee);
            assert_eq!(draw.tails[0], binomial(validators, committee));
        }
        assert_eq!(binomial(5, 6), BigUint::ZERO);
        assert_eq!(binomial(52, 5), BigUint::from(2_598_960u32));
    }

    #[test]
    fn any_number_of_members_may_be_asked_for() {
        let draw = draw(10, 8, 5);
        assert_eq!(draw.at_least(0), Risk::certain());
        assert_eq!(draw.at_least(3), Risk::certain(), "two honest ones only");
        assert_eq!(draw.exactly(2), Risk::impossible());
        for members in [6, u32::MAX] {
            assert!(draw.at_least(members).is_impossible());
            assert!(draw.exactly(members).is_impossible());
        }
        assert_eq!(draw.committee(), 5);
    }

    #[test]
    fn where_all_sit_everywhere_nothing_is_left_to_chance() {
        for validators in 4..=40 {
            for byzantine in 0..=validators {
                let population = Population::with_byzantine(validators, byzantine).unwrap();
                let drawn = Draw::new(population, validators).unwrap();
                let risk = overlapping_risk(population);
                assert_eq!(risk, drawn.risk(Harm::Excess).unwrap());
                assert_eq!(risk.is_impossible(), byzantine <= (validators - 1) / 3);
            }
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let share = ByzantineShare::from_ppm;
        assert_eq!(share(1_000_001), Err(RiskError::Share { ppm: 1_000_001 }));
        assert_eq!(share(1_000_000).unwrap().of(u32::MAX), u32::MAX);
        assert_eq!(share(333_333).unwrap().of(3), 0);
        for found in [0, 3, 10_001] {
            let refused = RiskError::Validators {
                found: found.into(),
            };
            assert_eq!(Population::with_byzantine(found, 0), Err(refused));
            let searched = byzantine_max(found, 4, 1, Harm::Excess, &Risk::certain());
            assert_eq!(searched, Err(refused));
        }
        let more = RiskError::Byzantine {
            byzantine: 11,
            validators: 10,
        };
        assert_eq!(Population::with_byzantine(10, 11), Err(more));
        let population = Population::with_byzantine(10, 1).unwrap();
        for found in [0, 3, 11] {
            let refused = RiskError::Committee { found, most: 10 };
            assert_eq!(Draw::new(population, found).err(), Some(refused));
            assert_eq!(partition_risk(population, found, 1), Err(refused));
        }
        for found in [0, SHARDS_MAX + 1] {
            let refused = RiskError::Shards { found };
            assert_eq!(partition_risk(population, 5, found), Err(refused));
            let searched = byzantine_max(10, 5, found, Harm::Excess, &Risk::certain());
            assert_eq!(searched, Err(refused));
        }
        let overfull = RiskError::Overfull {
            shards: 3,
            committee: 4,
            validators: 10,
        };
        assert_eq!(partition_risk(population, 4, 3), Err(overfull));
        let quorum = RiskError::Quorum {
            quorum: 6,
            least: 4,
            most: 5,
        };
        let drawn = Draw::new(population, 5).unwrap();
        assert_eq!(drawn.risk(Harm::Stall { quorum: 6 }), Err(quorum));
    }

    /// N, K < N, n and a quorum rule.
    fn settings() -> impl Strategy<Value = (u32, u32, u32, QuorumRule)> {
        (4u32..400).prop_flat_map(|validators| {
            let rules = (0u32..=1000).prop_map(|share| QuorumRule::per_mille(share).unwrap());
            (Just(validators), 0..validators, 4..=validators, rules)
        })
    }

    proptest! {
        #[test]
        fn more_byzantine_validators_are_never_safer((validators, byzantine, committee, rule) in settings()) {
            let quorum = rule.quorum(committee).unwrap();
            let fewer = draw(validators, byzantine, committee);
            let more = draw(validators, byzantine + 1, committee);
            for harm in [Harm::Excess, Harm::Fork { quorum }, Harm::Stall { quorum }] {
                prop_assert!(fewer.risk(harm).unwrap() <= more.risk(harm).unwrap());
            }
        }

        #[test]
        fn a_higher_quorum_trades_forks_for_stalls((validators, byzantine, committee, rule) in settings()) {
            let draw = draw(validators, byzantine, committee);
            let quorum = rule.quorum(committee).unwrap();
            let higher = (quorum + 1).min(committee);
            let fork = |quorum| draw.risk(Harm::Fork { quorum }).unwrap();
            let stall = |quorum| draw.risk(Harm::Stall { quorum }).unwrap();
            prop_assert!(fork(higher) <= fork(quorum));
            prop_assert!(stall(higher) >= stall(quorum));
            prop_assert!(draw.risk(Harm::Excess).unwrap() >= fork(quorum));
        }

        #[test]
        fn cases_add_up_and_tails_fall((validators, byzantine, committee, _) in settings()) {
            let draw = draw(validators, byzantine, committee);
            for members in 0..=committee {
                prop_assert!(draw.at_least(members + 1) <= draw.at_least(members));
            }
            prop_assert_eq!(&draw.tails[0], &binomial(validators, committee));
        }

        #[test]
        fn the_largest_share_meets_the_target_and_one_more_does_not(
            (validators, _, committee, rule) in settings(), shards in 1u32..20, power in 1u32..12,
        ) {
            let target = Risk::quotient(1u32.into(), BigUint::from(10u32).pow(power));
            let quorum = rule.quorum(committee).unwrap();
            for harm in [Harm::Excess, Harm::Fork { quorum }, Harm::Stall { quorum }] {
                let most = byzantine_max(validators, committee, shards, harm, &target).unwrap();
                let risk = |byzantine| {
                    draw(validators, byzantine, committee).risk(harm).unwrap().union_bound(shards.into())
                };
                prop_assert!(risk(most) <= target);
                prop_assert!(most == validators || risk(most + 1) > target);
            }
        }
    }
}
