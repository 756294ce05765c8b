//! One record has one encoding, and no bytes make a decoder panic.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use quorate_crypto::pvss::ChunkOpening;
use quorate_dkg::reshare::Ready;
use quorate_dkg::{
    DEALING_BYTES_MAX, DealerEvidence, Definition, Enrolment, Keys, MemberSet, Previous, Purpose,
    SignedDealing, SignedHash, Transcript,
};
use quorate_types::{CodecError, Decode, Encode};

use crate::generate::{Record, Source, for_each_record};

/// A change to an encoding.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { at: prop::sample::Index, bit: u8 },
    Set { at: prop::sample::Index, value: u8 },
    Insert { at: prop::sample::Index, value: u8 },
    Remove(prop::sample::Index),
    Truncate(prop::sample::Index),
}

impl Mutation {
    fn strategy() -> impl Strategy<Value = Self> {
        let at = any::<prop::sample::Index>;
        // Counts and variants are small numbers: small values find more than any byte would.
        let value = || prop_oneof![0u8..5, any::<u8>()];
        prop_oneof![
            4 => (at(), 0u8..8).prop_map(|(at, bit)| Self::Flip { at, bit }),
            4 => (at(), value()).prop_map(|(at, value)| Self::Set { at, value }),
            1 => (at(), value()).prop_map(|(at, value)| Self::Insert { at, value }),
            1 => at().prop_map(Self::Remove),
            1 => at().prop_map(Self::Truncate),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Insert { at, value } => bytes.insert(at.index(bytes.len() + 1), *value),
            _ if bytes.is_empty() => {}
            Self::Flip { at, bit } => *at.get_mut(bytes) ^= 1 << bit,
            Self::Set { at, value } => *at.get_mut(bytes) = *value,
            Self::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

fn check<T: Record>(value: &T, mutations: &[Mutation], noise: &[u8]) -> Result<(), TestCaseError> {
    let bytes = value.to_bytes();
    let decoded = T::from_bytes(&bytes);
    prop_assert_eq!(decoded.as_ref(), Ok(value));
    let mut mutated = bytes.clone();
    for mutation in mutations {
        mutation.apply(&mut mutated);
        if let Ok(other) = T::from_bytes(&mutated) {
            prop_assert_eq!(
                other.to_bytes(),
                mutated.clone(),
                "not canonical: {:?}",
                other
            );
            prop_assert_eq!(&other == value, mutated == bytes);
        }
    }
    let mut longer = bytes.clone();
    longer.push(0);
    prop_assert_eq!(
        T::from_bytes(&longer).err(),
        Some(CodecError::Trailing { extra: 1 })
    );
    let shorter = T::from_bytes(&bytes[..bytes.len() - 1]);
    let truncated = matches!(shorter, Err(CodecError::Truncated { .. }));
    prop_assert!(truncated, "{:?}", shorter);
    if let Ok(other) = T::from_bytes(noise) {
        prop_assert_eq!(other.to_bytes(), noise, "not canonical: {:?}", other);
    }
    Ok(())
}

fn check_record<T: Record>(name: &str) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 120,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let inputs = (
        any::<u64>(),
        prop::collection::vec(Mutation::strategy(), 1..12),
        prop::collection::vec(prop_oneof![3 => 0u8..4, 1 => any::<u8>()], 0..400),
    );
    let outcome = runner.run(&inputs, |(seed, mutations, noise)| {
        let value = T::generate(&mut Source::new("canonical", seed));
        check(&value, &mutations, &noise)
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

#[test]
fn every_record_has_one_encoding() {
    macro_rules! check_records {
        ($($name:ident),* $(,)?) => {$( check_record::<$name>(stringify!($name)); )*};
    }
    for_each_record!(check_records);
}

/// Counts are refused before anything is allocated for them.
#[test]
fn lengths_and_counts_are_bounded() {
    fn refuse<T: Record>(bytes: &[u8], field: &'static str, count: u32, limit: u32) {
        let (count, limit) = (u64::from(count), u64::from(limit));
        let expected = CodecError::TooMany {
            field,
            count,
            limit,
        };
        assert_eq!(T::from_bytes(bytes), Err(expected));
    }
    let dealing = |length: u32| {
        let mut bytes = vec![0, 0];
        length.encode(&mut bytes);
        bytes
    };
    let limit = DEALING_BYTES_MAX;
    refuse::<SignedDealing>(&dealing(limit + 1), "dealing", limit + 1, limit);
    let mut whole = dealing(limit);
    whole.resize(2 + 4 + limit as usize + 64, 7);
    let largest = SignedDealing::from_bytes(&whole).unwrap();
    assert_eq!(largest.to_bytes(), whole);
    refuse::<Enrolment>(&[1, 0, 65, 0, 0, 0], "name", 65, 64);
    refuse::<Definition>(&[1, 0, 255, 255, 255, 255], "name", u32::MAX, 64);
    let mut keys = vec![0; 96];
    129u32.encode(&mut keys);
    refuse::<Keys>(&keys, "share keys", 129, 128);
    let mut previous = vec![0; 32 + 2 + 96];
    129u32.encode(&mut previous);
    refuse::<Previous>(&previous, "previous members", 129, 128);
}

#[test]
fn other_versions_are_refused() {
    fn refuse<T: Record>(value: &'static str) {
        let mut bytes = T::generate(&mut Source::new("version", 1)).to_bytes();
        bytes[0] = 2;
        let expected = CodecError::Version {
            value,
            found: 2,
            known: 1,
        };
        assert_eq!(T::from_bytes(&bytes), Err(expected));
    }
    refuse::<Enrolment>("enrolment");
    refuse::<Definition>("definition");
    refuse::<Transcript>("transcript");
    refuse::<DealerEvidence>("evidence");
    refuse::<Ready>("ready");
}
