//! Ed25519 under ZIP 215.

use proptest::prelude::*;
use quorate_crypto::identity::{verify, verify_batch};
use quorate_crypto::{IdentityPublic, IdentitySecret, SignatureError};
use quorate_types::{DomainTag, IdentityKey, IdentitySignature};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Encodings of the points of small order, the canonical ones first.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];
/// The order of the prime-order subgroup, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
/// No point of the curve has this y coordinate.
const NO_POINT: &str = "0200000000000000000000000000000000000000000000000000000000000000";

const TAG: DomainTag = DomainTag::BlockSignature;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn signature(r: &str, s: [u8; 32]) -> IdentitySignature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&crate::bytes::<32>(r));
    bytes[32..].copy_from_slice(&s);
    IdentitySignature(bytes)
}

#[test]
fn keys_and_signatures_are_those_of_rfc_8032() {
    // Seed and key of test 3 of RFC 8032 section 7.1. The signature is OpenSSL 3.0's, of "peer" and four zero bytes,
    // followed by af82.
    let seed = crate::bytes("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    let secret = IdentitySecret::from_bytes(&seed);
    let key = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
    assert_eq!(secret.public(), IdentityKey(crate::bytes(key)));
    assert_eq!(*secret.expose_bytes(), seed);
    let expected = concat!(
        "4ca5c01a19c2d827cce72269643633761784949eeac7eceb519f78c052482f86",
        "d245796f5e070abd59f25ca80b47859a68bd450ae637f1d44463992e150f0201",
    );
    let signature = secret.sign(DomainTag::Peer, &[0xaf, 0x82]);
    assert_eq!(signature, IdentitySignature(crate::bytes(expected)));
}

#[test]
fn a_signature_is_bound_to_key_tag_and_message() {
    let secret = IdentitySecret::generate(&mut rng());
    let other = IdentitySecret::from_bytes(&[9; 32]);
    let signature = secret.sign(TAG, b"message");
    let key = secret.public();
    assert_eq!(verify(&key, TAG, b"message", &signature), Ok(()));
    assert_eq!(
        verify(&key, TAG, b"massage", &signature),
        Err(SignatureError::Invalid)
    );
    assert_eq!(
        verify(&key, DomainTag::Peer, b"message", &signature),
        Err(SignatureError::Invalid)
    );
    assert_eq!(
        verify(&other.public(), TAG, b"message", &signature),
        Err(SignatureError::Invalid)
    );
    let parsed = IdentityPublic::parse(&key).unwrap();
    assert_eq!(parsed.key(), key);
    assert_eq!(parsed.verify(TAG, b"message", &signature), Ok(()));
}

#[test]
fn small_order_points_verify_alone_and_in_batches() {
    // With s = 0 the cofactored equation holds for every key and nonce of small order, in any encoding (ZIP 215).
    let mut items = Vec::new();
    for key in SMALL_ORDER {
        for nonce in SMALL_ORDER {
            let key = IdentityKey(crate::bytes(key));
            let signature = signature(nonce, [0; 32]);
            assert_eq!(verify(&key, TAG, b"Zcash", &signature), Ok(()));
            assert_eq!(
                verify_batch(&[(key, TAG, b"Zcash", signature)], &mut rng()),
                Ok(())
            );
            items.push((key, TAG, b"Zcash".as_slice(), signature));
        }
    }
    assert_eq!(verify_batch(&items, &mut rng()), Ok(()));
}

#[test]
fn malformed_items_are_refused_alone_and_in_batches() {
    let secret = IdentitySecret::from_bytes(&[1; 32]);
    let good = (
        secret.public(),
        TAG,
        b"m".as_slice(),
        secret.sign(TAG, b"m"),
    );
    let small = IdentityKey(crate::bytes(SMALL_ORDER[0]));
    let no_key = IdentityKey(crate::bytes(NO_POINT));
    let bad = [
        (
            no_key,
            signature(SMALL_ORDER[0], [0; 32]),
            SignatureError::Key,
        ),
        (small, signature(NO_POINT, [0; 32]), SignatureError::Invalid),
        // s is not below the order.
        (
            small,
            signature(SMALL_ORDER[0], crate::bytes(ORDER)),
            SignatureError::Invalid,
        ),
        (
            small,
            signature(SMALL_ORDER[0], [0xff; 32]),
            SignatureError::Invalid,
        ),
    ];
    for (key, signature, error) in bad {
        assert_eq!(verify(&key, TAG, b"m", &signature), Err(error));
        let item = (key, TAG, b"m".as_slice(), signature);
        assert_eq!(verify_batch(&[item], &mut rng()), Err(vec![0]));
        assert_eq!(
            verify_batch(&[good, good, item, good, item], &mut rng()),
            Err(vec![2, 4])
        );
    }
    assert_eq!(verify_batch(&[], &mut rng()), Ok(()));
}

#[test]
fn a_batch_takes_the_same_randomness_whatever_its_outcome() {
    let secret = IdentitySecret::from_bytes(&[1; 32]);
    let good = (
        secret.public(),
        TAG,
        b"m".as_slice(),
        secret.sign(TAG, b"m"),
    );
    let bad = (secret.public(), TAG, b"n".as_slice(), good.3);
    let next = |items: &[_]| {
        let mut rng = rng();
        let _ = verify_batch(items, &mut rng);
        rng.next_u64()
    };
    assert_eq!(next(&[good, good, good]), next(&[bad, good, bad]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_names_what_single_verification_refuses(kinds in proptest::collection::vec(0u8..8, 0..40), seed: u64) {
        let secrets: Vec<_> = (0..4).map(|seed| IdentitySecret::from_bytes(&[seed; 32])).collect();
        let messages: Vec<[u8; 2]> = (0..kinds.len()).map(|item| u16::try_from(item).unwrap().to_le_bytes()).collect();
        let items: Vec<_> = kinds
            .iter()
            .zip(&messages)
            .enumerate()
            .map(|(position, (kind, message))| {
                let secret = &secrets[position % secrets.len()];
                let mut signature = secret.sign(TAG, message);
                let mut key = secret.public();
                match kind {
                    0 => signature.0[3] ^= 1,
                    1 => signature.0[40] ^= 1,
                    2 => key = IdentityKey(crate::bytes(NO_POINT)),
                    _ => {}
                }
                (key, TAG, message.as_slice(), signature)
            })
            .collect();
        let refused = |position: &usize| {
            let (key, tag, message, signature) = &items[*position];
            verify(key, *tag, message, signature).is_err()
        };
        let expected: Vec<usize> = (0..items.len()).filter(refused).collect();
        let found = verify_batch(&items, &mut ChaCha20Rng::seed_from_u64(seed)).err().unwrap_or_default();
        prop_assert_eq!(found, expected);
    }
}
