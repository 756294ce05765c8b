//! A member whose outbox is a lie.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{StreamExt, iter, pending};
use quorate_dkg::Message;
use quorate_node::ceremony::CEREMONY_VERSION;
use quorate_node::net::PeerTls;
use quorate_rpc::peer::v1::ceremony_exchange_service_server::{
    CeremonyExchangeService, CeremonyExchangeServiceServer,
};
use quorate_rpc::peer::v1::{
    CeremonyExchangeServiceHelloRequest, CeremonyExchangeServiceHelloResponse,
    CeremonyExchangeServiceSubscribeRequest, CeremonyExchangeServiceSubscribeResponse,
    FetchDealingRequest, FetchDealingResponse,
};
use quorate_types::{DealingHash, Encode, IdentitySignature};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::world::{World, completed, identity, member, stop_all, until};

/// Tells each subscriber another lie.
#[derive(Default)]
struct Liar {
    subscriptions: AtomicUsize,
}

fn lie(number: usize) -> CeremonyExchangeServiceSubscribeResponse {
    let unsigned = Message::Echo {
        dealer: member(0),
        hash: DealingHash([1; 32]),
        signature: IdentitySignature([2; 64]),
    };
    let (position, entry) = match number % 4 {
        0 => (Some(7), unsigned.to_bytes()),
        1 => (Some(0), vec![255; 40]),
        2 => (Some(0), vec![0; 300_000]),
        _ => (Some(0), unsigned.to_bytes()),
    };
    CeremonyExchangeServiceSubscribeResponse {
        position,
        entries: vec![entry.into()],
    }
}

#[tonic::async_trait]
impl CeremonyExchangeService for Liar {
    type SubscribeStream = Pin<
        Box<dyn Stream<Item = Result<CeremonyExchangeServiceSubscribeResponse, Status>> + Send>,
    >;

    async fn hello(
        &self,
        _request: Request<CeremonyExchangeServiceHelloRequest>,
    ) -> Result<Response<CeremonyExchangeServiceHelloResponse>, Status> {
        Ok(Response::new(CeremonyExchangeServiceHelloResponse {
            version: CEREMONY_VERSION,
            held: Some(1_000),
            build_version: String::new(),
            complete: Some(true),
        }))
    }

    async fn subscribe(
        &self,
        _request: Request<CeremonyExchangeServiceSubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let number = self.subscriptions.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(Box::pin(
            iter([Ok(lie(number))]).chain(pending()),
        )))
    }

    async fn fetch_dealing(
        &self,
        _request: Request<FetchDealingRequest>,
    ) -> Result<Response<FetchDealingResponse>, Status> {
        let dealing = Bytes::from_static(&[0; 100]);
        Ok(Response::new(FetchDealingResponse { dealing }))
    }
}

async fn serve(world: &World, index: u16) {
    let members = world.ceremony.definition().members.iter();
    let identities = members.map(|member| member.identity).collect();
    let tls = PeerTls::for_ceremony(identities, member(index), &identity(index)).unwrap();
    let listener = TcpListener::bind(world.address(index)).await.unwrap();
    let (accepted, incoming) = mpsc::channel(16);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(tls.server_config());
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(tcp).await {
                let _ = accepted.send(Ok::<_, std::io::Error>(stream)).await;
            }
        }
    });
    let service = CeremonyExchangeServiceServer::new(Liar::default());
    let incoming = ReceiverStream::new(incoming);
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_is_cut_off_with_the_reason_and_stops_nobody() {
    let world = Arc::new(World::new());
    serve(&world, 3).await;
    let nodes = world.start_all(0..3).await;
    for node in &nodes {
        until(node, "the lie", |status| {
            let liar = status.peers.last().unwrap();
            liar.last_error.contains("it broke a rule")
        })
        .await;
    }
    for node in &nodes {
        let status = completed(node).await;
        assert_eq!(status.evidence, 0);
        // That it says to be complete does not count: it never told this member so itself.
        assert!(!status.all_complete());
    }
    stop_all(nodes).await;
    world.check(0..3);
}
