//! State sync: how a validator that missed too much to catch up block by block joins at the tip.
//!
//! It trusts the committee's group key and nobody else. In order:
//!
//! 1. [`SyncPoint`]: one certificate, and the coin that named its leader. [`Trust::point`] checks both signatures and says
//!    where in the DAG agreement goes on.
//! 2. [`Tail`]: the commits below it whose blocks agreement may still meet, newest first. Each header is the one that the
//!    header above names as its previous one, and names its blocks by a Merkle root. Together they are the engine's
//!    [`Checkpoint`](quorate_consensus::Checkpoint): which blocks were output already.
//! 3. [`Download`]: the state in chunks from several peers at once; each chunk proves itself against the state root
//!    ([`StateChunk`](quorate_ledger::StateChunk)), and who sends a bad one is not asked again.
//! 4. [`History`]: certificates below the point, newest first, so that they can be served again. Nothing waits for it.
//!
//! Members keep what others need for it in [`Offers`].
//!
//! Everything here is computation on bytes that somebody else fetched: no clock, no socket, no disk. A source is a member's
//! index; the caller knows who sent what from the connection.
//!
//! # Why the point is enough
//!
//! Agreement above a commit depends on: which slots are decided (all up to the commit's leader, and the coin names the
//! leader's place among its round's slots), which blocks were output (the tail), and the blocks at or above the
//! garbage-collection round, which any q members still hold and which are fetched like any missing parent. Slots after the
//! leader are decided again from those blocks, to what everybody decided, because deciding is a function of the DAG and the
//! coins alone.
#![forbid(unsafe_code)]

mod download;
mod history;
mod offers;
mod point;
mod tail;

pub use download::{Blame, Download, Request};
pub use history::{History, HistoryError};
pub use offers::Offers;
pub use point::{Place, PointError, SyncPoint, Trust, VerifiesGroup};
pub use tail::{CommitRecord, Tail, TailError};
