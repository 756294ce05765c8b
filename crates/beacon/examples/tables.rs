//! Prints the tables of docs/sharding-risk.md: `cargo run -p quorate-beacon --example tables`.

use std::error::Error;

use quorate_beacon::{ByzantineShare, Draw, Harm, Population, QuorumRule, partition_risk};

fn main() -> Result<(), Box<dyn Error>> {
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
