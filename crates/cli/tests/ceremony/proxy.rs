//! A bad network between two processes: it delays what passes, lets connections overtake each other, cuts and heals them.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// How long a piece of data is held back at most.
const HELD_MS_MAX: u64 = 40;
/// How long a connection lives.
const LIFE_MS: std::ops::Range<u64> = 300..2_500;
/// Of how many connections one is refused.
const REFUSED_ONE_IN: u64 = 4;

/// Passes connections on to one address, badly. Stops when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    task: AbortHandle,
}

impl Proxy {
    /// Faults are drawn from `seed`.
    pub(crate) async fn start(to: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(accept(listener, to, ChaCha20Rng::seed_from_u64(seed)));
        Self {
            address,
            task: task.abort_handle(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, mut rng: ChaCha20Rng) {
    while let Ok((here, _)) = listener.accept().await {
        let refused = rng.next_u64().is_multiple_of(REFUSED_ONE_IN);
        let life = LIFE_MS.start + rng.next_u64() % (LIFE_MS.end - LIFE_MS.start);
        let (out, back) = (rng.next_u64(), rng.next_u64());
        if refused {
            continue;
        }
        tokio::spawn(tokio::time::timeout(
            Duration::from_millis(life),
            pass(here, to, out, back),
        ));
    }
}

async fn pass(here: TcpStream, to: SocketAddr, out: u64, back: u64) {
    let Ok(there) = TcpStream::connect(to).await else {
        return;
    };
    let (here_read, here_write) = here.into_split();
    let (there_read, there_write) = there.into_split();
    tokio::join!(
        carry(here_read, there_write, out),
        carry(there_read, here_write, back)
    );
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut piece = vec![0; 4096];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let held = rng.next_u64() % HELD_MS_MAX;
        tokio::time::sleep(Duration::from_millis(held)).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
