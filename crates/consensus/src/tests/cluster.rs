//! Whole engines in a loop, under a scheduler that picks the next message at random.

use std::collections::BTreeMap;

use quorate_types::{
    Blake3, BlockRef, Committee, Decode, DomainTag, Encode, Evidence, Round, RuleParameters,
    Signature, Timestamp, ValidatorIndex,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::differential::{below, output};
use super::model::Output;
use crate::test_utils;
use crate::{
    Checkpoint, Consensus, Effect, Input, Mutation, Options, Source, Status, VerifiedBlock,
};

/// How a run goes.
#[derive(Clone, Copy)]
struct Plan {
    seed: u64,
    size: u16,
    wave: u8,
    gc_depth: u64,
    steps: usize,
    /// The last validators that send different blocks to different peers.
    liars: u16,
    /// The first validators that never start.
    silent: u16,
    /// Of 100 steps, how many restart somebody.
    restarts: usize,
    mutation: Option<Mutation>,
}

const CALM: Plan = Plan {
    seed: 1,
    size: 4,
    wave: 5,
    gc_depth: 16,
    steps: 6_000,
    liars: 0,
    silent: 0,
    restarts: 0,
    mutation: None,
};

#[derive(Clone)]
enum Logged {
    Block(VerifiedBlock),
    Coin(Round, Signature),
}

struct Node {
    engine: Consensus,
    log: Vec<Logged>,
    known: BTreeMap<BlockRef, VerifiedBlock>,
    /// By height, from 1.
    commits: Vec<Output>,
    checkpoints: Vec<Checkpoint>,
    dropped: usize,
    convicted: usize,
}

enum Message {
    Input(Input),
    Request(ValidatorIndex, Vec<BlockRef>),
}

struct Cluster {
    plan: Plan,
    committee: Committee,
    options: Options,
    nodes: Vec<Node>,
    queue: Vec<(usize, Message)>,
    now: Timestamp,
    rng: ChaCha8Rng,
    /// Hash of everything that came out.
    trace: [u8; 32],
}

impl Cluster {
    fn new(plan: Plan) -> Self {
        let committee = test_utils::committee(plan.size);
        let mut options = Options::new(RuleParameters {
            wave: plan.wave,
            leaders: 2,
            gc_depth: plan.gc_depth,
        });
        options.mutation = plan.mutation;
        let node = |me| Node {
            engine: Consensus::new(committee.clone(), me, options, None),
            log: Vec::new(),
            known: BTreeMap::new(),
            commits: Vec::new(),
            checkpoints: vec![Checkpoint::genesis()],
            dropped: 0,
            convicted: 0,
        };
        Self {
            plan,
            options,
            nodes: committee.indices().map(node).collect(),
            committee,
            queue: Vec::new(),
            now: Timestamp(0),
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            trace: [0; 32],
        }
    }

    fn runs(&self, node: usize) -> bool {
        node >= usize::from(self.plan.silent)
    }

    fn run(mut self) -> Self {
        for node in 0..self.nodes.len() {
            if self.runs(node) {
                let mut out = Vec::new();
                self.nodes[node].engine.start(self.now, &mut out);
                self.carry_out(node, out);
            }
        }
        for _ in 0..self.plan.steps {
            self.step();
        }
        self
    }

    fn step(&mut self) {
        self.now = self.now.plus_micros(200);
        if below(&mut self.rng, 100) < self.plan.restarts {
            let node = below(&mut self.rng, self.nodes.len());
            if self.runs(node) {
                self.restart(node);
            }
        }
        let tick = below(&mut self.rng, 8) == 0;
        if tick || self.queue.is_empty() {
            for node in 0..self.nodes.len() {
                let due = self.nodes[node].engine.deadline();
                if due.is_some_and(|due| due <= self.now) {
                    self.hand_in(node, Input::Tick);
                }
            }
        }
        if self.queue.is_empty() {
            return;
        }
        let picked = below(&mut self.rng, self.queue.len());
        let (node, message) = self.queue.swap_remove(picked);
        match message {
            Message::Input(input) => self.hand_in(node, input),
            Message::Request(peer, blocks) => {
                for block in blocks {
                    if let Some(block) = self.nodes[node].known.get(&block).cloned() {
                        let source = Source::Peer(index(node));
                        self.send(peer.position(), Input::Block { source, block });
                    }
                }
            }
        }
    }

    fn send(&mut self, node: usize, input: Input) {
        if self.runs(node) {
            self.queue.push((node, Message::Input(input)));
        }
    }

    fn hand_in(&mut self, node: usize, input: Input) {
        let mut out = Vec::new();
        self.nodes[node].engine.step(self.now, input, &mut out);
        self.carry_out(node, out);
    }

    fn carry_out(&mut self, node: usize, out: Vec<Effect>) {
        for effect in out {
            let text = format!("{node} {effect:?}");
            self.trace = Blake3::new(DomainTag::CoinSeed)
                .chain(self.trace)
                .chain(text)
                .finish();
            match effect {
                Effect::Store(block) => self.store(node, block),
                Effect::Propose { round, parents } => self.propose(node, round, &parents),
                Effect::Fetch { peer, blocks } => {
                    assert_ne!(peer, index(node), "nobody asks itself");
                    if self.runs(peer.position()) {
                        let request = Message::Request(index(node), blocks);
                        self.queue.push((peer.position(), request));
                    }
                }
                Effect::CombineCoin { round, shares } => {
                    assert!(shares.len() >= usize::from(self.committee.quorum()));
                    let signature = test_utils::coin(self.plan.seed, round);
                    let bad = Vec::new();
                    self.send(
                        node,
                        Input::Coin {
                            round,
                            signature,
                            bad,
                        },
                    );
                }
                Effect::CoinKnown { round, signature } => {
                    self.nodes[node].log.push(Logged::Coin(round, signature));
                }
                Effect::Commit(commit) => self.commit(node, commit.height.0, output(&commit)),
                Effect::Dropped { own } => {
                    assert_eq!(own.author, index(node));
                    self.nodes[node].dropped += 1;
                }
                Effect::Evidence(Evidence::Equivocation { first, second }) => {
                    assert!(first.author.0 >= self.plan.size - self.plan.liars);
                    assert_ne!(first.id, second.id);
                    self.nodes[node].convicted += 1;
                }
                Effect::Evidence(other) => panic!("{other:?}"),
            }
        }
        if below(&mut self.rng, 50) == 0 {
            let checkpoint = self.nodes[node].engine.checkpoint();
            self.nodes[node].checkpoints.push(checkpoint);
        }
    }

    /// An own block is sent when it is stored.
    fn store(&mut self, node: usize, block: VerifiedBlock) {
        let reference = block.reference();
        for parent in block.parents() {
            let below_gc = parent.round < self.nodes[node].engine.gc_round();
            let known = self.nodes[node].known.contains_key(parent);
            assert!(
                known || below_gc || parent.round == Round(0),
                "parents come first"
            );
        }
        self.nodes[node].known.insert(reference, block.clone());
        self.nodes[node].log.push(Logged::Block(block.clone()));
        if reference.author != index(node) {
            return;
        }
        let lies = node >= self.nodes.len() - usize::from(self.plan.liars);
        for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
            let mut sent = block.clone();
            if lies && below(&mut self.rng, 2) == 0 {
                sent = self.twin(&block);
                self.nodes[node]
                    .known
                    .insert(sent.reference(), sent.clone());
            }
            let source = Source::Peer(index(node));
            self.send(
                peer,
                Input::Block {
                    source,
                    block: sent,
                },
            );
        }
    }

    fn twin(&self, block: &VerifiedBlock) -> VerifiedBlock {
        let (author, round) = (block.author(), block.round());
        test_utils::block(&self.committee, author, round, block.parents(), b"twin", 9)
    }

    fn propose(&mut self, node: usize, round: Round, parents: &[BlockRef]) {
        let me = index(node);
        let of_me = |logged: &Logged| matches!(logged, Logged::Block(block) if block.author() == me && block.round() >= round);
        assert!(
            !self.nodes[node].log.iter().any(of_me),
            "never twice at a round"
        );
        let payload = round.0.to_le_bytes();
        let block = test_utils::block(&self.committee, me, round, parents, &payload, 0);
        let source = Source::Own;
        self.send(node, Input::Block { source, block });
    }

    fn commit(&mut self, node: usize, height: u64, commit: Output) {
        let commits = &mut self.nodes[node].commits;
        let position = usize::try_from(height).expect("small") - 1;
        match commits.get(position) {
            // Recovery repeats what was committed since its checkpoint.
            Some(before) => assert_eq!(before, &commit),
            None => {
                assert_eq!(position, commits.len(), "heights are consecutive");
                commits.push(commit);
            }
        }
    }

    /// From one of the last checkpoints and the log; what was on its way to the node is lost.
    fn restart(&mut self, node: usize) {
        self.queue.retain(|(to, _)| *to != node);
        let checkpoints = &self.nodes[node].checkpoints;
        let recent = checkpoints.len().min(3);
        let chosen = checkpoints.len() - 1 - below(&mut self.rng, recent);
        let bytes = checkpoints[chosen].to_bytes();
        let checkpoint = Checkpoint::from_bytes(&bytes).expect("its own encoding");
        let before = self.nodes[node].engine.status();
        let gc_round = checkpoint.gc_round;
        let me = index(node);
        self.nodes[node].checkpoints.truncate(chosen + 1);
        self.nodes[node].engine =
            Consensus::new(self.committee.clone(), me, self.options, Some(checkpoint));
        for logged in self.nodes[node].log.clone() {
            match logged {
                Logged::Block(block) if block.round() >= gc_round => {
                    let source = Source::Recovered;
                    self.hand_in(node, Input::Block { source, block });
                }
                Logged::Block(_) => {}
                Logged::Coin(round, signature) => {
                    let bad = Vec::new();
                    self.hand_in(
                        node,
                        Input::Coin {
                            round,
                            signature,
                            bad,
                        },
                    );
                }
            }
        }
        let after = self.nodes[node].engine.status();
        assert_eq!(
            position(&after),
            position(&before),
            "the log gives it all back"
        );
        let mut out = Vec::new();
        self.nodes[node].engine.start(self.now, &mut out);
        self.carry_out(node, out);
        // Peers stream their last blocks again when it connects.
        for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
            let own = self.nodes[peer].known.values();
            let own = own.filter(|block| block.author() == index(peer));
            let lost: Vec<_> = own.rev().take(64).cloned().collect();
            for block in lost {
                let source = Source::Peer(index(peer));
                self.send(node, Input::Block { source, block });
            }
        }
    }

    /// Panics if two honest sequences differ; else the shortest and the longest.
    fn agreed(&self) -> (usize, usize) {
        let honest = usize::from(self.plan.silent)..self.nodes.len() - usize::from(self.plan.liars);
        let longest = self.nodes[honest.clone()]
            .iter()
            .max_by_key(|node| node.commits.len())
            .expect("somebody is honest");
        let mut shortest = usize::MAX;
        for node in &self.nodes[honest] {
            let length = node.commits.len();
            shortest = shortest.min(length);
            assert_eq!(node.commits[..], longest.commits[..length]);
        }
        (shortest, longest.commits.len())
    }
}

fn index(node: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(node).expect("small"))
}

/// What recovery must restore.
fn position(status: &Status) -> [u64; 5] {
    [
        status.round.0,
        status.highest_round.0,
        status.undecided_round.0,
        status.gc_round.0,
        status.committed_height.0,
    ]
}

#[test]
fn all_progress_and_agree() {
    for (seed, wave) in [(1, 5), (2, 4), (3, 5)] {
        let cluster = Cluster::new(Plan { seed, wave, ..CALM }).run();
        let (shortest, _) = cluster.agreed();
        assert!(shortest > 100, "seed {seed}: {shortest}");
        for node in &cluster.nodes {
            let status = node.engine.status();
            assert!(status.gc_round > Round(10), "{status:?}");
            assert!(status.held_blocks < 4 * 40, "memory is bounded: {status:?}");
        }
    }
}

#[test]
fn one_silent_of_four_does_not_stop_the_others() {
    let plan = Plan {
        seed: 4,
        silent: 1,
        ..CALM
    };
    let (shortest, _) = Cluster::new(plan).run().agreed();
    assert!(shortest > 60, "{shortest}");
}

#[test]
fn a_liar_that_shows_everybody_something_else_splits_nobody() {
    for (seed, wave) in [(5, 5), (6, 4), (7, 4)] {
        let plan = Plan {
            seed,
            wave,
            liars: 1,
            ..CALM
        };
        let cluster = Cluster::new(plan).run();
        let (shortest, _) = cluster.agreed();
        assert!(shortest > 60, "seed {seed}: {shortest}");
        assert!(cluster.nodes[0].convicted > 10);
    }
    let plan = Plan {
        seed: 8,
        size: 7,
        liars: 2,
        ..CALM
    };
    let (shortest, _) = Cluster::new(plan).run().agreed();
    assert!(shortest > 10, "{shortest}");
}

#[test]
fn restarts_repeat_nothing_else_and_lose_nothing() {
    for seed in 9..12 {
        let plan = Plan {
            seed,
            restarts: 1,
            liars: 0,
            ..CALM
        };
        let (shortest, longest) = Cluster::new(plan).run().agreed();
        assert!(
            longest > 60 && shortest > 20,
            "seed {seed}: {shortest}, {longest}"
        );
    }
    let plan = Plan {
        seed: 12,
        restarts: 1,
        liars: 1,
        wave: 4,
        ..CALM
    };
    let (_, longest) = Cluster::new(plan).run().agreed();
    assert!(longest > 30, "{longest}");
}

#[test]
fn same_inputs_same_effects() {
    let plan = Plan {
        seed: 13,
        liars: 1,
        restarts: 1,
        steps: 2_000,
        ..CALM
    };
    let first = Cluster::new(plan).run().trace;
    assert_eq!(first, Cluster::new(plan).run().trace);
    assert_ne!(first, Cluster::new(Plan { seed: 14, ..plan }).run().trace);
}
