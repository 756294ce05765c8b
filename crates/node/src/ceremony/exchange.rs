//! What the other members ask of this one.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use quorate_rpc::peer::v1::ceremony_exchange_service_server::{
    CeremonyExchangeService, CeremonyExchangeServiceServer,
};
use quorate_rpc::peer::v1::{
    CeremonyExchangeServiceHelloRequest as HelloRequest,
    CeremonyExchangeServiceHelloResponse as HelloResponse,
    CeremonyExchangeServiceSubscribeRequest as SubscribeRequest,
    CeremonyExchangeServiceSubscribeResponse as SubscribeResponse, FetchDealingRequest,
    FetchDealingResponse,
};
use quorate_rpc::{ConvertError, Fault, fixed_bytes};
use quorate_types::{CeremonyId, DealingHash, ValidatorIndex};
use tokio::sync::{oneshot, watch};
use tonic::{Request, Response, Status};

use super::shared::{Event, Shared};
use crate::api::Drain;
use crate::net::PeerIdentity;

/// The one version of the protocol between members of a ceremony.
pub const CEREMONY_VERSION: u32 = 1;
/// Most bytes of entries in one message of a subscription, unless a single entry is larger.
const SUBSCRIBE_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of one request: all are small.
const REQUEST_BYTES_MAX: usize = 4096;

/// The members' service.
#[derive(Clone)]
pub(super) struct ExchangeApi {
    shared: Arc<Shared>,
    /// For each member, the number of its last subscription.
    subscriptions: Arc<[watch::Sender<u64>]>,
    drain: Drain,
}

impl ExchangeApi {
    pub(super) fn new(shared: Arc<Shared>, drain: Drain) -> Self {
        let members = shared.ceremony.indices();
        Self {
            subscriptions: members.map(|_| watch::Sender::new(0)).collect(),
            shared,
            drain,
        }
    }

    pub(super) fn into_server(self) -> CeremonyExchangeServiceServer<Self> {
        CeremonyExchangeServiceServer::new(self).max_decoding_message_size(REQUEST_BYTES_MAX)
    }

    /// Who calls, about this ceremony. One who runs another is told so, and remembered.
    fn caller<T>(&self, request: &Request<T>, ceremony: &[u8]) -> Result<ValidatorIndex, Fault> {
        let identity = request.extensions().get::<PeerIdentity>();
        let caller = identity.ok_or_else(Fault::unauthenticated_peer)?.index;
        let other = CeremonyId(fixed_bytes(ceremony, "ceremony_id")?);
        let own = self.shared.ceremony.id();
        if other != own {
            self.shared.met_other_ceremony(caller, other);
            return Err(Fault::wrong_ceremony(&own));
        }
        self.shared
            .update_peer(caller, |peer| peer.other_ceremony = None);
        Ok(caller)
    }
}

fn absent(field: &'static str) -> Fault {
    ConvertError::Missing { field }.into()
}

#[tonic::async_trait]
impl CeremonyExchangeService for ExchangeApi {
    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send + 'static>>;

    async fn hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        let caller = self.caller(&request, &request.get_ref().ceremony_id)?;
        let hello = request.into_inner();
        if !(hello.version_min..=hello.version_max).contains(&CEREMONY_VERSION) {
            return Err(Fault::unsupported_version(CEREMONY_VERSION, CEREMONY_VERSION).into());
        }
        let held = hello.held.ok_or_else(|| absent("held"))?;
        let complete = hello.complete.ok_or_else(|| absent("complete"))?;
        let (noted, heard) = oneshot::channel();
        let from = caller;
        self.shared.tell(Event::Claims { from, held, noted });
        heard.await.map_err(|_| Fault::shutting_down())?;
        if complete {
            let (noted, durable) = oneshot::channel();
            self.shared.tell(Event::Complete { from, noted });
            durable.await.map_err(|_| Fault::shutting_down())?;
        }
        Ok(Response::new(HelloResponse {
            version: CEREMONY_VERSION,
            held: Some(self.shared.held(caller)),
            build_version: env!("CARGO_PKG_VERSION").to_owned(),
            complete: Some(self.shared.is_complete()),
        }))
    }

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let caller = self.caller(&request, &request.get_ref().ceremony_id)?;
        let position = request.into_inner().from_position;
        let position = position.ok_or_else(|| absent("from_position"))?;
        let outbox = self.shared.outbox_len.subscribe();
        let length = *outbox.borrow();
        if position > length {
            return Err(Fault::outbox_lost(length).into());
        }
        let latest = self.subscriptions.get(caller.position());
        let latest = latest.ok_or_else(Fault::unauthenticated_peer)?;
        let mut number = 0;
        latest.send_modify(|latest| {
            *latest += 1;
            number = *latest;
        });
        let cursor = Cursor {
            shared: self.shared.clone(),
            position,
            outbox,
            latest: latest.subscribe(),
            number,
            drain: self.drain.clone(),
        };
        let stream = unfold(Some(cursor), |cursor| async {
            let mut cursor = cursor?;
            Some(match cursor.next().await {
                Ok(message) => (Ok(message), Some(cursor)),
                Err(fault) => (Err(fault.into()), None),
            })
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn fetch_dealing(
        &self,
        request: Request<FetchDealingRequest>,
    ) -> Result<Response<FetchDealingResponse>, Status> {
        self.caller(&request, &request.get_ref().ceremony_id)?;
        let request = request.into_inner();
        let dealer = request.dealer.ok_or_else(|| absent("dealer"))?;
        let dealer = u16::try_from(dealer)
            .map_err(|_| Fault::invalid_field("dealer", "there is no such dealer"))?;
        let hash = DealingHash(fixed_bytes(&request.hash, "hash").map_err(Fault::from)?);
        let dealing = self.shared.body(&(ValidatorIndex(dealer), hash));
        Ok(Response::new(FetchDealingResponse {
            dealing: dealing.unwrap_or_default(),
        }))
    }
}

/// What one subscriber is due next.
struct Cursor {
    shared: Arc<Shared>,
    position: u64,
    outbox: watch::Receiver<u64>,
    latest: watch::Receiver<u64>,
    number: u64,
    drain: Drain,
}

impl Cursor {
    /// Waits until something is due and takes it.
    async fn next(&mut self) -> Result<SubscribeResponse, Fault> {
        loop {
            if *self.latest.borrow_and_update() != self.number {
                return Err(Fault::superseded());
            }
            // Marked before looking, so that what comes while looking wakes the wait below.
            self.outbox.mark_unchanged();
            let entries: Vec<Bytes> = self.shared.outbox(self.position, SUBSCRIBE_BYTES_MAX);
            if !entries.is_empty() {
                let position = self.position;
                self.position += entries.len() as u64;
                return Ok(SubscribeResponse {
                    position: Some(position),
                    entries,
                });
            }
            tokio::select! {
                changed = self.outbox.changed() => changed.map_err(|_| Fault::shutting_down())?,
                _ = self.latest.changed() => {}
                () = self.drain.started() => return Err(Fault::shutting_down()),
            }
        }
    }
}
