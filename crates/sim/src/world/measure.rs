//! A world in which nothing goes wrong, to take times in.

use quorate_types::{Round, Timestamp, ValidatorIndex};

use super::World;
use crate::event::Event;
use crate::failure::{Cause, Waiting};
use crate::latency::{Latency, Stopwatch};

impl World {
    /// Sets every link's least delay, in microseconds.
    pub(crate) fn set_delays(&mut self, delay: fn(ValidatorIndex, ValidatorIndex) -> u64) {
        self.hub.network.set_delays(delay);
    }

    /// Runs the first `up` validators. Transactions are sent until the end of the interval, and then it goes on until all of them
    /// are certified, for as long as `patience` says, in microseconds.
    pub(crate) fn measure(
        mut self,
        up: u16,
        interval: (Timestamp, Timestamp),
        patience: u64,
    ) -> Result<Latency, Cause> {
        self.hub.stopwatch = Some(Stopwatch::default());
        for at in (0..up).map(ValidatorIndex) {
            self.start(at);
        }
        self.schedule_client();
        let mut rounds = None;
        while let Some((now, event)) = self.hub.queue.pop() {
            self.hub.now = now;
            let is_client = matches!(event, Event::Client);
            if !is_client || now < interval.1 {
                self.happen(event);
            }
            if let Some(violation) = self.hub.checker.violation() {
                return Err(Cause::Safety(violation.clone()));
            }
            if now >= interval.0 && rounds.is_none() {
                rounds = Some((now, self.hub.checker.highest_round()));
            }
            if now > interval.1.plus_micros(patience) {
                return Err(self.stall(Waiting::Time));
            }
            if now >= interval.1
                && let Some(first) = rounds
                && let Some(latency) = self.latency(interval, first)
            {
                return Ok(latency);
            }
        }
        Err(self.stall(Waiting::Events))
    }

    /// What was measured, once all transactions are certified.
    fn latency(
        &self,
        interval: (Timestamp, Timestamp),
        first: (Timestamp, Round),
    ) -> Option<Latency> {
        let stopwatch = self.hub.stopwatch.as_ref()?;
        if !stopwatch.is_complete() {
            return None;
        }
        let (commit, certificate, transactions) = stopwatch.quantiles(interval)?;
        let rounds = self.hub.checker.highest_round().0 - first.1.0;
        Some(Latency {
            transactions,
            commit,
            certificate,
            round: self.hub.now.micros_since(first.0) / rounds.max(1),
            micros: self.hub.now.0,
            messages: self.hub.counters.messages,
        })
    }
}
