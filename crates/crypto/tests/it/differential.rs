//! blst against the pure-Rust `bls12_381`: two libraries, one verdict.

use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective, Scalar as OtherScalar, pairing};
use proptest::prelude::*;
use quorate_crypto::bls::PreparedG2;
use quorate_crypto::bls::{
    DST, G1, G2, PointError, Scalar, hash_to_g1, hash_to_g2, pairings_equal,
};
use quorate_crypto::{ShareSecret, threshold};
use quorate_types::Signature;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The field's modulus, big-endian.
const MODULUS: &str = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

fn other(scalar: &Scalar) -> OtherScalar {
    let mut bytes = scalar.to_bytes();
    bytes.reverse();
    OtherScalar::from_bytes(&bytes).unwrap()
}

fn scalar() -> impl Strategy<Value = Scalar> {
    any::<[u8; 32]>().prop_map(|bytes| Scalar::from_wide_bytes(&bytes))
}

/// The smallest x from `start` on that `compressed` turns into an encoding for which `wanted` holds.
fn first_encoding<const N: usize>(wanted: impl Fn(&[u8; N]) -> bool) -> [u8; N] {
    (1u8..=255)
        .map(|x| {
            let mut bytes = [0; N];
            bytes[0] = 0x80;
            bytes[N - 1] = x;
            bytes
        })
        .find(wanted)
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn encodings_and_arithmetic_agree(a in scalar(), b in scalar()) {
        let left = G1::generator().multiply(&a);
        let other_left = G1Affine::generator() * other(&a);
        prop_assert_eq!(left.to_bytes(), G1Affine::from(other_left).to_compressed());
        prop_assert_eq!(G1::from_bytes(&left.to_bytes()), Ok(left));
        prop_assert_eq!(left.negate().to_bytes(), G1Affine::from(-other_left).to_compressed());
        let sum = left.add(&G1::generator().multiply(&b));
        let other_sum = other_left + G1Affine::generator() * other(&b);
        prop_assert_eq!(sum.to_bytes(), G1Affine::from(other_sum).to_compressed());
        prop_assert_eq!(left.add(&left).to_bytes(), G1Affine::from(other_left + other_left).to_compressed());

        let right = G2::generator().multiply(&a);
        let other_right = G2Affine::generator() * other(&a);
        prop_assert_eq!(right.to_bytes(), G2Affine::from(other_right).to_compressed());
        prop_assert_eq!(G2::from_bytes(&right.to_bytes()), Ok(right));
        prop_assert_eq!(right.negate().to_bytes(), G2Affine::from(-other_right).to_compressed());
        prop_assert_eq!(right.add(&right).to_bytes(), G2Affine::from(other_right + other_right).to_compressed());
    }

    #[test]
    fn hashes_agree(message in proptest::collection::vec(any::<u8>(), 0..200)) {
        type Expand = ExpandMsgXmd<sha2_010::Sha256>;
        let point = <G1Projective as HashToCurve<Expand>>::hash_to_curve([&message], DST);
        prop_assert_eq!(hash_to_g1(&message, DST).to_bytes(), G1Affine::from(point).to_compressed());
        let point = <G2Projective as HashToCurve<Expand>>::hash_to_curve([&message], DST);
        prop_assert_eq!(hash_to_g2(&message, DST).to_bytes(), G2Affine::from(point).to_compressed());
    }

    #[test]
    fn signatures_agree(seed: u64, message: [u8; 40]) {
        type Expand = ExpandMsgXmd<sha2_010::Sha256>;
        let secret = ShareSecret::random(&mut ChaCha20Rng::seed_from_u64(seed));
        let signature = secret.sign_share(&message);
        let key = G2Affine::from_compressed(&secret.public_key().0).unwrap();
        let point = G1Affine::from_compressed(&signature.0).unwrap();
        let hash = <G1Projective as HashToCurve<Expand>>::hash_to_curve([&message], DST);
        prop_assert_eq!(pairing(&point, &G2Affine::generator()), pairing(&hash.into(), &key));

        let number = other(&Scalar::from_bytes(&secret.expose_bytes()).unwrap());
        let theirs = Signature(G1Affine::from(hash * number).to_compressed());
        let key = G2::from_bytes(&secret.public_key().0).unwrap();
        prop_assert_eq!(threshold::verify(&key, &message, &theirs), Ok(()));
    }

    #[test]
    fn both_accept_the_same_bytes(mut bytes: [u8; 48], mut long: [u8; 96], flags in 0u8..8) {
        // Of random x with good flags, half are on the curve and none is in the subgroup.
        bytes[0] = bytes[0] & 0x1f | flags << 5;
        long[0] = long[0] & 0x1f | flags << 5;
        prop_assert_eq!(G1::from_bytes(&bytes).is_ok(), bool::from(G1Affine::from_compressed(&bytes).is_some()));
        prop_assert_eq!(G2::from_bytes(&long).is_ok(), bool::from(G2Affine::from_compressed(&long).is_some()));
        let outside = G1::from_bytes(&bytes) == Err(PointError::NotInSubgroup);
        prop_assert_eq!(outside, bool::from(G1Affine::from_compressed_unchecked(&bytes).is_some()) && flags & 2 == 0);
        let outside = G2::from_bytes(&long) == Err(PointError::NotInSubgroup);
        prop_assert_eq!(outside, bool::from(G2Affine::from_compressed_unchecked(&long).is_some()) && flags & 2 == 0);
    }
}

#[test]
fn multi_scalar_multiplications_agree_with_plain_sums() {
    // Sizes on both sides of where blst changes its algorithm (1, 32), with repeated points and identities among them.
    for size in [0u64, 1, 2, 3, 31, 32, 33, 70] {
        let scalars: Vec<Scalar> = (0..size)
            .map(|number| match number % 5 {
                0 => -Scalar::from(number),
                1 => Scalar::zero(),
                _ => Scalar::from_wide_bytes(&[u8::try_from(number).unwrap(); 40]),
            })
            .collect();
        let factors: Vec<Scalar> = (0..size)
            .map(|number| Scalar::from(number * number % 11))
            .collect();
        let total: Scalar = scalars
            .iter()
            .zip(&factors)
            .map(|(left, right)| *left * *right)
            .sum();
        let points: Vec<G1> = factors
            .iter()
            .map(|factor| G1::generator().multiply(factor))
            .collect();
        assert_eq!(
            G1::multi_scalar(&points, &scalars),
            G1::generator().multiply(&total),
            "{size} in G1"
        );
        let points: Vec<G2> = factors
            .iter()
            .map(|factor| G2::generator().multiply(factor))
            .collect();
        assert_eq!(
            G2::multi_scalar(&points, &scalars),
            G2::generator().multiply(&total),
            "{size} in G2"
        );
    }
}

#[test]
fn prepared_pairings_agree() {
    let (a, b) = (Scalar::from(31), Scalar::from(97));
    let left = G1::generator().multiply(&a);
    let right = PreparedG2::new(G2::generator().multiply(&b));
    let product = G1::generator().multiply(&(a * b));
    assert!(pairings_equal(
        (&left, &right),
        (&product, &PreparedG2::new(G2::generator()))
    ));
    let theirs = pairing(
        &G1Affine::from_compressed(&left.to_bytes()).unwrap(),
        &G2Affine::from_compressed(&right.point().to_bytes()).unwrap(),
    );
    let product = G1Affine::from_compressed(&product.to_bytes()).unwrap();
    assert_eq!(theirs, pairing(&product, &G2Affine::generator()));
}

#[test]
fn points_outside_the_subgroup_are_refused() {
    let bytes = first_encoding(|bytes| {
        G1Affine::from_compressed_unchecked(bytes).is_some().into()
            && bool::from(G1Affine::from_compressed(bytes).is_none())
    });
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::NotInSubgroup));
    let bytes = first_encoding(|bytes| {
        G2Affine::from_compressed_unchecked(bytes).is_some().into()
            && bool::from(G2Affine::from_compressed(bytes).is_none())
    });
    assert_eq!(G2::from_bytes(&bytes), Err(PointError::NotInSubgroup));
    // x = 0 is on G1's curve and has order three.
    let mut bytes = [0; 48];
    bytes[0] = 0x80;
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::NotInSubgroup));
}

#[test]
fn points_off_the_curve_are_refused() {
    let bytes = first_encoding(|bytes| G1Affine::from_compressed_unchecked(bytes).is_none().into());
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::NotOnCurve));
    let bytes = first_encoding(|bytes| G2Affine::from_compressed_unchecked(bytes).is_none().into());
    assert_eq!(G2::from_bytes(&bytes), Err(PointError::NotOnCurve));
}

#[test]
fn malformed_encodings_are_refused_with_their_reason() {
    for length in [0, 47, 49, 96] {
        let error = PointError::Length {
            expected: 48,
            found: length,
        };
        assert_eq!(G1::from_bytes(&vec![0x80; length]), Err(error));
    }
    let error = PointError::Length {
        expected: 96,
        found: 48,
    };
    assert_eq!(G2::from_bytes(&[0x80; 48]), Err(error));

    let generator = G1::generator().to_bytes();
    let with_first = |first: u8| {
        let mut bytes = [0; 48];
        bytes[0] = first;
        bytes
    };
    assert_eq!(G1::from_bytes(&with_first(0xc0)), Err(PointError::Identity));
    assert_eq!(
        G2::from_bytes(&G2::identity().to_bytes()),
        Err(PointError::Identity)
    );
    // The identity with a sign, uncompressed, or with an x coordinate.
    assert_eq!(G1::from_bytes(&with_first(0xe0)), Err(PointError::Encoding));
    assert_eq!(G1::from_bytes(&with_first(0x40)), Err(PointError::Encoding));
    assert_eq!(G1::from_bytes(&with_first(0xc1)), Err(PointError::Encoding));
    let mut bytes = with_first(0xc0);
    bytes[47] = 1;
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::Encoding));
    // A point without the flag of compression.
    let mut bytes = generator;
    bytes[0] &= 0x7f;
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::Encoding));
    // The other sign is the other point.
    let mut bytes = generator;
    bytes[0] ^= 0x20;
    assert_eq!(G1::from_bytes(&bytes), Ok(G1::generator().negate()));
    // x = p, and the largest x that has the room.
    let mut bytes: [u8; 48] = crate::bytes(MODULUS);
    bytes[0] |= 0x80;
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::Encoding));
    let mut bytes = [0xff; 48];
    bytes[0] = 0x9f;
    assert_eq!(G1::from_bytes(&bytes), Err(PointError::Encoding));
    // In G2 either half of x may be too large.
    let modulus: [u8; 48] = crate::bytes(MODULUS);
    let mut bytes = [modulus, [0; 48]].concat();
    bytes[0] |= 0x80;
    assert_eq!(G2::from_bytes(&bytes), Err(PointError::Encoding));
    let mut bytes = [[0; 48], modulus].concat();
    bytes[0] |= 0x80;
    assert_eq!(G2::from_bytes(&bytes), Err(PointError::Encoding));
}
