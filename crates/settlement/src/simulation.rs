//! Seeded markets that check themselves: random traders, venues, oracles, other shards and adversaries, an auditor beside
//! them, and all invariants after every block. Everything is a function of the seed.
//!
//! Signatures are stamps, hashes that anybody could make, so that millions of operations take minutes; real ones are for
//! the tests of operations one by one.

mod audit;
mod generate;
mod hostile;
mod input;
mod run;
mod setting;
mod stamps;
mod world;

pub use audit::Breach;
pub use input::Input;
pub use run::{Cause, Failure, Options, Report, run, run_from_log};
pub use setting::{
    BTC, BTC_FEED, ETH, ETH_FEED, QUOTE, Setting, USELESS, listing_of, owner_of, round_of,
};
pub use stamps::Stamps;
