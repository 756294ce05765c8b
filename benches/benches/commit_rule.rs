//! What a round costs the consensus engine: taking in the blocks of n authors, the coin, and the commits they cause.
//! Signatures and shares are not verified here; see the `crypto` bench for those.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_consensus::{Consensus, Effect, Input, Options, Source, VerifiedBlock, test_utils};
use quorate_types::{BlockRef, Committee, Round, RuleParameters, Timestamp, ValidatorIndex};

/// Rounds in one measured run, after as many that fill the engine.
const ROUNDS: u64 = 20;

/// Full rounds of blocks: each on every block of the round before. The engine never reads a payload, so a small one
/// stands for all.
fn rounds(committee: &Committee, count: u64) -> Vec<Vec<VerifiedBlock>> {
    let payload = [7; 32];
    let genesis = committee.indices();
    let mut before: Vec<BlockRef> = genesis
        .map(|author| committee.genesis_block(author))
        .collect();
    let mut rounds = Vec::new();
    for round in (1..=count).map(Round) {
        let block = |author: ValidatorIndex| {
            let mut parents = before.clone();
            let own = parents.remove(author.position());
            parents.insert(0, own);
            test_utils::block(committee, author, round, &parents, &payload, 0)
        };
        let blocks: Vec<_> = committee.indices().map(block).collect();
        before = blocks.iter().map(|block| block.reference()).collect();
        rounds.push(blocks);
    }
    rounds
}

/// Hands in whole rounds and the coins asked for; how many commits came out.
fn take(engine: &mut Consensus, rounds: &[Vec<VerifiedBlock>]) -> usize {
    let mut commits = 0;
    let mut out = Vec::new();
    for block in rounds.iter().flatten() {
        let source = Source::Peer(block.author());
        let block = block.clone();
        engine.step(Timestamp(0), Input::Block { source, block }, &mut out);
        let mut coins = Vec::new();
        for effect in out.drain(..) {
            match effect {
                Effect::CombineCoin { round, .. } => coins.push(round),
                Effect::Commit(commit) => {
                    commits += usize::from(!black_box(commit).blocks.is_empty())
                }
                _ => {}
            }
        }
        for round in coins {
            let coin = Input::Coin {
                round,
                signature: test_utils::coin(1, round),
                bad: Vec::new(),
            };
            engine.step(Timestamp(0), coin, &mut out);
            let commit = |effect: &Effect| matches!(effect, Effect::Commit(_));
            commits += out.drain(..).filter(commit).count();
        }
    }
    commits
}

fn round(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round");
    group.sample_size(10);
    for size in [4, 10, 50, 100] {
        let committee = test_utils::committee(size);
        let rounds = rounds(&committee, 2 * ROUNDS);
        let (first, second) = rounds.split_at(usize::try_from(ROUNDS).expect("small"));
        let options = Options::new(RuleParameters::default());
        let filled = || {
            let me = ValidatorIndex(0);
            let mut engine = Consensus::new(committee.clone(), me, options, None);
            engine.start(Timestamp(0), &mut Vec::new());
            take(&mut engine, first);
            engine
        };
        assert!(take(&mut filled(), second) > 0, "rounds commit");
        group.throughput(Throughput::Elements(ROUNDS));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched_ref(filled, |engine| take(engine, second), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, round);
criterion_main!(benches);
