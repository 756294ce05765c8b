//! What a world without trouble takes, against what the protocol says.

use quorate_sim::{Latency, LatencyOptions, Links, measure_latency};
use quorate_types::RuleParameters;

fn options(validators: u16, wave: u8, crashed: u16, links: Links) -> LatencyOptions {
    LatencyOptions {
        validators,
        crashed,
        rule: RuleParameters {
            wave,
            leaders: 2,
            gc_depth: 64,
        },
        links,
        load: 200,
        seconds: 2,
        seed: 1,
    }
}

fn measure(options: &LatencyOptions) -> Latency {
    measure_latency(options).expect("nothing goes wrong")
}

/// Every message takes as long.
const EQUAL: Links = Links::Uniform {
    least: 100,
    most: 100,
};

#[test]
fn a_commit_takes_a_wave_and_what_precedes_it() {
    for wave in [4, 5] {
        let latency = measure(&options(4, wave, 0, EQUAL));
        // A round is a message's delay and what a block costs its author.
        assert!((100_000..110_000).contains(&latency.round), "{latency:?}");
        let rounds = |micros: u64| micros as f64 / latency.round as f64;
        // Half a round until the next block, w rounds until the blocks that certify it are there, and one more for blocks
        // that are no leader's but below one.
        let wave = f64::from(wave);
        let commit = rounds(latency.commit.p50);
        assert!((wave - 0.5..wave + 1.6).contains(&commit), "{latency:?}");
        // Shares of the header take one message more.
        let more = rounds(latency.certificate.p50) - commit;
        assert!((0.9..1.4).contains(&more), "{latency:?}");
        assert!(latency.commit.p50 <= latency.commit.p90);
        assert!(latency.commit.p90 <= latency.commit.p99);
    }
}

#[test]
fn some_may_be_down_and_the_same_seed_gives_the_same() {
    let regions = options(7, 4, 2, Links::Regions);
    let latency = measure(&regions);
    assert_eq!(format!("{latency:?}"), format!("{:?}", measure(&regions)));
    let up = measure(&options(7, 4, 0, Links::Regions));
    assert!(latency.transactions < up.transactions);
    assert!(latency.round >= up.round);
}
