//! What the operator asks of a member.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{iter, unfold};
use quorate_dkg::MemberSet;
use quorate_rpc::admin::v1 as messages;
use quorate_rpc::admin::v1::ceremony_service_server::{CeremonyService, CeremonyServiceServer};
use quorate_rpc::admin::v1::{
    ExplainCeremonyRequest, ExplainCeremonyResponse, GetCeremonyStatusRequest,
    GetCeremonyStatusResponse, GetTranscriptRequest, GetTranscriptResponse,
    ListCeremonyEvidenceRequest, ListCeremonyEvidenceResponse, ProveShareRequest,
    ProveShareResponse, StopCeremonyRequest, StopCeremonyResponse, WatchCeremonyRequest,
    WatchCeremonyResponse,
};
use quorate_rpc::{Fault, fixed_bytes};
use quorate_types::ValidatorIndex;
use tokio::sync::{oneshot, watch};
use tonic::{Request, Response, Status};

use super::shared::{Order, Shared};
use super::status::{CeremonyPeer, CeremonyPhase, CeremonyStatus};
use crate::api::{ConnectionState, Drain};

/// Bytes of one part of a transcript.
const PART_BYTES: usize = 1024 * 1024;
/// Evidence on a page, if the client names no number: each has at most about half a megabyte.
const PAGE_DEFAULT: u32 = 4;
/// Most evidence on a page: 4 MiB, what clients read by default.
const PAGE_MAX: u32 = 8;
/// First byte of a page token of this service.
const TOKEN_VERSION: u8 = 1;
/// Most bytes of one request: all are small.
const REQUEST_BYTES_MAX: usize = 4096;

/// The operator's service.
pub(super) struct CeremonyApi {
    shared: Arc<Shared>,
    drain: Drain,
}

impl CeremonyApi {
    pub(super) const fn new(shared: Arc<Shared>, drain: Drain) -> Self {
        Self { shared, drain }
    }

    pub(super) fn into_server(self) -> CeremonyServiceServer<Self> {
        CeremonyServiceServer::new(self).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl CeremonyService for CeremonyApi {
    type WatchCeremonyStream = Answers<WatchCeremonyResponse>;
    type GetTranscriptStream = Answers<GetTranscriptResponse>;

    async fn get_ceremony_status(
        &self,
        _request: Request<GetCeremonyStatusRequest>,
    ) -> Result<Response<GetCeremonyStatusResponse>, Status> {
        let status = Some(status_message(&self.shared.status.borrow()));
        Ok(Response::new(GetCeremonyStatusResponse { status }))
    }

    async fn explain_ceremony(
        &self,
        _request: Request<ExplainCeremonyRequest>,
    ) -> Result<Response<ExplainCeremonyResponse>, Status> {
        let status = self.shared.status.borrow().clone();
        let waits = status.explain().into_iter();
        let waits = waits.map(|wait| messages::CeremonyWait {
            what: wait.what,
            members: wait.members.iter().map(|member| member.0.into()).collect(),
        });
        Ok(Response::new(ExplainCeremonyResponse {
            waits: waits.collect(),
            status: Some(status_message(&status)),
        }))
    }

    async fn watch_ceremony(
        &self,
        _request: Request<WatchCeremonyRequest>,
    ) -> Result<Response<Self::WatchCeremonyStream>, Status> {
        let mut receiver = self.shared.status.subscribe();
        // The first answer is the status as it is.
        receiver.mark_changed();
        let stream = unfold((receiver, self.drain.clone()), next_status);
        Ok(Response::new(Box::pin(stream)))
    }

    async fn prove_share(
        &self,
        request: Request<ProveShareRequest>,
    ) -> Result<Response<ProveShareResponse>, Status> {
        let challenge = fixed_bytes(&request.get_ref().challenge, "challenge");
        let challenge = challenge.map_err(Fault::from)?;
        let (status_result, ceremony) = {
            let status = self.shared.status.borrow();
            (status.result.clone(), status.ceremony)
        };
        let result = status_result.ok_or_else(Fault::ceremony_incomplete)?;
        let (reply, proof) = oneshot::channel();
        let order = Order::Prove { challenge, reply };
        self.shared
            .orders
            .send(order)
            .map_err(|_| Fault::shutting_down())?;
        let proof = proof.await.map_err(|_| Fault::shutting_down())?;
        let signature = proof.ok_or_else(Fault::ceremony_incomplete)?;
        Ok(Response::new(ProveShareResponse {
            ceremony_id: copied(ceremony),
            member: Some(self.shared.me.0.into()),
            share_key: copied(result.share_key),
            signature: copied(signature),
        }))
    }

    async fn get_transcript(
        &self,
        _request: Request<GetTranscriptRequest>,
    ) -> Result<Response<Self::GetTranscriptStream>, Status> {
        let transcript = self.shared.transcript();
        let transcript = transcript.ok_or_else(Fault::ceremony_incomplete)?;
        let total = transcript.len();
        let parts = (0..total).step_by(PART_BYTES).map(move |start| {
            let end = total.min(start.saturating_add(PART_BYTES));
            Ok(GetTranscriptResponse {
                part: transcript.slice(start..end),
                total_bytes: Some(total as u64),
            })
        });
        Ok(Response::new(Box::pin(iter(parts))))
    }

    async fn list_ceremony_evidence(
        &self,
        request: Request<ListCeremonyEvidenceRequest>,
    ) -> Result<Response<ListCeremonyEvidenceResponse>, Status> {
        let request = request.into_inner();
        let from = page_start(&request.page_token)?;
        let count = match request.page_size {
            0 => PAGE_DEFAULT,
            size => size.min(PAGE_MAX),
        };
        let (evidence, total) = self.shared.evidence(from, count as usize);
        let next = from.saturating_add(evidence.len() as u64);
        let evidence = evidence.into_iter();
        let evidence = evidence.map(|(dealer, canonical)| messages::CeremonyEvidence {
            dealer: Some(dealer.0.into()),
            canonical,
        });
        Ok(Response::new(ListCeremonyEvidenceResponse {
            evidence: evidence.collect(),
            next_page_token: if next < total {
                page_token(next)
            } else {
                Bytes::new()
            },
        }))
    }

    async fn stop_ceremony(
        &self,
        _request: Request<StopCeremonyRequest>,
    ) -> Result<Response<StopCeremonyResponse>, Status> {
        self.shared.stop_requested.notify_one();
        Ok(Response::new(StopCeremonyResponse {}))
    }
}

type Watching = (watch::Receiver<CeremonyStatus>, Drain);

async fn next_status(
    (mut receiver, drain): Watching,
) -> Option<(Result<WatchCeremonyResponse, Status>, Watching)> {
    tokio::select! {
        changed = receiver.changed() => changed.ok()?,
        () = drain.started() => return None,
    }
    let status = Some(status_message(&receiver.borrow_and_update()));
    Some((Ok(WatchCeremonyResponse { status }), (receiver, drain)))
}

fn page_token(next: u64) -> Bytes {
    let mut token = vec![TOKEN_VERSION];
    token.extend_from_slice(&next.to_le_bytes());
    token.into()
}

fn page_start(token: &[u8]) -> Result<u64, Fault> {
    match token.split_first() {
        None => Ok(0),
        Some((&TOKEN_VERSION, next)) => next
            .try_into()
            .map(u64::from_le_bytes)
            .map_err(|_| Fault::bad_page_token()),
        Some(_) => Err(Fault::bad_page_token()),
    }
}

fn copied(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

fn numbers(members: MemberSet) -> Vec<u32> {
    members
        .iter()
        .map(|ValidatorIndex(index)| index.into())
        .collect()
}

fn status_message(status: &CeremonyStatus) -> messages::CeremonyStatus {
    let phase = match status.phase {
        CeremonyPhase::Starting => messages::CeremonyPhase::Starting,
        CeremonyPhase::Dealing => messages::CeremonyPhase::Dealing,
        CeremonyPhase::Proposing => messages::CeremonyPhase::Proposing,
        CeremonyPhase::Agreeing => messages::CeremonyPhase::Agreeing,
        CeremonyPhase::Completing => messages::CeremonyPhase::Completing,
        CeremonyPhase::Complete => messages::CeremonyPhase::Complete,
        CeremonyPhase::Silent => messages::CeremonyPhase::Silent,
    };
    let result = status.result.as_ref();
    messages::CeremonyStatus {
        ceremony_id: copied(status.ceremony),
        name: status.name.clone(),
        member: Some(status.member.0.into()),
        size: Some(status.size.into()),
        faults: Some(status.faults.into()),
        quorum: Some(status.quorum.into()),
        phase: phase.into(),
        delivered: numbers(status.delivered),
        accepted: numbers(status.accepted),
        rejected: numbers(status.rejected),
        dealers: result
            .map(|result| numbers(result.dealers))
            .unwrap_or_default(),
        signers: numbers(status.signers),
        peers: status.peers.iter().map(peer_message).collect(),
        outbox: Some(status.outbox),
        evidence: Some(status.evidence),
        group_key: result
            .map(|result| copied(result.group_key))
            .unwrap_or_default(),
        transcript_hash: result
            .map(|result| copied(result.transcript))
            .unwrap_or_default(),
        share_key: result
            .map(|result| copied(result.share_key))
            .unwrap_or_default(),
        failures: status.failures.clone(),
    }
}

fn peer_message(peer: &CeremonyPeer) -> messages::CeremonyPeer {
    let state = match peer.state {
        ConnectionState::Connected => messages::ConnectionState::Connected,
        ConnectionState::Connecting => messages::ConnectionState::Connecting,
        ConnectionState::Disconnected => messages::ConnectionState::Disconnected,
    };
    messages::CeremonyPeer {
        member: Some(peer.index.0.into()),
        name: peer.name.clone(),
        identity: copied(peer.identity),
        address: peer.address.clone(),
        state: state.into(),
        received: Some(peer.received),
        held: peer.held,
        complete: Some(peer.complete),
        other_ceremony_id: peer.other_ceremony.map(copied).unwrap_or_default(),
        last_error: peer.last_error.clone(),
    }
}
