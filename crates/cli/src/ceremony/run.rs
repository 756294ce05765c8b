//! `quorate ceremony run`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use anyhow::{Context, anyhow};
use quorate_node::ceremony::{
    self as node, CeremonyConfig, CeremonyError, CeremonyNode, CeremonySecrets, Ended,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::info;
use tracing_subscriber::EnvFilter;

use super::directory::Directory;
use super::keys;
use super::progress::Progress;
use super::remote::Remote;
use super::status::ShownStatus;
use crate::args::{CeremonyRunArgs, Until};
use crate::commands::run::{parent_gone, watch_parent};
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

/// Why a run ends.
enum End {
    /// What `--until` says has come.
    Reached,
    /// Somebody asked for it.
    Asked(&'static str),
    /// The member cannot go on.
    Failed(Box<CeremonyError>),
}

/// Who may ask a member to stop.
struct Stops {
    terminated: Signal,
    interrupted: Signal,
    parent: Option<oneshot::Receiver<()>>,
}

pub(crate) async fn run(args: CeremonyRunArgs, json: bool) -> Result<(), Failure> {
    start_log(&args.log).or_fail(Kind::Usage)?;
    let directory = Directory::open(&args.dir).or_fail(Kind::File)?;
    let config = configure(&args, &directory).or_fail(Kind::File)?;
    let secrets = open(&args, &directory).or_fail(Kind::File)?;
    let mut stops = Stops {
        terminated: signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?,
        interrupted: signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?,
        parent: args.exit_with_parent.then(watch_parent),
    };
    let mut node = Box::pin(CeremonyNode::start(config, secrets))
        .await
        .with_context(|| format!("the member in {} cannot start", args.dir.display()))
        .or_fail(Kind::Start)?;
    let addresses = node.addresses();
    let admin = format!("http://{}", addresses.admin);
    info!(%admin, peer = %addresses.peer, member = node.member().0, "running");
    let remote = Remote::connect(&admin).await?;
    let mut progress = Progress::new(json);
    progress.running(&admin, &addresses.peer.to_string(), node.member().0)?;
    let end = tokio::select! {
        ended = node.wait() => match ended {
            Err(error) => End::Failed(Box::new(error)),
            Ok(Ended::Asked) => End::Asked("the operator asked for it"),
            Ok(Ended::Done) => End::Reached,
        },
        reached = attend(&remote, args.until, &mut progress) => reached?,
        reason = stops.asked() => End::Asked(reason),
    };
    let status = remote.status().await.ok();
    let status = status.as_ref().map(ShownStatus::new);
    if let Some(status) = &status {
        progress.show(status)?;
    }
    progress.end();
    // What is under way is written before the end is told.
    let stopped = node.stop().await;
    let complete = status.as_ref().is_some_and(|status| status.complete);
    progress.ended(complete)?;
    finish(end, status.as_ref(), &directory, json)?;
    stopped.context("while stopping")?;
    Ok(())
}

fn configure(args: &CeremonyRunArgs, directory: &Directory) -> anyhow::Result<CeremonyConfig> {
    let ceremony = directory.ceremony.clone();
    let public = keys::encryption_public(&directory.member.encryption_keystore)?;
    let mut members = ceremony.definition().members.iter();
    let me = members.find(|member| member.encryption_key == public);
    let me = me.context("the encryption key is no member's any more: join again")?;
    Ok(CeremonyConfig {
        listen: listen(args.listen, &me.address)?,
        ceremony: ceremony.clone(),
        data_dir: directory.path.clone(),
        admin: args.admin,
        peers: args.peers.iter().cloned().collect(),
        until: match args.until {
            Until::All => node::Until::All,
            // What those who are connected still need is for `attend` to see.
            Until::Done | Until::Stopped => node::Until::Stopped,
        },
        recover: args.recover,
        scrypt: args.scrypt.cost(),
    })
}

fn open(args: &CeremonyRunArgs, directory: &Directory) -> anyhow::Result<CeremonySecrets> {
    let passphrase = args.passphrase.open()?;
    let member = &directory.member;
    let identity = member.identity_keystore.as_ref();
    let identity = identity.context("a resharing needs no process: see `ceremony reshare`")?;
    Ok(CeremonySecrets {
        identity: keys::identity(identity, &passphrase)?,
        encryption: keys::encryption(&member.encryption_keystore, &passphrase)?,
        passphrase,
    })
}

/// Follows the member; until it and those who are connected are complete, if that is what to wait for.
async fn attend(remote: &Remote, until: Until, progress: &mut Progress) -> Result<End, Failure> {
    let mut statuses = remote.watch().await?;
    loop {
        let status = ShownStatus::new(&statuses.next().await?);
        progress.show(&status)?;
        if until == Until::Done && status.connected_complete() {
            return Ok(End::Reached);
        }
    }
}

impl Stops {
    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminated.recv() => "SIGTERM",
            _ = self.interrupted.recv() => "SIGINT",
            () = parent_gone(self.parent.as_mut()) => "the parent is gone",
        }
    }
}

/// A share that is there and of no use is a file to put right, as one that is refused at the start.
const fn kind_of(error: &CeremonyError) -> Kind {
    match error {
        CeremonyError::Keystore(_) | CeremonyError::OtherShare { .. } => Kind::File,
        _ => Kind::ValidatorEnded,
    }
}

/// Tells how it ended.
fn finish(
    end: End,
    status: Option<&ShownStatus>,
    directory: &Directory,
    json: bool,
) -> Result<(), Failure> {
    let complete = status.is_some_and(|status| status.complete);
    match end {
        End::Failed(error) => {
            let kind = kind_of(&error);
            let error = anyhow!(error).context("the member cannot go on");
            return Err(Failure::new(kind, error));
        }
        End::Asked(reason) if !complete => {
            let error = anyhow!(
                "stopped before this member was complete ({reason}): run it again and it goes on"
            );
            return Err(Failure::new(Kind::Incomplete, error));
        }
        End::Asked(_) | End::Reached => {}
    }
    let Some(status) = status.filter(|_| !json) else {
        return Ok(());
    };
    let dir = directory.path.display();
    output::print(false, status, |status| {
        let hash = &status.transcript_hash;
        let mut text = output::list([
            ("group key", status.group_key.clone()),
            ("transcript", format!("{dir}/transcript.bin, {hash}")),
            ("share", format!("{dir}/share.json")),
        ]);
        text.push_str(&format!(
            "Check it and destroy the encryption key:\n  quorate ceremony transcript verify {dir}/transcript.bin --definition {dir}/ceremony.json\n  \
             quorate ceremony erase --dir {dir}\n"
        ));
        text
    })?;
    Ok(())
}

/// Where to listen: as told, else at the port of the enrolment, on the host's address if that is a loopback one, on all
/// interfaces otherwise.
fn listen(told: Option<SocketAddr>, address: &str) -> anyhow::Result<SocketAddr> {
    if let Some(told) = told {
        return Ok(told);
    }
    let (host, port) = address
        .rsplit_once(':')
        .context("the enrolment's address has no port")?;
    let port = port.parse().context("the enrolment's port")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host.parse().ok().filter(IpAddr::is_loopback);
    let all = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    Ok(SocketAddr::new(loopback.unwrap_or(all), port))
}

fn start_log(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(level)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::listen;

    #[test]
    fn listeners_follow_the_enrolment_unless_told() {
        let told = "10.0.0.1:9".parse().unwrap();
        assert_eq!(listen(Some(told), "x:1").unwrap(), told);
        for (address, wanted) in [
            ("127.0.0.1:7201", "127.0.0.1:7201"),
            ("[::1]:7201", "[::1]:7201"),
            ("node.example.net:7201", "[::]:7201"),
            ("10.0.0.7:7201", "[::]:7201"),
        ] {
            assert_eq!(listen(None, address).unwrap().to_string(), wanted);
        }
        assert!(listen(None, "nothing").is_err());
    }
}
