//! Numbers at the ends of their types.

use quorate_margin::{PRICE_LIMIT, QUANTITY_LIMIT, Terms};
use quorate_settlement::Body;
use quorate_settlement::limits::SUPPLY_MAX;
use quorate_settlement::simulation::{ETH_FEED, QUOTE, listing_of, owner_of};
use quorate_types::{InstrumentId, RejectCode};

use crate::support::{ALICE, BOB, Bench, ONE, PERPETUAL, SPOT, VENUE, id};

#[test]
fn supplies_stop_at_their_limit() {
    let mut bench = Bench::new();
    let have = bench.market.asset(QUOTE).unwrap().deposited;
    for amount in [u128::MAX, SUPPLY_MAX, SUPPLY_MAX - have] {
        let body = bench
            .setting
            .deposit(bench.deposits, owner_of(ALICE), QUOTE, amount);
        assert_eq!(bench.apply(&[], body), Err(RejectCode::Overflow));
    }
    let most = SUPPLY_MAX - have - 1;
    let body = bench
        .setting
        .deposit(bench.deposits, owner_of(ALICE), QUOTE, most);
    bench.done(&[], body);
    let asset = QUOTE;
    bench.done(
        &[ALICE],
        Body::Post {
            asset,
            amount: most,
        },
    );
    let standing = bench.market.standing(id(ALICE)).unwrap();
    assert_eq!(
        standing.robust,
        i128::try_from(most).unwrap() + 500_000_000_000
    );
    bench.done(
        &[ALICE],
        Body::Release {
            asset,
            amount: most,
        },
    );
}

#[test]
fn quantities_and_prices_at_their_limits_are_refused_without_harm() {
    let mut bench = Bench::new();
    let mut bodies = Vec::new();
    for lots in [i64::MIN, i64::MAX, QUANTITY_LIMIT, 1 - QUANTITY_LIMIT] {
        for price in [
            1,
            SPOT,
            PRICE_LIMIT - 1,
            PRICE_LIMIT,
            i64::MAX,
            i64::MIN,
            0,
            -ONE,
        ] {
            bodies.push(Body::Trade(vec![Bench::leg(PERPETUAL, lots, price); 8]));
            bodies.push(Body::Novate(Bench::leg(PERPETUAL, lots, price)));
        }
    }
    for body in bodies {
        assert!(bench.apply(&[ALICE, BOB], body).is_err());
    }
    for lots in [u64::MAX, u64::MAX / 2, 1 << 47] {
        let buy = bench.order(ALICE, true, u64::MAX, i64::MAX);
        let sell = bench.order(BOB, false, u64::MAX, i64::MIN);
        let batch = bench.batch(vec![bench.fill(buy, sell, lots, SPOT)]);
        assert!(bench.apply(&[VENUE], batch).is_err());
    }
}

#[test]
fn the_largest_lots_and_prices_stay_in_range() {
    let mut bench = Bench::new();
    // Everything but a few digits of the supply, in two hands.
    for number in [ALICE, BOB] {
        let body = bench
            .setting
            .deposit(bench.deposits, owner_of(number), QUOTE, SUPPLY_MAX / 3);
        bench.deposits += 1;
        bench.done(&[], body);
        let (asset, amount) = (QUOTE, SUPPLY_MAX / 3);
        bench.done(&[number], Body::Post { asset, amount });
    }
    let huge = InstrumentId(60);
    let mut listing = listing_of(huge, ETH_FEED, Terms::Perpetual);
    listing.contract = quorate_margin::Contract::new(Terms::Perpetual, u32::MAX).unwrap();
    listing.open_interest_cap = u64::MAX;
    let body = bench.setting.list(listing);
    bench.done(&[], body);
    // 2^47 lots of 4,294 units at 2,000 are 2^90 atoms, and margin is a part of that.
    let leg = Bench::leg(huge, QUANTITY_LIMIT - 1, SPOT);
    bench.trade(ALICE, BOB, &[leg]);
    let more = Bench::leg(huge, 1, SPOT);
    let result = bench.apply(&[ALICE, BOB], Body::Trade(vec![more]));
    assert_eq!(result, Err(RejectCode::Overflow));
    bench.trade(
        BOB,
        ALICE,
        &[Bench::leg(huge, QUANTITY_LIMIT / 2 - 1, SPOT); 2],
    );
    bench.price(1_850 * ONE);
    for number in [ALICE, BOB] {
        bench.done(
            &[],
            Body::Mark {
                account: id(number),
            },
        );
    }
}
