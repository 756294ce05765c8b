//! The operator's service.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_node::api::{
    ConnectionState, Health, NodeStatus, Operator, PeerView, StoreSizes, ViewError, serve_admin,
};
use quorate_rpc::admin::v1::admin_service_client::AdminServiceClient;
use quorate_rpc::admin::v1::{
    ConnectionState as StateMessage, GetStatusRequest, ListEvidenceRequest, ShutdownRequest,
};
use quorate_rpc::{ErrorReason, reason_of};
use quorate_types::{Evidence, Height, IdentityKey, Round, ValidatorIndex};
use tokio::net::TcpListener;
use tonic::Code;

use crate::chain::{Chain, HEIGHTS, connect};

const EVIDENCE: u64 = 7;

#[derive(Default)]
struct Fake {
    shutdowns: AtomicU32,
}

impl Operator for Fake {
    async fn status(&self) -> Result<NodeStatus, ViewError> {
        Ok(NodeStatus {
            validator: ValidatorIndex(2),
            own_round: Round(40),
            highest_round: Round(41),
            committed: Height(13),
            pool_transactions: 5,
            pool_bytes: 500,
            transactions_total: 99,
            peers: vec![PeerView {
                index: ValidatorIndex(0),
                identity: IdentityKey([1; 32]),
                address: "localhost:1".to_owned(),
                state: ConnectionState::Disconnected,
                highest_round: Round(30),
                silent: Some(Duration::from_secs(3)),
                last_error: "refused".to_owned(),
            }],
            store: StoreSizes {
                log_bytes: 1,
                log_segments: 2,
                tables_bytes: 3,
            },
            uptime: Duration::from_secs(60),
            recovering: false,
        })
    }

    async fn evidence(&self, from: u64, count: u32) -> Result<Vec<Evidence>, ViewError> {
        let all = (from..EVIDENCE).take(count as usize);
        Ok(all
            .map(|entry| Evidence::BadCoinShare {
                author: ValidatorIndex(1),
                round: Round(entry),
            })
            .collect())
    }

    fn shutdown(&self) {
        self.shutdowns.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn operators_see_status_and_evidence_and_may_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Arc::new(Fake::default());
    let (chain, operator) = (Chain::new(HEIGHTS), fake.clone());
    let health = Health::new().await;
    tokio::spawn(async move {
        serve_admin(listener, chain, operator, &health, std::future::pending()).await
    });
    let mut client = AdminServiceClient::new(connect(address).await);

    let status = client
        .get_status(GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (status.validator, status.certified_height),
        (Some(2), Some(HEIGHTS))
    );
    let peer = &status.peers[0];
    assert_eq!(
        (peer.rounds_behind, peer.silent_ms),
        (Some(11), Some(3_000))
    );
    assert_eq!(peer.state(), StateMessage::Disconnected);
    assert_eq!(status.store.unwrap().log_segments, Some(2));

    let mut request = ListEvidenceRequest {
        page_size: 3,
        page_token: Bytes::new(),
    };
    let mut pages = Vec::new();
    loop {
        let page = client
            .list_evidence(request.clone())
            .await
            .unwrap()
            .into_inner();
        pages.push(page.evidence.len());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(pages, [3, 3, 1]);
    request.page_token = Bytes::from_static(b"nonsense");
    let status = client.list_evidence(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::InvalidArgument, Some(ErrorReason::BadPageToken))
    );

    client.shutdown(ShutdownRequest {}).await.unwrap();
    assert_eq!(fake.shutdowns.load(Ordering::Relaxed), 1);
}
