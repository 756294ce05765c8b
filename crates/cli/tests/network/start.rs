//! How one validator starts, does not start, and stops.

use std::net::TcpListener;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::committee::{Committee, ended, finished, until};

/// Runs a validator that must not start, and gives its exit code and last words.
fn refused(committee: &Committee, index: usize) -> (Option<i32>, String) {
    let config = committee.config(index).display().to_string();
    let output = finished(&["run", "--config", &config]);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_port_in_use_is_named() {
    let committee = Committee::lay_out();
    let listen = committee.listen(0);
    for address in [listen.public, listen.admin, listen.peer, listen.metrics] {
        let _held = TcpListener::bind(address).unwrap();
        let (code, story) = refused(&committee, 0);
        assert_eq!(code, Some(9), "{story}");
        assert!(
            story.contains(&address.to_string()),
            "{address} is missing in: {story}"
        );
    }
}

#[test]
fn unusable_files_are_named() {
    let committee = Committee::lay_out();
    std::fs::write(
        committee.path("validator-0/data"),
        "a file where a directory belongs",
    )
    .unwrap();
    let (code, story) = refused(&committee, 0);
    assert_eq!(code, Some(9), "{story}");
    assert!(story.contains("validator-0/data"), "{story}");

    // The share of one member with the identity of another.
    std::fs::remove_dir_all(committee.path("validator-1/key")).unwrap();
    std::fs::rename(
        committee.path("validator-2/key"),
        committee.path("validator-1/key"),
    )
    .unwrap();
    let (code, story) = refused(&committee, 1);
    assert_eq!(code, Some(9), "{story}");
    assert!(story.contains("keys"), "{story}");

    std::fs::remove_file(committee.path("genesis.json")).unwrap();
    let (code, story) = refused(&committee, 3);
    assert_eq!(code, Some(9), "{story}");
    assert!(story.contains("genesis.json"), "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_stop_when_asked_to_and_with_their_parent() {
    let mut committee = Committee::lay_out();
    for index in [0, 1] {
        committee.run(index);
        until(
            "a start",
            || committee.log(index),
            async || committee.head(index).await.is_some(),
        )
        .await;
    }
    let terminated = committee.take(0);
    let pid = Pid::from_raw(i32::try_from(terminated.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(ended(terminated).await, Some(0), "{}", committee.log(0));
    assert!(committee.log(0).contains("SIGTERM"), "{}", committee.log(0));

    let mut orphan = committee.take(1);
    drop(orphan.stdin.take());
    assert_eq!(ended(orphan).await, Some(0), "{}", committee.log(1));
}
