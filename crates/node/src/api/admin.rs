//! `quorate.admin.v1`.

use std::sync::Arc;

use bytes::Bytes;
use quorate_rpc::Fault;
use quorate_rpc::admin::v1::admin_service_server::{AdminService, AdminServiceServer};
use quorate_rpc::admin::v1::{
    ConnectionState as StateMessage, GetStatusRequest, GetStatusResponse, ListEvidenceRequest,
    ListEvidenceResponse, PeerStatus, ShutdownRequest, ShutdownResponse, StoreStatus,
};
use quorate_types::Round;
use tonic::{Request, Response, Status};

use super::ledger::{QUERY_MESSAGE_BYTES_MAX, service_info};
use super::source::{ConnectionState, LedgerView, Operator, PeerView, StoreSizes};
use super::token::{Page, Paged, page_size};

/// The operator's service.
#[derive(Debug)]
pub struct AdminApi<V, O> {
    view: Arc<V>,
    operator: Arc<O>,
}

impl<V: LedgerView, O: Operator> AdminApi<V, O> {
    pub(super) const fn new(view: Arc<V>, operator: Arc<O>) -> Self {
        Self { view, operator }
    }

    pub(super) fn into_server(self) -> AdminServiceServer<Self> {
        AdminServiceServer::new(self).max_decoding_message_size(QUERY_MESSAGE_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl<V: LedgerView, O: Operator> AdminService for AdminApi<V, O> {
    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let status = self.operator.status().await.map_err(Fault::from)?;
        let head = *self.view.head().borrow();
        let peers = status.peers.iter();
        let peers = peers.map(|peer| peer_message(peer, status.highest_round));
        Ok(Response::new(GetStatusResponse {
            info: Some(service_info(&*self.view)),
            validator: Some(status.validator.0.into()),
            own_round: Some(status.own_round.0),
            highest_round: Some(status.highest_round.0),
            committed_height: Some(status.committed.0),
            executed_height: Some(head.executed.0),
            certified_height: Some(head.certified.0),
            pool_transactions: Some(status.pool_transactions),
            pool_bytes: Some(status.pool_bytes),
            peers: peers.collect(),
            store: Some(store_message(status.store)),
            uptime_seconds: Some(status.uptime.as_secs()),
            transactions_total: Some(status.transactions_total),
            recovering: Some(status.recovering),
        }))
    }

    async fn list_evidence(
        &self,
        request: Request<ListEvidenceRequest>,
    ) -> Result<Response<ListEvidenceResponse>, Status> {
        let request = request.into_inner();
        let facts = self.view.facts();
        let parameters = [None, None];
        let next = if request.page_token.is_empty() {
            0
        } else {
            Page::from_token(&request.page_token, facts, Paged::Evidence, &parameters)?.next
        };
        let count = page_size(request.page_size);
        // One more than is shown tells whether there is a next page.
        let read = self.operator.evidence(next, count + 1).await;
        let mut evidence = read.map_err(Fault::from)?;
        let more = evidence.len() > count as usize;
        evidence.truncate(count as usize);
        let next_page_token = if more {
            let next = next.saturating_add(u64::from(count));
            let page = Page {
                next,
                end: u64::MAX,
            };
            page.to_token(facts, Paged::Evidence, &parameters)
        } else {
            Bytes::new()
        };
        Ok(Response::new(ListEvidenceResponse {
            evidence: evidence.iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn shutdown(
        &self,
        _request: Request<ShutdownRequest>,
    ) -> Result<Response<ShutdownResponse>, Status> {
        self.operator.shutdown();
        Ok(Response::new(ShutdownResponse {}))
    }
}

fn peer_message(peer: &PeerView, highest: Round) -> PeerStatus {
    let state = match peer.state {
        ConnectionState::Connected => StateMessage::Connected,
        ConnectionState::Connecting => StateMessage::Connecting,
        ConnectionState::Disconnected => StateMessage::Disconnected,
    };
    let milliseconds = |silent: std::time::Duration| u64::try_from(silent.as_millis());
    PeerStatus {
        validator: Some(peer.index.0.into()),
        identity: Bytes::copy_from_slice(peer.identity.as_ref()),
        address: peer.address.clone(),
        state: state.into(),
        highest_round: Some(peer.highest_round.0),
        rounds_behind: Some(highest.0.saturating_sub(peer.highest_round.0)),
        silent_ms: peer
            .silent
            .map(|silent| milliseconds(silent).unwrap_or(u64::MAX)),
        last_error: peer.last_error.clone(),
    }
}

const fn store_message(sizes: StoreSizes) -> StoreStatus {
    StoreStatus {
        log_bytes: Some(sizes.log_bytes),
        log_segments: Some(sizes.log_segments),
        tables_bytes: Some(sizes.tables_bytes),
    }
}
