//! `quorate devnet`, and the commands that talk to what it runs.

use std::io::Read;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::committee::{Committee, ended, finished, quorate, until};

fn json(output: &std::process::Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_devnet_commits_certifies_and_passes_its_own_checks() {
    let directory = tempfile::tempdir().unwrap();
    let output = quorate(&[
        "devnet",
        "--seconds",
        "3",
        "--load",
        "40",
        "--accounts",
        "8",
        "--json",
        "--data-dir",
    ])
    .arg(directory.path())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .output()
    .unwrap();
    let summary = json(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("key ceremony"));
    let key = &summary["key_ceremony"];
    assert_eq!(
        (&key["members"], &key["shares_proved"]),
        (&4.into(), &4.into())
    );
    assert!(key["dealings"].as_array().unwrap().len() >= 3, "{key}");
    assert!(summary["accepted"].as_u64() > Some(50), "{summary}");
    assert!(
        summary["certificates_verified"].as_u64() > Some(1),
        "{summary}"
    );
    assert_eq!(summary["accounts_proved"], 8);
    for validator in summary["validators"].as_array().unwrap() {
        assert!(
            validator["transactions"].as_u64() >= summary["accepted"].as_u64(),
            "{summary}"
        );
    }
    let network = std::fs::read(directory.path().join("network.json")).unwrap();
    let network: Value = serde_json::from_slice(&network).unwrap();
    assert_eq!(network["chain_id"], summary["chain_id"]);
    for validator in network["validators"].as_array().unwrap() {
        let pid = validator["pid"].as_u64().unwrap();
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}")).exists(),
            "{pid} still runs"
        );
        for listener in ["public", "admin", "peer", "metrics"] {
            assert!(
                validator[listener].as_str().unwrap().starts_with("http"),
                "{validator}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_commands_answer_with_proof() {
    let committee = Committee::start();
    committee.reach(&[0, 1, 2, 3], 1).await;
    let endpoint = committee.public(1);
    let genesis = committee.path("genesis.json").display().to_string();
    let passphrase = committee.path("passphrase").display().to_string();
    let key = |index: usize| {
        committee
            .path(&format!("accounts/{index}.json"))
            .display()
            .to_string()
    };
    let account = |index: usize| {
        let shown = json(&finished(&["keys", "show", &key(index), "--json"]));
        shown["account"].as_str().unwrap().to_owned()
    };
    let pay = |amount: &str, wait: &str| {
        finished(&[
            "--endpoint",
            &endpoint,
            "--json",
            "tx",
            "transfer",
            "--from-key",
            &key(0),
            "--to",
            &account(1),
            "--amount",
            amount,
            "--wait",
            wait,
            "--passphrase-file",
            &passphrase,
            "--genesis",
            &genesis,
        ])
    };
    let paid = json(&pay("1000", "certified"));
    assert_eq!(
        (&paid["status"], &paid["verified"]),
        (&"certified".into(), &true.into())
    );
    let height = paid["height"].as_u64().unwrap();

    let show = [
        "--endpoint",
        &endpoint,
        "--json",
        "account",
        "show",
        &account(1),
        "--genesis",
        &genesis,
    ];
    let shown = json(&finished(&show));
    assert_eq!(shown["free"][0]["atoms"], "1000000001000");
    assert_eq!(shown["verified"], true);
    let absent = "00".repeat(32);
    let none = json(&finished(&[
        "--endpoint",
        &endpoint,
        "--json",
        "account",
        "show",
        &absent,
    ]));
    assert_eq!(
        (&none["exists"], &none["verified"]),
        (&false.into(), &true.into())
    );

    let overdraft = pay("2000000000000", "certified");
    assert_eq!(
        overdraft.status.code(),
        Some(10),
        "{}",
        String::from_utf8_lossy(&overdraft.stderr)
    );

    let height = height.to_string();
    let certificate = finished(&[
        "--endpoint",
        &endpoint,
        "--json",
        "certificate",
        "show",
        "--height",
        &height,
    ]);
    let shown = json(&certificate);
    let file = committee.path("certificate.json");
    std::fs::write(&file, &certificate.stdout).unwrap();
    let file = file.display().to_string();
    let group_key = shown["group_public_key"].as_str().unwrap();
    json(&finished(&[
        "--json",
        "certificate",
        "verify",
        &file,
        "--group-key",
        group_key,
    ]));
    json(&finished(&[
        "--json",
        "certificate",
        "verify",
        &file,
        "--genesis",
        &genesis,
    ]));
    let future = [
        "--endpoint",
        &endpoint,
        "certificate",
        "show",
        "--height",
        "1000000000",
    ];
    assert_eq!(finished(&future).status.code(), Some(4));

    let admin = format!("http://{}", committee.listen(1).admin);
    let status = json(&finished(&["--json", "status", "--admin", &admin]));
    assert_eq!(
        (
            &status["validator"],
            &status["peers"].as_array().unwrap().len()
        ),
        (&1.into(), &3)
    );
    let info = json(&finished(&["--endpoint", &endpoint, "--json", "status"]));
    assert_eq!(info["chain_id"], status["info"]["chain_id"]);

    // A certificate of this chain is nothing under another chain's genesis.
    let stranger = Committee::lay_out();
    let other = stranger.path("genesis.json").display().to_string();
    let fooled = finished(&["certificate", "verify", &file, "--genesis", &other]);
    assert_eq!(
        fooled.status.code(),
        Some(5),
        "{}",
        String::from_utf8_lossy(&fooled.stderr)
    );
}

/// A devnet that runs until something ends it.
struct Endless {
    process: Child,
    directory: TempDir,
}

impl Endless {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let process = quorate(&["devnet", "--load", "10", "--accounts", "4", "--data-dir"])
            .arg(directory.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process, directory }
    }

    /// The processes of the validators, once all run.
    async fn pids(&self) -> Vec<Pid> {
        let file = self.directory.path().join("network.json");
        until("network.json", String::new, async || file.exists()).await;
        let network: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let pids = network["validators"].as_array().unwrap().iter();
        pids.map(|validator| Pid::from_raw(validator["pid"].as_i64().unwrap().try_into().unwrap()))
            .collect()
    }
}

async fn all_gone(pids: Vec<Pid>) {
    for pid in pids {
        // A process that is gone but not waited for has no command line.
        let file = format!("/proc/{pid}/cmdline");
        let gone = || std::fs::read(&file).map_or(true, |line| line.is_empty());
        until("the end of a validator", String::new, async || gone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_validator_ends_the_devnet_with_its_own_exit_code() {
    let mut devnet = Endless::start();
    let pids = devnet.pids().await;
    kill(pids[2], Signal::SIGKILL).unwrap();
    let mut story = devnet.process.stderr.take().unwrap();
    assert_eq!(ended(devnet.process).await, Some(8));
    let mut text = String::new();
    story.read_to_string(&mut text).unwrap();
    assert!(text.contains("validator-2 ended by itself"), "{text}");
    all_gone(pids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_do_not_outlive_a_killed_devnet() {
    let mut devnet = Endless::start();
    let pids = devnet.pids().await;
    devnet.process.kill().unwrap();
    devnet.process.wait().unwrap();
    all_gone(pids).await;
}
