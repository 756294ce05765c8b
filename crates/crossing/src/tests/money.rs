//! Conservation lines, caps and anchors.

use std::collections::BTreeMap;

use quorate_types::{Encode, Epoch, Hash32, Height, ShardId};

use super::bench::*;
use crate::options::Mutation;
use crate::*;

/// One may give two 10 atoms of gold in an epoch without an anchor.
fn capped(mutation: Option<Mutation>) -> (Shard, Shard) {
    let one = Shard::new(4, 1, &[(1, GOLD, 1000)]);
    let mut options = Options::new(network(4), ShardId(2));
    options.caps = BTreeMap::from([((ShardId(1), GOLD), 10)]);
    options.mutation = mutation;
    let two = Shard::with(options, &[(11, GOLD, 0), (12, GOLD, 0)]);
    (one, two)
}

/// A receipt of its own.
fn pay(one: &mut Shard, to: u8, amount: u128) {
    one.transfer(1, (2, to), amount).unwrap();
    one.seal();
}

/// What shows two that the beacon anchored one as it is now.
fn anchor(one: &mut Shard, two: &Shard) -> (Verified<CertifiedRoots>, Verified<Anchor>) {
    anchor_at(&one.seal(), one, two)
}

fn anchor_at(
    sealed: &Sealed,
    one: &Shard,
    two: &Shard,
) -> (Verified<CertifiedRoots>, Verified<Anchor>) {
    let roots = Verified::certified(sealed.roots(Finality::Anchored));
    let consumed = two.crossing.next_sequence(one.shard());
    let anchor = one.crossing.anchor_for(sealed, two.shard(), consumed);
    (roots, anchor.unwrap().open(&roots).unwrap())
}

fn take(
    two: &mut Shard,
    (roots, anchor): &(Verified<CertifiedRoots>, Verified<Anchor>),
) -> Result<(), DeliverError> {
    two.crossing
        .anchor(&mut two.accounts, roots, anchor, &mut two.events)
}

fn waiting(two: &Shard) -> u128 {
    two.supply().assets[&GOLD].waiting
}

#[test]
fn what_is_above_the_cap_waits_and_nothing_stands_behind_it() {
    let (mut one, mut two) = capped(None);
    for (to, amount) in [(11, 6), (11, 5), (12, 4), (12, 1)] {
        pay(&mut one, to, amount);
    }
    carry(&mut one, &mut two).unwrap();
    // 6 and 4 make the 10; 5 and 1 wait.
    assert_eq!(
        (two.available(11), two.available(12), waiting(&two)),
        (6, 4, 6)
    );
    two.supply().check().unwrap();
    // A new epoch has a new cap, which what waits does not use.
    two.enter(1);
    pay(&mut one, 12, 10);
    carry(&mut one, &mut two).unwrap();
    assert_eq!(
        (two.available(11), two.available(12), waiting(&two)),
        (6, 14, 6)
    );
    let anchored = anchor(&mut one, &two);
    take(&mut two, &anchored).unwrap();
    assert_eq!(
        (two.available(11), two.available(12), waiting(&two)),
        (11, 15, 0)
    );
    assert_eq!(
        take(&mut two, &anchored),
        Err(DeliverError::Stale { next: 5 })
    );
    audit(&[one.supply(), two.supply()]).unwrap();
}

#[test]
fn an_anchor_frees_what_it_covers_and_no_more() {
    let (mut one, mut two) = capped(None);
    pay(&mut one, 11, 20);
    let early = one.seal();
    pay(&mut one, 11, 30);
    carry(&mut one, &mut two).unwrap();
    assert_eq!(waiting(&two), 50);
    let covering = anchor_at(&early, &one, &two);
    take(&mut two, &covering).unwrap();
    assert_eq!((two.available(11), waiting(&two)), (20, 30));
    // One that is ahead of what was consumed covers all of it, and not what comes.
    pay(&mut one, 11, 40);
    let ahead = anchor(&mut one, &two);
    take(&mut two, &ahead).unwrap();
    assert_eq!((two.available(11), waiting(&two)), (50, 0));
    carry(&mut one, &mut two).unwrap();
    assert_eq!((two.available(11), waiting(&two)), (50, 40));
}

#[test]
fn under_an_anchored_certificate_there_is_no_cap() {
    let (mut one, mut two) = capped(None);
    pay(&mut one, 11, 500);
    let sealed = one.seal();
    let roots = Verified::certified(sealed.roots(Finality::Anchored));
    let bundle = one.crossing.bundle(&sealed, ShardId(2), 0, 9).unwrap();
    let bundle = bundle.open(&network(4), &roots).unwrap();
    two.deliver(&bundle).unwrap();
    assert_eq!((two.available(11), waiting(&two)), (500, 0));
    assert_eq!(two.deliver(&bundle), Err(DeliverError::Stale { next: 1 }));
}

#[test]
fn the_credits_of_a_commit_are_under_the_cap_too() {
    let (mut one, mut two) = capped(None);
    let signed = sign(transaction(1, 5, &[(1, 1, 25)], &[(2, 11, 5), (2, 12, 20)]));
    one.submit(&signed).unwrap();
    carry(&mut one, &mut two).unwrap();
    assert_eq!(
        (two.available(11), two.available(12), waiting(&two)),
        (0, 0, 25)
    );
    let anchored = anchor(&mut one, &two);
    take(&mut two, &anchored).unwrap();
    assert_eq!(
        (two.available(11), two.available(12), waiting(&two)),
        (5, 20, 0)
    );
}

#[test]
fn an_anchor_that_is_none_or_of_another_history_frees_nothing() {
    let (mut one, mut two) = capped(None);
    let mut twin = one.clone();
    pay(&mut one, 11, 20);
    pay(&mut twin, 12, 20);
    carry(&mut one, &mut two).unwrap();
    let sealed = one.seal();
    let roots = Verified::certified(sealed.roots(Finality::Shard));
    let anchor_of = one.crossing.anchor_for(&sealed, ShardId(2), 1).unwrap();
    assert_eq!(
        anchor_of.clone().open(&roots).err(),
        Some(BundleError::NotAnchored)
    );
    let other = anchor(&mut twin, &two);
    let refused = take(&mut two, &other);
    assert!(
        matches!(refused, Err(DeliverError::Forked { at: 1, .. })),
        "{refused:?}"
    );
    let roots = Verified::certified(sealed.roots(Finality::Anchored));
    let mut forged = anchor_of.clone();
    forged.head.consumed = 9;
    assert_eq!(forged.open(&roots).err(), Some(BundleError::Head));
    let mut forged = anchor_of;
    forged.prefix.path[0] = Hash32::ZERO;
    let forged = forged.open(&roots).unwrap();
    let refused = take(&mut two, &(roots, forged));
    assert!(matches!(refused, Err(DeliverError::Forked { .. })));
    assert_eq!(waiting(&two), 20);
}

#[test]
fn deliberate_mistakes_about_caps_terms_and_prefixes_are_noticed() {
    let (mut one, mut two) = capped(Some(Mutation::CapUnchecked));
    pay(&mut one, 11, 20);
    carry(&mut one, &mut two).unwrap();
    assert_ne!(waiting(&two), 20);
    let (mut one, mut two) = capped(Some(Mutation::TermUnchecked));
    pay(&mut one, 11, 1);
    let sealed = one.seal();
    let mut roots = sealed.roots(Finality::Shard);
    roots.epoch = Epoch(7);
    let bundle = one.crossing.bundle(&sealed, ShardId(2), 0, 9).unwrap();
    let bundle = bundle
        .open(&network(4), &Verified::certified(roots))
        .unwrap();
    assert!(two.deliver(&bundle).is_ok());
    let (mut one, mut two) = capped(Some(Mutation::PrefixUnchecked));
    let mut twin = one.clone();
    pay(&mut one, 11, 1);
    pay(&mut twin, 12, 2);
    carry(&mut one, &mut two).unwrap();
    pay(&mut twin, 12, 2);
    assert!(carry(&mut twin, &mut two).is_ok());
}

#[test]
fn a_line_is_the_first_leaf_under_the_outbox_root() {
    let (mut one, _) = capped(None);
    pay(&mut one, 11, 5);
    let sealed = one.seal();
    let proof = sealed.supply_proof().unwrap();
    assert!(proof.verifies(&sealed.outbox_root(), &sealed.supply.to_bytes()));
    assert_eq!(sealed.heads.len(), 3);
    let back = OrderError::Height {
        epoch: Epoch(0),
        height: Height(one.height),
        wanted: Height(3),
    };
    assert_eq!(
        one.crossing.seal(&one.accounts, Height(3)).err(),
        Some(back)
    );
}

/// Lines of two shards between which 5 went, and 2 came back; 1 has minted 7 and burned 3.
fn lines() -> [Supply; 2] {
    let mut one = Shard::new(4, 1, &[(1, GOLD, 100)]);
    let mut two = Shard::new(4, 2, &[(11, GOLD, 10)]);
    one.crossing.minted(GOLD, 7).unwrap();
    one.accounts.credit(&account(1), GOLD, 7).unwrap();
    one.crossing.burned(GOLD, 3).unwrap();
    one.accounts.debit(&account(1), GOLD, 3).unwrap();
    one.transfer(1, (2, 11), 5).unwrap();
    carry(&mut one, &mut two).unwrap();
    two.transfer(11, (1, 1), 2).unwrap();
    [one.supply(), two.supply()]
}

#[test]
fn lines_of_all_shards_add_up_whatever_is_on_its_way() {
    let global = audit(&lines()).unwrap();
    let gold = GlobalAsset {
        balances: 112,
        in_flight: 2,
        supply: 114,
    };
    assert_eq!(global.assets[&GOLD], gold);
    assert_eq!(audit(&[]), Ok(GlobalSupply::default()));
}

#[test]
fn lines_that_do_not_add_up_are_refused_with_what_is_wrong() {
    let (shard, asset) = (ShardId(1), GOLD);
    let change = |at: usize, change: &dyn Fn(&mut AssetSupply)| {
        let mut lines = lines();
        change(lines[at].assets.get_mut(&GOLD).unwrap());
        audit(&lines).err()
    };
    let local = Some(AuditError::Local { shard, asset });
    assert_eq!(change(0, &|line| line.available += 1), local);
    assert_eq!(change(0, &|line| line.minted -= 1), local);
    assert_eq!(change(0, &|line| line.suspended += 1), local);
    assert_eq!(change(0, &|line| line.opening = u128::MAX), local);
    assert_eq!(
        change(0, &|line| {
            line.available -= 1;
            line.held += 1;
        }),
        Some(AuditError::Holds { shard, asset })
    );
    // A forged receipt: two has more than one ever sent.
    let forged = change(1, &|line| {
        line.available += 4;
        line.flows.get_mut(&ShardId(1)).unwrap().received += 4;
    });
    let cut = AuditError::Cut {
        from: shard,
        to: ShardId(2),
        asset,
        received: 9,
        sent: 5,
        held: 0,
    };
    assert_eq!(forged, Some(cut));
    let [one, two] = lines();
    assert_eq!(
        audit(&[one.clone(), one.clone()]).err(),
        Some(AuditError::Twice { shard })
    );
    assert_eq!(
        audit(&[one]).err(),
        Some(AuditError::Missing { shard: ShardId(2) })
    );
    assert_eq!(audit(&[two]).err(), Some(AuditError::Missing { shard }));
}

#[test]
fn an_older_line_of_the_sender_is_no_cut_and_a_newer_one_is() {
    let mut one = Shard::new(4, 1, &[(1, GOLD, 100)]);
    let mut two = Shard::new(4, 2, &[(11, GOLD, 10)]);
    let old = one.supply();
    one.transfer(1, (2, 11), 5).unwrap();
    carry(&mut one, &mut two).unwrap();
    assert!(matches!(
        audit(&[old, two.supply()]),
        Err(AuditError::Cut { .. })
    ));
    audit(&[one.supply(), two.supply()]).unwrap();
}

#[test]
fn a_decision_that_the_voter_has_not_heard_is_covered_by_its_hold() {
    let mut one = Shard::new(4, 1, &[(1, GOLD, 100)]);
    let mut two = Shard::new(4, 2, &[(2, GOLD, 100)]);
    let before = two.supply();
    let signed = sign(transaction(1, 5, &[(2, 2, 10)], &[(1, 1, 10)]));
    two.submit(&signed).unwrap();
    carry(&mut two, &mut one).unwrap();
    assert_eq!(one.available(1), 110);
    let flow = two.supply().assets[&GOLD].flows[&ShardId(1)];
    assert_eq!((flow.sent, flow.held_for), (0, 10));
    let global = audit(&[one.supply(), two.supply()]).unwrap();
    assert_eq!(global.assets[&GOLD].in_flight, -10);
    assert!(matches!(
        audit(&[one.supply(), before]),
        Err(AuditError::Cut { .. })
    ));
    carry(&mut one, &mut two).unwrap();
    let global = audit(&[one.supply(), two.supply()]).unwrap();
    assert_eq!(global.assets[&GOLD].in_flight, 0);
}
