//! The command line.

mod ceremony;
mod committee;
mod db;
mod latency;
mod margin;

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_node::keystore::{KeystoreError, Passphrase, SCRYPT_LOG2_DEFAULT, ScryptCost};
use quorate_types::{AccountId, AssetId, Height, IdentityKey, ThresholdKey};
use tonic::codegen::http::Uri;

use crate::bench::Style;

pub(crate) use ceremony::{
    CeremonyCommand, DealArgs, EnrolArgs, EraseArgs, EraseOldArgs, EvidenceCommand, FinishArgs,
    JoinArgs, NewArgs, OrderArgs, ProveArgs, ReadyArgs, RecoverArgs, ReshareCommand,
    RunArgs as CeremonyRunArgs, TranscriptCommand, Until, WhereArgs,
};

pub(crate) use committee::{CommitteeCommand, CommitteePlanArgs};
pub(crate) use db::{DbCommand, DbPruneArgs, DbVerifyArgs};
pub(crate) use latency::BenchLatencyArgs;
pub(crate) use margin::{MarginCommand, MarginExplainArgs};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for a reason that stands in the message
  2  the command line is wrong
  3  a file (configuration, genesis, key store, certificate) is missing, malformed or refused
  4  the endpoint cannot be reached or refused the call
  5  a certificate, proof, transcript or piece of evidence does not verify
  6  two validators disagree
  7  nothing was committed
  8  a validator ended by itself
  9  the validator could not start
 10  the transaction was rejected
 11  ceremony: not complete: run the command again later, and it goes on
 12  ceremony: a member does not prove its share
 13  sim: a validator panicked
 14  sim: a committee did not go on after everything healed
 15  sim: a promise was broken
 16  sim: one seed gave two outcomes
 17  db: a validator runs on the data directory";

/// Operates, checks and measures Quorate validators.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// The public listener of a validator; commands that need no validator ignore it.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "QUORATE_ENDPOINT",
        default_value = "http://127.0.0.1:7100",
        value_parser = listener
    )]
    pub(crate) endpoint: String,
    /// Print facts as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a committee on this machine, drives transfers through it and checks everything it says.
    Devnet(DevnetArgs),
    /// Runs one validator until it is told to stop (SIGTERM, SIGINT or the operator's API).
    Run(RunArgs),
    /// Makes and shows keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Makes a committee's threshold key, with no dealer and no clock; hands it over to other members.
    #[command(subcommand)]
    Ceremony(CeremonyCommand),
    /// Makes and shows genesis files.
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// Signs and submits transactions.
    #[command(subcommand)]
    Tx(TransactionCommand),
    /// Reads accounts, with proof.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Fetches and verifies finality certificates.
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Checks, prunes, writes out and reads in the data directory of a validator that does not run.
    #[command(subcommand)]
    Db(DbCommand),
    /// Plans committees.
    #[command(subcommand)]
    Committee(CommitteeCommand),
    /// Margin over every order that pending operations may still take.
    #[command(subcommand)]
    Margin(MarginCommand),
    /// Shows how a validator is doing.
    Status(StatusArgs),
    /// Measures a committee on this machine.
    Bench(BenchArgs),
    /// Runs committees in simulated worlds of crashes, lies and bad networks, one for each seed.
    Sim(SimArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// How many validators.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=128))]
    pub(crate) validators: u16,
    /// Stop after this many seconds; without it, on Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// Where to put keys, configurations and stores; kept afterwards. Without it, a temporary directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Transfers a second to offer; 0 for none.
    #[arg(long, value_name = "TPS", default_value_t = 200)]
    pub(crate) load: u64,
    /// How many accounts to fund.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) accounts: u16,
    /// Rounds of a wave: 5 keeps going against every scheduler, 4 is faster.
    #[arg(long = "w", default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=5))]
    pub(crate) wave: u8,
    /// Keep the temporary directory.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Only write keys, genesis and configurations into --data-dir; start nothing.
    #[arg(long, requires = "data_dir")]
    pub(crate) init_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Stop when standard input closes, so that a parent that is killed leaves nothing behind.
    #[arg(long)]
    pub(crate) exit_with_parent: bool,
    /// The data directory is not the newest that this validator had: it was lost, or restored from a backup. The validator
    /// proposes nothing until a quorum of others has said what they hold from it. Needed once; the log remembers.
    #[arg(long)]
    pub(crate) lost_disk: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes an identity: DIR/identity.json, encrypted.
    New {
        /// An existing directory.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        #[command(flatten)]
        scrypt: ScryptArgs,
    },
    /// Shows the public key of a key store; needs no passphrase.
    Show {
        /// The key store.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// File with the passphrase, mode 0600. Without it: $QUORATE_PASSPHRASE_FILE or a systemd credential.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// An inherited descriptor that gives the passphrase, for example of a pipe.
    #[arg(long, value_name = "FD", conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u32>,
}

impl PassphraseArgs {
    /// The passphrase that the command line, the environment or systemd names.
    pub(crate) fn open(&self) -> Result<Passphrase, KeystoreError> {
        match self.passphrase_fd {
            Some(descriptor) => Passphrase::from_descriptor(descriptor),
            None => Passphrase::locate(self.passphrase_file.as_deref()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ScryptArgs {
    /// How hard the passphrase of a new key store is to guess: scrypt with n = 2^LOG2. Lower it for tests only.
    #[arg(
        long = "scrypt-log2",
        value_name = "LOG2",
        default_value_t = SCRYPT_LOG2_DEFAULT,
        value_parser = clap::value_parser!(u8).range(8..=20)
    )]
    log2: u8,
}

impl ScryptArgs {
    pub(crate) fn cost(&self) -> ScryptCost {
        ScryptCost::new(self.log2).unwrap_or(ScryptCost::DEFAULT)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum GenesisCommand {
    /// Builds a genesis file.
    New(GenesisNewArgs),
    /// Checks a genesis file and shows it with its chain id.
    Show {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GenesisNewArgs {
    /// A name for people.
    #[arg(long)]
    pub(crate) name: String,
    /// The transcript of the committee's key ceremony: verified, then its members, quorum and keys are taken.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["group", "members", "quorum"], required_unless_present = "group")]
    pub(crate) ceremony: Option<PathBuf>,
    /// A member's identity key in hexadecimal; once for each, in order of index. With --group.
    #[arg(long = "member", value_name = "KEY", value_parser = identity_key)]
    pub(crate) members: Vec<IdentityKey>,
    /// JSON with `group_key` and `share_keys`: public keys that a ceremony gave, where its transcript is not at hand.
    #[arg(long, value_name = "FILE")]
    pub(crate) group: Option<PathBuf>,
    /// The quorum; n - f if absent. It must be the threshold of the group key. With --group.
    #[arg(long)]
    pub(crate) quorum: Option<u16>,
    /// The shard.
    #[arg(long, default_value_t = 0)]
    pub(crate) shard: u32,
    /// Rounds of a wave.
    #[arg(long = "w", default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=5))]
    pub(crate) wave: u8,
    /// Order opaque payloads instead of executing transactions.
    #[arg(long)]
    pub(crate) opaque: bool,
    /// An asset, as `ID:DECIMALS`; ascending.
    #[arg(long = "asset", value_name = "ID:DECIMALS", value_parser = asset)]
    pub(crate) assets: Vec<(AssetId, u8)>,
    /// A first balance, as `OWNER:ASSET:ATOMS`.
    #[arg(long = "allocation", value_name = "OWNER:ASSET:ATOMS", value_parser = allocation)]
    pub(crate) allocations: Vec<(IdentityKey, AssetId, u128)>,
    /// What a transfer costs, in atoms of the fee asset.
    #[arg(long, default_value_t = 0)]
    pub(crate) transfer_fee: u128,
    /// The asset that fees are paid in.
    #[arg(long, default_value_t = 0)]
    pub(crate) fee_asset: u32,
    /// Where to write it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TransactionCommand {
    /// Moves free balance.
    Transfer {
        /// Key store of the paying account's owner.
        #[arg(long, value_name = "KEYSTORE")]
        from_key: PathBuf,
        /// The receiving account.
        #[arg(long, value_parser = account_id)]
        to: AccountId,
        /// The asset.
        #[arg(long, default_value = "0", value_parser = asset_id)]
        asset: AssetId,
        /// How many atoms.
        #[arg(long)]
        amount: u128,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Opens an account of the key's owner.
    CreateAccount {
        /// Key store of the owner.
        #[arg(long, value_name = "KEYSTORE")]
        from_key: PathBuf,
        #[command(flatten)]
        signing: SigningArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// Sub-account number of the owner.
    #[arg(long, default_value_t = 0)]
    pub(crate) sub: u32,
    /// Which of the account's independent sequences to use.
    #[arg(long, default_value_t = 0)]
    pub(crate) lane: u16,
    /// The transaction's number in its lane; without it, the next one of the account's certified state.
    #[arg(long, value_name = "N")]
    pub(crate) sequence: Option<u64>,
    /// Most that it may cost, in atoms of the fee asset.
    #[arg(long, default_value_t = u128::MAX)]
    pub(crate) max_fee: u128,
    /// How far to wait.
    #[arg(long, value_enum, default_value_t = Wait::Certified)]
    pub(crate) wait: Wait,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// How far a submission waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    /// Until it waits in the pool.
    Accepted,
    /// Until it is ordered and executed.
    Committed,
    /// Until its height is certified; receipt and certificate are then verified here.
    Certified,
}

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// The genesis file, whose group key is trusted. Without it the endpoint's own word is taken for the key.
    #[arg(long, value_name = "FILE", env = "QUORATE_GENESIS")]
    pub(crate) genesis: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Shows an account after verifying the proof of its state.
    Show {
        /// The account: 64 hexadecimal digits.
        #[arg(value_parser = account_id)]
        id: AccountId,
        /// The height to read at; without it, the highest certified one.
        #[arg(long, value_parser = height)]
        height: Option<Height>,
        #[command(flatten)]
        trust: TrustArgs,
    },
    /// Prints the id of an owner's account.
    Id {
        /// The owner's key: 64 hexadecimal digits.
        #[arg(value_parser = identity_key)]
        owner: IdentityKey,
        /// The sub-account number.
        #[arg(long, default_value_t = 0)]
        sub: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Fetches a certificate, verifies it, and prints what any BLS library needs to verify it.
    Show {
        /// The height; without it, the highest certified one.
        #[arg(long, value_parser = height)]
        height: Option<Height>,
        #[command(flatten)]
        trust: TrustArgs,
    },
    /// Verifies what `certificate show --json` printed; needs no network.
    Verify {
        /// The JSON.
        file: PathBuf,
        /// The group key to trust: 192 hexadecimal digits.
        #[arg(long, value_name = "KEY", value_parser = threshold_key)]
        group_key: Option<ThresholdKey>,
        /// The genesis file whose group key is trusted. Either this or --group-key is needed.
        #[arg(long, value_name = "FILE", env = "QUORATE_GENESIS")]
        genesis: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The operator's listener, for more detail.
    #[arg(long, value_name = "URL", value_parser = listener)]
    pub(crate) admin: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// What a key ceremony costs one member: in this process, without a network.
    Ceremony(BenchCeremonyArgs),
    /// Moves money while validators are killed, frozen and cut off, then audits every acknowledged transfer.
    Bank(BenchBankArgs),
    /// Keeps a committee under load for long and shows what its memory and its disk do.
    Soak(BenchSoakArgs),
    /// Lets a member miss everything, and shows how long it takes to be back under load.
    Sync(BenchSyncArgs),
    /// Has one member, and then clients, flood the others, and shows what that costs them.
    Flood(BenchFloodArgs),
    /// How long transactions take in committees on a wide-area network, in simulated time.
    Latency(BenchLatencyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BenchFloodArgs {
    /// How many validators; the last is the one that floods.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=16))]
    pub(crate) validators: u16,
    /// Opaque transactions of 512 bytes a second to offer in every window.
    #[arg(long, value_name = "TPS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) load: u64,
    /// As many more that flooding clients offer in the last window.
    #[arg(long, value_name = "TPS", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) client_flood: u64,
    /// Transactions that a validator's pool holds.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) pool: u64,
    /// How long each window lasts.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct BenchSoakArgs {
    /// How many validators.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=16))]
    pub(crate) validators: u16,
    /// Signed transfers a second to offer.
    #[arg(long, value_name = "TPS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) load: u64,
    /// Accounts that transfers are between.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) accounts: u16,
    /// How long.
    #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) seconds: u64,
    /// Seconds between two samples.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) every: u64,
    /// Heights that keep their receipts; 0 keeps all. Far fewer than validators keep by default, so that a run of minutes
    /// shows what days would.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub(crate) receipt_heights: u64,
    /// Rounds of blocks that the log keeps; 0 keeps all.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) log_rounds: u64,
    /// Has the last member flood the others all the time; what is shown is theirs.
    #[arg(long, value_name = "STYLE")]
    pub(crate) flood: Option<Style>,
    /// Draws memory and disk over time into this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchSyncArgs {
    /// How many validators; the last is the one that missed everything.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=16))]
    pub(crate) validators: u16,
    /// Signed transfers a second to offer to the others, before and meanwhile.
    #[arg(long, value_name = "TPS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) load: u64,
    /// Accounts that transfers are between.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(4..))]
    pub(crate) accounts: u16,
    /// Heights that it misses at least: it comes back some seconds after the others certified so many.
    #[arg(long, value_name = "HEIGHTS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(512..))]
    pub(crate) behind: u64,
}

#[derive(Debug, Args)]
pub(crate) struct BenchBankArgs {
    /// How many validators.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=16))]
    pub(crate) validators: u16,
    /// Clients for each validator, each with one transfer at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) clients: u16,
    /// How long faults go on.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Mean time between two faults.
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) fault_interval_ms: u64,
    /// Faults and transfers are drawn from it; what they meet is up to the machine.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep the validators' directories.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchCeremonyArgs {
    /// How many members; several sizes are measured one after another.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [4, 16, 64, 128],
        value_parser = clap::value_parser!(u16).range(4..=128)
    )]
    pub(crate) members: Vec<u16>,
    /// An existing directory; the transcripts are written there, as transcript-N.bin.
    #[arg(long, value_name = "DIR")]
    pub(crate) transcripts: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    /// How many validators.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=128))]
    pub(crate) validators: u16,
    /// Bytes of one opaque transaction.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    pub(crate) transaction_bytes: u32,
    /// Order opaque payloads instead of executing signed transfers.
    #[arg(long)]
    pub(crate) opaque: bool,
    /// Transactions a second to offer, or `max` to look for the most that is still committed.
    #[arg(long, value_name = "TPS|max", default_value = "10000", value_parser = load)]
    pub(crate) load: Load,
    /// How long to measure.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// How long to wait under load before measuring.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) warmup: u64,
    /// Rounds of a wave.
    #[arg(long = "w", default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=5))]
    pub(crate) wave: u8,
    /// Accounts that transfers are between.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) accounts: u16,
    /// Connections to each validator.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) connections: u16,
}

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// How many validators.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=128))]
    pub(crate) validators: u16,
    /// The seeds: `A..B` without B, or one seed.
    #[arg(long, value_name = "A..B", default_value = "0..100", value_parser = seeds)]
    pub(crate) seeds: Range<u64>,
    /// Run every seed twice and compare everything that happened.
    #[arg(long)]
    pub(crate) check_determinism: bool,
    /// What the world does to its validators.
    #[arg(long, value_enum, default_value_t = World::Swarm, conflicts_with = "ceremony")]
    pub(crate) scenario: World,
    /// Simulate key ceremonies instead: liars, crashes and orders of events that are drawn from each seed.
    #[arg(long)]
    pub(crate) ceremony: bool,
    /// Seeds that run at one time; all processors if absent. It changes no outcome.
    #[arg(long)]
    pub(crate) threads: Option<u16>,
    /// Print what led to each failure.
    #[arg(long)]
    pub(crate) timeline: bool,
    /// Write a page that draws the first seed that failed, or the first of all: its blocks, leaders, commits and faults.
    #[arg(long, value_name = "FILE", conflicts_with = "ceremony")]
    pub(crate) html: Option<PathBuf>,
}

/// What a simulated world does to its validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum World {
    /// Each seed draws its own mix of everything.
    Swarm,
    /// Nothing.
    Calm,
    /// Takes the power of all at once, again and again.
    CrashAll,
    /// Every network fault at once, and no crashes.
    LossyPartitions,
    /// Fast links, slow disks, many crashes.
    CrashOften,
    /// Disks that are lost, and old copies of them restored.
    LostDisks,
    /// Disks that fill up for a while, and logs that come back damaged.
    LyingDisks,
    /// Validators that are away for long, or lose their disks, and join by state sync.
    StateSync,
}

/// What a benchmark offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// So many transactions a second.
    Rate(u64),
    /// Whatever turns out to be the most.
    Max,
}

fn listener(text: &str) -> Result<String, String> {
    let plain = text.parse::<Uri>().is_ok_and(|url| {
        url.scheme_str() == Some("http")
            && url.host().is_some_and(|host| !host.is_empty())
            && url.port_u16().is_some()
            && url.path_and_query().is_none_or(|path| path == "/")
    });
    plain
        .then(|| text.to_owned())
        .ok_or_else(|| "expected http://HOST:PORT".into())
}

fn load(text: &str) -> Result<Load, String> {
    if text == "max" {
        return Ok(Load::Max);
    }
    match text.parse() {
        Ok(rate) if rate > 0 => Ok(Load::Rate(rate)),
        _ => Err("give a number of transactions a second, or `max`".into()),
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = match text.split_once("..") {
        Some((first, end)) => first.parse().ok().zip(end.parse().ok()),
        None => text
            .parse()
            .ok()
            .and_then(|seed: u64| Some((seed, seed.checked_add(1)?))),
    };
    match parsed {
        Some((first, end)) if first < end => Ok(first..end),
        _ => Err("seeds are `A..B` with A below B, for example 0..1000, or one number".into()),
    }
}

fn hexadecimal<T>(text: &str, parsed: Option<T>, bytes: usize) -> Result<T, String> {
    parsed.ok_or_else(|| {
        let found = text.chars().count();
        format!(
            "{} hexadecimal digits are needed, this is another text of {found} characters",
            bytes * 2
        )
    })
}

fn identity_key(text: &str) -> Result<IdentityKey, String> {
    hexadecimal(text, IdentityKey::from_hex(text), IdentityKey::LENGTH)
}

fn threshold_key(text: &str) -> Result<ThresholdKey, String> {
    hexadecimal(text, ThresholdKey::from_hex(text), ThresholdKey::LENGTH)
}

fn account_id(text: &str) -> Result<AccountId, String> {
    hexadecimal(text, AccountId::from_hex(text), AccountId::LENGTH)
}

fn asset_id(text: &str) -> Result<AssetId, std::num::ParseIntError> {
    text.parse().map(AssetId)
}

fn height(text: &str) -> Result<Height, std::num::ParseIntError> {
    text.parse().map(Height)
}

fn asset(text: &str) -> Result<(AssetId, u8), String> {
    let parsed = text
        .split_once(':')
        .and_then(|(id, decimals)| Some((AssetId(id.parse().ok()?), decimals.parse().ok()?)));
    parsed.ok_or_else(|| "an asset is `ID:DECIMALS`, for example 0:6".into())
}

fn allocation(text: &str) -> Result<(IdentityKey, AssetId, u128), String> {
    let mut parts = text.split(':');
    let mut parse = || {
        let owner = IdentityKey::from_hex(parts.next()?)?;
        let asset = AssetId(parts.next()?.parse().ok()?);
        let atoms = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some((owner, asset, atoms))
    };
    parse().ok_or_else(|| {
        "a first balance is `OWNER:ASSET:ATOMS`, the owner's key in hexadecimal".into()
    })
}
