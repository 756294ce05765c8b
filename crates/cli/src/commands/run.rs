//! `quorate run`.

use std::io::Read;

use anyhow::{Context, anyhow};
use quorate_node::config::{Config, Log, LogFormat};
use quorate_node::keystore::Secrets;
use quorate_node::{Node, NodeError, StartOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::args::RunArgs;
use crate::failure::{Failure, Kind, OrFail};

pub(crate) async fn run(args: RunArgs) -> Result<(), Failure> {
    let config = Config::read(&args.config).or_fail(Kind::File)?;
    start_log(&config.log)
        .with_context(|| format!("{}: log.level", args.config.display()))
        .or_fail(Kind::File)?;
    let terminated = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let interrupted = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let mut stop = Stop {
        terminated,
        interrupted,
        parent: args.exit_with_parent.then(watch_parent),
    };
    let secrets = Secrets::open(&config).or_fail(Kind::File)?;
    let mut how = StartOptions {
        lost_disk: args.lost_disk,
        marked: true,
        join: false,
    };
    loop {
        match run_once(&config, secrets.duplicate(), how, &mut stop).await? {
            End::Asked(reason) => {
                info!(reason, "stopped");
                return Ok(());
            }
            End::Failed(NodeError::Behind { height }) => {
                info!(%height, "the committee is far ahead: joining there");
                how = StartOptions {
                    lost_disk: false,
                    marked: true,
                    join: true,
                };
            }
            End::Failed(error) => {
                let error = anyhow!(error).context("the validator cannot go on");
                return Err(Failure::new(Kind::ValidatorEnded, error));
            }
        }
    }
}

/// What a person, the system or the parent stops the process with.
struct Stop {
    terminated: Signal,
    interrupted: Signal,
    parent: Option<oneshot::Receiver<()>>,
}

impl Stop {
    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminated.recv() => "SIGTERM",
            _ = self.interrupted.recv() => "SIGINT",
            () = parent_gone(self.parent.as_mut()) => "the parent is gone",
        }
    }
}

/// Why a node ended.
enum End {
    Asked(&'static str),
    Failed(NodeError),
}

async fn run_once(
    config: &Config,
    secrets: Secrets,
    how: StartOptions,
    stop: &mut Stop,
) -> Result<End, Failure> {
    let starting = Box::pin(Node::start_how(config.clone(), secrets, how));
    // Joining may wait long for peers; what it has fetched by then is kept.
    let started = tokio::select! {
        started = starting => started,
        reason = stop.asked() => return Ok(End::Asked(reason)),
    };
    let mut node = started
        .with_context(|| {
            format!(
                "the validator with its data in {} cannot start",
                config.data_dir.display()
            )
        })
        .or_fail(Kind::Start)?;
    let addresses = node.addresses();
    info!(
        chain = %node.chain_id(),
        validator = node.index().0,
        public = %addresses.public,
        admin = %addresses.admin,
        peer = %addresses.peer,
        metrics = %addresses.metrics,
        "running"
    );
    let ended = tokio::select! {
        ended = node.wait() => ended.map_or(Ok("the operator asked for it"), Err),
        reason = stop.asked() => Ok(reason),
    };
    match ended {
        Ok(reason) => {
            info!(reason, "stopping");
            node.shutdown().await.context("while stopping")?;
            Ok(End::Asked(reason))
        }
        Err(error) => {
            // What still can be written is written; the first error is the one to tell.
            let _ = node.shutdown().await;
            Ok(End::Failed(error))
        }
    }
}

fn start_log(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}

/// Reads standard input to its end, which comes when the parent that holds its other end is gone, however it ended.
///
/// A thread of its own: the runtime could not stop while one of its threads waits in a read.
pub(crate) fn watch_parent() -> oneshot::Receiver<()> {
    let (gone_in, gone) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while std::io::stdin()
            .read(&mut ignored)
            .is_ok_and(|read| read > 0)
        {}
        let _ = gone_in.send(());
    });
    gone
}

/// Waits until the parent is gone; for ever if it is not watched.
pub(crate) async fn parent_gone(parent: Option<&mut oneshot::Receiver<()>>) {
    match parent {
        Some(gone) => {
            let _ = gone.await;
        }
        None => std::future::pending().await,
    }
}
