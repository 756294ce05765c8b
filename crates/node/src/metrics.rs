//! What a validator tells Prometheus about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Ratio between the bounds of neighbouring latency buckets: quantiles are good to about 5%.
const BUCKET_RATIO: f64 = 1.05;
/// Upper bound of the first latency bucket, in seconds.
const BUCKET_FIRST_SECONDS: f64 = 0.000_5;
/// Number of latency buckets; the last bound is about 34 seconds.
const BUCKETS: usize = 229;

/// A peer, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PeerLabel {
    /// The peer's index.
    pub peer: u16,
}

/// A reason, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// The reason's name.
    pub reason: &'static str,
}

/// Every metric of one validator.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Own last round.
    pub round: Gauge,
    /// Highest executed height.
    pub height: Gauge,
    /// Highest height with a certificate, all below having one too.
    pub certified_height: Gauge,
    /// Transactions ordered since genesis.
    pub transactions_committed: Gauge,
    /// Transactions that wait in the pool.
    pub pool_transactions: Gauge,
    /// Bytes that wait in the pool.
    pub pool_bytes: Gauge,
    /// Leader slots decided, by how.
    pub slots_decided: Family<ReasonLabel, Gauge>,
    /// Bytes of blocks that wait for a parent.
    pub waiting_bytes: Gauge,
    /// Blocks that agreement did not take, by why.
    pub blocks_refused: Family<ReasonLabel, Gauge>,
    /// From arrival in the pool to execution here.
    pub commit_latency: LatencyHistogram,
    /// From arrival in the pool to the certificate here.
    pub certificate_latency: LatencyHistogram,
    /// Bytes of blocks, shares and certificates sent to peers, before TLS and HTTP/2 framing.
    pub peer_sent_bytes: Counter,
    /// Bytes of blocks, shares and certificates received from peers.
    pub peer_received_bytes: Family<PeerLabel, Counter>,
    /// 1 while the stream from a peer is up.
    pub peer_connected: Family<PeerLabel, Gauge>,
    /// What peers sent that was refused.
    pub peer_refused: Family<ReasonLabel, Counter>,
    /// Transactions refused at admission.
    pub submissions_refused: Family<ReasonLabel, Counter>,
    /// Bytes appended to the log.
    pub log_bytes: Counter,
    /// Syncs of the log.
    pub log_syncs: Counter,
    /// Misbehaviour found since the start.
    pub evidence: Counter,
    /// Height at which state sync joined, 0 if it did not.
    pub sync_height: Gauge,
    /// Bytes that joining took from peers: point, commits and state.
    pub sync_bytes: Counter,
}

impl Metrics {
    /// Registers all metrics under the prefix `quorate`.
    #[must_use]
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("quorate");
        registry.register("round", "Own last round", self.round.clone());
        registry.register("height", "Highest executed height", self.height.clone());
        let help = "Highest height up to which every height has a certificate";
        registry.register("certified_height", help, self.certified_height.clone());
        let help = "Transactions ordered since genesis";
        registry.register(
            "transactions_committed_total",
            help,
            self.transactions_committed.clone(),
        );
        registry.register(
            "pool_transactions",
            "Transactions waiting",
            self.pool_transactions.clone(),
        );
        registry.register(
            "pool_bytes",
            "Bytes of transactions waiting",
            self.pool_bytes.clone(),
        );
        let help = "Leader slots decided since the start, by how";
        registry.register("slots_decided", help, self.slots_decided.clone());
        let help = "Bytes of blocks that wait for a parent";
        registry.register("waiting_bytes", help, self.waiting_bytes.clone());
        let help = "Blocks not taken by agreement since the start, by reason";
        registry.register("blocks_refused", help, self.blocks_refused.clone());
        let help = "Seconds from arrival in the pool to execution";
        registry.register("commit_latency_seconds", help, self.commit_latency.clone());
        let help = "Seconds from arrival in the pool to the certificate";
        registry.register(
            "certificate_latency_seconds",
            help,
            self.certificate_latency.clone(),
        );
        let help = "Bytes of consensus messages sent to peers";
        registry.register("peer_sent_bytes", help, self.peer_sent_bytes.clone());
        let help = "Bytes of consensus messages received from peers";
        registry.register(
            "peer_received_bytes",
            help,
            self.peer_received_bytes.clone(),
        );
        let help = "Whether the stream from the peer is up";
        registry.register("peer_connected", help, self.peer_connected.clone());
        let help = "Messages of peers refused, by reason";
        registry.register("peer_refused", help, self.peer_refused.clone());
        let help = "Transactions refused at admission, by reason";
        registry.register(
            "submissions_refused",
            help,
            self.submissions_refused.clone(),
        );
        registry.register(
            "log_bytes",
            "Bytes appended to the log",
            self.log_bytes.clone(),
        );
        registry.register("log_syncs", "Syncs of the log", self.log_syncs.clone());
        registry.register(
            "evidence",
            "Misbehaviour found since the start",
            self.evidence.clone(),
        );
        let help = "Height at which state sync joined, 0 if it did not";
        registry.register("sync_height", help, self.sync_height.clone());
        let help = "Bytes of point, commits and state that joining took from peers";
        registry.register("sync_bytes", help, self.sync_bytes.clone());
        registry
    }
}

/// A histogram with narrow buckets that takes many equal observations at once.
#[derive(Clone, Debug)]
pub struct LatencyHistogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    counts: Vec<AtomicU64>,
    sum_micros: AtomicU64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self(Arc::new(Buckets {
            counts: (0..=BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum_micros: AtomicU64::new(0),
        }))
    }
}

impl LatencyHistogram {
    /// Adds `count` observations of `micros` microseconds.
    pub fn observe(&self, micros: u64, count: u64) {
        let bucket = bucket_of(micros);
        self.0.counts[bucket].fetch_add(count, Ordering::Relaxed);
        self.0
            .sum_micros
            .fetch_add(micros.saturating_mul(count), Ordering::Relaxed);
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bucket's index is a small non-negative number"
)]
fn bucket_of(micros: u64) -> usize {
    let seconds = micros as f64 / 1e6;
    if seconds <= BUCKET_FIRST_SECONDS {
        return 0;
    }
    let index = (seconds / BUCKET_FIRST_SECONDS).ln() / BUCKET_RATIO.ln();
    (index.ceil() as usize).min(BUCKETS)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "there are few buckets"
)]
fn upper_bound_seconds(bucket: usize) -> f64 {
    BUCKET_FIRST_SECONDS * BUCKET_RATIO.powi(bucket as i32)
}

impl EncodeMetric for LatencyHistogram {
    #[expect(clippy::cast_precision_loss, reason = "seconds to a few digits")]
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self
            .0
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let mut buckets: Vec<(f64, u64)> = counts
            .enumerate()
            .map(|(bucket, count)| (upper_bound_seconds(bucket), count))
            .collect();
        if let Some(last) = buckets.last_mut() {
            last.0 = f64::INFINITY;
        }
        let total = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_micros.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, total, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_their_bounds_say() {
        for micros in [
            0, 1, 499, 500, 501, 999, 1_000, 12_345, 1_000_000, 30_000_000,
        ] {
            let bucket = bucket_of(micros);
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let seconds = micros as f64 / 1e6;
            assert!(
                seconds <= upper_bound_seconds(bucket) * 1.000_001,
                "{micros}"
            );
            assert!(
                bucket == 0 || seconds > upper_bound_seconds(bucket - 1) * 0.999_999,
                "{micros}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS);
    }

    #[test]
    fn the_text_names_every_metric() {
        let metrics = Metrics::default();
        metrics.commit_latency.observe(1_500, 3);
        metrics.peer_sent_bytes.inc_by(7);
        metrics
            .peer_received_bytes
            .get_or_create(&PeerLabel { peer: 2 })
            .inc_by(8);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry())
            .expect("a string never fails");
        for line in [
            "quorate_round 0",
            "quorate_transactions_committed_total 0",
            "quorate_commit_latency_seconds_count 3",
            "quorate_commit_latency_seconds_bucket{le=\"+Inf\"} 3",
            "quorate_peer_sent_bytes_total 7",
            "quorate_peer_received_bytes_total{peer=\"2\"} 8",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
