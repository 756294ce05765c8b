//! `grpc.health.v1`, shared by the listeners of one node.

use quorate_rpc::{admin, ledger, submit};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// Names of a validator's services that have a health of their own; "" is the node's.
const VALIDATOR: [&str; 4] = [
    "",
    submit::v1::submit_service_server::SERVICE_NAME,
    ledger::v1::ledger_service_server::SERVICE_NAME,
    admin::v1::admin_service_server::SERVICE_NAME,
];
/// The same of a member of a ceremony.
const CEREMONY: [&str; 2] = ["", admin::v1::ceremony_service_server::SERVICE_NAME];
/// The operator's services: they are there to ask why, so they always serve.
const ALWAYS: [&str; 2] = [
    admin::v1::admin_service_server::SERVICE_NAME,
    admin::v1::ceremony_service_server::SERVICE_NAME,
];

/// Whether the node serves: NOT_SERVING until it is told otherwise. Clones share one state.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    names: &'static [&'static str],
}

impl Health {
    /// A node that does not serve yet. Its operator's service does, since it is there to ask why.
    pub async fn new() -> Self {
        Self::of(&VALIDATOR).await
    }

    /// A member of a ceremony that is not complete yet. Its operator's service serves.
    pub async fn of_ceremony() -> Self {
        Self::of(&CEREMONY).await
    }

    async fn of(names: &'static [&'static str]) -> Self {
        let reporter = HealthReporter::new();
        let health = Self { reporter, names };
        health.set_serving(false).await;
        health
    }

    /// Tells load balancers: true once recovered and caught up, false first thing at shutdown.
    pub async fn set_serving(&self, serving: bool) {
        for name in self.names {
            let status = if serving || ALWAYS.contains(name) {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            self.reporter.set_service_status(name, status).await;
        }
    }

    pub(super) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }
}
