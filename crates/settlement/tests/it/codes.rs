//! Every code of SETTLEMENT 2.4 by a hostile operation. 1006 is the ledger's alone: operations here have no access list.

use std::collections::BTreeSet;

use quorate_margin::Terms;
use quorate_settlement::simulation::{BTC_FEED, ETH_FEED, QUOTE, Setting, listing_of, owner_of};
use quorate_settlement::{Body, Leg, ParameterChange, Parameters, PeerOutcome, SignedOperation};
use quorate_types::limits::LANES_MAX;
use quorate_types::{
    AccountId, AssetId, ChainId, Epoch, Hash32, InstrumentId, RejectCode, Round, ShardId,
};

use crate::support::{
    ALICE, BOB, Bench, CALL, CAPPED, CAROL, DOLLAR, EXPIRY_MS, FUTURE, LATER, MALLORY, ONE,
    PERPETUAL, SPOT, VENUE, id,
};

type Hostile = fn(&mut Bench) -> SignedOperation;

fn trade(bench: &Bench, legs: &[Leg]) -> SignedOperation {
    bench.signed(&[ALICE, BOB], Body::Trade(legs.to_vec()))
}

fn one_leg(bench: &Bench, instrument: InstrumentId, lots: i64, price: i64) -> SignedOperation {
    trade(bench, &[Bench::leg(instrument, lots, price)])
}

fn post(bench: &Bench, number: u8, asset: AssetId, amount: u128) -> SignedOperation {
    bench.signed(&[number], Body::Post { asset, amount })
}

fn altered(bench: &Bench, alter: impl Fn(&mut SignedOperation)) -> SignedOperation {
    let mut signed = post(bench, ALICE, QUOTE, 1);
    alter(&mut signed);
    Setting::stamped(&bench.market, signed.operation)
}

/// Fills one order of each side, altered.
fn fill(
    bench: &mut Bench,
    alter: impl Fn(&mut quorate_settlement::Order, &mut quorate_settlement::Order),
    lots: u64,
) -> SignedOperation {
    let mut buy = bench.order(ALICE, true, 10, SPOT);
    let mut sell = bench.order(BOB, false, 10, SPOT);
    alter(&mut buy, &mut sell);
    let fill = bench.fill(buy, sell, lots, SPOT);
    bench.signed(&[VENUE], bench.batch(vec![fill]))
}

fn form() -> Vec<(RejectCode, Hostile)> {
    vec![
        (RejectCode::BadEncoding, |bench| trade(bench, &[])),
        (RejectCode::BadSignature, |bench| {
            let mut signed = post(bench, ALICE, QUOTE, 1);
            signed.signatures[0].0[5] ^= 1;
            signed
        }),
        (RejectCode::BadSignature, |bench| {
            let mut signed = post(bench, ALICE, QUOTE, 1);
            signed.signatures.clear();
            signed
        }),
        (RejectCode::WrongChain, |bench| {
            altered(bench, |signed| signed.operation.chain = ChainId([9; 32]))
        }),
        (RejectCode::WrongShard, |bench| {
            altered(bench, |signed| signed.operation.shard = ShardId(9))
        }),
        (RejectCode::Expired, |bench| {
            altered(bench, |signed| {
                signed.operation.valid_until_round = Round(9)
            })
        }),
        (RejectCode::DependencyMissing, |bench| {
            let next = bench.deposits;
            let body = bench.setting.deposit(next + 1, owner_of(ALICE), QUOTE, 1);
            bench.signed(&[], body)
        }),
        (RejectCode::NoAccount, |bench| {
            let account = AccountId([1; 32]);
            bench.signed(&[], Body::Mark { account })
        }),
        (RejectCode::BadSequence, |bench| {
            altered(bench, |signed| signed.operation.signers[0].sequence += 1)
        }),
        (RejectCode::KeyScope, |bench| {
            let body = Body::CreateAccount {
                owner: owner_of(77),
                sub: 0,
            };
            bench.signed(&[ALICE], body)
        }),
        (RejectCode::Frozen, |bench| {
            bench.done(&[80], create(80));
            bench.done(&[80], Body::CloseAccount);
            post(bench, 80, QUOTE, 0)
        }),
        (RejectCode::InsufficientFree, |bench| {
            post(bench, ALICE, QUOTE, u128::MAX)
        }),
        (RejectCode::InsufficientCollateral, |bench| {
            let amount = u128::MAX;
            let asset = QUOTE;
            bench.signed(&[ALICE], Body::Release { asset, amount })
        }),
        (RejectCode::AccountExists, |bench| {
            let mut signed = bench.signed(&[ALICE], create(ALICE));
            signed.operation.signers[0].sequence = 0;
            Setting::stamped(&bench.market, signed.operation)
        }),
        (RejectCode::NoAsset, |bench| {
            post(bench, ALICE, AssetId(99), 1)
        }),
        (RejectCode::TooManyLanes, |bench| {
            let in_lane = |bench: &Bench, lane| {
                altered(bench, |signed| {
                    signed.operation.signers[0].lane = lane;
                    signed.operation.signers[0].sequence = 0;
                })
            };
            for lane in 1..u16::try_from(LANES_MAX).unwrap() {
                let signed = in_lane(bench, lane);
                let _ = bench.send(&signed).unwrap();
            }
            in_lane(bench, 1_000)
        }),
    ]
}

fn create(number: u8) -> Body {
    Body::CreateAccount {
        owner: owner_of(number),
        sub: 0,
    }
}

fn markets() -> Vec<(RejectCode, Hostile)> {
    vec![
        (RejectCode::NoInstrument, |bench| {
            one_leg(bench, InstrumentId(99), 1, SPOT)
        }),
        (RejectCode::NotTrading, |bench| {
            one_leg(bench, LATER, 1, SPOT)
        }),
        (RejectCode::InstrumentExpired, |bench| {
            bench.pass(1, EXPIRY_MS - bench.context.now_ms);
            one_leg(bench, FUTURE, 1, SPOT)
        }),
        (RejectCode::Tick, |bench| {
            one_leg(bench, PERPETUAL, 1, SPOT + 1)
        }),
        (RejectCode::NoPrice, |bench| {
            let perpetual = listing_of(InstrumentId(50), BTC_FEED, Terms::Perpetual);
            let body = bench.setting.list(perpetual);
            bench.done(&[], body);
            one_leg(bench, InstrumentId(50), 1, SPOT)
        }),
        (RejectCode::NoPrice, |bench| {
            // A round that leaves out the curve of an expiry that is held.
            bench.trade(ALICE, BOB, &[Bench::leg(FUTURE, 1, SPOT)]);
            let now_ms = bench.context.now_ms + 9;
            let round = quorate_settlement::simulation::round_of(9, now_ms, SPOT, &[], &[]);
            bench.signed(&[], bench.setting.oracle(&bench.market, ETH_FEED, round))
        }),
        (RejectCode::StalePrice, |bench| {
            bench.pass(1, 3_600_000);
            one_leg(bench, PERPETUAL, 1, SPOT)
        }),
        (RejectCode::PriceBand, |bench| {
            one_leg(bench, PERPETUAL, 1, SPOT / 10 * 11)
        }),
        (RejectCode::OldRound, |bench| {
            bench.rounds -= 1;
            let body = bench.round(SPOT);
            bench.signed(&[], body)
        }),
        (RejectCode::LowConfidence, |bench| {
            let now_ms = bench.context.now_ms + 9;
            let mut round = quorate_settlement::simulation::round_of(9, now_ms, SPOT, &[], &[]);
            round.confidence_bp = 501;
            bench.signed(&[], bench.setting.oracle(&bench.market, ETH_FEED, round))
        }),
        (RejectCode::SelfTrade, |bench| {
            let legs = vec![Bench::leg(PERPETUAL, 1, SPOT)];
            bench.signed(&[ALICE, ALICE], Body::Trade(legs))
        }),
        (RejectCode::Overflow, |bench| {
            one_leg(bench, PERPETUAL, i64::MIN, SPOT)
        }),
        (RejectCode::Halted, |bench| {
            bench.price(SPOT / 10 * 12);
            one_leg(bench, PERPETUAL, 1, SPOT)
        }),
        (RejectCode::ParameterVersion, |bench| {
            let change = ParameterChange {
                chain: bench.setting.facts.chain,
                shard: bench.setting.facts.shard,
                epoch: Epoch(2),
                parameters: Parameters {
                    version: 3,
                    ..bench.setting.parameters
                },
            };
            bench.signed(&[], bench.setting.change(change))
        }),
    ]
}

fn margins() -> Vec<(RejectCode, Hostile)> {
    vec![
        (RejectCode::InitialMargin, |bench| {
            one_leg(bench, PERPETUAL, 200_000, SPOT)
        }),
        (RejectCode::RobustMargin, |bench| {
            // 400,000 may leave; what is left covers 5,000 lots and not 50,000.
            let deadline = bench.context.round.forward(5);
            bench.done(&[ALICE], Bench::prepare(1, -400_000 * DOLLAR, deadline));
            bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 5_000, SPOT)]);
            one_leg(bench, PERPETUAL, 50_000, SPOT)
        }),
        (RejectCode::NotRiskReducing, |bench| {
            bench.breach();
            let leg = Bench::leg(PERPETUAL, 1, 1_700 * ONE);
            bench.signed(&[MALLORY, ALICE], Body::Trade(vec![leg]))
        }),
        (RejectCode::OpenInterestCap, |bench| {
            one_leg(bench, CAPPED, 51, SPOT)
        }),
        (RejectCode::InDoubtLimit, |bench| {
            let deadline = bench.context.round.forward(5);
            for name in 1..=16 {
                bench.done(&[ALICE], Bench::prepare(name, 1, deadline));
            }
            bench.signed(&[ALICE], Bench::prepare(17, 1, deadline))
        }),
        (RejectCode::OrderExpired, |bench| {
            fill(bench, |buy, _| buy.expires = Round(9), 1)
        }),
        (RejectCode::Overfill, |bench| fill(bench, |_, _| {}, 11)),
        (RejectCode::LimitPrice, |bench| {
            fill(bench, |buy, _| buy.limit_price = SPOT - 1, 1)
        }),
        (RejectCode::LimitPrice, |bench| {
            fill(bench, |_, sell| sell.limit_price = SPOT + 1, 1)
        }),
        (RejectCode::FeeCap, |bench| {
            fill(bench, |_, sell| sell.fee_cap_ppm = 199, 1)
        }),
        (RejectCode::FeeCap, |bench| {
            let mut signed = one_leg(bench, PERPETUAL, 1, SPOT);
            signed.operation.max_fee = 3_999;
            Setting::stamped(&bench.market, signed.operation)
        }),
        (RejectCode::SelfTrade, |bench| {
            fill(bench, |buy, sell| sell.account = buy.account, 1)
        }),
        (RejectCode::ReduceOnly, |bench| {
            fill(bench, |buy, _| buy.is_reduce_only = true, 1)
        }),
        (RejectCode::BudgetExceeded, |bench| {
            let body = Body::GrantBudget {
                venue: id(VENUE),
                feed: ETH_FEED,
                amount: 10_000_000,
            };
            bench.done(&[ALICE], body);
            fill(bench, |_, _| {}, 10)
        }),
        (RejectCode::VenueSequenceGap, |bench| {
            let body = Body::FillBatch {
                sequence: 1,
                fills: Vec::new(),
            };
            bench.signed(&[VENUE], body)
        }),
        (RejectCode::KeyScope, |bench| {
            fill(bench, |buy, _| buy.venue = id(CAROL), 1)
        }),
    ]
}

fn crosses() -> Vec<(RejectCode, Hostile)> {
    vec![
        (RejectCode::CrossUnknown, |bench| {
            let cross = Hash32([1; 32]);
            bench.signed(&[], Body::CrossCommit { cross })
        }),
        (RejectCode::CrossDecided, |bench| {
            let cross = Hash32([1; 32]);
            prepare(bench);
            let _ = bench.learn(1, PeerOutcome::Refused).unwrap();
            bench.done(&[], Body::CrossAbort { cross });
            bench.signed(&[], Body::CrossCommit { cross })
        }),
        (RejectCode::CrossCertificate, |bench| {
            let cross = Hash32([1; 32]);
            prepare(bench);
            bench.signed(&[], Body::CrossCommit { cross })
        }),
        (RejectCode::CrossCertificate, |bench| {
            let cross = Hash32([1; 32]);
            prepare(bench);
            let _ = bench.learn(1, PeerOutcome::Prepared).unwrap();
            bench.signed(&[], Body::CrossAbort { cross })
        }),
        (RejectCode::CrossDeadline, |bench| {
            bench.signed(&[ALICE], Bench::prepare(1, -1, Round(9)))
        }),
        (RejectCode::CrossDeadline, |bench| {
            bench.signed(&[ALICE], Bench::prepare(1, -1, Round(1_000)))
        }),
        (RejectCode::CrossReplay, |bench| {
            prepare(bench);
            bench.signed(&[ALICE], Bench::prepare(1, -1, bench.context.round))
        }),
        (RejectCode::CrossReplay, |bench| {
            let body = bench.setting.deposit(0, owner_of(ALICE), QUOTE, 1);
            bench.signed(&[], body)
        }),
    ]
}

fn prepare(bench: &mut Bench) {
    let deadline = bench.context.round.forward(5);
    bench.done(&[ALICE], Bench::prepare(1, -DOLLAR, deadline));
}

fn liquidations() -> Vec<(RejectCode, Hostile)> {
    vec![
        (RejectCode::NotCallable, |bench| {
            bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 1, SPOT)]);
            bench.signed(&[], bench.call(ALICE))
        }),
        (RejectCode::NotCallable, |bench| {
            bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 1, SPOT)]);
            bench.signed(&[CAROL], bench.liquidate(ALICE, 1, 0))
        }),
        (RejectCode::OldRound, |bench| {
            bench.breach();
            let call = bench.call(MALLORY);
            bench.price(1_690 * ONE);
            bench.signed(&[], call)
        }),
        (RejectCode::GraceRunning, |bench| {
            bench.breach();
            bench.signed(&[CAROL], bench.liquidate(MALLORY, 1, 0))
        }),
        (RejectCode::GraceRunning, |bench| {
            bench.breach();
            bench.done(&[], bench.call(MALLORY));
            bench.pass(3, 0);
            bench.signed(&[CAROL], bench.liquidate(MALLORY, 1, 0))
        }),
        (RejectCode::PortionTooLarge, |bench| {
            called(bench);
            bench.signed(&[CAROL], bench.liquidate(MALLORY, 100, 20))
        }),
        (RejectCode::LiquidatorMargin, |bench| {
            bench.done(&[81], create(81));
            called(bench);
            bench.signed(&[81], bench.liquidate(MALLORY, 5, 20))
        }),
        (RejectCode::AuctionPrice, |bench| {
            called(bench);
            bench.signed(&[CAROL], bench.liquidate(MALLORY, 1, 21))
        }),
        (RejectCode::NotInsolvent, |bench| {
            called(bench);
            bench.pass(6, 0);
            bench.signed(&[], bench.absorb(MALLORY))
        }),
        (RejectCode::NotSettled, |bench| {
            bench.signed(&[], page(CALL))
        }),
        (RejectCode::NotSettled, |bench| {
            let body = bench
                .setting
                .settlement(&bench.market, ETH_FEED, EXPIRY_MS, SPOT);
            bench.signed(&[], body)
        }),
        (RejectCode::AlreadySettled, |bench| {
            settle(bench);
            bench.done(&[], page(CALL));
            bench.signed(&[], page(CALL))
        }),
        (RejectCode::SettlePriceExists, |bench| {
            settle(bench);
            let body = bench
                .setting
                .settlement(&bench.market, ETH_FEED, EXPIRY_MS, SPOT + 1);
            bench.signed(&[], body)
        }),
    ]
}

fn called(bench: &mut Bench) {
    bench.breach();
    bench.done(&[], bench.call(MALLORY));
    bench.pass(4, 0);
}

fn settle(bench: &mut Bench) {
    bench.pass(1, EXPIRY_MS - bench.context.now_ms);
    let body = bench
        .setting
        .settlement(&bench.market, ETH_FEED, EXPIRY_MS, SPOT);
    bench.done(&[], body);
}

fn page(instrument: InstrumentId) -> Body {
    Body::ExpirePage {
        instrument,
        accounts: 8,
    }
}

fn few_positions(bench: &mut Bench) -> SignedOperation {
    let mut setting = Setting::default();
    setting.parameters.positions_max = 1;
    *bench = Bench::with(setting);
    bench.trade(ALICE, BOB, &[Bench::leg(PERPETUAL, 1, SPOT)]);
    one_leg(bench, FUTURE, 1, SPOT)
}

#[test]
fn every_code_has_an_operation_that_is_rejected_with_it() {
    let mut rows = form();
    rows.extend(markets());
    rows.extend(margins());
    rows.extend(crosses());
    rows.extend(liquidations());
    rows.push((RejectCode::TooManyPositions, few_positions));
    let mut seen = BTreeSet::new();
    let fresh = Bench::new();
    for (place, (code, hostile)) in rows.into_iter().enumerate() {
        let mut bench = fresh.clone();
        let signed = hostile(&mut bench);
        let result = bench.send(&signed);
        assert_eq!(result.err(), Some(code), "row {place}");
        seen.insert(code);
    }
    let exempt = [RejectCode::AccessList];
    for code in RejectCode::ALL {
        assert_eq!(seen.contains(code), !exempt.contains(code), "{code:?}");
    }
}

#[test]
fn a_rejection_burns_the_signers_numbers_once_they_are_theirs() {
    let mut bench = Bench::new();
    let next = |bench: &Bench, number| {
        let account = bench.market.account(&id(number)).unwrap();
        account.next_sequence(0)
    };
    let (alice, bob) = (next(&bench, ALICE), next(&bench, BOB));
    let too_much = one_leg(&bench, PERPETUAL, 200_000, SPOT);
    assert_eq!(bench.send(&too_much), Err(RejectCode::InitialMargin));
    assert_eq!(
        (next(&bench, ALICE), next(&bench, BOB)),
        (alice + 1, bob + 1)
    );
    // The same again is out of sequence for both.
    assert_eq!(bench.send(&too_much), Err(RejectCode::BadSequence));
    // A signature that is missing burns nothing of the other's.
    let mut forged = one_leg(&bench, PERPETUAL, 1, SPOT);
    forged.signatures[1] = forged.signatures[0];
    assert_eq!(bench.send(&forged), Err(RejectCode::BadSignature));
    assert_eq!(
        (next(&bench, ALICE), next(&bench, BOB)),
        (alice + 1, bob + 1)
    );
}

#[test]
fn deposits_open_accounts_and_reach_closed_ones_so_that_none_holds_up_the_next() {
    let mut bench = Bench::new();
    let amount = 7;
    for owner in [90, 91] {
        let body = bench
            .setting
            .deposit(bench.deposits, owner_of(owner), QUOTE, amount);
        bench.deposits += 1;
        bench.done(&[], body);
    }
    // Opened by a deposit, an account is its owner's from number 0 on.
    let withdraw = |amount| Body::Withdraw {
        asset: QUOTE,
        amount,
        destination: Hash32([1; 32]),
    };
    bench.done(&[90], withdraw(7));
    bench.done(&[90], Body::CloseAccount);
    let body = bench
        .setting
        .deposit(bench.deposits, owner_of(90), QUOTE, amount);
    bench.done(&[], body);
    assert_eq!(
        bench.apply(
            &[90],
            Body::Post {
                asset: QUOTE,
                amount: 1
            }
        ),
        Err(RejectCode::Frozen)
    );
    bench.done(&[90], withdraw(7));
}
