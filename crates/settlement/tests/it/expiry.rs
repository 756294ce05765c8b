//! Payoffs, marks and funding, recomputed by hand.

use quorate_settlement::simulation::{ETH_FEED, QUOTE, round_of};
use quorate_settlement::{Body, Event, Life};
use quorate_types::RejectCode;

use crate::support::{
    ALICE, BOB, Bench, CALL, CAROL, DOLLAR, EXPIRY_MS, FUTURE, ONE, PERPETUAL, PUT, SPOT, id,
};

fn settle(bench: &mut Bench, price: i64) {
    bench.pass(1, EXPIRY_MS - bench.context.now_ms);
    let body = bench
        .setting
        .settlement(&bench.market, ETH_FEED, EXPIRY_MS, price);
    bench.done(&[], body);
}

#[test]
fn payoffs_are_floors_and_what_they_leave_over_is_dust_exactly() {
    let mut bench = Bench::new();
    let mark = bench.market.mark_price(CALL).unwrap();
    // A lot is 0.01: the mark in quote a unit, in whole ticks of 0.01.
    let price = mark * 100 / 1_000_000 * 100_000_000;
    let legs = [
        Bench::leg(CALL, 3, price),
        Bench::leg(PUT, -2, price),
        Bench::leg(FUTURE, 5, SPOT),
    ];
    let (alice, bob) = (bench.collateral(ALICE), bench.collateral(BOB));
    bench.trade(ALICE, BOB, &legs);
    let premium = u128::try_from(price).unwrap() / 10_000;
    // One call more than puts, at 0.01 of the price; fees of 0.02 % of each leg.
    let fee = |lots: u128, price: u128| (lots * price * 200).div_ceil(10_000 * 1_000_000);
    let unit = u128::try_from(price).unwrap();
    let spot = u128::try_from(SPOT).unwrap();
    let fees = fee(3, unit) + fee(2, unit) + fee(5, spot);
    assert_eq!(bench.collateral(ALICE), alice - premium - fees);
    assert_eq!(bench.collateral(BOB), bob + premium - fees);
    assert_eq!(bench.market.asset(QUOTE).unwrap().fees, 2 * fees);

    // 2,100.00000033: calls pay 1.0000000033 a lot, 1,000,000.0033 atoms.
    let (alice, bob) = (bench.collateral(ALICE), bench.collateral(BOB));
    settle(&mut bench, 2_100 * ONE + 33);
    let mut paid = Vec::new();
    for instrument in [CALL, PUT, FUTURE] {
        let page = |accounts| Body::ExpirePage {
            instrument,
            accounts,
        };
        let first = bench.done(&[], page(1));
        let second = bench.done(&[], page(1));
        assert!(!first.events.contains(&Event::Purged { instrument }));
        assert!(second.events.contains(&Event::Purged { instrument }));
        assert_eq!(bench.apply(&[], page(1)), Err(RejectCode::AlreadySettled));
        paid.extend(first.events.into_iter().chain(second.events));
    }
    let payoff_of = |number, wanted| {
        let found = paid.iter().find_map(|event| match event {
            Event::PaidOut {
                account,
                instrument,
                payoff,
            } if *account == id(number) && *instrument == wanted => Some(*payoff),
            _ => None,
        });
        found.unwrap()
    };
    assert_eq!(payoff_of(ALICE, CALL), 3_000_000);
    assert_eq!(payoff_of(BOB, CALL), -3_000_001);
    assert_eq!(payoff_of(ALICE, PUT), 0);
    assert_eq!(payoff_of(ALICE, FUTURE), 5 * 21_000_000);
    assert_eq!(payoff_of(BOB, FUTURE), -5 * 21_000_000 - 1);
    // The future gained 1 a lot; each payoff is floored, and both together left an atom in dust twice.
    assert_eq!(bench.collateral(ALICE), alice + 3_000_000 + 5_000_000);
    assert_eq!(bench.collateral(BOB), bob - 3_000_001 - 5_000_001);
    assert_eq!(bench.market.asset(QUOTE).unwrap().dust, 2 * 100_000_000);
    let future = bench.market.instrument(FUTURE).unwrap();
    assert_eq!((future.life, future.pool), (Life::Purged, 0));
}

#[test]
fn what_cannot_be_paid_is_debt_and_posting_repays_it() {
    let mut bench = Bench::new();
    // Carol gives almost everything but a future's margin away, and the future ends badly.
    bench.trade(CAROL, BOB, &[Bench::leg(FUTURE, 20_000, SPOT)]);
    let release = Body::Release {
        asset: QUOTE,
        amount: 400_000 * 1_000_000,
    };
    bench.done(&[CAROL], release);
    settle(&mut bench, 1_400 * ONE);
    bench.done(
        &[],
        Body::ExpirePage {
            instrument: FUTURE,
            accounts: 8,
        },
    );
    let carol = bench.market.account(&id(CAROL)).unwrap();
    // 20,000 lots lost 6 each: 120,000, of about 100,000.
    let debt = carol.debt;
    assert!((20_000..20_200).contains(&(debt / 1_000_000)), "{debt}");
    assert_eq!(carol.collateral_of(QUOTE), 0);
    assert!(carol.free_of(QUOTE) > 0, "free balances are never touched");
    let asset = QUOTE;
    let amount = debt - 1;
    bench.done(&[CAROL], Body::Post { asset, amount });
    assert_eq!(bench.market.account(&id(CAROL)).unwrap().debt, 1);
    bench.done(&[CAROL], Body::Post { asset, amount: 11 });
    let carol = bench.market.account(&id(CAROL)).unwrap();
    assert_eq!((carol.debt, carol.collateral_of(QUOTE)), (0, 10));
    assert_eq!(carol.status, quorate_settlement::Status::Active);
}

#[test]
fn marks_pay_gains_out_and_change_no_margin() {
    let mut bench = Bench::new();
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 1_000, SPOT)]);
    let (alice, bob) = (bench.collateral(ALICE), bench.collateral(BOB));
    bench.price(2_050 * ONE);
    let before = bench.market.standing(id(ALICE)).unwrap();
    for number in [ALICE, BOB, ALICE] {
        bench.done(
            &[],
            Body::Mark {
                account: id(number),
            },
        );
    }
    // 1,000 lots of 0.01 gained 50 each unit: 500.
    assert_eq!(bench.collateral(ALICE), alice + 500_000_000);
    assert_eq!(bench.collateral(BOB), bob - 500_000_000);
    assert_eq!(bench.market.standing(id(ALICE)).unwrap(), before);
}

#[test]
fn funding_is_paid_once_a_round_and_to_the_atom() {
    let mut bench = Bench::new();
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 1_000, SPOT)]);
    let equity = |bench: &mut Bench, number| bench.market.standing(id(number)).unwrap().equity;
    let before = (equity(&mut bench, ALICE), equity(&mut bench, BOB));
    // The round's rate is 0.01 % of 2,000, for 0.01 of a unit: 2,000 atoms a lot.
    let fund = Body::Fund {
        instrument: PERPETUAL,
    };
    bench.done(&[], fund.clone());
    assert_eq!(bench.apply(&[], fund.clone()), Err(RejectCode::OldRound));
    let after = (equity(&mut bench, ALICE), equity(&mut bench, BOB));
    assert_eq!(after, (before.0 - 2_000_000, before.1 + 2_000_000));
    // Entered after it, a position owes nothing of it; closed, it has paid.
    bench.trade(CAROL, ALICE, &[Bench::leg(PERPETUAL, 1_000, SPOT)]);
    let carol = equity(&mut bench, CAROL);
    assert_eq!(carol, 500_000 * DOLLAR - 4_000_000);
    assert_eq!(equity(&mut bench, ALICE), after.0 - 4_000_000);
    // Parts of an atom are carried on: a rate of 1e-8 is 0.2 atoms a lot, an atom every fifth round.
    for step in 1..=10_u64 {
        bench.rounds += 1;
        let now_ms = bench.context.now_ms + bench.rounds;
        let round = round_of(bench.rounds, now_ms, SPOT, &[EXPIRY_MS], &[(PERPETUAL, 1)]);
        let body = bench.setting.oracle(&bench.market, ETH_FEED, round);
        bench.done(&[], body);
        bench.done(&[], fund.clone());
        let index = bench.market.instrument(PERPETUAL).unwrap().funding_index();
        assert_eq!(index, Some(2_000 + i64::try_from(step / 5).unwrap()));
    }
}
