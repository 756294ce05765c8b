//! A member whose outbox is a lie.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{StreamExt, iter, pending};
use quorate_dkg::{DealerEvidence, Message, SignedDealing};
use quorate_node::ceremony::{CEREMONY_VERSION, EVIDENCE_DIRECTORY};
use quorate_node::net::PeerTls;
use quorate_rpc::admin::v1::ListCeremonyEvidenceRequest;
use quorate_rpc::admin::v1::ceremony_service_client::CeremonyServiceClient;
use quorate_rpc::peer::v1::ceremony_exchange_service_server::{
    CeremonyExchangeService, CeremonyExchangeServiceServer,
};
use quorate_rpc::peer::v1::{
    CeremonyExchangeServiceHelloRequest, CeremonyExchangeServiceHelloResponse,
    CeremonyExchangeServiceSubscribeRequest, CeremonyExchangeServiceSubscribeResponse,
    FetchDealingRequest, FetchDealingResponse,
};
use quorate_types::{DealingHash, Decode, Encode, IdentitySignature};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::world::{World, completed, identity, member, stop_all, until};

/// Tells each subscriber the next of its lies.
struct Liar {
    lies: Vec<CeremonyExchangeServiceSubscribeResponse>,
    subscriptions: AtomicUsize,
}

fn lie(position: u64, entry: Vec<u8>) -> CeremonyExchangeServiceSubscribeResponse {
    CeremonyExchangeServiceSubscribeResponse {
        position: Some(position),
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
        let lie = self.lies[number % self.lies.len()].clone();
        Ok(Response::new(Box::pin(iter([Ok(lie)]).chain(pending()))))
    }

    async fn fetch_dealing(
        &self,
        _request: Request<FetchDealingRequest>,
    ) -> Result<Response<FetchDealingResponse>, Status> {
        let dealing = Bytes::from_static(&[0; 100]);
        Ok(Response::new(FetchDealingResponse { dealing }))
    }
}

async fn serve(world: &World, index: u16, lies: Vec<CeremonyExchangeServiceSubscribeResponse>) {
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
    let service = CeremonyExchangeServiceServer::new(Liar {
        lies,
        subscriptions: AtomicUsize::new(0),
    });
    let incoming = ReceiverStream::new(incoming);
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_is_cut_off_with_the_reason_and_stops_nobody() {
    let world = World::new();
    let unsigned = Message::Echo {
        dealer: member(0),
        hash: DealingHash([1; 32]),
        signature: IdentitySignature([2; 64]),
    };
    let lies = vec![
        lie(7, unsigned.to_bytes()),
        lie(0, vec![255; 40]),
        lie(0, vec![0; 300_000]),
        lie(0, unsigned.to_bytes()),
    ];
    serve(&world, 3, lies).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dealer_of_nonsense_is_convicted_on_disk_and_to_the_operator() {
    let world = World::new();
    let body = vec![7; world.ceremony.parameters().dealing_bytes()].into();
    let dealing = SignedDealing::sign(&world.ceremony, member(3), body, &identity(3));
    let nonsense = Message::Dealing(dealing);
    serve(&world, 3, vec![lie(0, nonsense.to_bytes())]).await;
    let nodes = world.start_all(0..3).await;
    for node in &nodes {
        until(node, "evidence", |status| status.evidence == 1).await;
        completed(node).await;
    }
    let admin = format!("http://{}", nodes[1].addresses().admin);
    let mut operator = CeremonyServiceClient::connect(admin).await.unwrap();
    let request = ListCeremonyEvidenceRequest::default();
    let page = operator.list_ceremony_evidence(request).await.unwrap();
    let shown = page.into_inner().evidence;
    assert_eq!((shown.len(), shown[0].dealer), (1, Some(3)));
    stop_all(nodes).await;

    let file = world
        .data_dir(1)
        .join(EVIDENCE_DIRECTORY)
        .join("3-invalid-dealing.bin");
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes, shown[0].canonical);
    let evidence = DealerEvidence::from_bytes(&bytes).unwrap();
    assert_eq!(evidence.verify(&world.ceremony), Ok(member(3)));
    // Evidence outlives the process.
    let node = world.start(1).await;
    until(&node, "evidence after a restart", |status| {
        status.evidence == 1
    })
    .await;
    node.stop().await.unwrap();
}
