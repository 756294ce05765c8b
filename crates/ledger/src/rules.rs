//! What a chain's genesis fixes about its transactions.

use std::collections::BTreeSet;

use quorate_types::limits::{ACCESS_MAX, DEPENDENCIES_MAX};
use quorate_types::{
    AssetId, Body, ChainId, Epoch, Execution as Mode, Genesis, RejectCode, ShardId,
    SignedTransaction,
};

/// The rules of one chain. Never change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    chain: ChainId,
    shard: ShardId,
    epoch: Epoch,
    mode: Mode,
    transfer_fee: u128,
    fee_asset: AssetId,
    assets: BTreeSet<AssetId>,
}

impl Rules {
    /// The rules that `genesis` sets.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            chain: genesis.chain_id(),
            shard: genesis.shard,
            epoch: genesis.epoch,
            mode: genesis.execution,
            transfer_fee: genesis.transfer_fee,
            fee_asset: genesis.fee_asset,
            assets: genesis.assets.iter().map(|asset| asset.id).collect(),
        }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// The epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What the chain does with what it orders.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The asset that fees are paid in.
    #[must_use]
    pub const fn fee_asset(&self) -> AssetId {
        self.fee_asset
    }

    /// Whether the asset exists.
    #[must_use]
    pub fn has_asset(&self, asset: AssetId) -> bool {
        self.assets.contains(&asset)
    }

    /// What an operation costs, in atoms of the fee asset. Creating an account costs nothing: it has no balance yet.
    #[must_use]
    pub const fn fee(&self, body: &Body) -> u128 {
        match body {
            Body::CreateAccount { .. } => 0,
            Body::Transfer { .. } => self.transfer_fee,
        }
    }

    /// The checks that need no state: form (what decoding enforces, for transactions that were not decoded), chain,
    /// shard, access list, and one signature by the owner's key, which is not verified here.
    ///
    /// # Errors
    /// 1001, 1003, 1004, 1006, 1002 or 2003, in this order.
    pub fn check_form(&self, signed: &SignedTransaction) -> Result<(), RejectCode> {
        let transaction = &signed.transaction;
        if !is_canonical(&transaction.access, ACCESS_MAX)
            || !is_canonical(&transaction.dependencies, DEPENDENCIES_MAX)
        {
            return Err(RejectCode::BadEncoding);
        }
        if transaction.chain != self.chain {
            return Err(RejectCode::WrongChain);
        }
        if transaction.shard != self.shard {
            return Err(RejectCode::WrongShard);
        }
        let touched = transaction.body.touched();
        if !touched
            .iter()
            .all(|account| transaction.access.binary_search(account).is_ok())
        {
            return Err(RejectCode::AccessList);
        }
        match signed.signatures.as_slice() {
            [signature] if signature.key_index == 0 => Ok(()),
            [_] => Err(RejectCode::KeyScope),
            _ => Err(RejectCode::BadSignature),
        }
    }

    /// What the signer of a transfer must have free: one or two sums, of the asset and of the fee asset.
    pub(crate) fn debits(
        &self,
        asset: AssetId,
        amount: u128,
    ) -> Result<Vec<(AssetId, u128)>, RejectCode> {
        if asset == self.fee_asset {
            let sum = amount
                .checked_add(self.transfer_fee)
                .ok_or(RejectCode::Overflow)?;
            return Ok(vec![(asset, sum)]);
        }
        Ok(vec![(asset, amount), (self.fee_asset, self.transfer_fee)])
    }
}

fn is_canonical<T: Ord>(list: &[T], limit: u32) -> bool {
    u32::try_from(list.len()).is_ok_and(|count| count <= limit)
        && list.windows(2).all(|pair| pair[0] < pair[1])
}
