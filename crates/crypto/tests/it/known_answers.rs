//! Signatures that others' networks made.

use quorate_crypto::bls::{G1, G2, hash_to_g2, pairing_product_is_one};
use quorate_crypto::{GroupKey, SignatureError};
use quorate_types::{Signature, ThresholdKey};
use sha2::{Digest, Sha256};

/// drand's quicknet, scheme bls-unchained-g1-rfc9380. The key is in drand's common/chain/info_test.go, the rounds in
/// Bas3d-Labs/drand-quicknet-evm, contracts/test/fixtures/quicknet-kat.json, fetched from api.drand.sh.
const QUICKNET_KEY: &str = concat!(
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451",
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
);
/// Round, signature, and the randomness that drand publishes: the signature's SHA-256.
const QUICKNET: [(u64, &str, &str); 6] = [
    (
        1,
        "b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38c2c2e12198df95571de8e8e402a0cc48871c7089a2b3af4b",
        "1466a6cd24e327188770752f6134001c64d6efcc590ccc26b721611ad96f165a",
    ),
    (
        2,
        "b6b6a585449b66eb12e875b64fcbab3799861a00e4dbf092d99e969a5eac57dd3f798acf61e705fe4f093db926626807",
        "5782d6987841c654515a0e72b2d1ebb4e741234042c37cb19608ae50d93fb60c",
    ),
    (
        255,
        "ac47b96c2937201d0fb2f108f1f0e3a05279d310906a3b01c8b09388e4aa2e9c5de30db4d78e358c2ee480d233047111",
        "7643c673e167bff7030228a1f75a763aacd4e66cd138066fa91a30ad75d69051",
    ),
    (
        256,
        "8a0cd30f3694c151cfdbc1aa529b0e7673a8a32c07243046905bb40bf31d83769a95c838e9e16160f7af858dea860bc0",
        "fc40470927e5d00267e70c8ccfe5735d9dc57f887922b2bd2e1dd2ce9e396936",
    ),
    (
        1000,
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
        "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
    ),
    (
        13335,
        "a38ab268d58c04ce2d22b8317e4b66ecda5fa8841c7215bf7733af8dbaed6c5e7d8d60b77817294a64b891f719bc1b40",
        "f4eb2e59448d155b1bc34337f2a4160ac5005429644ba61134779a8b8c6087b6",
    ),
];

/// drand's first network, scheme pedersen-bls-chained, whose signatures are in G2; drand/drand-client, test/data.ts.
const CHAINED_KEY: &str = "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31";
/// Round, signature, previous signature.
const CHAINED: [(u64, &str, &str); 2] = [
    (
        1,
        concat!(
            "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b101",
            "04990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655",
        ),
        "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a",
    ),
    (
        1000,
        concat!(
            "99bf96de133c3d3937293cfca10c8152b18ab2d034ccecf115658db324d2edc00a16a2044cd04a8a38e2a307e5ecff35",
            "11315be8d282079faf24098f283e0ed2c199663b334d2e84c55c032fe469b212c5c2087ebb83a5b25155c3283f5b79ac",
        ),
        concat!(
            "af0d93299a363735fe847f5ea241442c65843dc1bd3a7b79646b3b10072e908bf034d35cd69d378e3341f139100cd4cd",
            "03030399864ef8803a5a4f5e64fccc20bbae36d1ca22a6ddc43d2630c41105e90598fab11e5c7456df3925d4b577b113",
        ),
    ),
];

/// The Internet Computer; dfinity/agent-js, packages/bls-verify/src/index.test.ts.
const COMPUTER_KEY: &str = concat!(
    "a7623a93cdb56c4d23d99c14216afaab3dfd6d4f9eb3db23d038280b6d5cb2caaee2a19dd92c9df7001dede23bf036bc",
    "0f33982dfb41e8fa9b8e96b5dc3e83d55ca4dd146c7eb2e8b6859cb5a5db815db86810b8d12cee1588b5dbf34a4dc9a5",
);
const COMPUTER_SIGNATURE: &str = "b89e13a212c830586eaa9ad53946cd968718ebecc27eda849d9232673dcd4f440e8b5df39bf14a88048c15e16cbcaabe";

#[test]
fn quicknet_rounds_verify_one_by_one_and_together() {
    let key = key(QUICKNET_KEY);
    let messages: Vec<[u8; 32]> = QUICKNET
        .iter()
        .map(|(round, _, _)| Sha256::digest(round.to_be_bytes()).into())
        .collect();
    let mut items = Vec::new();
    for ((_, signature, randomness), message) in QUICKNET.iter().zip(&messages) {
        let signature = self::signature(signature);
        assert_eq!(key.verify(message, &signature), Ok(()));
        assert_eq!(hex::encode(Sha256::digest(signature.0)), *randomness);
        items.push((message.as_slice(), signature));
    }
    assert_eq!(key.verify_many(&items), Ok(()));
    for (message, other) in messages.iter().zip(messages.iter().skip(1)) {
        let (_, signature) = items.iter().find(|(signed, _)| signed == message).unwrap();
        assert_eq!(key.verify(other, signature), Err(SignatureError::Invalid));
    }
    let (first, last) = (items[0].1, items[5].1);
    (items[0].1, items[5].1) = (last, first);
    assert_eq!(key.verify_many(&items), Err(vec![0, 5]));
}

#[test]
fn chained_rounds_verify_with_signatures_in_g2() {
    let key = G1::from_bytes(&hex::decode(CHAINED_KEY).unwrap()).unwrap();
    for (round, signature, previous) in CHAINED {
        let signature = G2::from_bytes(&hex::decode(signature).unwrap()).unwrap();
        let verifies = |round: u64| {
            let message = Sha256::new()
                .chain_update(hex::decode(previous).unwrap())
                .chain_update(round.to_be_bytes())
                .finalize();
            let hash = hash_to_g2(&message, b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_");
            pairing_product_is_one(&[(G1::generator().negate(), signature), (key, hash)])
        };
        assert!(verifies(round));
        assert!(!verifies(round + 1));
    }
}

#[test]
fn internet_computer_signature_verifies() {
    let key = key(COMPUTER_KEY);
    let signature = signature(COMPUTER_SIGNATURE);
    assert_eq!(key.verify(b"hello", &signature), Ok(()));
    assert_eq!(
        key.verify(b"hallo", &signature),
        Err(SignatureError::Invalid)
    );
}

fn key(text: &str) -> GroupKey {
    GroupKey::parse(&ThresholdKey(crate::bytes(text))).unwrap()
}

fn signature(text: &str) -> Signature {
    Signature(crate::bytes(text))
}
