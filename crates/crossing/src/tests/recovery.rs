//! Freeze, answers, retirement: one by one.

use quorate_types::{Epoch, Hash32, Height, ShardId};

use super::bench::*;
use crate::options::Mutation;
use crate::*;

struct Town {
    beacon: Shard,
    one: Shard,
    two: Shard,
    three: Shard,
}

fn town() -> Town {
    Town {
        beacon: Shard::new(4, 0, &[(4, GOLD, 100)]),
        one: Shard::new(4, 1, &[(1, GOLD, 100)]),
        two: Shard::new(4, 2, &[(2, GOLD, 100)]),
        three: Shard::new(4, 3, &[(3, GOLD, 100)]),
    }
}

impl Town {
    fn freeze(&mut self, anchored: u64) -> Result<(), OrderError> {
        let (crossing, events) = (&mut self.beacon.crossing, &mut self.beacon.events);
        crossing.freeze(ShardId(1), Height(anchored), events)
    }

    fn retired(&self) -> Option<Retire> {
        self.beacon.events.iter().find_map(|event| match event {
            Event::Retired(retire) => Some(*retire),
            _ => None,
        })
    }
}

#[test]
fn a_frozen_shard_s_certificates_are_refused_until_it_is_retired() {
    let mut town = town();
    town.one.transfer(1, (2, 2), 5).unwrap();
    carry(&mut town.one, &mut town.two).unwrap();
    let last = town.one.clone();
    town.one.transfer(1, (2, 2), 6).unwrap();
    town.freeze(0).unwrap();
    carry(&mut town.beacon, &mut town.two).unwrap();
    let frozen = DeliverError::Frozen {
        shard: ShardId(1),
        frozen: Epoch(0),
        epoch: Epoch(0),
    };
    assert_eq!(carry(&mut town.one, &mut town.two), Err(frozen));
    carry(&mut town.two, &mut town.beacon).unwrap();
    assert_eq!(town.retired(), None);
    let again = OrderError::Frozen { shard: ShardId(1) };
    assert_eq!(town.freeze(0), Err(again));
    let term = town
        .two
        .crossing
        .begin_term(ShardId(1), Epoch(1), Height(900));
    assert_eq!(term, Err(again));
    carry(&mut town.beacon, &mut town.three).unwrap();
    carry(&mut town.three, &mut town.beacon).unwrap();
    // The highest height used was the one that two used.
    let retire = town.retired().unwrap();
    assert_eq!(
        (retire.epoch, retire.height),
        (Epoch(0), Height(last.height))
    );
    settle(&mut [&mut town.beacon, &mut town.two, &mut town.three]);
    // The old committee has no say above it.
    let refused = carry(&mut town.one, &mut town.two);
    assert!(
        matches!(refused, Err(DeliverError::Term(TermError::After { .. }))),
        "{refused:?}"
    );
    // The new one goes on from there: what the old one paid above it never happened.
    let mut new = last;
    new.crossing.restart(&retire, &mut new.events).unwrap();
    assert_eq!(new.available(1), 95);
    new.transfer(1, (2, 2), 7).unwrap();
    let bundle = opened(&mut new, &town.two);
    town.two.deliver(&bundle).unwrap();
    assert_eq!(town.two.available(2), 112);
    audit(&[
        town.beacon.supply(),
        new.supply(),
        town.two.supply(),
        town.three.supply(),
    ])
    .unwrap();
}

#[test]
fn the_new_committee_aborts_what_was_not_decided() {
    let mut town = town();
    let signed = sign(transaction(1, 9, &[(2, 2, 10), (3, 3, 20)], &[(1, 1, 30)]));
    town.two.submit(&signed).unwrap();
    carry(&mut town.two, &mut town.one).unwrap();
    carry(&mut town.one, &mut town.three).unwrap();
    let mut new = town.one.clone();
    // The old committee commits, and nobody hears of it.
    carry(&mut town.three, &mut town.one).unwrap();
    assert_eq!(town.one.available(1), 130);
    town.freeze(0).unwrap();
    settle(&mut [&mut town.beacon, &mut town.two, &mut town.three]);
    let retire = town.retired().unwrap();
    assert_eq!((town.two.held(2), town.three.held(3)), (10, 20));
    assert_eq!(retire.height, Height(new.height));
    new.crossing.restart(&retire, &mut new.events).unwrap();
    settle(&mut [&mut new, &mut town.two, &mut town.three]);
    assert_eq!((town.two.held(2), town.three.held(3)), (0, 0));
    assert_eq!(
        (
            new.available(1),
            town.two.available(2),
            town.three.available(3)
        ),
        (100, 100, 100)
    );
    audit(&[
        town.beacon.supply(),
        new.supply(),
        town.two.supply(),
        town.three.supply(),
    ])
    .unwrap();
}

#[test]
fn what_is_anchored_stands_even_if_nobody_used_it() {
    let mut town = town();
    town.one.transfer(1, (2, 2), 5).unwrap();
    let sealed = town.one.seal();
    let height = town.one.height;
    town.freeze(height).unwrap();
    carry(&mut town.beacon, &mut town.two).unwrap();
    // It is taken from a frozen shard, too.
    let roots = Verified::certified(sealed.roots(Finality::Anchored));
    let bundle = town.one.crossing.bundle(&sealed, ShardId(2), 0, 9).unwrap();
    let bundle = bundle.open(&network(4), &roots).unwrap();
    town.two.deliver(&bundle).unwrap();
    assert_eq!(town.two.available(2), 105);
    settle(&mut [&mut town.beacon, &mut town.two, &mut town.three]);
    assert_eq!(town.retired().unwrap().height, Height(height));
}

#[test]
fn a_restart_is_on_the_state_at_the_last_height_alone() {
    let mut one = town().one;
    one.seal();
    let retire = |shard, epoch, height| Retire {
        shard: ShardId(shard),
        epoch: Epoch(epoch),
        height: Height(height),
        next: Epoch(3),
    };
    let mut events = Vec::new();
    let other = OrderError::UnknownShard { shard: ShardId(2) };
    assert_eq!(
        one.crossing.restart(&retire(2, 0, one.height), &mut events),
        Err(other)
    );
    for (epoch, height) in [(0, one.height - 1), (0, one.height + 1), (1, one.height)] {
        let refused = one.crossing.restart(&retire(1, epoch, height), &mut events);
        assert!(matches!(refused, Err(OrderError::Height { .. })));
    }
    one.crossing
        .restart(&retire(1, 0, one.height), &mut events)
        .unwrap();
    assert_eq!(one.crossing.epoch(), Epoch(3));
}

#[test]
fn orders_of_others_and_answers_that_nobody_asked_for_do_nothing() {
    let mut town = town();
    let mut events = Vec::new();
    let not_beacon = OrderError::NotBeacon { shard: ShardId(2) };
    let refused = town.two.crossing.freeze(ShardId(1), Height(0), &mut events);
    assert_eq!(refused, Err(not_beacon));
    let nobody = OrderError::UnknownShard { shard: ShardId(7) };
    let refused = town
        .beacon
        .crossing
        .freeze(ShardId(7), Height(0), &mut events);
    assert_eq!(refused, Err(nobody));
    let ack = FreezeAck {
        shard: ShardId(1),
        epoch: Epoch(0),
        height: Height(u64::MAX),
        consumed: 0,
        root: Hash32::ZERO,
    };
    town.two.crossing.forge(ShardId(0), Body::FreezeAck(ack));
    carry(&mut town.two, &mut town.beacon).unwrap();
    assert_eq!(
        town.beacon.alarms(),
        [Alarm::Unasked { source: ShardId(2) }]
    );
    // Retire from another shard than the beacon, and one that cannot be.
    let retire = Retire {
        shard: ShardId(1),
        epoch: Epoch(0),
        height: Height(0),
        next: Epoch(0),
    };
    town.two.crossing.forge(ShardId(3), Body::Retire(retire));
    carry(&mut town.two, &mut town.three).unwrap();
    assert_eq!(
        town.three.alarms(),
        [Alarm::NoSay {
            source: ShardId(2),
            sequence: 0
        }]
    );
    town.beacon.crossing.forge(ShardId(3), Body::Retire(retire));
    carry(&mut town.beacon, &mut town.three).unwrap();
    assert_eq!(
        town.three.alarms()[1..],
        [Alarm::Unasked { source: ShardId(0) }]
    );
}

#[test]
fn a_shard_that_nobody_used_goes_on_from_its_beginning() {
    let mut town = town();
    let mut new = town.one.clone();
    town.one.transfer(1, (2, 2), 5).unwrap();
    town.freeze(0).unwrap();
    settle(&mut [&mut town.beacon, &mut town.two, &mut town.three]);
    let retire = town.retired().unwrap();
    assert_eq!(retire.height, Height(0));
    new.crossing.restart(&retire, &mut new.events).unwrap();
    new.transfer(1, (2, 2), 7).unwrap();
    let bundle = opened(&mut new, &town.two);
    town.two.deliver(&bundle).unwrap();
    assert_eq!(town.two.available(2), 107);
    let refused = carry(&mut town.one, &mut town.two);
    assert!(matches!(refused, Err(DeliverError::Term(_))), "{refused:?}");
}

#[test]
fn deliberate_mistakes_about_frozen_shards_are_noticed() {
    let with = |mutation| {
        let shard = |shard: u32| {
            let mut options = Options::new(network(4), ShardId(shard));
            options.mutation = Some(mutation);
            Shard::with(options, &[(u8::try_from(shard).unwrap(), GOLD, 100)])
        };
        Town {
            beacon: shard(0),
            one: shard(1),
            two: shard(2),
            three: shard(3),
        }
    };
    let mut town = with(Mutation::FrozenTaken);
    town.freeze(0).unwrap();
    carry(&mut town.beacon, &mut town.two).unwrap();
    town.one.transfer(1, (2, 2), 5).unwrap();
    assert!(carry(&mut town.one, &mut town.two).is_ok());
    let mut town = with(Mutation::RetireUnacknowledged);
    town.freeze(0).unwrap();
    assert!(town.retired().is_some());
}
