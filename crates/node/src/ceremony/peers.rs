//! The outboxes that this member reads, and the dealings it asks for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_dkg::{DEALING_BYTES_MAX, Input, Message, SignedDealing};
use quorate_rpc::peer::v1::ceremony_exchange_service_client::CeremonyExchangeServiceClient;
use quorate_rpc::peer::v1::{
    CeremonyExchangeServiceHelloRequest as HelloRequest,
    CeremonyExchangeServiceSubscribeRequest as SubscribeRequest,
    CeremonyExchangeServiceSubscribeResponse as SubscribeResponse, FetchDealingRequest,
};
use quorate_rpc::{ErrorReason, metadata_of, reason_of};
use quorate_types::{CeremonyId, CodecError, Decode, ValidatorIndex};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::exchange::CEREMONY_VERSION;
use super::shared::{Event, Fetch, Shared};
use crate::api::ConnectionState;
use crate::net::PEER_MESSAGE_BYTES_MAX;

/// First pause before a broken connection is tried again; doubles up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest pause before a broken connection is tried again.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// How long one call may take before the connection is given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the next member is asked for a dealing.
const FETCH_PAUSE: Duration = Duration::from_millis(200);
/// Messages of one peer that wait for the engine: its transport waits beyond that.
const QUEUE_PER_PEER: usize = 64;
/// Most bytes of one message: a dealing and what is around it.
const MESSAGE_BYTES_MAX: usize = DEALING_BYTES_MAX as usize + 256;

/// A connection to one peer.
#[derive(Clone)]
pub(super) struct Peer {
    index: ValidatorIndex,
    client: CeremonyExchangeServiceClient<Channel>,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    /// The next position to read in its outbox.
    position: u64,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum PeerError {
    #[error("{}", .0.message())]
    Status(#[from] Box<Status>),
    #[error("it runs another ceremony: {0}")]
    OtherCeremony(CeremonyId),
    #[error("no answer in {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    #[error("it ended the stream")]
    Ended,
    #[error("it broke a rule: position {found} comes, {expected} is next")]
    Position { expected: u64, found: u64 },
    #[error("it broke a rule: a message of {0} bytes")]
    TooLong(usize),
    #[error("it broke a rule: message {position}: {error}")]
    Message { position: u64, error: CodecError },
    #[error("this member is stopping")]
    Stopped,
}

impl Peer {
    pub(super) fn new(index: ValidatorIndex, channel: Channel, shared: Arc<Shared>) -> Self {
        let client = CeremonyExchangeServiceClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX);
        Self {
            index,
            client,
            shared,
            room: Arc::new(Semaphore::new(QUEUE_PER_PEER)),
            position: 0,
        }
    }

    /// Reads the peer's outbox, and connects again whenever the connection breaks, until the node stops. A peer that lied is
    /// told of this member's end, but not read any more.
    pub(super) async fn follow(mut self) {
        let stop = self.shared.stop.clone();
        let mut pause = RETRY_FIRST;
        loop {
            let before = self.position;
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.session() => ended,
            };
            if self.position > before {
                pause = RETRY_FIRST;
            }
            let error = ended.err().unwrap_or(PeerError::Ended);
            tracing::debug!(member = %self.index, %error, "connection ended");
            let lied = self.is_refused();
            self.shared.update_peer(self.index, |peer| {
                peer.state = ConnectionState::Disconnected;
                // How it lied stays to be read.
                if !lied {
                    peer.last_error = error.to_string();
                }
            });
            match error {
                PeerError::Position { .. } | PeerError::TooLong(_) | PeerError::Message { .. } => {
                    tracing::warn!(member = %self.index, %error, "connection cut");
                    pause = RETRY_MOST;
                }
                PeerError::OtherCeremony(other) => {
                    self.shared.met_other_ceremony(self.index, other);
                    pause = RETRY_MOST;
                }
                PeerError::Stopped => return,
                PeerError::Status(_) | PeerError::Timeout | PeerError::Ended => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_MOST);
        }
    }

    fn is_refused(&self) -> bool {
        self.shared.refused.borrow().contains(self.index)
    }

    /// One connection: greeting, subscription, reading, and another greeting once this member is complete.
    async fn session(&mut self) -> Result<(), PeerError> {
        let mut told = self.hello().await?;
        self.shared.update_peer(self.index, |peer| {
            peer.state = ConnectionState::Connected;
            peer.other_ceremony = None;
        });
        let mut listening = self.shared.listening.subscribe();
        listening
            .wait_for(|listening| *listening)
            .await
            .map_err(|_| PeerError::Stopped)?;
        let mut stream = self.subscribe().await?;
        let shared = Arc::clone(&self.shared);
        let index = self.index;
        loop {
            let lied = self.is_refused();
            tokio::select! {
                message = stream.message(), if !lied => {
                    let message = message.map_err(Box::new)?.ok_or(PeerError::Ended)?;
                    self.take(message).await?;
                }
                () = shared.completed(), if !told => told = self.hello().await?,
                () = shared.refuses(index), if !lied => {}
                // A liar that has been told has nothing more to get or to give.
                () = std::future::pending(), if lied && told => {}
            }
        }
    }

    /// Compares ceremonies and counts. Returns whether the peer was told that this member is complete.
    async fn hello(&mut self) -> Result<bool, PeerError> {
        let complete = self.shared.is_complete();
        let request = HelloRequest {
            ceremony_id: self.ceremony(),
            version_min: CEREMONY_VERSION,
            version_max: CEREMONY_VERSION,
            held: Some(self.shared.held(self.index)),
            build_version: env!("CARGO_PKG_VERSION").to_owned(),
            complete: Some(complete),
        };
        let answer = call(self.client.hello(request)).await?.into_inner();
        let from = self.index;
        if let Some(held) = answer.held {
            let (noted, heard) = oneshot::channel();
            self.shared.tell(Event::Claims { from, held, noted });
            heard.await.map_err(|_| PeerError::Stopped)?;
        }
        if complete {
            self.shared.tell(Event::Acknowledged { from });
        }
        Ok(complete)
    }

    async fn subscribe(&mut self) -> Result<Streaming<SubscribeResponse>, PeerError> {
        let request = SubscribeRequest {
            ceremony_id: self.ceremony(),
            from_position: Some(self.position),
        };
        Ok(call(self.client.subscribe(request)).await?.into_inner())
    }

    async fn take(&mut self, message: SubscribeResponse) -> Result<(), PeerError> {
        let expected = self.position;
        let found = message.position.unwrap_or(u64::MAX);
        if found != expected {
            return Err(PeerError::Position { expected, found });
        }
        for entry in message.entries {
            if entry.len() > MESSAGE_BYTES_MAX {
                return Err(PeerError::TooLong(entry.len()));
            }
            let position = self.position;
            let message = Message::from_bytes(&entry)
                .map_err(|error| PeerError::Message { position, error })?;
            let room = self.room.clone().acquire_owned().await;
            self.shared.tell(Event::Received {
                from: self.index,
                position,
                message,
                _room: room.map_err(|_| PeerError::Stopped)?,
            });
            self.position += 1;
        }
        let received = self.position;
        self.shared.note_held(self.index, received);
        self.shared
            .update_peer(self.index, |peer| peer.received = received);
        Ok(())
    }

    /// Asks for a dealing; `None` if it does not come.
    async fn fetch(&mut self, fetch: &Fetch) -> Option<SignedDealing> {
        let (dealer, hash) = fetch.name;
        let request = FetchDealingRequest {
            ceremony_id: self.ceremony(),
            dealer: Some(dealer.0.into()),
            hash: Bytes::copy_from_slice(hash.as_ref()),
        };
        let answer = call(self.client.fetch_dealing(request)).await;
        let dealing = match answer {
            Ok(answer) => answer.into_inner().dealing,
            Err(error) => {
                tracing::debug!(member = %self.index, %error, "fetch failed");
                return None;
            }
        };
        if dealing.is_empty() || dealing.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        SignedDealing::from_bytes(&dealing).ok()
    }

    fn ceremony(&self) -> Bytes {
        Bytes::copy_from_slice(self.shared.ceremony.id().as_ref())
    }
}

/// Waits for an answer, but not for ever.
async fn call<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, PeerError> {
    match tokio::time::timeout(CALL_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(other_ceremony(&status)
            .map_or_else(|| Box::new(status).into(), PeerError::OtherCeremony)),
        Err(_) => Err(PeerError::Timeout),
    }
}

/// The callee's ceremony, if it refuses because that is another one.
fn other_ceremony(status: &Status) -> Option<CeremonyId> {
    if reason_of(status) != Some(ErrorReason::WrongCeremony) {
        return None;
    }
    CeremonyId::from_hex(&metadata_of(status, "ceremony_id")?)
}

/// Hands requests for dealings to their peers until the node stops. The engine is answered in any case.
pub(super) async fn run_fetches(
    mut fetches: mpsc::UnboundedReceiver<Fetch>,
    peers: Vec<Option<Peer>>,
    shared: Arc<Shared>,
) {
    let mut running = JoinSet::new();
    loop {
        let next = tokio::select! {
            () = shared.stop.cancelled() => break,
            next = fetches.recv() => next,
            Some(_) = running.join_next() => continue,
        };
        let Some(fetch) = next else { break };
        let peer = peers.get(fetch.from.position()).cloned().flatten();
        let shared = shared.clone();
        running.spawn(async move {
            let dealing = match peer {
                Some(mut peer) => peer.fetch(&fetch).await,
                None => None,
            };
            if dealing.is_none() {
                tokio::time::sleep(FETCH_PAUSE).await;
            }
            let (dealer, hash) = fetch.name;
            shared.tell(Event::Input(Input::Fetched {
                from: fetch.from,
                dealer,
                hash,
                dealing,
            }));
        });
    }
    running.shutdown().await;
}
