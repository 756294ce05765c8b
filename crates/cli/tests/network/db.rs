//! `quorate db` on the directories of processes.

use std::os::unix::fs::FileExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::committee::{Committee, ended, finished};

/// Runs `quorate db`; gives its exit code, and standard output and error.
fn db(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = finished(&[&["db"], arguments].concat());
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_checked_written_out_and_read_in() {
    let mut committee = Committee::start();
    committee.reach(&[0, 1, 2, 3], 200).await;
    let config = committee.config(0).display().to_string();
    let (code, _, story) = db(&["verify", "--config", &config]);
    assert_eq!(code, Some(17), "{story}");
    assert!(story.contains("stop it first"), "{story}");

    let child = committee.take(0);
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    ended(child).await;
    let (code, facts, story) = db(&["verify", "--config", &config, "--json"]);
    assert_eq!(code, Some(0), "{facts}{story}");
    let facts: Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts["verified"], true, "{facts}");
    let (code, table, story) = db(&["verify", "--config", &config]);
    assert_eq!(code, Some(0), "{story}");
    assert!(
        table.contains("certificates") && !table.contains("BAD"),
        "{table}"
    );
    let (code, _, story) = db(&["prune", "--config", &config, "--keep-heights", "5"]);
    assert_eq!(code, Some(2), "{story}");
    let (code, freed, story) = db(&["prune", "--config", &config, "--json"]);
    assert_eq!(code, Some(0), "{freed}{story}");

    let file = committee.path("chain.export").display().to_string();
    let (code, facts, story) = db(&["export", "--config", &config, "--out", &file, "--json"]);
    assert_eq!(code, Some(0), "{story}");
    let facts: Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts["from_height"], 1, "{facts}");
    let genesis = committee.path("genesis.json").display().to_string();
    let check = ["verify", "--file", &file, "--genesis", &genesis, "--json"];
    let (code, checked, story) = db(&check);
    assert_eq!(code, Some(0), "{story}");
    assert_eq!(serde_json::from_str::<Value>(&checked).unwrap(), facts);

    committee.kill(3);
    let config = committee.config(3).display().to_string();
    let (code, _, story) = db(&["import", "--config", &config, &file]);
    assert_eq!(code, Some(3), "{story}");
    std::fs::remove_dir_all(committee.path("validator-3/data")).unwrap();
    let (code, _, story) = db(&["import", "--config", &config, &file]);
    assert_eq!(code, Some(0), "{story}");
    // It has run with its share before: that its log is gone is known still.
    let (code, story) = {
        let output = finished(&["run", "--config", &config]);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(code, Some(9), "{story}");
    assert!(story.contains("--lost-disk"), "{story}");

    let changed = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&file)
        .unwrap();
    let mut byte = [0];
    changed.read_exact_at(&mut byte, 1_000).unwrap();
    changed.write_all_at(&[byte[0] ^ 1], 1_000).unwrap();
    let (code, _, story) = db(&check);
    assert_eq!(code, Some(5), "{story}");
    assert!(
        story.contains("at byte 768") && story.contains("height 3"),
        "{story}"
    );
}
