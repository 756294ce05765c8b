//! Signing against noble-curves' min-sig vectors: secret key, message and signature.

use quorate_crypto::{GroupKey, ShareSecret, SignatureError, threshold};
use quorate_types::Signature;

/// The first rows and the last of sign-noble-64.txt.
const ROWS: [&str; 4] = [
    concat!(
        "25d8cef413ba263e8d5732d3fca51fd369db74712655a5fd7b0b3a58d8095be8::800134e27aacc74dc91153a6bd65f9",
        "6a5f8c8365c722da2f1e12eb048e0aed6987fa4168a51241ce41434fd05fd4bdd9",
    ),
    concat!(
        "611810ebd8f5a7faad47b2249f9d13be0506131db987b6948f1ca3194fa6b643:68:94250c0cc62ae9041c6f6e504220",
        "2b3c327991ce4b2841a4145d270f6c8311bc95673c826ada72a6d69e92a833d649e6",
    ),
    concat!(
        "419bb1de76e11a476f8d5cc5d85a648ec04f24bf75f6cf1f3fae43e57bf9a491:c8d0:898f660c5b26e8c9461ab3f42e",
        "b394465d5a115702c05d2a2bc761a8873ac0f33d21f9ea9cf4c435cd31391f5c8c0a91",
    ),
    concat!(
        "0f6c6c95d4d24a72caee5861097970c074842ca0183982006d0d5b9fdcb65513:67ae1492457369dc0b494a5142c0e72",
        "1613848a76870d369ab53bc4e7599398cb49c89e08b703366bfb964301e09c7b99350283e31616ecf4ae999fbff00e7:",
        "ad5378c136d51ca64e4fa7f21aa6732222622b80f30c5dd4ecc572e645a9ee2001a72b43284658d32ef10eb4c1018b95",
    ),
];

#[test]
fn embedded_vectors() {
    ROWS.into_iter().for_each(check);
}

#[test]
fn all_vectors() {
    let Some(text) = crate::shared_vectors("min-sig/sign-noble-64.txt") else {
        return;
    };
    let rows = text.lines().filter(|line| !line.is_empty());
    assert_eq!(rows.map(check).count(), 64);
}

fn check(row: &str) {
    let fields: Vec<&str> = row.split(':').collect();
    let [secret, message, signature] = fields[..] else {
        panic!("three fields in {row}");
    };
    let secret = ShareSecret::from_bytes(&crate::bytes(secret)).unwrap();
    let message = hex::decode(message).unwrap();
    let signature = Signature(crate::bytes(signature));
    assert_eq!(secret.sign_share(&message), signature);
    let key = GroupKey::parse(&secret.public_key()).unwrap();
    assert_eq!(key.verify(&message, &signature), Ok(()));
    assert_eq!(threshold::verify(key.point(), &message, &signature), Ok(()));
    let other = [message.as_slice(), b"!"].concat();
    assert_eq!(key.verify(&other, &signature), Err(SignatureError::Invalid));
    assert_eq!(
        threshold::verify(key.point(), &other, &signature),
        Err(SignatureError::Invalid)
    );
}
