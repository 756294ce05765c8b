//! Ceremonies that go through.

use quorate_crypto::pvss::Sequential;
use quorate_node::ceremony::{CeremonyPhase, Ended, GROUP_FILE, RayonParallel};
use tokio::time::timeout;

use crate::world::{HANG, World, completed, stop_all, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_members_make_one_key_and_end_by_themselves() {
    let world = World::new();
    let mut nodes = world.start_all(0..4).await;
    for node in &mut nodes {
        let ended = timeout(HANG, node.wait()).await.expect("it ends");
        assert_eq!(ended.unwrap(), Ended::Done);
        let status = node.watch().borrow().clone();
        assert_eq!(status.phase, CeremonyPhase::Complete);
        assert_eq!(status.explain(), []);
        assert!(status.failures.is_empty());
        assert_eq!(status.evidence, 0);
    }
    stop_all(nodes).await;
    world.check(0..4);
    let transcript = world.transcript(2);
    let verified = transcript.verify(&RayonParallel::new().unwrap()).unwrap();
    assert_eq!(
        verified.hash(),
        transcript.verify(&Sequential).unwrap().hash()
    );

    let text = std::fs::read_to_string(world.data_dir(1).join(GROUP_FILE)).unwrap();
    let group: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(group["group_key"], transcript.keys.group.to_hex());
    assert_eq!(group["share_keys"][3], transcript.keys.shares[3].to_hex());
    assert_eq!(group.as_object().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_member_is_named_and_comes_late_to_the_same_key() {
    let world = World::new();
    let nodes = world.start_all(0..1).await;
    let alone = until(&nodes[0], "a status", |status| !status.waits.is_empty()).await;
    assert_eq!(alone.phase, CeremonyPhase::Starting);
    assert_eq!(alone.outbox, 0, "nothing is said to nobody");
    let named: Vec<u16> = alone.waits[0]
        .members
        .iter()
        .map(|member| member.0)
        .collect();
    assert_eq!(named, [1, 2, 3]);

    // One other is not enough to know that this member never said anything: two have to say so.
    let mut nodes = nodes;
    nodes.extend(world.start_all(1..2).await);
    for node in &nodes {
        let status = until(node, "the first claim", |status| {
            let mut waits = status.waits.iter();
            waits.any(|wait| wait.what.contains("have 1 of 2"))
                || status.phase != CeremonyPhase::Starting
        })
        .await;
        assert_eq!(status.phase, CeremonyPhase::Starting);
        assert_eq!(status.outbox, 0);
    }
    nodes.extend(world.start_all(2..3).await);
    for node in &nodes {
        completed(node).await;
        assert!(!node.watch().borrow().all_complete());
    }
    let mut late = world.start(3).await;
    assert_eq!(
        timeout(HANG, late.wait()).await.unwrap().unwrap(),
        Ended::Done
    );
    nodes.push(late);
    for node in &mut nodes {
        assert_eq!(
            timeout(HANG, node.wait()).await.unwrap().unwrap(),
            Ended::Done
        );
    }
    stop_all(nodes).await;
    world.check(0..4);
}
