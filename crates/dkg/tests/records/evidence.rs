//! Evidence convicts liars and nobody else.

use std::sync::{Arc, LazyLock};

use quorate_crypto::SignatureError;
use quorate_crypto::pvss::cheat::{self, Lie};
use quorate_crypto::pvss::{ChunkFault, ChunkOpening, OpeningError, Part, Sequential};
use quorate_dkg::{
    Ceremony, DealerEvidence, DealingFault, EvidenceError, Purpose, SignedDealing, SignedHash,
};
use quorate_types::{Decode, Encode, ValidatorIndex};

use crate::world::{Handing, People, TABLE, dealt, rng};

struct Honest {
    people: People,
    ceremony: Arc<Ceremony>,
    dealings: Vec<SignedDealing>,
}

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let people = People::new(0..4, 0);
    let ceremony = people.ceremony(Purpose::Genesis, 0);
    let dealings = (0..4)
        .map(|dealer| people.deal(&ceremony, dealer))
        .collect();
    Honest {
        people,
        ceremony,
        dealings,
    }
});

fn sign(dealer: u16, body: Vec<u8>) -> SignedDealing {
    let identity = &HONEST.people.0[usize::from(dealer)].identity;
    SignedDealing::sign(
        &HONEST.ceremony,
        ValidatorIndex(dealer),
        body.into(),
        identity,
    )
}

fn verdict(evidence: &DealerEvidence) -> Result<ValidatorIndex, EvidenceError> {
    let bytes = evidence.to_bytes();
    let decoded = DealerEvidence::from_bytes(&bytes).unwrap();
    assert_eq!(&decoded, evidence);
    decoded.verify(&HONEST.ceremony)
}

fn not_signed() -> EvidenceError {
    EvidenceError::NotSigned(DealingFault::Signature(SignatureError::Invalid))
}

#[test]
fn two_dealings_convict_without_their_bodies() {
    let identity = &HONEST.people.0[1].identity;
    let second = SignedDealing::deal(&HONEST.ceremony, identity, None, &mut rng(60)).unwrap();
    let dealer = ValidatorIndex(1);
    let (one, other) = (HONEST.dealings[1].signed_hash(), second.signed_hash());
    let evidence = DealerEvidence::two_dealings(dealer, one, other).unwrap();
    assert_eq!(
        DealerEvidence::two_dealings(dealer, other, one),
        Some(evidence.clone())
    );
    assert_eq!(verdict(&evidence), Ok(dealer));
    assert_eq!(evidence.dealer(), dealer);
    assert!(evidence.to_bytes().len() < 256);
    // Even if the second is no dealing at all.
    let nonsense = sign(1, vec![1, 2, 3]).signed_hash();
    let evidence = DealerEvidence::two_dealings(dealer, one, nonsense).unwrap();
    assert_eq!(verdict(&evidence), Ok(dealer));
}

#[test]
fn one_dealing_is_not_two() {
    let one = HONEST.dealings[1].signed_hash();
    let dealer = ValidatorIndex(1);
    assert_eq!(DealerEvidence::two_dealings(dealer, one, one), None);
    let twice = DealerEvidence::TwoDealings {
        dealer,
        first: one,
        second: one,
    };
    assert_eq!(verdict(&twice), Err(EvidenceError::NotTwo));
    let other = sign(1, vec![1]).signed_hash();
    let (first, second) = if one.hash > other.hash {
        (one, other)
    } else {
        (other, one)
    };
    let backwards = DealerEvidence::TwoDealings {
        dealer,
        first,
        second,
    };
    assert_eq!(verdict(&backwards), Err(EvidenceError::NotTwo));
}

/// Somebody else's hash, signature or ceremony beside the honest dealer's own.
#[test]
fn two_dealings_are_both_the_dealers_own_in_this_ceremony() {
    let dealer = ValidatorIndex(1);
    let one = HONEST.dealings[1].signed_hash();
    let others = HONEST.dealings[2].signed_hash();
    let mixed = SignedHash {
        hash: others.hash,
        signature: one.signature,
    };
    // The honest dealer's dealing of the next attempt.
    let attempt = HONEST.people.ceremony(Purpose::Genesis, 1);
    let next = HONEST.people.deal(&attempt, 1).signed_hash();
    for other in [others, mixed, next] {
        let evidence = DealerEvidence::two_dealings(dealer, one, other).unwrap();
        assert_eq!(verdict(&evidence), Err(not_signed()));
    }
    let nobody = DealerEvidence::two_dealings(ValidatorIndex(4), one, others).unwrap();
    let unknown = EvidenceError::NotSigned(DealingFault::UnknownDealer {
        dealer: ValidatorIndex(4),
        dealers: 4,
    });
    assert_eq!(verdict(&nobody), Err(unknown));
}

#[test]
fn honest_dealings_are_no_evidence_of_invalidity() {
    for dealing in &HONEST.dealings {
        let evidence = DealerEvidence::InvalidDealing(dealing.clone());
        let dealer = dealing.dealer;
        assert_eq!(verdict(&evidence), Err(EvidenceError::Valid { dealer }));
    }
}

/// Whatever somebody does to an honest dealing, it has no signature then.
#[test]
fn changed_honest_dealings_are_nobodys() {
    let honest = &HONEST.dealings[0];
    for position in (0..honest.body.len()).step_by(997) {
        let mut body = honest.body.to_vec();
        body[position] ^= 1;
        let changed = SignedDealing {
            body: body.into(),
            ..honest.clone()
        };
        let evidence = DealerEvidence::InvalidDealing(changed);
        assert_eq!(verdict(&evidence), Err(not_signed()));
    }
    let renamed = SignedDealing {
        dealer: ValidatorIndex(1),
        ..honest.clone()
    };
    let evidence = DealerEvidence::InvalidDealing(renamed);
    assert_eq!(verdict(&evidence), Err(not_signed()));
    // An honest dealing of another attempt.
    let attempt = HONEST.people.ceremony(Purpose::Genesis, 1);
    let next = HONEST.people.deal(&attempt, 1);
    let evidence = DealerEvidence::InvalidDealing(next);
    assert_eq!(verdict(&evidence), Err(not_signed()));
    let attempt = evidence.verify(&attempt);
    let dealer = ValidatorIndex(1);
    assert_eq!(attempt, Err(EvidenceError::Valid { dealer }));
}

#[test]
fn whoever_signs_an_invalid_dealing_is_convicted() {
    let honest = &HONEST.dealings[2].body;
    let mut bodies = vec![Vec::new(), vec![0; honest.len()], honest[1..].to_vec()];
    bodies.push([honest, &[0][..]].concat());
    // Another dealer's dealing, valid as it is, and one of another attempt.
    bodies.push(HONEST.dealings[1].body.to_vec());
    let attempt = HONEST.people.ceremony(Purpose::Genesis, 1);
    bodies.push(HONEST.people.deal(&attempt, 2).body.to_vec());
    for position in (0..honest.len()).step_by(1499) {
        let mut body = honest.to_vec();
        body[position] ^= 1;
        bodies.push(body);
    }
    for body in bodies {
        let dealing = sign(2, body);
        assert!(dealing.validate(&HONEST.ceremony, &Sequential).is_err());
        let evidence = DealerEvidence::InvalidDealing(dealing);
        assert_eq!(verdict(&evidence), Ok(ValidatorIndex(2)));
    }
}

/// The lies of a dealer of `lanes` lanes that everybody sees.
fn visible_lies(lanes: usize) -> Vec<Lie> {
    let (first, second) = (ValidatorIndex(0), ValidatorIndex(3));
    let mut lies = vec![Lie::Context, Lie::Swapped { first, second }];
    for lane in 0..lanes {
        let member = second;
        lies.extend([
            Lie::Degree { lane },
            Lie::Ciphertext { lane, member },
            Lie::Commitments { lane },
        ]);
    }
    let parts = [
        Part::RandomnessMasks,
        Part::MixedMask,
        Part::SharingEphemerals,
        Part::ShareMasks,
        Part::SharingCiphertexts,
    ];
    lies.extend(parts.map(|part| Lie::Mask { part, position: 0 }));
    lies.extend([0, 9001, 100_003].map(|bit| Lie::Flipped { bit }));
    lies
}

#[test]
fn every_visible_lie_convicts() {
    let ceremony = &HONEST.ceremony;
    let dealer = ValidatorIndex(3);
    for lie in visible_lies(2) {
        let body = cheat::deal(
            ceremony.parameters(),
            &ceremony.context(dealer),
            ceremony.recipients(),
            &[None, None],
            lie,
            &mut rng(8),
        );
        let evidence = DealerEvidence::InvalidDealing(sign(3, body.unwrap()));
        assert_eq!(verdict(&evidence), Ok(dealer), "{lie:?}");
    }
}

#[test]
fn every_visible_lie_in_a_resharing_convicts() {
    let people = People::new(0..4, 0);
    let dealt = dealt(&people, 3);
    let purpose = Purpose::Reshare {
        previous: dealt.previous,
    };
    let ceremony = people.ceremony(purpose, 0);
    let dealer = ValidatorIndex(2);
    for lie in visible_lies(1) {
        let body = cheat::deal(
            ceremony.parameters(),
            &ceremony.context(dealer),
            ceremony.recipients(),
            &[Some(&dealt.shares[2])],
            lie,
            &mut rng(8),
        );
        let identity = &people.0[2].identity;
        let dealing = SignedDealing::sign(&ceremony, dealer, body.unwrap().into(), identity);
        let evidence = DealerEvidence::InvalidDealing(dealing);
        assert_eq!(evidence.verify(&ceremony), Ok(dealer), "{lie:?}");
    }
    // The honest old member's dealing convicts nobody, and neither does it by name of another.
    let handing = Handing {
        ceremony: Arc::clone(&ceremony),
        old: &people,
        shares: &dealt.shares,
        new: &people,
    };
    let evidence = DealerEvidence::InvalidDealing(handing.deal(2));
    let cleared = EvidenceError::Valid { dealer };
    assert_eq!(evidence.verify(&ceremony), Err(cleared));
}

/// A chunk out of range: the dealing stays valid and counts, its receiver has the right share and convicts the dealer.
#[test]
fn a_chunk_out_of_range_is_decrypted_and_convicts() {
    let Honest {
        people,
        ceremony,
        dealings,
    } = &*HONEST;
    let (dealer, member) = (ValidatorIndex(2), ValidatorIndex(1));
    for (lane, negative) in [(0, false), (0, true), (1, true)] {
        let lie = if negative {
            Lie::NegativeChunk { lane, member }
        } else {
            Lie::LargeChunk { lane, member }
        };
        let body = cheat::deal(
            ceremony.parameters(),
            &ceremony.context(dealer),
            ceremony.recipients(),
            &[None, None],
            lie,
            &mut rng(8),
        );
        let lying = sign(2, body.unwrap());
        let invalid = DealerEvidence::InvalidDealing(lying.clone());
        assert_eq!(verdict(&invalid), Err(EvidenceError::Valid { dealer }));

        let list = vec![dealings[0].clone(), dealings[1].clone(), lying.clone()];
        let transcript = people.complete(ceremony, list);
        let verified = transcript.verify(&Sequential).unwrap();
        let secret = &people.0[1].encryption;
        let recovered = verified.recover(secret, member, &TABLE).unwrap();
        let [(liar, fault)] = recovered.faults[..] else {
            panic!("{:?}", recovered.faults);
        };
        assert_eq!((liar, usize::from(fault.lane)), (dealer, lane));
        assert_eq!(fault.value < 0, negative);
        let valid = verified.dealing(dealer).unwrap();
        let evidence =
            DealerEvidence::bad_chunk(ceremony, lying, valid, secret, member, &fault, &mut rng(9));
        assert_eq!(verdict(&evidence), Ok(dealer));
        // Not in another dealer's name, and not with another dealing.
        let DealerEvidence::BadChunk { opening, .. } = evidence else {
            panic!("{evidence:?}");
        };
        let honest = DealerEvidence::BadChunk {
            dealing: dealings[1].clone(),
            opening,
        };
        assert!(matches!(verdict(&honest), Err(EvidenceError::Opening(_))));
    }
}

/// A lying member opens chunks of an honest dealing.
#[test]
fn honest_chunks_convict_nobody() {
    let Honest {
        people,
        ceremony,
        dealings,
    } = &*HONEST;
    let member = ValidatorIndex(3);
    let secret = &people.0[3].encryption;
    let dealing = dealings[1].clone();
    let valid = dealing.validate(ceremony, &Sequential).unwrap();
    let share = &valid.decrypt(secret, member, &TABLE).unwrap().shares[0];
    let bytes = share.expose_bytes();
    let lowest = i64::from(u16::from_be_bytes([bytes[30], bytes[31]]));
    for value in [lowest, lowest - 65536, lowest + 65536, 65536, -1, 0] {
        let fault = ChunkFault {
            lane: 0,
            chunk: 0,
            value,
        };
        let evidence = DealerEvidence::bad_chunk(
            ceremony,
            dealing.clone(),
            &valid,
            secret,
            member,
            &fault,
            &mut rng(9),
        );
        let error = verdict(&evidence).unwrap_err();
        let canonical = EvidenceError::Opening(OpeningError::Canonical { value });
        let in_range = (0..65536).contains(&value);
        assert_eq!(error == canonical, in_range, "{value}: {error}");
        assert!(matches!(error, EvidenceError::Opening(_)), "{error}");
        let DealerEvidence::BadChunk { opening, .. } = evidence else {
            panic!("{evidence:?}");
        };
        let bytes = opening.to_bytes();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let opening = ChunkOpening::from_bytes(&changed).unwrap();
            let context = ceremony.context(dealing.dealer);
            let verdict = opening.verify(&valid, ceremony.recipients(), &context);
            assert!(verdict.is_err(), "byte {position}");
        }
    }
}

/// An invalid dealing is no ground for opening chunks: it has evidence of its own.
#[test]
fn chunks_of_invalid_dealings_are_not_looked_at() {
    let body = vec![7; HONEST.dealings[0].body.len()];
    let opening = ChunkOpening::from_bytes(&[0; 124]).unwrap();
    let evidence = DealerEvidence::BadChunk {
        dealing: sign(0, body),
        opening: opening.clone(),
    };
    assert!(matches!(verdict(&evidence), Err(EvidenceError::Invalid(_))));
    let mut unsigned = HONEST.dealings[0].clone();
    unsigned.signature.0[1] ^= 1;
    let evidence = DealerEvidence::BadChunk {
        dealing: unsigned,
        opening,
    };
    assert_eq!(verdict(&evidence), Err(not_signed()));
}
