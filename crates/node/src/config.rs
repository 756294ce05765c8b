//! The configuration file of one validator.
//!
//! It is TOML; unknown keys are refused, so that a misspelt one cannot be silently ignored. Relative paths are relative
//! to the directory of the file. Everything has a default but the peers.

mod pruning;

pub use self::pruning::Pruning;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use quorate_types::IdentityKey;
use quorate_types::limits::{PAYLOAD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Configuration of one validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the validator keeps its log and its tables.
    pub data_dir: PathBuf,
    /// The genesis file (see [`crate::genesis_file`]).
    pub genesis: PathBuf,
    /// The key store with the identity's secret.
    pub identity_keystore: PathBuf,
    /// The key store with the secret share of the committee's key.
    pub share_keystore: PathBuf,
    /// A file whose first line opens both key stores. Without it, see
    /// [`Passphrase::locate`](crate::keystore::Passphrase::locate).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// Where to listen.
    pub listen: Listen,
    /// Bounds of what clients may leave waiting.
    pub limits: Limits,
    /// When to propose.
    pub pacing: PacingConfig,
    /// When to join at the tip instead of catching up.
    pub sync: SyncConfig,
    /// How much of the past to keep.
    pub pruning: Pruning,
    /// What to log.
    pub log: Log,
    /// Where the other members of the committee listen. Entries for this validator itself are allowed and ignored, so
    /// that all members can share one list.
    pub peers: Vec<Peer>,
}

/// Socket addresses to listen on; port 0 takes any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// The clients' API.
    pub public: SocketAddr,
    /// The operator's API: whoever reaches it is trusted, so keep it on a loopback address.
    pub admin: SocketAddr,
    /// The other validators, who authenticate themselves.
    pub peer: SocketAddr,
    /// Prometheus metrics over HTTP at `/metrics`.
    pub metrics: SocketAddr,
}

/// Another member of the committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its identity key, in hexadecimal.
    #[serde(
        deserialize_with = "identity_from_hex",
        serialize_with = "identity_to_hex"
    )]
    pub identity: IdentityKey,
    /// `host:port` of its peer listener.
    #[serde(deserialize_with = "host_and_port")]
    pub address: String,
}

/// Bounds of the pool of waiting transactions and of the blocks made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most bytes of transactions that wait for a block; above it clients are told to retry later.
    pub pool_bytes: u64,
    /// Most transactions that wait for a block.
    pub pool_transactions: u64,
    /// Most bytes of transactions in one own block.
    pub block_bytes: u32,
}

/// When to propose within what the protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacingConfig {
    /// Extra wait for the last parents once a quorum of them is there, in milliseconds.
    pub quorum_wait_ms: u64,
    /// Least time between own blocks while some payload is not ordered, in milliseconds.
    pub busy_interval_ms: u64,
    /// Least time between own blocks otherwise, in milliseconds.
    pub idle_interval_ms: u64,
}

/// When to join at the tip instead of catching up block by block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncConfig {
    /// How many certified heights behind a peer a validator fetches a state snapshot instead of every block since, unless its own
    /// last block is above what agreement there has forgotten.
    pub behind_heights: u64,
}

/// What to log, on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`) or a list such as `info,quorate_consensus=debug`.
    pub level: String,
    /// For people or for machines.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a configuration file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The text is no TOML, or not the keys and values that belong there. The source shows line and column.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Two listeners have the same address.
    #[error(
        "{}: listen.{first} and listen.{second} are both {address}: give each a port of its own",
        path.display()
    )]
    SameAddress {
        /// The file.
        path: PathBuf,
        /// One key under `listen`.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Their address.
        address: SocketAddr,
    },
    /// A number is out of its range.
    #[error("{}: {key} is {found}, it must be between {least} and {most}", path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        found: u64,
        /// The least value.
        least: u64,
        /// The greatest value.
        most: u64,
    },
    /// A peer is listed twice.
    #[error("{}: the peer {identity} is listed twice: remove one entry", path.display())]
    DuplicatePeer {
        /// The file.
        path: PathBuf,
        /// Its identity.
        identity: IdentityKey,
    },
}

/// Most that the pool may hold, in bytes: a validator should not die of its clients.
const POOL_BYTES_MOST: u64 = 16 << 30;
/// Most transactions that the pool may hold.
const POOL_TRANSACTIONS_MOST: u64 = 10_000_000;
/// Fewest heights behind which state sync makes sense: twice what lies between the points that peers offer.
const BEHIND_HEIGHTS_LEAST: u64 = 256;
/// Longest interval that pacing may ask for: an hour without a block looks like a dead validator.
const INTERVAL_MS_MOST: u64 = 3_600_000;

impl Config {
    /// Reads and checks a file, and makes its paths absolute or relative to the working directory.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Parses and checks the text of the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`], but not [`ConfigError::Read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.check(path)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let paths = [
            Some(&mut config.data_dir),
            Some(&mut config.genesis),
            Some(&mut config.identity_keystore),
            Some(&mut config.share_keystore),
            config.passphrase_file.as_mut(),
        ];
        for relative in paths.into_iter().flatten() {
            *relative = directory.join(&*relative);
        }
        Ok(config)
    }

    /// The text of the file.
    ///
    /// # Panics
    /// If a path is not Unicode: TOML has no other text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("tables of text and numbers have a TOML form")
    }

    /// Checks what was changed since it was read from the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self, path: &Path) -> Result<(), ConfigError> {
        self.check_addresses(path)?;
        let ranges = [
            (
                "limits.pool_bytes",
                self.limits.pool_bytes,
                u64::from(TRANSACTION_BYTES_MAX),
                POOL_BYTES_MOST,
            ),
            (
                "limits.pool_transactions",
                self.limits.pool_transactions,
                1,
                POOL_TRANSACTIONS_MOST,
            ),
            (
                "limits.block_bytes",
                u64::from(self.limits.block_bytes),
                u64::from(TRANSACTION_BYTES_MAX),
                u64::from(PAYLOAD_BYTES_MAX),
            ),
            (
                "pacing.quorum_wait_ms",
                self.pacing.quorum_wait_ms,
                0,
                INTERVAL_MS_MOST,
            ),
            (
                "pacing.busy_interval_ms",
                self.pacing.busy_interval_ms,
                0,
                INTERVAL_MS_MOST,
            ),
            (
                "pacing.idle_interval_ms",
                self.pacing.idle_interval_ms,
                self.pacing.busy_interval_ms,
                INTERVAL_MS_MOST,
            ),
            (
                "sync.behind_heights",
                self.sync.behind_heights,
                BEHIND_HEIGHTS_LEAST,
                u64::MAX,
            ),
        ];
        let ranges = ranges.into_iter().chain(self.pruning.ranges());
        for (key, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(ConfigError::Range {
                    path: path.to_owned(),
                    key,
                    found,
                    least,
                    most,
                });
            }
        }
        let mut seen = BTreeSet::new();
        match self.peers.iter().find(|peer| !seen.insert(peer.identity)) {
            Some(twice) => Err(ConfigError::DuplicatePeer {
                path: path.to_owned(),
                identity: twice.identity,
            }),
            None => Ok(()),
        }
    }

    fn check_addresses(&self, path: &Path) -> Result<(), ConfigError> {
        let listeners = [
            ("public", self.listen.public),
            ("admin", self.listen.admin),
            ("peer", self.listen.peer),
            ("metrics", self.listen.metrics),
        ];
        for (position, (second, address)) in listeners.iter().enumerate() {
            let same = listeners[..position]
                .iter()
                .find(|(_, earlier)| earlier == address && address.port() != 0);
            if let Some((first, _)) = same {
                return Err(ConfigError::SameAddress {
                    path: path.to_owned(),
                    first,
                    second,
                    address: *address,
                });
            }
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "data".into(),
            genesis: "genesis.json".into(),
            identity_keystore: "identity.json".into(),
            share_keystore: "share.json".into(),
            passphrase_file: None,
            listen: Listen::default(),
            limits: Limits::default(),
            pacing: PacingConfig::default(),
            sync: SyncConfig::default(),
            pruning: Pruning::default(),
            log: Log::default(),
            peers: Vec::new(),
        }
    }
}

impl Default for Listen {
    /// Peers from anywhere, everything else from this machine only.
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            public: local(7100),
            admin: local(7101),
            peer: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7102)),
            metrics: local(7103),
        }
    }
}

impl Default for Limits {
    /// Some seconds' worth of a saturated validator, and blocks of at most 2 MiB.
    fn default() -> Self {
        Self {
            pool_bytes: 64 << 20,
            pool_transactions: 200_000,
            block_bytes: 2 << 20,
        }
    }
}

impl Default for PacingConfig {
    /// The engine's own defaults, in milliseconds.
    fn default() -> Self {
        Self {
            quorum_wait_ms: 2,
            busy_interval_ms: 5,
            idle_interval_ms: 100,
        }
    }
}

impl Default for SyncConfig {
    /// Minutes of a busy chain: blocks of so many heights are about as quickly fetched and executed as a small state.
    fn default() -> Self {
        Self {
            behind_heights: 5_000,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
        }
    }
}

fn identity_from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IdentityKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    IdentityKey::from_hex(&text).ok_or_else(|| {
        let digits = IdentityKey::LENGTH * 2;
        let found = text.chars().count();
        serde::de::Error::custom(format_args!(
            "an identity key is {digits} hexadecimal digits, this is another text of {found} characters; \
             `quorate keys show` prints a key"
        ))
    })
}

fn identity_to_hex<S: Serializer>(key: &IdentityKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&key.to_hex())
}

fn host_and_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if valid {
        return Ok(text);
    }
    Err(serde::de::Error::custom(
        "an address is `host:port`, for example \"validator-2.example.net:7102\"",
    ))
}
