//! The schedule against a server that answers, and against one that does not.

use std::net::{Ipv4Addr, SocketAddr};

use quorate_rpc::common::v1::ItemFailure;
use quorate_rpc::submit::v1::submit_service_server::{SubmitService, SubmitServiceServer};
use quorate_rpc::submit::v1::{
    BatchSubmitTransactionsResponse, GetOutcomeRequest, GetOutcomeResponse,
    SubmitTransactionRequest, SubmitTransactionResponse,
};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::*;

/// Takes every second transaction, or answers nothing at all.
struct Fake {
    answers: bool,
}

#[tonic::async_trait]
impl SubmitService for Fake {
    async fn submit_transaction(
        &self,
        _: Request<SubmitTransactionRequest>,
    ) -> Result<Response<SubmitTransactionResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn batch_submit_transactions(
        &self,
        request: Request<BatchSubmitTransactionsRequest>,
    ) -> Result<Response<BatchSubmitTransactionsResponse>, Status> {
        if !self.answers {
            std::future::pending::<()>().await;
        }
        let results = request.into_inner().transactions.into_iter().enumerate();
        let results = results.map(|(index, transaction)| SubmitResult {
            result: Some(if index % 2 == 0 {
                Verdict::AcceptedTransactionId(transaction)
            } else {
                Verdict::Failure(ItemFailure {
                    reason: ErrorReason::PoolFull.into(),
                    ..ItemFailure::default()
                })
            }),
        });
        let results = results.collect();
        Ok(Response::new(BatchSubmitTransactionsResponse { results }))
    }

    async fn get_outcome(
        &self,
        _: Request<GetOutcomeRequest>,
    ) -> Result<Response<GetOutcomeResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

fn serve(answers: bool) -> String {
    let incoming = TcpIncoming::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = SubmitServiceServer::new(Fake { answers });
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    format!("http://{address}")
}

async fn until(load: &Load, so: impl Fn(&Tally) -> bool) -> Tally {
    let start = Instant::now();
    loop {
        let tally = load.tally();
        if so(&tally) {
            return tally;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{tally:?}");
        tokio::time::sleep(TICK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_due_is_accounted_for_at_the_rate_asked_for() {
    let endpoint = serve(true);
    let sources = (0..2)
        .map(|_| (endpoint.clone(), Opaque::new(100)))
        .collect();
    let start = Instant::now();
    let load = Load::start(sources, 2_000).await.unwrap();
    until(&load, |tally| tally.due >= 400).await;
    load.set_rate(0);
    let most = start.elapsed().as_secs_f64() * 2_000.0 + 1.0;
    let delays = load.take_delays();
    let tally = load.stop().await;
    assert!(
        f64::from(u32::try_from(tally.due).unwrap()) <= most,
        "{tally:?} in {most}"
    );
    assert_eq!(
        tally.due,
        tally.accepted + tally.refused() + tally.unsent + tally.failed
    );
    assert_eq!(tally.failed, 0);
    assert!(
        tally.accepted > 0 && tally.refused["POOL_FULL"] > 0,
        "{tally:?}"
    );
    assert!(delays.is_sorted() && !delays.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_does_not_slow_the_schedule() {
    let sources = vec![(serve(false), Opaque::new(100))];
    let load = Load::start(sources, 1_000).await.unwrap();
    // Five transactions a tick: all calls that may be open are, and the schedule goes on without them.
    let open = u64::try_from(OPEN_CALLS_MAX).unwrap() * 5;
    until(&load, |tally| tally.unsent >= 50).await;
    load.set_rate(0);
    let tally = until(&load, |tally| tally.due == open + tally.unsent).await;
    assert_eq!((tally.accepted, tally.refused(), tally.failed), (0, 0, 0));
}
