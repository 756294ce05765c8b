//! `quorate.ledger.v1`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_rpc::common::v1::ServiceInfo;
use quorate_rpc::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use quorate_rpc::ledger::v1::subscribe_finality_request::Start;
use quorate_rpc::ledger::v1::{
    GetAccountRequest, GetAccountResponse, GetCertificateRequest, GetCertificateResponse,
    GetHeaderRequest, GetHeaderResponse, GetServiceInfoRequest, GetServiceInfoResponse,
    ListCertificatesRequest, ListCertificatesResponse, SubscribeFinalityRequest,
};
use quorate_rpc::{Fault, fixed_bytes};
use quorate_types::limits::TRANSACTION_BYTES_MAX;
use quorate_types::{Account, AccountId, Certificate, Decode, Execution, Header, Height};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::drain::Drain;
use super::finality::{FinalityStream, Follow};
use super::serve::ApiOptions;
use super::source::{Head, LedgerView, internal};
use super::token::{Page, Paged, page_size, resume_height};

/// Most bytes of one request: hashes, numbers and tokens.
pub(super) const QUERY_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Most subscriptions at once.
const SUBSCRIPTIONS_MAX: usize = 1_024;
/// When to try again after [`SUBSCRIPTIONS_MAX`] was met.
const RETRY_SUBSCRIBE: Duration = Duration::from_secs(5);

/// The ledger service.
#[derive(Debug)]
pub struct LedgerApi<V> {
    view: Arc<V>,
    options: ApiOptions,
    subscriptions: Arc<Semaphore>,
    drain: Drain,
}

impl<V: LedgerView> LedgerApi<V> {
    pub(super) fn new(view: Arc<V>, options: ApiOptions, drain: Drain) -> Self {
        Self {
            view,
            options,
            subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX)),
            drain,
        }
    }

    pub(super) fn into_server(self) -> LedgerServiceServer<Self> {
        LedgerServiceServer::new(self).max_decoding_message_size(QUERY_MESSAGE_BYTES_MAX)
    }

    fn head(&self) -> Head {
        *self.view.head().borrow()
    }

    async fn certificate(&self, height: Option<Height>) -> Result<Certificate, Fault> {
        let head = self.head();
        let height = height.unwrap_or(head.certified);
        if height == Height(0) {
            return Err(match head.certified {
                Height(0) => Fault::height_not_reached(Height(1), head.certified),
                _ => Fault::invalid_field("height", "genesis has no certificate"),
            });
        }
        let found = self.view.certificates(height, 1).await?.pop();
        found.ok_or_else(|| Fault::height_not_reached(height, head.certified))
    }

    /// The place where a list starts or goes on.
    fn page(&self, request: &ListCertificatesRequest) -> Result<Page, Fault> {
        let parameters = [request.from_height, request.to_height];
        if !request.page_token.is_empty() {
            let facts = self.view.facts();
            return Page::from_token(&request.page_token, facts, Paged::Certificates, &parameters);
        }
        let head = self.head();
        let next = request.from_height.unwrap_or(head.lowest.0.max(1));
        let end = request.to_height.unwrap_or(head.certified.0);
        if next == 0 {
            return Err(Fault::invalid_field(
                "from_height",
                "genesis has no certificate",
            ));
        }
        if request.to_height.is_some_and(|to| to < next) {
            return Err(Fault::invalid_field("to_height", "below from_height"));
        }
        if request
            .from_height
            .is_some_and(|from| from > head.certified.0)
        {
            return Err(Fault::height_not_reached(Height(next), head.certified));
        }
        let end = end.min(head.certified.0);
        Ok(Page { next, end })
    }

    /// The first height due to a subscriber.
    fn start(&self, start: Option<Start>) -> Result<Height, Fault> {
        let head = self.head();
        match start {
            None => Ok(head.certified.next()),
            Some(Start::FromHeight(0)) => Err(Fault::invalid_field(
                "from_height",
                "genesis has no certificate",
            )),
            Some(Start::FromHeight(height)) if height > head.certified.next().0 => {
                Err(Fault::height_not_reached(Height(height), head.certified))
            }
            Some(Start::FromHeight(height)) => Ok(Height(height)),
            // A token may come from another node that is ahead of this one: the stream waits until it is reached.
            Some(Start::ResumeToken(token)) => resume_height(&token, self.view.facts()),
        }
    }
}

#[tonic::async_trait]
impl<V: LedgerView> LedgerService for LedgerApi<V> {
    type SubscribeFinalityStream = FinalityStream;

    async fn get_service_info(
        &self,
        _request: Request<GetServiceInfoRequest>,
    ) -> Result<Response<GetServiceInfoResponse>, Status> {
        let info = Some(service_info(&*self.view));
        Ok(Response::new(GetServiceInfoResponse { info }))
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let request = request.into_inner();
        let id = fixed_bytes(&request.account_id, "account_id").map_err(Fault::from)?;
        let read = self.view.account(AccountId(id), request.height.map(Height));
        let view = read.await.map_err(Fault::from)?;
        let account = view
            .value
            .map(|value| Account::from_bytes(&value))
            .transpose();
        let account = account.map_err(|error| internal(&error))?;
        Ok(Response::new(GetAccountResponse {
            account: account.as_ref().map(Into::into),
            proof: Some((&view.proof).into()),
            header: Some((&view.header).into()),
            certificate: view.certificate.as_ref().map(Into::into),
        }))
    }

    async fn get_header(
        &self,
        request: Request<GetHeaderRequest>,
    ) -> Result<Response<GetHeaderResponse>, Status> {
        let height = request.get_ref().height.map(Height);
        let height = height.unwrap_or_else(|| self.head().executed);
        let header = self.view.header(height).await.map_err(Fault::from)?;
        let header = Some((&header).into());
        Ok(Response::new(GetHeaderResponse { header }))
    }

    async fn get_certificate(
        &self,
        request: Request<GetCertificateRequest>,
    ) -> Result<Response<GetCertificateResponse>, Status> {
        let height = request.get_ref().height.map(Height);
        let certificate = self.certificate(height).await?;
        let certificate = Some((&certificate).into());
        Ok(Response::new(GetCertificateResponse { certificate }))
    }

    async fn list_certificates(
        &self,
        request: Request<ListCertificatesRequest>,
    ) -> Result<Response<ListCertificatesResponse>, Status> {
        let request = request.into_inner();
        let Page { next, end } = self.page(&request)?;
        let left = end.saturating_add(1).saturating_sub(next);
        let count = u32::try_from(left)
            .unwrap_or(u32::MAX)
            .min(page_size(request.page_size));
        let certificates = match count {
            0 => Vec::new(),
            _ => self
                .view
                .certificates(Height(next), count)
                .await
                .map_err(Fault::from)?,
        };
        let next = next.saturating_add(certificates.len() as u64);
        let next_page_token = if next <= end && !certificates.is_empty() {
            let parameters = [request.from_height, request.to_height];
            Page { next, end }.to_token(self.view.facts(), Paged::Certificates, &parameters)
        } else {
            Bytes::new()
        };
        Ok(Response::new(ListCertificatesResponse {
            certificates: certificates.iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn subscribe_finality(
        &self,
        request: Request<SubscribeFinalityRequest>,
    ) -> Result<Response<FinalityStream>, Status> {
        let next = self.start(request.into_inner().start)?;
        let lowest = self.head().lowest;
        if next < lowest {
            return Err(Fault::cursor_pruned(lowest).into());
        }
        let seat = self.subscriptions.clone().try_acquire_owned();
        let seat = seat.map_err(|_| Fault::too_many_streams(SUBSCRIPTIONS_MAX, RETRY_SUBSCRIBE))?;
        let follow = Follow {
            view: self.view.clone(),
            next,
            heartbeat: self.options.heartbeat,
            patience: self.options.slow_consumer,
            drain: self.drain.clone(),
        };
        Ok(Response::new(follow.spawn(seat)))
    }
}

/// What the node is, for both listeners.
pub(super) fn service_info(view: &impl LedgerView) -> ServiceInfo {
    let facts = view.facts();
    let head = *view.head().borrow();
    ServiceInfo {
        chain_id: Bytes::copy_from_slice(facts.chain.as_ref()),
        shard: Some(facts.shard.0),
        epoch: Some(facts.epoch.0),
        head_height: Some(head.certified.0),
        lowest_available_height: Some(head.lowest.0),
        group_public_key: Bytes::copy_from_slice(facts.group_key.as_ref()),
        build_version: facts.build_version.to_owned(),
        encoding_version: u32::from(Header::VERSION),
        executes: Some(facts.execution == Execution::Ledger),
        transaction_bytes_max: TRANSACTION_BYTES_MAX,
        chain_name: facts.chain_name.clone(),
        lowest_receipts_height: Some(head.lowest_receipts.0),
    }
}
