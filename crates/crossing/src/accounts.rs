//! The money that a shard's ledger keeps, as far as this crate touches it.

use std::collections::BTreeMap;

use quorate_types::{AccountId, AssetId};

/// Balances of a shard. The ledger implements it; [`MemoryAccounts`] does for tests and models.
///
/// A balance has two parts: *available* and *held*. A hold is a part of the balance and not a lock on the account: what is
/// left can be spent, and credits arrive (SHARDING 1.4). An operation that fails changes nothing.
pub trait Accounts {
    /// Whether there is such an account.
    fn exists(&self, account: &AccountId) -> bool;

    /// What can be spent, in atoms; 0 if there is no such account.
    fn available(&self, account: &AccountId, asset: AssetId) -> u128;

    /// How many holds were made and ended on the account: each adds 1. It shows a hold that was applied twice.
    fn lock_version(&self, account: &AccountId) -> u64;

    /// Moves from available to held, and adds 1 to the lock version.
    ///
    /// # Errors
    /// [`AccountsError::Missing`], [`AccountsError::Funds`].
    fn hold(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError>;

    /// Moves from held back to available, and adds 1 to the lock version.
    ///
    /// # Errors
    /// [`AccountsError::Missing`], [`AccountsError::Funds`] if less is held.
    fn release(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError>;

    /// Takes what is held off the account, and adds 1 to the lock version.
    ///
    /// # Errors
    /// [`AccountsError::Missing`], [`AccountsError::Funds`] if less is held.
    fn debit_held(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError>;

    /// Takes available atoms off the account.
    ///
    /// # Errors
    /// [`AccountsError::Missing`], [`AccountsError::Funds`].
    fn debit(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError>;

    /// Adds available atoms. The sum of all balances of an asset fits into 128 bits whenever this is called: what ever came
    /// in is counted, and refused beyond that.
    ///
    /// # Errors
    /// [`AccountsError::Missing`].
    fn credit(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError>;

    /// Sums over all accounts: available and held.
    fn totals(&self, asset: AssetId) -> (u128, u128);
}

/// Why an operation on an account is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// There is no such account.
    #[error("there is no account {account}")]
    Missing {
        /// The account.
        account: AccountId,
    },
    /// There is too little.
    #[error("account {account} has {available} atoms of asset {asset}, {amount} are needed")]
    Funds {
        /// The account.
        account: AccountId,
        /// The asset.
        asset: AssetId,
        /// Atoms there are: available, or held where held ones are needed.
        available: u128,
        /// Atoms needed.
        amount: u128,
    },
}

/// Balances in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemoryAccounts {
    accounts: BTreeMap<AccountId, MemoryAccount>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct MemoryAccount {
    lock_version: u64,
    /// Available and held.
    balances: BTreeMap<AssetId, (u128, u128)>,
}

impl MemoryAccounts {
    /// Opens an account. Does nothing if it is there.
    pub fn open(&mut self, account: AccountId) {
        self.accounts.entry(account).or_default();
    }

    /// What is held of an account.
    #[must_use]
    pub fn held(&self, account: &AccountId, asset: AssetId) -> u128 {
        let balances = self.accounts.get(account).map(|found| &found.balances);
        balances.and_then(|all| all.get(&asset)).map_or(0, |b| b.1)
    }

    fn change(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        change: impl FnOnce(u128, u128) -> Result<(u128, u128), (u128, u128)>,
        is_hold: bool,
    ) -> Result<(), AccountsError> {
        let Some(found) = self.accounts.get_mut(account) else {
            return Err(AccountsError::Missing { account: *account });
        };
        let balance = found.balances.entry(asset).or_default();
        *balance =
            change(balance.0, balance.1).map_err(|(available, amount)| AccountsError::Funds {
                account: *account,
                asset,
                available,
                amount,
            })?;
        found.lock_version = found.lock_version.saturating_add(u64::from(is_hold));
        Ok(())
    }
}

impl Accounts for MemoryAccounts {
    fn exists(&self, account: &AccountId) -> bool {
        self.accounts.contains_key(account)
    }

    fn available(&self, account: &AccountId, asset: AssetId) -> u128 {
        let balances = self.accounts.get(account).map(|found| &found.balances);
        balances.and_then(|all| all.get(&asset)).map_or(0, |b| b.0)
    }

    fn lock_version(&self, account: &AccountId) -> u64 {
        let found = self.accounts.get(account);
        found.map_or(0, |found| found.lock_version)
    }

    fn hold(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        let change = |available: u128, held: u128| {
            let left = available.checked_sub(amount).ok_or((available, amount))?;
            Ok((left, held.checked_add(amount).ok_or((available, amount))?))
        };
        self.change(account, asset, change, true)
    }

    fn release(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        let change = |available: u128, held: u128| {
            let left = held.checked_sub(amount).ok_or((held, amount))?;
            Ok((available.checked_add(amount).ok_or((held, amount))?, left))
        };
        self.change(account, asset, change, true)
    }

    fn debit_held(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        let change = |available, held: u128| {
            let left = held.checked_sub(amount).ok_or((held, amount))?;
            Ok((available, left))
        };
        self.change(account, asset, change, true)
    }

    fn debit(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        let change = |available: u128, held| {
            let left = available.checked_sub(amount).ok_or((available, amount))?;
            Ok((left, held))
        };
        self.change(account, asset, change, false)
    }

    fn credit(
        &mut self,
        account: &AccountId,
        asset: AssetId,
        amount: u128,
    ) -> Result<(), AccountsError> {
        let change = |available: u128, held| {
            let more = available.checked_add(amount).ok_or((available, amount))?;
            Ok((more, held))
        };
        self.change(account, asset, change, false)
    }

    fn totals(&self, asset: AssetId) -> (u128, u128) {
        let balances = self.accounts.values().map(|found| &found.balances);
        let balances = balances.filter_map(|all| all.get(&asset));
        balances.fold((0, 0), |sums, balance| {
            // What ever came in fits into 128 bits, so these sums do.
            (
                sums.0.saturating_add(balance.0),
                sums.1.saturating_add(balance.1),
            )
        })
    }
}
