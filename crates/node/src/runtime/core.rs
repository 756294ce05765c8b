//! The thread that owns the validator's state machine.

use std::sync::Arc;
use std::time::Duration;

use quorate_types::{Height, Timestamp};
use quorate_validator::{Effect, FINALITY_WINDOW, Input, Validator};
use tokio::sync::{mpsc, oneshot};

use super::execution::gauge;
use super::inbox::Arrival;
use super::shared::{Shared, Window};
use crate::metrics::ReasonLabel;

/// Most inputs taken between two looks at the clock and the metrics.
const INPUTS_AT_ONCE: usize = 256;
/// How often operators' figures are refreshed at most.
const STATUS_EVERY_MICROS: u64 = 50_000;

/// Inputs of the core, answers first.
pub(crate) struct Inputs {
    /// Answers to effects.
    pub(crate) answers: mpsc::UnboundedReceiver<Input>,
    /// Verified messages of peers.
    pub(crate) network: mpsc::Receiver<Arrival>,
    /// Resolves when the node stops.
    pub(crate) stop: oneshot::Receiver<()>,
}

/// Runs the core until it is told to stop.
pub(crate) fn run(validator: Validator, inputs: Inputs, shared: &Arc<Shared>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(drive(validator, inputs, shared)),
        Err(error) => shared.fail(super::error::NodeError::system("timer of the core")(error)),
    }
}

async fn drive(mut validator: Validator, mut inputs: Inputs, shared: &Arc<Shared>) {
    let mut out = Vec::new();
    let mut taken: Vec<Arrival> = Vec::with_capacity(INPUTS_AT_ONCE);
    let mut reported = Timestamp(0);
    loop {
        let wait = validator
            .deadline()
            .map(|deadline| deadline.micros_since(shared.now()));
        let wait = Duration::from_micros(wait.unwrap_or(STATUS_EVERY_MICROS));
        tokio::select! {
            biased;
            _ = &mut inputs.stop => return,
            input = inputs.answers.recv() => taken.extend(input.map(Arrival::from)),
            input = inputs.network.recv() => taken.extend(input),
            () = tokio::time::sleep(wait) => taken.push(Input::Tick.into()),
        }
        while taken.len() < INPUTS_AT_ONCE {
            let answer = inputs.answers.try_recv().map(Arrival::from);
            let Ok(input) = answer.or_else(|_| inputs.network.try_recv()) else {
                break;
            };
            taken.push(input);
        }
        for arrival in taken.drain(..) {
            let (input, room) = arrival.into_parts();
            validator.step(shared.now(), input, &mut out);
            perform(&mut out, shared);
            drop(room);
        }
        let now = shared.now();
        if validator.deadline().is_some_and(|deadline| deadline <= now) {
            validator.step(now, Input::Tick, &mut out);
            perform(&mut out, shared);
        }
        publish_window(&validator, shared);
        if now.micros_since(reported) >= STATUS_EVERY_MICROS {
            reported = now;
            report(&validator, shared);
        }
    }
}

fn perform(out: &mut Vec<Effect>, shared: &Arc<Shared>) {
    if !out.is_empty() {
        shared.perform(out.drain(..));
    }
}

/// Tells the readers of peers' streams how far they may go.
pub(crate) fn publish_window(validator: &Validator, shared: &Shared) {
    let next = Window {
        round_most: *validator.consensus().window().end(),
        height_most: Height(
            validator
                .finality()
                .certified
                .0
                .saturating_add(FINALITY_WINDOW),
        ),
    };
    shared.window.send_if_modified(|window| {
        let changed = *window != next;
        *window = next;
        changed
    });
}

fn report(validator: &Validator, shared: &Shared) {
    let status = validator.status();
    let metrics = &shared.metrics;
    metrics.round.set(gauge(status.round.0));
    let decided = [
        ("direct_commit", status.decided.direct_commits),
        ("direct_skip", status.decided.direct_skips),
        ("indirect_commit", status.decided.indirect_commits),
        ("indirect_skip", status.decided.indirect_skips),
    ];
    for (reason, count) in decided {
        let label = ReasonLabel { reason };
        metrics
            .slots_decided
            .get_or_create(&label)
            .set(gauge(count));
    }
    metrics
        .waiting_bytes
        .set(gauge(status.waiting_bytes as u64));
    let refused = [
        ("below_gc", status.refused.below_gc),
        ("too_far_ahead", status.refused.too_far_ahead),
        ("waiting_full", status.refused.waiting_full),
        ("twins_full", status.refused.twins_full),
        ("known", status.refused.known),
    ];
    for (reason, count) in refused {
        let label = ReasonLabel { reason };
        let counter = metrics.blocks_refused.get_or_create(&label);
        counter.set(gauge(count));
    }
    {
        let pool = shared
            .pool
            .lock()
            .expect("no thread panics while it holds the pool");
        metrics.pool_transactions.set(gauge(pool.len() as u64));
        metrics.pool_bytes.set(gauge(pool.bytes() as u64));
    }
    let mut shown = shared
        .status
        .lock()
        .expect("no thread panics while it holds the status");
    shown.consensus = status;
}
