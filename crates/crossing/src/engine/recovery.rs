//! A shard that no longer moves: frozen, acknowledged by all others, retired.
//!
//! Source: SHARDING 1.6. Its old committee may be slow and not dead, so it may certify while it is being replaced. Therefore the
//! beacon has every other shard refuse what it has not used yet (*freeze*) and say how far it is (*acknowledge*), and only when
//! all have does it name the height at which a new committee goes on (*retire*): the highest that anybody used, or that
//! is anchored. What the old committee did above it is no part of the shard's history. In the new one, whatever was not decided is
//! aborted.
//!
//! An observer outside may hold a certificate of the old committee above that height. That is what the two levels of finality
//! are for: [`Finality::Anchored`](crate::Finality::Anchored) stands even then, and an anchored certificate is taken from a
//! frozen shard too.
//!
//! One shard at a time: the next freeze waits for the retirement before it, since a frozen shard does not answer. Making the
//! new committee's key and carrying the state over are not done here.

use std::collections::BTreeMap;

use quorate_types::{Epoch, Hash32, Height, ShardId};

use super::Crossing;
use crate::channel::Inbox;
use crate::decider::Pending;
use crate::error::OrderError;
use crate::event::{Alarm, Event};
use crate::message::{Body, FreezeAck, Retire};
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::transaction::BEACON;

/// What the beacon knows of a shard that is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recovery {
    shard: ShardId,
    epoch: Epoch,
    /// Highest anchored height of the shard.
    anchored: Height,
    /// Highest height that each other shard used.
    answers: BTreeMap<ShardId, Height>,
}

impl Crossing {
    /// The beacon's order to freeze a shard, in the epoch of its newest term. `anchored` is the highest height of it
    /// that a record of the beacon includes; none above it may be included before the shard is retired.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn freeze(
        &mut self,
        shard: ShardId,
        anchored: Height,
        events: &mut Vec<Event>,
    ) -> Result<(), OrderError> {
        let own = self.shard();
        if own != BEACON {
            return Err(OrderError::NotBeacon { shard: own });
        }
        if let Some(recovery) = &self.recovery {
            return Err(OrderError::Frozen {
                shard: recovery.shard,
            });
        }
        let inbox = self.inboxes.get(&shard);
        let epoch = inbox.and_then(|inbox| inbox.terms.newest());
        let epoch = epoch.ok_or(OrderError::UnknownShard { shard })?;
        self.recovery = Some(Recovery {
            shard,
            epoch,
            anchored,
            answers: BTreeMap::new(),
        });
        for other in self.others(shard) {
            self.say(other, Body::Freeze { shard, epoch }, Vec::new());
        }
        let answer = self.freeze_here(shard, epoch, events);
        self.answered(own, answer.height, events);
        Ok(())
    }

    /// What the new committee of a retired shard does first, on the state at the shard's last height: it takes up the new
    /// epoch and aborts whatever was not decided.
    ///
    /// # Errors
    /// [`OrderError::UnknownShard`] if another shard was retired, [`OrderError::Height`] if this is not the state at the last
    /// height.
    pub fn restart(&mut self, retire: &Retire, events: &mut Vec<Event>) -> Result<(), OrderError> {
        if retire.shard != self.shard() {
            return Err(OrderError::UnknownShard {
                shard: retire.shard,
            });
        }
        if self.epoch != retire.epoch || self.height != retire.height {
            return Err(OrderError::Height {
                epoch: self.epoch,
                height: self.height,
                wanted: retire.height,
            });
        }
        self.enter_epoch(retire.next, events)?;
        let all = |_: &Pending| true;
        self.abort_pending(all, events);
        Ok(())
    }

    fn others(&self, shard: ShardId) -> Vec<ShardId> {
        let peers = self.outboxes.keys().copied();
        peers.filter(|peer| *peer != shard).collect()
    }

    pub(super) fn take_freeze(&mut self, shard: ShardId, epoch: Epoch, events: &mut Vec<Event>) {
        if !self.inboxes.contains_key(&shard) {
            return;
        }
        let answer = self.freeze_here(shard, epoch, events);
        self.say(BEACON, Body::FreezeAck(answer), Vec::new());
    }

    /// Refuses the shard's certificates from here on.
    fn freeze_here(&mut self, shard: ShardId, epoch: Epoch, events: &mut Vec<Event>) -> FreezeAck {
        let inbox: &mut Inbox = self.inboxes.entry(shard).or_default();
        inbox.frozen = inbox.frozen.max(Some(epoch));
        events.push(Event::Frozen { shard, epoch });
        FreezeAck {
            shard,
            epoch,
            height: inbox.height,
            consumed: inbox.consumed.count(),
            root: match inbox.consumed.count() {
                0 => Hash32::ZERO,
                _ => inbox.consumed.root(),
            },
        }
    }

    pub(super) fn take_freeze_ack(
        &mut self,
        source: ShardId,
        ack: &FreezeAck,
        events: &mut Vec<Event>,
    ) {
        let recovery = self.recovery.as_ref();
        let asked = recovery.is_some_and(|recovery| {
            recovery.shard == ack.shard && recovery.epoch == ack.epoch && source != ack.shard
        });
        if asked {
            self.answered(source, ack.height, events);
        } else {
            // Nobody asked, or it is answered already.
            events.push(Event::Alarm(Alarm::Unasked { source }));
        }
    }

    /// Retires the shard once everybody has answered.
    fn answered(&mut self, source: ShardId, height: Height, events: &mut Vec<Event>) {
        let Some(mut recovery) = self.recovery.take() else {
            return;
        };
        recovery.answers.insert(source, height);
        let others = self.others(recovery.shard);
        let mut missing = others.iter();
        let is_complete = missing.all(|other| recovery.answers.contains_key(other));
        #[cfg(any(test, feature = "mutants"))]
        let is_complete = is_complete || self.options.is(Mutation::RetireUnacknowledged);
        if !is_complete {
            self.recovery = Some(recovery);
            return;
        }
        let used = recovery.answers.values().copied().max();
        let retire = Retire {
            shard: recovery.shard,
            epoch: recovery.epoch,
            height: recovery.anchored.max(used.unwrap_or_default()),
            next: Epoch(recovery.epoch.0.saturating_add(1)).max(self.epoch),
        };
        for other in others {
            self.say(other, Body::Retire(retire), Vec::new());
        }
        self.take_retire(&retire, events);
    }

    /// The shard goes on above its last height, under a new committee.
    pub(super) fn take_retire(&mut self, retire: &Retire, events: &mut Vec<Event>) {
        let Some(inbox) = self.inboxes.get_mut(&retire.shard) else {
            return;
        };
        inbox.frozen = None;
        // An honest beacon names an epoch above those that were known; otherwise nothing is taken from the shard any more.
        let first = Height(retire.height.0.saturating_add(1));
        if inbox.terms.supersede(retire.next, first).is_err() {
            inbox.frozen = Some(retire.next);
            events.push(Event::Alarm(Alarm::Unasked { source: BEACON }));
            return;
        }
        events.push(Event::Retired(*retire));
    }
}
