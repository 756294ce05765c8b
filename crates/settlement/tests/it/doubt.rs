//! The rule of doubt (SETTLEMENT 2.5, 3.4, 3.5): what is in doubt is in escrow and not locked; no margin call is accepted
//! that a certified credit would cure; no credit that is only claimed delays one.

use quorate_settlement::{Body, PeerOutcome, Status};
use quorate_types::{Hash32, RejectCode};

use crate::support::{ALICE, BOB, Bench, DOLLAR, MALLORY, ONE, PERPETUAL, SPOT, id};

fn commit(name: u8) -> Body {
    Body::CrossCommit {
        cross: Hash32([name; 32]),
    }
}

fn abort(name: u8) -> Body {
    Body::CrossAbort {
        cross: Hash32([name; 32]),
    }
}

#[test]
fn an_account_in_doubt_trades_on_inside_its_escrow() {
    let mut bench = Bench::new();
    let deadline = bench.context.round.forward(100);
    let half = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(half.robust, 500_000 * DOLLAR);
    bench.done(&[ALICE], Bench::prepare(1, -300_000 * DOLLAR, deadline));
    // The amount is reserved, not gone: M is what it was, R is less by all of it.
    let standing = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(standing.initial, 500_000 * DOLLAR);
    assert_eq!(standing.robust, 200_000 * DOLLAR);
    // Many trades within the rest, in both directions.
    for lots in [10_000, -4_000, 2_000, 5_000] {
        bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, lots, SPOT)]);
    }
    // One that only the reserved amount would cover is refused, and would not be without the doubt.
    let wide = Body::Trade(vec![Bench::leg(PERPETUAL, 50_000, SPOT)]);
    assert_eq!(
        bench.apply(&[ALICE, BOB], wide.clone()),
        Err(RejectCode::RobustMargin)
    );
    let mut free = Bench::new();
    free.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 13_000, SPOT)]);
    free.done(&[ALICE, BOB], wide);
    // Nor can it be released or promised a second time.
    let release = Body::Release {
        asset: quorate_settlement::simulation::QUOTE,
        amount: 201_000 * 1_000_000,
    };
    assert_eq!(
        bench.apply(&[ALICE], release),
        Err(RejectCode::InsufficientCollateral)
    );
    assert_eq!(
        bench.apply(&[ALICE], Bench::prepare(2, -201_000 * DOLLAR, deadline)),
        Err(RejectCode::InsufficientCollateral)
    );
    // It is decided, once: whatever was traded meanwhile, it can be paid.
    let before = bench.collateral(ALICE);
    let _ = bench.learn(1, PeerOutcome::Prepared).unwrap();
    bench.done(&[], commit(1));
    assert_eq!(bench.collateral(ALICE), before - 300_000 * 1_000_000);
    assert!(bench.market.standing(id(ALICE)).unwrap().robust >= 0);
    assert_eq!(bench.apply(&[], commit(1)), Err(RejectCode::CrossDecided));
    assert_eq!(bench.apply(&[], abort(1)), Err(RejectCode::CrossDecided));
}

#[test]
fn what_a_peer_refused_is_released_once() {
    let mut bench = Bench::new();
    let deadline = bench.context.round.forward(100);
    bench.done(&[ALICE], Bench::prepare(1, -300_000 * DOLLAR, deadline));
    assert_eq!(
        bench.apply(&[], abort(1)),
        Err(RejectCode::CrossCertificate)
    );
    let _ = bench.learn(1, PeerOutcome::Refused).unwrap();
    // Nothing can be applied after a refusal.
    assert_eq!(
        bench.apply(&[], commit(1)),
        Err(RejectCode::CrossCertificate)
    );
    bench.done(&[], abort(1));
    let standing = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(standing.robust, 500_000 * DOLLAR);
    assert_eq!(
        bench.learn(1, PeerOutcome::Refused),
        Err(RejectCode::CrossDecided)
    );
}

#[test]
fn no_call_that_a_certified_credit_would_cure_and_no_delay_by_one_that_is_only_claimed() {
    let mut bench = Bench::new();
    bench.breach();
    let deadline = bench.context.round.forward(10);
    let mut claimed = bench.clone();
    // A credit of 20,000 is under way. As long as its peer has not certified it, it delays nothing.
    for bench in [&mut bench, &mut claimed] {
        bench.done(&[MALLORY], Bench::prepare(1, 20_000 * DOLLAR, deadline));
        assert!(bench.market.standing(id(MALLORY)).unwrap().upper < 0);
    }
    let call = claimed.call(MALLORY);
    claimed.done(&[], call);
    assert!(matches!(claimed.status(MALLORY), Status::Called { .. }));
    // Certified, it does: U counts it, while M does not.
    let _ = bench.learn(1, PeerOutcome::Prepared).unwrap();
    let standing = bench.market.standing(id(MALLORY)).unwrap();
    assert!(standing.maintenance < 0 && standing.upper >= 0);
    let call = bench.call(MALLORY);
    assert_eq!(bench.apply(&[], call.clone()), Err(RejectCode::NotCallable));
    let liquidate = bench.liquidate(MALLORY, 1, 0);
    assert_eq!(bench.apply(&[BOB], liquidate), Err(RejectCode::NotCallable));
    // It is good for nothing else: R does not count it.
    assert!(standing.robust < 0);
    let more = Body::Trade(vec![Bench::leg(PERPETUAL, 1, 1_700 * ONE)]);
    assert_eq!(
        bench.apply(&[MALLORY, ALICE], more),
        Err(RejectCode::NotRiskReducing)
    );
    // After its deadline it no longer counts.
    let mut late = bench.clone();
    late.pass(11, 0);
    let call = late.call(MALLORY);
    late.done(&[], call);
    // Applied, it cures for good.
    bench.done(&[], commit(1));
    let call = bench.call(MALLORY);
    assert_eq!(bench.apply(&[], call), Err(RejectCode::NotCallable));
    assert!(bench.market.standing(id(MALLORY)).unwrap().maintenance >= 0);
}

#[test]
fn a_credit_that_cures_a_call_ends_it() {
    let mut bench = Bench::new();
    bench.breach();
    let deadline = bench.context.round.forward(10);
    bench.done(&[MALLORY], Bench::prepare(1, 20_000 * DOLLAR, deadline));
    let call = bench.call(MALLORY);
    bench.done(&[], call);
    let _ = bench.learn(1, PeerOutcome::Prepared).unwrap();
    bench.done(&[], commit(1));
    assert_eq!(bench.status(MALLORY), Status::Active);
}
