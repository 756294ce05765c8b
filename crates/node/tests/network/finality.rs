//! SubscribeFinality over the network.

use std::time::Duration;

use bytes::Bytes;
use quorate_node::api::ApiOptions;
use quorate_rpc::ledger::v1::ledger_service_client::LedgerServiceClient;
use quorate_rpc::ledger::v1::subscribe_finality_request::Start;
use quorate_rpc::ledger::v1::subscribe_finality_response::Event;
use quorate_rpc::ledger::v1::{SubscribeFinalityRequest, SubscribeFinalityResponse};
use quorate_rpc::{ErrorReason, metadata_of, reason_of};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::chain::{Chain, HEIGHTS, connect, serve};

type Ledger = LedgerServiceClient<Channel>;

async fn subscribe(
    client: &Ledger,
    start: Option<Start>,
) -> Result<Streaming<SubscribeFinalityResponse>, Status> {
    let request = SubscribeFinalityRequest { start };
    let stream = client.clone().subscribe_finality(request).await?;
    Ok(stream.into_inner())
}

/// The height of the next event, and its token.
async fn next(stream: &mut Streaming<SubscribeFinalityResponse>) -> (u64, Bytes) {
    let event = stream
        .message()
        .await
        .unwrap()
        .expect("the stream has no end");
    match event.event {
        Some(Event::Certificate(certificate)) => {
            (certificate.header.unwrap().height(), event.resume_token)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cut_anywhere_and_resumed_it_is_the_uncut_stream() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let client = Ledger::new(connect(public.address).await);
    let mut stream = subscribe(&client, Some(Start::FromHeight(1)))
        .await
        .unwrap();
    let mut uncut = Vec::new();
    for _ in 0..HEIGHTS {
        uncut.push(next(&mut stream).await);
    }
    assert_eq!(
        uncut.iter().map(|(height, _)| *height).collect::<Vec<_>>(),
        (1..=HEIGHTS).collect::<Vec<_>>()
    );
    drop(stream);

    for cut in 1..=uncut.len() {
        let token = uncut[cut - 1].1.clone();
        let mut stream = subscribe(&client, Some(Start::ResumeToken(token)))
            .await
            .unwrap();
        for expected in &uncut[cut..] {
            assert_eq!(next(&mut stream).await, *expected, "after a cut at {cut}");
        }
        // And it goes on with what comes into being later.
        if cut == uncut.len() {
            chain.advance(HEIGHTS + 1, HEIGHTS + 1, 1);
            assert_eq!(next(&mut stream).await.0, HEIGHTS + 1);
        }
    }
}

#[tokio::test]
async fn without_a_start_it_begins_with_what_is_new() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let client = Ledger::new(connect(public.address).await);
    let mut stream = subscribe(&client, None).await.unwrap();
    chain.advance(HEIGHTS + 2, HEIGHTS + 2, 1);
    assert_eq!(next(&mut stream).await.0, HEIGHTS + 1);
    assert_eq!(next(&mut stream).await.0, HEIGHTS + 2);
}

#[tokio::test]
async fn idle_streams_beat() {
    let options = ApiOptions {
        heartbeat: Duration::from_millis(20),
        ..ApiOptions::default()
    };
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, options).await;
    let client = Ledger::new(connect(public.address).await);
    let mut stream = subscribe(&client, Some(Start::FromHeight(HEIGHTS)))
        .await
        .unwrap();
    let (_, token) = next(&mut stream).await;
    for _ in 0..3 {
        let event = stream.message().await.unwrap().unwrap();
        let Some(Event::Heartbeat(heartbeat)) = event.event else {
            panic!("nothing else happens");
        };
        assert_eq!(heartbeat.head_height, Some(HEIGHTS));
        assert_eq!(event.resume_token, token, "a heartbeat moves nothing");
    }
}

#[tokio::test]
async fn bad_starts_have_reasons() {
    let chain = Chain::new(HEIGHTS);
    chain.advance(HEIGHTS, HEIGHTS, 4);
    let public = serve(&chain, ApiOptions::default()).await;
    let client = Ledger::new(connect(public.address).await);
    let mut stream = subscribe(&client, Some(Start::FromHeight(4)))
        .await
        .unwrap();
    let token = next(&mut stream).await.1;
    let mut foreign = token.to_vec();
    foreign[5] ^= 1;
    let cases = [
        (
            Start::FromHeight(0),
            Code::InvalidArgument,
            ErrorReason::InvalidField,
        ),
        (
            Start::FromHeight(HEIGHTS + 2),
            Code::OutOfRange,
            ErrorReason::HeightNotReached,
        ),
        (
            Start::FromHeight(3),
            Code::OutOfRange,
            ErrorReason::CursorPruned,
        ),
        (
            Start::ResumeToken(foreign.into()),
            Code::InvalidArgument,
            ErrorReason::BadResumeToken,
        ),
        (
            Start::ResumeToken(token.slice(1..)),
            Code::InvalidArgument,
            ErrorReason::BadResumeToken,
        ),
        (
            Start::ResumeToken(Bytes::new()),
            Code::InvalidArgument,
            ErrorReason::BadResumeToken,
        ),
    ];
    for (start, code, reason) in cases {
        let status = subscribe(&client, Some(start)).await.unwrap_err();
        assert_eq!((status.code(), reason_of(&status)), (code, Some(reason)));
        if reason == ErrorReason::CursorPruned {
            assert_eq!(
                metadata_of(&status, "lowest_available_height").as_deref(),
                Some("4")
            );
        }
    }
}

#[tokio::test]
async fn a_stopping_listener_ends_its_streams_with_a_reason() {
    let chain = Chain::new(HEIGHTS);
    let public = serve(&chain, ApiOptions::default()).await;
    let client = Ledger::new(connect(public.address).await);
    let mut stream = subscribe(&client, None).await.unwrap();
    public.stop.send(()).unwrap();
    let status = stream.message().await.unwrap_err();
    assert_eq!(reason_of(&status), Some(ErrorReason::ShuttingDown));
    drop((stream, client));
    public.served.await.unwrap();
}
