//! Fills of a venue, and lines of credit.

use quorate_settlement::simulation::ETH_FEED;
use quorate_settlement::{Body, BudgetKey};
use quorate_types::RejectCode;

use crate::support::{ALICE, BOB, Bench, DOLLAR, PERPETUAL, SPOT, VENUE, id};

#[test]
fn an_order_is_filled_in_parts_and_never_beyond() {
    let mut bench = Bench::new();
    let buy = bench.order(ALICE, true, 10, SPOT);
    let sell = bench.order(BOB, false, 25, SPOT);
    let fill = |bench: &Bench, lots| bench.fill(buy, sell, lots, SPOT);
    // Twice in one batch, then once more.
    let batch = bench.batch(vec![fill(&bench, 4), fill(&bench, 3)]);
    bench.done(&[VENUE], batch);
    let batch = bench.batch(vec![fill(&bench, 4)]);
    assert_eq!(bench.apply(&[VENUE], batch), Err(RejectCode::Overfill));
    // A batch is applied whole or not at all.
    let batch = bench.batch(vec![fill(&bench, 3), fill(&bench, 1)]);
    assert_eq!(bench.apply(&[VENUE], batch), Err(RejectCode::Overfill));
    assert_eq!(bench.market.filled(&buy.id()), 7);
    let batch = bench.batch(vec![fill(&bench, 3)]);
    bench.done(&[VENUE], batch.clone());
    assert_eq!(bench.market.filled(&buy.id()), 10);
    assert_eq!(bench.market.filled(&sell.id()), 10);
    assert_eq!(
        bench.market.account(&id(ALICE)).unwrap().lots_of(PERPETUAL),
        10
    );
    // The same batch again is not the venue's next.
    assert_eq!(
        bench.apply(&[VENUE], batch),
        Err(RejectCode::VenueSequenceGap)
    );
    // What expired is forgotten, and cannot come back.
    bench.pass(6, 0);
    assert_eq!(bench.market.filled(&buy.id()), 0);
    let batch = bench.batch(vec![bench.fill(buy, sell, 1, SPOT)]);
    assert_eq!(bench.apply(&[VENUE], batch), Err(RejectCode::OrderExpired));
}

#[test]
fn fills_that_reduce_only_do_not_turn_a_position_around() {
    let mut bench = Bench::new();
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 5, SPOT)]);
    let mut sell = bench.order(ALICE, false, 10, SPOT);
    sell.is_reduce_only = true;
    let buy = bench.order(BOB, true, 10, SPOT);
    let batch = bench.batch(vec![bench.fill(buy, sell, 6, SPOT)]);
    assert_eq!(bench.apply(&[VENUE], batch), Err(RejectCode::ReduceOnly));
    let batch = bench.batch(vec![bench.fill(buy, sell, 5, SPOT)]);
    bench.done(&[VENUE], batch);
    assert_eq!(
        bench.market.account(&id(ALICE)).unwrap().lots_of(PERPETUAL),
        0
    );
}

#[test]
fn a_line_is_independent_of_all_else_and_ends_after_unbonding() {
    let mut bench = Bench::new();
    let venue = id(VENUE);
    let grant = |amount: i128| Body::GrantBudget {
        venue,
        feed: ETH_FEED,
        amount: amount.unsigned_abs(),
    };
    assert_eq!(
        bench.apply(&[ALICE], grant(500_001 * DOLLAR)),
        Err(RejectCode::RobustMargin)
    );
    bench.done(&[ALICE], grant(400_000 * DOLLAR));
    let standing = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(standing.robust, 100_000 * DOLLAR);
    // Alice uses up what is left beside the line.
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 20_000, SPOT)]);
    let robust = bench.market.standing(id(ALICE)).unwrap().robust;
    let more = Body::Trade(vec![Bench::leg(PERPETUAL, 20_000, SPOT)]);
    assert_eq!(
        bench.apply(&[ALICE, BOB], more),
        Err(RejectCode::RobustMargin)
    );
    // The line is there all the same, and no fill within it lowers R.
    for _ in 0..3 {
        let buy = bench.order(ALICE, true, 10_000, SPOT);
        let sell = bench.order(BOB, false, 10_000, SPOT);
        let batch = bench.batch(vec![bench.fill(buy, sell, 10_000, SPOT)]);
        bench.done(&[VENUE], batch);
        assert!(bench.market.standing(id(ALICE)).unwrap().robust >= robust);
    }
    let key = BudgetKey {
        account: id(ALICE),
        venue,
        feed: ETH_FEED,
    };
    let left = |bench: &Bench| {
        *bench
            .market
            .budget(&key)
            .unwrap()
            .left
            .iter()
            .min()
            .unwrap()
    };
    assert!(left(&bench) < 350_000 * 1_000_000);
    // What does not fit is refused, whatever the account has.
    let buy = bench.order(ALICE, true, 200_000, SPOT);
    let sell = bench.order(BOB, false, 200_000, SPOT);
    let batch = bench.batch(vec![bench.fill(buy, sell, 90_000, SPOT)]);
    assert_eq!(
        bench.apply(&[VENUE], batch),
        Err(RejectCode::BudgetExceeded)
    );
    // Revoked, it serves for eight rounds and is then gone, with its claim.
    let revoke = Body::RevokeBudget {
        venue,
        feed: ETH_FEED,
    };
    bench.done(&[ALICE], revoke.clone());
    assert_eq!(
        bench.apply(&[ALICE], revoke),
        Err(RejectCode::BudgetExceeded)
    );
    bench.pass(7, 0);
    let sell = bench.order(ALICE, false, 10, SPOT);
    let buy = bench.order(BOB, true, 10, SPOT);
    let batch = bench.batch(vec![bench.fill(buy, sell, 10, SPOT)]);
    bench.done(&[VENUE], batch);
    let robust = bench.market.standing(id(ALICE)).unwrap().robust;
    bench.pass(2, 0);
    assert_eq!(bench.market.budget(&key), None);
    assert!(bench.market.standing(id(ALICE)).unwrap().robust > robust);
}
