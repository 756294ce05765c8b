//! The streams that a validator reads from its peers, and the blocks it asks them for.
//!
//! Everything is decoded, bounded and verified here, before the core sees it. A stream is read no further than the core
//! can take: blocks beyond the core's window make the reader wait (and HTTP/2 the sender), shares and certificates beyond
//! it are left out and asked for again later.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use quorate_consensus::VerifiedBlock;
use quorate_rpc::peer::v1::consensus_service_client::ConsensusServiceClient;
use quorate_rpc::peer::v1::sync_service_client::SyncServiceClient;
use quorate_rpc::peer::v1::{
    Envelope, FetchBlocksRequest, GetSyncPointRequest, HelloRequest, HelloResponse,
    SubscribeRequest, SubscribeResponse, envelope,
};
use quorate_sync::SyncPoint;
use quorate_types::{
    Block, BlockRef, Certificate, Decode, FinalityShare, Height, Round, ValidatorIndex,
};
use quorate_validator::{FINALITY_WINDOW, Greeting, Input};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Channel;

use super::error::NodeError;
use super::shared::Shared;
use crate::metrics::{PeerLabel, ReasonLabel};
use crate::net::peer_client;

/// First pause before a broken stream is opened again; doubles up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest pause before a broken stream is opened again.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// How long a fetch may take before its connection is given up; the engine has asked somebody else by then.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first call on a connection may take.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Version of the protocol between peers.
const PROTOCOL_VERSION: u32 = 1;

/// A connection to one peer.
#[derive(Clone)]
pub(crate) struct Peer {
    index: ValidatorIndex,
    client: ConsensusServiceClient<Channel>,
    sync: SyncServiceClient<Channel>,
    shared: Arc<Shared>,
    core: mpsc::Sender<Input>,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error("{0}")]
    Status(#[from] Box<tonic::Status>),
    #[error("timed out")]
    Timeout,
    #[error("the peer ended the stream")]
    Ended,
    #[error("the peer broke a rule: {reason}: {detail}")]
    Misbehaved {
        reason: &'static str,
        detail: String,
    },
    #[error("finality has moved on: opening the stream again")]
    Resubscribe,
    #[error("the core has stopped")]
    Stopped,
}

fn misbehaved(reason: &'static str, detail: impl ToString) -> StreamError {
    StreamError::Misbehaved {
        reason,
        detail: detail.to_string(),
    }
}

impl Peer {
    pub(crate) fn new(
        index: ValidatorIndex,
        channel: Channel,
        shared: Arc<Shared>,
        core: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            index,
            sync: super::sync::client(channel.clone()),
            client: peer_client(channel),
            shared,
            core,
        }
    }

    /// Reads the peer's stream, and opens it again whenever it breaks, until the node stops.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        let mut pause = RETRY_FIRST;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.session() => ended,
            };
            if self.connected(false) {
                pause = RETRY_FIRST;
            }
            self.shared
                .peer_errors
                .lock()
                .expect("no thread panics while it holds the errors")
                .insert(self.index, ended.to_string());
            match &ended {
                StreamError::Stopped => return,
                StreamError::Resubscribe => continue,
                StreamError::Misbehaved { reason, .. } => {
                    let label = ReasonLabel { reason };
                    self.shared.metrics.peer_refused.get_or_create(&label).inc();
                    tracing::warn!(peer = %self.index, error = %ended, "stream cut");
                    pause = RETRY_MOST;
                }
                StreamError::Status(_) | StreamError::Timeout | StreamError::Ended => {
                    tracing::debug!(peer = %self.index, error = %ended, "stream ended");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_MOST);
        }
    }

    /// Notes whether the stream is up; says whether it was.
    fn connected(&self, up: bool) -> bool {
        let label = PeerLabel { peer: self.index.0 };
        self.shared
            .metrics
            .peer_connected
            .get_or_create(&label)
            .set(i64::from(up));
        self.shared.connected[self.index.position()].swap(up, Ordering::Relaxed)
    }

    /// One connection: greeting, subscription, reading.
    async fn session(&mut self) -> StreamError {
        match self.subscribe().await {
            Ok(stream) => {
                self.connected(true);
                match self.read(stream).await {
                    Ok(()) => StreamError::Ended,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        }
    }

    async fn subscribe(&mut self) -> Result<Streaming<SubscribeResponse>, StreamError> {
        let committee = &self.shared.committee;
        let hello = HelloRequest {
            chain_id: Bytes::copy_from_slice(committee.chain().as_ref()),
            shard: Some(committee.shard().0),
            epoch: Some(committee.epoch().0),
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            build_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let greeting = self.client.hello(hello);
        let answer = tokio::time::timeout(HELLO_TIMEOUT, greeting)
            .await
            .map_err(|_| StreamError::Timeout)?
            .map_err(Box::new)?
            .into_inner();
        let greeting = Greeting {
            held: Round(answer.caller_highest_round.unwrap_or_default()),
            round: Round(answer.own_round.unwrap_or_default()),
        };
        let from = self.index;
        self.core
            .send(Input::Greeting { from, greeting })
            .await
            .map_err(|_| StreamError::Stopped)?;
        self.look_ahead(&answer).await;
        let received = self.shared.received[self.index.position()].load(Ordering::Relaxed);
        let request = SubscribeRequest {
            // What the peer does not keep is fetched from others, if it is needed at all.
            from_round: Some((received + 1).max(answer.lowest_available_round())),
            from_height: Some(self.shared.archive.certified().0 + 1),
        };
        let subscription = self.client.subscribe(request);
        let response = tokio::time::timeout(HELLO_TIMEOUT, subscription)
            .await
            .map_err(|_| StreamError::Timeout)?
            .map_err(Box::new)?;
        Ok(response.into_inner())
    }

    /// If the peer says that it is far ahead, and proves it, this node joins there instead of catching up block by block.
    /// So it does if the peer keeps no blocks as old as the newest here.
    async fn look_ahead(&mut self, answer: &HelloResponse) {
        let shared = &self.shared;
        let held = shared
            .received
            .iter()
            .map(|round| round.load(Ordering::Relaxed));
        let held = held.max().unwrap_or_default().max(shared.own_round().0);
        let pruned = answer.lowest_available_round() > held + 1;
        let behind = if pruned { 0 } else { shared.behind_heights };
        let far = |height: Height| {
            let least = shared.archive.certified().0;
            height.0 > least.saturating_add(behind)
        };
        if !far(Height(answer.certified_height())) {
            return;
        }
        let request = GetSyncPointRequest { height: None };
        let asked = tokio::time::timeout(HELLO_TIMEOUT, self.sync.get_sync_point(request)).await;
        let Ok(Ok(answer)) = asked else {
            return;
        };
        let point = SyncPoint::from_bytes(&answer.into_inner().point);
        let place = point.ok().and_then(|point| shared.trust.point(&point).ok());
        match place.map(|place| place.header.height) {
            Some(height) if far(height) => shared.fail(NodeError::Behind { height }),
            Some(_) => {}
            None => self.refuse("sync_point"),
        }
    }

    async fn read(&self, mut stream: Streaming<SubscribeResponse>) -> Result<(), StreamError> {
        let mut left_out = None;
        while let Some(message) = stream.message().await.map_err(Box::new)? {
            for envelope in message.envelopes {
                self.take(envelope, &mut left_out).await?;
            }
            // What was left out can be had again once finality has come closer to it.
            let certified = self.shared.archive.certified();
            if left_out.is_some_and(|height: Height| height.0 <= certified.0 + FINALITY_WINDOW / 2)
            {
                return Err(StreamError::Resubscribe);
            }
        }
        Ok(())
    }

    async fn take(
        &self,
        envelope: Envelope,
        left_out: &mut Option<Height>,
    ) -> Result<(), StreamError> {
        let body = envelope
            .body
            .ok_or_else(|| misbehaved("envelope", "empty"))?;
        let bytes = match &body {
            envelope::Body::Block(bytes)
            | envelope::Body::Share(bytes)
            | envelope::Body::Certificate(bytes) => bytes.len(),
        };
        self.shared.heard[self.index.position()].store(self.shared.now().0, Ordering::Relaxed);
        let label = PeerLabel { peer: self.index.0 };
        self.shared
            .metrics
            .peer_received_bytes
            .get_or_create(&label)
            .inc_by(bytes as u64);
        let from = self.index;
        let input = match body {
            envelope::Body::Block(bytes) => {
                let block = self.own_block(bytes)?;
                self.wait_for_room(&block).await?;
                self.shared.received[from.position()].fetch_max(block.round().0, Ordering::Relaxed);
                self.note_held(&block);
                Input::Block { from, block }
            }
            envelope::Body::Share(bytes) => {
                let share = FinalityShare::from_bytes(&bytes)
                    .map_err(|error| misbehaved("share", error))?;
                if self.beyond_window(share.height, left_out) {
                    return Ok(());
                }
                Input::Share { from, share }
            }
            envelope::Body::Certificate(bytes) => {
                let certificate = Certificate::from_bytes(&bytes)
                    .map_err(|error| misbehaved("certificate", error))?;
                if self.beyond_window(certificate.header.height, left_out) {
                    return Ok(());
                }
                Input::Certificate { from, certificate }
            }
        };
        self.core
            .send(input)
            .await
            .map_err(|_| StreamError::Stopped)
    }

    /// A block of the peer's own stream: it must be the author.
    fn own_block(&self, bytes: Bytes) -> Result<VerifiedBlock, StreamError> {
        let block = verified(&self.shared, bytes)?;
        if block.author() != self.index {
            return Err(misbehaved("foreign_block", block.author()));
        }
        Ok(block)
    }

    /// Waits until the core would not refuse the block for being too far ahead.
    async fn wait_for_room(&self, block: &VerifiedBlock) -> Result<(), StreamError> {
        let mut window = self.shared.window.subscribe();
        let room = window
            .wait_for(|window| block.round() <= window.round_most)
            .await;
        room.map(|_| ()).map_err(|_| StreamError::Stopped)
    }

    fn beyond_window(&self, height: Height, left_out: &mut Option<Height>) -> bool {
        let beyond = height > self.shared.window.borrow().height_most;
        if beyond {
            left_out.get_or_insert(height);
        }
        beyond
    }

    /// Asks the peer for blocks and hands what comes to the core.
    pub(crate) async fn fetch(mut self, blocks: Vec<BlockRef>) {
        let request = FetchBlocksRequest {
            blocks: blocks.iter().map(Into::into).collect(),
        };
        let answer = tokio::time::timeout(FETCH_TIMEOUT, self.client.fetch_blocks(request)).await;
        let Ok(Ok(answer)) = answer else {
            tracing::debug!(peer = %self.index, count = blocks.len(), "fetch failed");
            return;
        };
        for bytes in answer.into_inner().blocks {
            let block = match verified(&self.shared, bytes) {
                Ok(block) if blocks.contains(&block.reference()) => block,
                Ok(_) => {
                    self.refuse("unasked_block");
                    return;
                }
                Err(error) => {
                    tracing::warn!(peer = %self.index, %error, "fetched block refused");
                    self.refuse("fetched_block");
                    return;
                }
            };
            let from = self.index;
            self.note_held(&block);
            if self.core.send(Input::Block { from, block }).await.is_err() {
                return;
            }
        }
    }

    /// For the block's author, should it ask one day what is held from it.
    fn note_held(&self, block: &VerifiedBlock) {
        let held = &self.shared.held[block.author().position()];
        held.fetch_max(block.round().0, Ordering::Relaxed);
    }

    fn refuse(&self, reason: &'static str) {
        let label = ReasonLabel { reason };
        self.shared.metrics.peer_refused.get_or_create(&label).inc();
    }
}

/// Decodes and verifies a block.
fn verified(shared: &Shared, bytes: Bytes) -> Result<VerifiedBlock, StreamError> {
    let block = Block::decode(bytes).map_err(|error| misbehaved("block_encoding", error))?;
    shared
        .cryptography
        .verify_block(block)
        .map_err(|error| misbehaved("block", error))
}

/// Hands fetches to their peers until the node stops.
pub(crate) async fn run_fetches(
    mut fetches: mpsc::UnboundedReceiver<(ValidatorIndex, Vec<BlockRef>)>,
    peers: Vec<Option<Peer>>,
    stop: CancellationToken,
) {
    let mut running = JoinSet::new();
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = fetches.recv() => next,
            Some(_) = running.join_next() => continue,
        };
        let Some((index, blocks)) = next else {
            break;
        };
        if let Some(Some(peer)) = peers.get(index.position()) {
            running.spawn(peer.clone().fetch(blocks));
        }
    }
    running.shutdown().await;
}
