//! The public and the operator's listener.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use quorate_rpc::admin::v1::ceremony_service_server::{
    self, CeremonyService, CeremonyServiceServer,
};
use quorate_rpc::{DESCRIPTORS, admin, ledger, submit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::admin::AdminApi;
use super::drain::{Drain, until_drained};
use super::health::Health;
use super::ledger::LedgerApi;
use super::metered::metered;
use super::source::{LedgerView, Operator, Submitter};
use super::submit::SubmitApi;
use crate::net::{ACCEPT_PAUSE, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, ServeError, Tracked};

/// Most clients connected at once; more wait in the operating system's queue.
const PUBLIC_CONNECTIONS_MAX: usize = 1_024;
/// Most operators connected at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Most calls of one connection at once.
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// Longest time to the head of an answer; above all waits that handlers bound themselves.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);
/// Streams reset before they were looked at that one connection may have (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 32;
/// HTTP/2 window of one call: one of the largest batches.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// HTTP/2 window of one connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// Times of the public services.
#[derive(Clone, Copy, Debug)]
pub struct ApiOptions {
    /// Time without events after which a subscriber gets a heartbeat.
    pub heartbeat: Duration,
    /// Time without reading after which a subscriber is cut.
    pub slow_consumer: Duration,
    /// Longest wait of SubmitTransaction.
    pub wait_max: Duration,
    /// Most bytes of requests under way, of all clients together.
    pub request_bytes_max: usize,
}

impl Default for ApiOptions {
    /// Heartbeats every 5 s, slow readers cut after 10 s, waits of at most 30 s, sixteen of the largest requests.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            slow_consumer: Duration::from_secs(10),
            wait_max: Duration::from_secs(30),
            request_bytes_max: 64 << 20,
        }
    }
}

/// Serves clients until `shutdown` resolves and the running calls are over.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_public<V: LedgerView, S: Submitter>(
    listener: TcpListener,
    view: Arc<V>,
    submitter: Arc<S>,
    health: &Health,
    options: ApiOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let drain = Drain::default();
    let submit = SubmitApi::new(view.clone(), submitter, options.wait_max, drain.clone());
    let ledger = LedgerApi::new(view, options, drain.clone());
    let names = [
        submit::v1::submit_service_server::SERVICE_NAME,
        ledger::v1::ledger_service_server::SERVICE_NAME,
    ];
    let services = services(health, &names)?
        .add_service(submit.into_server())
        .add_service(ledger.into_server());
    let services = metered(services, options.request_bytes_max);
    serve(listener, services, PUBLIC_CONNECTIONS_MAX, &drain, shutdown).await
}

/// Serves operators until `shutdown` resolves and the running calls are over.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_admin<V: LedgerView, O: Operator>(
    listener: TcpListener,
    view: Arc<V>,
    operator: Arc<O>,
    health: &Health,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let names = [admin::v1::admin_service_server::SERVICE_NAME];
    let services =
        services(health, &names)?.add_service(AdminApi::new(view, operator).into_server());
    let drain = Drain::default();
    serve(listener, services, ADMIN_CONNECTIONS_MAX, &drain, shutdown).await
}

/// Serves operators of a member of a ceremony until `shutdown` resolves and the running calls are over.
///
/// # Errors
/// [`ServeError`].
pub(crate) async fn serve_ceremony_admin<S: CeremonyService>(
    listener: TcpListener,
    service: CeremonyServiceServer<S>,
    health: &Health,
    drain: &Drain,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let names = [ceremony_service_server::SERVICE_NAME];
    let services = services(health, &names)?.add_service(service);
    serve(listener, services, ADMIN_CONNECTIONS_MAX, drain, shutdown).await
}

/// Health, and reflection of the services `names`, which are to be added.
fn services(health: &Health, names: &[&str]) -> Result<Routes, ServeError> {
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        names
            .iter()
            .fold(builder, |builder, name| builder.with_service_name(*name))
    };
    Ok(Routes::new(health.server())
        .add_service(reflection().build_v1()?)
        // Many clients still ask in the older version alone.
        .add_service(reflection().build_v1alpha()?))
}

async fn serve(
    listener: TcpListener,
    services: Routes,
    connections_max: usize,
    drain: &Drain,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let incoming = connections(listener, connections_max);
    let stop = drain.clone();
    let router = Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .add_routes(services);
    let server = router.serve_with_incoming_shutdown(incoming, async move {
        shutdown.await;
        stop.start();
    });
    // Boxed: the server's state would make every caller's future large.
    Ok(until_drained(Box::pin(server), drain).await?)
}

type ClientStream = Tracked<TcpStream, TcpConnectInfo, OwnedSemaphorePermit>;

/// Accepts connections, at most `most` at once.
fn connections(
    listener: TcpListener,
    most: usize,
) -> impl Stream<Item = Result<ClientStream, io::Error>> {
    let seats = Arc::new(Semaphore::new(most));
    unfold((listener, seats), |(listener, seats)| async {
        let seat = seats.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((tcp, _)) if tcp.set_nodelay(true).is_ok() => {
                    let info = tcp.connect_info();
                    return Some((Ok(Tracked::new(tcp, info, seat)), (listener, seats)));
                }
                // The client is gone already.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}
