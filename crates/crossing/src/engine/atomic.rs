//! Atomic transactions: what clients, epochs and the beacon do to them. The two roles are in `participating.rs` and `deciding.rs`.
//!
//! What a voter pays goes to the decider's books at the decision and leaves the voter's when it hears of it; what anybody is
//! paid goes the other way. In between the hold covers it (SHARDING 1.7).

use std::sync::Arc;

use quorate_types::{AccountId, AssetId, Epoch, ShardId};

use super::Crossing;
use crate::accounts::Accounts;
use crate::decider::{Deciding, Pending, told};
use crate::error::{OrderError, RequestError};
use crate::event::{Alarm, Event};
use crate::message::{Body, Outcome};
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::participant::{OnOffer, Via, on_offer};
use crate::transaction::{AtomicId, BEACON, Cancel, SignedAtomic};
use crate::verified::Verified;

pub(super) type Signed = Arc<Verified<SignedAtomic>>;

impl Crossing {
    /// Takes a transaction from a client: the decider asks the voters, a voter votes. Repeating it changes nothing.
    ///
    /// A shard that is only paid has no part before the decision and refuses.
    ///
    /// # Errors
    /// [`RequestError`], and nothing has changed.
    pub fn submit(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Signed,
        events: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let transaction = &signed.transaction;
        let shard = self.shard();
        if transaction.decider == shard {
            return self.submit_to_decider(accounts, signed, events);
        }
        if !transaction.voters().any(|voter| voter.shard == shard) {
            return Err(RequestError::NotHere { shard });
        }
        let state = self.participations.get(&(transaction.decider, signed.id()));
        match on_offer(state, self.epoch > transaction.expiry, Via::Client) {
            OnOffer::Ignore => return Ok(()),
            OnOffer::Refuse | OnOffer::TooLate => return Err(self.expired(transaction.expiry)),
            OnOffer::Try => {}
        }
        self.check_room(transaction.decider)?;
        self.check_full()?;
        self.offer(accounts, signed, Via::Client, events);
        Ok(())
    }

    fn submit_to_decider(
        &mut self,
        accounts: &mut impl Accounts,
        signed: &Signed,
        events: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        if self.decidings.contains_key(&signed.id()) {
            return Ok(());
        }
        if self.epoch > signed.transaction.expiry {
            return Err(self.expired(signed.transaction.expiry));
        }
        for participant in told(signed, Outcome::Commit) {
            self.check_room(participant.shard)?;
        }
        self.check_full()?;
        self.learn(accounts, signed, events);
        Ok(())
    }

    /// Takes an order to abort: the first writer wins. The decider need not know the transaction, and then will not commit it
    /// later. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`RequestError::NotHere`] if another shard decides, [`RequestError::Decided`] if it is committed,
    /// [`RequestError::Expired`] if it is not known and cannot be committed any more.
    pub fn cancel(
        &mut self,
        cancel: &Verified<Cancel>,
        events: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let (signed, shard) = (&cancel.signed, self.shard());
        let (id, expiry) = (signed.id(), signed.transaction.expiry);
        if signed.transaction.decider != shard {
            return Err(RequestError::NotHere { shard });
        }
        match self.decidings.get(&id) {
            Some(Deciding::Done {
                outcome: Outcome::Abort,
                ..
            }) => return Ok(()),
            #[cfg(any(test, feature = "mutants"))]
            Some(Deciding::Done { .. }) if self.options.is(Mutation::CancelAfterCommit) => {}
            Some(Deciding::Done { outcome, .. }) => {
                return Err(RequestError::Decided { outcome: *outcome });
            }
            None if self.epoch > expiry => return Err(self.expired(expiry)),
            Some(Deciding::Pending(_)) => {}
            None => self.check_full()?,
        }
        // Nothing but the transaction's own form is needed from here on: the owners' signatures were checked with it.
        let signed = Arc::new(Verified::trust(signed.clone()));
        self.abort(&signed, events);
        Ok(())
    }

    /// Enters the next epoch. Caps begin anew, and what has not been decided by its expiry is aborted here if this shard decides
    /// it: the epoch is an entry of this log, and no clock is read.
    ///
    /// # Errors
    /// [`OrderError::Epoch`] if it does not come after the epoch there is.
    pub fn enter_epoch(&mut self, epoch: Epoch, events: &mut Vec<Event>) -> Result<(), OrderError> {
        if epoch <= self.epoch {
            return Err(OrderError::Epoch {
                epoch: self.epoch,
                found: epoch,
            });
        }
        self.epoch = epoch;
        self.inflow.clear();
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::NeverExpires) {
            return Ok(());
        }
        let expired = |pending: &Pending| epoch > pending.signed.transaction.expiry;
        self.abort_pending(expired, events);
        Ok(())
    }

    /// The beacon's order to abort what waits for a shard that does not answer, to all shards and here.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn force_abort(
        &mut self,
        silent: ShardId,
        events: &mut Vec<Event>,
    ) -> Result<(), OrderError> {
        let shard = self.shard();
        if shard != BEACON {
            return Err(OrderError::NotBeacon { shard });
        }
        if !self.outboxes.contains_key(&silent) {
            return Err(OrderError::UnknownShard { shard: silent });
        }
        let others: Vec<ShardId> = self.outboxes.keys().copied().collect();
        for other in others {
            self.say(other, Body::ForceAbort { shard: silent }, Vec::new());
        }
        self.abort_waiting_for(silent, events);
        Ok(())
    }

    /// Forgets decided transactions whose expiry has passed, at most `most` of them, in the order of their ids. Returns how
    /// many.
    pub fn forget(&mut self, most: usize, events: &mut Vec<Event>) -> usize {
        let epoch = self.forgetting_epoch();
        let participations = self.participations.iter();
        let old = participations.filter(|(_, state)| state.may_forget(epoch));
        let mut old: Vec<AtomicId> = old.map(|((_, id), _)| *id).collect();
        let decidings = self.decidings.iter();
        let done = decidings.filter(|(_, state)| state.may_forget(epoch));
        old.extend(done.map(|(id, _)| *id));
        old.sort_unstable();
        old.dedup();
        old.truncate(most);
        for transaction in &old {
            self.forget_one(*transaction, events);
        }
        old.len()
    }

    /// Forgets one transaction, if it may be.
    pub(crate) fn forget_one(&mut self, transaction: AtomicId, events: &mut Vec<Event>) {
        let epoch = self.forgetting_epoch();
        let before = self.participations.len() + self.decidings.len();
        self.participations
            .retain(|(_, id), state| *id != transaction || !state.may_forget(epoch));
        self.decidings
            .retain(|id, state| *id != transaction || !state.may_forget(epoch));
        if self.participations.len() + self.decidings.len() < before {
            events.push(Event::Forgotten { transaction });
        }
    }

    /// What expired before this epoch may be forgotten.
    fn forgetting_epoch(&self) -> Epoch {
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::ForgetEarly) {
            return Epoch(u64::MAX);
        }
        self.epoch
    }

    const fn expired(&self, expiry: Epoch) -> RequestError {
        RequestError::Expired {
            epoch: self.epoch,
            expiry,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        let most = self.options.transactions_max;
        self.participations.len() >= most || self.decidings.len() >= most
    }

    fn check_full(&self) -> Result<(), RequestError> {
        let most = self.options.transactions_max;
        if self.is_full() {
            return Err(RequestError::Full { most });
        }
        Ok(())
    }
}

pub(super) fn can_pay(
    accounts: &impl Accounts,
    account: AccountId,
    asset: AssetId,
    amount: u128,
) -> bool {
    accounts.exists(&account) && accounts.available(&account, asset) >= amount
}

pub(super) const fn ledger(account: AccountId, asset: AssetId) -> Event {
    Event::Alarm(Alarm::Ledger { account, asset })
}
