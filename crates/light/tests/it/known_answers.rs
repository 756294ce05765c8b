//! Signatures that others made.

use std::io::Write as _;
use std::path::PathBuf;

use bls12_381::{G2Affine, G2Projective, Scalar};
use quorate_light::{LightError, verify_message};
use quorate_types::{Signature, ThresholdKey};
use sha2::{Digest, Sha256};

/// The group key of drand's quicknet: drand, common/chain/info_test.go.
const QUICKNET_KEY: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
/// Rounds of quicknet: Bas3d-Labs, drand-quicknet-evm, contracts/test/fixtures/quicknet-kat.json.
const QUICKNET_ROUNDS: [(u64, &str); 3] = [
    (
        1,
        "b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38c2c2e12198df95571de8e8e402a0cc48871c7089a2b3af4b",
    ),
    (
        256,
        "8a0cd30f3694c151cfdbc1aa529b0e7673a8a32c07243046905bb40bf31d83769a95c838e9e16160f7af858dea860bc0",
    ),
    (
        13335,
        "a38ab268d58c04ce2d22b8317e4b66ecda5fa8841c7215bf7733af8dbaed6c5e7d8d60b77817294a64b891f719bc1b40",
    ),
];

/// "hello", signed on the Internet Computer: dfinity, agent-js, packages/bls-verify/src/index.test.ts.
const INTERNET_COMPUTER_KEY: &str = "a7623a93cdb56c4d23d99c14216afaab3dfd6d4f9eb3db23d038280b6d5cb2caaee2a19dd92c9df7001dede23bf036bc0f33982dfb41e8fa9b8e96b5dc3e83d55ca4dd146c7eb2e8b6859cb5a5db815db86810b8d12cee1588b5dbf34a4dc9a5";
const INTERNET_COMPUTER_HELLO: &str = "b89e13a212c830586eaa9ad53946cd968718ebecc27eda849d9232673dcd4f440e8b5df39bf14a88048c15e16cbcaabe";

/// Secret key, message and signature: noble-curves, its vectors of short signatures.
const NOBLE: [&str; 4] = [
    "25d8cef413ba263e8d5732d3fca51fd369db74712655a5fd7b0b3a58d8095be8::800134e27aacc74dc91153a6bd65f96a5f8c8365c722da2f1e12eb048e0aed6987fa4168a51241ce41434fd05fd4bdd9",
    "611810ebd8f5a7faad47b2249f9d13be0506131db987b6948f1ca3194fa6b643:68:94250c0cc62ae9041c6f6e5042202b3c327991ce4b2841a4145d270f6c8311bc95673c826ada72a6d69e92a833d649e6",
    "419bb1de76e11a476f8d5cc5d85a648ec04f24bf75f6cf1f3fae43e57bf9a491:c8d0:898f660c5b26e8c9461ab3f42eb394465d5a115702c05d2a2bc761a8873ac0f33d21f9ea9cf4c435cd31391f5c8c0a91",
    "50ff7bd9b21916e55debbd0757e945386b6159ef481d9d774ee67d9b07d0e4ed:7e846556:8d8d9e84012c9c0958018202fe944b4517b618cb7df0b61b1f1ce40b43c2da6330ee0c30a37ac6c7ba0f16aeaa5b99db",
];

fn expect_signed(key: &str, message: &[u8], signature: &str) {
    let key = ThresholdKey::from_hex(key).unwrap();
    let signature = Signature::from_hex(signature).unwrap();
    assert_eq!(verify_message(&key, message, &signature), Ok(()));
    let other = [message, b"!"].concat();
    assert_eq!(
        verify_message(&key, &other, &signature),
        Err(LightError::NotSigned)
    );
}

fn expect_quicknet(key: &str, round: u64, signature: &str) {
    expect_signed(key, &Sha256::digest(round.to_be_bytes()), signature);
}

fn expect_noble(line: &str) {
    let fields: Vec<&str> = line.split(':').collect();
    let [secret, message, signature] = fields[..] else {
        panic!("three fields a line: {line}");
    };
    let mut secret: [u8; 32] = hex::decode(secret).unwrap().try_into().unwrap();
    secret.reverse();
    let secret = Scalar::from_bytes(&secret).unwrap();
    let key = G2Affine::from(G2Projective::generator() * secret).to_compressed();
    expect_signed(&hex::encode(key), &hex::decode(message).unwrap(), signature);
}

#[test]
fn rounds_of_drand_quicknet_verify() {
    for (round, signature) in QUICKNET_ROUNDS {
        expect_quicknet(QUICKNET_KEY, round, signature);
    }
}

#[test]
fn the_internet_computers_signature_verifies() {
    expect_signed(INTERNET_COMPUTER_KEY, b"hello", INTERNET_COMPUTER_HELLO);
    let key = ThresholdKey::from_hex(INTERNET_COMPUTER_KEY).unwrap();
    let signature = Signature::from_hex(INTERNET_COMPUTER_HELLO).unwrap();
    assert_eq!(
        verify_message(&key, b"hallo", &signature),
        Err(LightError::NotSigned)
    );
}

#[test]
fn nobles_signatures_verify() {
    NOBLE.into_iter().for_each(expect_noble);
}

/// A file of the vectors kept beside the checkout; `None`, loudly, where there are none.
fn shared_vectors(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        // Written past the test harness, which hides what a passing test prints.
        let mut stderr = std::io::stderr();
        writeln!(
            stderr,
            "SKIPPED: no vectors at {}; only the embedded ones are checked",
            path.display()
        )
        .unwrap();
    }
    text
}

#[test]
fn the_larger_sets_verify() {
    if let Some(text) = shared_vectors("bls-known-answers.json") {
        let answers: serde_json::Value = serde_json::from_str(&text).unwrap();
        let quicknet = &answers["quicknet"];
        let rounds = quicknet["rounds"].as_array().unwrap();
        assert!(rounds.len() >= QUICKNET_ROUNDS.len());
        for round in rounds {
            expect_quicknet(
                quicknet["public_key_g2"].as_str().unwrap(),
                round["round"].as_u64().unwrap(),
                round["signature"].as_str().unwrap(),
            );
        }
    }
    if let Some(text) = shared_vectors("min-sig/sign-noble-64.txt") {
        assert!(text.lines().count() >= NOBLE.len());
        text.lines()
            .filter(|line| !line.is_empty())
            .for_each(expect_noble);
    }
}
