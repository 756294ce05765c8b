//! Reads validators' metrics: the Prometheus text format, its counters, gauges and histograms.

use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Longest answer that is read, in bytes; a validator's is some tens of kilobytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Fetches metrics.
#[derive(Clone)]
pub(crate) struct Scraper(Client<HttpConnector, Empty<bytes::Bytes>>);

/// What one validator said at one instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrape {
    samples: Vec<(String, f64)>,
}

/// Counts of observations below ascending bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    /// Upper bound in seconds, and how many observations are at or below it.
    buckets: Vec<(f64, f64)>,
}

impl Scraper {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Fetches `url`, which is a whole address ending in `/metrics`.
    pub(crate) async fn fetch(&self, url: &str) -> anyhow::Result<Scrape> {
        let uri = url
            .parse()
            .with_context(|| format!("{url} is no address"))?;
        let text = tokio::time::timeout(DEADLINE, async {
            let response = self.0.get(uri).await?;
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await;
            let body = body.map_err(|error| anyhow::anyhow!(error))?;
            Ok::<_, anyhow::Error>(body.to_bytes())
        });
        let text = text
            .await
            .with_context(|| format!("{url} does not answer"))?;
        let text = text.with_context(|| format!("cannot read {url}"))?;
        Scrape::parse(&String::from_utf8_lossy(&text))
    }
}

impl Scrape {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut samples = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (name, value) = line
                .rsplit_once(' ')
                .with_context(|| format!("`{line}` is no metric"))?;
            let value: f64 = value
                .parse()
                .with_context(|| format!("`{line}` is no metric"))?;
            samples.push((name.to_owned(), value));
        }
        ensure!(!samples.is_empty(), "there are no metrics");
        Ok(Self { samples })
    }

    /// The sum over all label values of the metric `name`; 0 if there is none.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of_name = |sample: &&(String, f64)| sample.0.split('{').next() == Some(name);
        self.samples
            .iter()
            .filter(of_name)
            .map(|(_, value)| value)
            .sum()
    }

    /// The histogram `name`, which must have no labels but the bounds.
    pub(crate) fn histogram(&self, name: &str) -> Histogram {
        let prefix = format!("{name}_bucket{{le=\"");
        let buckets = self.samples.iter().filter_map(|(sample, count)| {
            let bound = sample.strip_prefix(&prefix)?.strip_suffix("\"}")?;
            Some((bound.parse().ok()?, *count))
        });
        Histogram {
            buckets: buckets.collect(),
        }
    }
}

impl Histogram {
    /// What was observed since `earlier`, an older state of the same histogram.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let counted = |bound: f64| {
            let bucket = earlier.buckets.iter().find(|(other, _)| *other == bound);
            bucket.map_or(0.0, |(_, count)| *count)
        };
        let buckets = self.buckets.iter();
        Self {
            buckets: buckets
                .map(|(bound, count)| (*bound, count - counted(*bound)))
                .collect(),
        }
    }

    /// Observations of both; they must have the same bounds, or one be empty.
    pub(crate) fn merged(mut self, other: &Self) -> Self {
        if self.buckets.is_empty() {
            return other.clone();
        }
        for ((_, count), (_, more)) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self
    }

    /// How many observations there are.
    pub(crate) fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// The value in seconds that a part `quantile` of the observations does not exceed, interpolated within its bucket;
    /// `None` without observations.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = self.count() * quantile;
        let mut below = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= rank && *count > 0.0 {
                if bound.is_infinite() {
                    return Some(below.0);
                }
                let part = (rank - below.1) / (count - below.1).max(f64::MIN_POSITIVE);
                return Some(below.0 + (bound - below.0) * part.clamp(0.0, 1.0));
            }
            below = (*bound, *count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP quorate_round Own last round.\n\
        # TYPE quorate_round gauge\n\
        quorate_round 17\n\
        quorate_peer_sent_bytes_total{peer=\"0\"} 5\n\
        quorate_peer_sent_bytes_total{peer=\"1\"} 7.5\n\
        quorate_latency_seconds_sum 1.5\n\
        quorate_latency_seconds_bucket{le=\"0.1\"} 0\n\
        quorate_latency_seconds_bucket{le=\"0.2\"} 10\n\
        quorate_latency_seconds_bucket{le=\"0.4\"} 20\n\
        quorate_latency_seconds_bucket{le=\"+Inf\"} 20\n\
        # EOF\n";

    #[test]
    fn counters_are_summed_over_labels() {
        let scrape = Scrape::parse(TEXT).unwrap();
        assert_eq!(scrape.sum("quorate_round"), 17.0);
        assert_eq!(scrape.sum("quorate_peer_sent_bytes_total"), 12.5);
        assert_eq!(scrape.sum("quorate_peer"), 0.0);
        assert!(Scrape::parse("quorate_round many\n").is_err());
        assert!(Scrape::parse("# EOF\n").is_err());
    }

    #[test]
    fn quantiles_are_interpolated() {
        let histogram = Scrape::parse(TEXT)
            .unwrap()
            .histogram("quorate_latency_seconds");
        let close = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-9;
        assert!(close(histogram.quantile(0.25), 0.15));
        assert!(close(histogram.quantile(0.5), 0.2));
        assert!(close(histogram.quantile(1.0), 0.4));
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(histogram.since(&histogram).quantile(0.5), None);
        let twice = Histogram::default().merged(&histogram).merged(&histogram);
        assert_eq!(twice.count(), 40.0);
        assert!(close(twice.quantile(0.25), 0.15));
        assert_eq!(twice.since(&histogram), histogram);
    }

    #[test]
    fn what_is_above_all_bounds_counts_as_the_last_bound() {
        let text = TEXT.replace("le=\"+Inf\"} 20", "le=\"+Inf\"} 40");
        let histogram = Scrape::parse(&text)
            .unwrap()
            .histogram("quorate_latency_seconds");
        assert_eq!(histogram.quantile(0.99), Some(0.4));
    }
}
