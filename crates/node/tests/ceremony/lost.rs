//! Members that lose their disk in the middle.

use quorate_node::ceremony::{CeremonyNode, CeremonyPhase};

use crate::world::{World, completed, member, stop_all, until};

/// Members 0 and 1 run; member 3 did, has said something that both have read, and stopped.
async fn in_the_middle(world: &World) -> Vec<CeremonyNode> {
    let others = world.start_all([0, 1]).await;
    let node = world.start(3).await;
    until(&node, "a message", |status| status.outbox >= 1).await;
    for other in &others {
        until(other, "reading it", |status| {
            let mut peers = status.peers.iter();
            peers.any(|peer| peer.index == member(3) && peer.received >= 1)
        })
        .await;
    }
    node.stop().await.unwrap();
    others
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_its_log_falls_silent_and_gets_its_share_from_the_result() {
    for what in ["everything", "the log"] {
        let world = World::new();
        let mut others = in_the_middle(&world).await;
        let lost = match what {
            "everything" => world.data_dir(3),
            _ => world.data_dir(3).join("log"),
        };
        std::fs::remove_dir_all(lost).unwrap();
        let node = world.start(3).await;
        let silent = until(&node, "silence", |status| {
            status.phase == CeremonyPhase::Silent || status.result.is_some()
        })
        .await;
        assert_eq!(silent.outbox, 0, "{what}: {silent:?}");
        // That it must be silent is remembered.
        node.stop().await.unwrap();
        let node = world.start(3).await;
        others.push(world.start(2).await);
        for other in &others {
            let status = completed(other).await;
            assert_eq!(status.evidence, 0, "{what}");
        }
        let status = completed(&node).await;
        assert_eq!(status.outbox, 0, "{what}");
        node.stop().await.unwrap();
        stop_all(others).await;
        world.check(0..4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_can_say_that_the_log_was_lost() {
    let world = World::new();
    let mut config = world.config(3);
    config.recover = true;
    let node = world.start_with(config, 3).await.unwrap();
    assert_eq!(node.watch().borrow().phase, CeremonyPhase::Silent);
    assert!(!node.watch().borrow().failures.is_empty());
    let others = world.start_all(0..3).await;
    assert_eq!(completed(&node).await.outbox, 0);
    node.stop().await.unwrap();
    stop_all(others).await;
    world.check([0, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_log_is_noticed_with_nobody_to_ask_and_is_not_forgotten() {
    let world = World::new();
    let phase = async || {
        let node = world.start(0).await;
        let phase = node.watch().borrow().phase;
        node.stop().await.unwrap();
        phase
    };
    assert_eq!(phase().await, CeremonyPhase::Starting);
    std::fs::remove_dir_all(world.data_dir(0).join("log")).unwrap();
    assert_eq!(phase().await, CeremonyPhase::Silent);
    assert_eq!(phase().await, CeremonyPhase::Silent);
}
