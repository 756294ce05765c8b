//! One commit's transactions applied to copies of the accounts they touch. The rules' table is in the crate's docs.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use quorate_types::limits::LANES_MAX;
use quorate_types::{
    Account, AccountId, AssetId, AssetInfo, Body, Delta, Outcome, Receipt, RejectCode, Round,
    SignedTransaction, StateKey, Transaction,
};

use crate::error::LedgerError;
use crate::prepare::{Item, Verdict};
use crate::rules::Rules;
use crate::state::{Entry, Snapshot, Value};

/// The state while a commit is executed.
pub(crate) struct Working<'a> {
    base: &'a Snapshot,
    rules: &'a Rules,
    leader_round: Round,
    accounts: BTreeMap<AccountId, Touched<'a>>,
    fees: u128,
}

/// What a transfer changes, and the balances that gives.
#[derive(Default)]
struct Plan {
    deltas: Vec<Delta>,
    balances: Vec<(AccountId, AssetId, u128)>,
}

struct Touched<'a> {
    before: Option<&'a Account>,
    account: Account,
}

impl<'a> Working<'a> {
    pub(crate) fn new(base: &'a Snapshot, leader_round: Round) -> Self {
        Self {
            base,
            rules: base.rules(),
            leader_round,
            accounts: BTreeMap::new(),
            fees: 0,
        }
    }

    /// Executes one transaction.
    pub(crate) fn execute(&mut self, item: &Item) -> Receipt {
        let (transaction, result) = match item {
            Ok(formed) => (
                formed.signed.id(),
                self.apply(&formed.signed, formed.verified),
            ),
            Err((id, code)) => (*id, Err(*code)),
        };
        let outcome = match result {
            Ok(deltas) => Outcome::Applied { deltas },
            Err(code) => Outcome::Rejected { code },
        };
        Receipt {
            transaction,
            outcome,
        }
    }

    /// The changed values, in ascending order of their keys.
    pub(crate) fn finish(self) -> Result<Vec<Entry>, LedgerError> {
        let fees = self.fees;
        let mut entries: Vec<Entry> = Vec::with_capacity(self.accounts.len() + 1);
        let mut sums = BTreeMap::from([(self.rules.fee_asset(), signed(fees))]);
        for (id, touched) in self.accounts {
            if touched.before == Some(&touched.account) {
                continue;
            }
            add_changes(&mut sums, touched.before, &touched.account);
            entries.push(Entry {
                key: StateKey::Account(id),
                value: Value::Account(touched.account),
            });
        }
        if let Some((asset, _)) = sums.iter().find(|(_, sum)| **sum != Some(0)) {
            return Err(LedgerError::Conservation { asset: *asset });
        }
        if fees > 0 {
            let asset = self.rules.fee_asset();
            let before = self.base.asset(asset);
            let after = before.and_then(|info| {
                let fees = info.fees.checked_add(fees)?;
                Some(AssetInfo { fees, ..*info })
            });
            entries.push(Entry {
                key: StateKey::Asset(asset),
                value: Value::Asset(after.ok_or(LedgerError::Conservation { asset })?),
            });
        }
        Ok(entries)
    }

    fn apply(
        &mut self,
        signed: &SignedTransaction,
        verified: Option<Verdict>,
    ) -> Result<Vec<Delta>, RejectCode> {
        match signed.transaction.body {
            Body::CreateAccount { owner, sub } => {
                if !Verdict::settle(verified, signed, &owner) {
                    return Err(RejectCode::BadSignature);
                }
                self.create(&signed.transaction, Account::new(owner, sub))?;
                Ok(Vec::new())
            }
            Body::Transfer { from, .. } => {
                let sender = self.account(&from).ok_or(RejectCode::NoAccount)?;
                if !Verdict::settle(verified, signed, &sender.owner) {
                    return Err(RejectCode::BadSignature);
                }
                self.transfer(&signed.transaction, from)
            }
        }
    }

    fn create(
        &mut self,
        transaction: &Transaction,
        mut account: Account,
    ) -> Result<(), RejectCode> {
        let id = account.id();
        if self.account(&id).is_some() {
            return Err(RejectCode::AccountExists);
        }
        if transaction.lane != 0 || transaction.sequence != 0 {
            return Err(RejectCode::BadSequence);
        }
        if transaction.valid_until_round < self.leader_round {
            return Err(RejectCode::Expired);
        }
        if !transaction.dependencies.is_empty() {
            return Err(RejectCode::DependencyMissing);
        }
        account.lanes.insert(0, 1);
        let touched = Touched {
            before: None,
            account,
        };
        self.accounts.insert(id, touched);
        Ok(())
    }

    /// Everything about a transfer but its signature. From the sequence number on, a rejection burns.
    fn transfer(
        &mut self,
        transaction: &Transaction,
        from: AccountId,
    ) -> Result<Vec<Delta>, RejectCode> {
        let fee = self.rules.fee(&transaction.body);
        let leader_round = self.leader_round;
        let sender = self.account(&from).ok_or(RejectCode::NoAccount)?;
        let next = take_number(sender, transaction, leader_round)?;
        sender.lanes.insert(transaction.lane, next);

        let planned = self.plan(transaction, fee);
        let charged = match &planned {
            Ok(_) => true,
            Err(_) if fee > transaction.max_fee => false,
            Err(_) => self.charge(from, fee),
        };
        if charged {
            // Cannot leave its range: fees are parts of a supply.
            self.fees = self.fees.saturating_add(fee);
        }
        let Plan { deltas, balances } = planned?;
        for (account, asset, balance) in balances {
            if let Some(account) = self.account(&account) {
                set_free(account, asset, balance);
            }
        }
        Ok(deltas)
    }

    /// What a transfer does, if it may. Changes nothing but the set of loaded accounts.
    fn plan(&mut self, transaction: &Transaction, fee: u128) -> Result<Plan, RejectCode> {
        let Body::Transfer {
            from,
            to,
            asset,
            amount,
        } = transaction.body
        else {
            return Err(RejectCode::BadEncoding);
        };
        if !transaction.dependencies.is_empty() {
            return Err(RejectCode::DependencyMissing);
        }
        if fee > transaction.max_fee {
            return Err(RejectCode::FeeCap);
        }
        if !self.rules.has_asset(asset) {
            return Err(RejectCode::NoAsset);
        }
        self.account(&to).ok_or(RejectCode::NoAccount)?;
        let needed = self.rules.debits(asset, amount)?;
        let sender = self.account(&from).ok_or(RejectCode::NoAccount)?;
        if needed
            .iter()
            .any(|(asset, sum)| sender.free_of(*asset) < *sum)
        {
            return Err(RejectCode::InsufficientFree);
        }
        let fee_asset = self.rules.fee_asset();
        let moved = as_change(amount)?;
        let mut changes = BTreeMap::<(AccountId, AssetId), i128>::new();
        for (account, asset, change) in [
            (from, asset, moved.checked_neg()),
            (to, asset, Some(moved)),
            (from, fee_asset, as_change(fee)?.checked_neg()),
        ] {
            let sum = changes.entry((account, asset)).or_insert(0);
            let change = change.ok_or(RejectCode::Overflow)?;
            *sum = sum.checked_add(change).ok_or(RejectCode::Overflow)?;
        }
        let mut plan = Plan::default();
        for ((id, asset), change) in changes.into_iter().filter(|(_, change)| *change != 0) {
            let account = self.account(&id).ok_or(RejectCode::NoAccount)?;
            let balance = account.free_of(asset).checked_add_signed(change);
            let balance = balance.ok_or(RejectCode::Overflow)?;
            plan.balances.push((id, asset, balance));
            plan.deltas.push(Delta {
                account: id,
                asset,
                change,
            });
        }
        Ok(plan)
    }

    /// Takes a fee from an account if it covers it, and says whether.
    fn charge(&mut self, from: AccountId, fee: u128) -> bool {
        let asset = self.rules.fee_asset();
        let Some(account) = self.account(&from) else {
            return false;
        };
        let Some(rest) = account.free_of(asset).checked_sub(fee) else {
            return false;
        };
        set_free(account, asset, rest);
        true
    }

    /// The working copy of an account.
    fn account(&mut self, id: &AccountId) -> Option<&mut Account> {
        let touched = match self.accounts.entry(*id) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let before = self.base.account(id)?;
                slot.insert(Touched {
                    before: Some(before),
                    account: before.clone(),
                })
            }
        };
        Some(&mut touched.account)
    }
}

/// The lane's number after the transaction's, which must be the lane's next.
fn take_number(
    sender: &Account,
    transaction: &Transaction,
    leader_round: Round,
) -> Result<u64, RejectCode> {
    let lane = transaction.lane;
    if transaction.sequence != sender.next_sequence(lane) {
        return Err(RejectCode::BadSequence);
    }
    if !has_room(sender, lane) {
        return Err(RejectCode::TooManyLanes);
    }
    if transaction.valid_until_round < leader_round {
        return Err(RejectCode::Expired);
    }
    transaction
        .sequence
        .checked_add(1)
        .ok_or(RejectCode::Overflow)
}

/// Whether the account has the lane already or may open it.
pub(crate) fn has_room(account: &Account, lane: u16) -> bool {
    account.lanes.contains_key(&lane)
        || u32::try_from(account.lanes.len()).is_ok_and(|lanes| lanes < LANES_MAX)
}

fn set_free(account: &mut Account, asset: AssetId, balance: u128) {
    if balance == 0 {
        account.free.remove(&asset);
    } else {
        account.free.insert(asset, balance);
    }
}

fn as_change(amount: u128) -> Result<i128, RejectCode> {
    i128::try_from(amount).map_err(|_| RejectCode::Overflow)
}

/// Adds to each asset's sum what changed in an account. `None` is a sum out of range.
fn add_changes(
    sums: &mut BTreeMap<AssetId, Option<i128>>,
    before: Option<&Account>,
    after: &Account,
) {
    let assets: BTreeSet<AssetId> = before
        .into_iter()
        .chain([after])
        .flat_map(|account| account.free.keys().copied())
        .collect();
    for asset in assets {
        let before = before.map_or(0, |account| account.free_of(asset));
        let change = signed(after.free_of(asset))
            .zip(signed(before))
            .and_then(|(after, before)| after.checked_sub(before));
        let sum = sums.entry(asset).or_insert(Some(0));
        *sum = sum
            .zip(change)
            .and_then(|(sum, change)| sum.checked_add(change));
    }
}

fn signed(amount: u128) -> Option<i128> {
    i128::try_from(amount).ok()
}
