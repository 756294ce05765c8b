//! Offers transactions to validators at a fixed schedule, whatever they answer and however slowly.
//!
//! Each connection has its part of the rate and a clock of its own. What falls due is sent at once in a call of its
//! own, so a slow answer delays no later transaction; delays are counted from the instant a transaction fell due. If
//! too many calls are open, what falls due is dropped and counted as unsent: it is never sent late.

mod opaque;
mod transfers;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quorate_rpc::ErrorReason;
use quorate_rpc::submit::v1::submit_result::Result as Verdict;
use quorate_rpc::submit::v1::{BatchSubmitTransactionsRequest, SubmitResult};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::client::{Client, DEADLINE, within};
use crate::failure::Failure;

pub(crate) use opaque::Opaque;
pub(crate) use transfers::{Payer, Transfers};

/// How often a connection looks at what fell due.
const TICK: Duration = Duration::from_millis(5);
/// Most transactions in one call; the API takes 4,096.
const BATCH_MAX: usize = 1024;
/// Most bytes in one call; the API takes 4 MiB.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Most open calls of one connection: at 5 ms a tick, a third of a second without an answer.
const OPEN_CALLS_MAX: usize = 64;
/// Most delays that are remembered for quantiles.
const DELAYS_MAX: usize = 4_000_000;

/// Makes the transactions of one connection.
pub(crate) trait Source: Send + 'static {
    /// What has to be remembered about a batch until it is answered.
    type Ticket: Send + 'static;
    /// At most `count` transactions; fewer if there are no more at this moment.
    fn take(&mut self, count: usize) -> (Vec<Bytes>, Self::Ticket);
    /// What became of each transaction of a batch; `None` if the call failed as a whole.
    fn answered(&mut self, ticket: Self::Ticket, results: Option<&[SubmitResult]>);
    /// Bytes of one transaction.
    fn transaction_bytes(&self) -> usize;
}

/// What was offered and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Fell due.
    pub(crate) due: u64,
    /// Taken into a pool.
    pub(crate) accepted: u64,
    /// Dropped here, since too many calls were open or no account was free.
    pub(crate) unsent: u64,
    /// Lost with a call that failed.
    pub(crate) failed: u64,
    /// Refused by the validators, by reason.
    pub(crate) refused: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Counters {
    due: AtomicU64,
    accepted: AtomicU64,
    unsent: AtomicU64,
    failed: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// Microseconds from the instant that a batch fell due to its answer.
    delays: Mutex<Vec<u32>>,
}

/// A running load.
pub(crate) struct Load {
    counters: Arc<Counters>,
    rate: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    connections: JoinSet<()>,
}

impl Load {
    /// Connects and starts at `rate` transactions a second over all connections. `sources[i]` goes to `endpoints[i]`.
    pub(crate) async fn start<S: Source>(
        connections: Vec<(String, S)>,
        rate: u64,
    ) -> Result<Self, Failure> {
        let (stop, stopped) = watch::channel(false);
        let mut load = Self {
            counters: Arc::default(),
            rate: Arc::new(AtomicU64::new(rate)),
            stop,
            connections: JoinSet::new(),
        };
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX).max(1);
        let start = Instant::now() + TICK;
        for (position, (endpoint, source)) in (0u32..).zip(connections) {
            let connection = Connection {
                client: Client::connect(&endpoint).await?,
                source: Arc::new(Mutex::new(source)),
                counters: Arc::clone(&load.counters),
                rate: Arc::clone(&load.rate),
                part: f64::from(count).recip(),
                open: Arc::new(Semaphore::new(OPEN_CALLS_MAX)),
            };
            // Ticks of different connections are apart, so that arrivals are spread.
            let first = start + TICK * position / count;
            load.connections
                .spawn(connection.run(first, stopped.clone()));
        }
        Ok(load)
    }

    /// Changes the rate.
    pub(crate) fn set_rate(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    /// What became of everything up to now.
    pub(crate) fn tally(&self) -> Tally {
        self.counters.tally()
    }

    /// Forgets the delays seen so far and gives them, ascending, in microseconds.
    pub(crate) fn take_delays(&self) -> Vec<u32> {
        let mut delays = std::mem::take(&mut *lock(&self.counters.delays));
        delays.sort_unstable();
        delays
    }

    /// Stops, waits for open calls, and tells what became of everything.
    pub(crate) async fn stop(mut self) -> Tally {
        let _ = self.stop.send(true);
        while self.connections.join_next().await.is_some() {}
        self.counters.tally()
    }
}

impl Counters {
    fn tally(&self) -> Tally {
        Tally {
            due: self.due.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            unsent: self.unsent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            refused: lock(&self.refused).clone(),
        }
    }

    fn answered(&self, due: Instant, results: &[SubmitResult]) {
        let mut accepted = 0;
        for result in results {
            match &result.result {
                Some(Verdict::Failure(failure)) => {
                    let reason = reason_name(failure.reason());
                    *lock(&self.refused).entry(reason).or_default() += 1;
                }
                Some(Verdict::AcceptedTransactionId(_)) => accepted += 1,
                None => {}
            }
        }
        self.accepted.fetch_add(accepted, Ordering::Relaxed);
        let delay = u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut delays = lock(&self.delays);
        if delays.len() < DELAYS_MAX {
            delays.push(delay);
        }
    }
}

fn reason_name(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

impl Tally {
    /// How many were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// What happened since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |reason| earlier.refused.get(reason).copied().unwrap_or(0);
        let refused = self.refused.iter();
        Self {
            due: self.due - earlier.due,
            accepted: self.accepted - earlier.accepted,
            unsent: self.unsent - earlier.unsent,
            failed: self.failed - earlier.failed,
            refused: refused
                .map(|(reason, count)| (*reason, count - before(reason)))
                .collect(),
        }
    }
}

struct Connection<S> {
    client: Client,
    source: Arc<Mutex<S>>,
    counters: Arc<Counters>,
    rate: Arc<AtomicU64>,
    part: f64,
    open: Arc<Semaphore>,
}

impl<S: Source> Connection<S> {
    async fn run(self, first: Instant, mut stopped: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval_at(first, TICK);
        // A late tick is made up for at once, and still carries the instant at which it was due.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut calls = JoinSet::new();
        let mut owed = 0.0;
        loop {
            let due = tokio::select! {
                due = ticks.tick() => due,
                _ = stopped.changed() => break,
            };
            while calls.try_join_next().is_some() {}
            #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
            let rate = self.rate.load(Ordering::Relaxed) as f64;
            owed += rate * self.part * TICK.as_secs_f64();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what one tick owes is a small positive number"
            )]
            let count = owed.floor() as usize;
            owed -= owed.floor();
            self.offer(count, due, &mut calls);
        }
        while calls.join_next().await.is_some() {}
    }

    fn offer(&self, count: usize, due: Instant, calls: &mut JoinSet<()>) {
        let count_u64 = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.counters
            .due
            .fetch_add(count_u64(count), Ordering::Relaxed);
        let size = lock(&self.source).transaction_bytes().max(1);
        let batch = BATCH_MAX.min(BATCH_BYTES_MAX / size).max(1);
        let mut left = count;
        while left > 0 {
            let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() else {
                break;
            };
            let (transactions, ticket) = lock(&self.source).take(left.min(batch));
            if transactions.is_empty() {
                break;
            }
            left -= transactions.len();
            let source = Arc::clone(&self.source);
            let counters = Arc::clone(&self.counters);
            let client = self.client.clone();
            calls.spawn(async move {
                let count = count_u64(transactions.len());
                let request = BatchSubmitTransactionsRequest { transactions };
                let answer = client
                    .submit()
                    .batch_submit_transactions(within(request, DEADLINE))
                    .await;
                match answer {
                    Ok(response) => {
                        let results = response.into_inner().results;
                        counters.answered(due, &results);
                        lock(&source).answered(ticket, Some(&results));
                    }
                    Err(_) => {
                        counters.failed.fetch_add(count, Ordering::Relaxed);
                        lock(&source).answered(ticket, None);
                    }
                }
                drop(permit);
            });
        }
        self.counters
            .unsent
            .fetch_add(count_u64(left), Ordering::Relaxed);
    }
}

/// A panic elsewhere leaves counts and queues usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
