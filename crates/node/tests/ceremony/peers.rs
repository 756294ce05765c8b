//! Members that are not what they should be.

use bytes::Bytes;
use quorate_node::ceremony::CEREMONY_VERSION;
use quorate_node::net::{PeerTls, peer_channel};
use quorate_rpc::peer::v1::ceremony_exchange_service_client::CeremonyExchangeServiceClient;
use quorate_rpc::peer::v1::{
    CeremonyExchangeServiceHelloRequest as HelloRequest,
    CeremonyExchangeServiceSubscribeRequest as SubscribeRequest, FetchDealingRequest,
};
use quorate_rpc::{ErrorReason, metadata_of, reason_of};
use tonic::Status;

use crate::world::{World, identity, member, stop_all, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_with_another_definition_are_named_on_both_sides() {
    let world = World::new();
    let mut other = world.config(2);
    other.ceremony = world.other_ceremony();
    let other_id = other.ceremony.id();
    let stray = world.start_with(other, 2).await.unwrap();
    let nodes = world.start_all(0..2).await;
    for (node, peer, id) in [
        (&nodes[0], 2, other_id),
        (&nodes[1], 2, other_id),
        (&stray, 0, world.ceremony.id()),
        (&stray, 1, world.ceremony.id()),
    ] {
        let status = until(node, "the other ceremony", |status| {
            let mut peers = status.peers.iter();
            peers.any(|one| one.index == member(peer) && one.other_ceremony == Some(id))
        })
        .await;
        let explained = status.explain();
        let named = explained.iter().find(|wait| wait.members == [member(peer)]);
        assert!(
            named.unwrap().what.contains(&id.to_string()),
            "{explained:?}"
        );
        assert_eq!(status.outbox, 0, "it is nobody's to count");
    }
    // Once it has the right one, everything goes on.
    stray.stop().await.unwrap();
    std::fs::remove_dir_all(world.data_dir(2)).unwrap();
    let right = world.start(2).await;
    for node in nodes.iter().chain([&right]) {
        let status = crate::world::completed(node).await;
        assert!(
            status
                .peers
                .iter()
                .all(|peer| peer.other_ceremony.is_none())
        );
    }
    right.stop().await.unwrap();
    stop_all(nodes).await;
    world.check(0..3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_refused_with_reasons() {
    let world = World::new();
    let node = world.start(0).await;
    let members = world.ceremony.definition().members.iter();
    let identities = members.map(|member| member.identity).collect();
    let tls = PeerTls::for_ceremony(identities, member(3), &identity(3)).unwrap();
    let channel = peer_channel(&tls, member(0), &world.address(0).to_string()).unwrap();
    let mut client = CeremonyExchangeServiceClient::new(channel);
    let own = Bytes::copy_from_slice(world.ceremony.id().as_ref());
    let good = HelloRequest {
        ceremony_id: own.clone(),
        version_min: CEREMONY_VERSION,
        version_max: CEREMONY_VERSION,
        held: Some(0),
        build_version: String::new(),
        complete: Some(false),
    };
    let answer = client.hello(good.clone()).await.unwrap().into_inner();
    assert_eq!((answer.held, answer.complete), (Some(0), Some(false)));

    let reason = |status: Status| reason_of(&status).unwrap();
    for (change, expected) in [
        (
            HelloRequest {
                ceremony_id: Bytes::new(),
                ..good.clone()
            },
            ErrorReason::InvalidField,
        ),
        (
            HelloRequest {
                held: None,
                ..good.clone()
            },
            ErrorReason::InvalidField,
        ),
        (
            HelloRequest {
                complete: None,
                ..good.clone()
            },
            ErrorReason::InvalidField,
        ),
        (
            HelloRequest {
                version_min: CEREMONY_VERSION + 1,
                version_max: CEREMONY_VERSION + 2,
                ..good.clone()
            },
            ErrorReason::UnsupportedVersion,
        ),
    ] {
        assert_eq!(reason(client.hello(change).await.unwrap_err()), expected);
    }
    let ceremony_id = Bytes::copy_from_slice(world.other_ceremony().id().as_ref());
    let wrong = client
        .hello(HelloRequest {
            ceremony_id,
            ..good.clone()
        })
        .await
        .unwrap_err();
    let told = metadata_of(&wrong, "ceremony_id").unwrap();
    assert_eq!(told, world.ceremony.id().to_string());
    assert_eq!(reason(wrong), ErrorReason::WrongCeremony);

    let subscribe = |from_position| SubscribeRequest {
        ceremony_id: own.clone(),
        from_position,
    };
    let absent = client.subscribe(subscribe(None)).await.unwrap_err();
    assert_eq!(reason(absent), ErrorReason::InvalidField);
    let beyond = client.subscribe(subscribe(Some(1))).await.unwrap_err();
    assert_eq!(reason(beyond), ErrorReason::OutboxLost);
    // A newer subscription takes the place of an older one.
    let mut older = client
        .subscribe(subscribe(Some(0)))
        .await
        .unwrap()
        .into_inner();
    let _newer = client.subscribe(subscribe(Some(0))).await.unwrap();
    let ended = older.message().await.unwrap_err();
    assert_eq!(reason(ended), ErrorReason::Superseded);

    let fetch = |dealer, hash: &[u8]| FetchDealingRequest {
        ceremony_id: own.clone(),
        dealer,
        hash: Bytes::copy_from_slice(hash),
    };
    let nothing = client
        .fetch_dealing(fetch(Some(1), &[1; 32]))
        .await
        .unwrap();
    assert!(nothing.into_inner().dealing.is_empty());
    for bad in [
        fetch(None, &[1; 32]),
        fetch(Some(70_000), &[1; 32]),
        fetch(Some(1), &[1; 31]),
    ] {
        let refused = client.fetch_dealing(bad).await.unwrap_err();
        assert_eq!(reason(refused), ErrorReason::InvalidField);
    }
    // One liar's word silences nobody.
    client
        .hello(HelloRequest {
            held: Some(9),
            ..good
        })
        .await
        .unwrap();
    let status = until(&node, "the claim", |status| status.peers[2].held == Some(9)).await;
    assert!(status.failures.is_empty());
    node.stop().await.unwrap();
}
