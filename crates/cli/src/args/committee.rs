//! The command line of `quorate committee`.

use clap::{Args, Subcommand};
use quorate_beacon::{ByzantineShare, Risk};

#[derive(Debug, Subcommand)]
pub(crate) enum CommitteeCommand {
    /// Shows what committees of a size risk: forks and stalls for three quorums, exactly, and what to choose instead.
    Plan(CommitteePlanArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CommitteePlanArgs {
    /// Members of each committee.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..))]
    pub(crate) n: u32,
    /// The share of all validators that is assumed to be Byzantine: `0.2` or `20%`.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) beta: ByzantineShare,
    /// How many shards.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shards: u32,
    /// The most risk of an epoch, over all shards.
    #[arg(long, value_name = "RISK", default_value = "1e-6", value_parser = risk)]
    pub(crate) target: Risk,
    /// How many validators there are; without it, as many as the committees take.
    #[arg(long, value_name = "COUNT")]
    pub(crate) validators: Option<u32>,
    /// Committees share members: each is drawn from all validators. Without it they are disjoint.
    #[arg(long)]
    pub(crate) overlapping: bool,
    /// For the risk of a year.
    #[arg(long, value_name = "COUNT", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) epochs_per_year: u32,
}

/// A share as parts per million, exactly.
fn share(text: &str) -> Result<ByzantineShare, String> {
    let wrong = || format!("\"{text}\" is no share: write 0.2 or 20%, with at most six digits");
    let (digits, places) = match text.strip_suffix('%') {
        Some(percent) => (percent, 4),
        None => (text, 6),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > places || !are_digits(whole) || !are_digits(fraction) {
        return Err(wrong());
    }
    let ppm = format!("{whole}{fraction:0<places$}").parse();
    ByzantineShare::from_ppm(ppm.map_err(|_| wrong())?).map_err(|error| error.to_string())
}

fn risk(text: &str) -> Result<Risk, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is no risk: write 1e-6 or 0.001"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly() {
        for (text, ppm) in [
            ("0.2", 200_000),
            ("20%", 200_000),
            ("0.000001", 1),
            ("33.3333%", 333_333),
            ("0", 0),
        ] {
            assert_eq!(share(text).unwrap().ppm(), ppm, "{text}");
        }
        for text in [
            "",
            "%",
            "+5%",
            ".2",
            "x",
            "-0.1",
            "0.1234567",
            "1.2",
            "120%",
            "0.2e1",
        ] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
