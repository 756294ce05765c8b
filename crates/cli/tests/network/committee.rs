//! Four validators that a test starts and kills one by one.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use quorate_node::config::{Config, Listen};
use quorate_rpc::admin::v1::ListEvidenceRequest;
use quorate_rpc::admin::v1::admin_service_client::AdminServiceClient;
use quorate_rpc::ledger::v1::ListCertificatesRequest;
use quorate_rpc::ledger::v1::ledger_service_client::LedgerServiceClient;
use quorate_rpc::ledger::v1::{GetServiceInfoRequest, GetServiceInfoResponse};
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// A laid-out network and the processes that run of it.
pub(crate) struct Committee {
    directory: TempDir,
    children: Vec<Option<Child>>,
}

impl Committee {
    /// Lays out a network and starts nothing.
    pub(crate) fn lay_out() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let arguments = ["devnet", "--init-only", "--accounts", "4", "--data-dir"];
        let output = quorate(&arguments).arg(directory.path()).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self {
            directory,
            children: (0..4).map(|_| None).collect(),
        }
    }

    /// Lays out a network and starts all of it.
    pub(crate) fn start() -> Self {
        let mut committee = Self::lay_out();
        for index in 0..4 {
            committee.run(index);
        }
        committee
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self, index: usize) -> PathBuf {
        self.path(&format!("validator-{index}/validator.toml"))
    }

    pub(crate) fn listen(&self, index: usize) -> Listen {
        Config::read(&self.config(index)).unwrap().listen
    }

    /// Starts a validator that is not running.
    pub(crate) fn run(&mut self, index: usize) {
        self.run_with(index, &[]);
    }

    /// The same with more arguments.
    pub(crate) fn run_with(&mut self, index: usize, more: &[&str]) {
        let log = self.path(&format!("validator-{index}/log.txt"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child = quorate(&["run", "--exit-with-parent", "--config"])
            .arg(self.config(index))
            .args(more)
            .stdin(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        assert!(
            self.children[index].replace(child).is_none(),
            "it ran already"
        );
    }

    /// Kills a validator with SIGKILL.
    pub(crate) fn kill(&mut self, index: usize) {
        let mut child = self.children[index].take().expect("it runs");
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended by itself: {}",
            self.log(index)
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The process of a validator, which the test ends itself.
    pub(crate) fn take(&mut self, index: usize) -> Child {
        self.children[index].take().expect("it runs")
    }

    pub(crate) fn log(&self, index: usize) -> String {
        std::fs::read_to_string(self.path(&format!("validator-{index}/log.txt")))
            .unwrap_or_default()
    }

    pub(crate) fn public(&self, index: usize) -> String {
        format!("http://{}", self.listen(index).public)
    }

    /// The highest certified height of a validator; `None` while it does not answer.
    pub(crate) async fn head(&self, index: usize) -> Option<u64> {
        let answer: Result<GetServiceInfoResponse, Status> = async {
            let mut ledger = LedgerServiceClient::new(connect(self.public(index)).await?);
            Ok(ledger
                .get_service_info(GetServiceInfoRequest {})
                .await?
                .into_inner())
        }
        .await;
        answer.ok()?.info?.head_height
    }

    /// Waits until the validators have certified `height`.
    pub(crate) async fn reach(&self, indices: &[usize], height: u64) {
        for &index in indices {
            let what = format!("validator {index} at height {height}");
            until(
                &what,
                || self.log(index),
                async || self.head(index).await >= Some(height),
            )
            .await;
        }
    }

    /// The highest height that any of the validators has certified.
    pub(crate) async fn highest(&self, indices: &[usize]) -> u64 {
        let mut highest = 0;
        for &index in indices {
            highest = highest.max(self.head(index).await.unwrap_or(0));
        }
        highest
    }

    /// Bytes of all certificates that a validator has up to a height, by height.
    pub(crate) async fn certificates(&self, index: usize, to: u64) -> BTreeMap<u64, Vec<u8>> {
        let mut ledger = LedgerServiceClient::new(connect(self.public(index)).await.unwrap());
        let mut request = ListCertificatesRequest {
            from_height: Some(1),
            to_height: Some(to),
            page_size: 1_000,
            page_token: Default::default(),
        };
        let mut certificates = BTreeMap::new();
        loop {
            let page = ledger
                .list_certificates(request.clone())
                .await
                .unwrap()
                .into_inner();
            for certificate in page.certificates {
                let height = certificate.header.unwrap().height.unwrap();
                certificates.insert(height, certificate.canonical.to_vec());
            }
            if page.next_page_token.is_empty() {
                return certificates;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Requires that no validator has evidence against another: nobody equivocated.
    pub(crate) async fn require_no_evidence(&self) {
        for index in 0..4 {
            let url = format!("http://{}", self.listen(index).admin);
            let mut admin = AdminServiceClient::new(connect(url).await.unwrap());
            let request = ListEvidenceRequest::default();
            let evidence = admin
                .list_evidence(request)
                .await
                .unwrap()
                .into_inner()
                .evidence;
            assert!(evidence.is_empty(), "validator {index} has {evidence:?}");
        }
    }
}

impl Drop for Committee {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The program, with no environment and no standard streams but those that are asked for.
pub(crate) fn quorate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command
        .args(arguments)
        .env_clear()
        .stdout(Stdio::null())
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn finished(arguments: &[&str]) -> Output {
    quorate(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

pub(crate) async fn connect(url: String) -> Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(url)
        .unwrap()
        .timeout(Duration::from_secs(10));
    endpoint
        .connect()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))
}

/// Waits until something is so; fails with `story` if it takes too long.
pub(crate) async fn until(
    what: &str,
    story: impl Fn() -> String,
    mut so: impl AsyncFnMut() -> bool,
) {
    let start = Instant::now();
    while !so().await {
        assert!(
            start.elapsed() < PATIENCE,
            "{what} took too long\n{}",
            story()
        );
        tokio::time::sleep(POLL).await;
    }
}

/// Waits for a process to end by itself.
pub(crate) async fn ended(mut child: Child) -> Option<i32> {
    let mut code = None;
    until("the end of a validator", String::new, async || {
        let status = child.try_wait().unwrap();
        code = status.and_then(|status| status.code());
        status.is_some()
    })
    .await;
    code
}
