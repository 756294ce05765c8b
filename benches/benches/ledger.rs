//! What executing, admitting, updating the state tree and proving cost on one thread.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_crypto::IdentitySecret;
use quorate_ledger::{Admission, AdmissionLimits, Authenticated, Ledger, PreparedBlock, StateTree};
use quorate_types::{
    AccountId, Allocation, AssetId, Blake3, Block, BlockBuilder, Body, Commit, DomainTag, Encode,
    Epoch, Execution as Mode, Genesis, GenesisAsset, Hash32, Height, IdentitySignature,
    KeySignature, Member, Round, RuleParameters, ShardId, Signature, SignedTransaction, SparseLeaf,
    StateKey, ThresholdKey, Transaction, ValidatorIndex,
};

const ASSET: AssetId = AssetId(1);
/// Accounts of the chain; as many as the largest commit has transfers, so that each is one account's first.
const ACCOUNTS: u32 = 10_000;

struct Chain {
    genesis: Genesis,
    transfers: Vec<SignedTransaction>,
}

impl Chain {
    fn new() -> Self {
        let secrets: Vec<IdentitySecret> = (0..ACCOUNTS)
            .map(|number| {
                let mut seed = [1; 32];
                seed[..4].copy_from_slice(&number.to_le_bytes());
                IdentitySecret::from_bytes(&seed)
            })
            .collect();
        let keys: Vec<_> = secrets.iter().map(IdentitySecret::public).collect();
        let genesis = Genesis {
            name: "bench".into(),
            shard: ShardId(0),
            epoch: Epoch(0),
            quorum: 3,
            group_key: ThresholdKey([0; 96]),
            members: keys[..4]
                .iter()
                .map(|key| Member {
                    identity: *key,
                    share_key: ThresholdKey([0; 96]),
                })
                .collect(),
            rule: RuleParameters::default(),
            execution: Mode::Ledger,
            transfer_fee: 1,
            fee_asset: ASSET,
            assets: vec![GenesisAsset {
                id: ASSET,
                decimals: 6,
            }],
            allocations: keys
                .iter()
                .map(|key| Allocation {
                    owner: *key,
                    sub: 0,
                    asset: ASSET,
                    amount: 1_000_000,
                })
                .collect(),
        };
        let chain = genesis.chain_id();
        let ids: Vec<AccountId> = keys.iter().map(|key| AccountId::derive(key, 0)).collect();
        let transfers = secrets.iter().enumerate().map(|(from, secret)| {
            let body = Body::Transfer {
                from: ids[from],
                to: ids[(from * 7 + 1) % ids.len()],
                asset: ASSET,
                amount: 5,
            };
            sign(secret, transaction(&genesis, chain, body))
        });
        let transfers = transfers.collect();
        Self { genesis, transfers }
    }

    /// A commit of four blocks.
    fn commit(&self, transfers: usize) -> Commit {
        let payload: Vec<Vec<u8>> = self.transfers[..transfers]
            .iter()
            .map(Encode::to_bytes)
            .collect();
        let blocks: Vec<Arc<Block>> = payload
            .chunks(transfers.div_ceil(4))
            .zip(0..)
            .map(|(payload, author)| {
                let builder = BlockBuilder::new(
                    &self.genesis.chain_id(),
                    self.genesis.shard,
                    self.genesis.epoch,
                    ValidatorIndex(author),
                    Round(1),
                    0,
                    &[],
                    &Signature([0; 48]),
                    payload.iter().map(Vec::as_slice),
                );
                let block = builder.finish(&IdentitySignature([0; 64]));
                Arc::new(block.expect("within the limits"))
            })
            .collect();
        Commit {
            height: Height(1),
            leader: blocks[0].reference(),
            timestamp_ms: 1,
            coin: None,
            blocks,
        }
    }
}

fn transaction(genesis: &Genesis, chain: quorate_types::ChainId, body: Body) -> Transaction {
    Transaction {
        chain,
        shard: genesis.shard,
        access: body.touched(),
        body,
        dependencies: Vec::new(),
        lane: 0,
        sequence: 0,
        valid_until_round: Round(100),
        max_fee: 1,
    }
}

fn sign(secret: &IdentitySecret, transaction: Transaction) -> SignedTransaction {
    let signature = secret.sign(DomainTag::TransactionSignature, &transaction.id().0);
    SignedTransaction::new(
        transaction,
        vec![KeySignature {
            key_index: 0,
            signature,
        }],
    )
}

fn execute(c: &mut Criterion) {
    let chain = Chain::new();
    let ledger = Ledger::genesis(&chain.genesis).expect("a good genesis");
    let snapshot = ledger.snapshot();
    let mut group = c.benchmark_group("ledger");
    group.sample_size(10);
    for transfers in [1_000, 10_000] {
        let commit = chain.commit(transfers);
        let prepare = || -> Vec<PreparedBlock> {
            let blocks = commit.blocks.iter();
            blocks
                .map(|block| PreparedBlock::new(block, &snapshot))
                .collect()
        };
        group.throughput(Throughput::Elements(transfers as u64));
        group.bench_function(BenchmarkId::new("prepare", transfers), |b| {
            b.iter_with_large_drop(prepare);
        });
        let prepared = prepare();
        group.bench_function(BenchmarkId::new("execute_prepared", transfers), |b| {
            b.iter_batched(
                || (ledger.clone(), prepared.clone()),
                |(mut ledger, prepared)| {
                    let execution = ledger.execute_prepared(&commit, prepared);
                    (execution.expect("the next commit"), ledger)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.throughput(Throughput::Elements(1));
    let key = StateKey::Account(chain.transfers[77].transaction.body.signer());
    group.bench_function("prove", |b| b.iter(|| snapshot.prove(black_box(&key))));
    group.finish();
}

fn admit(c: &mut Criterion) {
    let chain = Chain::new();
    let ledger = Ledger::genesis(&chain.genesis).expect("a good genesis");
    let snapshot = ledger.snapshot();
    let batch = &chain.transfers[..1_000];
    let mut group = c.benchmark_group("admission");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("authenticate 1000", |b| {
        b.iter_batched(
            || batch.to_vec(),
            |batch| Authenticated::batch(batch, &snapshot),
            BatchSize::PerIteration,
        );
    });
    let authenticated: Vec<Authenticated> = Authenticated::batch(batch.to_vec(), &snapshot)
        .into_iter()
        .map(|verdict| verdict.expect("well signed"))
        .collect();
    let empty = Admission::new(ValidatorIndex(0), snapshot, AdmissionLimits::default());
    group.bench_function("reserve 1000", |b| {
        b.iter_batched(
            || empty.clone(),
            |mut admission| {
                for authenticated in &authenticated {
                    let _ = black_box(admission.reserve(authenticated, Round(1)));
                }
                admission
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn tree(c: &mut Criterion) {
    let leaves = |count: u32, value: u8| -> Vec<(SparseLeaf, ())> {
        (0..count)
            .map(|number| {
                let key = Blake3::new(DomainTag::StateKey).chain(number.to_le_bytes());
                (SparseLeaf::new(Hash32(key.finish()), &[value]), ())
            })
            .collect()
    };
    let mut tree = StateTree::new();
    tree.apply(leaves(100_000, 0));
    let mut group = c.benchmark_group("state_tree of 100000");
    group.sample_size(10);
    for count in [1_000, 10_000] {
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("update", count), |b| {
            b.iter_batched(
                || (tree.clone(), leaves(count, 1)),
                |(mut tree, writes)| {
                    tree.apply(writes);
                    tree
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, execute, admit, tree);
criterion_main!(benches);
