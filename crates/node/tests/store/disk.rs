//! Logs on disks that fill up, lose power and tear writes.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use quorate_node::NodeError;
use quorate_rpc::{ErrorReason, reason_of, retry_after_of};
use quorate_store::disk::MemoryDisk;
use quorate_store::wal::{Wal, WalError, WalOptions};
use quorate_types::ValidatorIndex;
use quorate_validator::Logged;
use tonic::Code;

use crate::committee::{Committee, SIZE, Seat, stop_all, until, until_settled};

const SEGMENT: &str = "0000000000000000.wal";

/// Validator 0 with its log on the disk, and the others.
async fn start(committee: &Committee, disk: &MemoryDisk) -> Vec<Seat> {
    let mut members = vec![committee.start_on(0, disk.clone()).await.unwrap()];
    for index in 1..SIZE {
        members.push(committee.start(index).await);
    }
    members
}

/// Highest round of validator 0's blocks on the disk.
fn durable_round(disk: &MemoryDisk) -> u64 {
    let id = disk.content(SEGMENT).unwrap()[16..48].try_into().unwrap();
    let mut highest = 0;
    Wal::open(disk.copy(), WalOptions::new(id), |record| {
        let payload = Bytes::copy_from_slice(record.payload);
        if let Logged::Block(block) = Logged::decode(record.kind, payload).unwrap()
            && block.author() == ValidatorIndex(0)
        {
            highest = highest.max(block.round().0);
        }
    })
    .unwrap();
    highest
}

fn bytes(disk: &MemoryDisk) -> u64 {
    disk.content(SEGMENT).unwrap().len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_holds_back_everything_that_depends_on_it_until_there_is_room() {
    let committee = Committee::new(2);
    let disk = MemoryDisk::new();
    let members = start(&committee, &disk).await;
    members[0].submit("before").await.unwrap();
    until_settled(&members, 1).await;
    assert!(!members[0].node.disk_full());

    disk.set_capacity(Some(bytes(&disk)));
    until("the validator notices", || async {
        members[0].node.disk_full()
    })
    .await;
    let refused = members[0].submit("no room").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused), Some(ErrorReason::PoolFull));
    assert!(retry_after_of(&refused).is_some_and(|retry| retry > Duration::ZERO));

    // The others go on without it, and get nothing that is not on its disk.
    let from = members[1].status().await.highest_round();
    members[2].submit("meanwhile").await.unwrap();
    until_settled(&members[1..], 2).await;
    until("the others go on", || async {
        members[1].status().await.highest_round() >= from + 20
    })
    .await;
    let durable = durable_round(&disk);
    assert!(durable < members[0].status().await.own_round());
    for member in &members[1..] {
        assert!(member.round_of(0).await <= durable, "a block left early");
    }
    assert!(members[0].node.disk_full());

    disk.set_capacity(None);
    until("the validator notices", || async {
        !members[0].node.disk_full()
    })
    .await;
    members[0].submit("after").await.unwrap();
    until_settled(&members, 3).await;
    until("its blocks come again", || async {
        members[1].round_of(0).await > from + 20
    })
    .await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_stops_though_its_disk_is_full() {
    let committee = Committee::new(3);
    let disk = MemoryDisk::new();
    let mut members = start(&committee, &disk).await;
    disk.set_capacity(Some(0));
    until("the validator notices", || async {
        members[0].node.disk_full()
    })
    .await;
    let full = members.remove(0);
    tokio::time::timeout(Duration::from_secs(20), full.node.shutdown())
        .await
        .expect("it stops")
        .unwrap();

    disk.set_capacity(None);
    members.push(committee.start_on(0, disk.clone()).await.unwrap());
    members[3].submit("again").await.unwrap();
    until_settled(&members, 1).await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_lost_amid_writes_stops_the_validator_and_no_restart_contradicts_what_it_sent() {
    let committee = Committee::new(4);
    let mut disk = MemoryDisk::new();
    let mut members = start(&committee, &disk).await;
    for (count, changes) in [61, 40, 77].into_iter().enumerate() {
        let count = count as u64 + 1;
        members[1].submit(format!("number {count}")).await.unwrap();
        until_settled(&members, count).await;
        disk.power_off_after(changes);
        let error = members[0].node.wait().await;
        assert!(
            matches!(error, Some(NodeError::Log(WalError::Disk(_)))),
            "{error:?}"
        );
        let stopped = members.remove(0);
        stopped.node.shutdown().await.unwrap();
        disk.crash(count);
        let again = committee.start_on(0, disk.clone()).await.unwrap();
        members.insert(0, again);
    }
    members[0].submit("the last").await.unwrap();
    until_settled(&members, 4).await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_cut_and_the_validator_goes_on() {
    let committee = Committee::new(5);
    let mut members = committee.start_all().await;
    members[0].submit("before").await.unwrap();
    until_settled(&members, 1).await;
    let stopped = members.remove(0);
    stopped.node.shutdown().await.unwrap();
    let path = committee.data_dir(0).join("log/0000000000000000.wal");
    let whole = std::fs::read(&path).unwrap();
    let torn = &whole[64..64 + 90];
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(torn).unwrap();
    drop(file);

    members.insert(0, committee.start(0).await);
    members[0].submit("after").await.unwrap();
    until_settled(&members, 2).await;
    for member in &members {
        member.assert_no_evidence().await;
    }
    stop_all(members).await;
    let grown = std::fs::read(&path).unwrap();
    assert_eq!(grown[..whole.len()], whole);
    assert_ne!(grown[whole.len()..][..90], *torn);
}
