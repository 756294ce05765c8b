//! The network: mutual TLS between validators, and plain listeners for clients and operators.
//!
//! Peers have no certificate authority. Each makes a self-signed certificate from its identity key; both sides of a
//! connection accept exactly the identity keys of the committee, and a TLS 1.3 handshake proves that the other side holds
//! the key. Who a peer is follows from that key and from nothing that it says. The server name names chain, shard and
//! epoch, so members of two networks that share keys never talk past each other. A key ceremony has a name of its own.

mod allowance;
mod calls;
mod certificate;
mod channel;
mod error;
mod incoming;
mod tls;
mod tracked;
mod verifier;

pub use allowance::Traffic;
pub use calls::CALLS_PER_PEER_MAX;
pub use channel::{PEER_MESSAGE_BYTES_MAX, peer_channel, peer_client};
pub use error::{ServeError, TlsError};
pub use incoming::{CONNECTIONS_PER_PEER_MAX, PeerIdentity, serve_peers};
pub use tls::PeerTls;

pub(crate) use allowance::Allowance;
pub(crate) use incoming::serve_members;
pub(crate) use tracked::Tracked;

use std::time::Duration;

/// Longest time for TCP and TLS to come up, on either side: several round trips around the world.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// A ping goes out after this long without traffic from the other side.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// A connection whose ping is not answered for this long is dead.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 window of one stream between peers: two of the largest blocks in flight.
pub const PEER_STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// HTTP/2 window of one connection between peers: its stream of blocks and an answer to a fetch.
pub const PEER_CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// Pause after the operating system refused to accept, for instance for want of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
