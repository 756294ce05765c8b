//! TLS configurations of one validator in one epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::identity::IdentitySecret;
use quorate_types::{Committee, IdentityKey, ValidatorIndex};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use super::certificate::certified_key;
use super::error::TlsError;
use super::verifier::{ExpectedServer, KnownClients, identity_of};

const ALPN: &[u8] = b"h2";

/// How one validator proves itself to its committee, and whom it believes.
#[derive(Clone, Debug)]
pub struct PeerTls {
    network: ServerName<'static>,
    key: Arc<OwnKey>,
    identities: Vec<IdentityKey>,
    members: BTreeMap<IdentityKey, ValidatorIndex>,
    server: Arc<ServerConfig>,
}

impl PeerTls {
    /// Makes the certificate of member `me` and the server's configuration.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(
        committee: &Committee,
        me: ValidatorIndex,
        secret: &IdentitySecret,
    ) -> Result<Self, TlsError> {
        let member = committee.member(me).ok_or(TlsError::NoSuchMember {
            index: me,
            size: committee.size(),
        })?;
        let found = secret.public();
        if member.identity != found {
            return Err(TlsError::WrongIdentity {
                index: me,
                expected: member.identity,
                found,
            });
        }
        let name = network_name(committee);
        let key = Arc::new(OwnKey {
            key: Arc::new(certified_key(secret, &name)?),
            network: name.clone(),
        });
        let network = ServerName::try_from(name).expect("the name is a DNS name by construction");
        let identities: Vec<IdentityKey> = committee
            .members()
            .iter()
            .map(|member| member.identity)
            .collect();
        let members: BTreeMap<IdentityKey, ValidatorIndex> = committee
            .indices()
            .map(|index| (identities[index.position()], index))
            .filter(|(_, index)| *index != me)
            .collect();
        let verifier = KnownClients {
            members: members.clone(),
            network: network.clone(),
        };
        let server = server_config(&key, verifier)?;
        Ok(Self {
            network,
            key,
            identities,
            members,
            server: Arc::new(server),
        })
    }

    /// The configuration to accept other members with.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// The configuration to dial member `expected` with; everybody else is refused.
    ///
    /// # Errors
    /// [`TlsError::NoSuchMember`].
    pub fn client_config(&self, expected: ValidatorIndex) -> Result<Arc<ClientConfig>, TlsError> {
        let identity = self.identities.get(expected.position());
        let identity = *identity.ok_or(TlsError::NoSuchMember {
            index: expected,
            size: u16::try_from(self.identities.len()).expect("committees are small"),
        })?;
        let verifier = ExpectedServer {
            identity,
            network: self.network.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(self.key.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Every connection proves its identity anew.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// The name that both sides' certificates carry: epoch, shard and half of the chain's id.
    #[must_use]
    pub const fn network(&self) -> &ServerName<'static> {
        &self.network
    }

    /// n.
    pub(super) fn size(&self) -> usize {
        self.identities.len()
    }

    /// Which member a verified certificate belongs to.
    pub(super) fn member_of(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Option<(ValidatorIndex, IdentityKey)> {
        let identity = identity_of(certificate).ok()?;
        Some((*self.members.get(&identity)?, identity))
    }
}

fn server_config(key: &Arc<OwnKey>, verifier: KnownClients) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(key.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No resumption: every connection proves its identity anew.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A name under `.internal`, which no registrar sells. A DNS label has at most 63 characters, so half of the chain's id
/// has to do; Hello compares all of it.
fn network_name(committee: &Committee) -> String {
    let chain = committee.chain().to_hex();
    let (epoch, shard) = (committee.epoch(), committee.shard());
    format!(
        "epoch-{epoch}.shard-{shard}.{}.quorate.internal",
        &chain[..32]
    )
}

/// The own certificate, shown only within the own network.
#[derive(Debug)]
struct OwnKey {
    key: Arc<CertifiedKey>,
    network: String,
}

impl ResolvesServerCert for OwnKey {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        (hello.server_name() == Some(self.network.as_str())).then(|| self.key.clone())
    }
}

impl ResolvesClientCert for OwnKey {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        schemes
            .contains(&SignatureScheme::ED25519)
            .then(|| self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
