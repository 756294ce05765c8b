//! The ladder of tests that a feed's round passes.

use quorate_settlement::simulation::{ETH_FEED, round_of};
use quorate_settlement::{Body, Event};
use quorate_types::RejectCode;

use crate::support::{ALICE, BOB, Bench, EXPIRY_MS, ONE, PERPETUAL, SPOT, id};

fn update(bench: &Bench, round: u64, timestamp_ms: u64, price: i64) -> Body {
    let round = round_of(round, timestamp_ms, price, &[EXPIRY_MS], &[]);
    bench.setting.oracle(&bench.market, ETH_FEED, round)
}

#[test]
fn rounds_and_times_only_grow() {
    let mut bench = Bench::new();
    let now_ms = bench.context.now_ms;
    for (round, timestamp_ms, expected) in [
        (1, now_ms + 10, Err(RejectCode::OldRound)),
        (2, now_ms + 1, Err(RejectCode::OldRound)),
        (2, now_ms + 2_001, Err(RejectCode::StalePrice)),
        (2, now_ms + 2_000, Ok(())),
        // A number that is left out stops nothing; it can no longer be used.
        (9, now_ms + 2_000, Err(RejectCode::OldRound)),
    ] {
        let body = update(&bench, round, timestamp_ms, SPOT);
        assert_eq!(bench.apply(&[], body).map(|_| ()), expected, "{round}");
    }
    bench.pass(1, 1_803_000);
    let late = update(&bench, 3, bench.context.now_ms - 1_800_001, SPOT);
    assert_eq!(bench.apply(&[], late), Err(RejectCode::StalePrice));
    let fresh = update(&bench, 9, bench.context.now_ms - 1_800_000, SPOT);
    bench.done(&[], fresh);
    let missed = update(&bench, 8, bench.context.now_ms, SPOT);
    assert_eq!(bench.apply(&[], missed), Err(RejectCode::OldRound));
}

#[test]
fn a_jump_halts_the_feed_until_two_later_rounds_confirm_it() {
    let mut bench = Bench::new();
    let jump = SPOT / 100 * 111;
    let body = bench.round(jump);
    let applied = bench.done(&[], body);
    assert_eq!(
        applied.events,
        [Event::Halted {
            feed: ETH_FEED,
            round: 2
        }]
    );
    let trade = |price| Body::Trade(vec![Bench::leg(PERPETUAL, 1, price)]);
    assert_eq!(
        bench.apply(&[ALICE, BOB], trade(SPOT)),
        Err(RejectCode::Halted)
    );
    // Another jump begins anew.
    bench.price(jump * 2);
    bench.price(jump);
    bench.price(jump);
    assert!(bench.market.feed(ETH_FEED).unwrap().halt.is_some());
    bench.price(jump);
    let feed = bench.market.feed(ETH_FEED).unwrap();
    assert_eq!(feed.halt, None);
    assert_eq!(feed.last.as_ref().unwrap().price, jump);
    bench.done(&[ALICE, BOB], trade(jump));
    // One that is taken back ends at once.
    bench.price(SPOT / 2);
    bench.price(jump);
    assert_eq!(bench.market.feed(ETH_FEED).unwrap().halt, None);
}

#[test]
fn low_confidence_widens_initial_margin_and_nothing_else() {
    let mut bench = Bench::new();
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 10_000, SPOT)]);
    let sure = bench.market.standing(id(ALICE)).unwrap();
    bench.rounds += 1;
    let now_ms = bench.context.now_ms + bench.rounds;
    let mut round = round_of(bench.rounds, now_ms, SPOT, &[EXPIRY_MS], &[]);
    round.confidence_bp = 50;
    let body = bench.setting.oracle(&bench.market, ETH_FEED, round);
    bench.done(&[], body);
    let doubtful = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(doubtful.maintenance, sure.maintenance);
    assert_eq!(doubtful.equity, sure.equity);
    // The fifth node below: 4.4 % of 200,000 further down.
    let more = sure.initial - doubtful.initial;
    assert!((6_000_000_000..8_000_000_000).contains(&more), "{more}");
}

#[test]
fn margin_follows_the_price_and_a_step_of_the_grid_at_a_time() {
    let mut bench = Bench::new();
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 10_000, SPOT)]);
    let before = bench.market.standing(id(ALICE)).unwrap();
    // The same node is next to 2,001: nodes stand 4.5 % apart.
    bench.price(2_001 * ONE);
    let after = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(after.initial, before.initial);
    assert_eq!(after.equity, before.equity + 100 * 1_000_000);
    bench.price(2_190 * ONE);
    assert!(bench.market.standing(id(ALICE)).unwrap().initial > before.initial);
}
