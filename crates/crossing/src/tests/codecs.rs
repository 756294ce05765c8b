//! Encodings: one for each value, bounded, and no bytes make a decoder panic.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use quorate_types::{AssetId, CodecError, Decode, Encode, Epoch, Hash32, Height, ShardId};

use super::bench::*;
use crate::limits::{BUNDLE_MESSAGES_MAX, CREDITS_MAX, MESSAGE_BYTES_MAX, PARTICIPANTS_MAX};
use crate::*;

fn credit(amount: u128) -> Credit {
    Credit {
        account: account(1),
        amount,
        payer: account(2),
        reference: Hash32([3; 32]),
    }
}

fn bodies() -> Vec<Body> {
    let signed = sign(transaction(1, 5, &[(2, 2, 10), (3, 3, 20)], &[(1, 1, 30)]));
    let vote = |answer, submitted| {
        Body::Vote(Box::new(Vote {
            transaction: signed.id(),
            epoch: Epoch(3),
            legs: Hash32([1; 32]),
            answer,
            submitted,
        }))
    };
    let receipt = Receipt::of(GOLD, &[credit(5), credit(6)]).unwrap();
    let decision = |outcome, credits| {
        Body::Decision(Decision {
            transaction: signed.id(),
            outcome,
            expiry: Epoch(5),
            votes: Hash32([2; 32]),
            credits,
        })
    };
    let leg = CreditLeg {
        account: account(1),
        asset: GOLD,
        amount: 7,
    };
    let (shard, epoch) = (ShardId(3), Epoch(1));
    vec![
        Body::Prepare(Box::new(signed.clone())),
        vote(
            Answer::Yes {
                lock_versions: vec![1, 9],
            },
            Some(Box::new(signed.clone())),
        ),
        vote(Answer::No(Reason::Funds), None),
        vote(Answer::No(Reason::Expired), None),
        vote(Answer::No(Reason::Invalid), None),
        vote(Answer::No(Reason::Full), None),
        decision(Outcome::Commit, vec![leg]),
        decision(Outcome::Abort, vec![]),
        Body::Receipt(receipt),
        Body::Bounce(receipt),
        Body::ForceAbort { shard },
        Body::Freeze { shard, epoch },
        Body::FreezeAck(FreezeAck {
            shard,
            epoch,
            height: Height(9),
            consumed: 4,
            root: Hash32([4; 32]),
        }),
        Body::Retire(Retire {
            shard,
            epoch,
            height: Height(9),
            next: Epoch(2),
        }),
    ]
}

fn message(body: Body) -> Message {
    Message {
        source: ShardId(1),
        destination: ShardId(2),
        sequence: 77,
        body,
    }
}

fn bundle() -> Bundle {
    let mut one = Shard::new(4, 1, &[(1, GOLD, 1000)]);
    for amount in 1..9 {
        one.transfer(1, (2, 11), amount).unwrap();
        one.seal();
    }
    let sealed = one.seal();
    one.crossing.bundle(&sealed, ShardId(2), 3, 4).unwrap()
}

fn supply() -> Supply {
    let mut one = Shard::new(4, 1, &[(1, GOLD, 1000), (2, SILVER, 5)]);
    one.transfer(1, (2, 11), 8).unwrap();
    one.transfer(1, (3, 11), 8).unwrap();
    one.supply()
}

/// Encodes, decodes, and refuses every cut and every byte more.
fn check<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    for length in 0..bytes.len() {
        assert!(
            T::from_bytes(&bytes[..length]).is_err(),
            "{length} bytes of {value:?}"
        );
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(
        T::from_bytes(&longer),
        Err(CodecError::Trailing { extra: 1 })
    );
}

#[test]
fn every_value_has_one_encoding() {
    for body in bodies() {
        check(&message(body));
    }
    let bundle = bundle();
    check(&bundle);
    check(&bundle.head);
    check(&bundle.parcels[0]);
    let signed = sign(transaction(1, 5, &[(2, 2, 10)], &[(1, 1, 10)]));
    check(&cancel(&signed, 2));
    check(&signed);
    check(&supply());
    check(&Anchor {
        head: bundle.head,
        head_proof: bundle.head_proof,
        prefix: bundle.range,
    });
}

#[test]
fn the_bytes_are_those_that_were_released() {
    let mut all = Vec::new();
    for body in bodies() {
        message(body).encode(&mut all);
    }
    bundle().encode(&mut all);
    supply().encode(&mut all);
    let hash = quorate_types::Blake3::new(quorate_types::DomainTag::Export).chain(&all);
    let hash = Hash32(hash.finish()).to_hex();
    // A change here is a changed format: raise the type's version, then write down the new hash.
    assert_eq!(
        hash,
        "8d9864d4dabc6ff77549f5810f558e6b48cd9489239a95af6fbefa8d57d19d46"
    );
}

#[test]
fn counts_above_their_limits_are_refused_before_anything_is_read() {
    let too_many = |field, limit: u32| CodecError::TooMany {
        field,
        count: u64::from(limit) + 1,
        limit: u64::from(limit),
    };
    let (bundle, parcel) = (bundle(), bundle().parcels[0].clone());
    let mut bytes = Vec::new();
    (Bundle::VERSION, bundle.head).1.encode(&mut bytes);
    let start = [Bundle::VERSION.to_bytes(), bytes].concat();
    let mut bytes = [start, bundle.head_proof.to_bytes(), bundle.range.to_bytes()].concat();
    (BUNDLE_MESSAGES_MAX + 1).encode(&mut bytes);
    assert_eq!(
        Bundle::from_bytes(&bytes),
        Err(too_many("messages", BUNDLE_MESSAGES_MAX))
    );
    let mut bytes = Vec::new();
    (MESSAGE_BYTES_MAX + 1).encode(&mut bytes);
    assert_eq!(
        Parcel::from_bytes(&bytes),
        Err(too_many("message", MESSAGE_BYTES_MAX))
    );
    let long = Parcel {
        credits: vec![credit(1); CREDITS_MAX as usize + 1],
        ..parcel
    };
    assert_eq!(
        Parcel::from_bytes(&long.to_bytes()),
        Err(too_many("credits", CREDITS_MAX))
    );
    let mut many = transaction(1, 5, &[(2, 2, 10)], &[(1, 1, 10)]);
    many.participants = vec![many.participants[0].clone(); PARTICIPANTS_MAX as usize + 1];
    let refused = AtomicTransaction::from_bytes(&many.to_bytes());
    assert_eq!(refused, Err(too_many("participants", PARTICIPANTS_MAX)));
}

#[test]
fn other_spellings_are_refused() {
    let mut line = supply();
    let (asset, row) = line.assets.pop_first().unwrap();
    line.assets = BTreeMap::from([(AssetId(9), row.clone()), (asset, row)]);
    let bytes = line.to_bytes();
    assert_eq!(Supply::from_bytes(&bytes), Ok(line));
    let mut unsorted = transaction(1, 5, &[(2, 2, 10), (3, 3, 20)], &[(1, 1, 30)]);
    unsorted.cancel_keys.reverse();
    let refused = CodecError::NotCanonical {
        field: "cancel keys",
    };
    assert_eq!(
        AtomicTransaction::from_bytes(&unsorted.to_bytes()),
        Err(refused)
    );
    let mut bytes = bundle().head.to_bytes();
    bytes[0] = 0;
    assert!(matches!(
        ChannelHead::from_bytes(&bytes),
        Err(CodecError::Variant { .. })
    ));
    assert!(matches!(
        Supply::from_bytes(&[1]),
        Err(CodecError::Variant { .. })
    ));
}

#[test]
fn receipts_of_nothing_of_too_much_and_of_too_many_are_none() {
    assert_eq!(Receipt::of(GOLD, &[]), None);
    assert_eq!(Receipt::of(GOLD, &[credit(u128::MAX), credit(1)]), None);
    assert_eq!(
        Receipt::of(GOLD, &vec![credit(1); CREDITS_MAX as usize + 1]),
        None
    );
    assert!(Receipt::of(GOLD, &vec![credit(1); CREDITS_MAX as usize]).is_some());
}

#[test]
fn the_largest_transaction_fits_into_a_vote() {
    let legs = limits::LEGS_MAX as usize;
    let mut largest = transaction(1, 5, &[(2, 2, 10)], &[(1, 1, 10)]);
    let participant = Participant {
        shard: ShardId(0),
        debits: vec![largest.participants[1].debits[0]; legs],
        credits: vec![largest.participants[0].credits[0]; legs],
    };
    largest.participants = vec![participant; PARTICIPANTS_MAX as usize];
    largest.cancel_keys = vec![key(1); limits::CANCEL_KEYS_MAX as usize];
    let signatures =
        vec![quorate_types::IdentitySignature([0; 64]); limits::SIGNATURES_MAX as usize];
    let signed = SignedAtomic::new(largest, signatures);
    let vote = Vote {
        transaction: signed.id(),
        epoch: Epoch(0),
        legs: Hash32::ZERO,
        answer: Answer::Yes {
            lock_versions: vec![0; legs],
        },
        submitted: Some(Box::new(signed)),
    };
    let length = message(Body::Vote(Box::new(vote))).to_bytes().len();
    assert!(length <= MESSAGE_BYTES_MAX as usize, "{length}");
}

proptest! {
    #[test]
    fn damaged_bytes_are_refused_or_are_another_value_s_own(
        which in 0usize..17, at: prop::sample::Index, value: u8, cut: bool,
    ) {
        fn damaged<T: Encode + Decode>(bytes: &[u8]) -> Result<(), TestCaseError> {
            if let Ok(other) = T::from_bytes(bytes) {
                prop_assert_eq!(other.to_bytes(), bytes);
            }
            Ok(())
        }
        let messages = bodies();
        let mut bytes = match which {
            14 => bundle().to_bytes(),
            15 => supply().to_bytes(),
            16 => cancel(&sign(transaction(1, 5, &[(2, 2, 10)], &[(1, 1, 10)])), 2).to_bytes(),
            _ => message(messages[which].clone()).to_bytes(),
        };
        let place = at.index(bytes.len());
        bytes[place] = value;
        if cut {
            bytes.truncate(place);
        }
        match which {
            14 => damaged::<Bundle>(&bytes)?,
            15 => damaged::<Supply>(&bytes)?,
            16 => damaged::<Cancel>(&bytes)?,
            _ => damaged::<Message>(&bytes)?,
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::from_bytes(&bytes);
        let _ = Bundle::from_bytes(&bytes);
        let _ = Supply::from_bytes(&bytes);
        let _ = Anchor::from_bytes(&bytes);
        let _ = Cancel::from_bytes(&bytes);
        let mut versioned = vec![1, 0];
        versioned.extend(&bytes);
        let _ = Message::from_bytes(&versioned);
        let _ = Bundle::from_bytes(&versioned);
        let _ = AtomicTransaction::from_bytes(&versioned);
    }
}
