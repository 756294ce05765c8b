//! Ending streams when a listener goes down.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// Longest time for running calls after a listener was told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Tells the streams of one listener that it goes down.
#[derive(Clone, Debug)]
pub(crate) struct Drain(Arc<watch::Sender<bool>>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Drain {
    /// Ends all streams.
    pub(crate) fn start(&self) {
        self.0.send_replace(true);
    }

    /// Resolves once streams are to end.
    pub(crate) async fn started(&self) {
        let mut receiver = self.0.subscribe();
        // The sender is alive as long as `self` is.
        let _ = receiver.wait_for(|started| *started).await;
    }
}

/// Runs a server until it has drained, but not for ever: clients may hold streams open that nobody ends.
pub(crate) async fn until_drained<E>(
    server: impl Future<Output = Result<(), E>>,
    drain: &Drain,
) -> Result<(), E> {
    tokio::select! {
        served = server => served,
        () = async { drain.started().await; sleep(DRAIN_TIMEOUT).await } => Ok(()),
    }
}
