//! Accepting peers.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quorate_types::{IdentityKey, ValidatorIndex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

use super::calls;
use super::error::ServeError;
use super::tls::PeerTls;
use super::tracked::Tracked;
use super::{ACCEPT_PAUSE, HANDSHAKE_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT};
use crate::api::{ConsensusApi, Drain, PeerSource, SyncApi, SyncSource, until_drained};

/// Most connections of one peer at once: one, and those that a dead network has not reported yet.
pub const CONNECTIONS_PER_PEER_MAX: usize = 4;
/// Most handshakes at once, so that strangers cannot take up memory.
const HANDSHAKES_MAX: usize = 64;
/// Accepted connections that wait for the HTTP/2 server.
const ACCEPTED_QUEUE: usize = 16;
/// Requests that one connection may have running: its subscription and its fetches.
const STREAMS_PER_CONNECTION_MAX: u32 = 16;
/// HTTP/2 window of one connection, and of one call, towards this node: requests of peers are short.
const REQUEST_WINDOW_BYTES: u32 = 256 * 1024;

/// Who is on the other end of a connection, proved by its certificate. Handlers find it in a request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its index in the committee.
    pub index: ValidatorIndex,
    /// Its identity key.
    pub identity: IdentityKey,
    /// Where it came from.
    pub address: SocketAddr,
}

/// Serves the other members of the committee until `shutdown` resolves and the running calls are over.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_peers<S: PeerSource + SyncSource>(
    listener: TcpListener,
    tls: Arc<PeerTls>,
    consensus: ConsensusApi<S>,
    sync: SyncApi<S>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let drain = consensus.drain();
    let services = Routes::new(consensus.into_server()).add_service(sync.into_server());
    let services = calls::bounded(services, tls.size());
    serve_members(listener, tls, services, drain, shutdown).await
}

/// Serves `services` to the other members of `tls` until `shutdown` resolves, `drain` has told the streams, and the running
/// calls are over.
///
/// # Errors
/// [`ServeError`].
pub(crate) async fn serve_members(
    listener: TcpListener,
    tls: Arc<PeerTls>,
    services: Routes,
    drain: Drain,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (accepted, incoming) = mpsc::channel(ACCEPTED_QUEUE);
    let mut acceptor = JoinSet::new();
    acceptor.spawn(accept(listener, tls, accepted));
    let stop = drain.clone();
    let server = Server::builder()
        .initial_stream_window_size(REQUEST_WINDOW_BYTES)
        .initial_connection_window_size(REQUEST_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_routes(services)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), async move {
            shutdown.await;
            stop.start();
        });
    let served = until_drained(Box::pin(server), &drain).await;
    acceptor.shutdown().await;
    Ok(served?)
}

type PeerStream = Tracked<TlsStream<TcpStream>, PeerIdentity, Seat>;
type Accepted = Result<PeerStream, io::Error>;

/// Accepts connections and hands on those that prove to be a member's.
async fn accept(listener: TcpListener, tls: Arc<PeerTls>, accepted: mpsc::Sender<Accepted>) {
    let acceptor = TlsAcceptor::from(tls.server_config());
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let connections: Arc<[Arc<AtomicUsize>]> = (0..tls.size()).map(|_| Arc::default()).collect();
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let room = handshakes.clone().acquire_owned().await;
        let Ok(room) = room else { return };
        let (tcp, address) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a peer");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, tls) = (acceptor.clone(), tls.clone());
        let (connections, accepted) = (connections.clone(), accepted.clone());
        tasks.spawn(async move {
            let _room = room;
            match timeout(HANDSHAKE_TIMEOUT, handshake(acceptor, &tls, tcp, address)).await {
                Ok(Ok((stream, peer))) => {
                    let count = &connections[peer.index.position()];
                    match Seat::take(count) {
                        // The server is gone if this fails.
                        Some(seat) => {
                            drop(accepted.send(Ok(Tracked::new(stream, peer, seat))).await)
                        }
                        None => {
                            tracing::warn!(peer = %peer.index, "too many connections of one peer")
                        }
                    }
                }
                Ok(Err(error)) => tracing::debug!(%address, %error, "refused a peer"),
                Err(_) => tracing::debug!(%address, "a peer's handshake took too long"),
            }
        });
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    tls: &PeerTls,
    tcp: TcpStream,
    address: SocketAddr,
) -> io::Result<(TlsStream<TcpStream>, PeerIdentity)> {
    tcp.set_nodelay(true)?;
    let stream = acceptor.accept(tcp).await?;
    let certificates = stream.get_ref().1.peer_certificates();
    let member = certificates
        .and_then(<[_]>::first)
        .and_then(|certificate| tls.member_of(certificate));
    let (index, identity) = member.ok_or(io::ErrorKind::PermissionDenied)?;
    let peer = PeerIdentity {
        index,
        identity,
        address,
    };
    Ok((stream, peer))
}

/// One of a peer's places for connections.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            (taken < CONNECTIONS_PER_PEER_MAX).then_some(taken + 1)
        });
        taken.is_ok().then(|| Self(count.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
