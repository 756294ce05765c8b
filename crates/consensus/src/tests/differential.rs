//! The engine against the model, on random DAGs with equivocation, in random orders.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_types::{
    Block, BlockRef, Commit, Committee, Round, RuleParameters, Timestamp, ValidatorIndex,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::model::{Model, Output};
use crate::test_utils;
use crate::{Consensus, Decided, Effect, Input, Mutation, Options, Source, VerifiedBlock};

/// A number below `bound`.
pub(super) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u32()).expect("32 bits fit") % bound
}

pub(super) fn shuffle<T>(rng: &mut ChaCha8Rng, list: &mut [T]) {
    for position in (1..list.len()).rev() {
        list.swap(position, below(rng, position + 1));
    }
}

/// How a random DAG is made.
#[derive(Clone, Copy, Debug)]
struct Shape {
    seed: u64,
    size: u16,
    wave: u8,
    leaders: u16,
    gc_depth: u64,
    rounds: u64,
    /// Of 8: how often a validator sits a round out.
    lazy: usize,
    /// Of 8: how often a parent beyond a quorum is left out.
    sparse: usize,
}

struct Case {
    committee: Committee,
    options: Options,
    blocks: Vec<VerifiedBlock>,
    leaders: BTreeMap<Round, Vec<ValidatorIndex>>,
}

/// Honest validators make one block a round at most, on their last; the others make up to three.
fn generate(shape: Shape, rng: &mut ChaCha8Rng) -> Case {
    let committee = test_utils::committee(shape.size);
    let liars = committee.faults();
    let quorum = usize::from(committee.quorum());
    let mut last: Vec<BlockRef> = committee
        .indices()
        .map(|author| committee.genesis_block(author))
        .collect();
    let mut before: Vec<Vec<BlockRef>> = last.iter().map(|genesis| vec![*genesis]).collect();
    let mut blocks = Vec::new();
    for round in (1..=shape.rounds).map(Round) {
        let mut made: Vec<Vec<BlockRef>> = vec![Vec::new(); usize::from(shape.size)];
        let mut order: Vec<ValidatorIndex> = committee.indices().collect();
        shuffle(rng, &mut order);
        for (count, author) in order.into_iter().enumerate() {
            if count >= quorum && below(rng, 8) < shape.lazy {
                continue;
            }
            let twins = if author.0 < liars {
                1 + below(rng, 3)
            } else {
                1
            };
            for twin in 0..twins {
                let own = if author.0 < liars && !before[author.position()].is_empty() {
                    let twins = &before[author.position()];
                    twins[below(rng, twins.len())]
                } else {
                    last[author.position()]
                };
                let parents = parents(&committee, own, &before, shape.sparse, rng);
                let nonce = u8::try_from(twin).expect("few");
                let block = test_utils::block(&committee, author, round, &parents, &[1], nonce);
                made[author.position()].push(block.reference());
                blocks.push(block);
            }
        }
        for (author, twins) in made.iter().enumerate() {
            if let Some(first) = twins.first() {
                last[author] = *first;
            }
        }
        before = made;
    }
    let mut leaders = BTreeMap::new();
    for round in (1..=shape.rounds).map(Round) {
        let mut order: Vec<ValidatorIndex> = committee.indices().collect();
        shuffle(rng, &mut order);
        order.truncate(usize::from(shape.leaders));
        leaders.insert(round, order);
    }
    let options = Options::new(RuleParameters {
        wave: shape.wave,
        leaders: shape.leaders,
        gc_depth: shape.gc_depth,
    });
    Case {
        committee,
        options,
        blocks,
        leaders,
    }
}

fn parents(
    committee: &Committee,
    own: BlockRef,
    before: &[Vec<BlockRef>],
    sparse: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<BlockRef> {
    let round = before.iter().flatten().map(|block| block.round).max();
    let quorum = usize::from(committee.quorum());
    let mut others: Vec<usize> = (0..before.len())
        .filter(|author| *author != own.author.position() && !before[*author].is_empty())
        .collect();
    shuffle(rng, &mut others);
    let needed = quorum - usize::from(Some(own.round) == round);
    let mut chosen: Vec<usize> = Vec::new();
    for author in others {
        if chosen.len() < needed || below(rng, 8) >= sparse {
            chosen.push(author);
        }
    }
    chosen.sort_unstable();
    let others = chosen.into_iter().map(|author| {
        let twins = &before[author];
        twins[below(rng, twins.len())]
    });
    std::iter::once(own).chain(others).collect()
}

/// Hands everything to an engine in a random order that is not too wild, and compares with the model now and then.
fn run(
    case: &Case,
    rng: &mut ChaCha8Rng,
    mutation: Option<Mutation>,
) -> Result<(Vec<Output>, Decided), TestCaseError> {
    let mut options = case.options;
    options.mutation = mutation;
    let mut consensus = Consensus::new(case.committee.clone(), ValidatorIndex(0), options, None);
    let mut stored: BTreeMap<BlockRef, Block> = BTreeMap::new();
    let mut named: BTreeMap<Round, Vec<ValidatorIndex>> = BTreeMap::new();
    let mut commits: Vec<Output> = Vec::new();
    let mut inputs: Vec<(u64, Result<&VerifiedBlock, Round>)> = Vec::new();
    for block in &case.blocks {
        let at = block.round().0 * 8 + below(rng, 40) as u64;
        inputs.push((at, Ok(block)));
    }
    for round in case.leaders.keys() {
        let at = (round.0 + u64::from(options.rule.wave)) * 8 + below(rng, 60) as u64;
        inputs.push((at, Err(*round)));
    }
    inputs.sort_by_key(|(at, _)| *at);
    let total = inputs.len();
    for (count, (_, input)) in inputs.into_iter().enumerate() {
        let mut out = Vec::new();
        match input {
            Ok(block) => {
                let (source, block) = (Source::Peer(block.author()), block.clone());
                consensus.step(Timestamp(0), Input::Block { source, block }, &mut out);
            }
            Err(round) => {
                named.insert(round, case.leaders[&round].clone());
                consensus.inject_leaders(round, &case.leaders[&round], &mut out);
            }
        }
        for effect in out {
            match effect {
                Effect::Store(block) => {
                    stored.insert(block.reference(), (*block).clone());
                }
                Effect::Commit(commit) => commits.push(output(&commit)),
                _ => {}
            }
        }
        if count % 16 == 0 || count + 1 == total {
            let model = Model {
                wave: u64::from(options.rule.wave),
                quorum: usize::from(case.committee.quorum()),
                gc_depth: options.rule.gc_depth,
                blocks: &stored,
                leaders: &named,
            };
            prop_assert_eq!(&commits, &model.commits());
        }
    }
    let status = consensus.status();
    prop_assert_eq!(status.waiting_blocks, 0);
    prop_assert_eq!(status.missing_blocks, 0);
    Ok((commits, status.decided))
}

pub(super) fn output(commit: &Commit) -> Output {
    let blocks = commit.blocks.iter().map(|block| block.reference());
    (commit.leader, commit.timestamp_ms, blocks.collect())
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = prop_oneof![Just(4u16), Just(5), Just(7)];
    let rule = (4u8..=5, 1u16..=3, prop_oneof![Just(8u64), Just(64)]);
    (any::<u64>(), sizes, rule, 8u64..=16, 0usize..=6, 0usize..=8).prop_map(
        |(seed, size, (wave, leaders, gc_depth), rounds, lazy, sparse)| Shape {
            seed,
            size,
            wave,
            leaders,
            gc_depth,
            rounds,
            lazy,
            sparse,
        },
    )
}

fn compare(shape: Shape, mutation: Option<Mutation>) -> Result<Decided, TestCaseError> {
    let mut rng = ChaCha8Rng::seed_from_u64(shape.seed);
    let case = generate(shape, &mut rng);
    let (first, decided) = run(&case, &mut rng, mutation)?;
    let (second, _) = run(&case, &mut rng, mutation)?;
    let common = first.len().min(second.len());
    prop_assert_eq!(&first[..common], &second[..common]);
    Ok(decided)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_model(shape in shapes()) {
        compare(shape, None)?;
    }
}

/// Of a hundred fixed DAGs, how many expose `mutation`, and what the others decide.
fn hundred(mutation: Option<Mutation>) -> (usize, Decided) {
    let (mut wrong, mut sum) = (0, Decided::default());
    for seed in 0..100 {
        let shape = Shape {
            seed,
            size: 4,
            wave: if seed % 2 == 0 { 4 } else { 5 },
            leaders: 2,
            gc_depth: 64,
            rounds: 12,
            lazy: 3,
            sparse: 6,
        };
        let Ok(decided) = compare(shape, mutation) else {
            wrong += 1;
            continue;
        };
        sum.direct_commits += decided.direct_commits;
        sum.direct_skips += decided.direct_skips;
        sum.indirect_commits += decided.indirect_commits;
        sum.indirect_skips += decided.indirect_skips;
    }
    (wrong, sum)
}

#[test]
fn random_dags_decide_in_every_way_and_expose_each_mutant() {
    let (wrong, decided) = hundred(None);
    assert_eq!(wrong, 0);
    let Decided {
        direct_commits,
        direct_skips,
        indirect_commits,
        indirect_skips,
    } = decided;
    let kinds = [
        direct_commits,
        direct_skips,
        indirect_commits,
        indirect_skips,
    ];
    assert!(kinds.iter().all(|count| *count > 10), "{decided:?}");
    for mutation in [
        Mutation::CertificateBelowQuorum,
        Mutation::SkipPerTwin,
        Mutation::AnchorTooEarly,
    ] {
        assert!(hundred(Some(mutation)).0 > 0, "{mutation:?}");
    }
}

/// A coin that came after the anchor of the slots it named had been decided was not acted on.
#[test]
fn a_late_coin_finds_its_anchor_decided() {
    let shape = Shape {
        seed: 5_383_405_174_905_480_404,
        size: 7,
        wave: 4,
        leaders: 1,
        gc_depth: 8,
        rounds: 13,
        lazy: 1,
        sparse: 7,
    };
    compare(shape, None).expect("the engine agrees with the model");
}
