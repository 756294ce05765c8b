//! A validator that drops what nobody needs any more, and goes on from what is left.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use quorate_node::NodeError;
use quorate_node::config::{Config, Pruning};
use quorate_node::net::{PeerTls, peer_channel, peer_client};
use quorate_rpc::peer::v1::{HelloRequest, SubscribeRequest};
use quorate_rpc::{ErrorReason, metadata_of, reason_of};
use quorate_store::disk::{Disk, MemoryDisk};
use quorate_store::wal::WalError;
use quorate_types::{Execution, ValidatorIndex};
use tonic::Status;

use crate::committee::{Committee, SIZE, Seat, stop_all, until, until_settled};

/// Rounds of the log that are kept; far fewer than a configuration file may say.
const ROUNDS: u64 = 100;
/// Heights that keep their receipts.
const RECEIPTS: u64 = 200;

fn config(committee: &Committee, index: u16) -> Config {
    Config {
        pruning: Pruning {
            receipt_heights: RECEIPTS,
            log_rounds: ROUNDS,
            log_bytes: 0,
            segment_bytes: 32 << 10,
        },
        ..committee.config(index)
    }
}

async fn start(committee: &Committee) -> Vec<Seat> {
    let mut members = Vec::new();
    for index in 0..SIZE {
        let config = config(committee, index);
        members.push(committee.start_with(config, index).await);
    }
    members
}

/// Numbers of the log's segments.
fn segments(data_dir: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(data_dir.join("log")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut numbers: Vec<u64> = names
        .map(|name| u64::from_str_radix(name.strip_suffix(".wal").unwrap(), 16).unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

async fn until_cut(committee: &Committee, index: u16, above: u64) {
    until("the log is cut", || async {
        segments(&committee.data_dir(index))[0] > above
    })
    .await;
}

/// What validator 0 tells validator 1 of the rounds that it keeps, and how a subscription from round 1 ends.
async fn ask(committee: &Committee, members: &[Seat]) -> (u64, Status) {
    let of = committee.genesis.committee().unwrap();
    let identity = committee.secrets(1).identity;
    let tls = PeerTls::new(&of, ValidatorIndex(1), &identity).unwrap();
    let address = members[0].node.addresses().peer.to_string();
    let mut client = peer_client(peer_channel(&tls, ValidatorIndex(0), &address).unwrap());
    let hello = HelloRequest {
        chain_id: Bytes::copy_from_slice(of.chain().as_ref()),
        shard: Some(of.shard().0),
        epoch: Some(of.epoch().0),
        version_min: 1,
        version_max: 1,
        build_version: String::new(),
    };
    let told = client.hello(hello).await.unwrap().into_inner();
    let subscribe = SubscribeRequest {
        from_round: Some(1),
        from_height: Some(1),
    };
    let mut stream = client.subscribe(subscribe).await.unwrap().into_inner();
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Err(status) = stream.message().await {
                return status;
            }
        }
    });
    (told.lowest_available_round(), ended.await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_drops_what_nobody_needs_and_says_so() {
    let committee = Committee::executing(20, Execution::Ledger);
    let members = start(&committee).await;
    let early = members[0].submit_named(committee.transfer(0)).await;
    until_settled(&members, 1).await;
    let height = members[0].outcome(early.clone()).await.unwrap();
    let first = members[1].certificate(1).await;
    for index in 0..SIZE {
        until_cut(&committee, index, 3).await;
    }
    until("receipts are dropped", || async {
        members[0].lowest_receipts().await > height
    })
    .await;

    // Receipts and outcomes are gone, certificates are not.
    let status = members[0].outcome(early).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::TransactionUnknown));
    let told: u64 = metadata_of(&status, "lowest_receipts_height")
        .unwrap()
        .parse()
        .unwrap();
    let executed = members[0].status().await.executed_height();
    assert!(
        (height + 1..=executed - RECEIPTS + 1).contains(&told),
        "{told}"
    );
    assert_eq!(members[0].certificate(1).await, first);
    assert_eq!(members[0].certificate(height).await.header.height.0, height);

    let (lowest, ended) = ask(&committee, &members).await;
    assert!(lowest > 1);
    assert!(lowest + ROUNDS <= members[0].status().await.own_round());
    assert_eq!(reason_of(&ended), Some(ErrorReason::RoundPruned));
    let again: u64 = metadata_of(&ended, "lowest_available_round")
        .unwrap()
        .parse()
        .unwrap();
    assert!(again >= lowest);

    let late = members[1].submit_named(committee.transfer(1)).await;
    until_settled(&members, 2).await;
    let late_height = members[1].outcome(late.clone()).await.unwrap();
    stop_all(members).await;

    // What is left is enough to start from.
    let members = start(&committee).await;
    assert_eq!(members[1].outcome(late).await.unwrap(), late_height);
    assert_eq!(members[2].certificate(1).await, first);
    assert!(ask(&committee, &members).await.0 >= lowest);
    members[3].submit(committee.transfer(2)).await.unwrap();
    until_settled(&members, 3).await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_that_a_crash_left_behind_go_at_the_next_start() {
    let committee = Committee::new(21);
    let members = start(&committee).await;
    let log = committee.data_dir(0).join("log");
    // Whole segments, as long as they are there.
    let mut copies: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    while segments(&committee.data_dir(0))[0] < 5 {
        let numbers = segments(&committee.data_dir(0));
        let closed = numbers.split_last().unwrap().1;
        for number in closed {
            if copies.contains_key(number) {
                continue;
            }
            if let Ok(bytes) = std::fs::read(log.join(format!("{number:016x}.wal"))) {
                copies.insert(*number, bytes);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop_all(members).await;
    let first = segments(&committee.data_dir(0))[0];
    for number in 2..first {
        let path = log.join(format!("{number:016x}.wal"));
        std::fs::write(path, &copies[&number]).unwrap();
    }
    assert_eq!(segments(&committee.data_dir(0))[0], 2);
    let members = start(&committee).await;
    until("what was left behind is gone", || async {
        segments(&committee.data_dir(0))[0] >= first
    })
    .await;
    members[0].submit("something").await.unwrap();
    until_settled(&members, 1).await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_was_away_catches_up_within_the_rounds_that_are_kept() {
    let committee = Committee::new(22);
    let mut members = start(&committee).await;
    until_cut(&committee, 0, 1).await;
    members.pop().unwrap().node.shutdown().await.unwrap();
    let left = members[0].status().await.own_round();
    until("the others go on", || async {
        members[0].status().await.own_round() > left + 60
    })
    .await;
    let config = config(&committee, 3);
    members.push(committee.start_with(config, 3).await);
    members[3].submit("back").await.unwrap();
    until_settled(&members, 1).await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_lost_while_the_log_is_cut_again_and_again_loses_nothing_that_binds() {
    let committee = Committee::new(23);
    let mut disk = MemoryDisk::new();
    let first = |disk: &MemoryDisk| disk.list().unwrap().into_iter().next().unwrap();
    let alone = async |disk: &MemoryDisk| {
        let config = config(&committee, 0);
        committee.start_with_disk(config, 0, disk.clone()).await
    };
    let mut members = vec![alone(&disk).await];
    for index in 1..SIZE {
        members.push(committee.start(index).await);
    }
    for (seed, changes) in [1, 9, 30, 4].into_iter().enumerate() {
        let seed = seed as u64 + 1;
        let before = first(&disk);
        until("the log is cut", || async { first(&disk) > before }).await;
        disk.power_off_after(changes);
        let error = members[0].node.wait().await;
        assert!(
            matches!(error, Some(NodeError::Log(WalError::Disk(_)))),
            "{error:?}"
        );
        members.remove(0).node.shutdown().await.unwrap();
        disk.crash(seed);
        members.insert(0, alone(&disk).await);
        members[0].submit(format!("number {seed}")).await.unwrap();
        until_settled(&members, seed).await;
    }
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}
