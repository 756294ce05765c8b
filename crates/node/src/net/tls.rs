//! TLS configurations of one member among others: a validator in an epoch, a member of a ceremony.

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
/// The name in certificates of ceremonies. No committee's name looks like it.
const CEREMONY_NETWORK: &str = "ceremony.quorate.internal";

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
    /// Member `me` of a committee, in its epoch.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(
        committee: &Committee,
        me: ValidatorIndex,
        secret: &IdentitySecret,
    ) -> Result<Self, TlsError> {
        let members = committee.members().iter();
        let identities = members.map(|member| member.identity).collect();
        Self::for_members(identities, network_name(committee), me, secret)
    }

    /// Member `me` of a ceremony among `identities`, in the order of the definition.
    ///
    /// The network's name is the same for all ceremonies, on purpose: members that run different definitions get as far
    /// as Hello, which compares ceremony ids, and so learn what is wrong instead of seeing each other refuse TLS.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn for_ceremony(
        identities: Vec<IdentityKey>,
        me: ValidatorIndex,
        secret: &IdentitySecret,
    ) -> Result<Self, TlsError> {
        Self::for_members(identities, CEREMONY_NETWORK.to_owned(), me, secret)
    }

    /// Makes the certificate of member `me` and the server's configuration.
    fn for_members(
        identities: Vec<IdentityKey>,
        name: String,
        me: ValidatorIndex,
        secret: &IdentitySecret,
    ) -> Result<Self, TlsError> {
        let expected = *identities
            .get(me.position())
            .ok_or(TlsError::NoSuchMember {
                index: me,
                size: size_of(&identities),
            })?;
        let found = secret.public();
        if expected != found {
            return Err(TlsError::WrongIdentity {
                index: me,
                expected,
                found,
            });
        }
        let key = Arc::new(OwnKey {
            key: Arc::new(certified_key(secret, &name)?),
            network: name.clone(),
        });
        let network = ServerName::try_from(name).expect("the name is a DNS name by construction");
        let members: BTreeMap<IdentityKey, ValidatorIndex> = (0..)
            .map(ValidatorIndex)
            .zip(&identities)
            .filter(|(index, _)| *index != me)
            .map(|(index, identity)| (*identity, index))
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
            size: size_of(&self.identities),
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

    /// The name that both sides' certificates carry: epoch, shard and half of the chain's id; one name for all ceremonies.
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

fn size_of(identities: &[IdentityKey]) -> u16 {
    u16::try_from(identities.len()).expect("committees are small")
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
