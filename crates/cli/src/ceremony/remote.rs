//! A running member, asked by way of its operator's listener.

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::Transcript;
use quorate_rpc::admin::v1::ceremony_service_client::CeremonyServiceClient;
use quorate_rpc::admin::v1::{
    CeremonyStatus, CeremonyWait, ExplainCeremonyRequest, GetCeremonyStatusRequest,
    GetTranscriptRequest, ProveShareRequest, ProveShareResponse, WatchCeremonyRequest,
    WatchCeremonyResponse,
};
use quorate_types::Decode;
use tonic::Streaming;
use tonic::transport::Channel;

use super::transcript::TRANSCRIPT_BYTES_MAX;
use crate::client::{Client, DEADLINE, within};
use crate::failure::{Failure, Kind, OrFail};

pub(crate) struct Remote(Client);

impl Remote {
    pub(crate) async fn connect(admin: &str) -> Result<Self, Failure> {
        Client::connect(admin)
            .await
            .map(Self)
            .map_err(|failure| failure.context("is `quorate ceremony run` at work there?"))
    }

    fn service(&self) -> CeremonyServiceClient<Channel> {
        self.0.ceremony()
    }

    pub(crate) async fn status(&self) -> Result<CeremonyStatus, Failure> {
        let request = within(GetCeremonyStatusRequest {}, DEADLINE);
        let answer = self.service().get_ceremony_status(request).await;
        let answer = answer.map_err(|status| self.0.refused(&status))?;
        let status = answer.into_inner().status;
        status.ok_or_else(|| self.0.incomplete("status"))
    }

    /// The status now, and again whenever it changes.
    pub(crate) async fn watch(&self) -> Result<Statuses<'_>, Failure> {
        let answer = self.service().watch_ceremony(WatchCeremonyRequest {}).await;
        let answer = answer.map_err(|status| self.0.refused(&status))?;
        Ok(Statuses {
            stream: answer.into_inner(),
            client: &self.0,
        })
    }

    pub(crate) async fn explain(&self) -> Result<(CeremonyStatus, Vec<CeremonyWait>), Failure> {
        let request = within(ExplainCeremonyRequest {}, DEADLINE);
        let answer = self.service().explain_ceremony(request).await;
        let answer = answer
            .map_err(|status| self.0.refused(&status))?
            .into_inner();
        let status = answer.status.ok_or_else(|| self.0.incomplete("status"))?;
        Ok((status, answer.waits))
    }

    pub(crate) async fn prove(&self, challenge: &[u8; 32]) -> Result<ProveShareResponse, Failure> {
        let challenge = challenge.to_vec().into();
        let request = within(ProveShareRequest { challenge }, DEADLINE);
        let answer = self.service().prove_share(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.0.refused(&status))
    }

    /// The transcript of a member that is complete. Nothing of it is verified.
    pub(crate) async fn transcript(&self) -> Result<Transcript, Failure> {
        let refused = |status| self.0.refused(&status);
        let answer = self.service().get_transcript(GetTranscriptRequest {}).await;
        let mut parts = answer.map_err(refused)?.into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = parts.message().await.map_err(refused)? {
            bytes.extend_from_slice(&part.part);
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if length > TRANSCRIPT_BYTES_MAX {
                let error = anyhow!("the member sends more than any transcript has");
                return Err(Failure::new(Kind::Endpoint, error));
            }
        }
        Transcript::from_bytes(&bytes)
            .context("what the member sends is no transcript")
            .or_fail(Kind::Unverified)
    }
}

/// A member's statuses, as they change.
pub(crate) struct Statuses<'a> {
    stream: Streaming<WatchCeremonyResponse>,
    client: &'a Client,
}

impl Statuses<'_> {
    /// The next one. Waits for ever once the member stops, as whoever stops it tells how.
    pub(crate) async fn next(&mut self) -> Result<CeremonyStatus, Failure> {
        match self.stream.message().await {
            Ok(Some(next)) => next.status.ok_or_else(|| self.client.incomplete("status")),
            Ok(None) => std::future::pending().await,
            Err(status) => Err(self.client.refused(&status)),
        }
    }
}

/// An index out of an answer, of `size` members.
pub(crate) fn index(found: Option<u32>, size: u32) -> anyhow::Result<u16> {
    let index = found.context("the answer has no index")?;
    ensure!(index < size, "the answer's index {index} is none of {size}");
    Ok(u16::try_from(index)?)
}
