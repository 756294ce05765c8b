//! Prints what committees risk: `cargo run -p quorate-beacon --example plan -- 100 200000 10 1000`.
//!
//! Arguments: members of a committee; Byzantine share in parts per million; shards; then, if wanted, all validators (`-` for as
//! few as there can be), the target for an epoch (1e-6), epochs a year (365), and `overlapping` for committees that share
//! members. With `design` alone it prints the tables of docs/sharding-risk.md.

use std::error::Error;

use quorate_beacon::{
    Advice, ByzantineShare, Draw, Harm, Layout, Plan, PlanInput, Population, QuorumRow, QuorumRule,
    partition_risk,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.len() == 1 && arguments[0] == "design" {
        return design();
    }
    if arguments.len() < 3 {
        return Err(
            "arguments: MEMBERS PPM SHARDS [VALIDATORS|-] [TARGET] [EPOCHS] [overlapping]".into(),
        );
    }
    let argument =
        |at: usize, default: &'static str| arguments.get(at).map_or(default, String::as_str);
    let validators = match argument(3, "-") {
        "-" => None,
        text => Some(text.parse()?),
    };
    let input = PlanInput {
        committee: arguments[0].parse()?,
        byzantine: ByzantineShare::from_ppm(arguments[1].parse()?)?,
        shards: arguments[2].parse()?,
        target: argument(4, "1e-6").parse()?,
        layout: match argument(6, "") {
            "overlapping" => Layout::Overlapping,
            _ => Layout::Partition,
        },
        validators,
        epochs_per_year: argument(5, "365").parse()?,
    };
    show(&input, &Plan::new(&input)?);
    Ok(())
}

fn show(input: &PlanInput, plan: &Plan) {
    let population = plan.population;
    println!(
        "{} of {} validators Byzantine; {} shards of {} (f = {}), {:?}; target {} an epoch",
        population.byzantine(),
        population.validators(),
        plan.shards,
        plan.committee,
        plan.faults,
        plan.layout,
        input.target,
    );
    println!(
        "more than f in some committee: {} an epoch, {} a year; target met: {}, and up to {} Byzantine validators\n",
        plan.excess.per_epoch, plan.excess.per_year, plan.excess.meets_target, plan.byzantine_max
    );
    println!(
        "quorum        fork: epoch / year    met   stall: epoch / year    met   smallest n for fork / both"
    );
    plan.rows.iter().for_each(show_row);
    println!();
    for advice in &plan.advice {
        println!("- {}", sentence(advice));
    }
}

fn show_row(row: &QuorumRow) {
    let yes = |met| if met { "yes" } else { "no" };
    let size = |size: Option<u32>| size.map_or("none".into(), |size| size.to_string());
    println!(
        "{:<13} {:<21} {:<5} {:<22} {:<5} {} / {}",
        format!("{} ({})", row.quorum, rule(row.rule)),
        format!("{} / {}", row.fork.per_epoch, row.fork.per_year),
        yes(row.fork.meets_target),
        format!("{} / {}", row.stall.per_epoch, row.stall.per_year),
        yes(row.stall.meets_target),
        size(row.smallest_for_fork),
        size(row.smallest_for_both),
    );
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
                "{byzantine} Byzantine validators, but no more than {most} can be tolerated by any committee"
            )
        }
        Advice::Overlap { seats, excess } => {
            format!(
                "let every validator sit in every shard, or {seats} of them: risk {excess} of more than f an epoch"
            )
        }
        Advice::PartitionUnavailable => {
            "no size of disjoint committees meets the target at the least quorum".into()
        }
        Advice::RaiseQuorum {
            quorum,
            fork,
            stall,
            ..
        } => {
            format!("raise the quorum to {quorum}: fork {fork}, stall {stall}")
        }
        Advice::EnlargeCommittee {
            rule: chosen,
            committee,
        } => {
            format!(
                "committees of {committee} with quorum {} meet the target for forks",
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
            "recommended at this size: {shards} shards of {committee} with quorum {}: fork {fork}, stall {stall}",
            rule(*chosen)
        ),
        Advice::CommitteeTooLarge { most } => {
            format!("no committee of more than {most} can run yet")
        }
    }
}

/// The tables of SHARDING 2.1 and 2.2.
fn design() -> Result<(), Box<dyn Error>> {
    let share = |percent: u32| ByzantineShare::from_ppm(percent * 10_000);
    println!(
        "| N | n | shards | f | 25 % | 20 % | 15 % | 10 % |\n| ---: | ---: | ---: | ---: | --- | --- | --- | --- |"
    );
    for (validators, committee) in [
        (100, 25),
        (100, 50),
        (100, 100),
        (200, 50),
        (200, 100),
        (400, 100),
        (400, 200),
        (600, 100),
        (600, 200),
        (600, 300),
        (800, 100),
        (800, 400),
        (1000, 100),
        (1000, 200),
        (1000, 400),
        (1500, 100),
        (1500, 300),
        (2000, 100),
        (2000, 200),
        (2000, 500),
    ] {
        let shards = validators / committee;
        print!(
            "| {validators} | {committee} | {shards} | {} |",
            quorate_beacon::faults(committee)
        );
        for percent in [25, 20, 15, 10] {
            let risk = partition_risk(
                Population::new(validators, share(percent)?)?,
                committee,
                shards,
            )?;
            print!(
                " {} |",
                if risk.is_impossible() {
                    "0".into()
                } else {
                    risk.to_string()
                }
            );
        }
        println!();
    }
    println!(
        "\n| beta | n | q = n - f | q = 0.70 n | q = 0.75 n |\n| ---: | ---: | --- | --- | --- |"
    );
    for (percent, committee) in [(25, 100), (20, 100), (15, 100), (15, 128), (10, 100)] {
        let draw = Draw::new(Population::new(1000, share(percent)?)?, committee)?;
        print!("| {percent} % | {committee} |");
        for rule in [
            QuorumRule::LEAST,
            QuorumRule::SEVEN_TENTHS,
            QuorumRule::THREE_QUARTERS,
        ] {
            let quorum = rule.quorum(committee)?;
            let (fork, stall) = (
                draw.risk(Harm::Fork { quorum })?,
                draw.risk(Harm::Stall { quorum })?,
            );
            print!(" {quorum}: {fork} / {stall} |");
        }
        println!();
    }
    Ok(())
}
