//! The command line of `quorate bench latency`.

use clap::Args;
use quorate_sim::Links;

/// Longest delay of a link that makes sense to ask for, in milliseconds.
const DELAY_MS_MAX: u64 = 10_000;

#[derive(Debug, Args)]
pub(crate) struct BenchLatencyArgs {
    /// How many validators.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(4..=128))]
    pub(crate) validators: u16,
    /// How long messages take: between `A-B` milliseconds, each message its own time, or `regions`: measured between ten regions of
    /// a public cloud. Several are measured one after another.
    #[arg(long, value_name = "A-B|regions", value_delimiter = ',', default_value = "50-100", value_parser = links)]
    pub(crate) links: Vec<Links>,
    /// Rounds of a wave.
    #[arg(long = "w", value_delimiter = ',', default_values_t = [4, 5], value_parser = clap::value_parser!(u8).range(4..=5))]
    pub(crate) waves: Vec<u8>,
    /// Leaders a round.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) leaders: u16,
    /// How many validators are down, at most f; several are measured one after another.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [0])]
    pub(crate) down: Vec<u16>,
    /// Opaque transactions a second to send, over all validators.
    #[arg(long, value_name = "TPS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) load: u64,
    /// How long to measure, in simulated seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// What chance is drawn from: the same seed gives the same figures everywhere.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

fn links(text: &str) -> Result<Links, String> {
    if text == "regions" {
        return Ok(Links::Regions);
    }
    let bounds = text.split_once('-').and_then(|(least, most)| {
        let (least, most) = (least.parse().ok()?, most.parse().ok()?);
        (least <= most && most <= DELAY_MS_MAX).then_some(Links::Uniform { least, most })
    });
    bounds.ok_or_else(|| {
        format!(
            "give bounds in milliseconds, for example 50-100, at most {DELAY_MS_MAX}, or `regions`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_bounds_in_order() {
        assert_eq!(links("regions"), Ok(Links::Regions));
        let (least, most) = (20, 200);
        assert_eq!(links("20-200"), Ok(Links::Uniform { least, most }));
        for bad in ["", "20", "200-20", "a-b", "0-10001", "-1-5", "region"] {
            assert!(links(bad).is_err(), "{bad}");
        }
    }
}
