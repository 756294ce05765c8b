//! `quorate ceremony explain`.

use quorate_rpc::admin::v1::CeremonyWait;
use serde::Serialize;

use super::{ShownPeer, ShownStatus, print_directory};
use crate::args::WhereArgs;
use crate::ceremony::remote::Remote;
use crate::failure::Failure;
use crate::output;

#[derive(Serialize)]
struct Explained {
    ceremony_id: String,
    member: u32,
    phase: &'static str,
    waiting: Vec<Waiting>,
    /// What went wrong at this member itself.
    failures: Vec<String>,
}

#[derive(Serialize)]
struct Waiting {
    what: String,
    /// From whom it can come; nobody if it is this member's own work.
    members: Vec<Awaited>,
}

#[derive(Serialize)]
struct Awaited {
    member: u32,
    name: String,
    why: String,
}

pub(crate) async fn run(args: WhereArgs, json: bool) -> Result<(), Failure> {
    if let Some(dir) = &args.dir {
        return print_directory(dir, json);
    }
    let admin = args.admin.unwrap_or_default();
    let (status, waits) = Remote::connect(&admin).await?.explain().await?;
    let explained = Explained::new(&ShownStatus::new(&status), &waits);
    output::print(json, &explained, Explained::text)?;
    Ok(())
}

impl Explained {
    fn new(status: &ShownStatus, waits: &[CeremonyWait]) -> Self {
        let awaited = |member: u32| {
            let peer = status.peers.iter().find(|peer| peer.member == member);
            Awaited {
                member,
                name: peer.map_or_else(|| "this member".into(), |peer| peer.name.clone()),
                why: peer.map_or_else(|| "at work".into(), ShownPeer::why),
            }
        };
        let mut waiting: Vec<Waiting> = waits
            .iter()
            .map(|wait| Waiting {
                what: wait.what.clone(),
                members: wait.members.iter().copied().map(awaited).collect(),
            })
            .collect();
        let late: Vec<Awaited> = status
            .peers
            .iter()
            .filter(|peer| status.complete && !peer.complete)
            .map(|peer| awaited(peer.member))
            .collect();
        if !late.is_empty() {
            waiting.push(Waiting {
                what: "that all are complete: this member is, and serves those who are late".into(),
                members: late,
            });
        }
        Self {
            ceremony_id: status.ceremony_id.clone(),
            member: status.member,
            phase: status.phase,
            waiting,
            failures: status.failures.clone(),
        }
    }

    fn text(&self) -> String {
        let mut text = if self.waiting.is_empty() {
            format!("member {} ({}) waits for nobody\n", self.member, self.phase)
        } else {
            format!("member {} ({}) waits for:\n", self.member, self.phase)
        };
        for wait in &self.waiting {
            text.push_str(&format!("- {}\n", wait.what));
            for member in &wait.members {
                text.push_str(&format!(
                    "    member {:3}  {}: {}\n",
                    member.member, member.name, member.why
                ));
            }
        }
        for failure in &self.failures {
            text.push_str(&format!("trouble: {failure}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use quorate_rpc::admin::v1::{CeremonyPeer, CeremonyPhase, CeremonyStatus, ConnectionState};

    use super::*;

    fn status(complete: bool) -> CeremonyStatus {
        let peer = |member: u32, complete: bool, state: ConnectionState| CeremonyPeer {
            member: Some(member),
            name: format!("member-{member}"),
            state: state.into(),
            complete: Some(complete),
            last_error: "connection refused".into(),
            ..CeremonyPeer::default()
        };
        let phase = if complete {
            CeremonyPhase::Complete
        } else {
            CeremonyPhase::Dealing
        };
        CeremonyStatus {
            member: Some(0),
            size: Some(4),
            phase: phase.into(),
            peers: vec![
                peer(1, complete, ConnectionState::Connected),
                peer(2, false, ConnectionState::Disconnected),
                peer(3, complete, ConnectionState::Connected),
            ],
            ..CeremonyStatus::default()
        }
    }

    #[test]
    fn who_is_waited_for_is_named_with_the_reason() {
        let wait = CeremonyWait {
            what: "dealings".into(),
            members: vec![2],
        };
        let text = Explained::new(&ShownStatus::new(&status(false)), &[wait]).text();
        for part in [
            "dealings",
            "member-2",
            "never reached",
            "connection refused",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        assert!(!text.contains("member-1"), "{text}");
    }

    #[test]
    fn a_complete_member_waits_for_those_who_are_not() {
        let shown = ShownStatus::new(&status(true));
        assert!(shown.connected_complete(), "the late one is not connected");
        let text = Explained::new(&shown, &[]).text();
        assert!(
            text.contains("member-2") && !text.contains("member-3"),
            "{text}"
        );
    }
}
