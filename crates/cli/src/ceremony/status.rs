//! `quorate ceremony status` and `explain`.

mod explain;

use quorate_rpc::admin::v1::{CeremonyPeer, CeremonyPhase, CeremonyStatus, ConnectionState};
use serde::Serialize;

use super::directory::Directory;
use super::remote::Remote;
use super::shown::groups;
use super::transcript;
use crate::args::WhereArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::output::{self, grouped, short_cause};

pub(crate) use explain::run as explain;

/// A member's view of a ceremony.
#[derive(Serialize)]
pub(crate) struct ShownStatus {
    pub(crate) ceremony_id: String,
    pub(crate) name: String,
    pub(crate) member: u32,
    pub(crate) size: u32,
    pub(crate) faults: u32,
    pub(crate) quorum: u32,
    pub(crate) phase: &'static str,
    pub(crate) complete: bool,
    pub(crate) delivered: Vec<u32>,
    pub(crate) accepted: Vec<u32>,
    pub(crate) rejected: Vec<u32>,
    pub(crate) dealers: Vec<u32>,
    pub(crate) signers: Vec<u32>,
    pub(crate) evidence: u64,
    pub(crate) outbox: u64,
    pub(crate) group_key: String,
    pub(crate) transcript_hash: String,
    pub(crate) share_key: String,
    pub(crate) failures: Vec<String>,
    pub(crate) peers: Vec<ShownPeer>,
}

#[derive(Serialize)]
pub(crate) struct ShownPeer {
    pub(crate) member: u32,
    pub(crate) name: String,
    identity: String,
    address: String,
    state: &'static str,
    received: u64,
    held: Option<u64>,
    pub(crate) complete: bool,
    other_ceremony_id: String,
    last_error: String,
}

/// What a directory tells of a member that does not run.
#[derive(Serialize)]
struct ShownDirectory {
    ceremony_id: String,
    name: String,
    size: u16,
    quorum: u16,
    complete: bool,
    group_key: Option<String>,
    transcript_hash: Option<String>,
    encryption_keystore: String,
}

pub(crate) async fn status(args: WhereArgs, json: bool) -> Result<(), Failure> {
    if let Some(dir) = &args.dir {
        return print_directory(dir, json);
    }
    let admin = args.admin.unwrap_or_default();
    let shown = ShownStatus::new(&Remote::connect(&admin).await?.status().await?);
    output::print(json, &shown, ShownStatus::text)?;
    Ok(())
}

fn print_directory(dir: &std::path::Path, json: bool) -> Result<(), Failure> {
    let directory = Directory::open(dir).or_fail(Kind::File)?;
    let (file, share) = (directory.transcript(), directory.share());
    let transcript = if file.exists() {
        Some(transcript::read(&file)?)
    } else {
        None
    };
    let ceremony = &directory.ceremony;
    let group_key = transcript.as_ref().map(|found| found.keys.group.to_hex());
    let shown = ShownDirectory {
        ceremony_id: ceremony.id().to_hex(),
        name: ceremony.definition().name.clone(),
        size: ceremony.size(),
        quorum: ceremony.quorum(),
        complete: transcript.is_some() && share.exists(),
        group_key,
        transcript_hash: transcript.map(|found| found.hash().to_hex()),
        encryption_keystore: directory.member.encryption_keystore.display().to_string(),
    };
    output::print(json, &shown, directory_text)?;
    Ok(())
}

fn directory_text(shown: &ShownDirectory) -> String {
    let state = if shown.complete {
        "complete; `quorate ceremony transcript verify` checks what came out"
    } else {
        "not complete: start it with `quorate ceremony run`, which says who is waited for"
    };
    let ceremony = format!("{} ({})", shown.name, groups(&shown.ceremony_id));
    let mut text = output::list([
        ("ceremony", ceremony),
        (
            "members",
            format!("{}, of which {} sign", shown.size, shown.quorum),
        ),
        ("state", state.into()),
    ]);
    if let (Some(key), Some(hash)) = (&shown.group_key, &shown.transcript_hash) {
        text.push_str(&output::list([
            ("group key", key.clone()),
            ("transcript", hash.clone()),
        ]));
    }
    text
}

impl ShownStatus {
    pub(crate) fn new(status: &CeremonyStatus) -> Self {
        let phase = status.phase();
        Self {
            ceremony_id: hex::encode(&status.ceremony_id),
            name: status.name.clone(),
            member: status.member.unwrap_or_default(),
            size: status.size.unwrap_or_default(),
            faults: status.faults.unwrap_or_default(),
            quorum: status.quorum.unwrap_or_default(),
            phase: match phase {
                CeremonyPhase::Unspecified => "unknown",
                CeremonyPhase::Starting => "starting",
                CeremonyPhase::Dealing => "dealing",
                CeremonyPhase::Proposing => "proposing",
                CeremonyPhase::Agreeing => "agreeing",
                CeremonyPhase::Completing => "completing",
                CeremonyPhase::Complete => "complete",
                CeremonyPhase::Silent => "silent",
            },
            complete: phase == CeremonyPhase::Complete,
            delivered: status.delivered.clone(),
            accepted: status.accepted.clone(),
            rejected: status.rejected.clone(),
            dealers: status.dealers.clone(),
            signers: status.signers.clone(),
            evidence: status.evidence.unwrap_or_default(),
            outbox: status.outbox.unwrap_or_default(),
            group_key: hex::encode(&status.group_key),
            transcript_hash: hex::encode(&status.transcript_hash),
            share_key: hex::encode(&status.share_key),
            failures: status.failures.clone(),
            peers: status.peers.iter().map(ShownPeer::new).collect(),
        }
    }

    /// Whether this member is complete and so is each that is connected to it.
    pub(crate) fn connected_complete(&self) -> bool {
        let mut connected = self.peers.iter().filter(|peer| peer.state == "connected");
        self.complete && connected.all(|peer| peer.complete)
    }

    /// How far it is, to compare members.
    pub(crate) fn rank(&self) -> usize {
        let order = [
            "silent",
            "starting",
            "dealing",
            "proposing",
            "agreeing",
            "completing",
            "complete",
        ];
        let mut order = order.iter();
        order
            .position(|phase| *phase == self.phase)
            .unwrap_or_default()
    }

    /// How far it is, on one line.
    pub(crate) fn line(&self) -> String {
        let connected = self.peers.iter().filter(|peer| peer.state == "connected");
        let complete = self.peers.iter().filter(|peer| peer.complete).count();
        let progress = match self.phase {
            "starting" => "asking the others what they know of this member".to_owned(),
            "dealing" | "proposing" => {
                format!("{} of {} dealings", self.delivered.len(), self.size)
            }
            "agreeing" => format!(
                "of {} proposals {} accepted, {} rejected",
                self.size,
                self.accepted.len(),
                self.rejected.len()
            ),
            "completing" => format!(
                "{} signatures, {} are needed",
                self.signers.len(),
                self.quorum
            ),
            "complete" => format!("{} of {} members are", complete + 1, self.size),
            "silent" => "waiting for the others' end".to_owned(),
            other => other.to_owned(),
        };
        let mut line = format!(
            "{}: {progress}; connected to {} of {}",
            self.phase,
            connected.count(),
            self.peers.len()
        );
        if self.evidence > 0 {
            line.push_str(&format!("; {} pieces of EVIDENCE", self.evidence));
        }
        line
    }

    fn text(&self) -> String {
        let rows = self.peers.iter().map(ShownPeer::row);
        let head = [
            "member",
            "name",
            "address",
            "state",
            "entries",
            "complete",
            "last error",
        ];
        let mut text = output::table(head, rows);
        text.push('\n');
        text.push_str(&output::list([
            (
                "ceremony",
                format!("{} ({})", self.name, groups(&self.ceremony_id)),
            ),
            (
                "members",
                format!(
                    "{}, of which {} sign and {} may lie or stay away; this is member {}",
                    self.size, self.quorum, self.faults, self.member
                ),
            ),
            ("state", self.line()),
            ("dealings", list(&self.delivered)),
            ("in the key", list(&self.dealers)),
            ("trouble", self.failures.join("; ")),
        ]));
        if self.complete {
            text.push_str(&output::list([
                ("group key", self.group_key.clone()),
                ("transcript", self.transcript_hash.clone()),
            ]));
        }
        text
    }
}

impl ShownPeer {
    fn new(peer: &CeremonyPeer) -> Self {
        Self {
            member: peer.member.unwrap_or_default(),
            name: peer.name.clone(),
            identity: hex::encode(&peer.identity),
            address: peer.address.clone(),
            state: match peer.state() {
                ConnectionState::Connected => "connected",
                ConnectionState::Connecting => "connecting",
                ConnectionState::Disconnected => "disconnected",
                ConnectionState::Unspecified => "unknown",
            },
            received: peer.received.unwrap_or_default(),
            held: peer.held,
            complete: peer.complete.unwrap_or_default(),
            other_ceremony_id: hex::encode(&peer.other_ceremony_id),
            last_error: peer.last_error.clone(),
        }
    }

    fn row(&self) -> [String; 7] {
        [
            self.member.to_string(),
            self.name.clone(),
            self.address.clone(),
            self.state.to_owned(),
            grouped(self.received),
            if self.complete { "yes" } else { "" }.to_owned(),
            self.trouble().unwrap_or_default(),
        ]
    }

    /// Why nothing comes from it, if that is known.
    fn trouble(&self) -> Option<String> {
        if !self.other_ceremony_id.is_empty() {
            let id = groups(&self.other_ceremony_id);
            return Some(format!("runs another ceremony: {id}"));
        }
        let quiet = self.state != "connected" && !self.last_error.is_empty();
        quiet.then(|| short_cause(&self.last_error))
    }

    /// Why something of it is missing.
    fn why(&self) -> String {
        let said = match (self.state, self.received) {
            ("connected", 0) => "connected, and it said nothing yet".to_owned(),
            ("connected", received) => {
                format!("connected, {} entries came", grouped(received))
            }
            (_, 0) => format!("never reached at {}", self.address),
            (_, received) => format!(
                "not reached at {}, after {} entries",
                self.address,
                grouped(received)
            ),
        };
        match self.trouble() {
            Some(trouble) => format!("{said} ({trouble})"),
            None => said,
        }
    }
}

fn list(members: &[u32]) -> String {
    if members.is_empty() {
        return "none yet".into();
    }
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    members.join(" ")
}
