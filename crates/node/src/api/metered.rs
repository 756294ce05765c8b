//! How many bytes of requests clients may have under way, all together.
//!
//! Each call may be as long as a block, each connection may have many calls, and there may be many connections: without a
//! bound over all of them, clients would decide how much memory a validator takes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures_util::StreamExt;
use quorate_rpc::Fault;
use tonic::Status;
use tonic::service::Routes;

/// When to try again after the bound was met.
const RETRY: Duration = Duration::from_millis(250);

/// The services, for requests of at most `bytes_max` bytes at a time.
pub(super) fn metered(services: Routes, bytes_max: usize) -> Routes {
    let meter = Arc::new(Meter {
        left: AtomicUsize::new(bytes_max),
    });
    let router = services.into_axum_router();
    router.layer(from_fn_with_state(meter, call)).into()
}

/// What is left of the bound.
struct Meter {
    left: AtomicUsize,
}

/// What one call has taken of it; given back when the call is over and its request forgotten.
struct Taken {
    meter: Arc<Meter>,
    bytes: AtomicUsize,
}

impl Taken {
    fn take(&self, bytes: usize) -> Result<(), Status> {
        let left = &self.meter.left;
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(bytes)
        });
        if taken.is_err() {
            return Err(Fault::too_much_traffic(RETRY).into());
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.meter.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

async fn call(State(meter): State<Arc<Meter>>, request: Request, next: Next) -> Response {
    let taken = Arc::new(Taken {
        meter,
        bytes: AtomicUsize::new(0),
    });
    let reading = Arc::clone(&taken);
    let request = request.map(|body| {
        // Requests have no trailers.
        let data = body.into_data_stream().map(move |data| {
            let data: Result<Bytes, axum::BoxError> = data.map_err(Into::into);
            data.and_then(|data| {
                reading.take(data.len())?;
                Ok(data)
            })
        });
        Body::from_stream(data)
    });
    let response = next.run(request).await;
    drop(taken);
    response
}
