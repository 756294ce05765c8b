//! One walk through a turn, and every refusal on the way.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use quorate_types::{
    Block, BlockBuilder, Certificate, ChainId, Committee, CommitteeHash, Decode, DomainTag, Encode,
    Epoch, Height, IdentityKey, IdentitySignature, Round, ShardId, Signature, TranscriptHash,
    ValidatorIndex,
};

use super::build::*;
use super::fake::{Fake, group_key, sign, threshold_sign};
use crate::assignment::Placement;
use crate::engine::{
    Beacon, BeaconError, BeaconGenesisError, Effect, FreezeAck, Operation, Parameters,
    ParametersError, Phase, Report,
};

const NONE: CommitteeHash = CommitteeHash::ZERO;

/// A beacon and its log's height.
struct Walk {
    beacon: Beacon<Fake>,
}

impl Walk {
    fn new(placement: Placement) -> Self {
        let (beacon, applied) = start(placement);
        let hash = beacon.record().hash();
        let epoch = Epoch(0);
        assert_eq!(applied.effects, [Effect::SignRecord { epoch, hash }]);
        Self { beacon }
    }

    fn height(&self) -> u64 {
        self.beacon.height().0
    }

    fn pass(&mut self, heights: u64) -> Vec<Effect> {
        let mut effects = vec![];
        for _ in 0..heights {
            let next = self.beacon.height().next();
            effects.extend(self.beacon.advance(next).unwrap().effects);
        }
        effects
    }

    fn take(&mut self, operation: Operation) -> Vec<Effect> {
        let height = self.beacon.height();
        let bytes = operation.to_bytes();
        assert_eq!(Operation::from_bytes(&bytes), Ok(operation.clone()));
        self.beacon.apply(height, &operation).unwrap().effects
    }

    /// Expects a refusal that changes nothing.
    fn refuse(&mut self, operation: Operation) -> BeaconError {
        let before = self.beacon.to_bytes();
        let height = self.beacon.height();
        let error = self.beacon.apply(height, &operation).unwrap_err();
        assert_eq!(self.beacon.to_bytes(), before, "{error}");
        error
    }

    fn certify(&mut self) {
        let record = self.beacon.record();
        let operation = certify(record.epoch, record.hash());
        assert_eq!(self.take(operation), []);
    }

    fn freeze(&mut self) {
        self.certify();
        let wait = self.beacon.parameters().epoch_length;
        let epoch = Epoch(self.beacon.record().epoch.0 + 1);
        let effects = self.pass(wait);
        let frozen_at = self.beacon.height();
        assert_eq!(effects, [Effect::SignSeed { epoch, frozen_at }]);
    }

    fn draw(&mut self) {
        self.freeze();
        assert_eq!(self.pass(1), []);
        let staffed = self.take(seed_of(self.next_epoch()));
        assert_eq!(staffed.len(), 3);
    }

    fn next_epoch(&self) -> Epoch {
        Epoch(self.beacon.record().epoch.0 + 1)
    }

    fn drawn(&self, shard: u32) -> Vec<IdentityKey> {
        self.beacon
            .assignment()
            .members(ShardId(shard))
            .copied()
            .collect()
    }

    /// A fresh committee as it was drawn.
    fn incoming(&self, shard: u32) -> Committee {
        let epoch = self.next_epoch();
        let key = group_key(epoch.0 * 100 + u64::from(shard));
        committee(ShardId(shard), epoch, key, &self.drawn(shard))
    }

    fn propose(&mut self, shard: u32) -> Committee {
        let committee = self.incoming(shard);
        let proposer = committee.members()[0].identity;
        assert_eq!(
            self.take(Operation::Propose(propose(&committee, proposer, 1))),
            []
        );
        committee
    }

    fn make_ready(&mut self, shard: u32) -> Committee {
        let committee = self.propose(shard);
        let quorum = usize::from(committee.quorum());
        for (count, member) in (1..).zip(committee.members()).take(quorum) {
            let effects = self.take(Operation::Ready(ready(&committee, 1, member.identity)));
            let turned = Effect::Turn {
                shard: ShardId(shard),
                committee: Box::new(committee.clone()),
                transcript: TranscriptHash([1; 32]),
            };
            let expected = if count == quorum {
                vec![turned]
            } else {
                vec![]
            };
            assert_eq!(effects, expected);
        }
        assert_eq!(self.beacon.successor(ShardId(shard)), Some(&committee));
        committee
    }

    fn sitting(&self, shard: u32) -> Committee {
        self.beacon.committee(ShardId(shard)).unwrap().clone()
    }

    fn hand_over(&mut self, shard: u32, height: u64) -> Vec<Effect> {
        let sitting = self.sitting(shard);
        let next = self.beacon.successor(ShardId(shard)).unwrap().hash();
        self.take(Operation::Anchor(certificate(&sitting, height, next, 0)))
    }

    /// A turn in which these shards hand over at a height.
    fn turn(&mut self, shards: &[u32], height: u64) {
        self.draw();
        for shard in shards {
            self.make_ready(*shard);
            self.hand_over(*shard, height);
        }
        if self.beacon.phase() == Phase::Drawn {
            let wait = self.beacon.parameters().turn_length;
            self.pass(wait);
        }
        assert_eq!(self.beacon.phase(), Phase::Resting);
    }
}

#[test]
fn a_turn_from_freeze_to_record() {
    for placement in [
        Placement::Everyone,
        Placement::Drawn { seats: 5 },
        Placement::Partition,
    ] {
        let mut walk = Walk::new(placement);
        let first = walk.beacon.record().clone();
        assert_eq!(walk.beacon.certificate(), None);
        walk.draw();
        let drawn = walk.beacon.phase();
        assert_eq!(drawn, Phase::Drawn);
        for shard in 0..3 {
            walk.make_ready(shard);
        }
        // The first two hand over; with the third one the record is complete.
        let last = [7, 8, 9];
        for shard in 0..2 {
            let effects = walk.hand_over(shard, last[usize::try_from(shard).unwrap()]);
            assert!(matches!(effects[..], [Effect::HandedOver { .. }]));
        }
        let effects = walk.hand_over(2, 9);
        let record = walk.beacon.record().clone();
        assert!(matches!(
            effects[..],
            [Effect::HandedOver { .. }, Effect::SignRecord { .. }]
        ));
        assert_eq!(record.require_follows(&first), Ok(()));
        for (key, last) in record.shards.iter().zip(last) {
            assert_eq!((key.epoch, key.first), (Epoch(1), Height(last + 1)));
            assert_eq!(walk.beacon.key(key.shard), Some(key));
        }
        walk.certify();
        assert_eq!(walk.beacon.certificate().unwrap().head, record.head());
        assert_eq!(walk.beacon.anchored(ShardId(2)), Some(Height(9)));
    }
}

#[test]
fn a_shard_that_does_not_hand_over_keeps_its_key_and_the_others_go_on() {
    let mut walk = Walk::new(Placement::Partition);
    walk.turn(&[0, 2], 5);
    let record = walk.beacon.record().clone();
    let terms: Vec<u64> = record.shards.iter().map(|key| key.epoch.0).collect();
    assert_eq!((record.epoch, terms), (Epoch(1), vec![1, 0, 1]));
    // Nobody hands over at all: the record still comes, so that the next seed is another one.
    walk.turn(&[], 0);
    assert_eq!(walk.beacon.record().epoch, Epoch(2));
    assert_eq!(walk.beacon.record().shards, record.shards);
    assert_ne!(walk.beacon.record().origin.seed, record.origin.seed);
    walk.turn(&[0, 1, 2], 9);
    let terms: Vec<u64> = walk
        .beacon
        .record()
        .shards
        .iter()
        .map(|key| key.epoch.0)
        .collect();
    assert_eq!(terms, [3, 3, 3]);
}

#[test]
fn a_shard_may_hand_over_after_the_record() {
    let mut walk = Walk::new(Placement::Drawn { seats: 4 });
    walk.draw();
    walk.make_ready(1);
    let wait = walk.beacon.parameters().turn_length;
    walk.pass(wait);
    assert_eq!(walk.beacon.record().epoch, Epoch(1));
    // In the next turn it has no vacancy until it did.
    walk.draw();
    let incoming = walk.incoming(1);
    let proposer = incoming.members()[0].identity;
    let waits = BeaconError::SuccessorWaits {
        shard: ShardId(1),
        epoch: Epoch(1),
    };
    assert_eq!(
        walk.refuse(Operation::Propose(propose(&incoming, proposer, 2))),
        waits
    );
    let effects = walk.hand_over(1, 3);
    assert!(matches!(effects[..], [Effect::HandedOver { .. }]));
    assert_eq!(walk.beacon.key(ShardId(1)).unwrap().epoch, Epoch(1));
    walk.make_ready(1);
    walk.hand_over(1, 6);
    assert_eq!(walk.beacon.key(ShardId(1)).unwrap().epoch, Epoch(2));
    let before = walk.beacon.record().clone();
    walk.pass(wait);
    assert_eq!(walk.beacon.record().require_follows(&before), Ok(()));
}

#[test]
fn heights_go_up_and_entries_belong_to_the_open_one() {
    let mut walk = Walk::new(Placement::Everyone);
    walk.pass(4);
    let operation = seed_of(Epoch(1));
    for found in [3, 5].map(Height) {
        let current = Height(4);
        assert_eq!(
            walk.beacon.apply(found, &operation),
            Err(BeaconError::HeightNotOpen { current, found })
        );
    }
    for found in [0, 4].map(Height) {
        let current = Height(4);
        let refused = Err(BeaconError::HeightBehind { current, found });
        assert_eq!(walk.beacon.advance(found), refused);
    }
    assert!(
        walk.beacon.advance(Height(9)).is_ok(),
        "empty heights may be left out"
    );
    assert_eq!(walk.height(), 9);
}

#[test]
fn a_seed_is_taken_only_after_the_freeze_is_final() {
    let mut walk = Walk::new(Placement::Everyone);
    let resting = BeaconError::Phase {
        expected: Phase::Frozen,
        found: Phase::Resting,
    };
    assert_eq!(walk.refuse(seed_of(Epoch(1))), resting);
    let (expected, found) = (Epoch(1), Epoch(2));
    let wrong = BeaconError::WrongEpoch { expected, found };
    assert_eq!(walk.refuse(seed_of(Epoch(2))), wrong);
    walk.freeze();
    let frozen_at = walk.beacon.height();
    assert_eq!(
        walk.refuse(seed_of(Epoch(1))),
        BeaconError::SeedTooEarly { frozen_at }
    );
    walk.pass(1);
    let unsigned = Operation::Seed {
        epoch: Epoch(1),
        signature: Signature([1; 48]),
    };
    assert_eq!(walk.refuse(unsigned), BeaconError::BeaconSignature);
    walk.take(seed_of(Epoch(1)));
    let drawn = BeaconError::Phase {
        expected: Phase::Frozen,
        found: Phase::Drawn,
    };
    assert_eq!(walk.refuse(seed_of(Epoch(1))), drawn);
}

#[test]
fn a_record_must_be_certified_before_the_next_freeze_and_none_is_skipped() {
    let mut walk = Walk::new(Placement::Everyone);
    assert_eq!(walk.pass(50), [], "an uncertified record waits");
    let record = walk.beacon.record().clone();
    let skipped = BeaconError::WrongEpoch {
        expected: Epoch(0),
        found: Epoch(1),
    };
    assert_eq!(walk.refuse(certify(Epoch(1), record.hash())), skipped);
    let unsigned = certify(Epoch(0), quorate_types::EpochRecordHash([1; 32]));
    assert_eq!(walk.refuse(unsigned), BeaconError::BeaconSignature);
    walk.certify();
    let again = BeaconError::Certified { epoch: Epoch(0) };
    assert_eq!(walk.refuse(certify(Epoch(0), record.hash())), again);
    assert!(matches!(walk.pass(1)[..], [Effect::SignSeed { .. }]));
}

#[test]
fn operators_register_their_own_validators_and_nobody_else_does() {
    let mut walk = Walk::new(Placement::Everyone);
    let (owner, other) = (operator(0), operator(1));
    let new = register(owner, 0, identity(50), encryption_key(50, 0));
    let registration = Operation::Register(new.clone());
    let cases = [
        (
            Operation::Register(register(
                operator(99),
                0,
                identity(50),
                encryption_key(50, 0),
            )),
            BeaconError::UnknownOperator {
                operator: operator(99),
            },
        ),
        (
            Operation::Register(register(other, 0, identity(0), encryption_key(50, 0))),
            BeaconError::ForeignIdentity {
                identity: identity(0),
                operator: owner,
            },
        ),
        (
            Operation::Register(register(other, 0, identity(50), encryption_key(0, 0))),
            BeaconError::ForeignEncryptionKey {
                encryption_key: encryption_key(0, 0),
                identity: identity(0),
            },
        ),
        (
            Operation::Register(register(owner, 1, identity(50), encryption_key(50, 0))),
            BeaconError::Sequence {
                expected: 0,
                found: 1,
            },
        ),
        (
            Operation::Depart(depart(other, 0, identity(0))),
            BeaconError::ForeignIdentity {
                identity: identity(0),
                operator: owner,
            },
        ),
        (
            Operation::Depart(depart(owner, 0, identity(50))),
            BeaconError::UnknownValidator {
                identity: identity(50),
            },
        ),
    ];
    for (operation, expected) in cases {
        assert_eq!(walk.refuse(operation), expected);
    }
    let mut elsewhere = new.clone();
    elsewhere.chain = ChainId([9; 32]);
    sign_registration(&mut elsewhere);
    let wrong = BeaconError::WrongChain {
        expected: CHAIN,
        found: ChainId([9; 32]),
    };
    assert_eq!(walk.refuse(Operation::Register(elsewhere)), wrong);
    for (change, expected) in [
        (0, BeaconError::OperatorSignature),
        (1, BeaconError::IdentitySignature),
        (2, BeaconError::EncryptionKeyProof),
    ] {
        let mut bad = new.clone();
        match change {
            0 => bad.signature.0[0] ^= 1,
            1 => bad.consent.0[0] ^= 1,
            _ => {
                bad.proof.0[0] ^= 1;
                sign_registration(&mut bad);
            }
        }
        assert_eq!(walk.refuse(Operation::Register(bad)), expected);
    }
    walk.take(registration.clone());
    assert!(walk.beacon.is_registered(&identity(50)));
    let replayed = BeaconError::Sequence {
        expected: 1,
        found: 0,
    };
    assert_eq!(walk.refuse(registration), replayed);
    // A new encryption key for the next ceremony; then it leaves.
    walk.take(Operation::Register(register(
        owner,
        1,
        identity(50),
        encryption_key(50, 1),
    )));
    let departure = Operation::Depart(depart(owner, 2, identity(50)));
    walk.take(departure.clone());
    assert!(!walk.beacon.is_registered(&identity(50)));
    let gone = BeaconError::UnknownValidator {
        identity: identity(50),
    };
    assert_eq!(walk.refuse(departure), gone);
    // Two of four places are taken.
    walk.take(Operation::Register(register(
        owner,
        3,
        identity(51),
        encryption_key(51, 0),
    )));
    walk.take(Operation::Register(register(
        owner,
        4,
        identity(52),
        encryption_key(52, 0),
    )));
    let full = register(owner, 5, identity(53), encryption_key(53, 0));
    let expected = BeaconError::OperatorFull { limit: 4 };
    assert_eq!(walk.refuse(Operation::Register(full)), expected);
}

#[test]
fn who_registers_after_the_freeze_is_drawn_an_epoch_later() {
    let mut walk = Walk::new(Placement::Everyone);
    walk.freeze();
    let late = register(operator(0), 0, identity(50), encryption_key(50, 0));
    walk.take(Operation::Register(late));
    walk.take(Operation::Depart(depart(operator(1), 0, identity(2))));
    walk.pass(1);
    walk.take(seed_of(Epoch(1)));
    assert_eq!(walk.drawn(0).len(), 12);
    assert!(walk.drawn(0).contains(&identity(2)));
    let wait = walk.beacon.parameters().turn_length;
    walk.pass(wait);
    walk.draw();
    assert!(walk.drawn(0).contains(&identity(50)));
    assert!(!walk.drawn(0).contains(&identity(2)));
}

#[test]
fn an_incoming_committee_is_the_one_drawn_with_a_fresh_key() {
    let mut walk = Walk::new(Placement::Drawn { seats: 4 });
    let early = walk.sitting(0);
    let proposer = early.members()[0].identity;
    let resting = BeaconError::Phase {
        expected: Phase::Drawn,
        found: Phase::Resting,
    };
    assert_eq!(
        walk.refuse(Operation::Propose(propose(&early, proposer, 1))),
        resting
    );
    walk.draw();
    let good = walk.incoming(0);
    let (members, proposer) = (walk.drawn(0), good.members()[0].identity);
    let (shard, key) = (ShardId(0), *good.group_key());
    let outsider = (0..VALIDATORS)
        .map(identity)
        .find(|key| !members.contains(key))
        .unwrap();
    let mut others = members.clone();
    others[0] = outsider;
    let swapped = committee(shard, Epoch(1), key, &others);
    let stale = committee(shard, Epoch(0), key, &members);
    let used = committee(shard, Epoch(1), *walk.sitting(2).group_key(), &members);
    let beacons = committee(shard, Epoch(1), beacon_key(), &members);
    let quorum = Committee::new(
        CHAIN,
        shard,
        Epoch(1),
        Some(4),
        key,
        good.members().to_vec(),
    );
    let mut tampered = good.members().to_vec();
    tampered[1].share_key = tampered[0].share_key;
    let tampered = Committee::new(CHAIN, shard, Epoch(1), None, key, tampered).unwrap();
    let elsewhere = committee(ShardId(9), Epoch(1), key, &members);
    let last = members[3];
    let cases = [
        (
            propose(&good, outsider, 1),
            BeaconError::NotIncoming {
                shard,
                identity: outsider,
            },
        ),
        (
            propose(&swapped, last, 1),
            BeaconError::OtherMembers { shard },
        ),
        (
            propose(&stale, proposer, 1),
            BeaconError::WrongEpoch {
                expected: Epoch(1),
                found: Epoch(0),
            },
        ),
        (propose(&used, proposer, 1), BeaconError::KeyUsed { shard }),
        (
            propose(&beacons, proposer, 1),
            BeaconError::KeyUsed { shard },
        ),
        (
            propose(&quorum.unwrap(), proposer, 1),
            BeaconError::OtherQuorum {
                expected: 3,
                found: 4,
            },
        ),
        (propose(&tampered, proposer, 1), BeaconError::Keys { shard }),
        (
            propose(&elsewhere, proposer, 1),
            BeaconError::UnknownShard {
                shard: ShardId(9),
                shards: 3,
            },
        ),
    ];
    for (proposal, expected) in cases {
        assert_eq!(walk.refuse(Operation::Propose(proposal)), expected);
    }
    let mut bad = propose(&good, proposer, 1);
    bad.certificate.0[0] ^= 1;
    assert_eq!(
        walk.refuse(Operation::Propose(bad)),
        BeaconError::Transcript { shard }
    );
    let mut bad = propose(&good, proposer, 1);
    bad.signature.0[0] ^= 1;
    assert_eq!(
        walk.refuse(Operation::Propose(bad)),
        BeaconError::IdentitySignature
    );

    walk.propose(0);
    let again = BeaconError::ProposedAlready { shard, proposer };
    for proposal in [propose(&good, proposer, 2), propose(&good, last, 1)] {
        assert_eq!(walk.refuse(Operation::Propose(proposal)), again);
    }
    // Another member may bring another transcript, with a key of its own.
    assert_eq!(
        walk.refuse(Operation::Propose(propose(&good, last, 2))),
        BeaconError::KeyUsed { shard }
    );
    let other = committee(shard, Epoch(1), group_key(777), &members);
    walk.take(Operation::Propose(propose(&other, last, 2)));
}

#[test]
fn only_incoming_members_are_ready_and_each_once() {
    let mut walk = Walk::new(Placement::Drawn { seats: 4 });
    walk.draw();
    let committee = walk.propose(0);
    let members = walk.drawn(0);
    let shard = ShardId(0);
    let outsider = (0..VALIDATORS)
        .map(identity)
        .find(|key| !members.contains(key))
        .unwrap();
    let good = ready(&committee, 1, members[0]);
    let refused = |walk: &mut Walk, ready| walk.refuse(Operation::Ready(ready));
    let not_incoming = BeaconError::NotIncoming {
        shard,
        identity: outsider,
    };
    assert_eq!(
        refused(&mut walk, ready(&committee, 1, outsider)),
        not_incoming
    );
    let unknown = BeaconError::UnknownTranscript {
        shard,
        transcript: TranscriptHash([2; 32]),
    };
    assert_eq!(
        refused(&mut walk, ready(&committee, 2, members[0])),
        unknown
    );
    let mut bad = good.clone();
    bad.epoch = Epoch(2);
    let wrong = BeaconError::WrongEpoch {
        expected: Epoch(1),
        found: Epoch(2),
    };
    assert_eq!(refused(&mut walk, bad), wrong);
    let mut bad = good.clone();
    bad.signature.0[0] ^= 1;
    assert_eq!(refused(&mut walk, bad), BeaconError::IdentitySignature);
    let mut bad = good.clone();
    bad.share = ready(&committee, 1, members[1]).share;
    let member = members[0];
    assert_eq!(refused(&mut walk, bad), BeaconError::Share { member });
    walk.take(Operation::Ready(good.clone()));
    let again = BeaconError::ReadyAlready {
        member,
        transcript: TranscriptHash([1; 32]),
    };
    assert_eq!(refused(&mut walk, good), again);
    // Nor with another transcript.
    let other = super::build::committee(shard, Epoch(1), group_key(777), &members);
    walk.take(Operation::Propose(propose(&other, members[3], 2)));
    assert_eq!(refused(&mut walk, ready(&other, 2, member)), again);
    for member in &members[1..3] {
        walk.take(Operation::Ready(ready(&committee, 1, *member)));
    }
    let done = BeaconError::SuccessorWaits {
        shard,
        epoch: Epoch(1),
    };
    assert_eq!(refused(&mut walk, ready(&committee, 1, members[3])), done);
}

#[test]
fn anchors_go_up_under_the_key_of_the_term() {
    let mut walk = Walk::new(Placement::Everyone);
    let shard = ShardId(0);
    let sitting = walk.sitting(0);
    let anchor = |walk: &mut Walk, certificate| walk.take(Operation::Anchor(certificate));
    let refused = |walk: &mut Walk, certificate| walk.refuse(Operation::Anchor(certificate));
    anchor(&mut walk, certificate(&sitting, 5, NONE, 0));
    let behind = |found| BeaconError::AnchorBehind {
        shard,
        anchored: Height(5),
        found: Height(found),
    };
    assert_eq!(
        refused(&mut walk, certificate(&sitting, 5, NONE, 0)),
        behind(5)
    );
    assert_eq!(
        refused(&mut walk, certificate(&sitting, 4, NONE, 0)),
        behind(4)
    );
    let two = BeaconError::TwoCertificates {
        shard,
        height: Height(5),
    };
    assert_eq!(refused(&mut walk, certificate(&sitting, 5, NONE, 1)), two);
    let mut forged = certificate(&sitting, 6, NONE, 0);
    forged.signature = threshold_sign(walk.sitting(1).group_key(), b"");
    let unsigned = BeaconError::ShardSignature { shard };
    assert_eq!(refused(&mut walk, forged), unsigned);
    let members: Vec<_> = sitting
        .members()
        .iter()
        .map(|member| member.identity)
        .collect();
    let later = committee(shard, Epoch(1), *sitting.group_key(), &members);
    let wrong = BeaconError::WrongTerm {
        shard,
        expected: Epoch(0),
        found: Epoch(1),
    };
    assert_eq!(refused(&mut walk, certificate(&later, 6, NONE, 0)), wrong);
    let stranger = CommitteeHash([7; 32]);
    let other = BeaconError::OtherSuccessor {
        shard,
        found: stranger,
    };
    assert_eq!(
        refused(&mut walk, certificate(&sitting, 6, stranger, 0)),
        other
    );

    let highest = BeaconError::HighestHeight { shard };
    let top = certificate(&sitting, u64::MAX, NONE, 0);
    assert_eq!(refused(&mut walk, top), highest);

    walk.draw();
    let next = walk.make_ready(0);
    let top = certificate(&sitting, u64::MAX, next.hash(), 0);
    assert_eq!(refused(&mut walk, top), highest);
    let last = certificate(&sitting, 8, next.hash(), 0);
    anchor(&mut walk, last.clone());
    // The old term is over.
    let above = BeaconError::AboveLast {
        shard,
        last: Height(8),
        found: Height(9),
    };
    assert_eq!(refused(&mut walk, certificate(&sitting, 9, NONE, 0)), above);
    let second = certificate(&sitting, 9, next.hash(), 0);
    let two = BeaconError::TwoLast {
        shard,
        last: Height(8),
    };
    assert_eq!(refused(&mut walk, second.clone()), two);
    let known = BeaconError::AnchorBehind {
        shard,
        anchored: Height(8),
        found: Height(8),
    };
    assert_eq!(refused(&mut walk, last.clone()), known);
    // The new one begins above it.
    assert_eq!(refused(&mut walk, certificate(&next, 8, NONE, 0)), known);
    anchor(&mut walk, certificate(&next, 9, NONE, 0));

    // Two last certificates convict the term that is over, once, and do not stop the one that runs.
    let fraud = Operation::Fraud {
        first: Box::new(last),
        second: Box::new(second),
    };
    let epoch = Epoch(0);
    assert_eq!(walk.take(fraud.clone()), [Effect::Forked { shard, epoch }]);
    assert_eq!(walk.refuse(fraud), BeaconError::Forked { shard });
    assert!(!walk.beacon.is_forked(shard));
    anchor(&mut walk, certificate(&next, 10, NONE, 0));
}

#[test]
fn fraud_is_two_certificates_of_one_term_that_contradict() {
    let mut walk = Walk::new(Placement::Everyone);
    let sitting = walk.sitting(1);
    let shard = ShardId(1);
    let fraud = |first: &Certificate, second: &Certificate| Operation::Fraud {
        first: Box::new(first.clone()),
        second: Box::new(second.clone()),
    };
    let (five, six) = (
        certificate(&sitting, 5, NONE, 0),
        certificate(&sitting, 6, NONE, 0),
    );
    let other = certificate(&sitting, 5, NONE, 1);
    assert_eq!(
        walk.refuse(fraud(&five, &six)),
        BeaconError::NoContradiction
    );
    assert_eq!(
        walk.refuse(fraud(&five, &five)),
        BeaconError::NoContradiction
    );
    let mut forged = other.clone();
    forged.signature.0[0] ^= 1;
    let unsigned = BeaconError::ShardSignature { shard };
    assert_eq!(walk.refuse(fraud(&five, &forged)), unsigned);
    assert_eq!(walk.refuse(fraud(&forged, &five)), unsigned);
    let effects = walk.take(fraud(&five, &other));
    assert_eq!(
        effects,
        [Effect::Forked {
            shard,
            epoch: Epoch(0)
        }]
    );
    assert!(walk.beacon.is_forked(shard));
    assert_eq!(
        walk.refuse(fraud(&five, &other)),
        BeaconError::Forked { shard }
    );
    assert_eq!(
        walk.refuse(Operation::Anchor(six)),
        BeaconError::Forked { shard }
    );
    // A forked shard need not be stalled to be frozen.
    let effects = walk.take(Operation::Freeze { shard });
    assert_eq!(
        effects,
        [Effect::Freeze {
            shard,
            epoch: Epoch(0)
        }]
    );
}

/// Shards 1 and 2 answer that they consumed these heights of shard 0.
fn acknowledge(walk: &mut Walk, consumed: [Option<u64>; 2]) {
    let sitting = walk.sitting(0);
    for (from, height) in (1..).map(ShardId).zip(consumed) {
        let ack = FreezeAck {
            from,
            shard: ShardId(0),
            epoch: sitting.epoch(),
            consumed: height.map(|height| certificate(&sitting, height, NONE, 0)),
        };
        walk.take(Operation::FreezeAck(ack));
    }
}

#[test]
fn a_stalled_shard_is_frozen_acknowledged_and_retired() {
    let mut walk = Walk::new(Placement::Partition);
    let shard = ShardId(0);
    let sitting = walk.sitting(0);
    walk.take(Operation::Anchor(certificate(&sitting, 4, NONE, 0)));
    let not_stalled = BeaconError::NotStalled {
        shard,
        anchored: Epoch(0),
        epoch: Epoch(0),
    };
    assert_eq!(walk.refuse(Operation::Freeze { shard }), not_stalled);
    assert_eq!(walk.refuse(Operation::ForceAbort { shard }), not_stalled);
    assert_eq!(
        walk.refuse(Operation::Retire { shard }),
        BeaconError::NotFrozen { shard }
    );
    walk.turn(&[1, 2], 5);
    walk.turn(&[1, 2], 8);

    let epoch = Epoch(2);
    let effects = walk.take(Operation::ForceAbort { shard });
    assert_eq!(effects, [Effect::ForceAbort { shard, epoch }]);
    let again = BeaconError::OrderedAlready { epoch };
    assert_eq!(walk.refuse(Operation::ForceAbort { shard }), again);
    let effects = walk.take(Operation::Freeze { shard });
    assert_eq!(
        effects,
        [Effect::Freeze {
            shard,
            epoch: Epoch(0)
        }]
    );
    assert_eq!(
        walk.refuse(Operation::Freeze { shard }),
        BeaconError::Frozen { shard }
    );
    // A slow committee is too late now.
    let late = certificate(&sitting, 5, NONE, 0);
    assert_eq!(
        walk.refuse(Operation::Anchor(late.clone())),
        BeaconError::Frozen { shard }
    );

    let unacknowledged = |found| BeaconError::Unacknowledged {
        shard,
        found,
        needed: 2,
    };
    assert_eq!(walk.refuse(Operation::Retire { shard }), unacknowledged(0));
    let ack = |from: u32, consumed| FreezeAck {
        from: ShardId(from),
        shard,
        epoch: Epoch(0),
        consumed,
    };
    let refused = |walk: &mut Walk, ack| walk.refuse(Operation::FreezeAck(ack));
    assert_eq!(
        refused(&mut walk, ack(0, None)),
        BeaconError::OwnFreeze { shard }
    );
    let unknown = BeaconError::UnknownShard {
        shard: ShardId(7),
        shards: 3,
    };
    assert_eq!(refused(&mut walk, ack(7, None)), unknown);
    let mut forged = late.clone();
    forged.signature.0[0] ^= 1;
    let unsigned = BeaconError::ShardSignature { shard };
    assert_eq!(refused(&mut walk, ack(1, Some(forged))), unsigned);
    let foreign = certificate(&walk.sitting(1), 9, NONE, 0);
    let wrong = BeaconError::WrongTerm {
        shard,
        expected: Epoch(0),
        found: Epoch(2),
    };
    assert_eq!(refused(&mut walk, ack(1, Some(foreign))), wrong);
    let mut other_term = ack(1, None);
    other_term.epoch = Epoch(2);
    assert_eq!(refused(&mut walk, other_term), wrong);
    walk.take(Operation::FreezeAck(ack(
        1,
        Some(certificate(&sitting, 6, NONE, 0)),
    )));
    let again = BeaconError::AcknowledgedAlready {
        shard,
        from: ShardId(1),
    };
    assert_eq!(refused(&mut walk, ack(1, None)), again);
    assert_eq!(walk.refuse(Operation::Retire { shard }), unacknowledged(1));
    walk.take(Operation::FreezeAck(ack(2, None)));
    assert_eq!(
        walk.refuse(Operation::Retire { shard }),
        BeaconError::NoSuccessor { shard }
    );

    walk.draw();
    let next = walk.make_ready(0);
    let effects = walk.take(Operation::Retire { shard });
    let Some(Effect::Retire { last, key, .. }) = effects.first() else {
        panic!("{effects:?}");
    };
    // Shard 1 consumed height 6, more than was anchored.
    assert_eq!(
        (*last, key.first, key.committee),
        (Height(6), Height(7), next.hash())
    );
    assert_eq!(
        walk.refuse(Operation::Retire { shard }),
        BeaconError::NotFrozen { shard }
    );
    let void = BeaconError::AboveLast {
        shard,
        last: Height(6),
        found: Height(7),
    };
    assert_eq!(
        walk.refuse(Operation::Anchor(certificate(&sitting, 7, NONE, 0))),
        void
    );
    walk.take(Operation::Anchor(certificate(&next, 7, NONE, 0)));
    let before = walk.beacon.record().clone();
    let wait = walk.beacon.parameters().turn_length;
    walk.pass(wait);
    assert_eq!(walk.beacon.record().require_follows(&before), Ok(()));
    assert_eq!(walk.beacon.record().shards[0].first, Height(7));
}

#[test]
fn what_is_anchored_is_never_retired() {
    let mut walk = Walk::new(Placement::Partition);
    let sitting = walk.sitting(0);
    walk.take(Operation::Anchor(certificate(&sitting, 9, NONE, 0)));
    walk.turn(&[1, 2], 5);
    walk.turn(&[1, 2], 8);
    walk.take(Operation::Freeze { shard: ShardId(0) });
    acknowledge(&mut walk, [Some(3), None]);
    walk.draw();
    walk.make_ready(0);
    let effects = walk.take(Operation::Retire { shard: ShardId(0) });
    assert!(matches!(
        effects[..],
        [Effect::Retire {
            last: Height(9),
            ..
        }]
    ));
}

#[test]
fn a_frozen_shard_may_get_another_committee_than_the_one_that_was_ready() {
    let mut walk = Walk::new(Placement::Partition);
    walk.draw();
    walk.make_ready(0);
    let wait = walk.beacon.parameters().turn_length;
    walk.pass(wait);
    walk.turn(&[1, 2], 8);
    walk.take(Operation::Freeze { shard: ShardId(0) });
    walk.draw();
    let next = walk.make_ready(0);
    assert_eq!(next.epoch(), Epoch(3));
    acknowledge(&mut walk, [None, None]);
    walk.take(Operation::Retire { shard: ShardId(0) });
    // Nothing was certified in the old term, so the new one begins where it did.
    let key = *walk.beacon.key(ShardId(0)).unwrap();
    assert_eq!((key.epoch, key.first), (Epoch(3), Height(1)));
    let before = walk.beacon.record().clone();
    walk.pass(wait);
    assert_eq!(walk.beacon.record().require_follows(&before), Ok(()));
}

fn block(committee: &Committee, author: u16, timestamp_ms: u64, share: Option<Signature>) -> Block {
    let round = Round(4);
    let member = committee.member(ValidatorIndex(author)).unwrap();
    let honest = threshold_sign(&member.share_key, &committee.coin_message(round));
    let builder = BlockBuilder::new(
        &CHAIN,
        committee.shard(),
        committee.epoch(),
        ValidatorIndex(author),
        round,
        timestamp_ms,
        &[],
        &share.unwrap_or(honest),
        [].into_iter(),
    );
    let digest = *builder.digest();
    let signature = sign(&member.identity, DomainTag::BlockSignature, &digest);
    builder.finish(&signature).unwrap()
}

#[test]
fn the_convicted_are_ejected_and_come_back_no_more() {
    let mut walk = Walk::new(Placement::Everyone);
    let sitting = walk.sitting(0);
    let shard = ShardId(0);
    let (first, second) = (block(&sitting, 3, 1, None), block(&sitting, 3, 2, None));
    let twins = |first: &Block, second: &Block| {
        Operation::Report(Report::Equivocation {
            first: Box::new(first.clone()),
            second: Box::new(second.clone()),
        })
    };
    let coin = |block: Block| {
        Operation::Report(Report::BadCoinShare {
            block: Box::new(block),
        })
    };
    assert_eq!(walk.refuse(twins(&first, &first)), BeaconError::NoOffence);
    let other = block(&sitting, 2, 2, None);
    let unsigned = BeaconError::BlockSignature;
    assert_eq!(
        walk.refuse(twins(&first, &other)),
        unsigned,
        "another author's"
    );
    assert_eq!(walk.refuse(coin(first.clone())), BeaconError::NoOffence);
    let mut forged = first.bytes().to_vec();
    let end = forged.len() - 64;
    forged[end..].copy_from_slice(&IdentitySignature([7; 64]).0);
    let forged = Block::decode(forged.into()).unwrap();
    assert_eq!(walk.refuse(twins(&first, &forged)), unsigned);
    let members: Vec<_> = sitting
        .members()
        .iter()
        .map(|member| member.identity)
        .collect();
    let later = committee(shard, Epoch(5), group_key(5), &members);
    let wrong = BeaconError::WrongTerm {
        shard,
        expected: Epoch(0),
        found: Epoch(5),
    };
    assert_eq!(walk.refuse(coin(block(&later, 0, 0, None))), wrong);

    let identity = sitting.members()[3].identity;
    assert_eq!(
        walk.take(twins(&first, &second)),
        [Effect::Ejected { identity }]
    );
    assert!(walk.beacon.is_ejected(&identity) && !walk.beacon.is_registered(&identity));
    assert_eq!(
        walk.refuse(twins(&first, &second)),
        BeaconError::Ejected { identity }
    );
    let again = register(operator(1), 0, identity, encryption_key(3, 1));
    let ejected = BeaconError::Ejected { identity };
    assert_eq!(walk.refuse(Operation::Register(again)), ejected);
    let liar = sitting.members()[5].identity;
    let bad_share = block(&sitting, 5, 0, Some(Signature([1; 48])));
    assert_eq!(
        walk.take(coin(bad_share)),
        [Effect::Ejected { identity: liar }]
    );
    walk.draw();
    assert_eq!(walk.drawn(0).len(), 10);
}

#[test]
fn a_beacon_starts_from_what_everybody_can_check() {
    let refused = |change: &dyn Fn(&mut crate::engine::BeaconGenesis)| {
        let mut genesis = genesis(Placement::Partition);
        change(&mut genesis);
        Beacon::new(genesis, Fake).unwrap_err()
    };
    let parameters =
        |change: fn(&mut Parameters)| refused(&|genesis| change(&mut genesis.parameters));
    assert_eq!(
        parameters(|parameters| parameters.shards = 0),
        BeaconGenesisError::Parameters(ParametersError::Shards { found: 0 })
    );
    assert_eq!(
        parameters(|parameters| parameters.turn_length = 0),
        BeaconGenesisError::Parameters(ParametersError::Zero {
            field: "turn length"
        })
    );
    assert_eq!(
        parameters(|parameters| parameters.operators.clear()),
        BeaconGenesisError::Parameters(ParametersError::Operators {
            operators: 0,
            each: 4
        })
    );
    assert_eq!(
        parameters(|parameters| parameters.placement = Placement::Drawn { seats: 200 }),
        BeaconGenesisError::Parameters(ParametersError::Seats { seats: 200 })
    );
    let shard = ShardId(1);
    assert_eq!(
        refused(&|genesis| genesis.committees.swap(0, 1)),
        BeaconGenesisError::Committee {
            shard: ShardId(0),
            error: BeaconError::OtherMembers { shard: ShardId(0) }
        }
    );
    assert_eq!(
        refused(&|genesis| {
            let members = genesis.committees[1].members().iter();
            let members: Vec<_> = members.map(|member| member.identity).collect();
            genesis.committees[1] = committee(shard, Epoch(0), group_key(0), &members);
        }),
        BeaconGenesisError::Committee {
            shard,
            error: BeaconError::KeyUsed { shard }
        }
    );
    assert_eq!(
        refused(&|genesis| genesis.committees.truncate(2)),
        BeaconGenesisError::Committees {
            found: 2,
            shards: 3
        }
    );
    assert_eq!(
        refused(&|genesis| {
            let twice = genesis.validators[0].clone();
            genesis.validators.push(twice);
        }),
        BeaconGenesisError::Validator {
            identity: identity(0),
            error: BeaconError::ForeignIdentity {
                identity: identity(0),
                operator: operator(0)
            }
        }
    );
}

#[test]
fn too_few_validators_postpone_the_turn() {
    let mut walk = Walk::new(Placement::Partition);
    walk.certify();
    // Eleven do not fill three shards of four.
    walk.take(Operation::Depart(depart(operator(0), 0, identity(0))));
    assert_eq!(walk.pass(20), []);
    walk.take(Operation::Register(register(
        operator(0),
        1,
        identity(60),
        encryption_key(60, 0),
    )));
    assert!(matches!(walk.pass(1)[..], [Effect::SignSeed { .. }]));
}
