//! Members of one ceremony in one process.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use quorate_crypto::pvss::EncryptionSecret;
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_dkg::{Ceremony, Definition, Enrolment, Purpose, Transcript};
use quorate_node::ceremony::{
    CeremonyConfig, CeremonyError, CeremonyNode, CeremonySecrets, CeremonyStatus, SHARE_FILE,
    TRANSCRIPT_FILE, Until,
};
use quorate_node::keystore::{Keystore, Passphrase, ScryptCost};
use quorate_types::{Decode, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;
use tokio::time::timeout;

/// Far above what anything takes on a loaded machine: it only ends a test that hangs.
pub(crate) const HANG: Duration = Duration::from_secs(120);

pub(crate) struct World {
    pub(crate) ceremony: Ceremony,
    directory: TempDir,
    addresses: Vec<SocketAddr>,
    organiser: IdentitySecret,
}

/// An address that a member can have again after a restart. Ports that the system gives out would be taken by outgoing
/// connections meanwhile, so these are below its range.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 400).unwrap() * 25;
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

pub(crate) fn identity(index: u16) -> IdentitySecret {
    IdentitySecret::generate(&mut ChaCha20Rng::seed_from_u64(1_000 + u64::from(index)))
}

pub(crate) fn encryption(index: u16) -> EncryptionSecret {
    EncryptionSecret::generate(&mut ChaCha20Rng::seed_from_u64(2_000 + u64::from(index)))
}

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::new("correct horse")
}

impl World {
    /// Four members with addresses of their own.
    pub(crate) fn new() -> Self {
        let addresses: Vec<SocketAddr> = (0..4).map(|_| free_address()).collect();
        let organiser = identity(99);
        Self {
            ceremony: Ceremony::new(definition(&addresses, &organiser, 0)).unwrap(),
            directory: tempfile::tempdir().unwrap(),
            addresses,
            organiser,
        }
    }

    /// The same members, another ceremony.
    pub(crate) fn other_ceremony(&self) -> Ceremony {
        Ceremony::new(definition(&self.addresses, &self.organiser, 1)).unwrap()
    }

    pub(crate) fn address(&self, index: u16) -> SocketAddr {
        self.addresses[usize::from(index)]
    }

    pub(crate) fn data_dir(&self, index: u16) -> PathBuf {
        self.directory.path().join(format!("member-{index}"))
    }

    pub(crate) fn config(&self, index: u16) -> CeremonyConfig {
        CeremonyConfig {
            ceremony: self.ceremony.clone(),
            data_dir: self.data_dir(index),
            listen: self.address(index),
            admin: "127.0.0.1:0".parse().unwrap(),
            peers: BTreeMap::new(),
            until: Until::All,
            recover: false,
            scrypt: ScryptCost::DEVNET,
        }
    }

    pub(crate) async fn start(&self, index: u16) -> CeremonyNode {
        self.start_with(self.config(index), index).await.unwrap()
    }

    pub(crate) async fn start_with(
        &self,
        config: CeremonyConfig,
        index: u16,
    ) -> Result<CeremonyNode, CeremonyError> {
        CeremonyNode::start(config, secrets(index)).await
    }

    pub(crate) async fn start_all(
        &self,
        members: impl IntoIterator<Item = u16>,
    ) -> Vec<CeremonyNode> {
        let mut nodes = Vec::new();
        for index in members {
            nodes.push(self.start(index).await);
        }
        nodes
    }

    pub(crate) fn transcript(&self, index: u16) -> Transcript {
        let bytes = std::fs::read(self.data_dir(index).join(TRANSCRIPT_FILE)).unwrap();
        Transcript::from_bytes(&bytes).unwrap()
    }

    pub(crate) fn share(&self, index: u16) -> ShareSecret {
        let path = self.data_dir(index).join(SHARE_FILE);
        let keystore = Keystore::read(&path).unwrap();
        assert!(keystore.is_erasable());
        keystore.open_share(&passphrase(), &path).unwrap()
    }

    /// Requires that all these members ended with shares of one key.
    pub(crate) fn check(&self, members: impl IntoIterator<Item = u16>) {
        let first = self.transcript(0);
        for index in members {
            let transcript = self.transcript(index);
            assert_eq!(transcript.keys, first.keys, "member {index}");
            assert_eq!(transcript.hash(), first.hash(), "member {index}");
            let share = self.share(index).public_key();
            assert_eq!(
                share,
                first.keys.shares[usize::from(index)],
                "member {index}"
            );
        }
    }
}

pub(crate) fn secrets(index: u16) -> CeremonySecrets {
    CeremonySecrets {
        identity: identity(index),
        encryption: encryption(index),
        passphrase: passphrase(),
    }
}

fn definition(addresses: &[SocketAddr], organiser: &IdentitySecret, attempt: u32) -> Definition {
    let enrolments = (0u16..).zip(addresses).map(|(index, address)| {
        Enrolment::new(
            &identity(index),
            &encryption(index),
            format!("member-{index}"),
            address.to_string(),
            &mut ChaCha20Rng::seed_from_u64(3_000 + u64::from(index)),
        )
        .unwrap()
    });
    Definition::sign(
        "test".to_owned(),
        Purpose::Genesis,
        attempt,
        None,
        enrolments.collect(),
        organiser,
    )
}

/// Waits until a member's status is as wanted.
pub(crate) async fn until(
    node: &CeremonyNode,
    what: &str,
    wanted: impl FnMut(&CeremonyStatus) -> bool,
) -> CeremonyStatus {
    let mut status = node.watch();
    let waited = timeout(HANG, status.wait_for(wanted)).await;
    let index = node.member();
    match waited {
        Ok(status) => status.unwrap().clone(),
        Err(_) => panic!(
            "member {index} hangs before: {what}: {:#?}",
            node.watch().borrow()
        ),
    }
}

pub(crate) async fn completed(node: &CeremonyNode) -> CeremonyStatus {
    until(node, "complete", |status| status.result.is_some()).await
}

/// Stops members, in parallel as they would by themselves.
pub(crate) async fn stop_all(nodes: Vec<CeremonyNode>) {
    let stopping: Vec<_> = nodes
        .into_iter()
        .map(|node| tokio::spawn(node.stop()))
        .collect();
    for stopped in stopping {
        stopped.await.unwrap().unwrap();
    }
}

/// What a peer says in its enrolment.
pub(crate) const fn member(index: u16) -> ValidatorIndex {
    ValidatorIndex(index)
}
