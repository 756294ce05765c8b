//! State sync: the points that this node offers, and how it joins at another's.

mod history;
mod join;
mod points;

pub(crate) use history::{Backfill, run as run_history};
pub(crate) use join::{Join, client};
pub(crate) use points::Points;
