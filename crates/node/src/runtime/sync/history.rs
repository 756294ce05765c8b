//! Filling in certificates below the point that this node joined at, so that it can serve them.

use std::sync::Arc;
use std::time::Duration;

use quorate_rpc::peer::v1::GetCertificatesRequest;
use quorate_rpc::peer::v1::sync_service_client::SyncServiceClient;
use quorate_sync::{History, HistoryError};
use quorate_types::{Certificate, CodecError, Decode, Height, ValidatorIndex};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::super::error::NodeError;
use super::super::shared::Shared;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause once no peer had anything.
const PAUSE: Duration = Duration::from_secs(2);

/// Whom to ask.
pub(crate) struct Backfill {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peers: Vec<(ValidatorIndex, SyncServiceClient<Channel>)>,
}

/// Why a peer's certificates are not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no answer")]
    Silent,
    #[error("a certificate does not decode: {0}")]
    Codec(#[from] CodecError),
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Runs until nothing is missing, or the node stops. Nothing else waits for it.
pub(crate) async fn run(backfill: Backfill, stop: CancellationToken) {
    let filled = tokio::select! {
        () = stop.cancelled() => return,
        filled = backfill.fill() => filled,
    };
    match filled {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "certificates of the whole history are here"),
        Err(error) => backfill.shared.fail(error),
    }
}

impl Backfill {
    /// Returns how many certificates were fetched.
    async fn fill(&self) -> Result<u64, NodeError> {
        let archive = &self.shared.archive;
        let lowest = archive.lowest();
        if lowest <= Height(1) {
            return Ok(0);
        }
        let header = archive
            .header(lowest)?
            .ok_or(NodeError::MissingHeight(lowest))?;
        let mut history = History::below(&header);
        let mut able: Vec<bool> = vec![true; self.peers.len()];
        let (mut turn, mut silent, mut count) = (0, 0, 0);
        while let Some(wanted) = history.wanted() {
            if self.skip_stored(&mut history)? {
                continue;
            }
            let peer = turn % self.peers.len().max(1);
            turn += 1;
            if !able.iter().any(|able| *able) {
                tracing::error!(
                    "no peer has certificates that verify: the history stays incomplete"
                );
                return Ok(count);
            }
            if !able[peer] {
                continue;
            }
            match self.ask(peer, wanted, &mut history).await? {
                Ok(fetched) => {
                    (silent, count) = (0, count + fetched);
                }
                Err(Refusal::Silent) => silent += 1,
                Err(refusal) => {
                    tracing::warn!(peer = %self.peers[peer].0, %refusal, "a peer's history is refused");
                    able[peer] = false;
                }
            }
            if silent >= self.peers.len() {
                silent = 0;
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(count)
    }

    /// Whether the tables hold what is wanted next, from before this node fell behind: nothing of that is fetched again.
    fn skip_stored(&self, history: &mut History) -> Result<bool, NodeError> {
        let Some(below) = self.shared.archive.stored_below()? else {
            return Ok(false);
        };
        if history.wanted() != Some(below.header.height) || !history.expects(&below.header) {
            return Ok(false);
        }
        self.shared.archive.join_history()?;
        let lowest = self.shared.archive.lowest();
        self.shared.publish_head(|head| head.lowest = lowest);
        let header = self.shared.archive.header(lowest)?;
        *history = History::below(&header.ok_or(NodeError::MissingHeight(lowest))?);
        Ok(true)
    }

    async fn ask(
        &self,
        peer: usize,
        wanted: Height,
        history: &mut History,
    ) -> Result<Result<u64, Refusal>, NodeError> {
        let request = GetCertificatesRequest {
            to_height: Some(wanted.0),
        };
        let mut client = self.peers[peer].1.clone();
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.get_certificates(request)).await;
        let Ok(Ok(answer)) = answer else {
            return Ok(Err(Refusal::Silent));
        };
        let encoded = answer.into_inner().certificates;
        if encoded.is_empty() {
            return Ok(Err(Refusal::Silent));
        }
        let shared = Arc::clone(&self.shared);
        let mut next = history.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let certificates: Result<Vec<Certificate>, CodecError> = encoded
                .iter()
                .map(|bytes| Certificate::from_bytes(bytes))
                .collect();
            let certificates = certificates?;
            next.take(&shared.trust, &certificates)?;
            Ok((next, certificates))
        });
        let verified = verified.await.unwrap_or(Err(Refusal::Silent));
        match verified {
            Err(refusal) => Ok(Err(refusal)),
            Ok((next, certificates)) => {
                *history = next;
                self.shared.archive.extend_history(&certificates)?;
                let lowest = self.shared.archive.lowest();
                self.shared.publish_head(|head| head.lowest = lowest);
                Ok(Ok(certificates.len() as u64))
            }
        }
    }
}
