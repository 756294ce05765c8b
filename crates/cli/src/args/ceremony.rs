//! The command line of key ceremonies.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use quorate_types::{CeremonyId, ValidatorIndex};

use super::{PassphraseArgs, ScryptArgs, listener};

#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Makes an encryption key for one ceremony, and the public enrolment that the organiser needs.
    Enrol(EnrolArgs),
    /// Puts enrolments together into the definition that all members run: checks everything, signs.
    New(NewArgs),
    /// Checks an enrolment or a definition and shows it.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// Verifies a definition, requires that the given keys are a member's, and prepares a directory.
    Join(JoinArgs),
    /// Runs one member until the ceremony is done. Kill it as you like: it goes on where it was.
    Run(RunArgs),
    /// Shows how far a member is, and who else is there.
    Status(WhereArgs),
    /// Says who is being waited for, and why.
    Explain(WhereArgs),
    /// Asks a member to prove that it holds its share, and checks the answer.
    Prove(ProveArgs),
    /// Computes a member's share from the transcript and its encryption key, for one that lost the rest.
    Recover(RecoverArgs),
    /// Destroys an encryption key, once the share is safe.
    Erase(EraseArgs),
    /// Fetches and verifies what a ceremony agreed on.
    #[command(subcommand)]
    Transcript(TranscriptCommand),
    /// Judges evidence against a dealer.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Hands the group key over to other members, or to the same ones with new shares, by files.
    #[command(subcommand)]
    Reshare(ReshareCommand),
}

#[derive(Debug, Args)]
pub(crate) struct EnrolArgs {
    /// The member's name, for people.
    #[arg(long)]
    pub(crate) name: String,
    /// Key store of the member's identity.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) identity_keystore: PathBuf,
    /// Where the other members reach this one during the ceremony.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) address: String,
    /// An existing directory; encryption.json and enrolment.json are written there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) scrypt: ScryptArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The ceremony's name, for people.
    #[arg(long)]
    pub(crate) name: String,
    /// How many shares sign; n - f if absent.
    #[arg(long)]
    pub(crate) quorum: Option<u16>,
    /// Number of the attempt: another one makes another ceremony of the same enrolments.
    #[arg(long, default_value_t = 0)]
    pub(crate) attempt: u32,
    /// Key store of the organiser's identity. The organiser needs to be no member, and learns no secret.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) organiser_keystore: PathBuf,
    /// A member's enrolment; once for each. Their order is the members' order.
    #[arg(long = "member", value_name = "FILE", required = true)]
    pub(crate) members: Vec<PathBuf>,
    /// Where to write the definition.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The definition, the same bytes for all members.
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: PathBuf,
    /// Key store of the member's identity.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) identity_keystore: PathBuf,
    /// Key store of the encryption key that was made when enrolling.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) encryption_keystore: PathBuf,
    /// Where everything of this ceremony goes; made with mode 0700 if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The ceremony's id (or how it begins, spaces are ignored) as it was read to you: another one is refused.
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    pub(crate) expect: Option<String>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What `ceremony join` prepared.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Where to listen for the other members; without it, on the port of this member's enrolment, on all interfaces.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where to listen for the operator; keep it on a loopback address. Port 0 takes a free one and prints it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) admin: SocketAddr,
    /// Where a member is reached instead of at the address of its enrolment; may be given for several.
    #[arg(long = "peer", value_name = "INDEX=HOST:PORT", value_parser = peer)]
    pub(crate) peers: Vec<(ValidatorIndex, String)>,
    /// When to exit.
    #[arg(long, value_enum, default_value_t = Until::All)]
    pub(crate) until: Until,
    /// This member lost its directory: say nothing, wait for the end of the ceremony and compute the share then.
    #[arg(long)]
    pub(crate) recover: bool,
    /// What to log on standard error: error, warn, info, debug, or by module.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub(crate) log: String,
    /// Stop when standard input closes, so that a parent that is killed leaves nothing behind.
    #[arg(long)]
    pub(crate) exit_with_parent: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) scrypt: ScryptArgs,
}

/// When a member's process exits by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Once this member is complete, and so is each that is connected to it. Those who come later may still need its
    /// messages: start it again if they ask.
    Done,
    /// Once all members are complete.
    All,
    /// Only when told to: Ctrl-C, SIGTERM.
    Stopped,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).multiple(false))]
pub(crate) struct WhereArgs {
    /// The operator's listener of a running member.
    #[arg(long, value_name = "URL", value_parser = listener, group = "where")]
    pub(crate) admin: Option<String>,
    /// The directory of a member that is not running: what can be told from the disk.
    #[arg(long, value_name = "DIR", group = "where")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The operator's listener of a running member.
    #[arg(long, value_name = "URL", value_parser = listener)]
    pub(crate) admin: String,
    /// 32 bytes that the member cannot have known: 64 hexadecimal digits. Without it, fresh ones are drawn.
    #[arg(long, value_name = "HEX", value_parser = challenge)]
    pub(crate) challenge: Option<[u8; 32]>,
    /// The transcript that says which key the share has; without it, the member's own is fetched. It is verified.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The transcript, from any other member.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: PathBuf,
    /// Key store of the encryption key that was made when enrolling.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) encryption_keystore: PathBuf,
    /// An existing directory; share.json is written there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) scrypt: ScryptArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// The directory of the ceremony, complete.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The transcript, where it is not in the directory: after a resharing.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TranscriptCommand {
    /// Fetches the transcript of a member that is complete, and verifies it before it is written.
    Export {
        /// The operator's listener of the member.
        #[arg(long, value_name = "URL", value_parser = listener)]
        admin: String,
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Checks a whole ceremony offline: every dealing, the keys, the certificate.
    Verify {
        /// The transcript.
        file: PathBuf,
        /// The definition that it must be of.
        #[arg(long, value_name = "FILE")]
        definition: Option<PathBuf>,
        /// For a resharing: the transcript before, whose key must have stayed.
        #[arg(long, value_name = "FILE")]
        previous: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Says whether evidence convicts a dealer, and whom.
    Verify {
        /// The evidence.
        file: PathBuf,
        /// The definition of the ceremony.
        #[arg(long, value_name = "FILE")]
        definition: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReshareCommand {
    /// Makes the definition: the members of a transcript deal, those of new enrolments receive.
    New {
        #[command(flatten)]
        new: NewArgs,
        /// The transcript of the ceremony before.
        #[arg(long, value_name = "FILE")]
        previous: PathBuf,
    },
    /// A member of the old committee deals its share to the new one.
    Deal(DealArgs),
    /// Puts dealings in an order, which decides which count. Liars are named, with evidence.
    Order(OrderArgs),
    /// A member of the new committee computes its share, seals it, and signs that it is ready.
    Ready(ReadyArgs),
    /// Combines a quorum of ready members into the transcript with its certificate.
    Finish(FinishArgs),
    /// Destroys an old share, once the hand-over is certified.
    Erase(EraseOldArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DealArgs {
    /// The definition of the resharing.
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: PathBuf,
    /// Key store of the old member's identity.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) identity_keystore: PathBuf,
    /// Key store of its share.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) share_keystore: PathBuf,
    /// Where to write the dealing. A copy is kept beside the share: a member deals once.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// The definition of the resharing.
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: PathBuf,
    /// A dealing; once for each, in the order that counts.
    #[arg(long = "dealing", value_name = "FILE", required = true)]
    pub(crate) dealings: Vec<PathBuf>,
    /// Where to write the ordered list.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// An existing directory for evidence against liars.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) evidence: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReadyArgs {
    /// The definition of the resharing.
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: PathBuf,
    /// The ordered list, the same for all.
    #[arg(long, value_name = "FILE")]
    pub(crate) list: PathBuf,
    /// Key store of the new member's encryption key.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) encryption_keystore: PathBuf,
    /// Where everything goes; made with mode 0700 if it is not there. share.json and ready.bin are written there.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) scrypt: ScryptArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    /// The definition of the resharing.
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: PathBuf,
    /// The ordered list.
    #[arg(long, value_name = "FILE")]
    pub(crate) list: PathBuf,
    /// A member's ready.bin; once for each.
    #[arg(long = "ready", value_name = "FILE", required = true)]
    pub(crate) ready: Vec<PathBuf>,
    /// Where to write the transcript.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EraseOldArgs {
    /// Key store of the old share.
    #[arg(long, value_name = "KEYSTORE")]
    pub(crate) share_keystore: PathBuf,
    /// The transcript of the resharing, with its certificate.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: PathBuf,
}

fn fingerprint(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let hexadecimal = digits.chars().all(|c| c.is_ascii_hexdigit());
    if hexadecimal && (16..=CeremonyId::LENGTH * 2).contains(&digits.len()) {
        Ok(digits.to_lowercase())
    } else {
        Err("a ceremony's id begins with 16 to 64 hexadecimal digits".into())
    }
}

fn peer(text: &str) -> Result<(ValidatorIndex, String), String> {
    let parsed = text.split_once('=').and_then(|(index, address)| {
        let (host, port) = address.rsplit_once(':')?;
        let valid = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
        valid.then_some((ValidatorIndex(index.parse().ok()?), address.to_owned()))
    });
    parsed.ok_or_else(|| "a peer is `INDEX=HOST:PORT`, for example 2=10.0.0.7:7200".into())
}

fn challenge(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map(|()| bytes)
        .map_err(|_| "a challenge is 64 hexadecimal digits".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_read_strictly() {
        let good = (ValidatorIndex(2), "localhost:7200".to_owned());
        assert_eq!(peer("2=localhost:7200").unwrap(), good);
        for wrong in [
            "2", "2=", "2=:1", "2=host", "2=host:0", "x=host:1", "=host:1",
        ] {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            fingerprint("AB cd 0123 4567 89ab").unwrap(),
            "abcd0123456789ab"
        );
        for wrong in ["", "abcd", "0123456789abcdeg"] {
            assert!(fingerprint(wrong).is_err(), "{wrong}");
        }
        assert_eq!(challenge(&"07".repeat(32)).unwrap(), [7; 32]);
        assert!(challenge("07").is_err());
    }
}
