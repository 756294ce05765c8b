//! Validators that missed too much join at the tip, take part, and serve the history in time.

use quorate_node::NodeError;
use quorate_types::Height;

use crate::committee::{Committee, Seat, stop_all, until};

/// Heights that are missed: more than the configuration's limit.
const MISSED: u64 = 450;

/// Starts a validator that learns from its peers that it is too far behind.
async fn start_behind(committee: &Committee, index: u16) {
    let mut seat = committee.start(index).await;
    let ended = seat.node.wait().await;
    assert!(
        matches!(
            ended,
            Some(NodeError::Behind {
                height: Height(256..)
            })
        ),
        "{ended:?}"
    );
    // Whatever else it met on the way down.
    let _ = seat.node.shutdown().await;
}

async fn reach(seats: &[Seat], height: u64) {
    for seat in seats {
        until("heights are certified", || async {
            seat.certified().await >= height
        })
        .await;
    }
}

/// All agree at a height, and the last serves it.
async fn assert_agree(seats: &[Seat], height: u64) {
    let certificate = seats[0].certificate(height).await;
    for seat in seats {
        assert_eq!(seat.certificate(height).await, certificate);
        assert_eq!(seat.header(height).await, certificate.header);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_missed_everything_joins_and_is_needed() {
    let committee = Committee::new(31);
    let mut seats = Vec::new();
    for index in 0..3 {
        seats.push(committee.start(index).await);
    }
    seats[0].submit(vec![1; 100]).await.unwrap();
    reach(&seats, MISSED).await;
    start_behind(&committee, 3).await;
    seats.push(committee.join(3).await);
    let joined_at = seats[3].certified().await;
    assert!(joined_at >= 256, "{joined_at}");
    assert!(
        seats[3].transactions().await >= 1,
        "from a header it never executed"
    );

    // Without the first, nothing goes on without the last.
    seats.remove(0).node.shutdown().await.unwrap();
    let height = seats[0].certified().await + 40;
    seats[2].submit(vec![2; 100]).await.unwrap();
    reach(&seats, height).await;
    for height in [1, 2, 100, joined_at, height] {
        until("the history is there", || async {
            seats[2].serves(height).await
        })
        .await;
        assert_agree(&seats, height).await;
    }
    for seat in &seats {
        seat.assert_no_evidence().await;
    }
    // And after a restart it is a validator like any other.
    let last = seats.pop().unwrap();
    last.node.shutdown().await.unwrap();
    seats.push(committee.start(3).await);
    reach(&seats, height + 20).await;
    assert_agree(&seats, 1).await;
    stop_all(seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_fell_behind_keeps_what_it_had() {
    let committee = Committee::new(32);
    let mut seats = committee.start_all().await;
    reach(&seats, 140).await;
    let away = seats.pop().unwrap();
    let known = away.certified().await;
    away.node.shutdown().await.unwrap();
    reach(&seats, known + MISSED).await;
    start_behind(&committee, 3).await;
    seats.push(committee.join(3).await);
    let height = seats[0].certified().await + 20;
    reach(&seats, height).await;
    for height in [1, known, known + 100, height] {
        until("the history is there", || async {
            seats[3].serves(height).await
        })
        .await;
        assert_agree(&seats, height).await;
    }
    for seat in &seats {
        seat.assert_no_evidence().await;
    }
    stop_all(seats).await;
}
