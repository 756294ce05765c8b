//! `grpc.health.v1`, shared by the listeners of one node.

use quorate_rpc::{admin, ledger, submit};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// Names of the services that have a health of their own; "" is the node's.
const NAMES: [&str; 4] = [
    "",
    submit::v1::submit_service_server::SERVICE_NAME,
    ledger::v1::ledger_service_server::SERVICE_NAME,
    admin::v1::admin_service_server::SERVICE_NAME,
];

/// Whether the node serves: NOT_SERVING until it is told otherwise. Clones share one state.
#[derive(Clone, Debug)]
pub struct Health(HealthReporter);

impl Health {
    /// A node that does not serve yet. Its operator's service does, since it is there to ask why.
    pub async fn new() -> Self {
        let health = Self(HealthReporter::new());
        health.set_serving(false).await;
        health
    }

    /// Tells load balancers: true once recovered and caught up, false first thing at shutdown.
    pub async fn set_serving(&self, serving: bool) {
        for name in NAMES {
            let always = name == admin::v1::admin_service_server::SERVICE_NAME;
            let status = if serving || always {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            self.0.set_service_status(name, status).await;
        }
    }

    pub(super) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.0.clone()))
    }
}
