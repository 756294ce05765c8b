//! Definitions: what is refused, and why.

use std::collections::BTreeSet;

use quorate_crypto::pvss::{EncryptionSecret, KeyProofError};
use quorate_crypto::{KeysError, PointError, SignatureError};
use quorate_dkg::{
    AddressError, Ceremony, Definition, DefinitionError, Enrolment, EnrolmentError, NameError,
    PreviousError, Purpose,
};
use quorate_types::{Decode, Encode, EncryptionKey, IdentitySignature, KeyProof, ValidatorIndex};

use crate::world::{People, Person, dealt, organiser, rng};

fn four() -> People {
    People::new(0..4, 0)
}

/// Signs what `change` made of a good definition.
fn resigned(change: impl FnOnce(&mut Definition)) -> Definition {
    let mut definition = four().definition(Purpose::Genesis, 0);
    change(&mut definition);
    Definition::sign(
        definition.name,
        definition.purpose,
        definition.attempt,
        Some(definition.quorum),
        definition.members,
        &organiser(),
    )
}

#[test]
fn a_good_definition_gives_its_numbers() {
    for (size, faults, quorum, echo) in [(4, 1, 3, 3), (5, 1, 4, 4), (6, 1, 5, 4), (7, 2, 5, 5)] {
        let people = People::new(0..size, 0);
        let ceremony = people.ceremony(Purpose::Genesis, 0);
        assert_eq!(u64::from(ceremony.size()), size);
        assert_eq!(ceremony.faults(), faults);
        assert_eq!(ceremony.quorum(), quorum);
        assert_eq!(ceremony.agreement_quorum(), quorum);
        assert_eq!(ceremony.echo_quorum(), echo);
        assert_eq!(ceremony.parameters().thresholds(), [quorum, faults + 1]);
        assert_eq!(ceremony.dealers(), ceremony.size());
        for me in ceremony.indices() {
            let identity = people.0[me.position()].identity.public();
            assert_eq!(ceremony.index_of(&identity), Some(me));
            assert_eq!(ceremony.dealer_of(&identity), Some(me));
            assert_eq!(ceremony.identity_of(me), Some(&identity));
        }
        let contexts: BTreeSet<_> = (0..ceremony.size() + 1)
            .map(|dealer| ceremony.context(ValidatorIndex(dealer)))
            .collect();
        assert_eq!(contexts.len(), usize::from(ceremony.size()) + 1);
    }
}

#[test]
fn any_changed_byte_is_another_ceremony_and_none_verifies() {
    let definition = four().definition(Purpose::Genesis, 3);
    let bytes = definition.to_bytes();
    let mut ids = BTreeSet::from([definition.ceremony_id()]);
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        let Ok(other) = Definition::from_bytes(&changed) else {
            continue;
        };
        assert!(ids.insert(other.ceremony_id()), "byte {position}");
        assert!(other.verify().is_err(), "byte {position}");
    }
    assert!(
        ids.len() > bytes.len() - 90,
        "all but lengths and versions decode"
    );
}

#[test]
fn sizes_quorums_and_names_are_checked() {
    let refused = |change: &dyn Fn(&mut Definition)| resigned(change).verify().unwrap_err();
    let size = refused(&|definition| {
        definition.members.pop();
    });
    assert_eq!(size, DefinitionError::Size { found: 3 });
    for quorum in [0, 2, 5] {
        let error = refused(&|definition| definition.quorum = quorum);
        let expected = DefinitionError::Quorum {
            quorum,
            least: 3,
            most: 4,
        };
        assert_eq!(error, expected);
    }
    assert_eq!(
        resigned(|definition| definition.quorum = 4).verify(),
        Ok(())
    );
    let name = refused(&|definition| definition.name = "é".repeat(33));
    assert_eq!(name, DefinitionError::Name(NameError::Length { found: 66 }));
    let name = refused(&|definition| definition.name = "a\u{1b}[2J".to_owned());
    assert_eq!(
        name,
        DefinitionError::Name(NameError::Control { offset: 1 })
    );
    let name = refused(&|definition| definition.name.clear());
    assert_eq!(name, DefinitionError::Name(NameError::Length { found: 0 }));
}

#[test]
fn nobody_takes_part_twice() {
    let (first, second) = (ValidatorIndex(1), ValidatorIndex(3));
    // The same identity enrols again, with another encryption key.
    let again = Person::new(1, 9).enrolment;
    let error = resigned(|definition| definition.members[3] = again.clone()).verify();
    assert_eq!(
        error,
        Err(DefinitionError::DuplicateIdentity { first, second })
    );
    // Another identity enrols the same encryption key.
    let key = &Person::new(1, 0).encryption;
    let other = Person::new(8, 0).identity;
    let stolen =
        Enrolment::new(&other, key, "thief".into(), "thief:1".into(), &mut rng(0)).unwrap();
    let error = resigned(|definition| definition.members[3] = stolen.clone()).verify();
    assert_eq!(error, Err(DefinitionError::DuplicateKey { first, second }));
}

#[test]
fn enrolments_are_checked() {
    let person = Person::new(2, 0);
    let refused = |enrolment: Enrolment| {
        let error = enrolment.verify().unwrap_err();
        let whole = resigned(|definition| definition.members[2] = enrolment).verify();
        let index = ValidatorIndex(2);
        assert_eq!(whole, Err(DefinitionError::Member { index, error }));
        error
    };
    let signature = EnrolmentError::Signature(SignatureError::Invalid);
    let mut changed = person.enrolment.clone();
    changed.address = "elsewhere:1".to_owned();
    assert_eq!(refused(changed), signature);

    // A proof of possession serves one identity: here another one takes key and proof over and signs them.
    let thief = Person::new(8, 0);
    let taken = with_key(
        &thief,
        person.enrolment.encryption_key,
        person.enrolment.proof,
    );
    let invalid = EnrolmentError::Proof(KeyProofError::Invalid);
    assert_eq!(taken.verify(), Err(invalid));
    // No point, the identity, and a point outside the subgroup.
    let proof = person.enrolment.proof;
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    let error = with_key(&person, EncryptionKey(infinity), proof);
    let identity = EnrolmentError::Proof(KeyProofError::Key(PointError::Identity));
    assert_eq!(refused(error), identity);
    let error = with_key(&person, EncryptionKey([0xff; 48]), proof);
    let malformed = EnrolmentError::Proof(KeyProofError::Key(PointError::Encoding));
    assert_eq!(refused(error), malformed);
    let missing = with_key(&person, person.enrolment.encryption_key, KeyProof([0; 80]));
    let commitment = EnrolmentError::Proof(KeyProofError::Commitment(PointError::Encoding));
    assert_eq!(refused(missing), commitment);
}

/// An enrolment with this key and proof, signed by the person.
fn with_key(person: &Person, key: EncryptionKey, proof: KeyProof) -> Enrolment {
    let mut enrolment = person.enrolment.clone();
    enrolment.encryption_key = key;
    enrolment.proof = proof;
    let bytes = enrolment.to_bytes();
    let signed = &bytes[..bytes.len() - IdentitySignature::LENGTH];
    let tag = quorate_types::DomainTag::Enrolment;
    enrolment.signature = person.identity.sign(tag, signed);
    enrolment
}

#[test]
fn addresses_have_a_host_and_a_port() {
    let person = Person::new(0, 0);
    let enrol = |address: &str| {
        let secret = EncryptionSecret::generate(&mut rng(0));
        let address = address.to_owned();
        Enrolment::new(&person.identity, &secret, "a".into(), address, &mut rng(0)).map(|_| ())
    };
    for good in [
        "a:1",
        "10.0.0.1:65535",
        "[::1]:7103",
        "member-1.example.net:7103",
    ] {
        assert_eq!(enrol(good), Ok(()), "{good}");
    }
    let host = EnrolmentError::Address(AddressError::Host);
    for bad in ["", "a", ":1", "a b:1", "::1:1", "[]:1", "ä:1", "a\n:1"] {
        assert_eq!(enrol(bad), Err(host), "{bad}");
    }
    let port = EnrolmentError::Address(AddressError::Port);
    for bad in ["a:", "a:0", "a:01", "a:+1", "a:65536", "a:x"] {
        assert_eq!(enrol(bad), Err(port), "{bad}");
    }
    let length = EnrolmentError::Address(AddressError::Length { found: 261 });
    assert_eq!(enrol(&format!("{}:1", "a".repeat(259))), Err(length));
}

#[test]
fn the_organiser_signs_the_definition() {
    let mut definition = four().definition(Purpose::Genesis, 0);
    definition.attempt = 1;
    let error = DefinitionError::Organiser(SignatureError::Invalid);
    assert_eq!(definition.verify(), Err(error));
    assert_eq!(Ceremony::new(definition).unwrap_err(), error);
}

#[test]
fn attempts_and_quorums_are_ceremonies_of_their_own() {
    let people = four();
    let ids: BTreeSet<_> = (0..3)
        .map(|attempt| people.definition(Purpose::Genesis, attempt).ceremony_id())
        .chain([resigned(|definition| definition.quorum = 4).ceremony_id()])
        .collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn previous_keys_are_checked() {
    let people = four();
    let good = dealt(&people, 3).previous;
    let with = |change: &dyn Fn(&mut quorate_dkg::Previous)| {
        let mut previous = good.clone();
        change(&mut previous);
        people.definition(Purpose::Reshare { previous }, 0).verify()
    };
    assert_eq!(with(&|_| ()), Ok(()));
    let refused = |change: &dyn Fn(&mut quorate_dkg::Previous)| match with(change) {
        Err(DefinitionError::Previous(error)) => error,
        other => panic!("{other:?}"),
    };
    let size = refused(&|previous| previous.members.truncate(3));
    assert_eq!(size, PreviousError::Size { found: 3 });
    let quorum = refused(&|previous| previous.quorum = 2);
    let expected = PreviousError::Quorum {
        quorum: 2,
        least: 3,
        most: 4,
    };
    assert_eq!(quorum, expected);
    let duplicate =
        refused(&|previous| previous.members[2].identity = previous.members[0].identity);
    let (first, second) = (ValidatorIndex(0), ValidatorIndex(2));
    assert_eq!(
        duplicate,
        PreviousError::DuplicateIdentity { first, second }
    );
    // Shares in another order, or another quorum's, do not belong to the group key.
    let swapped = refused(&|previous| previous.members.swap(0, 1));
    let degree = PreviousError::Keys(KeysError::Degree { threshold: 3 });
    assert_eq!(swapped, degree);
    let point = refused(&|previous| previous.members[1].share_key.0[0] ^= 0x80);
    assert!(matches!(
        point,
        PreviousError::Keys(KeysError::Member { .. })
    ));
    let group = refused(&|previous| previous.group_key = previous.members[0].share_key);
    assert_eq!(group, degree);
}
