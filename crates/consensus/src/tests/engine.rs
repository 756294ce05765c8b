//! One engine, input by input.

use quorate_types::{
    BlockId, BlockRef, Committee, Evidence, Round, RuleParameters, Signature, Timestamp,
    ValidatorIndex,
};

use quorate_types::limits::BLOCK_BYTES_MAX;

use crate::test_utils;
use crate::{Consensus, Effect, Input, Options, Pacing, Source, VerifiedBlock};

/// Validator 0 of four, and the blocks of the others, each on all blocks of the round before.
struct Bench {
    committee: Committee,
    engine: Consensus,
    now: Timestamp,
    last: Vec<BlockRef>,
}

fn options() -> Options {
    let mut options = Options::new(RuleParameters {
        wave: 4,
        leaders: 1,
        gc_depth: 8,
    });
    options.pacing = Pacing {
        quorum_wait_micros: 10,
        busy_interval_micros: 100,
        idle_interval_micros: 1000,
    };
    options
}

impl Bench {
    fn new(options: Options) -> Self {
        let committee = test_utils::committee(4);
        Self {
            engine: Consensus::new(committee.clone(), ValidatorIndex(0), options, None),
            last: committee
                .indices()
                .map(|author| committee.genesis_block(author))
                .collect(),
            committee,
            now: Timestamp(0),
        }
    }

    fn started(options: Options) -> (Self, Vec<Effect>) {
        let mut bench = Self::new(options);
        let mut out = Vec::new();
        bench.engine.start(bench.now, &mut out);
        (bench, out)
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.engine.step(self.now, input, &mut out);
        out
    }

    fn take(&mut self, source: Source, block: VerifiedBlock) -> Vec<Effect> {
        self.step(Input::Block { source, block })
    }

    fn block(&self, author: u16, round: u64, parents: &[BlockRef], nonce: u8) -> VerifiedBlock {
        let author = ValidatorIndex(author);
        test_utils::block(&self.committee, author, Round(round), parents, &[], nonce)
    }

    /// Blocks of these authors at `round`, each the own block first.
    fn round(&mut self, authors: &[u16], round: u64) -> Vec<VerifiedBlock> {
        let before = Round(round - 1);
        let made: Vec<_> = authors
            .iter()
            .map(|&author| {
                let own = self.last[usize::from(author)];
                let others = self.last.iter().copied();
                let others =
                    others.filter(|block| block.author.0 != author && block.round == before);
                let parents: Vec<_> = [own].into_iter().chain(others).collect();
                self.block(author, round, &parents, 0)
            })
            .collect();
        for block in &made {
            self.last[block.author().position()] = block.reference();
        }
        made
    }

    /// Hands in blocks of `author` at each round up to `rounds`, and after each `copies` twins; says how many twins are kept.
    fn twins(&mut self, author: u16, rounds: u64, copies: u8, payload: &[u8]) -> usize {
        let author = ValidatorIndex(author);
        let parents = self.last.clone();
        for round in (1..=rounds).map(Round) {
            for nonce in 0..=copies {
                let committee = &self.committee;
                let block = test_utils::block(committee, author, round, &parents, payload, nonce);
                self.take(Source::Peer(author), block);
            }
        }
        self.engine.status().unreferenced_twins
    }

    /// Rounds 1 to 3, all but the block of round 3 by validator 1. Its blocks of rounds 2 and 3 that came first wait for three
    /// parents which do not exist, and its allowance of fetches is spent on them. Also the blocks of round 3.
    fn with_invented_parents(mut options: Options) -> (Self, Vec<VerifiedBlock>) {
        options.fetch.in_flight_per_author_max = 3;
        let (mut bench, _) = Self::started(options);
        bench.take_round(&[1, 2, 3], 1);
        let mut asked = 0;
        for (round, authors) in [(2, vec![1]), (3, vec![1, 2])] {
            let parent = |author: &u16| BlockRef {
                round: Round(round - 1),
                author: ValidatorIndex(*author),
                id: BlockId([9; 32]),
            };
            let parents: Vec<_> = authors.iter().map(parent).collect();
            let fake = bench.block(1, round, &parents, 0);
            let out = bench.take(Source::Peer(ValidatorIndex(1)), fake);
            asked += fetches(&out)
                .iter()
                .map(|(_, blocks)| blocks.len())
                .sum::<usize>();
        }
        assert_eq!(asked, 3);
        bench.take_round(&[1, 2, 3], 2);
        let third = bench.round(&[1, 2, 3], 3);
        for block in &third[1..] {
            bench.take(Source::Peer(block.author()), block.clone());
        }
        (bench, third)
    }

    fn take_round(&mut self, authors: &[u16], round: u64) -> Vec<Effect> {
        let mut out = Vec::new();
        for block in self.round(authors, round) {
            out.extend(self.take(Source::Peer(block.author()), block));
        }
        out
    }
}

fn proposals(out: &[Effect]) -> Vec<(u64, Vec<(u16, u64)>)> {
    let proposal = |effect: &Effect| match effect {
        Effect::Propose { round, parents } => {
            let parents = parents
                .iter()
                .map(|parent| (parent.author.0, parent.round.0));
            Some((round.0, parents.collect()))
        }
        _ => None,
    };
    out.iter().filter_map(proposal).collect()
}

fn fetches(out: &[Effect]) -> Vec<(u16, Vec<BlockRef>)> {
    let fetch = |effect: &Effect| match effect {
        Effect::Fetch { peer, blocks } => Some((peer.0, blocks.clone())),
        _ => None,
    };
    out.iter().filter_map(fetch).collect()
}

#[test]
fn proposals_wait_for_the_interval_and_for_the_last_parents() {
    let (mut bench, out) = Bench::started(options());
    assert_eq!(proposals(&out), [(1, vec![(0, 0), (1, 0), (2, 0), (3, 0)])]);
    let own = bench.round(&[0], 1).remove(0);
    assert_eq!(proposals(&bench.take(Source::Own, own)), []);
    bench.now = Timestamp(50);
    bench.take_round(&[1, 2], 1);
    assert_eq!(bench.engine.deadline(), Some(Timestamp(1000)), "idle");
    bench.now = Timestamp(95);
    bench.step(Input::PayloadWaiting(true));
    assert_eq!(bench.engine.deadline(), Some(Timestamp(100)), "busy");
    bench.now = Timestamp(99);
    assert_eq!(proposals(&bench.step(Input::Tick)), []);
    bench.now = Timestamp(100);
    let out = bench.step(Input::Tick);
    assert_eq!(proposals(&out), [(2, vec![(0, 1), (1, 1), (2, 1)])]);
    assert_eq!(bench.engine.deadline(), None, "one proposal at a time");
    assert_eq!(proposals(&bench.step(Input::Tick)), []);

    // The last parent is waited for, but not for long.
    let own = bench.round(&[0], 2).remove(0);
    bench.take(Source::Own, own);
    bench.now = Timestamp(300);
    bench.take_round(&[1, 2], 2);
    assert_eq!(bench.engine.deadline(), Some(Timestamp(310)));
    bench.now = Timestamp(305);
    // Late blocks of an author without one at the round before come along.
    let late = bench.take_round(&[3], 1);
    assert_eq!(proposals(&late), []);
    bench.now = Timestamp(310);
    let out = bench.step(Input::Tick);
    assert_eq!(proposals(&out), [(3, vec![(0, 2), (1, 2), (2, 2), (3, 1)])]);
}

#[test]
fn the_tip_of_others_cuts_the_wait_short() {
    let (mut bench, _) = Bench::started(options());
    let own = bench.round(&[0], 1).remove(0);
    bench.take(Source::Own, own);
    bench.take_round(&[1, 2, 3], 1);
    assert_eq!(bench.engine.deadline(), Some(Timestamp(1000)));
    bench.take_round(&[1], 2);
    assert_eq!(
        bench.engine.deadline(),
        Some(Timestamp(100)),
        "one is ahead"
    );
    let out = bench.take_round(&[2, 3], 2);
    assert_eq!(proposals(&out).len(), 1, "a quorum is ahead");
}

#[test]
fn a_validator_back_from_a_pause_starts_past_the_decided_rounds() {
    let mut bench = Bench::new(options());
    for round in 1..=20 {
        bench.take_round(&[1, 2, 3], round);
    }
    let mut out = Vec::new();
    for round in 1..=16 {
        bench
            .engine
            .inject_leaders(Round(round), &[ValidatorIndex(1)], &mut out);
    }
    assert_eq!(bench.engine.status().undecided_round, Round(17));
    assert_eq!(bench.engine.gc_round(), Round(8));
    out.clear();
    bench.engine.start(Timestamp(0), &mut out);
    // Not at 1, and not at 21: the slots from 17 on may need its votes. Genesis is forgotten.
    assert_eq!(proposals(&out), [(17, vec![(1, 16), (2, 16), (3, 16)])]);
    for round in 17..=20 {
        let parents: Vec<_> = out
            .iter()
            .find_map(|effect| match effect {
                Effect::Propose { parents, .. } => Some(parents.clone()),
                _ => None,
            })
            .expect("nothing paces it");
        let own = bench.block(0, round, &parents, 0);
        out = bench.take(Source::Own, own);
    }
    assert_eq!(proposals(&out), [], "at the tip it is paced again");
    bench.now = Timestamp(1000);
    out = bench.step(Input::Tick);
    assert_eq!(
        proposals(&out),
        [(21, vec![(0, 20), (1, 20), (2, 20), (3, 20)])]
    );
}

#[test]
fn nothing_is_proposed_where_an_own_block_may_be() {
    let mut bench = Bench::new(options());
    bench.engine.propose_past(Round(2));
    let mut out = Vec::new();
    bench.engine.start(Timestamp(0), &mut out);
    assert_eq!(proposals(&out), []);
    let first = bench.round(&[0, 1, 2, 3], 1);
    for block in first {
        out.extend(bench.take(Source::Peer(ValidatorIndex(1)), block));
    }
    let second = bench.round(&[0, 1, 2, 3], 2);
    bench.now = Timestamp(5000);
    for block in second {
        assert_eq!(proposals(&out), []);
        out.extend(bench.take(Source::Peer(ValidatorIndex(1)), block));
    }
    assert_eq!(proposals(&out), [(3, vec![(0, 2), (1, 2), (2, 2), (3, 2)])]);
    // While that is being made, a peer shows one that was made before the log was lost.
    let old = bench.round(&[0], 3).remove(0);
    let new = bench.block(0, 3, old.parents(), 1);
    bench.take(Source::Peer(ValidatorIndex(1)), old);
    let out = bench.take(Source::Own, new.clone());
    let dropped =
        |effect: &Effect| matches!(effect, Effect::Dropped { own } if *own == new.reference());
    assert!(out.iter().any(dropped));
    assert!(!out.iter().any(|effect| matches!(effect, Effect::Store(_))));
}

#[test]
fn missing_parents_are_asked_of_the_sender_and_then_of_others() {
    let (mut bench, _) = Bench::started(options());
    let first = bench.round(&[1, 2, 3], 1);
    let second = bench.round(&[1, 2], 2);
    for block in &first[..2] {
        bench.take(Source::Peer(block.author()), block.clone());
    }
    let missing = first[2].reference();
    let out = bench.take(Source::Peer(ValidatorIndex(1)), second[0].clone());
    assert_eq!(fetches(&out), [(1, vec![missing])]);
    let out = bench.take(Source::Peer(ValidatorIndex(2)), second[1].clone());
    assert_eq!(fetches(&out), [], "asked already");
    bench.now = Timestamp(50_000);
    assert_eq!(fetches(&bench.step(Input::Tick)), [(2, vec![missing])]);
    bench.now = Timestamp(150_000);
    assert_eq!(fetches(&bench.step(Input::Tick)), [(3, vec![missing])]);
    let out = bench.take(Source::Peer(ValidatorIndex(3)), first[2].clone());
    let stored = out
        .iter()
        .filter(|effect| matches!(effect, Effect::Store(_)));
    assert_eq!(stored.count(), 3);
    assert_eq!(bench.engine.status().missing_blocks, 0);
}

#[test]
fn what_waits_is_bounded_and_high_rounds_go_first() {
    let mut tight = options();
    tight.pending_blocks_max = 4;
    tight.pending_per_author_max = 2;
    tight.rounds_ahead_max = 100;
    let (mut bench, _) = Bench::started(tight);
    let invented = |round: u64, seed: u8| -> Vec<BlockRef> {
        let parent = |author| BlockRef {
            round: Round(round),
            author: ValidatorIndex(author),
            id: BlockId([seed; 32]),
        };
        (1..=3).map(parent).collect()
    };
    for round in [90, 80, 70, 60, 95] {
        let block = bench.block(1, round, &invented(round - 1, 1), 0);
        bench.take(Source::Peer(ValidatorIndex(1)), block);
    }
    let status = bench.engine.status();
    assert_eq!((status.waiting_blocks, status.missing_blocks), (2, 6));
    assert_eq!(status.refused.waiting_full, 3);
    for author in [2, 3] {
        for round in [50, 40, 30] {
            let parents = invented(round - 1, 2);
            let parents = parents
                .into_iter()
                .filter(|parent| parent.author.0 != author);
            let parents: Vec<_> = parents.collect();
            let block = bench.block(author, round, &parents, 0);
            bench.take(Source::Peer(ValidatorIndex(author)), block);
        }
    }
    let status = bench.engine.status();
    assert_eq!(
        status.waiting_blocks, 4,
        "others' lower blocks took the liar's room"
    );
    let too_far = bench.block(3, 102, &invented(101, 3), 0);
    bench.take(Source::Peer(ValidatorIndex(3)), too_far);
    assert_eq!(bench.engine.status().refused.too_far_ahead, 1);
    assert_eq!(*bench.engine.window().end(), Round(101));
    // The room is of use: a good chain goes through.
    for round in 1..=6 {
        bench.take_round(&[1, 2, 3], round);
    }
    assert_eq!(bench.engine.highest_round(), Round(6));
}

#[test]
fn one_authors_low_blocks_do_not_push_out_anothers_high_ones() {
    let mut tight = options();
    tight.pending_blocks_max = 4;
    let (mut bench, _) = Bench::started(tight);
    let waiting = |bench: &mut Bench, author: u16, round: u64| {
        let invented = BlockRef {
            round: Round(round - 1),
            author: ValidatorIndex(author),
            id: BlockId([1; 32]),
        };
        let block = bench.block(author, round, &[invented], 0);
        bench.take(Source::Peer(ValidatorIndex(author)), block.clone());
        bench.engine.is_waiting(&block.reference())
    };
    for round in 2..=5 {
        assert!(waiting(&mut bench, 1, round));
    }
    assert!(waiting(&mut bench, 2, 50), "the other has its part");
    assert!(waiting(&mut bench, 3, 60), "and so has the third");
    assert!(
        !waiting(&mut bench, 1, 4),
        "low as it is, it is one too many"
    );
    assert_eq!(bench.engine.status().waiting_blocks, 4);
    assert_eq!(bench.engine.status().refused.waiting_full, 3);
}

/// A liar (1) spends everything it has on parents that do not exist; its earlier blocks, which others took, are still fetched
/// and still wait: on behalf of those whose blocks need them.
#[test]
fn a_liars_blocks_that_others_took_are_not_held_back_by_those_it_invents() {
    let mut tight = options();
    tight.pending_per_author_max = 2;
    let (mut bench, third) = Bench::with_invented_parents(tight);
    let other = ValidatorIndex(2);
    // The liar's block of round 3 is missing, and only its own block of round 4 waits for that at first hand.
    let fourth = bench.round(&[1, 2, 3], 4);
    let fifth = bench.round(&[2, 3], 5);
    bench.take(Source::Peer(other), fifth[0].clone());
    let out = bench.take(Source::Peer(other), fourth[0].clone());
    assert!(bench.engine.is_waiting(&fourth[0].reference()));
    assert_eq!(fetches(&out), [(2, vec![third[0].reference()])]);
    for block in third[..1].iter().chain(&fourth[1..]) {
        bench.take(Source::Peer(other), block.clone());
    }
    assert_eq!(bench.engine.highest_round(), Round(5));
}

/// The same if the liar's block waits before anybody needs it.
#[test]
fn who_needs_a_block_is_known_through_blocks_that_wait_already() {
    let (mut bench, third) = Bench::with_invented_parents(options());
    let (liar, other) = (ValidatorIndex(1), ValidatorIndex(2));
    let missing = third[0].reference();
    let fourth = bench.round(&[1, 2, 3], 4);
    let out = bench.take(Source::Peer(liar), fourth[0].clone());
    assert_eq!(fetches(&out), [], "the liar's allowance is spent");
    let fifth = bench.round(&[2], 5).remove(0);
    bench.take(Source::Peer(other), fifth);
    bench.now = Timestamp(50_000);
    let asked = fetches(&bench.step(Input::Tick));
    assert!(asked.iter().any(|(_, blocks)| blocks.contains(&missing)));
}

/// The same where the other's part is full as well: of its own higher blocks the highest goes.
#[test]
fn a_block_that_others_need_waits_in_the_place_of_higher_ones() {
    let mut tight = options();
    tight.pending_per_author_max = 1;
    let (mut bench, _) = Bench::started(tight);
    let (liar, other) = (ValidatorIndex(1), ValidatorIndex(2));
    bench.take_round(&[1, 2, 3], 1);
    let invented = BlockRef {
        round: Round(1),
        author: liar,
        id: BlockId([9; 32]),
    };
    let fake = bench.block(1, 2, &[invented], 0);
    bench.take(Source::Peer(liar), fake.clone());
    bench.take_round(&[1, 2, 3], 2);
    let third = bench.round(&[1, 2, 3], 3);
    bench.take(Source::Peer(ValidatorIndex(3)), third[2].clone());
    let fourth = bench.round(&[1], 4).remove(0);
    let fifth = bench.block(2, 5, &[fourth.reference()], 0);
    bench.take(Source::Peer(other), fifth.clone());
    bench.take(Source::Peer(other), fourth.clone());
    let waits = |block: &VerifiedBlock| bench.engine.is_waiting(&block.reference());
    assert!(waits(&fake) && waits(&fourth) && !waits(&fifth));
    for block in third[..2].iter().chain([&fifth]) {
        bench.take(Source::Peer(other), block.clone());
    }
    assert_eq!(bench.engine.highest_round(), Round(5));
}

/// The highest go first, also where bytes are what is short.
#[test]
fn what_waits_is_bounded_in_bytes() {
    let mut tight = options();
    // Each author has the least there is: the largest block's.
    tight.pending_bytes_max = 1;
    tight.rounds_ahead_max = 1_000;
    let (mut bench, _) = Bench::started(tight);
    let payload = [7; 16 << 10];
    let fit = u64::from(BLOCK_BYTES_MAX) / (payload.len() as u64 + 600);
    let invented = |round: u64| BlockRef {
        round: Round(round - 1),
        author: ValidatorIndex(2),
        id: BlockId([1; 32]),
    };
    for round in (2..=fit + 100).rev() {
        let author = ValidatorIndex(1);
        let parents = [invented(round)];
        let block = test_utils::block(
            &bench.committee,
            author,
            Round(round),
            &parents,
            &payload,
            0,
        );
        bench.take(Source::Peer(author), block);
    }
    let status = bench.engine.status();
    assert!(
        (fit..fit + 20).contains(&(status.waiting_blocks as u64)),
        "{} blocks wait, about {fit} have room",
        status.waiting_blocks
    );
    let waits = |round: u64| bench.engine.waits_for(&invented(round));
    let largest = BLOCK_BYTES_MAX as usize;
    assert!((largest - payload.len() * 2..=largest).contains(&status.waiting_bytes));
    assert!(waits(2) && waits(fit / 2), "low blocks are kept");
    assert!(!waits(fit + 90), "high ones had to go");
}

/// One liar's twins leave the room of another author's alone.
#[test]
fn twins_that_nobody_references_are_bounded_by_slot_and_by_author() {
    let mut tight = options();
    tight.twins_seen_max = 40;
    let (mut bench, _) = Bench::started(tight);
    assert_eq!(bench.twins(3, 1, 9, &[7]), 4, "of one slot");
    assert_eq!(bench.twins(3, 9, 9, &[7]), 10, "of one author");
    assert_eq!(bench.twins(2, 9, 1, &[7]), 19, "another author's fit");
    assert_eq!(bench.engine.status().equivocations, 18, "one for each slot");
}

#[test]
fn twins_that_nobody_references_are_bounded_in_bytes() {
    let mut tight = options();
    tight.twins_seen_max = 1 << 20;
    // Each author has the least there is: the largest block's.
    tight.twins_bytes_max = 1;
    let (mut bench, _) = Bench::started(tight);
    let payload = [7; 16 << 10];
    let fit = BLOCK_BYTES_MAX as usize / (payload.len() + 500);
    let kept = bench.twins(3, 100, 3, &payload);
    assert!((fit..fit + 10).contains(&kept), "{kept} of {fit} and more");
    assert_eq!(bench.twins(2, 1, 3, &payload), kept + 3);
}

#[test]
fn an_equivocation_is_reported_once_and_its_twin_taken_when_referenced() {
    let (mut bench, _) = Bench::started(options());
    let first = bench.round(&[1, 2, 3], 1);
    for block in &first {
        bench.take(Source::Peer(block.author()), block.clone());
    }
    let evidence = |out: &[Effect]| {
        let equivocation =
            |effect: &&Effect| matches!(effect, Effect::Evidence(Evidence::Equivocation { .. }));
        out.iter().filter(equivocation).count()
    };
    let genesis = first[2].parents().to_vec();
    let twin = bench.block(3, 1, &genesis, 1);
    let third = bench.block(3, 1, &genesis, 2);
    assert_eq!(
        evidence(&bench.take(Source::Peer(ValidatorIndex(3)), twin.clone())),
        1
    );
    assert_eq!(
        evidence(&bench.take(Source::Peer(ValidatorIndex(3)), third.clone())),
        0
    );
    assert!(bench.engine.block(&twin.reference()).is_none());
    assert_eq!(bench.engine.status().unreferenced_twins, 2);
    let parents = [first[0].reference(), first[1].reference(), twin.reference()];
    let child = bench.block(1, 2, &parents, 0);
    let out = bench.take(Source::Peer(ValidatorIndex(1)), child.clone());
    assert_eq!(fetches(&out), [], "the twin is at hand");
    assert!(bench.engine.block(&twin.reference()).is_some());
    assert!(bench.engine.block(&child.reference()).is_some());
    assert!(bench.engine.block(&third.reference()).is_none());
}

#[test]
fn the_coin_is_asked_for_with_a_quorum_and_again_when_short() {
    let (mut bench, _) = Bench::started(options());
    let mut rounds = vec![bench.last.clone()];
    for round in 1..=3 {
        bench.take_round(&[1, 2, 3], round);
        rounds.push(bench.last.clone());
    }
    let shares = |out: &[Effect]| {
        out.iter().find_map(|effect| match effect {
            Effect::CombineCoin { round, shares } => Some((round.0, shares.len())),
            _ => None,
        })
    };
    assert_eq!(shares(&bench.take_round(&[1, 2], 4)), None);
    assert_eq!(shares(&bench.take_round(&[3], 4)), Some((4, 3)));
    let (round, bad) = (Round(4), vec![ValidatorIndex(2)]);
    let out = bench.step(Input::CoinShort { round, bad });
    let author = ValidatorIndex(2);
    let convicted = Effect::Evidence(Evidence::BadCoinShare { author, round });
    assert_eq!(
        format!("{:?}", out.first()),
        format!("{:?}", Some(convicted))
    );
    // The own block comes late and makes three good ones.
    let mut out = Vec::new();
    for round in 1..=4 {
        let others = &rounds[round - 1][1..];
        let parents = [&[bench.last[0]], others].concat();
        let own = bench.block(0, round as u64, &parents, 0);
        bench.last[0] = own.reference();
        out.extend(bench.take(Source::Own, own));
    }
    assert_eq!(shares(&out), Some((4, 3)));
    let signature: Signature = test_utils::coin(0, round);
    let bad = Vec::new();
    let out = bench.step(Input::Coin {
        round,
        signature,
        bad,
    });
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::CoinKnown { .. }))
    );
    assert_eq!(bench.engine.coin(round), Some(signature));
}
