//! `quorate run`.

use std::io::Read;

use anyhow::{Context, anyhow};
use quorate_node::Node;
use quorate_node::config::{Config, Log, LogFormat};
use quorate_node::keystore::Secrets;
use tokio::signal::unix::{SignalKind, signal};
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
    let secrets = Secrets::open(&config).or_fail(Kind::File)?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let parent = args.exit_with_parent.then(watch_parent);

    let data_dir = config.data_dir.clone();
    quorate_node::started::check_and_mark(&config, args.lost_disk).or_fail(Kind::Start)?;
    let started = if args.lost_disk {
        Box::pin(Node::start_with_lost_disk(config, secrets)).await
    } else {
        Box::pin(Node::start(config, secrets)).await
    };
    let mut node = started
        .with_context(|| {
            format!(
                "the validator with its data in {} cannot start",
                data_dir.display()
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
        ended = node.wait() => ended.map(Err).unwrap_or(Ok("the operator asked for it")),
        _ = terminated.recv() => Ok("SIGTERM"),
        _ = interrupted.recv() => Ok("SIGINT"),
        () = parent_gone(parent) => Ok("the parent is gone"),
    };
    match ended {
        Ok(reason) => {
            info!(reason, "stopping");
            node.shutdown().await.context("while stopping")?;
            Ok(())
        }
        Err(error) => {
            // What still can be written is written; the first error is the one to tell.
            let _ = node.shutdown().await;
            let error = anyhow!(error).context("the validator cannot go on");
            Err(Failure::new(Kind::ValidatorEnded, error))
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
pub(crate) async fn parent_gone(parent: Option<oneshot::Receiver<()>>) {
    match parent {
        Some(gone) => {
            let _ = gone.await;
        }
        None => std::future::pending().await,
    }
}
