//! What a validator keeps for others to join at, and for how long.

use quorate_ledger::Ledger;
use quorate_sync::Offers;
use quorate_types::{
    BlockId, BlockRef, Commit, Height, Round, Signature, Timestamp, ValidatorIndex,
};

use crate::support::genesis;

const GC_DEPTH: u64 = 4;
const INTERVAL: u64 = 10;
/// Longer than a point counts as used.
const LATER: u64 = 121_000_000;

/// A chain with one commit a round, and what it offers.
struct Chain {
    ledger: Ledger,
    offers: Offers,
    now: Timestamp,
}

impl Chain {
    fn new() -> Self {
        Self {
            ledger: Ledger::genesis(&genesis()).unwrap(),
            offers: Offers::new(GC_DEPTH, INTERVAL),
            now: Timestamp(0),
        }
    }

    fn execute(&mut self, coin: Option<Signature>) -> Height {
        let height = self.ledger.head().height.next();
        let commit = Commit {
            height,
            leader: BlockRef {
                round: Round(height.0),
                author: ValidatorIndex(0),
                id: BlockId([1; 32]),
            },
            timestamp_ms: height.0,
            coin,
            blocks: Vec::new(),
        };
        let execution = self.ledger.execute(&commit).unwrap();
        self.offers.executed(&commit, &execution);
        height
    }

    /// Executes and certifies up to a height, with coins that tell the heights apart.
    fn grow(&mut self, to: u64) {
        while self.ledger.head().height.0 < to {
            let coin = Signature([u8::try_from(self.ledger.head().height.0 + 1).unwrap(); 48]);
            let height = self.execute(Some(coin));
            self.offers.certified(height, self.now);
        }
    }

    fn newest(&mut self, certified: u64) -> Option<u64> {
        let found = self.offers.find(None, Height(certified), self.now)?;
        assert_eq!(found.1, Signature([u8::try_from(found.0.0).unwrap(); 48]));
        Some(found.0.0)
    }

    fn has(&mut self, height: u64) -> bool {
        let certified = self.ledger.head().height;
        let found = self.offers.find(Some(Height(height)), certified, self.now);
        found.is_some()
    }
}

#[test]
fn a_point_is_offered_every_so_many_heights_once_it_is_certified() {
    let mut chain = Chain::new();
    chain.grow(9);
    assert_eq!(chain.newest(9), None);
    chain.grow(25);
    assert_eq!(chain.newest(25), Some(20));
    assert_eq!(chain.newest(19), Some(10), "20 has no certificate yet");
    assert_eq!(chain.newest(9), None);
    assert!(chain.has(10) && chain.has(20) && !chain.has(15));
    let early = chain.offers.find(Some(Height(20)), Height(19), chain.now);
    assert_eq!(early, None, "nor is it to be had by its height");
}

#[test]
fn where_no_coin_named_the_leader_nobody_can_join() {
    let mut chain = Chain::new();
    for _ in 1..=10 {
        chain.execute(None);
    }
    assert_eq!(chain.newest(10), None);
}

#[test]
fn four_points_are_kept_and_older_ones_while_they_are_used() {
    let mut chain = Chain::new();
    chain.grow(20);
    assert!(chain.offers.snapshot(Height(20), chain.now).is_some());
    chain.grow(60);
    let kept: Vec<u64> = (1..=6).map(|point| 10 * point).collect();
    let kept: Vec<u64> = kept
        .into_iter()
        .filter(|height| chain.offers.snapshot(Height(*height), chain.now).is_some())
        .collect();
    assert_eq!(kept, [20, 30, 40, 50, 60], "10 went, 20 is used");
    chain.now = chain.now.plus_micros(LATER);
    chain.grow(70);
    assert!(!chain.has(20), "nobody asked for it lately");
    assert!(chain.has(40) && chain.has(70));
}

#[test]
fn however_many_are_used_there_is_a_bound() {
    let mut chain = Chain::new();
    for point in 1..=12 {
        chain.grow(10 * point);
        assert!(chain.has(10 * point));
    }
    let kept = (1..=12).filter(|point| chain.has(10 * point)).count();
    assert_eq!(kept, 8, "four newest, four used");
    assert!(!chain.has(40) && chain.has(50));
}

#[test]
fn commits_go_back_as_far_as_the_oldest_point_needs_and_no_farther() {
    let mut chain = Chain::new();
    chain.grow(60);
    let commits = chain
        .offers
        .commits(Height(30), Height(30), usize::MAX, chain.now);
    let heights: Vec<u64> = commits
        .unwrap()
        .iter()
        .map(|commit| commit.header.height.0)
        .collect();
    // Leaders at 30, 29, .. 26 are within G; 25 shows that no more are needed.
    assert_eq!(heights, [30, 29, 28, 27, 26, 25]);
    let mut ask = |point, from, bytes| {
        let commits = chain
            .offers
            .commits(Height(point), Height(from), bytes, chain.now);
        commits.map(|commits| commits.len())
    };
    assert_eq!(ask(30, 29, 0), Some(1), "one at least");
    assert_eq!(
        ask(40, 99, usize::MAX),
        Some(16),
        "from the point downwards"
    );
    assert_eq!(ask(35, 35, usize::MAX), None, "no point");
}

/// After a restart a validator does not have what lies below.
#[test]
fn a_point_whose_tail_is_not_all_here_is_not_offered() {
    let mut chain = Chain::new();
    chain.grow(16);
    chain.offers = Offers::new(GC_DEPTH, INTERVAL);
    chain.grow(20);
    assert_eq!(chain.newest(20), None, "commits 16 and below are missing");
    chain.offers = Offers::new(GC_DEPTH, INTERVAL);
    chain.grow(29);
    assert_eq!(chain.newest(29), None);
    chain.grow(30);
    assert_eq!(chain.newest(30), Some(30));
}
