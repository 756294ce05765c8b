//! Members that stop and start again.

use quorate_node::ceremony::{
    CeremonyError, CeremonyPhase, Ended, GROUP_FILE, SHARE_FILE, TRANSCRIPT_FILE, Until,
};
use tokio::time::timeout;

use crate::world::{HANG, World, completed, stop_all, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_stops_again_and_again_says_nothing_twice_and_completes() {
    let world = World::new();
    // Without one of these nothing goes on, so the restarts are in the middle of everything.
    let nodes = world.start_all([0, 2]).await;
    let mut last = 0;
    for outbox in [1, 3, 6, 10, 15, 25] {
        let node = world.start(3).await;
        let status = until(&node, "more messages", |status| {
            status.outbox >= outbox || status.result.is_some()
        })
        .await;
        assert!(status.outbox >= last, "nothing is forgotten");
        assert_ne!(status.phase, CeremonyPhase::Silent);
        last = status.outbox;
        node.stop().await.unwrap();
    }
    let node = world.start(3).await;
    let status = completed(&node).await;
    assert!(status.outbox >= last);
    for other in &nodes {
        let status = completed(other).await;
        assert_eq!(status.evidence, 0, "it contradicted itself: {status:?}");
        assert!(
            status
                .peers
                .iter()
                .all(|peer| !peer.last_error.contains("rule"))
        );
    }
    node.stop().await.unwrap();
    stop_all(nodes).await;
    world.check([0, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_a_crash_left_out_are_written_at_the_next_start() {
    let world = World::new();
    let mut nodes = world.start_all(0..4).await;
    for node in &mut nodes {
        timeout(HANG, node.wait()).await.unwrap().unwrap();
    }
    stop_all(nodes).await;
    let directory = world.data_dir(0);
    let share = std::fs::read(directory.join(SHARE_FILE)).unwrap();
    let transcript = std::fs::read(directory.join(TRANSCRIPT_FILE)).unwrap();
    for missing in [
        &[GROUP_FILE][..],
        &[TRANSCRIPT_FILE, GROUP_FILE],
        &[SHARE_FILE, TRANSCRIPT_FILE, GROUP_FILE],
    ] {
        for file in missing {
            std::fs::remove_file(directory.join(file)).unwrap();
        }
        // Nobody else is needed, and all are remembered to be complete.
        let mut node = world.start(0).await;
        assert_eq!(
            timeout(HANG, node.wait()).await.unwrap().unwrap(),
            Ended::Done
        );
        let status = node.watch().borrow().clone();
        assert!(status.delivered.len() >= 3, "{status:?}");
        node.stop().await.unwrap();
        assert!(directory.join(GROUP_FILE).exists());
        assert_eq!(
            std::fs::read(directory.join(TRANSCRIPT_FILE)).unwrap(),
            transcript
        );
        let kept = std::fs::read(directory.join(SHARE_FILE)).unwrap() == share;
        assert_eq!(kept, !missing.contains(&SHARE_FILE));
        world.check(0..4);
    }
    // A file that is another's is not overwritten.
    std::fs::copy(
        world.data_dir(1).join(SHARE_FILE),
        directory.join(SHARE_FILE),
    )
    .unwrap();
    let mut node = world.start(0).await;
    let refused = timeout(HANG, node.wait()).await.unwrap();
    assert!(
        matches!(refused, Err(CeremonyError::OtherShare { .. })),
        "{refused:?}"
    );
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directories_are_for_one_process_and_one_ceremony() {
    let world = World::new();
    let node = world.start(0).await;
    let mut twice = world.config(0);
    twice.listen = "127.0.0.1:0".parse().unwrap();
    let refused = world.start_with(twice, 0).await.err().unwrap();
    assert!(matches!(refused, CeremonyError::InUse { .. }), "{refused}");
    let refused = world.start_with(world.config(0), 0).await.err().unwrap();
    assert!(matches!(refused, CeremonyError::Listen { .. }), "{refused}");
    node.stop().await.unwrap();

    let mut other = world.config(0);
    other.ceremony = world.other_ceremony();
    let refused = world.start_with(other, 0).await.err().unwrap();
    assert!(
        matches!(refused, CeremonyError::OtherCeremony { .. }),
        "{refused}"
    );
    let refused = world.start_with(world.config(0), 7).await.err().unwrap();
    assert!(matches!(refused, CeremonyError::Secrets(_)), "{refused}");
    let mut stopped = world.config(0);
    stopped.until = Until::Stopped;
    stopped
        .peers
        .insert(crate::world::member(4), "localhost:1".to_owned());
    let refused = world.start_with(stopped, 0).await.err().unwrap();
    assert!(
        matches!(refused, CeremonyError::UnknownPeer(_)),
        "{refused}"
    );
}
