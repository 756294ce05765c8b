//! Dialling a peer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use quorate_rpc::peer::v1::consensus_service_client::ConsensusServiceClient;
use quorate_types::ValidatorIndex;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::error::TlsError;
use super::tls::PeerTls;
use super::{
    HANDSHAKE_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PEER_CONNECTION_WINDOW_BYTES,
    PEER_STREAM_WINDOW_BYTES,
};

/// Most bytes of one message between peers: an answer to a fetch with its overhead, or the largest block.
pub const PEER_MESSAGE_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Requests that wait for a connection; the caller has a subscription and a bounded number of fetches.
const BUFFERED_REQUESTS: usize = 64;
/// Time in which TCP itself notices a dead machine.
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

/// A channel to member `expected` at `address` (`host:port`). It connects when first used and again whenever the
/// connection broke; a refusal by either side shows as UNAVAILABLE or UNKNOWN on the call that met it, and never as
/// UNAUTHENTICATED, since TLS 1.3 refuses clients after their handshake.
///
/// # Errors
/// [`TlsError::NoSuchMember`].
pub fn peer_channel(
    tls: &PeerTls,
    expected: ValidatorIndex,
    address: &str,
) -> Result<Channel, TlsError> {
    let connector = TlsConnector::from(tls.client_config(expected)?);
    let network = tls.network().clone();
    let address: Arc<str> = address.into();
    let dial = service_fn(move |_: Uri| {
        let (connector, network, address) = (connector.clone(), network.clone(), address.clone());
        async move {
            let connected = timeout(HANDSHAKE_TIMEOUT, async {
                let tcp = TcpStream::connect(&*address).await?;
                tcp.set_nodelay(true)?;
                connector.connect(network, tcp).await
            });
            let stream: TlsStream<TcpStream> =
                connected.await.map_err(|_| io::ErrorKind::TimedOut)??;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    // The URI serves as the HTTP/2 authority only: the connector knows where to go.
    let channel = Endpoint::from_static("http://peer.quorate.internal")
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(PEER_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(PEER_CONNECTION_WINDOW_BYTES)
        .buffer_size(BUFFERED_REQUESTS)
        .connect_with_connector_lazy(dial);
    Ok(channel)
}

/// A client of a peer's service with the limits that the service keeps.
#[must_use]
pub fn peer_client(channel: Channel) -> ConsensusServiceClient<Channel> {
    ConsensusServiceClient::new(channel)
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX)
}
