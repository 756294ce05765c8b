//! The stream of certificates.
//!
//! A task reads ahead of the subscriber by a few events and no more. It ends, and with it all it holds, when the
//! subscriber leaves, the listener goes down, or nothing is read for too long.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use quorate_rpc::Fault;
use quorate_rpc::ledger::v1::subscribe_finality_response::Event;
use quorate_rpc::ledger::v1::{Heartbeat, SubscribeFinalityResponse};
use quorate_types::{Certificate, Height};
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tonic::Status;

use super::drain::Drain;
use super::source::{LedgerView, ViewError};
use super::token::resume_token;

/// Events read ahead of a subscriber.
const READ_AHEAD: usize = 16;
/// Certificates read at once.
const BATCH: u32 = 16;

/// What a subscriber follows.
#[derive(Debug)]
pub(super) struct Follow<V> {
    pub(super) view: Arc<V>,
    pub(super) next: Height,
    pub(super) heartbeat: Duration,
    pub(super) patience: Duration,
    pub(super) drain: Drain,
}

/// Events of one subscription, then the reason of its end.
#[derive(Debug)]
pub struct FinalityStream {
    events: mpsc::Receiver<SubscribeFinalityResponse>,
    end: Arc<OnceLock<Fault>>,
    ended: bool,
}

impl Stream for FinalityStream {
    type Item = Result<SubscribeFinalityResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.events.poll_recv(context).map(|event| match event {
            Some(event) => Some(Ok(event)),
            None => {
                self.ended = true;
                let end = self.end.get().cloned();
                Some(Err(end.unwrap_or_else(Fault::shutting_down).into()))
            }
        })
    }
}

impl<V: LedgerView> Follow<V> {
    /// Starts the task; it holds `seat` until it ends.
    pub(super) fn spawn(self, seat: OwnedSemaphorePermit) -> FinalityStream {
        let (sender, events) = mpsc::channel(READ_AHEAD);
        let end = Arc::new(OnceLock::new());
        let why = end.clone();
        tokio::spawn(async move {
            let drain = self.drain.clone();
            let fault = tokio::select! {
                fault = self.run(&sender) => fault,
                () = sender.closed() => return,
                () = drain.started() => Fault::shutting_down(),
            };
            // Set before the sender is dropped, so the stream sees it; nobody else sets it.
            let _ = why.set(fault);
            drop(sender);
            drop(seat);
        });
        FinalityStream {
            events,
            end,
            ended: false,
        }
    }

    async fn run(mut self, sender: &mpsc::Sender<SubscribeFinalityResponse>) -> Fault {
        let mut head = self.view.head();
        loop {
            head.mark_unchanged();
            let due = match self.view.certificates(self.next, BATCH).await {
                Ok(due) => due,
                Err(ViewError::Pruned { lowest }) => return Fault::cursor_pruned(lowest),
                Err(error) => return error.into(),
            };
            if due.is_empty() {
                match timeout(self.heartbeat, head.changed()).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(_)) => return Fault::shutting_down(),
                    Err(_) => {
                        if let Err(fault) = self.send(sender, self.heartbeat_event()).await {
                            return fault;
                        }
                    }
                }
            }
            for certificate in due {
                self.next = certificate.header.height.next();
                let event = self.certificate_event(&certificate);
                if let Err(fault) = self.send(sender, event).await {
                    return fault;
                }
            }
        }
    }

    fn certificate_event(&self, certificate: &Certificate) -> SubscribeFinalityResponse {
        let epoch = certificate.header.epoch;
        SubscribeFinalityResponse {
            event: Some(Event::Certificate(certificate.into())),
            resume_token: resume_token(self.view.facts(), epoch, self.next),
        }
    }

    fn heartbeat_event(&self) -> SubscribeFinalityResponse {
        let facts = self.view.facts();
        SubscribeFinalityResponse {
            event: Some(Event::Heartbeat(Heartbeat {
                head_height: Some(self.view.head().borrow().certified.0),
            })),
            resume_token: resume_token(facts, facts.epoch, self.next),
        }
    }

    async fn send(
        &self,
        sender: &mpsc::Sender<SubscribeFinalityResponse>,
        event: SubscribeFinalityResponse,
    ) -> Result<(), Fault> {
        match sender.send_timeout(event, self.patience).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(Fault::slow_consumer()),
            Err(SendTimeoutError::Closed(_)) => Err(Fault::shutting_down()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::source::tests::Certified;
    use futures_util::StreamExt;
    use quorate_rpc::{ErrorReason, reason_of};
    use tokio::sync::Semaphore;

    async fn follow(certified: u64, seats: &Arc<Semaphore>) -> FinalityStream {
        let follow = Follow {
            view: Arc::new(Certified::new(certified)),
            next: Height(1),
            heartbeat: Duration::from_secs(5),
            patience: Duration::from_secs(10),
            drain: Drain::default(),
        };
        follow.spawn(seats.clone().acquire_owned().await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_is_cut_and_holds_nothing_but_what_was_read_ahead() {
        let seats = Arc::new(Semaphore::new(1));
        let stream = follow(100, &seats).await;
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(seats.available_permits(), 0, "not yet");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(seats.available_permits(), 1, "its place is free again");
        let events: Vec<_> = stream.collect().await;
        let (last, read) = events.split_last().unwrap();
        assert_eq!(read.len(), READ_AHEAD);
        assert!(read.iter().all(Result::is_ok));
        let status = last.as_ref().unwrap_err();
        assert_eq!(reason_of(status), Some(ErrorReason::SlowConsumer));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_slow_but_reads_gets_everything() {
        let seats = Arc::new(Semaphore::new(1));
        let mut stream = follow(40, &seats).await;
        for height in 1..=40 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            let event = stream.next().await.unwrap().unwrap().event.unwrap();
            let Event::Certificate(certificate) = event else {
                panic!("nothing but certificates is due");
            };
            assert_eq!(certificate.header.unwrap().height(), height);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_leaves_frees_its_place() {
        let seats = Arc::new(Semaphore::new(1));
        let stream = follow(0, &seats).await;
        drop(stream);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(seats.available_permits(), 1);
    }
}
