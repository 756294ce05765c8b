//! The decider of an atomic transaction: what the rules of [`decider`](crate::decider) say, done to accounts, books and channels.

use std::sync::Arc;

use quorate_types::{Epoch, Hash32, ShardId};

use super::Crossing;
use super::atomic::{Signed, can_pay, ledger};
use crate::accounts::Accounts;
use crate::decider::{Deciding, OnVote, Pending, on_vote, told};
use crate::event::{Alarm, Event};
use crate::message::{Answer, Body, Decision, Outcome, Vote};
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::transaction::{AtomicId, Participant, SignedAtomic};
use crate::verified::Verified;

impl Crossing {
    /// Remembers a transaction and asks the voters.
    pub(super) fn learn(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Signed,
        events: &mut Vec<Event>,
    ) {
        let pending = Pending::new(Arc::clone(signed));
        let is_complete = pending.is_complete();
        self.decidings
            .insert(signed.id(), Deciding::Pending(pending));
        for voter in signed.transaction.voters() {
            let prepare = Body::Prepare(Box::new((***signed).clone()));
            self.say(voter.shard, prepare, Vec::new());
        }
        if is_complete {
            self.try_commit(accounts, signed, events);
        }
    }

    pub(super) fn take_vote(
        &mut self,
        accounts: &mut impl Accounts,
        source: ShardId,
        vote: &Vote,
        carried: Option<&Signed>,
        events: &mut Vec<Event>,
    ) {
        let alarm = Event::Alarm(Alarm::Vote {
            source,
            transaction: vote.transaction,
        });
        let shard = self.shard();
        let carried = carried.filter(|signed| signed.transaction.decider == shard);
        let is_expired = carried.is_some_and(|signed| self.epoch > signed.transaction.expiry);
        let state = self.decidings.get(&vote.transaction);
        match (on_vote(state, is_expired, carried.is_some()), carried) {
            (OnVote::Count, _) => {}
            (OnVote::Learn, Some(signed)) if !self.is_full() => {
                self.learn(accounts, signed, events);
            }
            (OnVote::Learn | OnVote::AnswerAbort, _) => {
                let expiry = carried.map(|signed| signed.transaction.expiry);
                self.answer_abort(source, vote.transaction, expiry.unwrap_or_default());
                return;
            }
            (OnVote::Alarm, _) => {
                events.push(alarm);
                return;
            }
            (OnVote::Ignore, _) => return,
        }
        self.count_vote(accounts, source, vote, alarm, events);
    }

    /// Tells a voter that what it voted on is not known: it was not committed and will not be.
    ///
    /// The voter remembers the expiry itself, or has forgotten because it has passed; so one that is not known here need not be.
    /// It cannot be committed, whatever is known later: a commit takes this voter's vote, which was given away just now.
    fn answer_abort(&mut self, source: ShardId, transaction: AtomicId, expiry: Epoch) {
        let decision = Decision {
            transaction,
            outcome: Outcome::Abort,
            expiry,
            votes: Hash32::ZERO,
            credits: Vec::new(),
        };
        self.say(source, Body::Decision(decision), Vec::new());
    }

    fn count_vote(
        &mut self,
        accounts: &mut impl Accounts,
        source: ShardId,
        vote: &Vote,
        alarm: Event,
        events: &mut Vec<Event>,
    ) {
        let Some(Deciding::Pending(pending)) = self.decidings.get_mut(&vote.transaction) else {
            return;
        };
        let signed = Arc::clone(&pending.signed);
        let mut voters = signed.transaction.voters();
        let Some(voter) = voters.find(|voter| voter.shard == source) else {
            events.push(alarm);
            return;
        };
        let Answer::Yes { lock_versions } = &vote.answer else {
            self.abort(&signed, events);
            return;
        };
        let fits = vote.legs == voter.legs_digest() && lock_versions.len() == voter.debits.len();
        if !fits {
            events.push(alarm);
            self.abort(&signed, events);
            return;
        }
        pending.votes.insert(source, lock_versions.clone());
        let is_complete = pending.is_complete();
        #[cfg(any(test, feature = "mutants"))]
        let is_complete = is_complete || self.options.is(Mutation::FirstYesCommits);
        if is_complete {
            self.try_commit(accounts, &signed, events);
        }
    }

    /// Every voter said YES: commits if the own accounts can pay at this place of the log.
    fn try_commit(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Signed,
        events: &mut Vec<Event>,
    ) {
        let votes = match self.decidings.get(&signed.id()) {
            Some(Deciding::Pending(pending)) => pending.votes_digest(),
            _ => return,
        };
        let own = signed.transaction.participant(self.shard());
        let debits = own.map_or(&[][..], |own| own.debits.as_slice());
        let mut debits = debits.iter();
        let pays = debits.all(|leg| can_pay(accounts, leg.account(), leg.asset, leg.amount));
        if !pays || !self.book_votes(signed) {
            self.abort(signed, events);
            return;
        }
        if let Some(own) = own {
            self.execute_own(accounts, own, events);
        }
        self.decide(signed, Outcome::Commit, votes, events);
    }

    /// Decides ABORT, which touches no account here.
    pub(super) fn abort(&mut self, signed: &Verified<SignedAtomic>, events: &mut Vec<Event>) {
        self.decide(signed, Outcome::Abort, Hash32::ZERO, events);
    }

    /// Books what all voters pay, if it fits.
    fn book_votes(&mut self, signed: &Verified<SignedAtomic>) -> bool {
        let mut book = self.book.clone();
        for voter in signed.transaction.voters() {
            for leg in &voter.debits {
                if book.receive(leg.asset, voter.shard, leg.amount).is_err() {
                    return false;
                }
            }
        }
        self.book = book;
        true
    }

    /// Writes the decision and tells everybody whom it concerns.
    fn decide(
        &mut self,
        signed: &Verified<SignedAtomic>,
        outcome: Outcome,
        votes: Hash32,
        events: &mut Vec<Event>,
    ) {
        let (transaction, id) = (&signed.transaction, signed.id());
        let expiry = transaction.expiry;
        self.decidings
            .insert(id, Deciding::Done { outcome, expiry });
        events.push(Event::Decided {
            transaction: id,
            outcome,
        });
        let is_commit = outcome == Outcome::Commit;
        events.push(Event::Applied {
            transaction: id,
            outcome,
        });
        for participant in told(signed, outcome) {
            let credits = if is_commit {
                participant.credits.clone()
            } else {
                Vec::new()
            };
            for leg in &credits {
                self.book.send(leg.asset, participant.shard, leg.amount);
            }
            let decision = Decision {
                transaction: id,
                outcome,
                expiry,
                votes,
                credits,
            };
            self.say(participant.shard, Body::Decision(decision), Vec::new());
        }
    }

    /// The decider's own legs: at the decision, without a hold (the last agent).
    fn execute_own(
        &mut self,
        accounts: &mut impl Accounts,
        own: &Participant,
        events: &mut Vec<Event>,
    ) {
        for leg in &own.debits {
            let account = leg.account();
            if accounts.debit(&account, leg.asset, leg.amount).is_err() {
                events.push(ledger(account, leg.asset));
            }
        }
        for leg in &own.credits {
            let (account, asset, amount) = (leg.account, leg.asset, leg.amount);
            match accounts.credit(&account, asset, amount) {
                Ok(()) => events.push(Event::Credited {
                    source: self.shard(),
                    account,
                    asset,
                    amount,
                    reference: Hash32::ZERO,
                }),
                Err(_) => self.suspend(account, asset, amount, events),
            }
        }
    }

    /// Aborts what waits for a vote of `silent`.
    pub(super) fn abort_waiting_for(&mut self, silent: ShardId, events: &mut Vec<Event>) {
        let waits = |pending: &Pending| {
            let mut voters = pending.signed.transaction.voters();
            voters.any(|voter| voter.shard == silent) && !pending.votes.contains_key(&silent)
        };
        self.abort_pending(waits, events);
    }

    /// Aborts what is pending and meets a condition, in the order of ids.
    pub(super) fn abort_pending(
        &mut self,
        condition: impl Fn(&Pending) -> bool,
        events: &mut Vec<Event>,
    ) {
        let pending = self.decidings.values().filter_map(|state| match state {
            Deciding::Pending(pending) if condition(pending) => Some(Arc::clone(&pending.signed)),
            _ => None,
        });
        for signed in pending.collect::<Vec<_>>() {
            self.abort(&signed, events);
        }
    }
}
