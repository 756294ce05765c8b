//! All targets, by crate.

mod ceremony;
mod dkg;
mod engine;
mod files;
mod ledger;
mod light;
mod rpc;
mod store;
mod sync;
mod types;
mod validator;

use crate::Target;

/// All targets.
#[must_use]
pub fn all() -> Vec<Target> {
    let mut all = types::targets();
    all.extend(light::targets());
    all.extend(dkg::targets());
    all.extend(ceremony::targets());
    all.extend(sync::targets());
    all.extend(store::targets());
    all.extend(validator::targets());
    all.extend(engine::targets());
    all.extend(ledger::targets());
    all.extend(rpc::targets());
    all.extend(files::targets());
    all
}
