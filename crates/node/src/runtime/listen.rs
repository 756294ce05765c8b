//! Listeners and connections.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use quorate_types::{Committee, ValidatorIndex};

use super::Addresses;
use super::api::Service;
use super::error::NodeError;
use super::inbox::{Arrival, Inbox};
use super::peers::Peer;
use super::shared::Shared;
use crate::api::{ApiOptions, ConsensusApi, Health, SyncApi, serve_admin, serve_public};
use crate::config::Config;
use crate::net::{PeerTls, ServeError, peer_channel, serve_peers};

/// The four listeners, bound before anything else is touched: a port in use is the commonest mistake.
pub(crate) struct Listeners {
    pub(crate) addresses: Addresses,
    public: TcpListener,
    admin: TcpListener,
    peer: TcpListener,
    metrics: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(config: &Config) -> Result<Self, NodeError> {
        let public = bind("public", config.listen.public).await?;
        let admin = bind("admin", config.listen.admin).await?;
        let peer = bind("peer", config.listen.peer).await?;
        let metrics = bind("metrics", config.listen.metrics).await?;
        let address =
            |listener: &TcpListener| listener.local_addr().map_err(NodeError::system("listener"));
        let addresses = Addresses {
            public: address(&public)?,
            admin: address(&admin)?,
            peer: address(&peer)?,
            metrics: address(&metrics)?,
        };
        Ok(Self {
            addresses,
            public,
            admin,
            peer,
            metrics,
        })
    }
}

impl Listeners {
    /// Serves on all four until the node stops.
    pub(crate) async fn serve(
        self,
        shared: &Arc<Shared>,
        tls: &Arc<PeerTls>,
        stop: &CancellationToken,
        stop_requested: &Arc<Notify>,
    ) -> Vec<JoinHandle<()>> {
        let service = Arc::new(Service::new(Arc::clone(shared), Arc::clone(stop_requested)));
        let health = Health::new().await;
        let peers = ConsensusApi::new(
            Arc::clone(&service),
            &shared.committee,
            env!("CARGO_PKG_VERSION"),
        );
        let peers = serve_peers(
            self.peer,
            Arc::clone(tls),
            peers,
            SyncApi::new(Arc::clone(&service)),
            stop.clone().cancelled_owned(),
        );
        let (view, operator) = (Arc::clone(&service), Arc::clone(&service));
        let (admin_health, admin_stop) = (health.clone(), stop.clone().cancelled_owned());
        let admin =
            async move { serve_admin(self.admin, view, operator, &admin_health, admin_stop).await };
        let (public_health, public_stop) = (health.clone(), stop.clone().cancelled_owned());
        let public = async move {
            let options = ApiOptions::default();
            serve_public(
                self.public,
                Arc::clone(&service),
                service,
                &public_health,
                options,
                public_stop,
            )
            .await
        };
        health.set_serving(true).await;
        let stopped = stop.clone();
        vec![
            serving("peer", shared, peers),
            serving("admin", shared, admin),
            serving("public", shared, public),
            serve_metrics(self.metrics, shared.metrics.registry(), stop.clone()),
            tokio::spawn(async move {
                stopped.cancelled().await;
                health.set_serving(false).await;
            }),
        ]
    }
}

/// Runs a server; if it ends with an error, the node stops.
fn serving(
    what: &'static str,
    shared: &Arc<Shared>,
    server: impl Future<Output = Result<(), ServeError>> + Send + 'static,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if let Err(error) = server.await {
            shared.fail(NodeError::Serve { what, error });
        }
    })
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| NodeError::Listen {
            what,
            address,
            error,
        })
}

/// Serves `/metrics` until the node stops.
pub(crate) fn serve_metrics(
    listener: TcpListener,
    registry: Registry,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let registry = Arc::new(registry);
    let handler = move || {
        let registry = Arc::clone(&registry);
        async move {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry)
                .expect("a string takes everything");
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text)
        }
    };
    let router = Router::new().route("/metrics", get(handler));
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the metrics listener ended");
        }
    })
}

/// Refuses a list of peers that names somebody else.
pub(crate) fn check_peers(config: &Config, committee: &Committee) -> Result<(), NodeError> {
    let stranger = |peer: &&crate::config::Peer| committee.index_of(&peer.identity).is_none();
    match config.peers.iter().find(stranger) {
        Some(peer) => Err(NodeError::UnknownPeer {
            identity: peer.identity,
        }),
        None => Ok(()),
    }
}

/// A channel, opened when first used, to each member that the configuration gives an address for.
pub(crate) fn peer_channels(
    config: &Config,
    committee: &Committee,
    me: ValidatorIndex,
    tls: &PeerTls,
) -> Result<Vec<(ValidatorIndex, Channel)>, NodeError> {
    let mut channels = Vec::new();
    for peer in &config.peers {
        let member = committee.index_of(&peer.identity);
        if let Some(index) = member.filter(|index| *index != me) {
            channels.push((index, peer_channel(tls, index, &peer.address)?));
        }
    }
    Ok(channels)
}

/// The connections over these channels.
pub(crate) fn connect_peers(
    channels: &[(ValidatorIndex, Channel)],
    shared: &Arc<Shared>,
    core: &mpsc::Sender<Arrival>,
) -> Vec<Option<Peer>> {
    let mut peers: Vec<Option<Peer>> = shared.committee.indices().map(|_| None).collect();
    for (index, channel) in channels {
        let inbox = Inbox::new(core.clone());
        let peer = Peer::new(*index, channel.clone(), Arc::clone(shared), inbox);
        peers[index.position()] = Some(peer);
    }
    peers
}
