//! Which transactions a validator takes into its pool.
//!
//! Admission is one validator's own view and optimistic: it reserves numbers and balances for what is pending *here*, so
//! that honest clients of one validator never see their transactions fail when ordered. Only execution decides.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use quorate_types::limits::LANES_MAX;
use quorate_types::{
    Account, AccountId, AssetId, Body, Commit, RejectCode, Round, SignedTransaction, StateKey,
    Transaction, TransactionId, ValidatorIndex,
};

use crate::ledger::Execution;
use crate::signatures::{are_signed_by, owner_of};
use crate::state::Snapshot;

/// A transaction of this chain, signed by the owner of its account. Made without any lock, so that signatures are
/// verified on many threads before [`Admission::reserve`].
#[derive(Clone, Debug)]
pub struct Authenticated(SignedTransaction);

impl Authenticated {
    /// Checks form and signature.
    ///
    /// # Errors
    /// A code of [`Rules::check_form`](crate::Rules::check_form), 2001 or 1002.
    pub fn new(signed: SignedTransaction, snapshot: &Snapshot) -> Result<Self, RejectCode> {
        let mut verdicts = Self::batch(vec![signed], snapshot);
        verdicts.pop().unwrap_or(Err(RejectCode::BadEncoding))
    }

    /// [`Authenticated::new`] for many at about half the price, with a verdict on each in order.
    #[must_use]
    pub fn batch(
        signed: Vec<SignedTransaction>,
        snapshot: &Snapshot,
    ) -> Vec<Result<Self, RejectCode>> {
        let owners: Vec<_> = signed
            .iter()
            .map(|signed| {
                snapshot.rules().check_form(signed)?;
                owner_of(snapshot, signed).ok_or(RejectCode::NoAccount)
            })
            .collect();
        let known: Vec<_> = signed
            .iter()
            .zip(&owners)
            .filter_map(|(signed, owner)| Some((signed, owner.ok()?)))
            .collect();
        let mut valid = are_signed_by(&known).into_iter();
        signed
            .into_iter()
            .zip(owners)
            .map(|(signed, owner)| {
                owner?;
                match valid.next() {
                    Some(true) => Ok(Self(signed)),
                    _ => Err(RejectCode::BadSignature),
                }
            })
            .collect()
    }

    /// The transaction.
    #[must_use]
    pub const fn signed(&self) -> &SignedTransaction {
        &self.0
    }

    /// The transaction.
    #[must_use]
    pub fn into_signed(self) -> SignedTransaction {
        self.0
    }
}

/// How much may be pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Most pending transactions of one account: a client that sends faster than commits come waits for them.
    pub per_account: usize,
    /// Most pending transactions together: some seconds of a full pipeline, at a few hundred bytes each.
    pub total: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            per_account: 4_096,
            total: 262_144,
        }
    }
}

/// Why a transaction is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Execution would reject it.
    #[error("{0}")]
    Rejected(RejectCode),
    /// It is pending already.
    #[error("the transaction is pending already")]
    AlreadyPending,
    /// The account has as many pending transactions as it may. Try again after the next commit.
    #[error("{limit} transactions of the account are pending, as many as may be")]
    AccountFull {
        /// The limit.
        limit: usize,
    },
    /// As many transactions are pending as may be. Try again after the next commit.
    #[error("{limit} transactions are pending, as many as may be")]
    Full {
        /// The limit.
        limit: usize,
    },
}

impl From<RejectCode> for AdmissionError {
    fn from(code: RejectCode) -> Self {
        Self::Rejected(code)
    }
}

/// What is pending at one validator, over the newest state. Debits and numbers are reserved until the transaction is
/// executed or dropped; pending credits do not count.
#[derive(Clone, Debug)]
pub struct Admission {
    me: ValidatorIndex,
    limits: AdmissionLimits,
    snapshot: Snapshot,
    accounts: BTreeMap<AccountId, Pending>,
    reservations: BTreeMap<TransactionId, Reservation>,
}

#[derive(Clone, Debug, Default)]
struct Pending {
    count: usize,
    lanes: BTreeMap<u16, PendingLane>,
    debits: BTreeMap<AssetId, u128>,
}

#[derive(Clone, Debug, Default)]
struct PendingLane {
    numbers: BTreeMap<u64, TransactionId>,
    /// All numbers from the state's next one up to here are pending. Saves walking over them for every transaction.
    held_below: u64,
}

#[derive(Clone, Debug)]
struct Reservation {
    account: AccountId,
    lane: u16,
    sequence: u64,
    debits: Vec<(AssetId, u128)>,
}

impl Admission {
    /// Nothing pending at validator `me`.
    #[must_use]
    pub const fn new(me: ValidatorIndex, snapshot: Snapshot, limits: AdmissionLimits) -> Self {
        Self {
            me,
            limits,
            snapshot,
            accounts: BTreeMap::new(),
            reservations: BTreeMap::new(),
        }
    }

    /// The state that pending transactions are judged over.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// How many transactions are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reservations.len()
    }

    /// Whether this transaction is pending.
    #[must_use]
    pub fn is_pending(&self, id: &TransactionId) -> bool {
        self.reservations.contains_key(id)
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reservations.is_empty()
    }

    /// The number that the account's next transaction in `lane` must have.
    #[must_use]
    pub fn next_sequence(&self, account: &AccountId, lane: u16) -> u64 {
        let next = self.executed_up_to(account, lane);
        let pending = self.accounts.get(account);
        pending.map_or(next, |pending| pending.next_sequence(lane, next))
    }

    /// [`Authenticated::new`] and [`Admission::reserve`].
    ///
    /// # Errors
    /// Theirs.
    pub fn admit(
        &mut self,
        signed: SignedTransaction,
        now_round: Round,
    ) -> Result<Authenticated, AdmissionError> {
        let authenticated = Authenticated::new(signed, &self.snapshot)?;
        self.reserve(&authenticated, now_round)?;
        Ok(authenticated)
    }

    /// Admits a transaction and reserves its number and debits. `now_round` is the validator's newest round: a
    /// transaction that expires before it would be ordered too late.
    ///
    /// # Errors
    /// [`AdmissionError`]; nothing is reserved then.
    pub fn reserve(
        &mut self,
        authenticated: &Authenticated,
        now_round: Round,
    ) -> Result<(), AdmissionError> {
        let id = authenticated.0.id();
        let transaction = &authenticated.0.transaction;
        if self.reservations.contains_key(&id) {
            return Err(AdmissionError::AlreadyPending);
        }
        let account = transaction.body.signer();
        let debits = self.judge(transaction, account, now_round)?;
        if self.reservations.len() >= self.limits.total {
            return Err(AdmissionError::Full {
                limit: self.limits.total,
            });
        }
        let count = self
            .accounts
            .get(&account)
            .map_or(0, |pending| pending.count);
        if count >= self.limits.per_account {
            return Err(AdmissionError::AccountFull {
                limit: self.limits.per_account,
            });
        }
        let reservation = Reservation {
            account,
            lane: transaction.lane,
            sequence: transaction.sequence,
            debits,
        };
        self.accounts
            .entry(account)
            .or_default()
            .add(id, &reservation);
        self.reservations.insert(id, reservation);
        Ok(())
    }

    /// Follows the ledger: takes over its state, and releases what own blocks carried and what can no longer be executed
    /// because its number is taken. To be called with every commit, in order.
    ///
    /// Receipts for the blocks of others release nothing by themselves: another validator may order a pending
    /// transaction with a forged signature or before its time, and the own copy is still good.
    pub fn settle(&mut self, commit: &Commit, execution: &Execution) {
        self.snapshot = execution.snapshot.clone();
        let mut receipts = execution.receipts.iter();
        for block in &commit.blocks {
            let count = usize::try_from(block.transaction_count()).unwrap_or(usize::MAX);
            for receipt in receipts.by_ref().take(count) {
                if block.author() == self.me {
                    self.dropped(&receipt.transaction);
                }
            }
        }
        for (key, _) in &execution.changes {
            if let StateKey::Account(id) = key {
                self.release_taken(id);
            }
        }
    }

    /// Releases a transaction that will not be proposed any more.
    pub fn dropped(&mut self, id: &TransactionId) {
        let Some(reservation) = self.reservations.remove(id) else {
            return;
        };
        let next = self.executed_up_to(&reservation.account, reservation.lane);
        if let Slot::Occupied(mut slot) = self.accounts.entry(reservation.account) {
            slot.get_mut().remove(&reservation, next);
            if slot.get().count == 0 {
                slot.remove();
            }
        }
    }

    /// The state's next number of a lane.
    fn executed_up_to(&self, account: &AccountId, lane: u16) -> u64 {
        self.snapshot
            .account(account)
            .map_or(0, |account| account.next_sequence(lane))
    }

    /// Releases all of an account's reservations whose numbers the state has gone past.
    fn release_taken(&mut self, id: &AccountId) {
        let Some((pending, account)) = self.accounts.get(id).zip(self.snapshot.account(id)) else {
            return;
        };
        let taken: Vec<TransactionId> = pending
            .lanes
            .iter()
            .flat_map(|(lane, held)| held.numbers.range(..account.next_sequence(*lane)))
            .map(|(_, id)| *id)
            .collect();
        for id in taken {
            self.dropped(&id);
        }
    }

    /// The checks of execution after form and signature, with what is pending taken off; gives the debits to reserve.
    fn judge(
        &self,
        transaction: &Transaction,
        signer: AccountId,
        now_round: Round,
    ) -> Result<Vec<(AssetId, u128)>, RejectCode> {
        let account = self.snapshot.account(&signer);
        match (&transaction.body, account) {
            (Body::CreateAccount { .. }, Some(_)) => return Err(RejectCode::AccountExists),
            (Body::CreateAccount { .. }, None) if transaction.lane != 0 => {
                return Err(RejectCode::BadSequence);
            }
            (Body::Transfer { .. }, None) => return Err(RejectCode::NoAccount),
            _ => {}
        }
        if transaction.sequence != self.next_sequence(&signer, transaction.lane) {
            return Err(RejectCode::BadSequence);
        }
        let pending = self.accounts.get(&signer);
        if !has_room(account, pending, transaction.lane) {
            return Err(RejectCode::TooManyLanes);
        }
        if transaction.valid_until_round < now_round {
            return Err(RejectCode::Expired);
        }
        if transaction.sequence == u64::MAX {
            return Err(RejectCode::Overflow);
        }
        if !transaction.dependencies.is_empty() {
            return Err(RejectCode::DependencyMissing);
        }
        let rules = self.snapshot.rules();
        if rules.fee(&transaction.body) > transaction.max_fee {
            return Err(RejectCode::FeeCap);
        }
        let Body::Transfer {
            to, asset, amount, ..
        } = transaction.body
        else {
            return Ok(Vec::new());
        };
        if !rules.has_asset(asset) {
            return Err(RejectCode::NoAsset);
        }
        self.snapshot.account(&to).ok_or(RejectCode::NoAccount)?;
        let debits = rules.debits(asset, amount)?;
        for (asset, sum) in &debits {
            let free = account.map_or(0, |account| account.free_of(*asset));
            let reserved = pending.map_or(0, |pending| pending.debit(*asset));
            let total = reserved.checked_add(*sum).ok_or(RejectCode::Overflow)?;
            if total > free {
                return Err(RejectCode::InsufficientFree);
            }
        }
        Ok(debits)
    }
}

impl Pending {
    fn debit(&self, asset: AssetId) -> u128 {
        self.debits.get(&asset).copied().unwrap_or(0)
    }

    /// The lowest number from `next` on that is not pending. A dropped transaction leaves a gap to be filled.
    fn next_sequence(&self, lane: u16, next: u64) -> u64 {
        let Some(lane) = self.lanes.get(&lane) else {
            return next;
        };
        let mut free = next.max(lane.held_below);
        for (number, _) in lane.numbers.range(free..) {
            if *number != free {
                break;
            }
            free = free.saturating_add(1);
        }
        free
    }

    fn add(&mut self, id: TransactionId, reservation: &Reservation) {
        let lane = self.lanes.entry(reservation.lane).or_default();
        lane.numbers.insert(reservation.sequence, id);
        // Only the lowest free number is ever reserved.
        lane.held_below = reservation.sequence.saturating_add(1);
        for (asset, sum) in &reservation.debits {
            let total = self.debits.entry(*asset).or_insert(0);
            // Within the free balance, as it was when it was reserved.
            *total = total.saturating_add(*sum);
        }
        self.count += 1;
    }

    /// Forgets a reservation. `next` is the number that the state has the lane at.
    fn remove(&mut self, reservation: &Reservation, next: u64) {
        if let Slot::Occupied(mut slot) = self.lanes.entry(reservation.lane) {
            let lane = slot.get_mut();
            lane.numbers.remove(&reservation.sequence);
            if reservation.sequence >= next {
                lane.held_below = lane.held_below.min(reservation.sequence);
            }
            if lane.numbers.is_empty() {
                slot.remove();
            }
        }
        for (asset, sum) in &reservation.debits {
            if let Slot::Occupied(mut slot) = self.debits.entry(*asset) {
                let rest = slot.get().saturating_sub(*sum);
                *slot.get_mut() = rest;
                if rest == 0 {
                    slot.remove();
                }
            }
        }
        self.count -= 1;
    }
}

/// Whether the account has the lane, in the state or pending, or may open it.
fn has_room(account: Option<&Account>, pending: Option<&Pending>, lane: u16) -> bool {
    let used = |lane: &u16| account.is_some_and(|account| account.lanes.contains_key(lane));
    let opening = pending.map_or(0, |pending| {
        pending.lanes.keys().filter(|lane| !used(lane)).count()
    });
    let pending = pending.is_some_and(|pending| pending.lanes.contains_key(&lane));
    let lanes = account.map_or(0, |account| account.lanes.len()) + opening;
    used(&lane) || pending || u32::try_from(lanes).is_ok_and(|lanes| lanes < LANES_MAX)
}
