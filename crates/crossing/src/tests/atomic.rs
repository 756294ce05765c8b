//! Atomic transactions, rule by rule.

use quorate_types::{ChainId, DomainTag, Epoch, Hash32, IdentitySignature, ShardId};

use super::bench::*;
use crate::decider::{Deciding, OnVote, Pending, on_vote};
use crate::limits::{LEGS_MAX, PARTICIPANTS_MAX};
use crate::participant::{OnDecision, OnOffer, Participation, Via, on_decision, on_offer};
use crate::*;

/// Decider 1; 2 and 3 vote.
fn three() -> (Shard, Shard, Shard) {
    (
        Shard::new(4, 1, &[(1, GOLD, 100)]),
        Shard::new(4, 2, &[(2, GOLD, 100)]),
        Shard::new(4, 3, &[(3, GOLD, 100)]),
    )
}

/// 2 and 3 pay 10 and 20 to 1.
fn gather(expiry: u64) -> SignedAtomic {
    sign(transaction(
        1,
        expiry,
        &[(2, 2, 10), (3, 3, 20)],
        &[(1, 1, 30)],
    ))
}

fn balances(shards: [&Shard; 3]) -> [(u128, u128); 3] {
    let owners = [1, 2, 3];
    let pairs = shards.into_iter().zip(owners);
    let pairs: Vec<_> = pairs.map(|(s, o)| (s.available(o), s.held(o))).collect();
    [pairs[0], pairs[1], pairs[2]]
}

fn outcome(decider: &Shard, signed: &SignedAtomic) -> Option<Outcome> {
    let state = decider.crossing.deciding(signed.id());
    state.and_then(Deciding::outcome)
}

#[test]
fn the_participant_s_table_is_that_of_the_design() {
    let expiry = Epoch(4);
    let yes = Participation::Yes(gather(4).trusted());
    let no = Participation::No { expiry };
    let committed = Participation::Committed { expiry };
    let aborted = Participation::Aborted { expiry };
    let states = [
        None,
        Some(&yes),
        Some(&no),
        Some(&committed),
        Some(&aborted),
    ];
    for state in &states[1..] {
        for (expired, via) in [
            (false, Via::Client),
            (true, Via::Client),
            (true, Via::Decider),
        ] {
            assert_eq!(on_offer(*state, expired, via), OnOffer::Ignore);
        }
    }
    assert_eq!(on_offer(None, false, Via::Client), OnOffer::Try);
    assert_eq!(on_offer(None, false, Via::Decider), OnOffer::Try);
    assert_eq!(on_offer(None, true, Via::Client), OnOffer::Refuse);
    assert_eq!(on_offer(None, true, Via::Decider), OnOffer::TooLate);
    use OnDecision::{Alarm, Apply, Credit, Entomb, Ignore, Release};
    let commits = [Credit, Apply, Alarm, Ignore, Alarm];
    let aborts = [Entomb, Release, Entomb, Alarm, Ignore];
    for (at, state) in states.into_iter().enumerate() {
        assert_eq!(on_decision(state, Outcome::Commit, false), commits[at]);
        assert_eq!(on_decision(state, Outcome::Commit, true), commits[at]);
        assert_eq!(on_decision(state, Outcome::Abort, false), aborts[at]);
        let late = if state.is_none() { Ignore } else { aborts[at] };
        assert_eq!(on_decision(state, Outcome::Abort, true), late);
    }
    for epoch in 0..8 {
        let forgotten = epoch > 4;
        assert!(!yes.may_forget(Epoch(epoch)) && !no.may_forget(Epoch(epoch)));
        assert_eq!(committed.may_forget(Epoch(epoch)), forgotten);
        assert_eq!(aborted.may_forget(Epoch(epoch)), forgotten);
    }
}

#[test]
fn the_decider_s_table_is_that_of_the_design() {
    let expiry = Epoch(4);
    let pending = Deciding::Pending(Pending::new(gather(4).trusted()));
    let done = |outcome| Deciding::Done { outcome, expiry };
    let (committed, aborted) = (done(Outcome::Commit), done(Outcome::Abort));
    for (expired, carries) in [(false, false), (false, true), (true, false), (true, true)] {
        assert_eq!(on_vote(Some(&pending), expired, carries), OnVote::Count);
        assert_eq!(on_vote(Some(&committed), expired, carries), OnVote::Alarm);
        assert_eq!(on_vote(Some(&aborted), expired, carries), OnVote::Ignore);
        let unknown = if carries && !expired {
            OnVote::Learn
        } else {
            OnVote::AnswerAbort
        };
        assert_eq!(on_vote(None, expired, carries), unknown);
    }
    for epoch in 0..8 {
        assert!(!pending.may_forget(Epoch(epoch)));
        assert_eq!(committed.may_forget(Epoch(epoch)), epoch > 4);
    }
}

#[test]
fn all_legs_happen_wherever_it_is_submitted() {
    for at in 0..3 {
        let (mut one, mut two, mut three) = three();
        let signed = gather(5);
        [&mut one, &mut two, &mut three][at]
            .submit(&signed)
            .unwrap();
        settle(&mut [&mut one, &mut two, &mut three]);
        assert_eq!(outcome(&one, &signed), Some(Outcome::Commit), "at {at}");
        assert_eq!(balances([&one, &two, &three]), [(130, 0), (90, 0), (80, 0)]);
        for shard in [&mut one, &mut two, &mut three] {
            assert_eq!(shard.alarms(), []);
            shard.submit(&signed).unwrap();
        }
        settle(&mut [&mut one, &mut two, &mut three]);
        assert_eq!(balances([&one, &two, &three]), [(130, 0), (90, 0), (80, 0)]);
        audit(&[
            one.supply(),
            two.supply(),
            three.supply(),
            Shard::new(4, 0, &[]).supply(),
        ])
        .unwrap();
    }
}

#[test]
fn a_hold_is_an_amount_and_not_a_lock() {
    let (mut one, mut two, mut three) = three();
    two.submit(&gather(5)).unwrap();
    assert_eq!((two.available(2), two.held(2)), (90, 10));
    two.transfer(2, (3, 3), 90).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(balances([&one, &two, &three]), [(130, 0), (0, 0), (170, 0)]);
}

#[test]
fn a_shard_that_is_only_paid_hears_of_a_commit_alone() {
    for pays in [true, false] {
        let (mut one, mut two, mut three) = three();
        let amount = if pays { 10 } else { 1000 };
        let signed = sign(transaction(
            1,
            5,
            &[(1, 1, 5), (2, 2, amount)],
            &[(3, 3, amount + 5)],
        ));
        let refused = RequestError::NotHere { shard: ShardId(3) };
        assert_eq!(three.submit(&signed), Err(refused));
        two.submit(&signed).unwrap();
        settle(&mut [&mut one, &mut two, &mut three]);
        let heard = three.crossing.next_sequence(ShardId(1));
        assert_eq!(heard, u64::from(pays));
        let paid = if pays {
            [(95, 0), (90, 0), (115, 0)]
        } else {
            [(100, 0), (100, 0), (100, 0)]
        };
        assert_eq!(balances([&one, &two, &three]), paid);
    }
}

#[test]
fn the_beacon_may_decide_without_legs_of_its_own() {
    let mut beacon = Shard::new(4, 0, &[]);
    let (_, mut two, mut three) = three();
    let signed = sign(transaction(0, 5, &[(2, 2, 10)], &[(3, 3, 10)]));
    beacon.submit(&signed).unwrap();
    settle(&mut [&mut beacon, &mut two, &mut three]);
    assert_eq!((two.available(2), three.available(3)), (90, 110));
    assert_eq!(outcome(&beacon, &signed), Some(Outcome::Commit));
    audit(&[
        beacon.supply(),
        two.supply(),
        three.supply(),
        Shard::new(4, 1, &[]).supply(),
    ])
    .unwrap();
}

#[test]
fn a_decider_that_nobody_need_vote_for_decides_at_once() {
    let (mut one, mut two, mut three) = three();
    let signed = sign(transaction(1, 5, &[(1, 1, 10)], &[(3, 3, 10)]));
    one.submit(&signed).unwrap();
    assert_eq!(outcome(&one, &signed), Some(Outcome::Commit));
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(three.available(3), 110);
}

#[test]
fn holds_beyond_the_balance_are_voted_down_and_nothing_is_kept() {
    let (mut one, mut two, mut three) = three();
    let signed = sign(transaction(
        1,
        5,
        &[(2, 2, 101), (3, 3, 20)],
        &[(1, 1, 121)],
    ));
    one.submit(&signed).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &signed), Some(Outcome::Abort));
    assert_eq!(
        balances([&one, &two, &three]),
        [(100, 0), (100, 0), (100, 0)]
    );
    let voted = Event::Voted {
        transaction: signed.id(),
        answer: Answer::No(Reason::Funds),
    };
    assert!(two.events.contains(&voted));
    // Of two that want the same, one holds.
    let (mut one, mut two, mut three) = (one, two, three);
    let first = sign(transaction(1, 5, &[(2, 2, 60)], &[(1, 1, 60)]));
    let second = sign(transaction(1, 6, &[(2, 2, 60)], &[(1, 1, 60)]));
    two.submit(&first).unwrap();
    two.submit(&second).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &first), Some(Outcome::Commit));
    assert_eq!(outcome(&one, &second), Some(Outcome::Abort));
    assert_eq!(two.available(2), 40);
}

#[test]
fn the_decider_s_own_account_is_looked_at_when_it_decides() {
    let (mut one, mut two, mut three) = three();
    let signed = sign(transaction(
        1,
        5,
        &[(1, 1, 100), (2, 2, 10)],
        &[(3, 3, 110)],
    ));
    one.submit(&signed).unwrap();
    assert_eq!(one.held(1), 0);
    one.transfer(1, (3, 3), 1).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &signed), Some(Outcome::Abort));
    assert_eq!(
        balances([&one, &two, &three]),
        [(99, 0), (100, 0), (101, 0)]
    );
}

#[test]
fn a_cancel_wins_before_the_commit_and_loses_after_it() {
    let signed = gather(5);
    // Before anything is known, between the votes, and after.
    for step in 0..4 {
        let (mut one, mut two, mut three) = three();
        if step > 0 {
            two.submit(&signed).unwrap();
            three.submit(&signed).unwrap();
        }
        if step > 1 {
            carry(&mut two, &mut one).unwrap();
        }
        if step > 2 {
            carry(&mut three, &mut one).unwrap();
        }
        let cancelled = one.cancel(&signed, 3);
        let late = RequestError::Decided {
            outcome: Outcome::Commit,
        };
        assert_eq!(cancelled, if step > 2 { Err(late) } else { Ok(()) });
        if step <= 2 {
            assert_eq!(one.cancel(&signed, 2), Ok(()));
        }
        for shard in [&mut one, &mut two, &mut three] {
            shard.submit(&signed).unwrap();
        }
        settle(&mut [&mut one, &mut two, &mut three]);
        let kept = [(100, 0), (100, 0), (100, 0)];
        let paid = [(130, 0), (90, 0), (80, 0)];
        assert_eq!(
            balances([&one, &two, &three]),
            if step > 2 { paid } else { kept }
        );
    }
}

#[test]
fn only_the_decider_cancels_and_only_for_a_key_that_may() {
    let (_, mut two, _) = three();
    let signed = gather(5);
    assert_eq!(
        two.cancel(&signed, 2),
        Err(RequestError::NotHere { shard: ShardId(2) })
    );
    let refused = Verified::<Cancel>::check(cancel(&signed, 9), &network(4));
    assert_eq!(
        refused.err(),
        Some(TransactionError::CancelKey { key: key(9) })
    );
    let mut forged = cancel(&signed, 2);
    forged.signature = secret(3).sign(DomainTag::AtomicCancel, signed.id().0.as_ref());
    let refused = Verified::<Cancel>::check(forged, &network(4)).err();
    assert!(matches!(refused, Some(TransactionError::Signature { .. })));
    // An owner's consent is no cancel.
    let mut forged = cancel(&signed, 2);
    forged.signature = secret(2).sign(DomainTag::AtomicSignature, signed.id().0.as_ref());
    assert!(Verified::<Cancel>::check(forged, &network(4)).is_err());
}

#[test]
fn an_epoch_in_the_decider_s_log_is_what_expires_a_transaction() {
    let (mut one, mut two, mut three) = three();
    let signed = gather(1);
    two.submit(&signed).unwrap();
    carry(&mut two, &mut one).unwrap();
    one.enter(1);
    assert_eq!(outcome(&one, &signed), None);
    // The voter is far ahead, and holds on.
    two.enter(7);
    assert_eq!(two.held(2), 10);
    one.enter(2);
    assert_eq!(outcome(&one, &signed), Some(Outcome::Abort));
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(
        balances([&one, &two, &three]),
        [(100, 0), (100, 0), (100, 0)]
    );
    let back = OrderError::Epoch {
        epoch: Epoch(2),
        found: Epoch(2),
    };
    assert_eq!(
        one.crossing.enter_epoch(Epoch(2), &mut Vec::new()),
        Err(back)
    );
}

#[test]
fn an_expiry_in_the_past_is_refused_to_clients_and_voted_down_in_the_channel() {
    let (mut one, mut two, mut three) = three();
    let signed = gather(1);
    for shard in [&mut two, &mut three] {
        shard.enter(2);
        let refused = RequestError::Expired {
            epoch: Epoch(2),
            expiry: Epoch(1),
        };
        assert_eq!(shard.submit(&signed), Err(refused));
        assert_eq!(shard.crossing.remembered(), 0);
    }
    one.submit(&signed).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &signed), Some(Outcome::Abort));
    let voted = Event::Voted {
        transaction: signed.id(),
        answer: Answer::No(Reason::Expired),
    };
    assert!(two.events.contains(&voted));
    one.enter(2);
    let refused = RequestError::Expired {
        epoch: Epoch(2),
        expiry: Epoch(0),
    };
    assert_eq!(one.submit(&gather(0)), Err(refused));
    assert_eq!(one.cancel(&gather(0), 2), Err(refused));
}

#[test]
fn what_is_decided_is_forgotten_after_its_expiry_and_a_late_vote_is_answered() {
    let (mut one, mut two, mut three) = three();
    let signed = gather(1);
    two.submit(&signed).unwrap();
    one.enter(2);
    assert_eq!(one.crossing.forget(10, &mut Vec::new()), 0);
    // The decider never knew it, and says so to the one that asks.
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!((two.available(2), two.held(2)), (100, 0));
    assert_eq!(one.crossing.remembered(), 0);
    assert_eq!(two.crossing.forget(10, &mut Vec::new()), 0);
    two.enter(2);
    assert_eq!(two.crossing.forget(10, &mut Vec::new()), 1);
    assert_eq!(two.crossing.remembered(), 0);
    // The same when it decided and forgot.
    let (mut one, mut two, mut three) = self::three();
    one.submit(&signed).unwrap();
    carry(&mut one, &mut two).unwrap();
    one.enter(2);
    assert_eq!(one.crossing.forget(0, &mut Vec::new()), 0);
    assert_eq!(one.crossing.forget(10, &mut Vec::new()), 1);
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(
        balances([&one, &two, &three]),
        [(100, 0), (100, 0), (100, 0)]
    );
    assert_eq!(one.alarms(), []);
}

#[test]
fn a_replayed_submission_after_the_decision_changes_nothing() {
    let (mut one, mut two, mut three) = three();
    let signed = gather(1);
    one.submit(&signed).unwrap();
    one.enter(2);
    settle(&mut [&mut one, &mut two, &mut three]);
    two.submit(&signed).unwrap();
    three.submit(&signed).unwrap();
    assert_eq!(
        balances([&one, &two, &three]),
        [(100, 0), (100, 0), (100, 0)]
    );
    assert_eq!((two.held(2), three.held(3)), (0, 0));
}

#[test]
fn the_beacon_forces_what_waits_for_a_silent_shard_and_nothing_else() {
    let mut beacon = Shard::new(4, 0, &[]);
    let (mut one, mut two, mut three) = three();
    let waits = gather(9);
    let other = sign(transaction(1, 9, &[(2, 2, 5)], &[(1, 1, 5)]));
    let own = sign(transaction(0, 9, &[(3, 3, 5)], &[(2, 2, 5)]));
    two.submit(&waits).unwrap();
    carry(&mut two, &mut one).unwrap();
    one.submit(&other).unwrap();
    beacon.submit(&own).unwrap();
    beacon
        .crossing
        .force_abort(ShardId(3), &mut beacon.events)
        .unwrap();
    assert_eq!(outcome(&beacon, &own), Some(Outcome::Abort));
    carry(&mut beacon, &mut one).unwrap();
    assert_eq!(outcome(&one, &waits), Some(Outcome::Abort));
    assert_eq!(outcome(&one, &other), None);
    // From anybody else it is noise.
    let (shard, mut events) = (ShardId(2), Vec::new());
    let refused = OrderError::NotBeacon { shard };
    assert_eq!(
        two.crossing.force_abort(ShardId(3), &mut events),
        Err(refused)
    );
    let nobody = OrderError::UnknownShard { shard: ShardId(8) };
    assert_eq!(
        beacon.crossing.force_abort(ShardId(8), &mut events),
        Err(nobody)
    );
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &other), Some(Outcome::Commit));
}

#[test]
fn what_cannot_be_a_transaction_is_refused_with_what_is_wrong() {
    let good = transaction(1, 5, &[(2, 2, 10), (3, 3, 20)], &[(1, 1, 30)]);
    let network = network(4);
    let check = |change: &dyn Fn(&mut AtomicTransaction)| {
        let mut changed = good.clone();
        change(&mut changed);
        Verified::<SignedAtomic>::check(sign(changed), &network).err()
    };
    assert_eq!(check(&|_| {}), None);
    let shard = ShardId(2);
    type Change = Box<dyn Fn(&mut AtomicTransaction)>;
    let cases: Vec<(Change, TransactionError)> = vec![
        (
            Box::new(|t| t.chain = ChainId([8; 32])),
            TransactionError::Network {
                found: ChainId([8; 32]),
            },
        ),
        (
            Box::new(|t| t.participants[2].shard = ShardId(4)),
            TransactionError::UnknownShard { shard: ShardId(4) },
        ),
        (
            Box::new(|t| t.participants[2].shard = ShardId(2)),
            TransactionError::ParticipantOrder { shard },
        ),
        (
            Box::new(|t| t.participants.swap(0, 1)),
            TransactionError::ParticipantOrder { shard: ShardId(1) },
        ),
        (
            Box::new(|t| t.participants.clear()),
            TransactionError::Participants { found: 0 },
        ),
        (
            Box::new(|t| {
                let one = t.participants[0].clone();
                t.participants = (0..=PARTICIPANTS_MAX)
                    .map(|shard| Participant {
                        shard: ShardId(shard),
                        ..one.clone()
                    })
                    .collect();
            }),
            TransactionError::Participants {
                found: u64::from(PARTICIPANTS_MAX) + 1,
            },
        ),
        (
            Box::new(|t| {
                t.participants[0].credits.clear();
            }),
            TransactionError::Legs {
                shard: ShardId(1),
                debits: 0,
                credits: 0,
            },
        ),
        (
            Box::new(|t| {
                let leg = t.participants[1].debits[0];
                t.participants[1].debits =
                    (0..=LEGS_MAX).map(|sub| DebitLeg { sub, ..leg }).collect();
            }),
            TransactionError::Legs {
                shard,
                debits: u64::from(LEGS_MAX) + 1,
                credits: 0,
            },
        ),
        (
            Box::new(|t| {
                let leg = t.participants[1].debits[0];
                t.participants[1].debits.push(leg);
            }),
            TransactionError::LegOrder { shard },
        ),
        (
            Box::new(|t| t.participants[1].debits[0].amount = 0),
            TransactionError::Nothing { shard },
        ),
        (
            Box::new(|t| t.participants[1].debits[0].amount = 11),
            TransactionError::Unbalanced {
                asset: GOLD,
                debits: 31,
                credits: 30,
            },
        ),
        (
            Box::new(|t| t.participants[1].debits[0].asset = SILVER),
            TransactionError::Unbalanced {
                asset: GOLD,
                debits: 20,
                credits: 30,
            },
        ),
        (
            Box::new(|t| t.participants[1].debits[0].amount = u128::MAX),
            TransactionError::Amount { asset: GOLD },
        ),
        (
            Box::new(|t| t.cancel_keys.reverse()),
            TransactionError::CancelKeys,
        ),
    ];
    for (change, error) in cases {
        assert_eq!(check(&*change), Some(error));
    }
    // A decider with no part in it; only the beacon may.
    let stranger = transaction(1, 5, &[(2, 2, 10)], &[(3, 3, 10)]);
    let refused = Verified::<SignedAtomic>::check(sign(stranger), &network).err();
    assert_eq!(
        refused,
        Some(TransactionError::Decider { shard: ShardId(1) })
    );
    let beacon = transaction(0, 5, &[(2, 2, 10)], &[(3, 3, 10)]);
    assert!(Verified::<SignedAtomic>::check(sign(beacon), &network).is_ok());
}

#[test]
fn every_owner_must_have_signed_this_very_transaction() {
    let signed = gather(5);
    let network = network(4);
    let check = |signatures: Vec<IdentitySignature>| {
        let signed = SignedAtomic::new(signed.transaction.clone(), signatures);
        Verified::<SignedAtomic>::check(signed, &network).err()
    };
    let good = signed.signatures.clone();
    assert_eq!(check(good.clone()), None);
    let few = TransactionError::Signatures {
        needed: 2,
        found: 1,
    };
    assert_eq!(check(good[..1].to_vec()), Some(few));
    let many = TransactionError::Signatures {
        needed: 2,
        found: 3,
    };
    assert_eq!(
        check([good.clone(), good[..1].to_vec()].concat()),
        Some(many)
    );
    let swapped = check(vec![good[1], good[0]]);
    assert!(matches!(swapped, Some(TransactionError::Signature { .. })));
    let other = gather(6).signatures;
    assert!(matches!(
        check(other),
        Some(TransactionError::Signature { .. })
    ));
}

/// Says something in a shard's name: a captured committee can certify what it likes.
fn forge(from: &mut Shard, to: u32, body: Body) {
    from.crossing.forge(ShardId(to), body);
}

#[test]
fn a_captured_decider_cannot_have_held_what_was_not_signed() {
    let (mut one, mut two, mut three) = three();
    let mut forged = gather(5);
    forged.signatures[0] = IdentitySignature([0; 64]);
    let id = forged.id();
    forge(&mut one, 2, Body::Prepare(Box::new(forged)));
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!((two.available(2), two.held(2)), (100, 0));
    assert!(
        matches!(two.alarms()[..], [Alarm::Transaction { transaction, .. }] if transaction == id)
    );
}

#[test]
fn a_shard_with_no_say_is_heard_and_has_no_effect() {
    let signed = gather(5);
    let (mut one, mut two, mut three) = three();
    // Three asks in the decider's stead, decides in its stead, and orders in the beacon's.
    forge(&mut three, 2, Body::Prepare(Box::new(signed.clone())));
    forge(&mut three, 2, Body::ForceAbort { shard: ShardId(1) });
    forge(
        &mut three,
        2,
        Body::Freeze {
            shard: ShardId(1),
            epoch: Epoch(0),
        },
    );
    carry(&mut three, &mut two).unwrap();
    assert_eq!(two.held(2), 0);
    let say = |sequence| Alarm::NoSay {
        source: ShardId(3),
        sequence,
    };
    assert_eq!(two.alarms(), [say(0), say(1), say(2)]);
    two.submit(&signed).unwrap();
    let abort = Decision {
        transaction: signed.id(),
        outcome: Outcome::Abort,
        expiry: Epoch(5),
        votes: Hash32::ZERO,
        credits: Vec::new(),
    };
    forge(&mut three, 2, Body::Decision(abort));
    carry(&mut three, &mut two).unwrap();
    assert_eq!(two.held(2), 10);
    // What it says in time does not keep the transaction from happening, either.
    three.submit(&signed).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(balances([&one, &two, &three]), [(130, 0), (90, 0), (80, 0)]);
}

#[test]
fn of_two_decisions_the_second_is_an_alarm() {
    for (first, second) in [
        (Outcome::Commit, Outcome::Abort),
        (Outcome::Abort, Outcome::Commit),
    ] {
        let (mut one, mut two, _) = three();
        let signed = sign(transaction(1, 5, &[(2, 2, 10)], &[(1, 1, 10)]));
        two.submit(&signed).unwrap();
        for outcome in [first, second] {
            let decision = Decision {
                transaction: signed.id(),
                outcome,
                expiry: Epoch(5),
                votes: Hash32::ZERO,
                credits: Vec::new(),
            };
            forge(&mut one, 2, Body::Decision(decision));
        }
        carry(&mut one, &mut two).unwrap();
        let left = if first == Outcome::Commit { 90 } else { 100 };
        assert_eq!((two.available(2), two.held(2)), (left, 0));
        let alarm = Alarm::Decision {
            source: ShardId(1),
            transaction: signed.id(),
            outcome: second,
        };
        assert_eq!(two.alarms(), [alarm]);
    }
}

#[test]
fn votes_that_do_not_fit_abort_and_votes_of_strangers_count_for_nothing() {
    let signed = gather(5);
    let vote = |legs, lock_versions| Vote {
        transaction: signed.id(),
        epoch: Epoch(0),
        legs,
        answer: Answer::Yes { lock_versions },
        submitted: None,
    };
    let own = signed
        .transaction
        .participant(ShardId(2))
        .unwrap()
        .legs_digest();
    let cases = [(own, vec![]), (own, vec![1, 1]), (Hash32::ZERO, vec![1])];
    for (legs, lock_versions) in cases {
        let (mut one, mut two, _) = three();
        one.submit(&signed).unwrap();
        forge(&mut two, 1, Body::Vote(Box::new(vote(legs, lock_versions))));
        carry(&mut two, &mut one).unwrap();
        assert_eq!(outcome(&one, &signed), Some(Outcome::Abort));
        let alarm = Alarm::Vote {
            source: ShardId(2),
            transaction: signed.id(),
        };
        assert_eq!(one.alarms(), [alarm]);
    }
    // The beacon is no voter here. And a second vote changes nothing.
    let (mut one, mut two, mut three) = three();
    let mut beacon = Shard::new(4, 0, &[]);
    one.submit(&signed).unwrap();
    let digest = signed
        .transaction
        .participant(ShardId(3))
        .unwrap()
        .legs_digest();
    forge(&mut beacon, 1, Body::Vote(Box::new(vote(digest, vec![1]))));
    carry(&mut beacon, &mut one).unwrap();
    assert_eq!(outcome(&one, &signed), None);
    carry(&mut one, &mut two).unwrap();
    forge(&mut two, 1, Body::Vote(Box::new(vote(own, vec![1]))));
    carry(&mut two, &mut one).unwrap();
    assert_eq!(outcome(&one, &signed), None);
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &signed), Some(Outcome::Commit));
    forge(&mut two, 1, Body::Vote(Box::new(vote(own, vec![1]))));
    carry(&mut two, &mut one).unwrap();
    let alarm = Alarm::Vote {
        source: ShardId(2),
        transaction: signed.id(),
    };
    assert_eq!(one.alarms().last(), Some(&alarm));
}

#[test]
fn beyond_what_may_be_remembered_clients_are_refused_and_offers_voted_down() {
    let mut options = Options::new(network(4), ShardId(2));
    options.transactions_max = 1;
    let mut two = Shard::with(options, &[(2, GOLD, 100)]);
    let mut one = Shard::new(4, 1, &[(1, GOLD, 100)]);
    let first = sign(transaction(1, 5, &[(2, 2, 1)], &[(1, 1, 1)]));
    let second = sign(transaction(1, 6, &[(2, 2, 1)], &[(1, 1, 1)]));
    two.submit(&first).unwrap();
    assert_eq!(two.submit(&second), Err(RequestError::Full { most: 1 }));
    one.submit(&second).unwrap();
    settle(&mut [&mut one, &mut two]);
    assert_eq!(outcome(&one, &first), Some(Outcome::Commit));
    assert_eq!(outcome(&one, &second), Some(Outcome::Abort));
    assert_eq!((two.available(2), two.held(2)), (99, 0));
}

#[test]
fn a_full_window_to_any_participant_refuses_the_client_before_anything_is_held() {
    let mut options = Options::new(network(4), ShardId(1));
    options.window = 1;
    let mut one = Shard::with(options.clone(), &[(1, GOLD, 100)]);
    one.transfer(1, (3, 3), 1).unwrap();
    let window = |destination, load| RequestError::Window {
        destination,
        load,
        window: 1,
    };
    assert_eq!(one.submit(&gather(5)), Err(window(ShardId(3), 1)));
    assert_eq!(one.crossing.remembered(), 0);
    options.shard = ShardId(2);
    let mut two = Shard::with(options, &[(2, GOLD, 100)]);
    two.transfer(2, (1, 1), 1).unwrap();
    assert_eq!(two.submit(&gather(5)), Err(window(ShardId(1), 1)));
    assert_eq!(two.held(2), 0);
}

#[test]
fn lock_versions_count_holds_made_and_ended() {
    let (mut one, mut two, mut three) = three();
    let version = |shard: &Shard| shard.accounts.lock_version(&account(2));
    two.submit(&gather(1)).unwrap();
    assert_eq!(version(&two), 1);
    two.submit(&gather(1)).unwrap();
    assert_eq!(version(&two), 1);
    let Some(Event::Voted {
        answer: Answer::Yes { lock_versions },
        ..
    }) = two.events.first()
    else {
        panic!("{:?}", two.events);
    };
    assert_eq!(lock_versions, &[1]);
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(version(&two), 2);
}

#[test]
fn a_commit_pays_accounts_that_are_missing_into_suspense() {
    let (mut one, mut two, mut three) = three();
    let signed = sign(transaction(1, 5, &[(2, 2, 10)], &[(1, 8, 4), (3, 9, 6)]));
    one.submit(&signed).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &signed), Some(Outcome::Commit));
    assert_eq!(one.crossing.suspended(account(8), GOLD), 4);
    assert_eq!(three.crossing.suspended(account(9), GOLD), 6);
    audit(&[
        one.supply(),
        two.supply(),
        three.supply(),
        Shard::new(4, 0, &[]).supply(),
    ])
    .unwrap();
}

#[test]
fn more_than_there_can_be_is_not_taken_from_anybody() {
    let (mut one, mut two, mut three) = three();
    // A captured decider pays what it does not have, twice.
    for _ in 0..2 {
        let commit = Decision {
            transaction: gather(5).id(),
            outcome: Outcome::Commit,
            expiry: Epoch(5),
            votes: Hash32::ZERO,
            credits: vec![CreditLeg {
                account: account(3),
                asset: GOLD,
                amount: u128::MAX - 150,
            }],
        };
        let number = u8::try_from(one.height).unwrap();
        forge(
            &mut one,
            3,
            Body::Decision(Decision {
                transaction: AtomicId(Hash32([number; 32])),
                ..commit
            }),
        );
        carry(&mut one, &mut three).unwrap();
    }
    assert_eq!(three.available(3), u128::MAX - 50);
    let overflow = Alarm::Overflow {
        source: ShardId(1),
        asset: GOLD,
    };
    assert_eq!(three.alarms(), [overflow]);
    three.supply().check().unwrap();
    // Nor does a decider commit what would not fit: 3 pays nearly all there can be, and 1 has some already.
    let all = sign(transaction(
        1,
        5,
        &[(3, 3, u128::MAX - 50), (2, 2, 1)],
        &[(1, 1, u128::MAX - 49)],
    ));
    one.submit(&all).unwrap();
    settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(outcome(&one, &all), Some(Outcome::Abort));
    assert_eq!(three.held(3), 0);
}
