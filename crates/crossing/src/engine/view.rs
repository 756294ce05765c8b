//! What tests look at.

use std::sync::Arc;

use quorate_types::{AccountId, AssetId, Epoch, Height, ShardId};

use super::Crossing;
use crate::accounts::Accounts;
use crate::bundle::{Arrival, Opened};
use crate::channel::{CertifiedRoots, ChannelHead, Finality, Outbox};
use crate::decider::Deciding;
use crate::message::{Body, Outcome, Parcel};
use crate::participant::Participation;
use crate::supply::Book;
use crate::transaction::{AtomicId, SignedAtomic};
use crate::verified::Verified;

impl Crossing {
    pub(crate) fn deciding(&self, id: AtomicId) -> Option<&Deciding> {
        self.decidings.get(&id)
    }

    pub(crate) fn remembered(&self) -> usize {
        self.participations.len() + self.decidings.len()
    }

    pub(crate) const fn book(&self) -> &Book {
        &self.book
    }

    pub(crate) fn unacknowledged(&self, destination: ShardId) -> impl Iterator<Item = &Parcel> {
        let outbox: &Outbox = &self.outboxes[&destination];
        outbox.parcels_from(0)
    }

    pub(crate) fn backlog(&self, destination: ShardId) -> impl Iterator<Item = &Body> {
        self.outboxes[&destination].backlog()
    }

    pub(crate) fn suspended(&self, account: AccountId, asset: AssetId) -> u128 {
        let kept = self.suspended.get(&(account, asset));
        kept.copied().unwrap_or(0)
    }

    /// What all transactions that were voted YES on have held here.
    pub(crate) fn held_by_votes(&self, asset: AssetId) -> u128 {
        let yes = self
            .participations
            .values()
            .filter_map(|state| match state {
                Participation::Yes(signed) => Some(signed),
                _ => None,
            });
        let debits = yes.flat_map(|signed| {
            let own = signed.transaction.participant(self.shard());
            own.map_or(&[][..], |own| own.debits.as_slice())
        });
        let debits = debits.filter(|leg| leg.asset == asset);
        debits.map(|leg| leg.amount).sum()
    }

    /// Lets go of a hold without the decider's word: what no participant may do.
    pub(crate) fn let_go(
        &mut self,
        accounts: &mut impl Accounts,
        decider: ShardId,
        id: AtomicId,
        events: &mut Vec<crate::event::Event>,
    ) {
        let state = self.participations.get(&(decider, id)).cloned();
        if let Some(Participation::Yes(signed)) = state {
            self.release(accounts, &signed, events);
        }
    }

    /// A bundle of one message as if it had been checked: paths and signatures are what the model leaves out.
    pub(crate) fn opened(
        &self,
        destination: ShardId,
        start: u64,
        (epoch, height): (Epoch, Height),
        read: impl FnOnce(&ChannelHead, u64, &Parcel) -> Arc<Arrival>,
    ) -> Option<Verified<Opened>> {
        let outbox = &self.outboxes[&destination];
        let parcel = outbox.parcels_from(start).next()?;
        let head = ChannelHead {
            source: self.shard(),
            destination,
            sent: outbox.sent(),
            root: quorate_types::Hash32::ZERO,
            consumed: 0,
        };
        let arrival = read(&head, start, parcel);
        Some(Verified::trust(Opened {
            roots: CertifiedRoots {
                shard: self.shard(),
                epoch,
                height,
                outbox_root: quorate_types::Hash32::ZERO,
                finality: Finality::Shard,
            },
            head,
            before: outbox.tree().peaks_at(start).ok()?,
            arrivals: vec![arrival],
        }))
    }
}

impl Deciding {
    pub(crate) const fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Pending(_) => None,
            Self::Done { outcome, .. } => Some(*outcome),
        }
    }
}

impl SignedAtomic {
    /// As if its signatures had been checked.
    pub(crate) fn trusted(self) -> Arc<Verified<Self>> {
        Arc::new(Verified::trust(self))
    }
}

impl Crossing {
    /// Says what no honest shard says.
    pub(crate) fn forge(&mut self, destination: ShardId, body: Body) {
        self.say(destination, body, Vec::new());
    }
}

impl Crossing {
    /// Whether something is undecided here.
    pub(crate) fn is_deciding(&self) -> bool {
        !self.decidings.values().all(Deciding::is_done)
    }

    /// What was ever sent to a peer.
    pub(crate) fn sent_ever(&self, destination: ShardId, asset: AssetId) -> u128 {
        let line = self.book.lines().find(|(of, _)| *of == asset);
        let flow = line.and_then(|(_, line)| line.flows.get(&destination));
        flow.map_or(0, |flow| flow.sent)
    }

    /// What is remembered of transactions in both roles, by a number for each state.
    pub(crate) fn memories(&self) -> Vec<(AtomicId, u8, Vec<ShardId>)> {
        let parts = self.participations.iter().map(|((_, id), state)| {
            let number = match state {
                Participation::Yes(_) => 0,
                Participation::No { .. } => 1,
                Participation::Committed { .. } => 2,
                Participation::Aborted { .. } => 3,
            };
            (*id, number, Vec::new())
        });
        let decidings = self.decidings.iter().map(|(id, state)| match state {
            Deciding::Pending(pending) => (*id, 4, pending.votes.keys().copied().collect()),
            Deciding::Done { outcome, .. } => {
                (*id, 5 + u8::from(*outcome == Outcome::Commit), vec![])
            }
        });
        parts.chain(decidings).collect()
    }
}
