//! Peers and clients that ask for more than they may: each is refused with its reason, and nobody else is.

use std::time::Duration;

use bytes::Bytes;
use quorate_node::api::ApiOptions;
use quorate_node::net::{CALLS_PER_PEER_MAX, Traffic};
use quorate_rpc::peer::v1::{FetchBlocksRequest, FetchBlocksResponse, SubscribeRequest};
use quorate_rpc::submit::v1::submit_service_client::SubmitServiceClient;
use quorate_rpc::submit::v1::{BatchSubmitTransactionsRequest, SubmitTransactionRequest, WaitFor};
use quorate_rpc::types::v1;
use quorate_rpc::{ErrorReason, reason_of, retry_after_of};
use quorate_types::{Round, TransactionId};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::chain::{Chain, HEIGHTS, connect, serve};
use crate::peer_fake::{Client, dial, hello, listen, listen_with, tls, usual};

const MIB: usize = 1024 * 1024;

fn expect(status: &Status, reason: ErrorReason) {
    let found = (status.code(), reason_of(status));
    assert_eq!(found, (Code::ResourceExhausted, Some(reason)), "{status:?}");
    let retry = retry_after_of(status).expect("it says when to try again");
    assert!(retry > Duration::ZERO);
}

async fn fetch(client: &Client, rounds: &[u64]) -> Result<FetchBlocksResponse, Status> {
    let blocks = rounds.iter().map(|round| v1::BlockRef {
        round: *round,
        author: Some(0),
        id: vec![1; 32].into(),
    });
    let request = FetchBlocksRequest {
        blocks: blocks.collect(),
    };
    Ok(client.clone().fetch_blocks(request).await?.into_inner())
}

/// The next answer. Where a bound is missing, none may ever come.
async fn next<T: 'static>(calls: &mut JoinSet<T>) -> T {
    let answer = timeout(Duration::from_secs(30), calls.join_next()).await;
    let answer = answer.expect("an answer within half a minute");
    answer.expect("a call is left").expect("no call panics")
}

/// What it gives each peer does not grow back while the test runs.
fn allowance(mebibytes: u64) -> Traffic {
    Traffic {
        bytes_per_second: 1,
        bytes_burst: mebibytes << 20,
    }
}

#[tokio::test]
async fn a_peer_that_fetches_over_and_over_is_refused_and_another_is_not() {
    let committee = usual();
    let server = listen_with(&committee, tls(&committee, 0, 1), allowance(9)).await;
    server.fake.change(|state| {
        let large = Bytes::from(vec![7; 2 * MIB]);
        state.blocks = [(Round(1), large.clone()), (Round(2), large)].into();
    });
    let flooding = dial(&tls(&committee, 1, 2), 0, server.address);
    let mut answered = 0;
    let status = loop {
        match fetch(&flooding, &[1, 2]).await {
            Ok(answer) => answered += answer.blocks.len(),
            Err(status) => break status,
        }
    };
    assert_eq!(answered, 6, "nine mebibytes, the last of them on credit");
    expect(&status, ErrorReason::TooMuchTraffic);
    let status = hello(&mut flooding.clone(), &committee).await.unwrap_err();
    expect(&status, ErrorReason::TooMuchTraffic);
    let other = dial(&tls(&committee, 2, 3), 0, server.address);
    assert_eq!(fetch(&other, &[1, 2]).await.unwrap().blocks.len(), 2);
}

#[tokio::test]
async fn a_stream_that_starts_over_costs_and_one_that_goes_on_does_not() {
    let committee = usual();
    let server = listen_with(&committee, tls(&committee, 0, 1), allowance(3)).await;
    let block = Bytes::from(vec![7; MIB]);
    server.fake.change(|state| {
        state.blocks = (1..=8).map(|round| (Round(round), block.clone())).collect();
    });
    let mut client = dial(&tls(&committee, 1, 2), 0, server.address);
    let request = SubscribeRequest {
        from_round: Some(1),
        from_height: Some(1),
    };
    let mut stream = client.subscribe(request).await.unwrap().into_inner();
    for _ in 0..8 {
        let message = stream.message().await.unwrap().unwrap();
        assert_eq!(message.envelopes.len(), 1, "eight mebibytes, once");
    }
    let mut again = client.subscribe(request).await.unwrap().into_inner();
    again.message().await.unwrap().unwrap();
    let due = timeout(Duration::from_millis(500), again.message()).await;
    assert!(due.is_err(), "three mebibytes are spent: it waits");
    let status = client.subscribe(request).await.unwrap_err();
    expect(&status, ErrorReason::TooMuchTraffic);
}

#[tokio::test]
async fn a_peers_calls_are_bounded_over_all_its_connections() {
    let committee = usual();
    let server = listen(&committee, tls(&committee, 0, 1)).await;
    server.fake.answering.send_replace(false);
    let connections = [0, 1].map(|_| dial(&tls(&committee, 1, 2), 0, server.address));
    let mut calls = JoinSet::new();
    for _ in 0..CALLS_PER_PEER_MAX {
        for client in connections.clone() {
            calls.spawn(async move { fetch(&client, &[1]).await });
        }
    }
    for _ in 0..CALLS_PER_PEER_MAX {
        let refused = next(&mut calls).await.unwrap_err();
        expect(&refused, ErrorReason::TooManyStreams);
    }
    let mut other = dial(&tls(&committee, 2, 3), 0, server.address);
    hello(&mut other, &committee).await.unwrap();
    server.fake.answering.send_replace(true);
    for _ in 0..CALLS_PER_PEER_MAX {
        next(&mut calls).await.unwrap();
    }
    fetch(&connections[0], &[1]).await.unwrap();
}

#[tokio::test]
async fn requests_of_all_clients_together_are_bounded_in_bytes() {
    let chain = Chain::new(HEIGHTS);
    let options = ApiOptions {
        request_bytes_max: MIB,
        ..ApiOptions::default()
    };
    let public = serve(&chain, options).await;
    let mut client = SubmitServiceClient::new(connect(public.address).await);
    let batch = |count| BatchSubmitTransactionsRequest {
        transactions: vec![Bytes::from(vec![b'a'; 1024]); count],
    };
    let status = client.batch_submit_transactions(batch(1024)).await;
    expect(&status.unwrap_err(), ErrorReason::TooMuchTraffic);
    client.batch_submit_transactions(batch(1000)).await.unwrap();

    // What a call holds while it waits counts, and is given back with it.
    let id = TransactionId([b'w'; 32]);
    chain.order(id, None);
    let mut calls = JoinSet::new();
    for _ in 0..80 {
        let mut client = client.clone();
        let request = SubmitTransactionRequest {
            transaction: vec![b'w'; 15 * 1024].into(),
            wait: WaitFor::Committed.into(),
        };
        calls.spawn(async move { client.submit_transaction(request).await });
    }
    let refused = next(&mut calls).await;
    expect(&refused.unwrap_err(), ErrorReason::TooMuchTraffic);
    calls.shutdown().await;
    loop {
        match client.batch_submit_transactions(batch(1000)).await {
            Ok(_) => break,
            // The server has not heard of the end of all calls yet.
            Err(status) => expect(&status, ErrorReason::TooMuchTraffic),
        }
    }
}
