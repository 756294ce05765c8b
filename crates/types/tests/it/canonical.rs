//! One value has one encoding, and no bytes make a decoder panic.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use quorate_types::*;

use crate::generate::{Canonical, Generate, Source, WholeBlock, for_each_type};

/// A change to an encoding.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { at: prop::sample::Index, bit: u8 },
    Set { at: prop::sample::Index, value: u8 },
    Swap(prop::sample::Index, prop::sample::Index),
    Insert { at: prop::sample::Index, value: u8 },
    Remove(prop::sample::Index),
    Truncate(prop::sample::Index),
    Extend(Vec<u8>),
}

impl Mutation {
    fn strategy() -> impl Strategy<Value = Self> {
        let at = any::<prop::sample::Index>;
        // Counts and variants are small numbers: small values find more than any byte would.
        let value = || prop_oneof![0u8..5, any::<u8>()];
        prop_oneof![
            4 => (at(), 0u8..8).prop_map(|(at, bit)| Self::Flip { at, bit }),
            4 => (at(), value()).prop_map(|(at, value)| Self::Set { at, value }),
            1 => (at(), at()).prop_map(|(left, right)| Self::Swap(left, right)),
            1 => (at(), value()).prop_map(|(at, value)| Self::Insert { at, value }),
            1 => at().prop_map(Self::Remove),
            1 => at().prop_map(Self::Truncate),
            1 => prop::collection::vec(value(), 1..9).prop_map(Self::Extend),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Extend(more) => bytes.extend_from_slice(more),
            Self::Insert { at, value } => bytes.insert(at.index(bytes.len() + 1), *value),
            _ if bytes.is_empty() => {}
            Self::Flip { at, bit } => *at.get_mut(bytes) ^= 1 << bit,
            Self::Set { at, value } => *at.get_mut(bytes) = *value,
            Self::Swap(left, right) => {
                let length = bytes.len();
                bytes.swap(left.index(length), right.index(length));
            }
            Self::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

/// The properties, for one type's pair of functions.
fn check<T: PartialEq + std::fmt::Debug>(
    value: &T,
    mutations: &[Mutation],
    noise: &[u8],
    encode: fn(&T) -> Vec<u8>,
    decode: fn(&[u8]) -> Result<T, CodecError>,
) -> Result<(), TestCaseError> {
    let bytes = encode(value);
    let decoded = decode(&bytes);
    prop_assert_eq!(decoded.as_ref(), Ok(value));
    let mut mutated = bytes.clone();
    for mutation in mutations {
        mutation.apply(&mut mutated);
        if let Ok(other) = decode(&mutated) {
            prop_assert_eq!(&encode(&other), &mutated, "not canonical: {:?}", other);
            prop_assert_eq!(&other == value, mutated == bytes);
        }
    }
    let mut longer = bytes.clone();
    longer.push(0);
    prop_assert_eq!(decode(&longer), Err(CodecError::Trailing { extra: 1 }));
    let shorter = decode(&bytes[..bytes.len() - 1]);
    let truncated = matches!(shorter, Err(CodecError::Truncated { .. }));
    prop_assert!(truncated, "{:?}", shorter);
    if let Ok(other) = decode(noise) {
        prop_assert_eq!(encode(&other), noise, "not canonical: {:?}", other);
    }
    Ok(())
}

fn inputs() -> impl Strategy<Value = (u64, Vec<Mutation>, Vec<u8>)> {
    (
        any::<u64>(),
        prop::collection::vec(Mutation::strategy(), 1..12),
        prop::collection::vec(prop_oneof![3 => 0u8..4, 1 => any::<u8>()], 0..400),
    )
}

fn check_type<T: PartialEq + std::fmt::Debug>(
    name: &str,
    generate: fn(&mut Source) -> T,
    encode: fn(&T) -> Vec<u8>,
    decode: fn(&[u8]) -> Result<T, CodecError>,
) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 160,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&inputs(), |(seed, mutations, noise)| {
        let value = generate(&mut Source::new("canonical", seed));
        check(&value, &mutations, &noise, encode, decode)
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

#[test]
fn every_type_has_one_encoding() {
    macro_rules! check_types {
        ($($name:ident),* $(,)?) => {$(
            check_type::<$name>(
                stringify!($name),
                Generate::generate,
                Canonical::encoded,
                Canonical::decoded,
            );
        )*};
    }
    for_each_type!(check_types);
    check_type::<WholeBlock>(
        "Block",
        Generate::generate,
        WholeBlock::encoded,
        WholeBlock::decoded,
    );
}

/// Every prefix of an encoding is refused as truncated, whatever field it ends in.
#[test]
fn every_prefix_is_truncated() {
    fn every<T: PartialEq + std::fmt::Debug>(
        bytes: &[u8],
        decode: fn(&[u8]) -> Result<T, CodecError>,
    ) {
        for length in 0..bytes.len() {
            let error = decode(&bytes[..length]).unwrap_err();
            assert!(
                matches!(error, CodecError::Truncated { .. }),
                "{length} bytes: {error}"
            );
        }
    }
    macro_rules! every_type {
        ($($name:ident),* $(,)?) => {$(
            for seed in 0..4 {
                let value = $name::generate(&mut Source::new("prefix", seed));
                every::<$name>(&value.encoded(), Canonical::decoded);
            }
        )*};
    }
    for_each_type!(every_type);
    let block = WholeBlock::generate(&mut Source::new("prefix", 0));
    every(&block.encoded(), WholeBlock::decoded);
}
