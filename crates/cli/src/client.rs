//! Calls to a validator's API.

use std::time::Duration;

use anyhow::{Context, anyhow};
use quorate_rpc::admin::v1::admin_service_client::AdminServiceClient;
use quorate_rpc::admin::v1::ceremony_service_client::CeremonyServiceClient;
use quorate_rpc::common::v1::ServiceInfo;
use quorate_rpc::ledger::v1::ledger_service_client::LedgerServiceClient;
use quorate_rpc::ledger::v1::{
    GetAccountRequest, GetAccountResponse, GetCertificateRequest, GetServiceInfoRequest,
};
use quorate_rpc::submit::v1::submit_service_client::SubmitServiceClient;
use quorate_rpc::types::v1::Certificate;
use quorate_rpc::{ErrorReason, reason_of};
use quorate_types::{AccountId, Height};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::failure::{Failure, Kind};

/// How long a call may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection to one listener.
#[derive(Clone)]
pub(crate) struct Client {
    endpoint: String,
    channel: Channel,
}

impl Client {
    pub(crate) async fn connect(endpoint: &str) -> Result<Self, Failure> {
        let failed = |error: tonic::transport::Error| {
            let error = anyhow!(error).context(format!(
                "cannot reach {endpoint}: is a validator listening there? (--endpoint URL)"
            ));
            Failure::new(Kind::Endpoint, error)
        };
        let channel = Endpoint::from_shared(endpoint.to_owned())
            .map_err(failed)?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(failed)?;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            channel,
        })
    }

    pub(crate) fn ledger(&self) -> LedgerServiceClient<Channel> {
        LedgerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn submit(&self) -> SubmitServiceClient<Channel> {
        SubmitServiceClient::new(self.channel.clone())
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone())
    }

    pub(crate) fn ceremony(&self) -> CeremonyServiceClient<Channel> {
        CeremonyServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn info(&self) -> Result<ServiceInfo, Failure> {
        let request = within(GetServiceInfoRequest {}, DEADLINE);
        let answer = self.ledger().get_service_info(request).await;
        let info = answer
            .map_err(|status| self.refused(&status))?
            .into_inner()
            .info;
        info.ok_or_else(|| self.incomplete("service info"))
    }

    pub(crate) async fn certificate(&self, height: Option<Height>) -> Result<Certificate, Failure> {
        let request = GetCertificateRequest {
            height: height.map(|height| height.0),
        };
        let answer = self
            .ledger()
            .get_certificate(within(request, DEADLINE))
            .await;
        let certificate = answer
            .map_err(|status| self.refused(&status))?
            .into_inner()
            .certificate;
        certificate.ok_or_else(|| self.incomplete("certificate"))
    }

    pub(crate) async fn account(
        &self,
        id: &AccountId,
        height: Option<Height>,
    ) -> Result<GetAccountResponse, Failure> {
        let request = GetAccountRequest {
            account_id: id.0.to_vec().into(),
            height: height.map(|height| height.0),
        };
        let answer = self.ledger().get_account(within(request, DEADLINE)).await;
        Ok(answer.map_err(|status| self.refused(&status))?.into_inner())
    }

    /// The failure for an error of a call.
    pub(crate) fn refused(&self, status: &Status) -> Failure {
        let reason = reason_of(status);
        let kind = match reason {
            Some(ErrorReason::TransactionRejected) => Kind::Rejected,
            _ => Kind::Endpoint,
        };
        let advice = match (reason, status.code()) {
            (Some(ErrorReason::HeightNotReached), _) => {
                "; nothing is certified there yet, try again later"
            }
            (Some(ErrorReason::HeightPruned | ErrorReason::CursorPruned), _) => {
                "; ask a validator that keeps more history"
            }
            (Some(ErrorReason::PoolFull | ErrorReason::NotReady), _) => "; try again in a moment",
            (Some(ErrorReason::ShuttingDown), _) => "; use another validator",
            (Some(ErrorReason::CeremonyIncomplete), _) => {
                "; `quorate ceremony explain` says what it waits for"
            }
            (None, Code::Unavailable | Code::DeadlineExceeded) => {
                "; is the validator still running?"
            }
            (None, Code::Unimplemented) => "; is this the right listener of the validator?",
            _ => "",
        };
        let name = reason.map_or_else(
            || format!("{:?}", status.code()),
            |reason| {
                reason
                    .as_str_name()
                    .trim_start_matches("ERROR_REASON_")
                    .to_owned()
            },
        );
        let story = match status.message() {
            "" => format!("{name}{advice}"),
            message => format!("{name}: {message}{advice}"),
        };
        Failure::new(kind, anyhow!("{} answers {story}", self.endpoint))
    }

    pub(crate) fn incomplete(&self, what: &'static str) -> Failure {
        let error = anyhow!("{} left the {what} out of its answer", self.endpoint);
        Failure::new(Kind::Endpoint, error)
    }
}

/// A request that tells the server how long the caller waits.
pub(crate) fn within<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

/// A byte string of fixed length out of an answer.
pub(crate) fn array<const N: usize>(bytes: &[u8], what: &str) -> anyhow::Result<[u8; N]> {
    bytes
        .try_into()
        .with_context(|| format!("the answer's {what} has {} bytes, not {N}", bytes.len()))
}
