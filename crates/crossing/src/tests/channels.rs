//! Bundles: what is applied, and every way in which one is not.

use std::collections::BTreeMap;

use quorate_types::{Decode, Encode, Epoch, Hash32, Height, ShardId, merkle_root};

use super::bench::*;
use crate::limits::CREDITS_MAX;
use crate::*;

fn pair() -> (Shard, Shard) {
    let one = Shard::new(4, 1, &[(1, GOLD, 1000), (2, GOLD, 1000)]);
    let two = Shard::new(4, 2, &[(11, GOLD, 10), (12, GOLD, 10)]);
    (one, two)
}

/// Transfers of 1, 2, .. atoms, each in a receipt of its own.
fn receipts(one: &mut Shard, count: u128) {
    for amount in 1..=count {
        one.transfer(1, (2, 11), amount).unwrap();
        one.seal();
    }
}

#[test]
fn transfers_of_a_commit_are_one_receipt_and_are_credited_once() {
    let (mut one, mut two) = pair();
    one.transfer(1, (2, 11), 5).unwrap();
    one.transfer(2, (2, 12), 6).unwrap();
    one.transfer(1, (2, 11), 7).unwrap();
    let bundle = opened(&mut one, &two);
    assert_eq!(bundle.count(), 1);
    let delivered = two.deliver(&bundle);
    assert_eq!(
        delivered,
        Ok(Delivered {
            applied: 1,
            skipped: 0
        })
    );
    assert_eq!((one.available(1), one.available(2)), (988, 994));
    assert_eq!((two.available(11), two.available(12)), (22, 16));
    assert_eq!(two.deliver(&bundle), Err(DeliverError::Stale { next: 1 }));
    assert_eq!((two.available(11), two.available(12)), (22, 16));
}

#[test]
fn one_credit_is_proved_to_its_payee_by_two_paths() {
    let (mut one, _) = pair();
    for amount in 1..=5 {
        one.transfer(1, (2, 11), amount).unwrap();
    }
    let sealed = one.seal();
    let bundle = one.crossing.bundle(&sealed, ShardId(2), 0, 1).unwrap();
    let message = Message::from_bytes(&bundle.parcels[0].message).unwrap();
    let Body::Receipt(receipt) = message.body else {
        panic!("{message:?}");
    };
    let credits = &bundle.parcels[0].credits;
    assert_eq!((receipt.total, receipt.count), (15, 5));
    let leaves: Vec<Vec<u8>> = credits.iter().map(Encode::to_bytes).collect();
    assert_eq!(receipt.root, merkle_root(&leaves));
    let path = quorate_types::MerkleTree::new(&leaves).proof(3).unwrap();
    assert!(path.verifies(&receipt.root, &leaves[3]));
    let leaf = [bundle.parcels[0].message.as_slice()];
    assert!(bundle.range.verify(&bundle.head.root, &leaf).is_some());
}

#[test]
fn bundles_in_any_pieces_and_with_overlaps_come_to_the_same() {
    let (mut one, whole) = pair();
    receipts(&mut one, 9);
    for (first, second) in [(0, 9), (3, 3), (5, 2), (9, 0), (1, 0), (8, 4)] {
        let mut two = whole.clone();
        let bundle = opened_at(&mut one, &two, 0, first);
        if first > 0 {
            assert_eq!(two.deliver(&bundle).unwrap().applied, u64::from(first));
        }
        let bundle = opened_at(&mut one, &two, second, 256);
        let rest = two.deliver(&bundle);
        if second > u64::from(first) {
            let next = u64::from(first);
            assert_eq!(
                rest,
                Err(DeliverError::Gap {
                    start: second,
                    next
                })
            );
            continue;
        }
        if first < 9 {
            let skipped = u64::from(first) - second;
            let applied = 9 - u64::from(first);
            assert_eq!(rest, Ok(Delivered { applied, skipped }));
        }
        assert_eq!(two.available(11), 55, "{first} then from {second}");
    }
}

#[test]
fn a_bundle_that_was_consumed_whole_is_stale_even_if_it_ends_early() {
    let (mut one, mut two) = pair();
    receipts(&mut one, 4);
    let early = opened_at(&mut one, &two, 0, 2);
    carry(&mut one, &mut two).unwrap();
    let before = two.clone();
    assert_eq!(two.deliver(&early), Err(DeliverError::Stale { next: 4 }));
    assert_eq!(two.crossing, before.crossing);
}

#[test]
fn acknowledgements_ride_back_and_what_is_acknowledged_is_dropped() {
    let (mut one, mut two) = pair();
    receipts(&mut one, 3);
    carry(&mut one, &mut two).unwrap();
    assert_eq!(one.crossing.sent(ShardId(2)), (3, 0));
    // The other direction has no message; its certificate has the acknowledgement.
    let bundle = opened(&mut two, &one);
    assert_eq!(bundle.count(), 0);
    let nothing = Delivered {
        applied: 0,
        skipped: 0,
    };
    assert_eq!(one.deliver(&bundle), Ok(nothing));
    assert_eq!(one.crossing.sent(ShardId(2)), (3, 3));
    assert_eq!(one.deliver(&bundle), Err(DeliverError::Stale { next: 0 }));
    let sealed = one.seal();
    let dropped = one.crossing.bundle(&sealed, ShardId(2), 2, 1);
    assert!(matches!(dropped, Err(ProveError::Messages(_))));
    receipts(&mut one, 1);
    assert_eq!(carry(&mut one, &mut two).unwrap().applied, 1);
    assert_eq!(two.available(11), 17);
}

#[test]
fn more_cannot_be_acknowledged_than_was_sent() {
    let (mut one, mut two) = pair();
    receipts(&mut one, 3);
    carry(&mut one, &mut two).unwrap();
    let (mut fresh, _) = pair();
    let refused = carry(&mut two, &mut fresh);
    assert_eq!(
        refused,
        Err(DeliverError::Acknowledged {
            claimed: 3,
            sent: 0
        })
    );
}

#[test]
fn beyond_the_window_nothing_is_appended_and_clients_are_told() {
    let mut options = Options::new(network(4), ShardId(1));
    options.window = 2;
    let mut one = Shard::with(options, &[(1, GOLD, 1000)]);
    let mut two = Shard::new(4, 2, &[(11, GOLD, 10)]);
    receipts(&mut one, 2);
    let refused = RequestError::Window {
        destination: ShardId(2),
        load: 2,
        window: 2,
    };
    assert_eq!(one.transfer(1, (2, 11), 1), Err(refused));
    assert_eq!(one.available(1), 997);
    // Other peers have windows of their own.
    one.transfer(1, (3, 21), 1).unwrap();
    carry(&mut one, &mut two).unwrap();
    assert_eq!(one.transfer(1, (2, 11), 1), Err(refused));
    carry(&mut two, &mut one).unwrap();
    one.transfer(1, (2, 11), 1).unwrap();
    // What is not sealed yet counts too, once for each asset.
    one.transfer(1, (2, 11), 1).unwrap();
    assert_eq!(opened(&mut one, &two).count(), 1);
}

#[test]
fn answers_wait_in_order_for_room_in_the_window() {
    let mut options = Options::new(network(4), ShardId(2));
    options.window = 1;
    let mut one = Shard::new(4, 1, &[(1, GOLD, 1000)]);
    let mut two = Shard::with(options, &[]);
    // Nobody is there, so every receipt bounces.
    receipts(&mut one, 3);
    carry(&mut one, &mut two).unwrap();
    assert_eq!(two.crossing.sent(ShardId(1)), (1, 0));
    assert_eq!(two.crossing.backlog(ShardId(1)).count(), 2);
    for back in [1, 2, 3] {
        assert_eq!(carry(&mut two, &mut one).unwrap().applied, 1);
        assert_eq!(two.crossing.sent(ShardId(1)).0, back);
        carry(&mut one, &mut two).unwrap();
    }
    assert_eq!(one.available(1), 1000);
    assert_eq!(two.crossing.backlog(ShardId(1)).count(), 0);
}

#[test]
fn every_forged_part_of_a_bundle_is_found() {
    let (mut one, two) = pair();
    receipts(&mut one, 6);
    let sealed = one.seal();
    let roots = Verified::certified(sealed.roots(Finality::Shard));
    let whole = one.crossing.bundle(&sealed, ShardId(2), 1, 3).unwrap();
    let open = |bundle: Bundle| bundle.open(&network(4), &roots).map(drop);
    assert_eq!(open(whole.clone()), Ok(()));
    let forge = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        open(bundle)
    };
    type Change = Box<dyn Fn(&mut Bundle)>;
    let cases: Vec<(Change, BundleError)> = vec![
        (
            Box::new(|b| b.head.source = ShardId(3)),
            BundleError::Source {
                certified: ShardId(1),
                found: ShardId(3),
            },
        ),
        (
            Box::new(|b| b.head.destination = ShardId(3)),
            BundleError::Head,
        ),
        (Box::new(|b| b.head.sent += 1), BundleError::Head),
        (Box::new(|b| b.head.consumed += 1), BundleError::Head),
        (Box::new(|b| b.head.root = Hash32::ZERO), BundleError::Head),
        (
            Box::new(|b| b.head_proof.path[0] = Hash32::ZERO),
            BundleError::Head,
        ),
        (
            Box::new(|b| b.range.size += 1),
            BundleError::Size { sent: 6, found: 7 },
        ),
        (Box::new(|b| b.range.start += 1), BundleError::Range),
        (
            Box::new(|b| b.range.path[0] = Hash32::ZERO),
            BundleError::Range,
        ),
        (
            Box::new(|b| {
                b.range.path.pop();
            }),
            BundleError::Range,
        ),
        (Box::new(|b| b.parcels.swap(0, 1)), BundleError::Range),
        (
            Box::new(|b| {
                b.parcels.pop();
            }),
            BundleError::Range,
        ),
        (
            Box::new(|b| b.parcels[1].message[9] ^= 1),
            BundleError::Range,
        ),
        (
            Box::new(|b| b.parcels[1].credits[0].amount += 1),
            BundleError::Credits { sequence: 2 },
        ),
        (
            Box::new(|b| b.parcels[2].credits.clear()),
            BundleError::Credits { sequence: 3 },
        ),
        (
            Box::new(|b| {
                let more = b.parcels[0].credits[0];
                b.parcels[0].credits.push(more);
            }),
            BundleError::Credits { sequence: 1 },
        ),
    ];
    for (change, error) in cases {
        assert_eq!(forge(&*change), Err(error));
    }
    let mut other = sealed.roots(Finality::Shard);
    other.outbox_root = Hash32::ZERO;
    let refused = whole.clone().open(&network(4), &Verified::certified(other));
    assert_eq!(refused.err(), Some(BundleError::Head));
    drop(two);
}

#[test]
fn a_bundle_is_only_for_its_own_destination() {
    let (mut one, two) = pair();
    receipts(&mut one, 1);
    let mut three = Shard::new(4, 3, &[]);
    let bundle = opened(&mut one, &two);
    let refused = DeliverError::Destination {
        own: ShardId(3),
        found: ShardId(2),
    };
    assert_eq!(three.deliver(&bundle), Err(refused));
}

#[test]
fn a_certificate_counts_within_its_epoch_s_term_only() {
    let (mut one, mut two) = pair();
    receipts(&mut one, 3);
    let at = |one: &mut Shard, epoch: u64, height: u64| {
        let sealed = one.seal();
        let mut roots = sealed.roots(Finality::Shard);
        (roots.epoch, roots.height) = (Epoch(epoch), Height(height));
        let roots = Verified::certified(roots);
        let bundle = one.crossing.bundle(&sealed, ShardId(2), 0, 1).unwrap();
        bundle.open(&network(4), &roots).unwrap()
    };
    let mut try_at = |two: &Shard, epoch, height| {
        let bundle = at(&mut one, epoch, height);
        two.clone()
            .deliver(&bundle)
            .map(|delivered| delivered.applied)
    };
    let term = |error| Err(DeliverError::Term(error));
    assert_eq!(try_at(&two, 0, 500), Ok(1));
    let unknown = |epoch| {
        term(TermError::Unknown {
            epoch: Epoch(epoch),
        })
    };
    assert_eq!(try_at(&two, 1, 500), unknown(1));
    two.crossing
        .begin_term(ShardId(1), Epoch(1), Height(100))
        .unwrap();
    assert_eq!(try_at(&two, 0, 99), Ok(1));
    let (epoch, height, next) = (Epoch(0), Height(100), Height(100));
    assert_eq!(
        try_at(&two, 0, 100),
        term(TermError::After {
            epoch,
            height,
            next
        })
    );
    let (epoch, height, first) = (Epoch(1), Height(99), Height(100));
    assert_eq!(
        try_at(&two, 1, 99),
        term(TermError::Before {
            epoch,
            height,
            first
        })
    );
    assert_eq!(try_at(&two, 1, 100), Ok(1));
    two.crossing
        .begin_term(ShardId(1), Epoch(4), Height(200))
        .unwrap();
    assert_eq!(try_at(&two, 0, 99), unknown(0));
    assert_eq!(try_at(&two, 4, 200), Ok(1));
    for (epoch, first) in [(4, 300), (3, 300), (5, 200)] {
        let (epoch, first) = (Epoch(epoch), Height(first));
        let order = OrderError::Term(TermError::Order { epoch, first });
        assert_eq!(
            two.crossing.begin_term(ShardId(1), epoch, first),
            Err(order)
        );
    }
    let nobody = OrderError::UnknownShard { shard: ShardId(9) };
    assert_eq!(
        two.crossing.begin_term(ShardId(9), Epoch(1), Height(1)),
        Err(nobody)
    );
}

#[test]
fn two_histories_under_one_shard_s_key_are_found() {
    let (mut one, mut two) = pair();
    receipts(&mut one, 2);
    let mut twin = one.clone();
    one.transfer(1, (2, 11), 50).unwrap();
    twin.transfer(2, (2, 12), 60).unwrap();
    twin.seal();
    carry(&mut one, &mut two).unwrap();
    let before = two.clone();
    // As the next message, with an overlap, and as nothing but an acknowledgement.
    receipts(&mut twin, 1);
    for start in [3, 2, 0, 4] {
        let bundle = opened_at(&mut twin, &two, start, 256);
        let refused = two.deliver(&bundle);
        match start {
            4 => assert_eq!(refused, Err(DeliverError::Gap { start: 4, next: 3 })),
            _ => assert!(
                matches!(refused, Err(DeliverError::Forked { at: 3, .. })),
                "{refused:?}"
            ),
        }
        assert_eq!(two.crossing, before.crossing);
    }
}

#[test]
fn what_a_shard_certified_and_nobody_can_read_is_consumed_with_an_alarm() {
    let (mut one, mut two) = pair();
    receipts(&mut one, 1);
    // A message out of place: another shard's history carried under this head.
    let mut three = Shard::new(4, 3, &[(1, GOLD, 100)]);
    three.transfer(1, (2, 11), 9).unwrap();
    let sealed = three.seal();
    let stolen = three.crossing.bundle(&sealed, ShardId(2), 0, 1).unwrap();
    let garbage = Parcel {
        message: vec![0xff; 40],
        credits: Vec::new(),
    };
    let stolen = Parcel {
        message: stolen.parcels[0].message.clone(),
        credits: Vec::new(),
    };
    for (parcel, sequence) in [(garbage, 1), (stolen, 2)] {
        let mut tree = quorate_types::Mmr::new();
        let bundle = opened_at(&mut one, &two, 0, 1);
        let mut leaves: Vec<Vec<u8>> = bundle.arrivals.iter().map(|a| a.leaf.clone()).collect();
        if sequence == 2 {
            leaves.push(vec![0xff; 40]);
        }
        leaves.push(parcel.message.clone());
        for leaf in &leaves {
            tree.append(leaf);
        }
        let head = ChannelHead {
            source: ShardId(1),
            destination: ShardId(2),
            sent: tree.count(),
            root: tree.root(),
            consumed: 0,
        };
        let top = quorate_types::MerkleTree::new([head.to_bytes()]);
        let roots = Verified::certified(CertifiedRoots {
            shard: ShardId(1),
            epoch: Epoch(0),
            height: Height(50),
            outbox_root: top.root(),
            finality: Finality::Shard,
        });
        let first = two.crossing.next_sequence(ShardId(1));
        let mut parcels = vec![parcel];
        if first == 0 {
            let sealed = one.seal();
            let receipt = one.crossing.bundle(&sealed, ShardId(2), 0, 1).unwrap();
            parcels.insert(0, receipt.parcels[0].clone());
        }
        let bundle = Bundle {
            head,
            head_proof: top.proof(0).unwrap(),
            range: tree.prove(first, tree.count(), tree.count()).unwrap(),
            parcels,
        };
        let bundle = bundle.open(&network(4), &roots).unwrap();
        two.deliver(&bundle).unwrap();
        assert_eq!(two.crossing.next_sequence(ShardId(1)), sequence + 1);
    }
    let alarms = two.alarms();
    assert!(matches!(alarms[0], Alarm::Unreadable { sequence: 1, .. }));
    let misplaced = Alarm::Misplaced {
        source: ShardId(1),
        sequence: 2,
    };
    assert_eq!(alarms[1..], [misplaced]);
    assert_eq!(two.available(11), 11);
}

#[test]
fn a_credit_to_nobody_bounces_and_a_bounce_to_nobody_is_kept() {
    let (mut one, mut two) = pair();
    one.transfer(1, (2, 11), 5).unwrap();
    one.transfer(2, (2, 77), 6).unwrap();
    one.transfer(1, (2, 78), 7).unwrap();
    carry(&mut one, &mut two).unwrap();
    assert_eq!(two.available(11), 15);
    // One message for both; and the second payer is gone meanwhile.
    let bundle = opened(&mut two, &one);
    assert_eq!(bundle.count(), 1);
    let (mut accounts, mut gone) = (MemoryAccounts::default(), one.clone());
    accounts.open(account(1));
    gone.accounts = accounts;
    gone.deliver(&bundle).unwrap();
    assert_eq!(gone.available(1), 7);
    assert_eq!(gone.crossing.suspended(account(2), GOLD), 6);
    let missing = RequestError::Accounts(AccountsError::Missing {
        account: account(2),
    });
    let claim = |shard: &mut Shard| shard.crossing.claim(&mut shard.accounts, account(2), GOLD);
    assert_eq!(claim(&mut gone), Err(missing));
    gone.accounts.open(account(2));
    assert_eq!(claim(&mut gone), Ok(6));
    assert_eq!(gone.available(2), 6);
    let nothing = RequestError::NothingSuspended {
        account: account(2),
    };
    assert_eq!(claim(&mut gone), Err(nothing));
    // With everybody there it is as if nothing had been.
    one.deliver(&bundle).unwrap();
    assert_eq!((one.available(1), one.available(2)), (995, 1000));
    audit(&[one.supply(), two.supply()]).unwrap();
}

#[test]
fn transfers_that_cannot_be_are_refused_and_change_nothing() {
    let (mut one, _) = pair();
    let before = (one.crossing.clone(), one.accounts.clone());
    let funds = AccountsError::Funds {
        account: account(1),
        asset: GOLD,
        available: 1000,
        amount: 1001,
    };
    assert_eq!(one.transfer(1, (2, 11), 1001), Err(funds.into()));
    let missing = AccountsError::Missing {
        account: account(9),
    };
    assert_eq!(one.transfer(9, (2, 11), 1), Err(missing.into()));
    assert_eq!(one.transfer(1, (2, 11), 0), Err(RequestError::Nothing));
    for shard in [1, 4, 1000] {
        let nobody = RequestError::UnknownShard {
            shard: ShardId(shard),
        };
        assert_eq!(one.transfer(1, (shard, 11), 1), Err(nobody));
    }
    assert_eq!((one.crossing, one.accounts), before);
}

#[test]
fn a_receipt_has_so_many_credits_and_no_more() {
    let (mut one, mut two) = pair();
    for _ in 0..=CREDITS_MAX {
        one.transfer(1, (2, 11), 1).unwrap();
    }
    let bundle = opened(&mut one, &two);
    assert_eq!(bundle.count(), 2);
    two.deliver(&bundle).unwrap();
    assert_eq!(two.available(11), 10 + u128::from(CREDITS_MAX) + 1);
}

#[test]
fn a_shard_that_is_none_or_can_say_nothing_is_not_set_up() {
    let none = BTreeMap::new();
    let options = Options::new(network(4), ShardId(4));
    let error = Crossing::new(options, Epoch(0), &none).err();
    assert_eq!(error, Some(SetupError::UnknownShard { shard: ShardId(4) }));
    let mut options = Options::new(network(4), ShardId(3));
    options.window = 0;
    let error = Crossing::new(options, Epoch(0), &none).err();
    assert_eq!(error, Some(SetupError::Window));
    let options = Options::new(network(4), ShardId(3));
    let mut crossing =
        Crossing::new(options, Epoch(0), &BTreeMap::from([(GOLD, u128::MAX)])).unwrap();
    let overflow = RequestError::Overflow { asset: GOLD };
    assert_eq!(crossing.minted(GOLD, 1), Err(overflow));
    assert_eq!(crossing.burned(GOLD, u128::MAX), Ok(()));
    assert_eq!(crossing.burned(GOLD, 1), Err(overflow));
}
