//! The ledger: state and head, advanced commit by commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_types::{
    Account, AccountId, AssetInfo, BlockId, Commit, CommitteeHash, Encode, Execution as Mode,
    Genesis, Hash32, Header, HeaderHash, Height, MerkleProof, MerkleTree, Receipt, Round, StateKey,
    ValidatorIndex, blocks_root, merkle_root,
};

use crate::error::LedgerError;
use crate::prepare::PreparedBlock;
use crate::rules::Rules;
use crate::state::{Entry, Snapshot, Value};
use crate::tree::StateTree;
use crate::working::Working;

/// The state of a shard after some commit, and what executes the next one. Single writer; readers take
/// [`Ledger::snapshot`]s.
#[derive(Clone, Debug)]
pub struct Ledger {
    head: Header,
    head_hash: HeaderHash,
    state: Snapshot,
}

/// What executing one commit gave.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The header, to be certified.
    pub header: Header,
    /// One receipt for every ordered transaction, in order; none on a chain that does not execute.
    pub receipts: Vec<Receipt>,
    /// The encodings of all values that changed, in ascending order of their keys: to be stored for
    /// [`Ledger::restore`].
    pub changes: Vec<(StateKey, Vec<u8>)>,
    /// The state after the commit.
    pub snapshot: Snapshot,
}

impl Ledger {
    /// The ledger at height 0.
    ///
    /// # Errors
    /// [`LedgerError::Genesis`].
    pub fn genesis(genesis: &Genesis) -> Result<Self, LedgerError> {
        let entries = genesis_entries(genesis)?;
        let rules = Arc::new(Rules::new(genesis));
        let state = load(rules, Height(0), entries);
        let head = Header {
            chain: state.rules().chain(),
            shard: genesis.shard,
            epoch: genesis.epoch,
            height: Height(0),
            previous: HeaderHash([0; 32]),
            leader_round: Round(0),
            leader_author: ValidatorIndex(0),
            leader: BlockId([0; 32]),
            timestamp_ms: 0,
            transactions_total: 0,
            blocks_root: empty_root(),
            receipts_root: empty_root(),
            outbox_root: empty_root(),
            state_root: state.root(),
            next_committee: CommitteeHash([0; 32]),
        };
        Ok(Self::at(head, state))
    }

    /// The header at height 0.
    ///
    /// # Errors
    /// [`LedgerError::Genesis`].
    pub fn genesis_header(genesis: &Genesis) -> Result<Header, LedgerError> {
        Self::genesis(genesis).map(|ledger| ledger.head)
    }

    /// The ledger at `head`, from the values stored until then: for each key the last of [`Execution::changes`]. Values
    /// that never changed since genesis may be left out.
    ///
    /// # Errors
    /// Anything but exactly the state that the header commits to is refused.
    pub fn restore(
        genesis: &Genesis,
        head: Header,
        entries: impl Iterator<Item = (StateKey, Vec<u8>)>,
    ) -> Result<Self, LedgerError> {
        let rules = Arc::new(Rules::new(genesis));
        let ours = (rules.chain(), rules.shard(), rules.epoch());
        if (head.chain, head.shard, head.epoch) != ours {
            return Err(LedgerError::ForeignHeader);
        }
        let mut values = genesis_entries(genesis)?;
        let mut seen = BTreeSet::new();
        for (key, bytes) in entries {
            if !seen.insert(key) {
                return Err(LedgerError::Duplicate { key });
            }
            let entry = Entry::from_stored(key, &bytes)?;
            if matches!(key, StateKey::Asset(id) if !rules.has_asset(id)) {
                return Err(LedgerError::Misplaced { key });
            }
            values.insert(key, entry);
        }
        let state = load(rules, head.height, values);
        if state.root() != head.state_root {
            return Err(LedgerError::StateRoot {
                expected: head.state_root,
                found: state.root(),
            });
        }
        state.check_conservation()?;
        Ok(Self::at(head, state))
    }

    fn at(head: Header, state: Snapshot) -> Self {
        Self {
            head_hash: head.hash(),
            head,
            state,
        }
    }

    /// The header of the last commit.
    #[must_use]
    pub const fn head(&self) -> &Header {
        &self.head
    }

    /// The hash of [`Ledger::head`].
    #[must_use]
    pub const fn head_hash(&self) -> HeaderHash {
        self.head_hash
    }

    /// The state after the last commit. O(1).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state.clone()
    }

    /// Executes the next commit.
    ///
    /// # Errors
    /// [`LedgerError::Height`] if it is not the next one; otherwise defects only. The ledger is unchanged then.
    pub fn execute(&mut self, commit: &Commit) -> Result<Execution, LedgerError> {
        self.execute_prepared(commit, Vec::new())
    }

    /// Executes the next commit with the help of preparations, of which some may be missing and others superfluous. The
    /// result is that of [`Ledger::execute`].
    ///
    /// # Errors
    /// As [`Ledger::execute`].
    pub fn execute_prepared(
        &mut self,
        commit: &Commit,
        prepared: Vec<PreparedBlock>,
    ) -> Result<Execution, LedgerError> {
        let expected = self.head.height.next();
        if commit.height != expected {
            return Err(LedgerError::Height {
                expected,
                found: commit.height,
            });
        }
        let (receipts, entries) = match self.state.rules().mode() {
            Mode::Opaque => (Vec::new(), Vec::new()),
            Mode::Ledger => self.run(commit, prepared)?,
        };
        let changes: Vec<(StateKey, Vec<u8>)> = entries
            .iter()
            .map(|entry| (entry.key, entry.to_bytes()))
            .collect();
        let encoded = changes.iter().map(|(_, bytes)| bytes.as_slice());
        let written = entries.into_iter().zip(encoded).collect();
        let snapshot = self.state.next(commit.height, written);
        debug_assert_eq!(snapshot.check_conservation(), Ok(()));

        let header = self.header(commit, &receipts, snapshot.root())?;
        self.head_hash = header.hash();
        self.head = header.clone();
        self.state = snapshot.clone();
        Ok(Execution {
            header,
            receipts,
            changes,
            snapshot,
        })
    }

    fn run(
        &self,
        commit: &Commit,
        prepared: Vec<PreparedBlock>,
    ) -> Result<(Vec<Receipt>, Vec<Entry>), LedgerError> {
        let chain = self.state.rules().chain();
        let mut prepared: BTreeMap<BlockId, PreparedBlock> = prepared
            .into_iter()
            .map(|block| (block.block(), block))
            .collect();
        let mut working = Working::new(&self.state, commit.leader.round);
        let mut receipts = Vec::new();
        for block in &commit.blocks {
            let id = block.reference().id;
            let block = prepared
                .remove(&id)
                .filter(|prepared| prepared.is_of(&id, &chain))
                .unwrap_or_else(|| PreparedBlock::new(block, &self.state));
            receipts.extend(block.items.iter().map(|item| working.execute(item)));
        }
        Ok((receipts, working.finish()?))
    }

    fn header(
        &self,
        commit: &Commit,
        receipts: &[Receipt],
        state_root: Hash32,
    ) -> Result<Header, LedgerError> {
        let transactions_total = commit
            .blocks
            .iter()
            .try_fold(self.head.transactions_total, |total, block| {
                total.checked_add(u64::from(block.transaction_count()))
            })
            .ok_or(LedgerError::Count)?;
        Ok(Header {
            chain: self.head.chain,
            shard: self.head.shard,
            epoch: self.head.epoch,
            height: commit.height,
            previous: self.head_hash,
            leader_round: commit.leader.round,
            leader_author: commit.leader.author,
            leader: commit.leader.id,
            timestamp_ms: self.head.timestamp_ms.max(commit.timestamp_ms),
            transactions_total,
            blocks_root: blocks_root(commit.references()),
            receipts_root: receipts_tree(receipts).root(),
            outbox_root: empty_root(),
            state_root,
            next_committee: CommitteeHash([0; 32]),
        })
    }
}

/// Proof that a receipt stands at `index` of its commit's receipts, under the header's receipts root. `None` past the
/// end.
#[must_use]
pub fn receipt_proof(receipts: &[Receipt], index: usize) -> Option<MerkleProof> {
    receipts_tree(receipts).proof(index)
}

fn receipts_tree(receipts: &[Receipt]) -> MerkleTree {
    MerkleTree::new(receipts.iter().map(Encode::to_bytes))
}

fn empty_root() -> Hash32 {
    merkle_root::<&[u8]>([])
}

fn load(rules: Arc<Rules>, height: Height, entries: BTreeMap<StateKey, Entry>) -> Snapshot {
    let encoded: Vec<Vec<u8>> = entries.values().map(Entry::to_bytes).collect();
    let written = entries
        .into_values()
        .zip(encoded.iter().map(Vec::as_slice))
        .collect();
    Snapshot::new(rules, height, StateTree::new()).next(height, written)
}

/// The state at height 0. An allocation of nothing opens its account all the same.
fn genesis_entries(genesis: &Genesis) -> Result<BTreeMap<StateKey, Entry>, LedgerError> {
    genesis.validate()?;
    let mut accounts = BTreeMap::<AccountId, Account>::new();
    let mut supplies = BTreeMap::new();
    for first in &genesis.allocations {
        let account = Account::new(first.owner, first.sub);
        let account = accounts.entry(account.id()).or_insert(account);
        let supply = supplies.entry(first.asset).or_insert(0u128);
        // `Genesis::validate` has added the same numbers without leaving their range.
        *supply = supply.saturating_add(first.amount);
        if first.amount > 0 {
            let free = account.free.entry(first.asset).or_insert(0);
            *free = free.saturating_add(first.amount);
        }
    }
    let accounts = accounts.into_iter().map(|(id, account)| Entry {
        key: StateKey::Account(id),
        value: Value::Account(account),
    });
    let assets = genesis.assets.iter().map(|asset| Entry {
        key: StateKey::Asset(asset.id),
        value: Value::Asset(AssetInfo {
            decimals: asset.decimals,
            supply: supplies.get(&asset.id).copied().unwrap_or(0),
            fees: 0,
        }),
    });
    Ok(accounts
        .chain(assets)
        .map(|entry| (entry.key, entry))
        .collect())
}
