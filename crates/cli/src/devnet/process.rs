//! Validators as child processes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quorate_node::files::{Audience, Existing, write_file};
use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::layout::{Network, ValidatorFiles};
use crate::client::Client;
use crate::failure::{Failure, Kind};

/// How long validators may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// How long validators may take to stop when asked to.
const STOP: Duration = Duration::from_secs(15);
/// How often to look again.
const POLL: Duration = Duration::from_millis(50);
/// How much of the log of a dead validator is shown.
const LOG_LINES: usize = 5;

/// The processes of a committee. They end with this one, however it ends: each watches its standard input, whose other
/// end is held here.
pub(crate) struct Committee {
    children: Vec<Child>,
    members: Vec<Member>,
    logs: Vec<PathBuf>,
}

/// Where one validator can be reached: an entry of `network.json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) public: String,
    pub(crate) admin: String,
    pub(crate) peer: String,
    pub(crate) metrics: String,
}

#[derive(Serialize)]
struct NetworkFile<'a> {
    chain_id: String,
    validators: &'a [Member],
}

impl Committee {
    /// Starts all validators of a network, waits until each answers, and writes `network.json`.
    pub(crate) async fn start(network: &Network) -> Result<Self, Failure> {
        let mut committee = Self {
            children: Vec::new(),
            members: Vec::new(),
            logs: Vec::new(),
        };
        for files in &network.validators {
            let log = files.directory.join("log.txt");
            let child = spawn(files, &log)?;
            committee.members.push(Member {
                name: files.name.clone(),
                pid: child.id().unwrap_or_default(),
                public: files.public_url(),
                admin: format!("http://{}", files.listen.admin),
                peer: format!("https://{}", files.listen.peer),
                metrics: format!("http://{}/metrics", files.listen.metrics),
            });
            committee.children.push(child);
            committee.logs.push(log);
        }
        let file = NetworkFile {
            chain_id: network.genesis.chain_id().to_hex(),
            validators: &committee.members,
        };
        let text = serde_json::to_string_pretty(&file).context("network.json")?;
        let path = network.directory.join("network.json");
        write_file(
            &path,
            text.as_bytes(),
            Audience::Everybody,
            Existing::Replace,
        )
        .context("cannot write network.json")?;
        committee.wait_until_all_answer().await?;
        Ok(committee)
    }

    async fn wait_until_all_answer(&mut self) -> Result<(), Failure> {
        let end = Instant::now() + START;
        for position in 0..self.members.len() {
            let endpoint = self.members[position].public.clone();
            loop {
                self.require_all_running()?;
                let answer = match Client::connect(&endpoint).await {
                    Ok(client) => client.info().await.map(|_| ()),
                    Err(failure) => Err(failure),
                };
                match answer {
                    Ok(()) => break,
                    Err(failure) if Instant::now() > end => return Err(failure),
                    Err(_) => tokio::time::sleep(POLL).await,
                }
            }
        }
        Ok(())
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Fails if a validator has ended.
    pub(crate) fn require_all_running(&mut self) -> Result<(), Failure> {
        (0..self.children.len()).try_for_each(|position| self.require_running(position))
    }

    /// Fails if one validator has ended.
    pub(crate) fn require_running(&mut self, position: usize) -> Result<(), Failure> {
        let status = self.children[position]
            .try_wait()
            .context("cannot watch a validator")?;
        let Some(status) = status else {
            return Ok(());
        };
        let name = &self.members[position].name;
        let log = last_lines(&self.logs[position]);
        let error = anyhow!("{name} ended by itself with {status}; its last words:\n{log}");
        Err(Failure::new(Kind::ValidatorEnded, error))
    }

    /// Sends a running validator a signal.
    pub(crate) fn signal(&self, position: usize, signal: Signal) -> Result<(), Failure> {
        let pid = self.children[position].id();
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.context("the validator runs")?;
        kill(Pid::from_raw(pid), signal).context("cannot signal a validator")?;
        Ok(())
    }

    /// Kills a validator with SIGKILL.
    pub(crate) async fn kill(&mut self, position: usize) -> Result<(), Failure> {
        let killed = self.children[position].kill().await;
        Ok(killed.context("cannot kill a validator")?)
    }

    /// Starts a validator that was killed again; does not wait until it answers.
    pub(crate) fn restart(
        &mut self,
        position: usize,
        files: &ValidatorFiles,
    ) -> Result<(), Failure> {
        let child = spawn(files, &self.logs[position])?;
        self.members[position].pid = child.id().unwrap_or_default();
        self.children[position] = child;
        Ok(())
    }

    /// Asks all to stop, and kills those that do not.
    pub(crate) async fn stop(&mut self) {
        for child in &self.children {
            let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
            if let Some(pid) = pid {
                // It may have ended in this moment; then there is nothing to stop.
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
        let end = Instant::now() + STOP;
        for child in &mut self.children {
            if tokio::time::timeout_at(end, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
    }
}

/// Starts a validator, whose log goes on where it ended.
fn spawn(files: &ValidatorFiles, log: &Path) -> Result<Child, Failure> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let stderr = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let child = Command::new(program)
        .arg("run")
        .arg("--config")
        .arg(&files.config)
        .arg("--exit-with-parent")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(stderr)
        // An interrupt from the terminal is for this process alone, which then stops the others.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a validator")?;
    Ok(child)
}

/// The end of a process's log.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
