//! `quorate.peer.v1.SyncService`: what a member that missed too much asks for.

use std::sync::Arc;

use bytes::Bytes;
use quorate_ledger::StateChunk;
use quorate_rpc::peer::v1::sync_service_server::{SyncService, SyncServiceServer};
use quorate_rpc::peer::v1::{
    GetCertificatesRequest, GetCertificatesResponse, GetCommitsRequest, GetCommitsResponse,
    GetStateChunkRequest, GetStateChunkResponse, GetSyncPointRequest, GetSyncPointResponse,
};
use quorate_rpc::{ConvertError, Fault, fixed_bytes};
use quorate_sync::{CommitRecord, SyncPoint};
use quorate_types::{Certificate, Encode, Hash32, Height};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::source::ViewError;
use crate::net::PeerIdentity;

/// Bytes of a chunk, unless a single value is larger: some milliseconds to verify, and to send.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of commits in one answer, unless a single commit is larger.
const COMMITS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most certificates in one answer: about 700 kB.
const CERTIFICATES_MAX: u32 = 2048;
/// Most bytes of one request: all are small.
const REQUEST_BYTES_MAX: usize = 4096;
/// Answers that are computed at a time, for all callers together: those who keep up come first.
const ANSWERS_AT_ONCE: usize = 2;

/// What the service needs of the validator. `None` stands for a point that is not kept.
pub trait SyncSource: Send + Sync + 'static {
    /// The point at a height, or the newest one. It is kept for a while from then on.
    fn point(
        &self,
        height: Option<Height>,
    ) -> impl Future<Output = Result<Option<SyncPoint>, ViewError>> + Send;

    /// Commits of the point's tail from `from` downwards: at least one, and no more once `bytes_max` is passed.
    fn commits(
        &self,
        point: Height,
        from: Height,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Option<Vec<Arc<CommitRecord>>>, ViewError>> + Send;

    /// The state at the point around a key hash.
    fn chunk(
        &self,
        point: Height,
        start: Hash32,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Option<StateChunk>, ViewError>> + Send;

    /// At most `count` consecutive certificates, ascending, up to that of `to`.
    fn certificates_to(
        &self,
        to: Height,
        count: u32,
    ) -> impl Future<Output = Result<Vec<Certificate>, ViewError>> + Send;
}

/// The service.
#[derive(Clone, Debug)]
pub struct SyncApi<S> {
    source: Arc<S>,
    room: Arc<Semaphore>,
}

impl<S: SyncSource> SyncApi<S> {
    /// The service of one validator.
    #[must_use]
    pub fn new(source: Arc<S>) -> Self {
        Self {
            source,
            room: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)),
        }
    }

    pub(crate) fn into_server(self) -> SyncServiceServer<Self> {
        SyncServiceServer::new(self).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

/// Refuses callers that did not prove to be members.
fn require_member<T>(request: &Request<T>) -> Result<(), Fault> {
    let identity = request.extensions().get::<PeerIdentity>();
    identity.map(|_| ()).ok_or_else(Fault::unauthenticated_peer)
}

fn height(value: Option<u64>, field: &'static str) -> Result<Height, Fault> {
    value
        .map(Height)
        .ok_or_else(|| ConvertError::Missing { field }.into())
}

#[tonic::async_trait]
impl<S: SyncSource> SyncService for SyncApi<S> {
    async fn get_sync_point(
        &self,
        request: Request<GetSyncPointRequest>,
    ) -> Result<Response<GetSyncPointResponse>, Status> {
        require_member(&request)?;
        let wanted = request.into_inner().height.map(Height);
        let point = self.source.point(wanted).await.map_err(Fault::from)?;
        let point = point.ok_or_else(Fault::sync_point_gone)?;
        Ok(Response::new(GetSyncPointResponse {
            point: point.to_bytes().into(),
        }))
    }

    async fn get_commits(
        &self,
        request: Request<GetCommitsRequest>,
    ) -> Result<Response<GetCommitsResponse>, Status> {
        require_member(&request)?;
        let request = request.into_inner();
        let point = height(request.point, "point")?;
        let from = height(request.from_height, "from_height")?;
        let found = self.source.commits(point, from, COMMITS_BYTES_MAX).await;
        let found = found.map_err(Fault::from)?;
        let commits = found.ok_or_else(Fault::sync_point_gone)?;
        if commits.is_empty() {
            return Err(Fault::sync_point_gone().into());
        }
        let commits = commits.iter().map(|commit| commit.to_bytes().into());
        Ok(Response::new(GetCommitsResponse {
            commits: commits.collect(),
        }))
    }

    async fn get_state_chunk(
        &self,
        request: Request<GetStateChunkRequest>,
    ) -> Result<Response<GetStateChunkResponse>, Status> {
        require_member(&request)?;
        let request = request.into_inner();
        let point = height(request.point, "point")?;
        let start = fixed_bytes(&request.start, "start").map_err(Fault::from)?;
        let room = self.room.acquire().await;
        let _room = room.map_err(|_| Fault::shutting_down())?;
        let found = self
            .source
            .chunk(point, Hash32(start), CHUNK_BYTES_MAX)
            .await;
        let found = found.map_err(Fault::from)?;
        let chunk = found.ok_or_else(Fault::sync_point_gone)?;
        Ok(Response::new(GetStateChunkResponse {
            chunk: chunk.to_bytes().into(),
        }))
    }

    async fn get_certificates(
        &self,
        request: Request<GetCertificatesRequest>,
    ) -> Result<Response<GetCertificatesResponse>, Status> {
        require_member(&request)?;
        let to = height(request.into_inner().to_height, "to_height")?;
        if to == Height(0) {
            return Err(Fault::invalid_field("to_height", "genesis has no certificate").into());
        }
        let room = self.room.acquire().await;
        let _room = room.map_err(|_| Fault::shutting_down())?;
        let found = self.source.certificates_to(to, CERTIFICATES_MAX).await;
        let certificates = found.map_err(Fault::from)?;
        let encoded = certificates
            .iter()
            .map(|certificate| Bytes::from(certificate.to_bytes()));
        Ok(Response::new(GetCertificatesResponse {
            certificates: encoded.collect(),
        }))
    }
}
