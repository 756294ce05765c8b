//! The key ceremony of a devnet: one process for each member, as people run it, and a proof of every share at the end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::VerifiedTranscript;
use quorate_node::keystore::{self, SCRYPT_LOG2_DEVNET};
use quorate_rpc::admin::v1::ProveShareResponse;
use quorate_types::TranscriptHash;
use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::keys::Seat;
use super::process::last_lines;
use super::watch::Notes;
use crate::ceremony::{Checked, Remote, ShownStatus, check_proof, verify};
use crate::failure::{Failure, Kind, OrFail};
use crate::random;

/// How long a member may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// How long a member may take to stop when asked to.
const STOP: Duration = Duration::from_secs(15);
/// How often to look again.
const POLL: Duration = Duration::from_millis(100);
/// From how many members on the work is worth a warning: it grows with their square.
const MANY: usize = 17;

/// What the ceremony came to.
#[derive(Serialize)]
pub(crate) struct KeyFacts {
    ceremony_id: String,
    members: usize,
    quorum: u16,
    /// Dealers whose dealings make the key.
    dealings: Vec<u16>,
    /// How many of the binary agreements about proposals ended with yes.
    proposals_accepted: usize,
    /// Members whose share signed a fresh challenge.
    shares_proved: usize,
    group_key: String,
    transcript_hash: String,
    seconds: f64,
}

/// Runs the ceremony between processes and gives what they agreed on. All of them have ended then, and the encryption
/// keys are destroyed.
pub(crate) async fn run(
    seats: &[Seat],
    passphrase: &Path,
) -> Result<(VerifiedTranscript, KeyFacts), Failure> {
    let start = Instant::now();
    let notes = Notes::new();
    if seats.len() >= MANY {
        notes.keep(&format!(
            "{} members check {0} dealings each, in {0} processes on this machine: on few processors that takes minutes",
            seats.len()
        ));
    }
    let mut members = Members::start(seats, passphrase)?;
    let (checked, accepted) = members.attend(&notes).await?;
    members.stop().await?;
    notes.end();
    for seat in seats {
        keystore::erase(&seat.encryption_keystore)
            .context("an encryption key could not be destroyed")?;
    }
    let verified = checked.verified;
    let facts = KeyFacts {
        ceremony_id: verified.ceremony().id().to_hex(),
        members: seats.len(),
        quorum: verified.ceremony().quorum(),
        dealings: verified.dealers().map(|dealer| dealer.0).collect(),
        proposals_accepted: accepted,
        shares_proved: seats.len(),
        group_key: verified.keys().group.to_hex(),
        transcript_hash: verified.hash().to_hex(),
        seconds: start.elapsed().as_secs_f64(),
    };
    Ok((verified, facts))
}

impl KeyFacts {
    /// For people.
    pub(crate) fn text(&self) -> String {
        format!(
            "key of {} members in {:.1} s: {} dealings in {} accepted proposals, {} signatures are needed, {} shares proved\n\
             group key  {}\ntranscript {}",
            self.members,
            self.seconds,
            self.dealings.len(),
            self.proposals_accepted,
            self.quorum,
            self.shares_proved,
            self.group_key,
            self.transcript_hash
        )
    }
}

/// The processes. They end with this one, however it ends.
struct Members {
    children: Vec<Child>,
    admins: Vec<String>,
    logs: Vec<PathBuf>,
}

impl Members {
    fn start(seats: &[Seat], passphrase: &Path) -> Result<Self, Failure> {
        let mut members = Self {
            children: Vec::new(),
            admins: Vec::new(),
            logs: Vec::new(),
        };
        for seat in seats {
            members.spawn(seat, passphrase)?;
        }
        Ok(members)
    }

    fn spawn(&mut self, seat: &Seat, passphrase: &Path) -> Result<(), Failure> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let log = seat.directory.join("ceremony.log");
        let stderr =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(["ceremony", "run", "--until", "stopped"])
            .args(["--exit-with-parent", "--log", "info", "--scrypt-log2"])
            .arg(SCRYPT_LOG2_DEVNET.to_string())
            .arg("--dir")
            .arg(&seat.ceremony_dir)
            .arg("--passphrase-file")
            .arg(passphrase)
            .args(["--listen", &seat.listen.peer.to_string()])
            .args(["--admin", &seat.listen.admin.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(stderr)
            // An interrupt from the terminal is for this process alone, which then stops the others.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a member of the key ceremony")?;
        self.children.push(child);
        self.admins.push(format!("http://{}", seat.listen.admin));
        self.logs.push(log);
        Ok(())
    }

    /// Waits until all are complete, compares what they say, and has every share proved. Gives the transcript, and how
    /// many proposals were accepted.
    async fn attend(&mut self, notes: &Notes) -> Result<(Checked, usize), Failure> {
        let mut remotes = Vec::new();
        for position in 0..self.admins.len() {
            remotes.push(self.reach(position).await?);
        }
        let statuses = self.complete(&remotes, notes).await?;
        let checked = verify(remotes[0].transcript().await?, &self.admins[0])?;
        require_one_transcript(&statuses, checked.verified.hash())?;
        for (position, remote) in remotes.iter().enumerate() {
            let challenge = random::bytes();
            let answer = remote.prove(&challenge).await?;
            require_proof(&answer, &challenge, &checked.verified, position)
                .with_context(|| format!("member {position} does not prove its share"))
                .or_fail(Kind::Liar)?;
        }
        Ok((checked, statuses[0].accepted.len()))
    }

    async fn reach(&mut self, position: usize) -> Result<Remote, Failure> {
        let end = Instant::now() + START;
        loop {
            self.require_all_running()?;
            match Remote::connect(&self.admins[position]).await {
                Ok(remote) => return Ok(remote),
                Err(failure) if Instant::now() > end => return Err(failure),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Waits until all are complete; for as long as it takes, while all run.
    async fn complete(
        &mut self,
        remotes: &[Remote],
        notes: &Notes,
    ) -> Result<Vec<ShownStatus>, Failure> {
        let start = Instant::now();
        loop {
            self.require_all_running()?;
            let mut statuses = Vec::new();
            for remote in remotes {
                statuses.push(ShownStatus::new(&remote.status().await?));
            }
            let complete = statuses.iter().filter(|status| status.complete).count();
            if complete == statuses.len() {
                return Ok(statuses);
            }
            let last = statuses.iter().min_by_key(|status| status.rank());
            notes.progress(&format!(
                "{:4} s  key ceremony: {complete} of {} complete; the last one is {}",
                start.elapsed().as_secs(),
                statuses.len(),
                last.map(ShownStatus::line).unwrap_or_default()
            ));
            tokio::time::sleep(POLL).await;
        }
    }

    fn require_all_running(&mut self) -> Result<(), Failure> {
        for (position, child) in self.children.iter_mut().enumerate() {
            let status = child.try_wait().context("cannot watch a member")?;
            if let Some(status) = status {
                let log = last_lines(&self.logs[position]);
                let error = anyhow!(
                    "member {position} of the key ceremony ended by itself with {status}; its last words:\n{log}"
                );
                return Err(Failure::new(Kind::ValidatorEnded, error));
            }
        }
        Ok(())
    }

    /// Closes the members' standard inputs, which stops them, and waits.
    async fn stop(mut self) -> Result<(), Failure> {
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        let end = Instant::now() + STOP;
        for (child, log) in self.children.iter_mut().zip(&self.logs) {
            let ended = tokio::time::timeout_at(end, child.wait()).await;
            if !matches!(&ended, Ok(Ok(status)) if status.success()) {
                let log = last_lines(log);
                let error = anyhow!("a member of the key ceremony does not stop well:\n{log}");
                return Err(Failure::new(Kind::ValidatorEnded, error));
            }
        }
        Ok(())
    }
}

fn require_proof(
    answer: &ProveShareResponse,
    challenge: &[u8; 32],
    transcript: &VerifiedTranscript,
    position: usize,
) -> anyhow::Result<()> {
    let (member, _) = check_proof(answer, challenge, transcript)?;
    ensure!(
        member.position() == position,
        "it says that it is member {member}"
    );
    Ok(())
}

fn require_one_transcript(statuses: &[ShownStatus], hash: TranscriptHash) -> Result<(), Failure> {
    let hash = hash.to_hex();
    for status in statuses {
        if status.transcript_hash != hash {
            let error = anyhow!(
                "members 0 and {} have different transcripts: {hash} and {}",
                status.member,
                status.transcript_hash
            );
            return Err(Failure::new(Kind::Disagreement, error));
        }
    }
    Ok(())
}
