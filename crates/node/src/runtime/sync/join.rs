//! Joining at another member's point, before the node runs.
//!
//! Chunks are stored as they are verified, under the point they belong to; a start that was cut goes on with them as long as
//! a peer still offers the point. Nothing else in the store changes before the last step, which replaces state, checkpoint
//! and place in the log in one transaction.

use std::ops::Bound;
use std::time::{Duration, Instant};

use quorate_ledger::{KeyRange, Ledger, StateChunk};
use quorate_rpc::peer::v1::sync_service_client::SyncServiceClient;
use quorate_rpc::peer::v1::{GetCommitsRequest, GetStateChunkRequest, GetSyncPointRequest};
use quorate_store::disk::Disk;
use quorate_store::tables::{Batch, Table, Tables};
use quorate_store::wal::{Position, Wal};
use quorate_sync::{CommitRecord, Download, Place, Request, SyncPoint, Tail, Trust};
use quorate_types::{
    Certificate, Decode, Encode, Genesis, Hash32, Height, Reader, Round, StateKey, ValidatorIndex,
};
use quorate_validator::{Carried, Logged};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::super::archive::{Archive, JoinedAt};
use super::super::error::NodeError;
use super::super::execution::gauge;
use super::super::pruning::Floor;
use crate::metrics::Metrics;

/// The point that is being synced to, and its chunks, first key hash and last to chunk.
const SYNC: Table = Table("sync");
/// Key in [`SYNC`] of the point. No chunk has a key as short.
const POINT: &[u8] = b"point";
/// How long an answer may take before another peer is asked.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for further points once one is there.
const MORE_POINTS: Duration = Duration::from_millis(300);
/// Pause before all peers are asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// Times in a row that a peer may have nothing before it is taken not to have the point.
const FAILURES_MAX: u32 = 3;
/// Most bytes of an answer: the longest commit, with room to spare.
const ANSWER_BYTES_MAX: usize = 40 * 1024 * 1024;
/// How often progress is told.
const TELL: Duration = Duration::from_secs(2);

pub(crate) type Client = SyncServiceClient<Channel>;

/// A client of a peer's service.
pub(crate) fn client(channel: Channel) -> Client {
    SyncServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// What joining takes.
pub(crate) struct Join<'a> {
    pub(crate) me: ValidatorIndex,
    pub(crate) genesis: &'a Genesis,
    pub(crate) trust: &'a Trust,
    pub(crate) tables: &'a Tables,
    pub(crate) peers: Vec<(ValidatorIndex, Client)>,
    /// The height that this node has reached: only a higher point is of use.
    pub(crate) above: Height,
    pub(crate) metrics: &'a Metrics,
}

/// A point and who offers it.
struct Offer {
    point: SyncPoint,
    place: Place,
    peers: Vec<ValidatorIndex>,
}

impl Join<'_> {
    /// Runs until the state at some point is stored and verified. Waits for peers as long as it takes.
    pub(crate) async fn run<D: Disk>(
        &self,
        wal: &mut Wal<D>,
        replay_from: Option<Position>,
    ) -> Result<(), NodeError> {
        let started = Instant::now();
        let carried = read_back(wal, replay_from, self.me)?;
        let own = carried.highest_round();
        loop {
            let (offer, too_low) = self.find_point(own).await;
            let Some(offer) = offer else {
                if too_low {
                    tracing::info!(
                        "state sync: peers may still need blocks of this validator (round {own}): going on block by block"
                    );
                    return Ok(());
                }
                tracing::info!(
                    "state sync: no peer offers a point above height {} yet",
                    self.above
                );
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let height = offer.place.header.height;
            tracing::info!(%height, peers = offer.peers.len(), "state sync: joining");
            let Some(tail) = self.tail(&offer).await else {
                continue;
            };
            if !self.chunks(&offer).await? {
                tracing::warn!(%height, "state sync: nobody has the rest of this state: looking for another point");
                continue;
            }
            let entries = self.finish(&offer, &tail, wal, carried)?;
            self.metrics.sync_height.set(gauge(height.0));
            tracing::info!(
                %height,
                entries,
                milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                "state sync: done"
            );
            return Ok(());
        }
    }

    /// Counts what came from a peer.
    fn came(&self, bytes: bytes::Bytes) -> bytes::Bytes {
        self.metrics.sync_bytes.inc_by(bytes.len() as u64);
        bytes
    }

    fn client(&self, index: ValidatorIndex) -> Client {
        let (_, client) = self
            .peers
            .iter()
            .find(|(peer, _)| *peer == index)
            .expect("only peers offer points");
        client.clone()
    }

    /// The point that an earlier start was at, if somebody still offers it; else the highest. And whether a point was passed over
    /// because it lies too low for a validator whose last block is of the round `own`.
    async fn find_point(&self, own: Round) -> (Option<Offer>, bool) {
        if let Ok(Some(stored)) = self.stored_point() {
            let height = stored.certificate.header.height;
            let found = self.offers(Some(height), own).await;
            if found.0.is_some() {
                return found;
            }
        }
        self.offers(None, own).await
    }

    fn stored_point(&self) -> Result<Option<SyncPoint>, NodeError> {
        let stored = self.tables.get(SYNC, POINT)?;
        let point = stored
            .map(|bytes| SyncPoint::from_bytes(&bytes))
            .transpose();
        point.map_err(NodeError::stored("sync point"))
    }

    /// Asks all peers; a moment after the first good answer, the highest is taken.
    async fn offers(&self, height: Option<Height>, own: Round) -> (Option<Offer>, bool) {
        let mut asking = JoinSet::new();
        for (index, client) in &self.peers {
            let (index, mut client) = (*index, client.clone());
            let request = GetSyncPointRequest {
                height: height.map(|height| height.0),
            };
            asking.spawn(async move {
                let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.get_sync_point(request));
                (index, answer.await)
            });
        }
        let (mut best, mut too_low): (Option<Offer>, bool) = (None, false);
        let mut last_call: Option<tokio::time::Instant> = None;
        loop {
            let next = async {
                match last_call {
                    Some(at) => tokio::time::timeout_at(at, asking.join_next())
                        .await
                        .ok()
                        .flatten(),
                    None => asking.join_next().await,
                }
            };
            let Some(answered) = next.await else {
                return (best, too_low);
            };
            let Ok((index, Ok(Ok(answer)))) = answered else {
                continue;
            };
            let point = self.came(answer.into_inner().point);
            let point = SyncPoint::from_bytes(&point);
            let verified = point.map_err(|error| error.to_string()).and_then(|point| {
                Ok((
                    self.trust
                        .point(&point)
                        .map_err(|error| error.to_string())?,
                    point,
                ))
            });
            let (place, point) = match verified {
                Ok(verified) => verified,
                Err(error) => {
                    tracing::warn!(peer = %index, error, "state sync: a peer's point is refused");
                    continue;
                }
            };
            if place.header.height <= self.above {
                continue;
            }
            if own >= place.gc_round {
                too_low = true;
                continue;
            }
            last_call.get_or_insert_with(|| tokio::time::Instant::now() + MORE_POINTS);
            match &mut best {
                Some(offer) if offer.place.header.height == place.header.height => {
                    offer.peers.push(index);
                }
                Some(offer) if offer.place.header.height > place.header.height => {}
                _ => {
                    best = Some(Offer {
                        point,
                        place,
                        peers: vec![index],
                    });
                }
            }
        }
    }

    /// Fetches the commits of the tail, from one peer after the other.
    async fn tail(&self, offer: &Offer) -> Option<Tail> {
        let mut tail = Tail::new(offer.place.clone());
        for peer in &offer.peers {
            let mut client = self.client(*peer);
            while let Some(wanted) = tail.wanted() {
                let request = GetCommitsRequest {
                    point: Some(offer.place.header.height.0),
                    from_height: Some(wanted.0),
                };
                let answer =
                    tokio::time::timeout(ANSWER_TIMEOUT, client.get_commits(request)).await;
                let Ok(Ok(answer)) = answer else {
                    break;
                };
                let commits = answer.into_inner().commits.into_iter();
                let commits: Vec<_> = commits.map(|commit| self.came(commit)).collect();
                if let Err(error) = take_commits(&mut tail, &commits) {
                    tracing::warn!(%peer, error, "state sync: a peer's commits are refused");
                    break;
                }
            }
            if tail.wanted().is_none() {
                return Some(tail);
            }
        }
        None
    }

    /// Fetches what is missing of the state. `false` if no peer has it.
    async fn chunks(&self, offer: &Offer) -> Result<bool, NodeError> {
        let present = self.present(&offer.point)?;
        let root = offer.place.header.state_root;
        let mut download = Download::new(root, offer.peers.iter().copied(), present);
        let mut asking = JoinSet::new();
        let mut bytes = 0;
        let mut told = Instant::now();
        while !download.is_complete() {
            if download.is_exhausted(FAILURES_MAX) {
                return Ok(false);
            }
            for request in download.requests() {
                asking.spawn(self.ask_chunk(request, offer.place.header.height));
            }
            let Some(Ok((request, answer))) = asking.join_next().await else {
                return Ok(false);
            };
            let answer = answer.map(|chunk| self.came(chunk));
            match download.answer(request, answer.as_deref()) {
                Ok(Some((range, chunk))) => {
                    bytes += answer.map_or(0, |answer| answer.len());
                    self.keep(&range, &chunk)?;
                }
                Ok(None) => {}
                Err(blame) => {
                    tracing::warn!(peer = %request.peer, %blame, "state sync: a peer's chunk is refused");
                }
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                tracing::info!(
                    percent = download.progress() / 10_000,
                    bytes,
                    "state sync: fetching the state"
                );
            }
        }
        tracing::info!(bytes, "state sync: the state is here");
        Ok(true)
    }

    fn ask_chunk(
        &self,
        request: Request,
        point: Height,
    ) -> impl Future<Output = (Request, Option<bytes::Bytes>)> + use<> {
        let mut client = self.client(request.peer);
        let message = GetStateChunkRequest {
            point: Some(point.0),
            start: bytes::Bytes::copy_from_slice(&request.start.0),
        };
        async move {
            let answer =
                tokio::time::timeout(ANSWER_TIMEOUT, client.get_state_chunk(message)).await;
            let chunk = answer.ok().and_then(Result::ok);
            (request, chunk.map(|answer| answer.into_inner().chunk))
        }
    }

    /// What is stored of a point's state. What is stored of another is thrown away.
    fn present(&self, point: &SyncPoint) -> Result<Vec<KeyRange>, NodeError> {
        if self.stored_point()?.as_ref() == Some(point) {
            let chunks = self.stored_chunks()?;
            return Ok(chunks.into_iter().map(|(range, _)| range).collect());
        }
        let mut batch = Batch::new();
        batch.delete_below(SYNC, [0xff; 65]);
        batch.put(SYNC, POINT, point.to_bytes());
        self.tables.commit(&batch)?;
        Ok(Vec::new())
    }

    fn keep(&self, range: &KeyRange, chunk: &StateChunk) -> Result<(), NodeError> {
        let mut batch = Batch::new();
        let key = [range.first.0, range.last.0].concat();
        batch.put(SYNC, key, chunk.to_bytes());
        Ok(self.tables.commit(&batch)?)
    }

    fn stored_chunks(&self) -> Result<Vec<(KeyRange, StateChunk)>, NodeError> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let stored = self.tables.range(SYNC, all, usize::MAX)?.into_iter();
        let chunks = stored.filter(|(key, _)| key.len() == 64);
        chunks
            .map(|(key, value)| {
                let mut reader = Reader::new(&key);
                let range = KeyRange {
                    first: Hash32::decode(&mut reader).map_err(NodeError::stored("chunk"))?,
                    last: Hash32::decode(&mut reader).map_err(NodeError::stored("chunk"))?,
                };
                let chunk = StateChunk::from_bytes(&value).map_err(NodeError::stored("chunk"))?;
                Ok((range, chunk))
            })
            .collect()
    }

    /// Takes over the state, once it is all there. Returns how many entries it has.
    fn finish<D: Disk>(
        &self,
        offer: &Offer,
        tail: &Tail,
        wal: &mut Wal<D>,
        carried: Carried,
    ) -> Result<usize, NodeError> {
        let chunks = self.stored_chunks()?.into_iter();
        let entries: Vec<(StateKey, Vec<u8>)> =
            chunks.flat_map(|(_, chunk)| chunk.entries).collect();
        let header = offer.place.header.clone();
        // Everything was verified as it came; this reads it back as a restart will.
        Ledger::restore(self.genesis, header.clone(), entries.iter().cloned())?;
        let checkpoint = tail.checkpoint().expect("a complete tail was asked for");
        let certificate = Certificate {
            header,
            signature: offer.place.signature,
        };
        let mut batch = Batch::new();
        let joined = JoinedAt {
            certificate: &certificate,
            checkpoint: &checkpoint,
            entries: &entries,
            replay_from: carry_over(wal, carried, checkpoint.height)?,
        };
        Archive::replace(self.tables, &mut batch, &joined)?;
        Floor::put_joined(&mut batch, checkpoint.gc_round, checkpoint.height);
        batch.delete_below(SYNC, [0xff; 65]);
        self.tables.commit(&batch)?;
        Ok(entries.len())
    }
}

fn take_commits(tail: &mut Tail, encoded: &[bytes::Bytes]) -> Result<(), String> {
    if encoded.is_empty() {
        return Err("no commit in the answer".to_owned());
    }
    for bytes in encoded {
        if tail.wanted().is_none() {
            break;
        }
        let record = CommitRecord::from_bytes(bytes).map_err(|error| error.to_string())?;
        tail.push(record).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What the log holds that binds this validator.
fn read_back<D: Disk>(
    wal: &Wal<D>,
    replay_from: Option<Position>,
    me: ValidatorIndex,
) -> Result<Carried, NodeError> {
    let mut carried = Carried::new(me);
    let mut failed = None;
    wal.replay(replay_from, |record| {
        let payload = bytes::Bytes::copy_from_slice(record.payload);
        match Logged::decode(record.kind, payload) {
            Ok(logged) => carried.note(&logged),
            Err(error) => failed = Some(error),
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(carried),
    }
}

/// Writes what binds this validator beyond `height` once more at the end of the log, so that replaying from there forgets none
/// of it: the highest round for which it made a block, that it had forgotten some, votes. Returns where that begins.
fn carry_over<D: Disk>(
    wal: &mut Wal<D>,
    carried: Carried,
    height: Height,
) -> Result<Position, NodeError> {
    let mut first = None;
    for record in carried.records(height) {
        let position = wal.append(record.kind(), &record.payload())?;
        first.get_or_insert(position);
    }
    wal.flush()?;
    Ok(first.expect("there is always one record"))
}
