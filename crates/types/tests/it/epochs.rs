//! Epoch records: their sizes, their paths and what may follow what.

use quorate_types::*;

use crate::generate::{Generate, Source};

type Change<'a> = &'a dyn Fn(&mut EpochRecord);

fn record_of(shards: u32) -> EpochRecord {
    let mut source = Source::new("epochs", u64::from(shards));
    let key = |shard| ShardKey {
        shard: ShardId(shard),
        epoch: Epoch(6),
        quorum: 90,
        first: Height(1_000),
        ..ShardKey::generate(&mut source)
    };
    EpochRecord {
        shards: (0..shards).map(key).collect(),
        chain: ChainId([1; 32]),
        epoch: Epoch(6),
        origin: EpochOrigin {
            height: Height(70),
            seed: Hash32([2; 32]),
            previous: EpochRecordHash([3; 32]),
        },
    }
}

/// What follows `record` when nobody hands over.
fn successor_of(record: &EpochRecord) -> EpochRecord {
    EpochRecord {
        epoch: Epoch(record.epoch.0 + 1),
        origin: EpochOrigin {
            height: Height(record.origin.height.0 + 1),
            seed: Hash32([4; 32]),
            previous: record.hash(),
        },
        ..record.clone()
    }
}

/// SHARDING 3.2: at most 240 bytes for a certificate of the beacon, at most 650 for finality that proves itself to whoever
/// has the beacon's key, with 16 shards.
#[test]
fn proofs_are_as_small_as_the_design_demands() {
    let record = record_of(16);
    let certificate = EpochCertificate {
        head: record.head(),
        signature: Signature([5; 48]),
    };
    assert_eq!(record.head().to_bytes().len(), EpochHead::LENGTH);
    assert_eq!(certificate.to_bytes().len(), 158, "at most 240");
    assert_eq!(record.shards[0].to_bytes().len(), ShardKey::LENGTH);

    let mut header = Header::generate(&mut Source::new("header", 0));
    header.next_committee = CommitteeHash::ZERO;
    let certificate = Certificate {
        header,
        signature: Signature([6; 48]),
    };
    let epoch = EpochProof::new(&record, Signature([5; 48]), ShardId(11)).unwrap();
    let finality = ProofBundle::new(epoch.clone(), &certificate, Claim::Finality);
    assert_eq!(finality.to_bytes().len(), 648, "at most 650");
    // The last header of a term is larger by the next committee's hash.
    let mut last = certificate;
    last.header.next_committee = CommitteeHash([7; 32]);
    let finality = ProofBundle::new(epoch, &last, Claim::Finality);
    assert_eq!(finality.to_bytes().len(), 680);
}

#[test]
fn every_shard_of_a_record_proves_its_key_and_no_other() {
    for shards in 1..40 {
        let record = record_of(shards);
        for shard in (0..shards).map(ShardId) {
            let proof = record.prove(shard).unwrap();
            assert_eq!(proof.root(), Some(record.head().root));
            assert_eq!(record.key(shard), Some(&proof.key));
            let epoch = EpochProof::new(&record, Signature([0; 48]), shard).unwrap();
            assert_eq!(epoch.head(record.chain), Some(record.head()));
            let mut moved = proof.clone();
            moved.key.shard = ShardId((shard.0 + 1) % shards);
            assert!(shards == 1 || moved.root() != Some(record.head().root));
            let mut longer = proof;
            longer.path.push(Hash32::ZERO);
            assert_eq!(longer.root(), None);
        }
        assert_eq!(record.prove(ShardId(shards)), None);
        assert_eq!(record.key(ShardId(shards)), None);
    }
}

#[test]
fn a_key_that_is_changed_anywhere_is_no_key_of_the_record() {
    let record = record_of(5);
    let good = record.prove(ShardId(4)).unwrap();
    let bytes = good.to_bytes();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        let Ok(proof) = ShardKeyProof::from_bytes(&bad) else {
            continue;
        };
        // The number of shards stands in the head too, where it is compared.
        let same = proof.root() == Some(record.head().root);
        assert!(!same || proof.shards != good.shards, "byte {at}");
    }
}

#[test]
fn a_record_follows_only_the_one_before_it() {
    let first = record_of(3);
    let second = successor_of(&first);
    assert_eq!(second.require_follows(&first), Ok(()));

    let mut turned = second.clone();
    turned.shards[1] = ShardKey {
        shard: ShardId(1),
        epoch: Epoch(7),
        first: Height(1_001),
        ..ShardKey::generate(&mut Source::new("turned", 0))
    };
    assert_eq!(turned.require_follows(&first), Ok(()));

    let refused = |change: &dyn Fn(&mut EpochRecord)| {
        let mut record = turned.clone();
        change(&mut record);
        record.require_follows(&first).unwrap_err()
    };
    let key = SuccessionError::Key { shard: ShardId(1) };
    let cases: [(&str, SuccessionError, Change<'_>); 12] = [
        (
            "another chain",
            SuccessionError::Chain {
                expected: first.chain,
                found: ChainId([9; 32]),
            },
            &|record| record.chain = ChainId([9; 32]),
        ),
        (
            "an epoch is skipped",
            SuccessionError::Epoch {
                previous: Epoch(6),
                found: Epoch(8),
            },
            &|record| record.epoch = Epoch(8),
        ),
        (
            "an epoch is repeated",
            SuccessionError::Epoch {
                previous: Epoch(6),
                found: Epoch(6),
            },
            &|record| record.epoch = Epoch(6),
        ),
        (
            "another record before",
            SuccessionError::Previous {
                expected: first.hash(),
                found: EpochRecordHash::ZERO,
            },
            &|record| record.origin.previous = EpochRecordHash::ZERO,
        ),
        (
            "the beacon went back",
            SuccessionError::Height {
                previous: Height(70),
                found: Height(70),
            },
            &|record| record.origin.height = Height(70),
        ),
        (
            "a shard is missing",
            SuccessionError::Shards {
                expected: 3,
                found: 2,
            },
            &|record| record.shards.truncate(2),
        ),
        ("another key of the same term", key, &|record| {
            record.shards[1].epoch = Epoch(6);
        }),
        ("a term that is still to come", key, &|record| {
            record.shards[1].epoch = Epoch(8);
        }),
        ("heights of the key before", key, &|record| {
            record.shards[1].first = Height(999);
        }),
        ("the same key in a new term", key, &|record| {
            record.shards[1].group_key = first.shards[1].group_key;
        }),
        ("another shard's key", key, &|record| {
            record.shards[1].shard = ShardId(2);
        }),
        (
            "an old key that was changed",
            SuccessionError::Key { shard: ShardId(0) },
            &|record| record.shards[0].quorum = 1,
        ),
    ];
    for (case, expected, change) in cases {
        assert_eq!(refused(change), expected, "{case}");
    }
}

#[test]
fn a_seed_is_for_one_epoch_of_one_chain() {
    let message = epoch_seed_message(&ChainId([1; 32]), Epoch(2));
    assert_eq!(message.len(), 48);
    assert_ne!(message, epoch_seed_message(&ChainId([1; 32]), Epoch(3)));
    assert_ne!(message, epoch_seed_message(&ChainId([2; 32]), Epoch(2)));
    assert_ne!(
        epoch_seed(&Signature([1; 48])),
        epoch_seed(&Signature([2; 48]))
    );
}
