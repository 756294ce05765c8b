//! The thread that owns the engine and the log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_dkg::{DealerEvidence, Effect, Engine, Input, Message, Record, Role, SignedDealing};
use quorate_store::wal::WalError;
use quorate_types::{Encode, ValidatorIndex};
use tokio::sync::{mpsc, oneshot};

use super::error::CeremonyError;
use super::log::{Entry, Log, Recovered};
use super::outputs;
use super::shared::{Event, Fetch, Order, Shared};
use super::status::{CeremonyPhase, CeremonyWait};

/// Most events that are answered with one sync of the log.
const BATCH_EVENTS_MAX: usize = 256;
/// How often a full disk is tried again.
const DISK_RETRY: Duration = Duration::from_millis(200);

/// The thread's own state.
pub(super) struct Core {
    shared: Arc<Shared>,
    engine: Engine,
    log: Log,
    directory: PathBuf,
    fetches: mpsc::UnboundedSender<Fetch>,
    /// Whether [`Input::Start`] was given.
    started: bool,
    /// Who said how much it holds of the own outbox.
    heard: BTreeMap<ValidatorIndex, u64>,
    /// Answers that wait for the log.
    noted: Vec<oneshot::Sender<()>>,
    /// Whether something waits for a flush.
    dirty: bool,
    /// What peers may see after the flush.
    unseen: Vec<Bytes>,
}

impl Core {
    /// Takes over what the log held; `note_silence` says that it is news to the log that the member takes no part.
    pub(super) fn new(
        shared: Arc<Shared>,
        mut engine: Engine,
        log: Log,
        directory: PathBuf,
        fetches: mpsc::UnboundedSender<Fetch>,
        recovered: Recovered,
        note_silence: bool,
    ) -> Result<Self, CeremonyError> {
        let mut out = Vec::new();
        let mut entries = Vec::new();
        for record in recovered.records {
            show(&shared, &record, &mut entries);
            engine.step(Input::Recovered(record), &mut out);
        }
        debug_assert!(out.is_empty(), "nothing is done before the start");
        shared.publish(entries);
        for (dealer, evidence) in outputs::read_evidence(&directory) {
            shared.keep_evidence(dealer, evidence.into());
        }
        for peer in recovered.complete.iter() {
            shared.update_peer(peer, |peer| peer.complete = true);
        }
        for peer in recovered.acknowledged.iter() {
            shared.update_peer(peer, |peer| peer.acknowledged = true);
        }
        let mut core = Self {
            shared,
            engine,
            log,
            directory,
            fetches,
            started: false,
            heard: BTreeMap::new(),
            noted: Vec::new(),
            dirty: false,
            unseen: Vec::new(),
        };
        if note_silence {
            core.append(&Entry::Silent)?;
        }
        // With a log, or as a silent member, there is nothing to be asked first.
        let status = core.engine.status();
        let mut effects = Vec::new();
        if status.outbox > 0 || status.role == Role::Silent {
            core.start(&mut effects);
        }
        core.perform(effects)?;
        core.show_status();
        Ok(core)
    }

    /// Works until it is told to stop, or cannot go on.
    pub(super) fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) {
        while let Some(first) = events.blocking_recv() {
            let mut effects = Vec::new();
            let mut next = Some(first);
            let mut count = 0;
            let mut stop = false;
            let mut taken = Ok(());
            while let Some(event) = next {
                match event {
                    Event::Stop => stop = true,
                    event => taken = self.take(event, &mut effects),
                }
                count += 1;
                let more = !stop && taken.is_ok() && count < BATCH_EVENTS_MAX;
                next = if more { events.try_recv().ok() } else { None };
            }
            if let Err(error) = taken.and_then(|()| self.perform(effects)) {
                self.shared.fail(error);
                return;
            }
            self.show_status();
            if stop {
                return;
            }
        }
    }

    fn take(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<(), CeremonyError> {
        match event {
            Event::Input(input) => self.engine.step(input, effects),
            Event::Received {
                from,
                position,
                message,
                ..
            } => {
                let input = Input::Received {
                    from,
                    position,
                    message,
                };
                self.engine.step(input, effects);
            }
            Event::Claims { from, held, noted } => {
                self.claims(from, held, effects);
                self.noted.push(noted);
            }
            Event::Complete { from, noted } => {
                let mut new = false;
                self.shared.update_peer(from, |peer| {
                    new = !std::mem::replace(&mut peer.complete, true);
                });
                if new {
                    self.append(&Entry::Complete(from))?;
                }
                self.noted.push(noted);
            }
            Event::Acknowledged { from } => {
                let mut new = false;
                self.shared.update_peer(from, |peer| {
                    new = !std::mem::replace(&mut peer.acknowledged, true);
                });
                if new {
                    self.append(&Entry::Acknowledged(from))?;
                }
            }
            Event::Written(Ok(result)) => {
                tracing::info!(transcript = %result.transcript, "complete");
                self.shared.complete(result);
            }
            Event::Written(Err(error)) => self.shared.fail(error),
            Event::Stop => {}
        }
        Ok(())
    }

    /// A member whose log is empty has either never said anything or lost its log, so it asks before it says anything.
    /// n - f - 1 honest others answer at last, so this cannot stick; and if n - f members had heard it before it lost its
    /// log, f + 1 of those that answer are among them (for n = 3f + 1), less those that lie.
    fn claims(&mut self, from: ValidatorIndex, held: u64, effects: &mut Vec<Effect>) {
        self.heard.insert(from, held);
        self.shared.update_peer(from, |peer| peer.held = Some(held));
        self.engine.step(Input::PeerClaims { from, held }, effects);
        if !self.started && self.heard.len() >= self.claims_needed() {
            self.start(effects);
        }
    }

    fn claims_needed(&self) -> usize {
        usize::from(self.shared.ceremony.agreement_quorum()) - 1
    }

    fn start(&mut self, effects: &mut Vec<Effect>) {
        self.started = true;
        self.engine.step(Input::Start, effects);
        self.shared.listening.send_replace(true);
    }

    /// Does what the engine asks for. Nothing leaves this thread before the log is durable.
    fn perform(&mut self, effects: Vec<Effect>) -> Result<(), CeremonyError> {
        let mut later = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(record) => {
                    self.append(&Entry::Engine(record.clone()))?;
                    show(&self.shared, &record, &mut self.unseen);
                }
                Effect::Amnesia => {
                    tracing::error!(
                        "others hold messages of this member that its log does not have: the log was lost; this \
                         member says nothing any more and waits for the result"
                    );
                    self.append(&Entry::Silent)?;
                }
                other => later.push(other),
            }
        }
        self.flush()?;
        for effect in later {
            self.perform_one(effect)?;
        }
        Ok(())
    }

    fn perform_one(&mut self, effect: Effect) -> Result<(), CeremonyError> {
        match effect {
            Effect::Fetch { from, dealer, hash } => {
                let name = (dealer, hash);
                // Gone only when the node stops.
                let _ = self.fetches.send(Fetch { from, name });
            }
            Effect::Compute(job) => self.order(Order::Job(job)),
            Effect::Complete(outcome) => self.order(Order::Finish(outcome)),
            Effect::Refused { from, error } => {
                tracing::warn!(member = %from, %error, "a member lied and is not listened to any more");
                self.shared.update_peer(from, |peer| {
                    peer.last_error = format!("it broke a rule: {error}");
                });
                self.shared.refused.send_modify(|refused| {
                    refused.insert(from);
                });
            }
            Effect::Evidence(evidence) => self.convict(&evidence)?,
            Effect::Persist(_) | Effect::Amnesia => {}
        }
        Ok(())
    }

    fn convict(&self, evidence: &DealerEvidence) -> Result<(), CeremonyError> {
        let bytes = outputs::write_evidence(evidence, &self.directory)?;
        tracing::warn!(dealer = %evidence.dealer(), "a dealer is convicted: evidence was written");
        self.shared.keep_evidence(evidence.dealer(), bytes.into());
        Ok(())
    }

    fn order(&self, order: Order) {
        // Gone only when the node stops.
        let _ = self.shared.orders.send(order);
    }

    fn append(&mut self, entry: &Entry) -> Result<(), CeremonyError> {
        self.dirty = true;
        match self.log.append(entry) {
            // Replaying peers at full speed can fill the buffer.
            Err(WalError::BufferFull { .. }) => {
                self.flush()?;
                Ok(self.log.append(entry)?)
            }
            appended => Ok(appended?),
        }
    }

    /// Makes what was appended durable, waiting while the disk is full, and then shows it.
    fn flush(&mut self) -> Result<(), CeremonyError> {
        if self.dirty {
            let mut told = false;
            loop {
                match self.log.flush() {
                    Ok(()) => break,
                    Err(WalError::Full) if !self.shared.stopping() => {
                        if !std::mem::replace(&mut told, true) {
                            tracing::error!("the disk is full: nothing is said until it has room");
                        }
                        std::thread::sleep(DISK_RETRY);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.dirty = false;
        }
        self.shared.publish(std::mem::take(&mut self.unseen));
        for noted in self.noted.drain(..) {
            // The peer may have hung up.
            let _ = noted.send(());
        }
        Ok(())
    }

    fn show_status(&self) {
        let engine = self.engine.status();
        let waits = self.waits();
        self.shared.status.send_if_modified(|status| {
            let before = status.clone();
            status.follow(&engine, self.started);
            status.waits = if status.phase == CeremonyPhase::Complete {
                Vec::new()
            } else {
                waits
            };
            *status != before
        });
    }

    fn waits(&self) -> Vec<CeremonyWait> {
        if self.started {
            let waiting = self.engine.explain().into_iter();
            return waiting
                .map(|waiting| CeremonyWait {
                    what: waiting.what.to_string(),
                    members: waiting.on,
                })
                .collect();
        }
        let (have, need) = (self.heard.len(), self.claims_needed());
        let all = self.shared.ceremony.indices();
        let me = self.shared.me;
        vec![CeremonyWait {
            what: format!(
                "members to say what they have heard of this one before it says anything: have {have} of {need}"
            ),
            members: all
                .filter(|member| *member != me && !self.heard.contains_key(member))
                .collect(),
        }]
    }
}

/// Makes a record available to peers: dealings at once, messages when the caller publishes them.
fn show(shared: &Shared, record: &Record, entries: &mut Vec<Bytes>) {
    let keep = |dealing: &SignedDealing| {
        let name = (dealing.dealer, dealing.hash());
        shared.keep_body(name, dealing.to_bytes().into());
        // Whoever holds a dealing has heard its dealer say something.
        if dealing.dealer != shared.me {
            shared.note_held(dealing.dealer, 1);
        }
    };
    match record {
        Record::Outgoing(message) => {
            if let Message::Dealing(dealing) = message {
                keep(dealing);
            }
            entries.push(message.to_bytes().into());
        }
        Record::Body(dealing) => keep(dealing),
    }
}
