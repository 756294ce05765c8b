//! The links between validators, each through a proxy here that can be slowed, frozen and cut.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Most bytes that are carried at one time.
const PIECE_BYTES: usize = 64 << 10;

/// How a link is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Everything passes at once.
    Good,
    /// Every piece of data is late by so much.
    Slow(Duration),
    /// Connections stay, and nothing passes.
    Frozen,
    /// Connections break, and new ones are refused.
    Cut,
}

/// One direction of calls: from one validator's client to another's listener. Stops when it is dropped.
pub(super) struct Link {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: AbortHandle,
}

impl Link {
    pub(super) async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("cannot listen for a link between validators")?;
        let address = listener.local_addr().context("a listener has an address")?;
        let (state, watched) = watch::channel(State::Good);
        let task = tokio::spawn(accept(listener, to, watched)).abort_handle();
        Ok(Self {
            address,
            state,
            task,
        })
    }

    /// Where the calling validator finds the link.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, state: watch::Receiver<State>) {
    loop {
        // An error of one connection is that connection's.
        let Ok((here, _)) = listener.accept().await else {
            continue;
        };
        if *state.borrow() != State::Cut {
            tokio::spawn(pass(here, to, state.clone()));
        }
    }
}

/// Carries both ways until one end closes or the link is cut.
async fn pass(here: TcpStream, to: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(there) = TcpStream::connect(to).await else {
        return;
    };
    // A link's delays are what it is told, and none of the system's.
    let _ = (here.set_nodelay(true), there.set_nodelay(true));
    let (here_read, here_write) = here.into_split();
    let (there_read, there_write) = there.into_split();
    let both = async {
        tokio::join!(
            carry(here_read, there_write, state.clone()),
            carry(there_read, here_write, state.clone())
        )
    };
    let mut cut = state.clone();
    tokio::select! {
        _ = both => {}
        // An error means that the link is gone.
        _ = cut.wait_for(|state| *state == State::Cut) => {}
    }
    state.mark_unchanged();
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut state: watch::Receiver<State>,
) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if state
            .wait_for(|state| *state != State::Frozen)
            .await
            .is_err()
        {
            return;
        }
        let now = *state.borrow();
        if let State::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_link_carries_freezes_and_breaks() {
        let link = Link::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        let mut answer = [0; 3];
        stream.write_all(b"one").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"one");

        link.set(State::Frozen);
        stream.write_all(b"two").await.unwrap();
        let frozen = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut answer));
        assert!(frozen.await.is_err(), "nothing passes a frozen link");
        link.set(State::Slow(Duration::from_millis(1)));
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"two");

        link.set(State::Cut);
        assert!(
            matches!(stream.read(&mut answer).await, Ok(0) | Err(_)),
            "a cut link breaks its connections"
        );
        let mut refused = TcpStream::connect(link.address()).await.unwrap();
        assert!(matches!(refused.read(&mut answer).await, Ok(0) | Err(_)));
        link.set(State::Good);
        let mut again = TcpStream::connect(link.address()).await.unwrap();
        again.write_all(b"six").await.unwrap();
        again.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"six");
    }
}
