//! What an operator asks: how large committees must be, which quorum to take, and what remains of risk.

use alloc::vec::Vec;

use quorate_types::limits::COMMITTEE_MIN;

use crate::VALIDATORS_MAX;
use crate::advice::{Advice, advise};
use crate::error::RiskError;
use crate::exact::Risk;
use crate::quorum::{Harm, QuorumRule, check_committee, faults};
use crate::risk::{ByzantineShare, Draw, Population, byzantine_max, check_fits, check_shards};

/// The quorums of a plan's rows, in order (SHARDING 2.2).
const RULES: [QuorumRule; 3] = [
    QuorumRule::LEAST,
    QuorumRule::SEVEN_TENTHS,
    QuorumRule::THREE_QUARTERS,
];

/// Largest committee that a plan looks for, in members: the largest of the design's tables has 500.
const SEARCH_MAX: u32 = 512;

/// Whether committees share members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// A validator may sit in several committees, each of which is drawn from all; with n = N everybody sits in all.
    #[default]
    Overlapping,
    /// Committees are disjoint.
    Partition,
}

/// What a plan is made for.
#[derive(Clone, Debug)]
pub struct PlanInput {
    /// n, validators per committee.
    pub committee: u32,
    /// beta, the share of all validators that is taken to be Byzantine.
    pub byzantine: ByzantineShare,
    /// How many shards.
    pub shards: u32,
    /// The most risk to accept in an epoch, over all shards.
    pub target: Risk,
    /// Whether committees share members.
    pub layout: Layout,
    /// N, all validators. Without it as few as there can be: n in the overlapping layout, `shards` times n in a partition;
    /// then N grows with n where larger committees are looked for.
    pub validators: Option<u32>,
    /// Epochs a year, for the risk of a year.
    pub epochs_per_year: u32,
}

/// One risk over all shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Of one epoch: union bound over the shards.
    pub per_epoch: Risk,
    /// Of one year: union bound over its epochs.
    pub per_year: Risk,
    /// Whether `per_epoch` is at most the target.
    pub meets_target: bool,
}

/// The figures for one quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumRow {
    /// Where the quorum comes from.
    pub rule: QuorumRule,
    /// q, members.
    pub quorum: u32,
    /// Two conflicting certificates in some shard.
    pub fork: Figure,
    /// A shard that can be made to stand still.
    pub stall: Figure,
    /// The largest number of Byzantine validators with which `fork` meets the target.
    pub byzantine_max: u32,
    /// The smallest n of at most 512 with which a fork meets the target, under this rule and with all else as it is; `None`
    /// if there is none. Rounding makes risks jagged, so a slightly larger n need not meet it.
    pub smallest_for_fork: Option<u32>,
    /// The same for fork and stall both.
    pub smallest_for_both: Option<u32>,
}

/// A table for an operator, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// N and K.
    pub population: Population,
    /// n.
    pub committee: u32,
    /// f = floor((n-1)/3).
    pub faults: u32,
    /// How many shards.
    pub shards: u32,
    /// Whether committees share members.
    pub layout: Layout,
    /// More than f Byzantine members in some committee: the figure of SHARDING 2.1.
    pub excess: Figure,
    /// The largest number of Byzantine validators with which `excess` meets the target.
    pub byzantine_max: u32,
    /// One row for each of q = n - f, 0.70 n and 0.75 n.
    pub rows: [QuorumRow; 3],
    /// What to do about it, most important first; empty if there is nothing to say.
    pub advice: Vec<Advice>,
}

impl Plan {
    /// Computes a plan.
    ///
    /// Source: SHARDING 2.1 to 2.3.
    ///
    /// # Errors
    /// [`RiskError::Shards`] outside 1..=[`SHARDS_MAX`](crate::SHARDS_MAX), [`RiskError::Epochs`] for no epochs a year,
    /// [`RiskError::Committee`] if n is outside 4..=N, [`RiskError::Validators`] if N is outside
    /// 4..=[`VALIDATORS_MAX`], [`RiskError::Overfull`] if the committees of a partition do not fit into N.
    pub fn new(input: &PlanInput) -> Result<Self, RiskError> {
        check_shards(input.shards)?;
        if input.epochs_per_year == 0 {
            return Err(RiskError::Epochs);
        }
        if input.validators.is_none() {
            // Otherwise N would be derived from a size that cannot be, and the error would name N.
            check_committee(input.committee, VALIDATORS_MAX)?;
        }
        let population = input.population(input.committee)?;
        let draw = Draw::new(population, input.committee)?;
        if input.layout == Layout::Partition {
            check_fits(population.validators(), input.committee, input.shards)?;
        }
        let smallest = smallest(input)?;
        let row =
            |position: usize| input.row(&draw, population, RULES[position], smallest[position]);
        let rows = [row(0)?, row(1)?, row(2)?];
        let mut plan = Self {
            population,
            committee: input.committee,
            faults: faults(input.committee),
            shards: input.shards,
            layout: input.layout,
            excess: input.figure(&draw, Harm::Excess)?,
            byzantine_max: input.byzantine_max(population, Harm::Excess)?,
            rows,
            advice: Vec::new(),
        };
        plan.advice = advise(&plan, input.byzantine)?;
        Ok(plan)
    }
}

impl PlanInput {
    /// The population in which committees have `committee` members.
    fn population(&self, committee: u32) -> Result<Population, RiskError> {
        let validators = match (self.validators, self.layout) {
            (Some(validators), _) => validators,
            (None, Layout::Overlapping) => committee,
            (None, Layout::Partition) => {
                let found = u64::from(committee) * u64::from(self.shards);
                u32::try_from(found).map_err(|_| RiskError::Validators { found })?
            }
        };
        Population::new(validators, self.byzantine)
    }

    /// Most members a committee can have.
    fn committee_max(&self) -> u32 {
        let validators = match (self.validators, self.layout) {
            (Some(validators), Layout::Overlapping) => validators,
            (Some(validators), Layout::Partition) => validators / self.shards,
            (None, Layout::Overlapping) => VALIDATORS_MAX,
            (None, Layout::Partition) => VALIDATORS_MAX / self.shards,
        };
        validators.min(SEARCH_MAX)
    }

    fn row(
        &self,
        draw: &Draw,
        population: Population,
        rule: QuorumRule,
        smallest: Smallest,
    ) -> Result<QuorumRow, RiskError> {
        let quorum = rule.quorum(self.committee)?;
        Ok(QuorumRow {
            rule,
            quorum,
            fork: self.figure(draw, Harm::Fork { quorum })?,
            stall: self.figure(draw, Harm::Stall { quorum })?,
            byzantine_max: self.byzantine_max(population, Harm::Fork { quorum })?,
            smallest_for_fork: smallest.for_fork,
            smallest_for_both: smallest.for_both,
        })
    }

    fn figure(&self, draw: &Draw, harm: Harm) -> Result<Figure, RiskError> {
        let per_epoch = draw.risk(harm)?.union_bound(self.shards.into());
        Ok(Figure {
            per_year: per_epoch.union_bound(self.epochs_per_year.into()),
            meets_target: per_epoch <= self.target,
            per_epoch,
        })
    }

    fn meets(&self, draw: &Draw, harm: Harm) -> Result<bool, RiskError> {
        Ok(draw.risk(harm)?.union_bound(self.shards.into()) <= self.target)
    }

    fn byzantine_max(&self, population: Population, harm: Harm) -> Result<u32, RiskError> {
        let (validators, target) = (population.validators(), &self.target);
        byzantine_max(validators, self.committee, self.shards, harm, target)
    }
}

/// The smallest committees under one rule that meet the target.
#[derive(Clone, Copy, Default)]
struct Smallest {
    for_fork: Option<u32>,
    for_both: Option<u32>,
}

/// For each rule the smallest committees that meet the target for a fork, and for fork and stall. Looks at one size after
/// the other, as risks do not fall evenly, and until all are found.
fn smallest(input: &PlanInput) -> Result<[Smallest; 3], RiskError> {
    let mut found = [Smallest::default(); 3];
    for committee in u32::from(COMMITTEE_MIN)..=input.committee_max() {
        let population = input.population(committee)?;
        let draw = Draw::new(population, committee)?;
        for (rule, smallest) in RULES.iter().zip(&mut found) {
            if smallest.for_both.is_some() {
                continue;
            }
            let quorum = rule.quorum(committee)?;
            if input.meets(&draw, Harm::Fork { quorum })? {
                smallest.for_fork.get_or_insert(committee);
                if input.meets(&draw, Harm::Stall { quorum })? {
                    smallest.for_both = Some(committee);
                }
            }
        }
        if found.iter().all(|smallest| smallest.for_both.is_some()) {
            break;
        }
    }
    Ok(found)
}
