//! `quorate committee`: how committees should be laid out.

use std::fmt::Write;

use quorate_beacon::{Advice, Figure, Layout, Plan, PlanInput, QuorumRow, QuorumRule};
use serde::Serialize;

use crate::args::{CommitteeCommand, CommitteePlanArgs};
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

pub(crate) fn run(command: CommitteeCommand, json: bool) -> Result<(), Failure> {
    match command {
        CommitteeCommand::Plan(args) => plan(args, json),
    }
}

/// What a plan says. Risks are rounded to one digit; they are compared exactly.
#[derive(Debug, Serialize)]
struct Facts {
    validators: u32,
    byzantine: u32,
    committee: u32,
    faults: u32,
    shards: u32,
    overlapping: bool,
    target: String,
    /// That some committee has more than f Byzantine members.
    excess: FigureFacts,
    /// With so many Byzantine validators the target is still met.
    byzantine_max: u32,
    quorums: Vec<QuorumFacts>,
    advice: Vec<String>,
}

#[derive(Debug, Serialize)]
struct QuorumFacts {
    rule: String,
    quorum: u32,
    fork: FigureFacts,
    stall: FigureFacts,
    smallest_committee_for_fork: Option<u32>,
    smallest_committee_for_both: Option<u32>,
}

#[derive(Debug, Serialize)]
struct FigureFacts {
    per_epoch: String,
    per_year: String,
    meets_target: bool,
}

fn plan(args: CommitteePlanArgs, json: bool) -> Result<(), Failure> {
    let input = PlanInput {
        committee: args.n,
        byzantine: args.beta,
        shards: args.shards,
        target: args.target,
        layout: if args.overlapping {
            Layout::Overlapping
        } else {
            Layout::Partition
        },
        validators: args.validators,
        epochs_per_year: args.epochs_per_year,
    };
    let plan = Plan::new(&input).or_fail(Kind::Usage)?;
    let facts = Facts::new(&input, &plan);
    output::print(json, &facts, Facts::text)?;
    Ok(())
}

impl Facts {
    fn new(input: &PlanInput, plan: &Plan) -> Self {
        Self {
            validators: plan.population.validators(),
            byzantine: plan.population.byzantine(),
            committee: plan.committee,
            faults: plan.faults,
            shards: plan.shards,
            overlapping: matches!(plan.layout, Layout::Overlapping),
            target: input.target.to_string(),
            excess: FigureFacts::new(&plan.excess),
            byzantine_max: plan.byzantine_max,
            quorums: plan.rows.iter().map(QuorumFacts::new).collect(),
            advice: plan.advice.iter().map(sentence).collect(),
        }
    }

    fn text(&self) -> String {
        let layout = if self.overlapping {
            "overlapping"
        } else {
            "disjoint"
        };
        let mut text = output::list([
            (
                "validators",
                format!("{}, {} of them Byzantine", self.validators, self.byzantine),
            ),
            (
                "committees",
                format!(
                    "{} {layout} ones of {}, f = {}",
                    self.shards, self.committee, self.faults
                ),
            ),
            ("target of an epoch", self.target.clone()),
            ("more than f in one", self.excess.text()),
            (
                "target met up to",
                format!("{} Byzantine validators", self.byzantine_max),
            ),
        ]);
        let size = |size: Option<u32>| size.map_or("none".into(), |size| size.to_string());
        let rows = self.quorums.iter().map(|row| {
            [
                format!("{} ({})", row.quorum, row.rule),
                row.fork.text(),
                row.stall.text(),
                size(row.smallest_committee_for_fork),
                size(row.smallest_committee_for_both),
            ]
        });
        let head = ["quorum", "fork", "stall", "least n, forks", "least n, both"];
        let _ = writeln!(text, "\n{}", output::table(head, rows));
        for advice in &self.advice {
            let _ = write!(text, "\n- {advice}");
        }
        text
    }
}

impl QuorumFacts {
    fn new(row: &QuorumRow) -> Self {
        Self {
            rule: rule(row.rule),
            quorum: row.quorum,
            fork: FigureFacts::new(&row.fork),
            stall: FigureFacts::new(&row.stall),
            smallest_committee_for_fork: row.smallest_for_fork,
            smallest_committee_for_both: row.smallest_for_both,
        }
    }
}

impl FigureFacts {
    fn new(figure: &Figure) -> Self {
        Self {
            per_epoch: figure.per_epoch.to_string(),
            per_year: figure.per_year.to_string(),
            meets_target: figure.meets_target,
        }
    }

    fn text(&self) -> String {
        let met = if self.meets_target { "met" } else { "missed" };
        format!(
            "{} an epoch, {} a year: {met}",
            self.per_epoch, self.per_year
        )
    }
}

fn rule(rule: QuorumRule) -> String {
    match rule.share_per_mille() {
        0 => "n - f".into(),
        share if share % 10 == 0 => format!("0.{:02} n", share / 10),
        share => format!("0.{share:03} n"),
    }
}

fn sentence(advice: &Advice) -> String {
    match advice {
        Advice::TooManyByzantine { byzantine, most } => {
            format!(
                "{byzantine} Byzantine validators are too many for any committee: at most {most} can be tolerated"
            )
        }
        Advice::Overlap { seats, excess } => {
            format!(
                "let committees overlap, with {seats} validators in each: risk {excess} of more than f in an epoch"
            )
        }
        Advice::PartitionUnavailable => {
            "no disjoint committees of up to 512 members meet the target with quorum n - f".into()
        }
        Advice::RaiseQuorum {
            quorum,
            fork,
            stall,
            ..
        } => {
            format!(
                "raise the quorum to {quorum}: forks {fork} an epoch, stalls {stall}; the beacon repairs a stall, nothing a fork"
            )
        }
        Advice::EnlargeCommittee {
            rule: chosen,
            committee,
        } => {
            format!(
                "as many committees of {committee} with quorum {} would meet the target for forks",
                rule(*chosen)
            )
        }
        Advice::OperatingPoint {
            committee,
            rule: chosen,
            shards,
            fork,
            stall,
        } => format!(
            "recommended for so many validators: {shards} shards of {committee} with quorum {}: forks {fork} an epoch, stalls {stall}",
            rule(*chosen)
        ),
        Advice::CommitteeTooLarge { most } => {
            format!("no committee of more than {most} can run yet")
        }
    }
}
