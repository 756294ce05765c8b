//! What a devnet shows while it runs: one line a second, in place on a terminal.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::process::Member;
use crate::output::grouped;
use crate::scrape::{Histogram, Scrape, Scraper};

pub(crate) const ROUND: &str = "quorate_round";
pub(crate) const HEIGHT: &str = "quorate_height";
pub(crate) const CERTIFIED: &str = "quorate_certified_height";
pub(crate) const TRANSACTIONS: &str = "quorate_transactions_committed_total";
pub(crate) const CERTIFICATE_LATENCY: &str = "quorate_certificate_latency_seconds";

const SECOND: Duration = Duration::from_secs(1);
/// How often to look whether everything was committed.
const POLL: Duration = Duration::from_millis(100);

/// Watches validators' metrics.
pub(crate) struct Progress {
    members: Vec<Member>,
    scraper: Scraper,
    notes: Notes,
    last: Option<Seen>,
}

/// Lines about what is going on: in place on a terminal, one below the other elsewhere.
pub(crate) struct Notes {
    bar: Option<ProgressBar>,
    /// When progress was last told, where every line stays.
    told: Cell<Option<Instant>>,
}

impl Notes {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self {
            bar,
            told: Cell::new(None),
        }
    }

    pub(crate) fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(line.to_owned());
                bar.tick();
            }
            None => eprintln!("{line}"),
        }
    }

    /// A line that stays, on a terminal too.
    pub(crate) fn keep(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// As [`Self::note`], but where every line stays, no more than one a second.
    pub(crate) fn progress(&self, line: &str) {
        let recent = self.told.get().is_some_and(|told| told.elapsed() < SECOND);
        if self.bar.is_some() || !recent {
            self.told.set(Some(Instant::now()));
            self.note(line);
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// All validators at one instant.
struct Seen {
    at: Instant,
    transactions: f64,
    latency: Histogram,
}

impl Progress {
    pub(crate) fn new(members: &[Member]) -> Self {
        Self {
            members: members.to_vec(),
            scraper: Scraper::new(),
            notes: Notes::new(),
            last: None,
        }
    }

    pub(crate) fn note(&self, line: &str) {
        self.notes.note(line);
    }

    pub(crate) fn end(&self) {
        self.notes.end();
    }

    /// Shows where the validators are.
    pub(crate) async fn show(&mut self, elapsed: Duration) {
        let scrapes = scrape_all(&self.scraper, &self.members).await;
        let seen = Seen {
            at: Instant::now(),
            transactions: most(&scrapes, TRANSACTIONS),
            latency: scrapes.iter().fold(Histogram::default(), |merged, scrape| {
                merged.merged(&scrape.histogram(CERTIFICATE_LATENCY))
            }),
        };
        let (mut rate, mut recent) = (0.0, seen.latency.clone());
        if let Some(last) = &self.last {
            let passed = seen.at.duration_since(last.at).as_secs_f64();
            rate = (seen.transactions - last.transactions) / passed.max(f64::MIN_POSITIVE);
            recent = seen.latency.since(&last.latency);
        }
        let quantile = |quantile: f64| {
            let seconds = recent.quantile(quantile);
            seconds.map_or_else(|| "-".into(), |seconds| format!("{:.0} ms", seconds * 1e3))
        };
        let line = format!(
            "{:4} s  {}/{} up  round {}  height {} certified {}  {rate:.0} tx/s  to certificate p50 {} p99 {}",
            elapsed.as_secs(),
            scrapes.len(),
            self.members.len(),
            whole(most(&scrapes, ROUND)),
            whole(most(&scrapes, HEIGHT)),
            whole(most(&scrapes, CERTIFIED)),
            quantile(0.5),
            quantile(0.99),
        );
        self.note(&line);
        self.last = Some(seen);
    }

    /// Waits until all validators have ordered `transactions`, but no longer than `most`.
    pub(crate) async fn drained(&self, transactions: u64, most: Duration) {
        let end = Instant::now() + most;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let wanted = transactions as f64;
        while Instant::now() < end {
            let scrapes = scrape_all(&self.scraper, &self.members).await;
            let done = scrapes
                .iter()
                .filter(|scrape| scrape.sum(TRANSACTIONS) >= wanted);
            if done.count() == self.members.len() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// What all validators say that say something.
pub(crate) async fn scrape_all(scraper: &Scraper, members: &[Member]) -> Vec<Scrape> {
    let mut scrapes = Vec::new();
    for member in members {
        scrapes.extend(scraper.fetch(&member.metrics).await);
    }
    scrapes
}

fn most(scrapes: &[Scrape], name: &str) -> f64 {
    scrapes
        .iter()
        .map(|scrape| scrape.sum(name))
        .fold(0.0, f64::max)
}

/// A counter's value in people's form.
fn whole(value: f64) -> String {
    grouped(as_count(value))
}

/// A counter's value: metrics are floating-point numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts from floats saturate, and counters are whole"
)]
pub(crate) fn as_count(value: f64) -> u64 {
    value as u64
}
