//! A small chain: people with keys, their transactions, and commits that carry them.

use std::sync::Arc;

use quorate_crypto::IdentitySecret;
use quorate_ledger::{Execution, Ledger};
use quorate_types::{
    AccountId, Allocation, AssetId, Block, BlockBuilder, BlockRef, Body, Commit, DomainTag, Encode,
    Epoch, Execution as Mode, Genesis, GenesisAsset, Height, IdentityKey, IdentitySignature,
    KeySignature, Member, Outcome, RejectCode, Round, RuleParameters, ShardId, Signature,
    SignedTransaction, ThresholdKey, Transaction, ValidatorIndex,
};

/// The asset that fees are paid in.
pub(crate) const FEES: AssetId = AssetId(1);
/// Another asset.
pub(crate) const GOLD: AssetId = AssetId(7);
/// The fee.
pub(crate) const FEE: u128 = 3;

/// Someone with a key and an account, sub-account 0.
pub(crate) struct Person {
    secret: IdentitySecret,
    pub(crate) key: IdentityKey,
    pub(crate) id: AccountId,
}

impl Person {
    pub(crate) fn new(seed: u8) -> Self {
        let secret = IdentitySecret::from_bytes(&[seed; 32]);
        let key = secret.public();
        Self {
            id: AccountId::derive(&key, 0),
            key,
            secret,
        }
    }

    pub(crate) fn sign(&self, transaction: Transaction) -> SignedTransaction {
        let id = transaction.id();
        let signature = self.secret.sign(DomainTag::TransactionSignature, &id.0);
        SignedTransaction::new(
            transaction,
            vec![KeySignature {
                key_index: 0,
                signature,
            }],
        )
    }
}

/// A genesis with balances for some people, of both assets.
pub(crate) fn genesis(people: &[&Person], balance: u128) -> Genesis {
    let members = (1..=4)
        .map(|seed| Member {
            identity: Person::new(200 + seed).key,
            share_key: ThresholdKey([seed; 96]),
        })
        .collect();
    let assets = [FEES, GOLD];
    let allocations = people
        .iter()
        .flat_map(|person| {
            assets.map(|asset| Allocation {
                owner: person.key,
                sub: 0,
                asset,
                amount: balance,
            })
        })
        .collect();
    Genesis {
        name: "test".into(),
        shard: ShardId(3),
        epoch: Epoch(1),
        quorum: 3,
        group_key: ThresholdKey([9; 96]),
        members,
        rule: RuleParameters::default(),
        execution: Mode::Ledger,
        transfer_fee: FEE,
        fee_asset: FEES,
        assets: assets.map(|id| GenesisAsset { id, decimals: 6 }).to_vec(),
        allocations,
    }
}

/// A transaction that lacks nothing.
pub(crate) fn transaction(genesis: &Genesis, body: Body, sequence: u64) -> Transaction {
    Transaction {
        chain: genesis.chain_id(),
        shard: genesis.shard,
        access: body.touched(),
        body,
        dependencies: Vec::new(),
        lane: 0,
        sequence,
        valid_until_round: Round(1_000),
        max_fee: 10,
    }
}

/// A transfer that lacks nothing.
pub(crate) fn transfer(
    genesis: &Genesis,
    from: &Person,
    to: AccountId,
    asset: AssetId,
    amount: u128,
    sequence: u64,
) -> Transaction {
    let body = Body::Transfer {
        from: from.id,
        to,
        asset,
        amount,
    };
    transaction(genesis, body, sequence)
}

/// A creation that lacks nothing.
pub(crate) fn creation(genesis: &Genesis, person: &Person) -> Transaction {
    let body = Body::CreateAccount {
        owner: person.key,
        sub: 0,
    };
    transaction(genesis, body, 0)
}

/// A block of raw payload.
pub(crate) fn block(genesis: &Genesis, author: u16, round: u64, payload: &[Vec<u8>]) -> Arc<Block> {
    let builder = BlockBuilder::new(
        &genesis.chain_id(),
        genesis.shard,
        genesis.epoch,
        ValidatorIndex(author),
        Round(round),
        0,
        &[] as &[BlockRef],
        &Signature([0; 48]),
        payload.iter().map(Vec::as_slice),
    );
    Arc::new(builder.finish(&IdentitySignature([0; 64])).unwrap())
}

/// The commit of some blocks, the last being the leader.
pub(crate) fn commit(height: u64, blocks: Vec<Arc<Block>>) -> Commit {
    Commit {
        height: Height(height),
        leader: blocks.last().unwrap().reference(),
        timestamp_ms: 1_000 * height,
        coin: None,
        blocks,
    }
}

/// The next commit, of one block with these transactions, at a round equal to the height.
pub(crate) fn next(ledger: &Ledger, genesis: &Genesis, signed: &[SignedTransaction]) -> Commit {
    let payload: Vec<Vec<u8>> = signed.iter().map(Encode::to_bytes).collect();
    let height = ledger.head().height.0 + 1;
    commit(height, vec![block(genesis, 0, height, &payload)])
}

/// Executes transactions as the next commit.
pub(crate) fn run(
    ledger: &mut Ledger,
    genesis: &Genesis,
    signed: &[SignedTransaction],
) -> Execution {
    let commit = next(ledger, genesis, signed);
    ledger.execute(&commit).unwrap()
}

/// The codes of all receipts, `None` for applied ones.
pub(crate) fn codes(execution: &Execution) -> Vec<Option<RejectCode>> {
    let code = |outcome: &Outcome| match outcome {
        Outcome::Applied { .. } => None,
        Outcome::Rejected { code } => Some(*code),
    };
    execution
        .receipts
        .iter()
        .map(|receipt| code(&receipt.outcome))
        .collect()
}
