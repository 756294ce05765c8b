//! `quorate.submit.v1`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_rpc::submit::v1::submit_service_server::{SubmitService, SubmitServiceServer};
use quorate_rpc::submit::v1::{
    BatchSubmitTransactionsRequest, BatchSubmitTransactionsResponse, GetOutcomeRequest,
    GetOutcomeResponse, Pending, SubmitResult, SubmitTransactionRequest, SubmitTransactionResponse,
    WaitFor, get_outcome_response, submit_result,
};
use quorate_rpc::types::v1::TransactionOutcome;
use quorate_rpc::{Fault, fixed_bytes};
use quorate_types::TransactionId;
use quorate_types::limits::TRANSACTION_BYTES_MAX;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use super::deadline::client_deadline;
use super::drain::Drain;
use super::source::{LedgerView, OutcomeView, Submitter, TransactionStatus, internal};

/// Most transactions of one batch: more only delays the first one's answer.
pub const BATCH_TRANSACTIONS_MAX: usize = 4_096;
/// Most bytes of one request: a batch that fills a block.
pub(super) const SUBMIT_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most calls that wait for an outcome at once; each looks again at every height.
const WAITING_MAX: usize = 256;
/// When to try again after [`WAITING_MAX`] was met.
const RETRY_WAITING: Duration = Duration::from_millis(500);
/// What is left of a client's deadline for the way back.
const DEADLINE_MARGIN: Duration = Duration::from_millis(20);

/// The submit service.
#[derive(Debug)]
pub struct SubmitApi<V, S> {
    view: Arc<V>,
    submitter: Arc<S>,
    waiting: Semaphore,
    wait_max: Duration,
    drain: Drain,
}

impl<V: LedgerView, S: Submitter> SubmitApi<V, S> {
    pub(super) fn new(view: Arc<V>, submitter: Arc<S>, wait_max: Duration, drain: Drain) -> Self {
        Self {
            view,
            submitter,
            waiting: Semaphore::new(WAITING_MAX),
            wait_max,
            drain,
        }
    }

    pub(super) fn into_server(self) -> SubmitServiceServer<Self> {
        SubmitServiceServer::new(self).max_decoding_message_size(SUBMIT_MESSAGE_BYTES_MAX)
    }

    async fn submit_one(&self, transaction: Bytes) -> Result<TransactionId, Fault> {
        check_length(&transaction)?;
        let mut results = self.submitter.submit(vec![transaction]).await;
        match (results.pop(), results.is_empty()) {
            (Some(result), true) => Ok(result?),
            _ => Err(internal(&ResultCount)),
        }
    }

    /// Waits until the transaction is as far as asked.
    async fn settled(&self, id: TransactionId, certified: bool) -> Result<OutcomeView, Fault> {
        let mut head = self.view.head();
        loop {
            head.mark_unchanged();
            if let TransactionStatus::Executed(outcome) = self.view.outcome(id).await?
                && (!certified || outcome.certificate.is_some())
            {
                return Ok(*outcome);
            }
            tokio::select! {
                changed = head.changed() => changed.map_err(|_| Fault::shutting_down())?,
                () = self.drain.started() => return Err(Fault::shutting_down()),
            }
        }
    }
}

#[tonic::async_trait]
impl<V: LedgerView, S: Submitter> SubmitService for SubmitApi<V, S> {
    async fn submit_transaction(
        &self,
        request: Request<SubmitTransactionRequest>,
    ) -> Result<Response<SubmitTransactionResponse>, Status> {
        let patience = client_deadline(request.metadata())
            .map_or(self.wait_max, |deadline| {
                deadline.saturating_sub(DEADLINE_MARGIN)
            })
            .min(self.wait_max);
        let request = request.into_inner();
        let certified = match WaitFor::try_from(request.wait) {
            Ok(WaitFor::Unspecified | WaitFor::Accepted) => None,
            Ok(WaitFor::Committed) => Some(false),
            Ok(WaitFor::Certified) => Some(true),
            Err(_) => return Err(Fault::invalid_field("wait", "unknown value").into()),
        };
        let waiting = match certified {
            None => None,
            Some(_) => Some(
                self.waiting
                    .try_acquire()
                    .map_err(|_| Fault::too_many_streams(WAITING_MAX, RETRY_WAITING))?,
            ),
        };
        let id = self.submit_one(request.transaction).await?;
        let outcome = match certified {
            None => None,
            Some(certified) => match timeout(patience, self.settled(id, certified)).await {
                Ok(outcome) => Some(outcome_message(&outcome?)),
                Err(_) => return Err(Fault::wait_timeout(&id).into()),
            },
        };
        drop(waiting);
        Ok(Response::new(SubmitTransactionResponse {
            transaction_id: Bytes::copy_from_slice(id.as_ref()),
            outcome,
        }))
    }

    async fn batch_submit_transactions(
        &self,
        request: Request<BatchSubmitTransactionsRequest>,
    ) -> Result<Response<BatchSubmitTransactionsResponse>, Status> {
        let transactions = request.into_inner().transactions;
        if transactions.is_empty() {
            return Err(Fault::invalid_field("transactions", "absent").into());
        }
        if transactions.len() > BATCH_TRANSACTIONS_MAX {
            let fault = Fault::too_many("transactions", transactions.len(), BATCH_TRANSACTIONS_MAX);
            return Err(fault.into());
        }
        let checks: Vec<Result<(), Fault>> = transactions.iter().map(check_length).collect();
        let good = transactions.into_iter().zip(&checks);
        let good: Vec<Bytes> = good
            .filter_map(|(transaction, check)| check.is_ok().then_some(transaction))
            .collect();
        let expected = good.len();
        let submitted = if good.is_empty() {
            Vec::new()
        } else {
            self.submitter.submit(good).await
        };
        if submitted.len() != expected {
            return Err(internal(&ResultCount).into());
        }
        let mut submitted = submitted.into_iter();
        let results = checks.into_iter().map(|check| {
            let submit = |()| Ok(submitted.next().expect("one result for each that passed")?);
            result_message(check.and_then(submit))
        });
        Ok(Response::new(BatchSubmitTransactionsResponse {
            results: results.collect(),
        }))
    }

    async fn get_outcome(
        &self,
        request: Request<GetOutcomeRequest>,
    ) -> Result<Response<GetOutcomeResponse>, Status> {
        let id = fixed_bytes(&request.get_ref().transaction_id, "transaction_id");
        let id = TransactionId(id.map_err(Fault::from)?);
        let status = match self.view.outcome(id).await.map_err(Fault::from)? {
            TransactionStatus::Unknown => {
                let lowest = self.view.head().borrow().lowest_receipts;
                return Err(Fault::transaction_unknown(&id, lowest).into());
            }
            TransactionStatus::Pending => get_outcome_response::Status::Pending(Pending {
                head_height: Some(self.view.head().borrow().certified.0),
            }),
            TransactionStatus::Executed(outcome) => {
                get_outcome_response::Status::Outcome(outcome_message(&outcome))
            }
        };
        Ok(Response::new(GetOutcomeResponse {
            status: Some(status),
        }))
    }
}

/// A submitter that answers with the wrong number of results.
#[derive(Debug, thiserror::Error)]
#[error("the submitter answered with the wrong number of results")]
struct ResultCount;

fn check_length(transaction: &Bytes) -> Result<(), Fault> {
    if transaction.is_empty() {
        return Err(Fault::invalid_field("transaction", "absent"));
    }
    if transaction.len() > TRANSACTION_BYTES_MAX as usize {
        let problem = format_args!(
            "{} bytes, the limit is {TRANSACTION_BYTES_MAX}",
            transaction.len()
        );
        return Err(Fault::invalid_field("transaction", problem));
    }
    Ok(())
}

fn result_message(result: Result<TransactionId, Fault>) -> SubmitResult {
    let result = match result {
        Ok(id) => submit_result::Result::AcceptedTransactionId(Bytes::copy_from_slice(id.as_ref())),
        Err(fault) => submit_result::Result::Failure(fault.into()),
    };
    SubmitResult {
        result: Some(result),
    }
}

fn outcome_message(outcome: &OutcomeView) -> TransactionOutcome {
    TransactionOutcome {
        receipt: Some((&outcome.receipt).into()),
        height: outcome.header.height.0,
        inclusion: Some((&outcome.inclusion).into()),
        header: Some((&outcome.header).into()),
        certificate: outcome.certificate.as_ref().map(Into::into),
    }
}
