//! The streams that a validator reads from its peers, and the blocks it asks them for.
//!
//! Everything is decoded, bounded and verified here, before the core sees it. A stream is read no further than the core
//! can take: blocks beyond the core's window make the reader wait (and HTTP/2 the sender), shares and certificates beyond
//! it are left out and asked for again later.

use std::collections::VecDeque;
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
use super::inbox::{CoreStopped, Inbox};
use super::shared::Shared;
use crate::metrics::{PeerLabel, ReasonLabel};
use crate::net::{Allowance, Traffic, peer_client};

/// First pause before a broken stream is opened again; doubles up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest pause before a broken stream is opened again.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// How long a fetch may take before its connection is given up; the engine has asked somebody else by then.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first call on a connection may take.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Most requests for blocks that one peer has to answer at once: each may take up a whole message here.
const FETCHES_AT_ONCE: usize = 4;
/// Most blocks in one of them: a whole round of the largest committee.
const FETCH_BLOCKS_MAX: usize = 128;
/// Most blocks that wait to be asked of one peer. What does not fit is asked of the next by the engine.
const FETCH_WAITING_MAX: usize = 1024;
/// Most blocks of one round in a peer's stream. One is what honest members send; a second convicts the peer.
const BLOCKS_PER_ROUND_MAX: u32 = 2;
/// Most entries of one message: a mebibyte of the smallest blocks, and the most heights, have fewer. The rest of a message
/// could be empty ones, which take up more room decoded than on the way.
const ENVELOPES_MAX: usize = 8192;
/// Version of the protocol between peers.
const PROTOCOL_VERSION: u32 = 1;

/// A connection to one peer.
#[derive(Clone)]
pub(crate) struct Peer {
    index: ValidatorIndex,
    client: ConsensusServiceClient<Channel>,
    sync: SyncServiceClient<Channel>,
    shared: Arc<Shared>,
    inbox: Inbox,
    /// What its stream may cost.
    allowance: Arc<Allowance>,
}

/// How far one stream has been read.
struct Reading {
    /// The lowest round whose block may come next.
    round: Round,
    /// How many of that round have come.
    of_round: u32,
    /// The first height that was left out, if any was.
    left_out: Option<Height>,
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

impl From<CoreStopped> for StreamError {
    fn from(_: CoreStopped) -> Self {
        Self::Stopped
    }
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
        inbox: Inbox,
    ) -> Self {
        Self {
            index,
            sync: super::sync::client(channel.clone()),
            client: peer_client(channel),
            shared,
            inbox,
            allowance: Arc::new(Allowance::new(Traffic::default())),
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
            Ok((stream, from)) => {
                self.connected(true);
                match self.read(stream, from).await {
                    Ok(()) => StreamError::Ended,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        }
    }

    /// The stream, and the round from which it is to be.
    async fn subscribe(&mut self) -> Result<(Streaming<SubscribeResponse>, Round), StreamError> {
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
        self.inbox
            .send(Input::Greeting { from, greeting }, 0)
            .await?;
        self.look_ahead(&answer).await;
        let received = self.shared.received[self.index.position()].load(Ordering::Relaxed);
        // What the peer does not keep is fetched from others, if it is needed at all.
        let first = Round((received + 1).max(answer.lowest_available_round()));
        let request = SubscribeRequest {
            from_round: Some(first.0),
            from_height: Some(self.shared.archive.certified().0 + 1),
        };
        let subscription = self.client.subscribe(request);
        let response = tokio::time::timeout(HELLO_TIMEOUT, subscription)
            .await
            .map_err(|_| StreamError::Timeout)?
            .map_err(Box::new)?;
        Ok((response.into_inner(), first))
    }

    /// If the peer says that it is far ahead, and proves it, this node joins there instead of catching up block by block.
    /// So it does if the peer keeps no blocks as old as the newest here. It does not where its own last block is one that agreement
    /// at the point can still meet: others may need it, and only this node may have it.
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
        let Some(place) = place else {
            self.refuse("sync_point");
            return;
        };
        // Where the peer has pruned what comes next here this holds: logs keep far more rounds than lie below a point.
        let height = place.header.height;
        if far(height) && shared.own_round() < place.gc_round {
            shared.fail(NodeError::Behind { height });
        }
    }

    async fn read(
        &self,
        mut stream: Streaming<SubscribeResponse>,
        from: Round,
    ) -> Result<(), StreamError> {
        let mut reading = Reading::from(from);
        while let Some(message) = stream.message().await.map_err(Box::new)? {
            let count = message.envelopes.len();
            if count > ENVELOPES_MAX {
                return Err(misbehaved("too_many_envelopes", count));
            }
            for envelope in message.envelopes {
                self.take(envelope, &mut reading).await?;
            }
            // What was left out can be had again once finality has come closer to it.
            let certified = self.shared.archive.certified();
            let near = |height: Height| height.0 <= certified.0 + FINALITY_WINDOW / 2;
            if reading.left_out.is_some_and(near) {
                return Err(StreamError::Resubscribe);
            }
        }
        Ok(())
    }

    async fn take(&self, envelope: Envelope, reading: &mut Reading) -> Result<(), StreamError> {
        let body = envelope
            .body
            .ok_or_else(|| misbehaved("envelope", "empty"))?;
        let bytes = match &body {
            envelope::Body::Block(bytes)
            | envelope::Body::Share(bytes)
            | envelope::Body::Certificate(bytes) => bytes.len(),
        };
        self.note_received(bytes);
        // While the reader waits, HTTP/2 makes the peer wait.
        let owed = self.allowance.spend(bytes);
        if !owed.is_zero() {
            tokio::time::sleep(owed).await;
        }
        let from = self.index;
        let input = match body {
            envelope::Body::Block(bytes) => {
                let block = self.own_block(&bytes)?;
                reading.block(block.round())?;
                self.wait_for_room(&block).await?;
                self.shared.received[from.position()].fetch_max(block.round().0, Ordering::Relaxed);
                self.note_held(&block);
                Input::Block { from, block }
            }
            envelope::Body::Share(bytes) => {
                let share = FinalityShare::from_bytes(&bytes)
                    .map_err(|error| misbehaved("share", error))?;
                if self.beyond_window(share.height, reading) {
                    return Ok(());
                }
                Input::Share { from, share }
            }
            envelope::Body::Certificate(bytes) => {
                let certificate = Certificate::from_bytes(&bytes)
                    .map_err(|error| misbehaved("certificate", error))?;
                if self.beyond_window(certificate.header.height, reading) {
                    return Ok(());
                }
                Input::Certificate { from, certificate }
            }
        };
        Ok(self.inbox.send(input, bytes).await?)
    }

    /// The peer is alive, and has cost this much.
    fn note_received(&self, bytes: usize) {
        self.shared.heard[self.index.position()].store(self.shared.now().0, Ordering::Relaxed);
        let label = PeerLabel { peer: self.index.0 };
        self.shared
            .metrics
            .peer_received_bytes
            .get_or_create(&label)
            .inc_by(bytes as u64);
    }

    /// A block of the peer's own stream: it must be the author.
    fn own_block(&self, bytes: &[u8]) -> Result<VerifiedBlock, StreamError> {
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

    fn beyond_window(&self, height: Height, reading: &mut Reading) -> bool {
        let beyond = height > self.shared.window.borrow().height_most;
        if beyond {
            reading.left_out.get_or_insert(height);
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
        let answer = answer.into_inner().blocks;
        if answer.len() > blocks.len() {
            self.refuse("unasked_block");
            return;
        }
        for bytes in answer {
            self.note_received(bytes.len());
            let block = match verified(&self.shared, &bytes) {
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
            let input = Input::Block { from, block };
            if self.inbox.send(input, bytes.len()).await.is_err() {
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

impl Reading {
    const fn from(round: Round) -> Self {
        Self {
            round,
            of_round: 0,
            left_out: None,
        }
    }

    /// Notes the next block. A peer streams its own blocks in order, so that whatever it invents, it sends little for each
    /// round.
    fn block(&mut self, round: Round) -> Result<(), StreamError> {
        if round < self.round {
            return Err(misbehaved("round_order", round));
        }
        if round > self.round {
            (self.round, self.of_round) = (round, 0);
        }
        self.of_round += 1;
        if self.of_round > BLOCKS_PER_ROUND_MAX {
            return Err(misbehaved("twins", round));
        }
        Ok(())
    }
}

/// Decodes and verifies a block. It is copied: what waits for its turn must not keep alive the message that it came in, which
/// may be thousands of times as long.
fn verified(shared: &Shared, bytes: &[u8]) -> Result<VerifiedBlock, StreamError> {
    let bytes = Bytes::copy_from_slice(bytes);
    let block = Block::decode(bytes).map_err(|error| misbehaved("block_encoding", error))?;
    shared
        .cryptography
        .verify_block(block)
        .map_err(|error| misbehaved("block", error))
}

/// What is to be asked of one peer.
#[derive(Default)]
struct Fetches {
    waiting: VecDeque<BlockRef>,
    running: usize,
}

impl Fetches {
    /// Queues blocks; returns how many found no room.
    fn push(&mut self, blocks: Vec<BlockRef>) -> usize {
        let mut refused = 0;
        for block in blocks {
            if self.waiting.contains(&block) {
                continue;
            }
            if self.waiting.len() < FETCH_WAITING_MAX {
                self.waiting.push_back(block);
            } else {
                refused += 1;
            }
        }
        refused
    }

    /// The next request, if the peer may get one more.
    fn next(&mut self) -> Option<Vec<BlockRef>> {
        if self.running >= FETCHES_AT_ONCE || self.waiting.is_empty() {
            return None;
        }
        self.running += 1;
        let count = self.waiting.len().min(FETCH_BLOCKS_MAX);
        Some(self.waiting.drain(..count).collect())
    }
}

/// Hands fetches to their peers until the node stops. What the engine asks for waits here, in queues of bounded length, while
/// a peer has as much to answer as it may.
pub(crate) async fn run_fetches(
    mut fetches: mpsc::UnboundedReceiver<(ValidatorIndex, Vec<BlockRef>)>,
    peers: Vec<Option<Peer>>,
    stop: CancellationToken,
) {
    let mut queues: Vec<Fetches> = peers.iter().map(|_| Fetches::default()).collect();
    let mut running: JoinSet<usize> = JoinSet::new();
    loop {
        let position = tokio::select! {
            () = stop.cancelled() => break,
            next = fetches.recv() => {
                let Some((index, blocks)) = next else {
                    break;
                };
                let Some(queue) = queues.get_mut(index.position()) else {
                    continue;
                };
                let refused = queue.push(blocks);
                if refused > 0 {
                    tracing::debug!(peer = %index, refused, "too many fetches of one peer");
                }
                index.position()
            }
            Some(ended) = running.join_next() => {
                let position = ended.expect("a fetch panics nowhere, and none is aborted before the end");
                queues[position].running -= 1;
                position
            }
        };
        let Some(peer) = &peers[position] else {
            queues[position].waiting.clear();
            continue;
        };
        while let Some(blocks) = queues[position].next() {
            let peer = peer.clone();
            running.spawn(async move {
                peer.fetch(blocks).await;
                position
            });
        }
    }
    running.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_types::BlockId;

    #[test]
    fn a_stream_ascends_and_has_two_blocks_of_a_round_at_most() {
        let reason = |reading: &mut Reading, round| match reading.block(Round(round)) {
            Ok(()) => "taken",
            Err(StreamError::Misbehaved { reason, .. }) => reason,
            Err(_) => "other",
        };
        let mut reading = Reading::from(Round(5));
        assert_eq!(reason(&mut reading, 4), "round_order", "not asked for");
        for (round, taken) in [(5, "taken"), (8, "taken"), (8, "taken"), (8, "twins")] {
            assert_eq!(reason(&mut reading, round), taken);
        }
        assert_eq!(reason(&mut reading, 9), "taken");
        assert_eq!(reason(&mut reading, 8), "round_order", "taken before");
    }

    #[test]
    fn fetches_of_one_peer_wait_in_a_bounded_queue() {
        let block = |round| BlockRef {
            round: Round(round),
            author: ValidatorIndex(1),
            id: BlockId([0; 32]),
        };
        let mut fetches = Fetches::default();
        assert_eq!(fetches.push((0..100).map(block).collect()), 0);
        assert_eq!(
            fetches.push((50..2_000).map(block).collect()),
            2_000 - 1_024
        );
        for _ in 0..4 {
            assert_eq!(fetches.next().map(|blocks| blocks.len()), Some(128));
        }
        assert_eq!(fetches.next(), None, "as many run as may");
        fetches.running -= 1;
        let next = fetches.next().expect("one has ended");
        assert_eq!(next[0], block(512));
    }
}
