//! What a member shows while its ceremony runs: events for programs, one changing line on a terminal, lines elsewhere.

use std::io::Write;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::status::ShownStatus;
use crate::devnet::Notes;

/// Shows one status after another.
pub(crate) struct Progress {
    json: bool,
    notes: Notes,
    start: Instant,
    last: Option<Seen>,
}

/// What was shown last.
struct Seen {
    phase: &'static str,
    line: String,
    complete: usize,
    evidence: u64,
}

/// The first event: where the member is to be reached.
#[derive(Serialize)]
struct Running<'a> {
    event: &'static str,
    admin: &'a str,
    peer: &'a str,
    member: u16,
}

/// The last event.
#[derive(Serialize)]
struct EndedEvent {
    event: &'static str,
    seconds: f64,
    /// Whether this member has its share.
    complete: bool,
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    seconds: f64,
    #[serde(flatten)]
    status: &'a ShownStatus,
}

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            notes: Notes::new(),
            start: Instant::now(),
            last: None,
        }
    }

    /// Tells where the member listens: to operators at `admin`, to the others at `peer`.
    pub(crate) fn running(&self, admin: &str, peer: &str, member: u16) -> anyhow::Result<()> {
        if self.json {
            let event = "running";
            return event_line(&Running {
                event,
                admin,
                peer,
                member,
            });
        }
        eprintln!("operator's listener {admin}: quorate ceremony explain --admin {admin}");
        Ok(())
    }

    /// Tells programs that nothing more comes.
    pub(crate) fn ended(&self, complete: bool) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        event_line(&EndedEvent {
            event: "ended",
            seconds: self.start.elapsed().as_secs_f64(),
            complete,
        })
    }

    /// Shows a status if it differs from the one before; what people must not miss stays on the screen.
    pub(crate) fn show(&mut self, status: &ShownStatus) -> anyhow::Result<()> {
        let complete = status.peers.iter().filter(|peer| peer.complete).count();
        let line = status.line();
        let event = match &self.last {
            None => "phase",
            Some(last) if last.evidence != status.evidence => "evidence",
            Some(last) if last.phase != status.phase => "phase",
            Some(last) if last.complete != complete => "member_complete",
            Some(last) if last.line != line => "progress",
            Some(_) => return Ok(()),
        };
        let seconds = self.start.elapsed().as_secs_f64();
        let timed = format!("{seconds:6.1} s  {line}");
        self.last = Some(Seen {
            phase: status.phase,
            line,
            complete,
            evidence: status.evidence,
        });
        if self.json {
            return event_line(&Event {
                event,
                seconds,
                status,
            });
        }
        match event {
            "progress" => self.notes.progress(&timed),
            _ => self.notes.keep(&timed),
        }
        Ok(())
    }

    pub(crate) fn end(&self) {
        self.notes.end();
    }
}

/// One event on one line of standard output.
fn event_line(event: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(event).context("the event has no JSON form")?;
    let mut out = std::io::stdout().lock();
    // A reader that has seen enough is no reason to stop a ceremony.
    match writeln!(out, "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
