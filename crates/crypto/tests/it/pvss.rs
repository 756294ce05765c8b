//! Dealings: honest ones are valid, and nothing else is.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_crypto::pvss::cheat::{self, Lie};
use quorate_crypto::pvss::{
    DealError, Dealing, DealingError, EncryptionSecret, Parallel, Parameters, ParametersError,
    Part, Recipients, Sequential, deal,
};
use quorate_crypto::{PointError, ScalarError, ShareSecret};
use quorate_types::{Blake3, DomainTag, EncryptionKey, ThresholdKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) const CONTEXT: [u8; 32] = [9; 32];

/// Members of a ceremony and their keys.
pub(crate) struct Members {
    pub(crate) parameters: Parameters,
    pub(crate) keys: Vec<EncryptionKey>,
    pub(crate) recipients: Recipients,
}

impl Members {
    pub(crate) fn new(members: u16, thresholds: &[u16]) -> Self {
        let mut rng = rng(u64::from(members));
        let keys: Vec<EncryptionKey> = (0..members)
            .map(|_| EncryptionSecret::generate(&mut rng).public())
            .collect();
        Self {
            parameters: Parameters::new(members, thresholds).unwrap(),
            recipients: Recipients::parse(&keys).unwrap(),
            keys,
        }
    }

    pub(crate) fn deal(&self, secrets: &[Option<&ShareSecret>], seed: u64) -> Vec<u8> {
        deal(
            &self.parameters,
            &CONTEXT,
            &self.recipients,
            secrets,
            &mut rng(seed),
        )
        .unwrap()
    }

    pub(crate) fn validate(
        &self,
        expected: &[Option<ThresholdKey>],
        bytes: &[u8],
    ) -> Result<Dealing, DealingError> {
        Dealing::validate(
            &self.parameters,
            &CONTEXT,
            &self.recipients,
            expected,
            bytes,
            &Sequential,
        )
    }
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

#[test]
fn honest_dealings_are_valid() {
    let secret = ShareSecret::random(&mut rng(77));
    let key = secret.public_key();
    for members in [4u16, 7, 16] {
        let faults = (members - 1) / 3;
        for thresholds in [&[members - faults][..], &[members - faults, faults + 1]] {
            let setup = Members::new(members, thresholds);
            let open = vec![None; thresholds.len()];
            let bytes = setup.deal(&open, 1);
            assert_eq!(bytes.len(), setup.parameters.dealing_bytes());
            setup
                .validate(&vec![None; thresholds.len()], &bytes)
                .unwrap();

            let fixed = vec![Some(&secret); thresholds.len()];
            let bytes = setup.deal(&fixed, 2);
            let dealing = setup
                .validate(&vec![Some(key); thresholds.len()], &bytes)
                .unwrap();
            assert_eq!(dealing.commitment(0, 0).to_bytes(), key.0);
        }
    }
}

/// Runs jobs on three threads, or backwards on the caller's: neither may change a verdict.
enum Other {
    Threads,
    Backwards,
}

impl Parallel for Other {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        match self {
            Self::Backwards => (0..jobs).rev().for_each(job),
            Self::Threads => std::thread::scope(|scope| {
                for first in 0..3 {
                    scope.spawn(move || (first..jobs).step_by(3).for_each(job));
                }
            }),
        }
    }
}

impl Members {
    /// The verdict on bytes without expected keys, which all implementations of `Parallel` agree on.
    fn refusal(&self, bytes: &[u8]) -> Option<DealingError> {
        let open = vec![None; self.parameters.lanes()];
        let verdict = self.validate(&open, bytes).err();
        for parallel in [Other::Threads, Other::Backwards] {
            let (parameters, recipients) = (&self.parameters, &self.recipients);
            let other =
                Dealing::validate(parameters, &CONTEXT, recipients, &open, bytes, &parallel);
            assert_eq!(other.err(), verdict);
        }
        verdict
    }

    /// Where a part's elements start, and the bytes of each.
    fn place(&self, wanted: Part) -> (usize, usize, usize) {
        let (members, lanes) = (
            usize::from(self.parameters.members()),
            self.parameters.lanes(),
        );
        let mut start = 0;
        for (part, elements, bytes) in layout(members, lanes) {
            if part == wanted {
                return (start, elements, bytes);
            }
            start += elements * bytes;
        }
        unreachable!("every part is in the layout")
    }
}

/// Every part with its elements and the bytes of each.
fn layout(members: usize, lanes: usize) -> [(Part, usize, usize); 16] {
    [
        (Part::Commitments, lanes * (members + 1), 96),
        (Part::ShareMasks, lanes, 96),
        (Part::Ephemerals, 16 * lanes, 48),
        (Part::Ciphertexts, 16 * lanes * members, 48),
        (Part::RandomnessMasks, members + 1, 48),
        (Part::BlindEphemerals, 128, 48),
        (Part::BlindCiphertexts, 128, 48),
        (Part::BlindKey, 1, 48),
        (Part::MixedMask, 1, 48),
        (Part::SharingEphemerals, lanes, 48),
        (Part::SharingCiphertexts, lanes, 48),
        (Part::Sums, 128, 8),
        (Part::RandomnessResponses, members, 32),
        (Part::BlindResponse, 1, 32),
        (Part::SharingResponses, lanes, 32),
        (Part::ShareResponses, lanes, 32),
    ]
}

#[test]
fn a_dealing_has_the_length_that_its_layout_says() {
    for (members, lanes, bytes) in [
        (4u16, 2, 22_960),
        (16, 2, 44_656),
        (128, 2, 247_152),
        (128, 1, 135_440),
    ] {
        let parameters = Parameters::new(members, &[2, 3][..lanes]).unwrap();
        let parts = layout(usize::from(members), lanes);
        let sum: usize = parts
            .iter()
            .map(|(_, elements, bytes)| elements * bytes)
            .sum();
        assert_eq!((parameters.dealing_bytes(), sum), (bytes, bytes));
    }
    assert_eq!(
        Parameters::new(4, &[3, 2]).unwrap().chunk_bound(),
        256 * 4 * 32 * 65_535
    );
    assert_eq!(
        Parameters::new(128, &[86, 43]).unwrap().chunk_bound(),
        256 * 128 * 32 * 65_535
    );
}

/// Flips bits of an element in `place` and says what the verdict is.
fn flipped(setup: &Members, bytes: &[u8], at: usize, mask: u8) -> DealingError {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= mask;
    setup
        .validate(&[None, None], &bytes)
        .err()
        .expect("one bit makes it another dealing")
}

#[test]
fn flipped_bits_are_refused_in_every_part() {
    let setup = Members::new(4, &[3, 2]);
    let bytes = setup.deal(&[None, None], 5);
    assert_eq!(setup.refusal(&bytes), None);
    for (part, elements, length) in layout(4, 2) {
        let start = setup.place(part).0;
        for position in BTreeSet::from([0, elements / 2, elements - 1]) {
            let (first, last) = (
                start + position * length,
                start + (position + 1) * length - 1,
            );
            match length {
                // The sign of a point makes it another point, and the proofs have to see it.
                48 | 96 => {
                    assert_eq!(flipped(&setup, &bytes, first, 0x20), DealingError::Proof);
                    let error = PointError::Encoding;
                    let expected = DealingError::Point {
                        part,
                        position,
                        error,
                    };
                    assert_eq!(flipped(&setup, &bytes, first, 0x80), expected);
                    // Another x is not on the curve or, if it is, not in the subgroup.
                    let found = flipped(&setup, &bytes, last, 1);
                    let expected = |error| DealingError::Point {
                        part,
                        position,
                        error,
                    };
                    let wanted = [PointError::NotOnCurve, PointError::NotInSubgroup].map(expected);
                    assert!(wanted.contains(&found), "{found}");
                }
                32 => {
                    assert_eq!(flipped(&setup, &bytes, last, 1), DealingError::Proof);
                    let error = ScalarError::NotCanonical;
                    let expected = DealingError::Scalar {
                        part,
                        position,
                        error,
                    };
                    assert_eq!(flipped(&setup, &bytes, first, 0x80), expected);
                }
                _ => {
                    assert_eq!(flipped(&setup, &bytes, first, 1), DealingError::Proof);
                    let found = flipped(&setup, &bytes, last, 0x80);
                    let expected =
                        matches!(found, DealingError::Sum { position: at, .. } if at == position);
                    assert!(expected, "{found}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_bit_can_be_flipped(place: usize, bit in 0..8) {
        let setup = Members::new(4, &[3]);
        let mut bytes = setup.deal(&[None], 6);
        let at = place % bytes.len();
        bytes[at] ^= 1u8 << bit;
        prop_assert!(setup.validate(&[None], &bytes).is_err());
    }
}

#[test]
fn errors_tell_what_is_wrong() {
    let setup = Members::new(4, &[3, 2]);
    let bytes = setup.deal(&[None, None], 7);
    for found in [0, bytes.len() - 1, bytes.len() + 1] {
        let expected = bytes.len();
        let mut other = bytes.clone();
        other.resize(found, 0);
        assert_eq!(
            setup.refusal(&other),
            Some(DealingError::Length { expected, found })
        );
    }
    let with = |part: Part, position: usize, element: &[u8]| {
        let (start, _, length) = setup.place(part);
        let mut other = bytes.clone();
        other[start + position * length..][..element.len()].copy_from_slice(element);
        other
    };
    // The last ciphertext is in the last slice of its part.
    let identity = [&[0xc0][..], &[0; 47]].concat();
    let refused = setup.refusal(&with(Part::Ciphertexts, 127, &identity));
    let (part, error) = (Part::Ciphertexts, PointError::Identity);
    assert_eq!(
        refused,
        Some(DealingError::Point {
            part,
            position: 127,
            error
        })
    );
    // A point of order three.
    let small = [&[0x80][..], &[0; 47]].concat();
    let both = [
        with(Part::Ciphertexts, 127, &identity),
        with(Part::Ciphertexts, 70, &small),
    ];
    let (start, _, _) = setup.place(Part::Ciphertexts);
    let mut both = both.into_iter();
    let (mut last, first) = (both.next().unwrap(), both.next().unwrap());
    last[start + 70 * 48..][..48].copy_from_slice(&first[start + 70 * 48..][..48]);
    let error = PointError::NotInSubgroup;
    assert_eq!(
        setup.refusal(&last),
        Some(DealingError::Point {
            part,
            position: 70,
            error
        })
    );
    // The identity in G2, in V_0 of the second lane.
    let identity = [&[0xc0][..], &[0; 95]].concat();
    let refused = setup.refusal(&with(Part::Commitments, 5, &identity));
    let (part, error) = (Part::Commitments, PointError::Identity);
    assert_eq!(
        refused,
        Some(DealingError::Point {
            part,
            position: 5,
            error
        })
    );
    // The largest sum that may be, and the smallest that may not.
    let bound = setup.parameters.chunk_bound();
    let refused = setup.refusal(&with(Part::Sums, 127, &(bound - 1).to_le_bytes()));
    assert_eq!(refused, Some(DealingError::Proof));
    let refused = setup.refusal(&with(Part::Sums, 127, &bound.to_le_bytes()));
    assert_eq!(
        refused,
        Some(DealingError::Sum {
            position: 127,
            sum: bound,
            bound
        })
    );
    let order =
        crate::bytes::<32>("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");
    let refused = setup.refusal(&with(Part::RandomnessResponses, 3, &order));
    let (part, error) = (Part::RandomnessResponses, ScalarError::NotCanonical);
    assert_eq!(
        refused,
        Some(DealingError::Scalar {
            part,
            position: 3,
            error
        })
    );
}

#[test]
fn the_expected_secret_is_the_one_that_is_shared() {
    let setup = Members::new(4, &[3, 2]);
    let secret = ShareSecret::random(&mut rng(1));
    let (key, other) = (
        secret.public_key(),
        ShareSecret::random(&mut rng(2)).public_key(),
    );
    let bytes = setup.deal(&[Some(&secret), None], 8);
    assert!(setup.validate(&[Some(key), None], &bytes).is_ok());
    let refused = |expected: &[_]| setup.validate(expected, &bytes).err();
    assert_eq!(
        refused(&[Some(other), None]),
        Some(DealingError::SecretMismatch { lane: 0 })
    );
    assert_eq!(
        refused(&[Some(key), Some(key)]),
        Some(DealingError::SecretMismatch { lane: 1 })
    );
    let arguments = DealingError::Arguments {
        members: 4,
        lanes: 2,
        recipients: 4,
        expected: 1,
    };
    assert_eq!(refused(&[Some(key)]), Some(arguments));
}

#[test]
fn a_dealing_is_for_its_context_recipients_and_parameters() {
    let setup = Members::new(4, &[3, 2]);
    let bytes = setup.deal(&[None, None], 9);
    let verdict = |thresholds: &[u16], context: u8, keys: &[EncryptionKey]| {
        let parameters = Parameters::new(4, thresholds).unwrap();
        let recipients = Recipients::parse(keys).unwrap();
        let open = vec![None; thresholds.len()];
        Dealing::validate(
            &parameters,
            &[context; 32],
            &recipients,
            &open,
            &bytes,
            &Sequential,
        )
        .err()
    };
    assert_eq!(verdict(&[3, 2], 9, &setup.keys), None);
    assert_eq!(verdict(&[3, 2], 8, &setup.keys), Some(DealingError::Proof));
    for thresholds in [[2, 2], [4, 2], [3, 1], [3, 3], [2, 3]] {
        assert_eq!(
            verdict(&thresholds, 9, &setup.keys),
            Some(DealingError::Proof),
            "{thresholds:?}"
        );
    }
    let mut keys = setup.keys.clone();
    keys.swap(1, 2);
    assert_eq!(verdict(&[3, 2], 9, &keys), Some(DealingError::Proof));
    keys.swap(1, 2);
    keys[3] = EncryptionSecret::generate(&mut rng(3)).public();
    assert_eq!(verdict(&[3, 2], 9, &keys), Some(DealingError::Proof));
    let refused = verdict(&[3], 9, &setup.keys);
    assert!(
        matches!(refused, Some(DealingError::Length { .. })),
        "{refused:?}"
    );
    let arguments = DealingError::Arguments {
        members: 4,
        lanes: 2,
        recipients: 3,
        expected: 2,
    };
    assert_eq!(verdict(&[3, 2], 9, &setup.keys[..3]), Some(arguments));
}

#[test]
fn lies_by_encoding_are_refused() {
    let setup = Members::new(4, &[3, 2]);
    let (parameters, recipients) = (&setup.parameters, &setup.recipients);
    let lie = Lie::Flipped {
        bit: 8 * (setup.parameters.dealing_bytes() - 1),
    };
    let bytes = cheat::deal(
        parameters,
        &CONTEXT,
        recipients,
        &[None, None],
        lie,
        &mut rng(1),
    );
    assert_eq!(setup.refusal(&bytes.unwrap()), Some(DealingError::Proof));
}

#[test]
fn dealing_is_a_function_of_its_arguments_and_of_the_generator() {
    let setup = Members::new(4, &[3, 2]);
    let bytes = setup.deal(&[None, None], 10);
    assert_eq!(setup.deal(&[None, None], 10), bytes);
    assert_ne!(setup.deal(&[None, None], 11), bytes);
    // A change of this hash is a change of the format, of the challenges or of the use of randomness.
    let hash = Blake3::new(DomainTag::DealingHash).chain(&bytes).finish();
    assert_eq!(
        hex::encode(hash),
        "9868bed351886d2df47bed59e3c6aa81a07d66041b7eabe5bed228567bd7f23a"
    );
}

/// A generator that gives the same byte for ever.
struct Stuck(u8);

impl rand_core::TryRng for Stuck {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Stuck {}

#[test]
fn dealers_are_told_what_they_got_wrong() {
    let setup = Members::new(4, &[3, 2]);
    let dealt = |recipients: &Recipients, secrets: &[_], byte: u8| {
        deal(
            &setup.parameters,
            &CONTEXT,
            recipients,
            secrets,
            &mut Stuck(byte),
        )
        .map(|_| ())
    };
    let fewer = Recipients::parse(&setup.keys[..3]).unwrap();
    let error = DealError::Recipients {
        expected: 4,
        found: 3,
    };
    assert_eq!(dealt(&fewer, &[None, None], 1), Err(error));
    let error = DealError::Secrets {
        expected: 2,
        found: 1,
    };
    assert_eq!(dealt(&setup.recipients, &[None], 1), Err(error));
    // Shares of zero, and blinds that are never in range.
    assert_eq!(
        dealt(&setup.recipients, &[None, None], 0),
        Err(DealError::Unlucky)
    );
    assert_eq!(
        dealt(&setup.recipients, &[None, None], 0xff),
        Err(DealError::Unlucky)
    );
}

#[test]
fn parameters_are_bounded() {
    for members in [0, 3, 129, u16::MAX] {
        assert_eq!(
            Parameters::new(members, &[2]),
            Err(ParametersError::Members { members })
        );
    }
    for lanes in [0, 3] {
        assert_eq!(
            Parameters::new(4, &[2; 3][..lanes]),
            Err(ParametersError::Lanes { lanes })
        );
    }
    for (thresholds, lane, threshold) in [
        ([0, 2], 0, 0),
        ([5, 2], 0, 5),
        ([1, 0], 1, 0),
        ([4, 5], 1, 5),
    ] {
        let error = ParametersError::Threshold {
            lane,
            threshold,
            members: 4,
        };
        assert_eq!(Parameters::new(4, &thresholds), Err(error));
    }
    let parameters = Parameters::new(128, &[86, 43]).unwrap();
    assert_eq!(
        (parameters.members(), parameters.thresholds()),
        (128, &[86, 43][..])
    );
}
