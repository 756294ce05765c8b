//! How much of the past a validator keeps.

use serde::{Deserialize, Serialize};

use quorate_store::wal::{SEGMENT_BYTES_MAX, WalOptions};

/// What is dropped in time, so that the disk stays as large as the state, the headers and the certificates need. Those,
/// and evidence, are never dropped; nor is anything that a restart needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pruning {
    /// How many heights keep their receipts and the outcomes of their transactions; 0 keeps all.
    pub receipt_heights: u64,
    /// How many rounds of blocks below the garbage-collection round stay in the log, for validators that were away; 0 keeps
    /// all.
    pub log_rounds: u64,
    /// Below this many bytes the log is not cut, however many rounds it holds.
    pub log_bytes: u64,
    /// Bytes of one segment of the log, which is cut at whole segments.
    pub segment_bytes: u64,
}

/// Fewest heights that keep their receipts: as many as clients may ask the state of.
const RECEIPT_HEIGHTS_LEAST: u64 = 256;
/// Fewest rounds kept: a validator that restarts is some hundred rounds behind.
const LOG_ROUNDS_LEAST: u64 = 1_000;
/// Smallest segment: below it files outnumber their use.
const SEGMENT_BYTES_LEAST: u64 = 64 << 10;

impl Default for Pruning {
    /// An hour or more of receipts, and of blocks what a validator misses in a reboot under load.
    fn default() -> Self {
        Self {
            receipt_heights: 100_000,
            log_rounds: 5_000,
            log_bytes: 1 << 30,
            segment_bytes: WalOptions::new([0; 32]).segment_bytes,
        }
    }
}

impl Pruning {
    /// Key, value, and the least and greatest value of everything that has bounds.
    pub(super) fn ranges(&self) -> [(&'static str, u64, u64, u64); 3] {
        let unless_all = |value, least| if value == 0 { 0 } else { least };
        [
            (
                "pruning.receipt_heights",
                self.receipt_heights,
                unless_all(self.receipt_heights, RECEIPT_HEIGHTS_LEAST),
                u64::MAX,
            ),
            (
                "pruning.log_rounds",
                self.log_rounds,
                unless_all(self.log_rounds, LOG_ROUNDS_LEAST),
                u64::MAX,
            ),
            (
                "pruning.segment_bytes",
                self.segment_bytes,
                SEGMENT_BYTES_LEAST,
                SEGMENT_BYTES_MAX,
            ),
        ]
    }
}
