//! Which certificates are accepted: those of the committee's identity keys, for this network.
//!
//! Neither issuer nor validity period is looked at: the key is what is trusted, for as long as the epoch lasts.

use std::collections::BTreeMap;

use quorate_types::{IdentityKey, ValidatorIndex};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// `SubjectPublicKeyInfo` of an Ed25519 key, up to the key (RFC 8410, 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The one signature algorithm of handshakes.
fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::ring::default_provider().signature_verification_algorithms
}

/// The Ed25519 key of a certificate.
pub(super) fn identity_of(certificate: &CertificateDer<'_>) -> Result<IdentityKey, Error> {
    identity_of_parsed(&ParsedCertificate::try_from(certificate)?)
}

fn identity_of_parsed(certificate: &ParsedCertificate<'_>) -> Result<IdentityKey, Error> {
    let info = certificate.subject_public_key_info();
    info.strip_prefix(&SPKI_PREFIX)
        .and_then(|key| key.try_into().ok())
        .map(IdentityKey)
        .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// The key of a certificate that stands alone and names `network`.
fn identity_for(
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    network: &ServerName<'_>,
) -> Result<IdentityKey, Error> {
    if !intermediates.is_empty() {
        return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
    }
    let parsed = ParsedCertificate::try_from(certificate)?;
    verify_server_name(&parsed, network)?;
    identity_of_parsed(&parsed)
}

fn verify_handshake(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify_tls13_signature(message, certificate, signature, &algorithms())
}

fn no_tls12() -> Error {
    Error::General("peers speak TLS 1.3".to_owned())
}

/// Accepts one member as server.
#[derive(Debug)]
pub(super) struct ExpectedServer {
    pub(super) identity: IdentityKey,
    pub(super) network: ServerName<'static>,
}

impl ServerCertVerifier for ExpectedServer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let identity = identity_for(certificate, intermediates, &self.network)?;
        if identity != self.identity {
            let refusal = CertificateError::ApplicationVerificationFailure;
            return Err(Error::InvalidCertificate(refusal));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Accepts the other members as clients.
#[derive(Debug)]
pub(super) struct KnownClients {
    pub(super) members: BTreeMap<IdentityKey, ValidatorIndex>,
    pub(super) network: ServerName<'static>,
}

impl ClientCertVerifier for KnownClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let identity = identity_for(certificate, intermediates, &self.network)?;
        if !self.members.contains_key(&identity) {
            let refusal = CertificateError::ApplicationVerificationFailure;
            return Err(Error::InvalidCertificate(refusal));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
