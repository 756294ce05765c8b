//! How many calls one peer may have running here, over all its connections.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt;
use quorate_rpc::Fault;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::service::Routes;

use super::incoming::PeerIdentity;

/// Most calls of one peer that run, or whose answers it has not read: its subscription, its requests for blocks and those for
/// state. Each may hold an answer of some mebibytes.
pub const CALLS_PER_PEER_MAX: usize = 12;
/// When to try again after that was met.
const RETRY: Duration = Duration::from_millis(500);

/// By member, the places for its calls.
type Places = Arc<[Arc<Semaphore>]>;

/// The services, for each of `members` as far as its places go.
pub(super) fn bounded(services: Routes, members: usize) -> Routes {
    let places: Places = (0..members)
        .map(|_| Arc::new(Semaphore::new(CALLS_PER_PEER_MAX)))
        .collect();
    let router = services.into_axum_router();
    router.layer(from_fn_with_state(places, call)).into()
}

async fn call(State(places): State<Places>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerIdentity>();
    let Some(places) = peer.and_then(|peer| places.get(peer.index.position())) else {
        return Status::from(Fault::unauthenticated_peer()).into_http();
    };
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        let fault = Fault::too_many_streams(CALLS_PER_PEER_MAX, RETRY);
        return Status::from(fault).into_http();
    };
    // The place is free once the answer is read, or the peer has gone.
    next.run(request).await.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    })
}
