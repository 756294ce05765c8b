//! The gRPC services, over traits that the running validator implements.
//!
//! Three listeners: clients ([`serve_public`]: submit and ledger), operators ([`serve_admin`]) and, over mutual TLS, peers
//! ([`crate::net::serve_peers`]). Handlers check every length and every bound before they ask the validator anything,
//! and answer every fault with a reason ([`quorate_rpc::Fault`]). What a stream is due is read from where it is kept
//! when the reader has room for it, so a slow reader costs a cursor and a few messages.

mod admin;
mod consensus;
mod deadline;
mod drain;
mod finality;
mod health;
mod ledger;
mod metered;
mod serve;
mod source;
mod submit;
mod sync;
mod token;

pub use admin::AdminApi;
pub use consensus::{ConsensusApi, FETCH_BLOCKS_MAX, PEER_VERSION};
pub use health::Health;
pub use ledger::LedgerApi;
pub use serve::{ApiOptions, serve_admin, serve_public};
pub use source::{
    AccountView, ConnectionState, Facts, FinalityItem, Head, LedgerView, NodeStatus, Operator,
    OutcomeView, PeerSource, PeerView, Standing, StoreSizes, SubmitError, Submitter,
    TransactionStatus, ViewError,
};
pub use submit::{BATCH_TRANSACTIONS_MAX, SubmitApi};
pub use sync::{SyncApi, SyncSource};

pub(crate) use drain::{Drain, until_drained};
pub(crate) use serve::serve_ceremony_admin;
