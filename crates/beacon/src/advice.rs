//! What follows from a plan's figures.
//!
//! Source: SHARDING 2.3, the operating points, with figures for the network at hand; and 2.1 and 2.2 for the rest.

use alloc::vec;
use alloc::vec::Vec;

use quorate_types::limits::COMMITTEE_MAX;

use crate::error::RiskError;
use crate::exact::Risk;
use crate::plan::{Layout, Plan};
use crate::quorum::{Harm, QuorumRule, faults};
use crate::risk::{ByzantineShare, Draw, Population};

/// Up to how many validators committees should overlap.
const OVERLAP_UP_TO: u32 = 150;
/// An operating point for every range of N and largest beta, in parts per million: n and the quorum's rule.
const OPERATING_POINTS: [(u32, u32, u32, u32, QuorumRule); 3] = [
    (200, 400, 100_000, 100, QuorumRule::LEAST),
    (200, 400, 100_000, 64, QuorumRule::SEVEN_TENTHS),
    (1000, u32::MAX, 150_000, 128, QuorumRule::SEVEN_TENTHS),
];

/// Something an operator should do or know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// More than a third of all validators is Byzantine: no committee helps, not even one of everybody.
    TooManyByzantine {
        /// K.
        byzantine: u32,
        /// floor((N-1)/3), the most that there may be.
        most: u32,
    },
    /// Let every validator sit in several shards, or in all: there are so few that a partition buys risk and little else.
    Overlap {
        /// Members of each committee: all validators, or as many as a committee can have.
        seats: u32,
        /// The risk of an epoch that more than f of a committee's members are Byzantine, over all shards.
        excess: Risk,
    },
    /// No committee of a partition meets the target at the least quorum, whatever its size up to the largest searched:
    /// this share of Byzantine validators cannot be had with disjoint shards and a threshold of one third.
    PartitionUnavailable,
    /// A higher quorum turns forks, which nothing repairs, into stalls, which the beacon repairs.
    RaiseQuorum {
        /// The first rule above the least quorum that meets the target.
        rule: QuorumRule,
        /// Its quorum, members.
        quorum: u32,
        /// The risk of a fork in an epoch, over all shards.
        fork: Risk,
        /// The risk of a stall in an epoch, over all shards.
        stall: Risk,
    },
    /// Larger committees meet the target for forks.
    EnlargeCommittee {
        /// The lowest of the rules under which some do.
        rule: QuorumRule,
        /// The smallest n that does under this rule.
        committee: u32,
    },
    /// The design recommends this for networks of this size.
    OperatingPoint {
        /// n.
        committee: u32,
        /// How to choose q.
        rule: QuorumRule,
        /// floor(N / n) disjoint shards, which the risks are for.
        shards: u32,
        /// The risk of a fork in an epoch, over all shards.
        fork: Risk,
        /// The risk of a stall in an epoch, over all shards.
        stall: Risk,
    },
    /// A committee of this size cannot run yet.
    CommitteeTooLarge {
        /// The most members that one can have.
        most: u32,
    },
}

/// What to say about a plan, most important first.
pub(crate) fn advise(plan: &Plan, share: ByzantineShare) -> Result<Vec<Advice>, RiskError> {
    let population = plan.population;
    let validators = population.validators();
    let (byzantine, most) = (population.byzantine(), faults(validators));
    let mut advice = Vec::new();
    if byzantine > most {
        // Nothing else helps then.
        return Ok(vec![Advice::TooManyByzantine { byzantine, most }]);
    }
    if plan.layout == Layout::Partition && plan.shards > 1 && validators <= OVERLAP_UP_TO {
        let seats = validators.min(COMMITTEE_MAX.into());
        let risk = Draw::new(population, seats)?.risk(Harm::Excess)?;
        let excess = risk.union_bound(plan.shards.into());
        advice.push(Advice::Overlap { seats, excess });
    }
    let [least, raised @ ..] = &plan.rows;
    if !least.fork.meets_target {
        if plan.layout == Layout::Partition && least.smallest_for_fork.is_none() {
            advice.push(Advice::PartitionUnavailable);
        }
        let better = raised.iter().find(|row| row.fork.meets_target);
        advice.extend(better.map(|row| Advice::RaiseQuorum {
            rule: row.rule,
            quorum: row.quorum,
            fork: row.fork.per_epoch.clone(),
            stall: row.stall.per_epoch.clone(),
        }));
        // Jagged as risks are, a smaller committee may meet a target that this one misses; that is no advice.
        let larger = plan.rows.iter().find_map(|row| {
            let committee = row.smallest_for_fork?;
            let rule = row.rule;
            (committee > plan.committee).then_some(Advice::EnlargeCommittee { rule, committee })
        });
        advice.extend(larger);
    }
    if plan.layout == Layout::Partition {
        for (from, to, share_max, committee, rule) in OPERATING_POINTS {
            if (from..=to).contains(&validators) && share.ppm() <= share_max {
                advice.push(operating_point(population, committee, rule)?);
            }
        }
    }
    let most = u32::from(COMMITTEE_MAX);
    if plan.committee > most {
        advice.push(Advice::CommitteeTooLarge { most });
    }
    Ok(advice)
}

fn operating_point(
    population: Population,
    committee: u32,
    rule: QuorumRule,
) -> Result<Advice, RiskError> {
    let draw = Draw::new(population, committee)?;
    let quorum = rule.quorum(committee)?;
    let shards = population.validators() / committee;
    let over_all = |harm| Ok(draw.risk(harm)?.union_bound(shards.into()));
    Ok(Advice::OperatingPoint {
        committee,
        rule,
        shards,
        fork: over_all(Harm::Fork { quorum })?,
        stall: over_all(Harm::Stall { quorum })?,
    })
}
