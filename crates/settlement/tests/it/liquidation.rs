//! Calls, auctions and losses, from the first shortage to the last atom.

use quorate_settlement::simulation::{ETH_FEED, QUOTE};
use quorate_settlement::{Body, Event, Status};
use quorate_types::RejectCode;

use crate::support::{ALICE, BOB, Bench, CAROL, DOLLAR, IDLE, MALLORY, ONE, PERPETUAL, SPOT, id};

/// Mallory's call has run out.
fn called() -> Bench {
    let mut bench = Bench::new();
    bench.breach();
    let call = bench.call(MALLORY);
    bench.done(&[], call);
    bench.pass(4, 0);
    bench
}

#[test]
fn slices_go_until_the_account_has_initial_margin_and_no_further() {
    let mut bench = called();
    let before = bench.market.standing(id(MALLORY)).unwrap();
    assert!(before.maintenance < 0);
    // The least percentage that restores the buffer is found by asking for more and more.
    let most = (1..=100)
        .rev()
        .find(|percent| {
            let mut copy = bench.clone();
            let body = copy.liquidate(MALLORY, *percent, 20);
            copy.apply(&[CAROL], body).is_ok()
        })
        .unwrap();
    assert!((5..60).contains(&most), "{most}");
    let insurance = bench.market.asset(QUOTE).unwrap().insurance;
    let carol = bench.market.standing(id(CAROL)).unwrap();
    let body = bench.liquidate(MALLORY, most, 20);
    let applied = bench.done(&[CAROL], body);
    let after = bench.market.standing(id(MALLORY)).unwrap();
    assert!(after.initial >= 0);
    assert_eq!(bench.status(MALLORY), Status::Active);
    // 8,000 lots at 17, of which so many percent, at 0.2 %.
    let lots = 80 * i128::from(most);
    let penalty = lots * 17_000_000 * 20 / 10_000;
    let event = Event::Liquidated {
        account: id(MALLORY),
        penalty: penalty.unsigned_abs(),
    };
    assert!(applied.events.contains(&event));
    assert_eq!(before.equity - after.equity, penalty);
    let insured = bench.market.asset(QUOTE).unwrap().insurance - insurance;
    assert_eq!(insured, penalty.unsigned_abs() / 4);
    let gained = bench.market.standing(id(CAROL)).unwrap().equity - carol.equity;
    assert_eq!(gained, penalty - i128::try_from(insured).unwrap());
    // Whoever is well again is not liquidated.
    let again = bench.liquidate(MALLORY, 1, 0);
    assert_eq!(bench.apply(&[CAROL], again), Err(RejectCode::NotCallable));
}

#[test]
fn the_discount_grows_with_the_rounds() {
    let mut bench = called();
    for (rounds, granted) in [(0, 20), (1, 25), (3, 35), (200, 500)] {
        let mut copy = bench.clone();
        copy.pass(rounds, 0);
        assert_eq!(copy.market.auction_discount(&id(MALLORY)), Some(granted));
        let greedy = copy.liquidate(MALLORY, 1, granted + 1);
        assert_eq!(copy.apply(&[CAROL], greedy), Err(RejectCode::AuctionPrice));
        let fair = copy.liquidate(MALLORY, 1, granted);
        copy.done(&[CAROL], fair);
    }
    bench.pass(1, 0);
}

#[test]
fn a_call_that_is_cured_ends_and_a_recovered_price_is_no_breach() {
    let mut bench = called();
    bench.price(1_850 * ONE);
    let body = bench.liquidate(MALLORY, 1, 0);
    assert_eq!(bench.apply(&[CAROL], body), Err(RejectCode::NotCallable));
    bench.done(
        &[],
        Body::Mark {
            account: id(MALLORY),
        },
    );
    assert_eq!(bench.status(MALLORY), Status::Active);
}

#[test]
fn a_severe_shortage_is_liquidated_without_grace() {
    let mut bench = Bench::new();
    bench.breach();
    let mild = bench.liquidate(MALLORY, 1, 0);
    assert_eq!(bench.apply(&[CAROL], mild), Err(RejectCode::GraceRunning));
    bench.price(1_600 * ONE);
    let severe = bench.liquidate(MALLORY, 10, 0);
    bench.done(&[CAROL], severe);
    assert!(matches!(bench.status(MALLORY), Status::Liquidating { .. }));
    // What reduces its risk the owner may still do; nothing else.
    let release = Body::Release {
        asset: QUOTE,
        amount: 1,
    };
    assert_eq!(bench.apply(&[MALLORY], release), Err(RejectCode::Frozen));
    bench.trade(MALLORY, ALICE, &[Bench::leg(PERPETUAL, -100, 1_600 * ONE)]);
}

/// Everybody's worth, and insurance with fees.
fn total(bench: &mut Bench) -> i128 {
    let asset = bench.market.asset(QUOTE).unwrap().clone();
    let specials = i128::try_from(asset.insurance + asset.fees).unwrap();
    let people = [ALICE, BOB, CAROL, MALLORY, IDLE];
    specials
        + people
            .map(|number| bench.market.standing(id(number)).unwrap().equity)
            .iter()
            .sum::<i128>()
}

#[test]
fn a_loss_is_paid_by_insurance_first_and_then_by_the_other_side_alone() {
    let mut bench = Bench::new();
    let leg = Bench::leg(PERPETUAL, 8_000, SPOT);
    bench.trade(MALLORY, ALICE, &[leg]);
    // Alice is short of 8,000, Bob of 4,000 that Carol holds; Idle has nothing.
    bench.trade(CAROL, BOB, &[Bench::leg(PERPETUAL, 4_000, SPOT)]);
    for price in [1_850, 1_700, 1_550, 1_450] {
        bench.price(price * ONE);
    }
    // 8,000 lots lost 5.5 each: 44,000, of a little less than 40,000.
    let missing = -bench.market.standing(id(MALLORY)).unwrap().equity;
    assert_eq!(missing, 4_000 * DOLLAR + 32 * DOLLAR);
    let absorb = bench.absorb(MALLORY);
    assert_eq!(bench.apply(&[], absorb), Err(RejectCode::GraceRunning));
    let call = bench.call(MALLORY);
    bench.done(&[], call);
    bench.pass(4 + 6, 0);
    let sum = total(&mut bench);
    let worth = |bench: &mut Bench, number| bench.market.standing(id(number)).unwrap().equity;
    let before = [ALICE, BOB, CAROL, IDLE].map(|number| worth(&mut bench, number));
    let absorb = bench.absorb(MALLORY);
    let applied = bench.done(&[], absorb);
    let event = Event::Absorbed {
        account: id(MALLORY),
        insurance: 0,
        shared: missing.unsigned_abs(),
        left: 0,
    };
    assert!(applied.events.contains(&event));
    // Alice has the larger part of what she owns at stake: her 8,000 are closed first, all of them.
    let after = [ALICE, BOB, CAROL, IDLE].map(|number| worth(&mut bench, number));
    assert_eq!(after[0], before[0] - missing);
    assert_eq!(after[1..], before[1..]);
    let mallory = bench.market.account(&id(MALLORY)).unwrap();
    assert!(mallory.positions.is_empty() && mallory.debt == 0);
    assert_eq!(mallory.status, Status::Active);
    assert_eq!(total(&mut bench), sum);
    assert!(
        bench
            .market
            .account(&id(ALICE))
            .unwrap()
            .positions
            .is_empty()
    );
}

#[test]
fn insurance_pays_before_anybody_else() {
    let mut bench = called();
    // A slice fills insurance: a quarter of the penalty.
    bench.pass(100, 0);
    bench.price(1_690 * ONE);
    let slice = bench.liquidate(MALLORY, 1, 500);
    bench.done(&[CAROL], slice);
    let insurance = bench.market.asset(QUOTE).unwrap().insurance;
    assert_eq!(insurance, 80 * 16_900_000 * 500 / 10_000 / 4);
    for price in [1_550, 1_480] {
        bench.price(price * ONE);
    }
    let missing = -bench.market.standing(id(MALLORY)).unwrap().equity;
    assert!(missing > 0);
    let absorb = bench.absorb(MALLORY);
    let applied = bench.done(&[], absorb);
    let event = Event::Absorbed {
        account: id(MALLORY),
        insurance,
        shared: missing.unsigned_abs() - insurance,
        left: 0,
    };
    assert!(applied.events.contains(&event), "{:?}", applied.events);
    assert_eq!(bench.market.asset(QUOTE).unwrap().insurance, 0);
    let feed = bench.market.feed(ETH_FEED).unwrap();
    assert_eq!(feed.halt, None);
}
