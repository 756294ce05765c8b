//! One member of a key ceremony as a process: its log, its threads, its sockets, the files it ends with.
//!
//! Threads: `ceremony` owns the engine and the log; `ceremony-keys` owns the member's secrets and does all that needs them or
//! takes long, with the help of a small pool; the caller's tokio runtime owns the sockets.
//!
//! **Durable before sent.** What the member says goes into a log and is synced before any peer can read it. After a restart
//! the log is read back first, and nothing in it is ever said differently. Peers read a member's messages from that member,
//! over one connection each, from a position they remember while they run and from the beginning after a restart.
//!
//! **A log that is gone.** A member that starts anew after it lost its log would contradict what it said before. So:
//! with an empty log it says nothing before n - f - 1 others have told it how much they hold of its messages; if
//! f + 1 hold more than it has, or the data directory shows that there was a log, or the operator says so, it falls
//! silent for this ceremony, notes that on the disk, and computes its share from the result of the others.
//!
//! **The end.** Once the result is there, the share is sealed, then the transcript and the public keys are written, each in
//! one step; after a crash in between the next start writes what is missing. The member goes on serving its messages to
//! those who are late, until it is told to stop or ([`Until::All`]) every other member has said that it is complete and
//! has heard that this one is.
//!
//! **Members with different definitions.** All ceremonies share one network name in TLS, and Hello compares the ceremonies'
//! ids. Each side thus learns the other's id, and [`CeremonyPeer::other_ceremony`] shows it.
//!
//! No timer decides anything: they pace attempts to connect and to fetch, and bound the wait for an answer.

mod admin;
mod core;
mod error;
mod exchange;
mod log;
mod node;
mod outputs;
mod parallel;
mod peers;
mod shared;
mod status;
mod worker;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use quorate_crypto::IdentitySecret;
use quorate_crypto::pvss::EncryptionSecret;
use quorate_dkg::Ceremony;
use quorate_types::ValidatorIndex;

pub use error::CeremonyError;
pub use exchange::CEREMONY_VERSION;
pub use node::{CeremonyAddresses, CeremonyNode, Ended};
pub use outputs::{
    EVIDENCE_DIRECTORY, GROUP_FILE, SHARE_FILE, TRANSCRIPT_FILE, group_text, write_group,
};
pub use parallel::RayonParallel;
pub use status::{CeremonyPeer, CeremonyPhase, CeremonyResult, CeremonyStatus, CeremonyWait};

use crate::keystore::{Passphrase, ScryptCost};

/// What one member of a ceremony needs to run.
pub struct CeremonyConfig {
    /// The ceremony, verified. One that makes a fresh key: a resharing goes over files.
    pub ceremony: Ceremony,
    /// Where the log and the results go; made with mode 0700 if it is not there. Its parent must exist.
    pub data_dir: PathBuf,
    /// Where to listen for the other members.
    pub listen: SocketAddr,
    /// Where to listen for the operator; whoever reaches it is trusted.
    pub admin: SocketAddr,
    /// Where members are reached instead of at the address of their enrolment.
    pub peers: BTreeMap<ValidatorIndex, String>,
    /// When to end without being told to.
    pub until: Until,
    /// The operator says that the log was lost: say nothing, wait for the result. It cannot be taken back.
    pub recover: bool,
    /// How expensive the share's key store is to open.
    pub scrypt: ScryptCost,
}

/// The secrets of one member.
pub struct CeremonySecrets {
    /// Its identity.
    pub identity: IdentitySecret,
    /// The secret of the encryption key that it enrolled with.
    pub encryption: EncryptionSecret,
    /// Seals the share.
    pub passphrase: Passphrase,
}

/// When a member ends without being told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Once it is complete. Others may still need its messages.
    Done,
    /// Once it and all others are complete, and all know.
    All,
    /// Never.
    Stopped,
}
