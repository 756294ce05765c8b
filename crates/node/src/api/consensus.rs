//! `quorate.peer.v1`.
//!
//! A subscription is a cursor: the next round and the next height due. What is due is asked of the source when the
//! transport has room, so a slow peer holds back nothing but itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use quorate_rpc::peer::v1::consensus_service_server::{ConsensusService, ConsensusServiceServer};
use quorate_rpc::peer::v1::envelope::Body;
use quorate_rpc::peer::v1::{
    Envelope, FetchBlocksRequest, FetchBlocksResponse, HelloRequest, HelloResponse,
    SubscribeRequest, SubscribeResponse,
};
use quorate_rpc::{ConvertError, Fault, fixed_bytes};
use quorate_types::{
    BlockRef, ChainId, Committee, Encode, Epoch, Height, Round, ShardId, ValidatorIndex,
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::drain::Drain;
use super::source::{FinalityItem, PeerSource, ViewError};
use crate::net::{Allowance, PeerIdentity, Traffic};

/// The one version of the peer protocol.
pub const PEER_VERSION: u32 = 1;
/// Most blocks of one fetch: a whole round of the largest committee, four times.
pub const FETCH_BLOCKS_MAX: usize = 512;
/// Most bytes of blocks in the answer to a fetch: the largest block fits.
const FETCH_BYTES_MAX: usize = 5 * 1024 * 1024;
/// Most bytes of blocks in one message of a subscription, unless a single block is larger.
const SUBSCRIBE_BYTES_MAX: usize = 1024 * 1024;
/// Most heights in one message of a subscription.
const SUBSCRIBE_HEIGHTS_MAX: u32 = 256;
/// What any call costs its caller at least, in bytes of its allowance.
const CALL_BYTES: usize = 16 * 1024;
/// Most bytes of one request: a fetch of [`FETCH_BLOCKS_MAX`] blocks takes about half.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The peers' service.
#[derive(Clone, Debug)]
pub struct ConsensusApi<S> {
    source: Arc<S>,
    network: Network,
    build_version: &'static str,
    callers: Arc<[Caller]>,
    drain: Drain,
}

/// What is remembered about one member that calls.
#[derive(Debug)]
struct Caller {
    /// The number of its last subscription.
    subscription: watch::Sender<u64>,
    /// What its calls may cost.
    allowance: Allowance,
    /// The highest round that was streamed to it: what comes again costs.
    streamed: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Network {
    chain: ChainId,
    shard: ShardId,
    epoch: Epoch,
}

impl<S: PeerSource> ConsensusApi<S> {
    /// The service of one validator of `committee`.
    #[must_use]
    pub fn new(source: Arc<S>, committee: &Committee, build_version: &'static str) -> Self {
        Self {
            source,
            network: Network {
                chain: committee.chain(),
                shard: committee.shard(),
                epoch: committee.epoch(),
            },
            build_version,
            callers: callers(committee, Traffic::default()),
            drain: Drain::default(),
        }
    }

    /// The service with other allowances for what each member asks for beyond a stream of what it does not have.
    #[must_use]
    pub fn with_allowances(mut self, committee: &Committee, traffic: Traffic) -> Self {
        self.callers = callers(committee, traffic);
        self
    }

    /// Refuses a call of a peer that has had its allowance, or notes what the call costs.
    fn admit(&self, peer: PeerIdentity, bytes: usize) -> Result<(), Fault> {
        let caller = self.callers.get(peer.index.position());
        let caller = caller.ok_or_else(Fault::unauthenticated_peer)?;
        let admitted = caller.allowance.admit(bytes);
        admitted.map_err(Fault::too_much_traffic)
    }

    pub(crate) fn drain(&self) -> Drain {
        self.drain.clone()
    }

    pub(crate) fn into_server(self) -> ConsensusServiceServer<Self> {
        ConsensusServiceServer::new(self).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

fn callers(committee: &Committee, traffic: Traffic) -> Arc<[Caller]> {
    let caller = |_| Caller {
        subscription: watch::Sender::new(0),
        allowance: Allowance::new(traffic),
        streamed: AtomicU64::new(0),
    };
    committee.indices().map(caller).collect()
}

/// Who calls: from the connection's certificate.
fn caller<T>(request: &Request<T>) -> Result<PeerIdentity, Fault> {
    let identity = request.extensions().get::<PeerIdentity>();
    identity.copied().ok_or_else(Fault::unauthenticated_peer)
}

#[tonic::async_trait]
impl<S: PeerSource> ConsensusService for ConsensusApi<S> {
    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send + 'static>>;

    async fn hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        let peer = caller(&request)?;
        self.admit(peer, CALL_BYTES)?;
        let hello = request.into_inner();
        let chain = ChainId(fixed_bytes(&hello.chain_id, "chain_id").map_err(Fault::from)?);
        let absent = |field| Fault::from(ConvertError::Missing { field });
        let shard = ShardId(hello.shard.ok_or_else(|| absent("shard"))?);
        let epoch = Epoch(hello.epoch.ok_or_else(|| absent("epoch"))?);
        let network = &self.network;
        if (chain, shard, epoch) != (network.chain, network.shard, network.epoch) {
            return Err(Fault::wrong_network().into());
        }
        if !(hello.version_min..=hello.version_max).contains(&PEER_VERSION) {
            return Err(Fault::unsupported_version(PEER_VERSION, PEER_VERSION).into());
        }
        let standing = self
            .source
            .standing(peer.index)
            .await
            .map_err(Fault::from)?;
        Ok(Response::new(HelloResponse {
            version: PEER_VERSION,
            caller_highest_round: Some(standing.caller_highest.0),
            own_round: Some(standing.own_round.0),
            certified_height: Some(standing.certified.0),
            lowest_available_height: Some(standing.lowest.0),
            build_version: self.build_version.to_owned(),
            lowest_available_round: Some(standing.lowest_round.0),
        }))
    }

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let peer = caller(&request)?;
        let request = request.into_inner();
        let absent = |field| Fault::from(ConvertError::Missing { field });
        let round = Round(request.from_round.ok_or_else(|| absent("from_round"))?);
        let height = Height(request.from_height.ok_or_else(|| absent("from_height"))?);
        if height == Height(0) {
            return Err(Fault::invalid_field("from_height", "genesis has no certificate").into());
        }
        self.admit(peer, SUBSCRIBE_BYTES_MAX)?;
        let latest = &self.callers[peer.index.position()].subscription;
        let mut number = 0;
        latest.send_modify(|latest| {
            *latest += 1;
            number = *latest;
        });
        let cursor = Cursor {
            source: self.source.clone(),
            network: self.network,
            round,
            height,
            changed: self.source.changed(),
            latest: latest.subscribe(),
            number,
            callers: self.callers.clone(),
            caller: peer.index,
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

    async fn fetch_blocks(
        &self,
        request: Request<FetchBlocksRequest>,
    ) -> Result<Response<FetchBlocksResponse>, Status> {
        let peer = caller(&request)?;
        self.admit(peer, CALL_BYTES)?;
        let wanted = request.into_inner().blocks;
        if wanted.is_empty() {
            return Err(Fault::invalid_field("blocks", "absent").into());
        }
        if wanted.len() > FETCH_BLOCKS_MAX {
            return Err(Fault::too_many("blocks", wanted.len(), FETCH_BLOCKS_MAX).into());
        }
        let wanted: Result<Vec<BlockRef>, _> = wanted.iter().map(BlockRef::try_from).collect();
        let wanted = wanted.map_err(Fault::from)?;
        let found = self.source.fetch(wanted, FETCH_BYTES_MAX).await;
        let blocks = bounded(found.map_err(Fault::from)?, FETCH_BYTES_MAX, Bytes::len);
        let bytes = blocks.iter().map(Bytes::len).sum();
        self.callers[peer.index.position()].allowance.spend(bytes);
        Ok(Response::new(FetchBlocksResponse { blocks }))
    }
}

/// The longest beginning of `items` of at most `bytes_max` bytes, and at least one.
fn bounded<T>(mut items: Vec<T>, bytes_max: usize, length: impl Fn(&T) -> usize) -> Vec<T> {
    let mut bytes = 0usize;
    let fit = items.iter().take_while(|item| {
        bytes = bytes.saturating_add(length(item));
        bytes <= bytes_max
    });
    let fit = fit.count().max(1);
    items.truncate(fit);
    items
}

/// What one subscriber is due next.
struct Cursor<S> {
    source: Arc<S>,
    network: Network,
    round: Round,
    height: Height,
    changed: watch::Receiver<u64>,
    latest: watch::Receiver<u64>,
    number: u64,
    callers: Arc<[Caller]>,
    caller: ValidatorIndex,
    drain: Drain,
}

impl<S: PeerSource> Cursor<S> {
    /// Waits until something is due and takes it.
    async fn next(&mut self) -> Result<SubscribeResponse, Fault> {
        loop {
            if *self.latest.borrow_and_update() != self.number {
                return Err(Fault::superseded());
            }
            // Marked before looking, so that what comes while looking wakes the wait below.
            self.changed.mark_unchanged();
            let (envelopes, owed) = self.due().await?;
            if !owed.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(owed) => {}
                    () = self.drain.started() => return Err(Fault::shutting_down()),
                }
            }
            if !envelopes.is_empty() {
                return Ok(SubscribeResponse {
                    envelopes,
                    epoch: self.network.epoch.0,
                    shard: self.network.shard.0,
                });
            }
            tokio::select! {
                changed = self.changed.changed() => changed.map_err(|_| Fault::shutting_down())?,
                _ = self.latest.changed() => {}
                () = self.drain.started() => return Err(Fault::shutting_down()),
            }
        }
    }

    /// What is due, and how long it must wait.
    async fn due(&mut self) -> Result<(Vec<Envelope>, Duration), Fault> {
        let blocks = self
            .source
            .own_blocks(self.round, SUBSCRIBE_BYTES_MAX)
            .await?;
        let blocks = bounded(blocks, SUBSCRIBE_BYTES_MAX, |(_, bytes)| bytes.len());
        let finality = self
            .source
            .finality(self.height, SUBSCRIBE_HEIGHTS_MAX)
            .await;
        let mut finality = finality.map_err(|error| match error {
            ViewError::Pruned { lowest } => Fault::cursor_pruned(lowest),
            other => other.into(),
        })?;
        finality.truncate(SUBSCRIBE_HEIGHTS_MAX as usize);
        let owed = self.streaming(&blocks);
        if let Some((last, _)) = blocks.last() {
            self.round = last.next();
        }
        if let Some(last) = finality.last() {
            self.height = last.height().next();
        }
        let blocks = blocks.into_iter().map(|(_, block)| Body::Block(block));
        let finality = finality.iter().map(|item| match item {
            FinalityItem::Certificate(certificate) => {
                Body::Certificate(certificate.to_bytes().into())
            }
            FinalityItem::Share(share) => Body::Share(share.to_bytes().into()),
        });
        let bodies = blocks.chain(finality);
        let envelopes = bodies.map(|body| Envelope { body: Some(body) }).collect();
        Ok((envelopes, owed))
    }

    /// Notes what is streamed, and how long it must wait: a peer that has its stream start over and over again gets what it
    /// had before no faster than its allowance grows.
    fn streaming(&self, blocks: &[(Round, Bytes)]) -> Duration {
        let caller = &self.callers[self.caller.position()];
        let last = blocks.last().map_or(0, |(round, _)| round.0);
        let streamed = caller.streamed.fetch_max(last, Ordering::Relaxed);
        let again = blocks.iter().filter(|(round, _)| round.0 <= streamed);
        match again.map(|(_, bytes)| bytes.len()).sum() {
            0 => Duration::ZERO,
            bytes => caller.allowance.spend(bytes),
        }
    }
}
