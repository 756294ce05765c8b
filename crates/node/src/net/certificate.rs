//! A validator's self-signed certificate.
//!
//! The identity key thereby signs two kinds of messages besides those under its domain tags: the certificate's content,
//! which starts with the bytes 0x30 0x82, and TLS 1.3 transcripts, which start with 64 spaces. No domain tag starts with
//! either, so neither passes for the other.

use std::sync::Arc;

use quorate_crypto::identity::IdentitySecret;
use rcgen::{CertificateParams, PKCS_ED25519, PublicKeyData, SignatureAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use super::error::TlsError;

/// PKCS #8 of an Ed25519 seed, up to the seed (RFC 8410, 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Signs certificates with a key that rustls holds, so that no second copy of the secret exists.
struct Signer {
    key: Arc<dyn SigningKey>,
    public: [u8; 32],
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519]);
        let signer = signer.ok_or(rcgen::Error::RemoteKeyError)?;
        signer
            .sign(message)
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// The certificate of `secret` for one network.
pub(super) fn certified_key(
    secret: &IdentitySecret,
    network: &str,
) -> Result<CertifiedKey, TlsError> {
    let mut pkcs8 = Zeroizing::new([0; 48]);
    pkcs8[..16].copy_from_slice(&PKCS8_PREFIX);
    pkcs8[16..].copy_from_slice(&*secret.expose_bytes());
    let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))?;
    let signer = Signer {
        key: key.clone(),
        public: secret.public().0,
    };
    let parameters = CertificateParams::new(vec![network.to_owned()])?;
    let certificate = parameters.self_signed(&signer)?;
    let certificate = CertificateDer::from(certificate.der().to_vec());
    Ok(CertifiedKey::new(vec![certificate], key))
}
