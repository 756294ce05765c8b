//! What the threads and the sockets of one member share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use quorate_dkg::{Ceremony, DealingName, Input, MemberSet, Message, Outcome};
use quorate_types::{CeremonyId, Signature, ValidatorIndex};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::error::CeremonyError;
use super::status::{CeremonyPeer, CeremonyResult, CeremonyStatus};

/// What the thread of the engine reacts to.
pub(super) enum Event {
    /// For the engine.
    Input(Input),
    /// A message of a peer's outbox; the permit is one of the peer's places in the queue.
    Received {
        from: ValidatorIndex,
        position: u64,
        message: Message,
        _room: OwnedSemaphorePermit,
    },
    /// A peer said how much it holds of the own outbox. Who asks waits, so that nobody can fill this queue.
    Claims {
        from: ValidatorIndex,
        held: u64,
        noted: oneshot::Sender<()>,
    },
    /// A peer said that it is complete; answered once that is durable.
    Complete {
        from: ValidatorIndex,
        noted: oneshot::Sender<()>,
    },
    /// A peer has heard that this member is complete.
    Acknowledged { from: ValidatorIndex },
    /// The files are written, or cannot be.
    Written(Result<CeremonyResult, CeremonyError>),
    /// End.
    Stop,
}

/// What the thread with the secrets does.
pub(super) enum Order {
    /// A job of the engine.
    Job(quorate_dkg::Job),
    /// Write the files.
    Finish(Box<Outcome>),
    /// Sign a challenge with the share; `None` if there is none yet.
    Prove {
        challenge: [u8; 32],
        reply: oneshot::Sender<Option<Signature>>,
    },
    /// End.
    Stop,
}

/// A dealing to ask a peer for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    pub(super) from: ValidatorIndex,
    pub(super) name: DealingName,
}

/// What one member's parts share.
pub(super) struct Shared {
    pub(super) ceremony: Arc<Ceremony>,
    pub(super) me: ValidatorIndex,
    pub(super) status: watch::Sender<CeremonyStatus>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) orders: std_mpsc::Sender<Order>,
    pub(super) fatal: mpsc::UnboundedSender<CeremonyError>,
    /// Whether peers may be listened to: the log is read, and it is clear that it is the whole log.
    pub(super) listening: watch::Sender<bool>,
    /// Whether this member is complete. Apart from the status, which changes all the time.
    complete: watch::Sender<bool>,
    /// Peers that lied.
    pub(super) refused: watch::Sender<MemberSet>,
    /// How many entries the outbox has that peers may see.
    pub(super) outbox_len: watch::Sender<u64>,
    pub(super) stop_requested: Notify,
    /// Cancelled when the node stops.
    pub(super) stop: CancellationToken,
    outbox: RwLock<Vec<Bytes>>,
    bodies: RwLock<BTreeMap<DealingName, Bytes>>,
    evidence: RwLock<Vec<(ValidatorIndex, Bytes)>>,
    transcript: RwLock<Option<Bytes>>,
    /// By member: how many of its messages this one is known to have read.
    held: Vec<AtomicU64>,
}

/// The sending halves of the queues.
pub(super) struct Queues {
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) orders: std_mpsc::Sender<Order>,
    pub(super) fatal: mpsc::UnboundedSender<CeremonyError>,
}

impl Shared {
    pub(super) fn new(
        ceremony: Arc<Ceremony>,
        me: ValidatorIndex,
        addresses: &[String],
        queues: Queues,
    ) -> Self {
        Self {
            status: watch::Sender::new(CeremonyStatus::new(&ceremony, me, addresses)),
            events: queues.events,
            orders: queues.orders,
            fatal: queues.fatal,
            listening: watch::Sender::new(false),
            complete: watch::Sender::new(false),
            refused: watch::Sender::new(MemberSet::default()),
            outbox_len: watch::Sender::new(0),
            stop_requested: Notify::new(),
            stop: CancellationToken::new(),
            outbox: RwLock::default(),
            bodies: RwLock::default(),
            evidence: RwLock::default(),
            transcript: RwLock::default(),
            held: ceremony.indices().map(|_| AtomicU64::new(0)).collect(),
            ceremony,
            me,
        }
    }

    /// Tells the engine's thread. It is gone only when the node stops.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// The node cannot go on.
    pub(super) fn fail(&self, error: CeremonyError) {
        tracing::error!(%error, "the ceremony cannot go on here");
        let _ = self.fatal.send(error);
    }

    /// Changes what the status says of a peer; tells the watchers if that changed anything.
    pub(super) fn update_peer(
        &self,
        index: ValidatorIndex,
        change: impl FnOnce(&mut CeremonyPeer),
    ) {
        self.status.send_if_modified(|status| {
            let Some(peer) = status.peer_mut(index) else {
                return false;
            };
            let before = peer.clone();
            change(peer);
            *peer != before
        });
    }

    /// A peer runs another ceremony.
    pub(super) fn met_other_ceremony(&self, from: ValidatorIndex, other: CeremonyId) {
        self.update_peer(from, |peer| {
            if peer.other_ceremony != Some(other) {
                tracing::error!(member = %from, name = peer.name, %other, "a member runs another ceremony");
            }
            peer.other_ceremony = Some(other);
        });
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(super) fn is_complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// All files are written.
    pub(super) fn complete(&self, result: CeremonyResult) {
        self.status
            .send_modify(|status| status.result = Some(result));
        self.complete.send_replace(true);
    }

    /// Resolves once this member is complete.
    pub(super) async fn completed(&self) {
        let mut complete = self.complete.subscribe();
        // The sender is alive as long as `self` is.
        let _ = complete.wait_for(|complete| *complete).await;
    }

    /// Resolves once a peer lied.
    pub(super) async fn refuses(&self, peer: ValidatorIndex) {
        let mut refused = self.refused.subscribe();
        let _ = refused.wait_for(|refused| refused.contains(peer)).await;
    }

    /// Shows peers what is durable now.
    pub(super) fn publish(&self, entries: Vec<Bytes>) {
        if entries.is_empty() {
            return;
        }
        let length = {
            let mut outbox = exclusive(&self.outbox);
            outbox.extend(entries);
            outbox.len() as u64
        };
        self.outbox_len.send_replace(length);
    }

    /// Entries of the outbox from a position on: at most `bytes_max` bytes, but one if there is any.
    pub(super) fn outbox(&self, from: u64, bytes_max: usize) -> Vec<Bytes> {
        let outbox = shared(&self.outbox);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut bytes = 0usize;
        let rest = outbox.get(from..).unwrap_or_default();
        let fit = rest.iter().enumerate().take_while(|(number, entry)| {
            bytes = bytes.saturating_add(entry.len());
            *number == 0 || bytes <= bytes_max
        });
        fit.map(|(_, entry)| entry.clone()).collect()
    }

    pub(super) fn keep_body(&self, name: DealingName, dealing: Bytes) {
        exclusive(&self.bodies).entry(name).or_insert(dealing);
    }

    pub(super) fn body(&self, name: &DealingName) -> Option<Bytes> {
        shared(&self.bodies).get(name).cloned()
    }

    /// Adds evidence unless it is there.
    pub(super) fn keep_evidence(&self, dealer: ValidatorIndex, canonical: Bytes) {
        let mut evidence = exclusive(&self.evidence);
        if evidence.iter().all(|(_, there)| *there != canonical) {
            evidence.push((dealer, canonical));
        }
        let count = evidence.len() as u64;
        drop(evidence);
        self.status
            .send_if_modified(|status| std::mem::replace(&mut status.evidence, count) != count);
    }

    /// Evidence from a number on, and how much there is.
    pub(super) fn evidence(&self, from: u64, count: usize) -> (Vec<(ValidatorIndex, Bytes)>, u64) {
        let evidence = shared(&self.evidence);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let some = evidence.iter().skip(from).take(count).cloned().collect();
        (some, evidence.len() as u64)
    }

    pub(super) fn keep_transcript(&self, canonical: Bytes) {
        *exclusive(&self.transcript) = Some(canonical);
    }

    pub(super) fn transcript(&self) -> Option<Bytes> {
        shared(&self.transcript).clone()
    }

    /// How many messages of a peer this member is known to have read.
    pub(super) fn held(&self, peer: ValidatorIndex) -> u64 {
        let held = self.held.get(peer.position());
        held.map_or(0, |held| held.load(Ordering::Relaxed))
    }

    pub(super) fn note_held(&self, peer: ValidatorIndex, at_least: u64) {
        if let Some(held) = self.held.get(peer.position()) {
            held.fetch_max(at_least, Ordering::Relaxed);
        }
    }
}

fn shared<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    // Nobody panics half-way through a change of these.
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn exclusive<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
