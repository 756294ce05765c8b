//! Evidence convicts liars and nobody else.

use std::sync::{Arc, LazyLock};

use quorate_crypto::SignatureError;
use quorate_crypto::pvss::Sequential;
use quorate_dkg::{
    Ceremony, DealerEvidence, DealingFault, EvidenceError, Purpose, SignedDealing, SignedHash,
};
use quorate_types::{Decode, Encode, ValidatorIndex};

use crate::world::{People, rng};

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
