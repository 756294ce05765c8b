//! The peers' service.

use std::time::Duration;

use bytes::Bytes;
use quorate_rpc::peer::v1::envelope::Body;
use quorate_rpc::peer::v1::{FetchBlocksRequest, SubscribeRequest, SubscribeResponse};
use quorate_rpc::types::v1;
use quorate_rpc::{ErrorReason, metadata_of, reason_of};
use quorate_types::{Certificate, Decode, FinalityShare, Round};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::chain::certificate;
use crate::peer_fake::{Client, Listening, dial, greeting, listen, share, tls, usual};

async fn pair() -> (Listening, Client) {
    let committee = usual();
    let server = listen(&committee, tls(&committee, 0, 1)).await;
    let client = dial(&tls(&committee, 1, 2), 0, server.address);
    (server, client)
}

async fn subscribe(
    client: &Client,
    round: u64,
    height: u64,
) -> Result<Streaming<SubscribeResponse>, Status> {
    let request = SubscribeRequest {
        from_round: Some(round),
        from_height: Some(height),
    };
    Ok(client.clone().subscribe(request).await?.into_inner())
}

/// Longest time for what is due to come.
const PATIENCE: Duration = Duration::from_secs(20);

fn block(round: u64) -> Bytes {
    format!("block {round}").into()
}

/// Blocks and finality of the next messages, until there are as many as asked of both.
async fn take(
    stream: &mut Streaming<SubscribeResponse>,
    blocks: usize,
    finality: usize,
) -> (Vec<Bytes>, Vec<Body>) {
    let (mut found_blocks, mut found_finality) = (Vec::new(), Vec::new());
    while found_blocks.len() < blocks || found_finality.len() < finality {
        let message = timeout(PATIENCE, stream.message()).await;
        let message = message.expect("something is due").unwrap();
        let envelopes = message.expect("the stream has no end").envelopes;
        assert!(!envelopes.is_empty());
        for envelope in envelopes {
            match envelope.body.unwrap() {
                Body::Block(block) => found_blocks.push(block),
                other => found_finality.push(other),
            }
        }
    }
    let found = (found_blocks.len(), found_finality.len());
    assert_eq!(found, (blocks, finality), "nothing comes twice");
    (found_blocks, found_finality)
}

#[tokio::test]
async fn a_subscription_cut_anywhere_goes_on_without_gaps() {
    let (server, client) = pair().await;
    let (rounds, executed, certified) = (9u64, 7u64, 4u64);
    server.fake.change(|state| {
        state.blocks = (1..=rounds)
            .map(|round| (Round(round), block(round)))
            .collect();
        (state.executed, state.certified) = (executed, certified);
    });
    for (round, height) in (1..=rounds + 1).zip((1..=executed + 1).cycle()) {
        let mut stream = subscribe(&client, round, height).await.unwrap();
        let blocks_due: Vec<Bytes> = (round..=rounds).map(block).collect();
        let heights_due: Vec<u64> = (height..=executed).collect();
        let (blocks, finality) = take(&mut stream, blocks_due.len(), heights_due.len()).await;
        assert_eq!(blocks, blocks_due);
        for (height, body) in heights_due.into_iter().zip(finality) {
            match body {
                Body::Certificate(bytes) => {
                    assert!(height <= certified);
                    assert_eq!(Certificate::from_bytes(&bytes), Ok(certificate(height)));
                }
                Body::Share(bytes) => {
                    assert!(height > certified);
                    assert_eq!(FinalityShare::from_bytes(&bytes), Ok(share(height)));
                }
                Body::Block(_) => unreachable!("sorted above"),
            }
        }
    }
    // What comes later comes by itself.
    let mut stream = subscribe(&client, rounds + 1, executed + 1).await.unwrap();
    server
        .fake
        .change(|state| drop(state.blocks.insert(Round(rounds + 1), block(rounds + 1))));
    assert_eq!(take(&mut stream, 1, 0).await.0, [block(rounds + 1)]);
    server.fake.change(|state| state.executed += 1);
    take(&mut stream, 0, 1).await;
    server
        .fake
        .change(|state| drop(state.blocks.insert(Round(rounds + 2), block(rounds + 2))));
    assert_eq!(take(&mut stream, 1, 0).await.0, [block(rounds + 2)]);
}

#[tokio::test]
async fn large_blocks_come_in_messages_of_bounded_size() {
    let (server, client) = pair().await;
    let large = Bytes::from(vec![7; 4_472_832]);
    let sizes = server.fake.clone();
    sizes.change(|state| {
        state.blocks = (1..=12)
            .map(|round| match round {
                6 => (Round(round), large.clone()),
                _ => (Round(round), large.slice(..400_000)),
            })
            .collect();
    });
    let mut stream = subscribe(&client, 1, 1).await.unwrap();
    let mut lengths = Vec::new();
    while lengths.len() < 12 {
        let message = stream.message().await.unwrap().unwrap();
        let bytes = message
            .envelopes
            .into_iter()
            .map(|envelope| match envelope.body {
                Some(Body::Block(block)) => block.len(),
                other => panic!("{other:?}"),
            });
        let bytes: Vec<usize> = bytes.collect();
        assert!(bytes.len() == 1 || bytes.iter().sum::<usize>() <= 1024 * 1024);
        lengths.extend(bytes);
    }
    assert_eq!(lengths[5], large.len());
    assert_eq!(lengths.iter().sum::<usize>(), large.len() + 11 * 400_000);
}

#[tokio::test]
async fn a_newer_subscription_ends_the_older_of_the_same_peer_only() {
    let (server, client) = pair().await;
    let committee = usual();
    let other = dial(&tls(&committee, 2, 3), 0, server.address);
    let mut others = subscribe(&other, 1, 1).await.unwrap();
    let mut older = subscribe(&client, 1, 1).await.unwrap();
    let mut newer = subscribe(&client, 1, 1).await.unwrap();
    let status = older.message().await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::Aborted, Some(ErrorReason::Superseded))
    );
    server
        .fake
        .change(|state| drop(state.blocks.insert(Round(1), block(1))));
    assert_eq!(take(&mut newer, 1, 0).await.0, [block(1)]);
    assert_eq!(take(&mut others, 1, 0).await.0, [block(1)]);
}

#[tokio::test]
async fn faults_of_peers_have_reasons() {
    let (server, mut client) = pair().await;
    server
        .fake
        .change(|state| (state.executed, state.certified, state.lowest) = (9, 9, 5));
    let mut greetings = Vec::new();
    let base = greeting(&usual());
    greetings.push((base.clone(), None));
    let mut wrong = base.clone();
    wrong.epoch = Some(2);
    greetings.push((
        wrong,
        Some((Code::FailedPrecondition, ErrorReason::WrongNetwork)),
    ));
    let mut wrong = base.clone();
    wrong.shard = None;
    greetings.push((
        wrong,
        Some((Code::InvalidArgument, ErrorReason::InvalidField)),
    ));
    let mut wrong = base.clone();
    wrong.chain_id = Bytes::from_static(&[7; 31]);
    greetings.push((
        wrong,
        Some((Code::InvalidArgument, ErrorReason::InvalidField)),
    ));
    let mut wrong = base;
    (wrong.version_min, wrong.version_max) = (2, 3);
    greetings.push((
        wrong,
        Some((Code::FailedPrecondition, ErrorReason::UnsupportedVersion)),
    ));
    for (greeting, fault) in greetings {
        let found = client.hello(greeting).await.err();
        let found = found.map(|status| (status.code(), reason_of(&status).unwrap()));
        assert_eq!(found, fault);
    }

    let status = subscribe(&client, 1, 0).await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::InvalidField));
    let mut stream = subscribe(&client, 1, 4).await.unwrap();
    let status = stream.message().await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::OutOfRange, Some(ErrorReason::CursorPruned))
    );
    assert_eq!(
        metadata_of(&status, "lowest_available_height").as_deref(),
        Some("5")
    );
}

#[tokio::test]
async fn rounds_that_are_pruned_are_told_and_refused() {
    let (server, mut client) = pair().await;
    server.fake.change(|state| {
        state.blocks = (7..=9).map(|round| (Round(round), block(round))).collect();
        state.lowest_round = 7;
    });
    let answer = client.hello(greeting(&usual())).await.unwrap().into_inner();
    assert_eq!(answer.lowest_available_round, Some(7));
    let mut stream = subscribe(&client, 7, 1).await.unwrap();
    assert_eq!(take(&mut stream, 3, 0).await.0.len(), 3);
    for round in [0, 1, 6] {
        let mut stream = subscribe(&client, round, 1).await.unwrap();
        let status = stream.message().await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::OutOfRange, Some(ErrorReason::RoundPruned))
        );
        let lowest = metadata_of(&status, "lowest_available_round");
        assert_eq!(lowest.as_deref(), Some("7"));
    }
}

#[tokio::test]
async fn fetches_are_checked_and_bounded() {
    let (server, mut client) = pair().await;
    server.fake.change(|state| {
        let large = Bytes::from(vec![7; 2 * 1024 * 1024]);
        state.blocks = (1..=4).map(|round| (Round(round), large.clone())).collect();
    });
    let reference = |round: u64, author, id: usize| v1::BlockRef {
        round,
        author,
        id: vec![1; id].into(),
    };
    let request = |blocks| FetchBlocksRequest { blocks };
    let wanted = (0..=4).map(|round| reference(round, Some(0), 32)).collect();
    let found = client
        .fetch_blocks(request(wanted))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.blocks.len(), 2, "a third would pass 5 MiB");

    let cases = [
        (Vec::new(), ErrorReason::InvalidField),
        (vec![reference(1, Some(0), 31)], ErrorReason::InvalidField),
        (vec![reference(1, None, 32)], ErrorReason::InvalidField),
        (vec![reference(1, Some(128), 32)], ErrorReason::InvalidField),
        (
            vec![reference(1, Some(0), 32); 513],
            ErrorReason::TooManyItems,
        ),
    ];
    for (blocks, reason) in cases {
        let status = client.fetch_blocks(request(blocks)).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::InvalidArgument, Some(reason))
        );
    }
    let huge = vec![reference(1, Some(0), 32); 4_000];
    let status = client.fetch_blocks(request(huge)).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::OutOfRange,
        "refused unread: {status:?}"
    );
}

#[tokio::test]
async fn a_stopping_listener_ends_subscriptions() {
    let (server, client) = pair().await;
    let mut stream = subscribe(&client, 1, 1).await.unwrap();
    server.stop.send(()).unwrap();
    let status = stream.message().await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::ShuttingDown));
    server.served.await.unwrap();
}
