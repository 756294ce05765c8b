//! Bundles and anchors: where they belong in the channel, and what becomes of their messages.
//!
//! A bundle is applied if it starts at the next message or before it. What was consumed already is skipped, after it was
//! found to be the same; so two relayers whose bundles overlap do not get into each other's way.

use quorate_types::{Epoch, Height, Peaks, RangeProof, ShardId};

use super::Crossing;
use super::credits::{Arrived, Failing, Place};
use crate::accounts::Accounts;
use crate::bundle::{Anchor, Arrival, Checked, Content, Opened};
use crate::channel::{CertifiedRoots, ChannelHead, Finality, Inbox};
use crate::error::{DeliverError, OrderError};
use crate::event::{Alarm, Event};
use crate::message::{Body, Credit, Receipt, Vote};
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::participant::Via;
use crate::transaction::BEACON;
use crate::verified::Verified;

/// What a bundle brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that were new here.
    pub applied: u64,
    /// Messages that had been consumed before.
    pub skipped: u64,
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug)]
struct Origin {
    source: ShardId,
    sequence: u64,
    is_anchored: bool,
}

impl Crossing {
    /// Learns from the beacon that a peer's committee of `epoch` certifies from height `first` on; the one before it, up to
    /// there.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn begin_term(
        &mut self,
        peer: ShardId,
        epoch: Epoch,
        first: Height,
    ) -> Result<(), OrderError> {
        let inbox = self.inboxes.get_mut(&peer);
        let inbox = inbox.ok_or(OrderError::UnknownShard { shard: peer })?;
        if inbox.frozen.is_some() {
            return Err(OrderError::Frozen { shard: peer });
        }
        Ok(inbox.terms.begin(epoch, first)?)
    }

    /// Applies a bundle: every message in its place, and the acknowledgement that the certificate carries.
    ///
    /// # Errors
    /// [`DeliverError`], and nothing has changed.
    pub fn deliver(
        &mut self,
        accounts: &mut impl Accounts,
        bundle: &Verified<Opened>,
        events: &mut Vec<Event>,
    ) -> Result<Delivered, DeliverError> {
        let source = bundle.source();
        self.check_certificate(&bundle.roots, &bundle.head)?;
        let skipped = self.place(bundle)?;
        let fresh = bundle.arrivals.iter().skip(skipped);
        let applied = bundle.count().saturating_sub(count(skipped));
        let (sent, acknowledged) = self.sent(source);
        let claimed = bundle.head.consumed;
        if claimed > sent {
            return Err(DeliverError::Acknowledged { claimed, sent });
        }
        let next = self.next_sequence(source);
        let is_anchored = bundle.roots.finality == Finality::Anchored;
        let anchors = is_anchored && self.anchored(source) < next;
        if applied == 0 && claimed <= acknowledged && !anchors {
            return Err(DeliverError::Stale { next });
        }
        self.acknowledge(source, claimed);
        self.use_height(source, bundle.roots.height);
        for (sequence, arrival) in (bundle.start().saturating_add(count(skipped))..).zip(fresh) {
            self.count_consumed(source, sequence, &arrival.leaf);
            events.push(Event::Consumed { source, sequence });
            let origin = Origin {
                source,
                sequence,
                is_anchored,
            };
            self.consume(accounts, origin, arrival, events);
        }
        if is_anchored {
            let covered = self.next_sequence(source).min(bundle.head.sent);
            self.cover(accounts, source, covered, events);
        }
        Ok(Delivered {
            applied,
            skipped: count(skipped),
        })
    }

    /// Takes an anchored certificate for messages that were consumed under certificates that were not: what they credit above a
    /// cap stops waiting.
    ///
    /// # Errors
    /// [`DeliverError`], and nothing has changed.
    pub fn anchor(
        &mut self,
        accounts: &mut impl Accounts,
        roots: &Verified<CertifiedRoots>,
        anchor: &Verified<Anchor>,
        events: &mut Vec<Event>,
    ) -> Result<(), DeliverError> {
        let source = anchor.head.source;
        self.check_certificate(roots, &anchor.head)?;
        let consumed = self.inbox(source)?.consumed.clone();
        let covered = check_prefix(&consumed, &anchor.head, &anchor.prefix)?;
        if covered <= self.anchored(source) {
            return Err(DeliverError::Stale {
                next: consumed.count(),
            });
        }
        self.cover(accounts, source, covered, events);
        Ok(())
    }

    fn inbox(&self, source: ShardId) -> Result<&Inbox, DeliverError> {
        let inbox = self.inboxes.get(&source);
        inbox.ok_or(DeliverError::UnknownShard { shard: source })
    }

    fn anchored(&self, source: ShardId) -> u64 {
        self.inboxes.get(&source).map_or(0, |inbox| inbox.anchored)
    }

    /// Whether the certificate may be used at all: for this shard, within its epoch's term, and not of a frozen shard. What is
    /// anchored stands even then.
    fn check_certificate(
        &self,
        roots: &CertifiedRoots,
        head: &ChannelHead,
    ) -> Result<(), DeliverError> {
        let own = self.shard();
        if head.destination != own {
            return Err(DeliverError::Destination {
                own,
                found: head.destination,
            });
        }
        let inbox = self.inbox(head.source)?;
        let term = inbox.terms.check(roots.epoch, roots.height);
        #[cfg(any(test, feature = "mutants"))]
        let term = if self.options.is(Mutation::TermUnchecked) {
            Ok(())
        } else {
            term
        };
        term?;
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::FrozenTaken) {
            return Ok(());
        }
        match inbox.frozen {
            Some(frozen) if roots.epoch <= frozen && roots.finality == Finality::Shard => {
                Err(DeliverError::Frozen {
                    shard: head.source,
                    frozen,
                    epoch: roots.epoch,
                })
            }
            _ => Ok(()),
        }
    }

    /// How many of the bundle's messages were consumed before. They, and what comes before them, must be the same that were.
    fn place(&self, bundle: &Opened) -> Result<usize, DeliverError> {
        let inbox = self.inbox(bundle.source())?;
        let (start, next) = (bundle.start(), inbox.consumed.count());
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::LooseOrder)
            || (self.options.is(Mutation::SequenceUnchecked) && start <= next)
        {
            return Ok(0);
        }
        let Some(behind) = next.checked_sub(start) else {
            return Err(DeliverError::Gap { start, next });
        };
        if behind > bundle.count() {
            return Err(DeliverError::Stale { next });
        }
        let skipped = usize::try_from(behind).unwrap_or(usize::MAX);
        let mut seen = bundle.before.clone();
        for arrival in bundle.arrivals.iter().take(skipped) {
            seen.append(&arrival.leaf);
        }
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::PrefixUnchecked) {
            return Ok(skipped);
        }
        if seen != inbox.consumed {
            return Err(DeliverError::Forked {
                shard: bundle.source(),
                at: next,
                consumed: inbox.consumed.root(),
                found: seen.root(),
            });
        }
        Ok(skipped)
    }

    pub(crate) fn acknowledge(&mut self, peer: ShardId, consumed: u64) {
        let ends = (self.options.shard, peer);
        if let Some(outbox) = self.outboxes.get_mut(&peer) {
            // The bound was checked, so this is never refused.
            let _ = outbox.acknowledge(ends, self.options.window, consumed);
        }
    }

    fn use_height(&mut self, source: ShardId, height: Height) {
        if let Some(inbox) = self.inboxes.get_mut(&source) {
            inbox.height = inbox.height.max(height);
        }
    }

    fn count_consumed(&mut self, source: ShardId, sequence: u64, leaf: &[u8]) {
        if let Some(inbox) = self.inboxes.get_mut(&source)
            && inbox.consumed.count() == sequence
        {
            inbox.consumed.append(leaf);
        }
    }

    fn cover(
        &mut self,
        accounts: &mut impl Accounts,
        source: ShardId,
        covered: u64,
        events: &mut Vec<Event>,
    ) {
        if let Some(inbox) = self.inboxes.get_mut(&source) {
            inbox.anchored = inbox.anchored.max(covered);
        }
        self.release_waiting(accounts, source, covered, events);
    }

    /// Applies one message. Nothing fails here.
    fn consume(
        &mut self,
        accounts: &mut impl Accounts,
        origin: Origin,
        arrival: &Arrival,
        events: &mut Vec<Event>,
    ) {
        let Origin {
            source, sequence, ..
        } = origin;
        match &arrival.content {
            Content::Prepare(Ok(signed)) if signed.transaction.decider == source => {
                self.offer(accounts, signed, Via::Decider, events);
            }
            Content::Prepare(Ok(_)) => events.push(no_say(origin)),
            Content::Prepare(Err((transaction, error))) => {
                events.push(Event::Alarm(Alarm::Transaction {
                    source,
                    transaction: *transaction,
                    error: *error,
                }));
                self.vote_invalid(source, *transaction, events);
            }
            Content::Vote(vote, submitted) => {
                self.consume_vote(accounts, source, vote, submitted.as_ref(), events);
            }
            Content::Receipt(receipt, credits) => {
                self.consume_receipt(accounts, origin, receipt, credits, Failing::Bounces, events);
            }
            Content::Bounce(receipt, credits) => {
                let failing = Failing::Suspends;
                self.consume_receipt(accounts, origin, receipt, credits, failing, events);
            }
            Content::Plain(body) => self.consume_plain(accounts, origin, body, events),
            Content::Unreadable(error) => events.push(Event::Alarm(Alarm::Unreadable {
                source,
                sequence,
                error: *error,
            })),
            Content::Misplaced => {
                events.push(Event::Alarm(Alarm::Misplaced { source, sequence }));
            }
        }
    }

    fn consume_plain(
        &mut self,
        accounts: &mut impl Accounts,
        origin: Origin,
        body: &Body,
        events: &mut Vec<Event>,
    ) {
        let source = origin.source;
        match body {
            Body::Decision(decision) => {
                let place = (source, origin.sequence, origin.is_anchored);
                self.take_decision(accounts, place, decision, events);
            }
            Body::ForceAbort { shard } if source == BEACON => {
                self.abort_waiting_for(*shard, events);
            }
            Body::Freeze { shard, epoch } if source == BEACON => {
                self.take_freeze(*shard, *epoch, events);
            }
            Body::FreezeAck(ack) => self.take_freeze_ack(source, ack, events),
            Body::Retire(retire) if source == BEACON => self.take_retire(retire, events),
            // The other kinds have contents of their own.
            _ => events.push(no_say(origin)),
        }
    }

    fn consume_vote(
        &mut self,
        accounts: &mut impl Accounts,
        source: ShardId,
        vote: &Vote,
        submitted: Option<&Checked>,
        events: &mut Vec<Event>,
    ) {
        let carried = match submitted {
            None => None,
            Some(Ok(signed)) => Some(signed),
            Some(Err((transaction, error))) => {
                events.push(Event::Alarm(Alarm::Transaction {
                    source,
                    transaction: *transaction,
                    error: *error,
                }));
                None
            }
        };
        let carried = carried.filter(|signed| signed.id() == vote.transaction);
        self.take_vote(accounts, source, vote, carried, events);
    }

    fn consume_receipt(
        &mut self,
        accounts: &mut impl Accounts,
        origin: Origin,
        receipt: &Receipt,
        credits: &[Credit],
        failing: Failing,
        events: &mut Vec<Event>,
    ) {
        let place = Place {
            source: origin.source,
            sequence: origin.sequence,
            asset: receipt.asset,
        };
        let arrived = Arrived {
            total: receipt.total,
            credits: credits.to_vec(),
            failing,
        };
        self.arrive(accounts, place, arrived, origin.is_anchored, events);
    }
}

const fn no_say(origin: Origin) -> Event {
    Event::Alarm(Alarm::NoSay {
        source: origin.source,
        sequence: origin.sequence,
    })
}

fn count(messages: usize) -> u64 {
    u64::try_from(messages).unwrap_or(u64::MAX)
}

/// How many of the consumed messages are in the head's list too: all of the shorter one, if it is the beginning of the longer.
fn check_prefix(
    consumed: &Peaks,
    head: &ChannelHead,
    prefix: &RangeProof,
) -> Result<u64, DeliverError> {
    let shorter = head.sent.min(consumed.count());
    let longer = head.sent.max(consumed.count());
    let longer_root = if longer == head.sent {
        head.root
    } else {
        consumed.root()
    };
    let shorter_root = if shorter == consumed.count() {
        consumed.root()
    } else {
        head.root
    };
    let no_leaves: &[&[u8]] = &[];
    let before = prefix.verify(&longer_root, no_leaves);
    let before = before.filter(|_| prefix.size == longer && prefix.start == shorter);
    match before {
        Some(before) if before.root() == shorter_root => Ok(shorter),
        _ => Err(DeliverError::Forked {
            shard: head.source,
            at: shorter,
            consumed: consumed.root(),
            found: head.root,
        }),
    }
}
