//! Seeded markets: invariants after every block, and the same end on every way there.

use std::collections::BTreeMap;

use quorate_settlement::simulation::{Options, run, run_from_log};
use quorate_types::RejectCode;

#[test]
fn seeds_keep_all_invariants_and_everything_happens() {
    let options = Options {
        blocks: 50,
        ..Options::default()
    };
    let mut applied = BTreeMap::new();
    let mut rejected = BTreeMap::<RejectCode, u64>::new();
    let (mut halts, mut liquidations, mut shared, mut insured) = (0, 0, 0, 0);
    for seed in 0..12 {
        let report = run(seed, &options).unwrap_or_else(|failure| panic!("{failure}"));
        for (kind, count) in report.applied {
            *applied.entry(kind).or_insert(0) += count;
        }
        for (code, count) in report.rejected {
            *rejected.entry(code).or_insert(0) += count;
        }
        halts += report.halts;
        liquidations += report.liquidations;
        shared += report.shared;
        insured += report.insured;
    }
    // Nothing of this is vacuous: every kind of operation but closing was applied, and nearly every code given.
    for kind in (1..=24_u8).filter(|kind| *kind != 2) {
        assert!(applied.get(&kind).is_some_and(|count| *count > 0), "{kind}");
    }
    assert!(halts > 0 && liquidations > 0 && shared > 0 && insured > 0);
    assert!(rejected.len() > 40, "{} {rejected:?}", rejected.len());
}

#[test]
fn the_log_leads_to_the_same_state_and_so_do_restores_on_the_way() {
    for seed in 100..103 {
        let options = Options {
            blocks: 30,
            keeps_log: true,
            ..Options::default()
        };
        let report = run(seed, &options).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.digest, Some(run_from_log(&report.log)));
        let restoring = Options {
            restore_every: 5,
            ..options
        };
        let again = run(seed, &restoring).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(again.digest, report.digest);
        assert_eq!(again.log, report.log);
    }
}
