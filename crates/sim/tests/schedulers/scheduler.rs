//! Engines under a scheduler that decides, for every block, which blocks of the round before its author has seen.

use std::collections::{BTreeMap, BTreeSet};

use quorate_consensus::test_utils;
use quorate_consensus::{Consensus, Effect, Input, Options, Source, VerifiedBlock};
use quorate_types::{BlockRef, Committee, Round, RuleParameters, Timestamp, ValidatorIndex};

/// Who leads a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaders {
    /// One after the other, known to all from the start: what an implementation without a coin does.
    RoundRobin,
    /// A stand-in for the coin, which the scheduler does not read.
    Coin { seed: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) size: u16,
    pub(crate) wave: u8,
    pub(crate) leaders: Leaders,
}

pub(crate) struct Hostile {
    setting: Setting,
    committee: Committee,
    nodes: Vec<Node>,
    now: Timestamp,
    round: Round,
    blocks: BTreeMap<BlockRef, VerifiedBlock>,
    /// How many of the latest leaders a block leaves out.
    left_out: usize,
    /// By round, how many rounds the first member had committed.
    history: Vec<u64>,
}

struct Node {
    engine: Consensus,
    held: BTreeSet<BlockRef>,
    proposal: Option<(Round, Vec<BlockRef>)>,
    /// Leaders in order.
    commits: Vec<BlockRef>,
}

impl Hostile {
    pub(crate) fn new(setting: Setting) -> Self {
        let committee = test_utils::committee(setting.size);
        let options = Options::new(RuleParameters {
            wave: setting.wave,
            leaders: 1,
            gc_depth: 64,
        });
        let node = |me| Node {
            engine: Consensus::new(committee.clone(), me, options, None),
            held: BTreeSet::new(),
            proposal: None,
            commits: Vec::new(),
        };
        let mut world = Self {
            setting,
            nodes: committee.indices().map(node).collect(),
            left_out: usize::from((setting.size - 1) / 3),
            committee,
            now: Timestamp(0),
            round: Round(0),
            blocks: BTreeMap::new(),
            history: Vec::new(),
        };
        for at in 0..world.nodes.len() {
            let mut out = Vec::new();
            world.nodes[at].engine.start(world.now, &mut out);
            world.carry_out(at, out);
        }
        world
    }

    /// From now on everybody sees everything.
    pub(crate) fn be_kind(&mut self) {
        self.left_out = 0;
    }

    /// Everybody makes one block.
    pub(crate) fn round(&mut self) {
        let before = self.round;
        self.round = before.next();
        // Longer than any pacing.
        self.now = self.now.plus_micros(1_000_000);
        for at in 0..self.nodes.len() {
            self.show(at, before);
        }
        self.now = self.now.plus_micros(1_000_000);
        let mut made = Vec::new();
        for at in 0..self.nodes.len() {
            self.step(at, Input::Tick);
            let proposal = self.nodes[at].proposal.take();
            let (round, parents) = proposal.expect("a quorum of the round before is there");
            assert_eq!(round, self.round);
            made.push(test_utils::block(
                &self.committee,
                index(at),
                round,
                &parents,
                &[],
                0,
            ));
        }
        for (at, block) in made.into_iter().enumerate() {
            self.blocks.insert(block.reference(), block.clone());
            self.nodes[at].held.insert(block.reference());
            let source = Source::Own;
            self.step(at, Input::Block { source, block });
            if self.setting.leaders == Leaders::RoundRobin {
                let leader = self.known_leader(self.round);
                let mut out = Vec::new();
                let engine = &mut self.nodes[at].engine;
                engine.inject_leaders(self.round, &[leader], &mut out);
                self.carry_out(at, out);
            }
        }
        self.history.push(self.committed());
    }

    /// Shows a member the blocks of `round`, but those of the latest leaders, with all their ancestors.
    fn show(&mut self, at: usize, round: Round) {
        let avoided = self.avoided(at, round);
        let authors = self.committee.indices();
        let shown: Vec<BlockRef> = authors
            .filter(|author| !avoided.contains(author))
            .filter_map(|author| self.block_of(round, author))
            .collect();
        for block in shown {
            self.deliver(at, block);
        }
    }

    /// The latest leaders, as round robin has them: all that a scheduler can know before the coin.
    fn avoided(&self, at: usize, round: Round) -> Vec<ValidatorIndex> {
        let rounds = (1..=round.0).rev().map(Round);
        rounds
            .map(|round| self.known_leader(round))
            .filter(|leader| *leader != index(at))
            .take(self.left_out)
            .collect()
    }

    fn known_leader(&self, round: Round) -> ValidatorIndex {
        let size = u64::from(self.setting.size);
        index(usize::try_from(round.0 % size).expect("small"))
    }

    fn block_of(&self, round: Round, author: ValidatorIndex) -> Option<BlockRef> {
        let lowest = |author: ValidatorIndex| BlockRef {
            round,
            author,
            id: quorate_types::BlockId([0; 32]),
        };
        let next = lowest(ValidatorIndex(author.0 + 1));
        let found = self.blocks.range(lowest(author)..next).next();
        found.map(|(reference, _)| *reference)
    }

    /// Hands a member a block after its ancestors.
    fn deliver(&mut self, at: usize, block: BlockRef) {
        if block.round == Round(0) || !self.nodes[at].held.insert(block) {
            return;
        }
        let block = self.blocks[&block].clone();
        for parent in block.parents().to_vec() {
            self.deliver(at, parent);
        }
        let source = Source::Peer(block.author());
        self.step(at, Input::Block { source, block });
    }

    fn step(&mut self, at: usize, input: Input) {
        let mut out = Vec::new();
        self.nodes[at].engine.step(self.now, input, &mut out);
        self.carry_out(at, out);
    }

    fn carry_out(&mut self, at: usize, out: Vec<Effect>) {
        for effect in out {
            match effect {
                Effect::Propose { round, parents } => {
                    self.nodes[at].proposal = Some((round, parents));
                }
                Effect::CombineCoin { round, .. } => {
                    if let Leaders::Coin { seed } = self.setting.leaders {
                        let signature = test_utils::coin(seed, round);
                        let bad = Vec::new();
                        self.step(
                            at,
                            Input::Coin {
                                round,
                                signature,
                                bad,
                            },
                        );
                    }
                }
                Effect::Commit(commit) => self.commit(at, commit.leader),
                Effect::Store(_) | Effect::CoinKnown { .. } => {}
                other => panic!("nothing is missing and nobody lies: {other:?}"),
            }
        }
    }

    fn commit(&mut self, at: usize, leader: BlockRef) {
        let height = self.nodes[at].commits.len();
        for node in &self.nodes {
            let other = node.commits.get(height).copied().unwrap_or(leader);
            assert_eq!(other, leader, "at height {height}");
        }
        self.nodes[at].commits.push(leader);
    }

    /// How many leaders all members have committed.
    pub(crate) fn committed(&self) -> u64 {
        let counts = self.nodes.iter().map(|node| node.commits.len() as u64);
        counts.min().unwrap_or(0)
    }

    /// Commits after each round.
    pub(crate) fn history(&self) -> Vec<u64> {
        self.history.clone()
    }

    /// Whether every block that is not of the last rounds has come to everybody.
    pub(crate) fn all_arrives(&self) -> bool {
        let late = self.round.back(4 + u64::from(self.setting.size));
        let old = |block: &&BlockRef| block.round <= late;
        let all = self.blocks.keys().filter(old).count();
        self.nodes
            .iter()
            .all(|node| node.held.iter().filter(old).count() == all)
    }
}

fn index(at: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(at).expect("small"))
}
