//! Transfers out, and credits that come in: caps, bounces, suspense.
//!
//! Source: SHARDING 1.2, points 2 and 3, and the limiter of 1.6. A credit above a cap is consumed in its place like any
//! message, and its money waits beside the channel until an anchored certificate covers the message. So later messages, and
//! smaller credits among them, pass: credits commute, and nothing stands in a queue behind one that waits. A receipt waits as a
//! whole. What waits does not use up the cap, and a new epoch's cap does not set it free: only an anchor does.

use quorate_types::{AccountId, AssetId, Hash32, ShardId};

use super::Crossing;
use crate::accounts::{Accounts, AccountsError};
use crate::error::RequestError;
use crate::event::{Alarm, Event};
use crate::limits::CREDITS_MAX;
use crate::message::{Body, Credit, Receipt};
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::verified::Verified;

/// A payment to an account on another shard: debited here, credited there, with no vote and no way back but a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transfer {
    /// Who pays, here.
    pub payer: AccountId,
    /// The other shard.
    pub destination: ShardId,
    /// Who is paid, there.
    pub account: AccountId,
    /// What.
    pub asset: AssetId,
    /// Atoms, at least 1.
    pub amount: u128,
    /// The client's own reference.
    pub reference: Hash32,
}

impl Verified<Transfer> {
    /// Takes a transfer that the caller has checked: the payer's owner signed a transaction that says this, for this shard,
    /// and that transaction was not executed before.
    #[must_use]
    pub const fn authorised(transfer: Transfer) -> Self {
        Self::trust(transfer)
    }
}

/// Which message credits came in, and in which asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) source: ShardId,
    pub(crate) sequence: u64,
    pub(crate) asset: AssetId,
}

/// What becomes of credits that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Failing {
    /// They go back to who paid.
    Bounces,
    /// They are kept: a bounce does not bounce, and an atomic transaction has no way back.
    Suspends,
}

/// Credits of one message in one asset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arrived {
    pub(crate) total: u128,
    pub(crate) credits: Vec<Credit>,
    pub(crate) failing: Failing,
}

impl Crossing {
    /// Debits a transfer. The receipt is said when the commit is sealed.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn transfer(
        &mut self,
        accounts: &mut impl Accounts,
        transfer: &Verified<Transfer>,
    ) -> Result<(), RequestError> {
        let Transfer {
            payer,
            destination,
            account,
            asset,
            amount,
            reference,
        } = **transfer;
        if amount == 0 {
            return Err(RequestError::Nothing);
        }
        self.check_room(destination)?;
        accounts.debit(&payer, asset, amount)?;
        self.book.send(asset, destination, amount);
        let credits = self.unsealed.entry((destination, asset)).or_default();
        credits.push(Credit {
            account,
            amount,
            payer,
            reference,
        });
        if u32::try_from(credits.len()).is_ok_and(|count| count >= CREDITS_MAX) {
            self.say_receipt(destination, asset);
        }
        Ok(())
    }

    /// Credits what was kept for an account that now exists. Returns the atoms.
    ///
    /// # Errors
    /// [`RequestError::NothingSuspended`], [`RequestError::Accounts`] if it still does not exist.
    pub fn claim(
        &mut self,
        accounts: &mut impl Accounts,
        account: AccountId,
        asset: AssetId,
    ) -> Result<u128, RequestError> {
        let Some(amount) = self.suspended.get(&(account, asset)).copied() else {
            return Err(RequestError::NothingSuspended { account });
        };
        accounts.credit(&account, asset, amount)?;
        self.suspended.remove(&(account, asset));
        let line = self.book.line(asset);
        line.suspended = line.suspended.saturating_sub(amount);
        Ok(amount)
    }

    pub(super) fn say_receipts(&mut self) {
        let open: Vec<(ShardId, AssetId)> = self.unsealed.keys().copied().collect();
        for (destination, asset) in open {
            self.say_receipt(destination, asset);
        }
    }

    fn say_receipt(&mut self, destination: ShardId, asset: AssetId) {
        let credits = self.unsealed.remove(&(destination, asset));
        let credits = credits.unwrap_or_default();
        // There is at least one, at most as many as a receipt may have, and their sum was on accounts.
        if let Some(receipt) = Receipt::of(asset, &credits) {
            self.say(destination, Body::Receipt(receipt), credits);
        }
    }

    /// Books what came in and credits it, or lets it wait for an anchor.
    pub(super) fn arrive(
        &mut self,
        accounts: &mut impl Accounts,
        place: Place,
        arrived: Arrived,
        is_anchored: bool,
        events: &mut Vec<Event>,
    ) {
        let Place { source, asset, .. } = place;
        let total = arrived.total;
        if self.book.receive(asset, source, total).is_err() {
            events.push(Event::Alarm(Alarm::Overflow { source, asset }));
            return;
        }
        if !is_anchored && !self.take_cap(source, asset, total) {
            let line = self.book.line(asset);
            line.waiting = line.waiting.saturating_add(total);
            self.waiting.insert(place, arrived);
            events.push(Event::Waiting {
                source,
                sequence: place.sequence,
                asset,
                amount: total,
            });
            return;
        }
        self.credit_all(accounts, place, arrived, events);
    }

    /// Uses up the cap if it is not reached.
    fn take_cap(&mut self, source: ShardId, asset: AssetId, total: u128) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        if self.options.is(Mutation::CapUnchecked) {
            return true;
        }
        let Some(cap) = self.options.caps.get(&(source, asset)) else {
            return true;
        };
        let taken = self.inflow.entry((source, asset)).or_default();
        match taken.checked_add(total).filter(|sum| sum <= cap) {
            Some(sum) => {
                *taken = sum;
                true
            }
            None => false,
        }
    }

    /// Credits what waited in messages before `anchored`.
    pub(super) fn release_waiting(
        &mut self,
        accounts: &mut impl Accounts,
        source: ShardId,
        anchored: u64,
        events: &mut Vec<Event>,
    ) {
        let covered = |place: &&Place| place.source == source && place.sequence < anchored;
        let places: Vec<Place> = self.waiting.keys().filter(covered).copied().collect();
        for place in places {
            if let Some(arrived) = self.waiting.remove(&place) {
                let line = self.book.line(place.asset);
                line.waiting = line.waiting.saturating_sub(arrived.total);
                self.credit_all(accounts, place, arrived, events);
            }
        }
    }

    fn credit_all(
        &mut self,
        accounts: &mut impl Accounts,
        place: Place,
        arrived: Arrived,
        events: &mut Vec<Event>,
    ) {
        let Place { source, asset, .. } = place;
        let mut bounced = Vec::new();
        for credit in arrived.credits {
            let Credit {
                account,
                amount,
                payer,
                reference,
            } = credit;
            match accounts.credit(&account, asset, amount) {
                Ok(()) => events.push(Event::Credited {
                    source,
                    account,
                    asset,
                    amount,
                    reference,
                }),
                Err(AccountsError::Missing { .. } | AccountsError::Funds { .. })
                    if arrived.failing == Failing::Bounces =>
                {
                    events.push(Event::Bounced {
                        source,
                        account,
                        asset,
                        amount,
                    });
                    bounced.push(Credit {
                        account: payer,
                        amount,
                        payer: account,
                        reference,
                    });
                }
                Err(_) => self.suspend(account, asset, amount, events),
            }
        }
        if let Some(receipt) = Receipt::of(asset, &bounced) {
            self.book.send(asset, source, receipt.total);
            self.say(source, Body::Bounce(receipt), bounced);
        }
    }

    pub(super) fn suspend(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: u128,
        events: &mut Vec<Event>,
    ) {
        let kept = self.suspended.entry((account, asset)).or_default();
        *kept = kept.saturating_add(amount);
        let line = self.book.line(asset);
        line.suspended = line.suspended.saturating_add(amount);
        events.push(Event::Suspended {
            account,
            asset,
            amount,
        });
    }
}
