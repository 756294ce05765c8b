//! The participant of an atomic transaction: what the table of [`participant`](crate::participant) says, done to accounts, books
//! and channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::{AssetId, Epoch, Hash32, ShardId};

use super::Crossing;
use super::atomic::{Signed, can_pay, ledger};
use super::credits::{Arrived, Failing, Place};
use crate::accounts::Accounts;
use crate::event::{Alarm, Event};
use crate::message::{Answer, Body, Credit, Decision, Outcome, Reason, Vote};
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::participant::{OnDecision, OnOffer, Participation, Via, on_decision, on_offer};
use crate::transaction::{AtomicId, CreditLeg, Participant, SignedAtomic};
use crate::verified::Verified;

impl Crossing {
    /// An offer to take part, from a client or from the decider.
    pub(super) fn offer(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Signed,
        via: Via,
        events: &mut Vec<Event>,
    ) {
        let (transaction, id) = (&signed.transaction, signed.id());
        let expiry = transaction.expiry;
        let key = (transaction.decider, id);
        let state = self.participations.get(&key);
        let answer = match on_offer(state, self.epoch > expiry, via) {
            OnOffer::Ignore | OnOffer::Refuse => return,
            OnOffer::TooLate => Answer::No(Reason::Expired),
            OnOffer::Try if self.is_full() => Answer::No(Reason::Full),
            OnOffer::Try => match transaction.participant(self.shard()) {
                Some(own) => self.hold_all(accounts, transaction.decider, own),
                None => Answer::No(Reason::Invalid),
            },
        };
        let state = match answer {
            Answer::Yes { .. } => Participation::Yes(Arc::clone(signed)),
            Answer::No(_) => Participation::No { expiry },
        };
        self.participations.insert(key, state);
        let own = transaction.participant(self.shard());
        let vote = Vote {
            transaction: id,
            epoch: self.epoch,
            legs: own.map_or(Hash32::ZERO, Participant::legs_digest),
            answer: answer.clone(),
            submitted: (via == Via::Client).then(|| Box::new((***signed).clone())),
        };
        self.say(transaction.decider, Body::Vote(Box::new(vote)), Vec::new());
        events.push(Event::Voted {
            transaction: id,
            answer,
        });
    }

    /// Holds all debits, or none.
    fn hold_all(
        &mut self,
        accounts: &mut impl Accounts,
        decider: ShardId,
        own: &Participant,
    ) -> Answer {
        let short = |accounts: &_, own: &Participant| {
            let mut debits = own.debits.iter();
            debits.any(|leg| !can_pay(accounts, leg.account(), leg.asset, leg.amount))
        };
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::YesWithoutHold) {
            let lock_versions = own.debits.iter().map(|_| 0).collect();
            return Answer::Yes { lock_versions };
        }
        if short(&*accounts, own) {
            return Answer::No(Reason::Funds);
        }
        let mut lock_versions = Vec::with_capacity(own.debits.len());
        for leg in &own.debits {
            let account = leg.account();
            // No two debits are of one account and asset, so none takes what another one needs.
            if accounts.hold(&account, leg.asset, leg.amount).is_ok() {
                self.book.hold(leg.asset, decider, leg.amount);
            }
            lock_versions.push(accounts.lock_version(&account));
        }
        Answer::Yes { lock_versions }
    }

    /// NO to what is no transaction. There is nothing to remember: nobody can commit it here, since nothing is held for it.
    pub(super) fn vote_invalid(
        &mut self,
        source: ShardId,
        transaction: AtomicId,
        events: &mut Vec<Event>,
    ) {
        let answer = Answer::No(Reason::Invalid);
        let vote = Vote {
            transaction,
            epoch: self.epoch,
            legs: Hash32::ZERO,
            answer: answer.clone(),
            submitted: None,
        };
        self.say(source, Body::Vote(Box::new(vote)), Vec::new());
        events.push(Event::Voted {
            transaction,
            answer,
        });
    }

    pub(super) fn take_decision(
        &mut self,
        accounts: &mut impl Accounts,
        (source, sequence, is_anchored): (ShardId, u64, bool),
        decision: &Decision,
        events: &mut Vec<Event>,
    ) {
        let Decision {
            transaction: id,
            outcome,
            expiry,
            ..
        } = *decision;
        let state = self.participations.get(&(source, id)).cloned();
        let alarm = Event::Alarm(Alarm::Decision {
            source,
            transaction: id,
            outcome,
        });
        match (
            on_decision(state.as_ref(), outcome, self.epoch > expiry),
            state,
        ) {
            (OnDecision::Apply, Some(Participation::Yes(signed))) => {
                let own = signed.transaction.participant(self.shard());
                let credits = own.map_or(&[][..], |own| own.credits.as_slice());
                if credits != decision.credits.as_slice() {
                    events.push(alarm);
                }
                self.pay_held(accounts, &signed, events);
                self.credit_legs(accounts, (source, sequence, is_anchored), credits, events);
            }
            (OnDecision::Credit, _) => {
                let place = (source, sequence, is_anchored);
                self.credit_legs(accounts, place, &decision.credits, events);
            }
            (OnDecision::Release, Some(Participation::Yes(signed))) => {
                self.release(accounts, &signed, events);
                return;
            }
            (OnDecision::Entomb, Some(Participation::No { expiry })) => {
                self.remember(source, id, outcome, expiry, events);
                return;
            }
            (OnDecision::Entomb, _) => {}
            (OnDecision::Alarm, _) => {
                events.push(alarm);
                return;
            }
            (OnDecision::Ignore | OnDecision::Apply | OnDecision::Release, _) => return,
        }
        self.remember(source, id, outcome, expiry, events);
    }

    /// What stays is that it is decided, until its expiry has passed.
    fn remember(
        &mut self,
        decider: ShardId,
        id: AtomicId,
        outcome: Outcome,
        expiry: Epoch,
        events: &mut Vec<Event>,
    ) {
        events.push(Event::Applied {
            transaction: id,
            outcome,
        });
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::TombstoneDropped) {
            self.participations.remove(&(decider, id));
            return;
        }
        let state = Participation::decided(outcome, expiry);
        self.participations.insert((decider, id), state);
    }

    pub(crate) fn release(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Verified<SignedAtomic>,
        events: &mut Vec<Event>,
    ) {
        let transaction = &signed.transaction;
        let own = transaction.participant(self.shard());
        for leg in own.map_or(&[][..], |own| own.debits.as_slice()) {
            let account = leg.account();
            if accounts.release(&account, leg.asset, leg.amount).is_err() {
                events.push(ledger(account, leg.asset));
            }
            #[cfg(any(test, feature = "mutants"))]
            if self.options.is(Mutation::HoldStays) {
                continue;
            }
            self.book.unhold(leg.asset, transaction.decider, leg.amount);
        }
        let (decider, expiry) = (transaction.decider, transaction.expiry);
        self.remember(decider, signed.id(), Outcome::Abort, expiry, events);
    }

    fn pay_held(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Verified<SignedAtomic>,
        events: &mut Vec<Event>,
    ) {
        let transaction = &signed.transaction;
        let own = transaction.participant(self.shard());
        for leg in own.map_or(&[][..], |own| own.debits.as_slice()) {
            let account = leg.account();
            if accounts
                .debit_held(&account, leg.asset, leg.amount)
                .is_err()
            {
                events.push(ledger(account, leg.asset));
            }
            self.book.unhold(leg.asset, transaction.decider, leg.amount);
            self.book.send(leg.asset, transaction.decider, leg.amount);
        }
    }

    /// Credits of a commit, by asset; they count as inflow like any other.
    fn credit_legs(
        &mut self,
        accounts: &mut impl Accounts,
        (source, sequence, is_anchored): (ShardId, u64, bool),
        legs: &[CreditLeg],
        events: &mut Vec<Event>,
    ) {
        let mut by_asset: BTreeMap<AssetId, Option<Arrived>> = BTreeMap::new();
        for leg in legs {
            let arrived = by_asset.entry(leg.asset).or_insert_with(|| {
                Some(Arrived {
                    total: 0,
                    credits: Vec::new(),
                    failing: Failing::Suspends,
                })
            });
            *arrived = arrived.take().and_then(|mut arrived| {
                arrived.total = arrived.total.checked_add(leg.amount)?;
                arrived.credits.push(Credit {
                    account: leg.account,
                    amount: leg.amount,
                    payer: leg.account,
                    reference: Hash32::ZERO,
                });
                Some(arrived)
            });
        }
        for (asset, arrived) in by_asset {
            let place = Place {
                source,
                sequence,
                asset,
            };
            match arrived {
                Some(arrived) => self.arrive(accounts, place, arrived, is_anchored, events),
                None => events.push(Event::Alarm(Alarm::Overflow { source, asset })),
            }
        }
    }
}
