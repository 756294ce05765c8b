//! What real engines decide when they are handed a DAG, some of it first.

use std::collections::BTreeSet;

use quorate_consensus::{
    Consensus, Effect, Input, Options, Source, Verdict, VerifiedBlock, test_utils,
};
use quorate_types::{BlockRef, Committee, Round, RuleParameters, Timestamp, ValidatorIndex};

use crate::dag::{Dag, Limits, MEMBERS, QUORUM};

/// Far more rounds than are explored: garbage collection has no part in this model.
const GC_DEPTH: u64 = 64;

/// Changes the options of the engines under test.
pub(crate) type Adjust = fn(&mut Options);

/// What was found about one DAG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Two views decided differently, or output different things.
    pub(crate) disagree: bool,
    /// A view with a committed anchor where anchors belong has not decided.
    pub(crate) stuck: bool,
    pub(crate) direct_commit: bool,
    pub(crate) direct_skip: bool,
    pub(crate) indirect_commit: bool,
    pub(crate) indirect_skip: bool,
    /// The second of the leader's two blocks was committed.
    pub(crate) twin: bool,
    /// One view decided directly what another decided by an anchor.
    pub(crate) both_ways: bool,
}

/// What a view made of the slot: the block if one is committed, and what the commit outputs.
pub(crate) type Decided = (Option<BlockRef>, Vec<BlockRef>, u64);

/// What a view decided, and whether directly.
type Ruling = (Decided, bool);

/// A view: an engine, and what it was seen to decide.
pub(crate) struct View {
    engine: Consensus,
    /// The blocks it accepted, in order.
    pub(crate) stored: Vec<BlockRef>,
    commit: Option<(Vec<BlockRef>, u64)>,
}

impl View {
    pub(crate) fn new(committee: &Committee, limits: &Limits, adjust: Adjust) -> Self {
        let mut options = Options::new(RuleParameters {
            wave: limits.wave,
            leaders: 1,
            gc_depth: GC_DEPTH,
        });
        adjust(&mut options);
        // It is never started: it takes blocks and decides, and proposes nothing.
        let engine = Consensus::new(committee.clone(), ValidatorIndex(0), options, None);
        Self {
            engine,
            stored: Vec::new(),
            commit: None,
        }
    }

    fn note(&mut self, out: Vec<Effect>) {
        for effect in out {
            match effect {
                Effect::Store(block) => self.stored.push(block.reference()),
                Effect::Commit(commit) => {
                    let blocks = commit.blocks.iter().map(|block| block.reference());
                    let output = (blocks.collect(), commit.timestamp_ms);
                    self.commit.get_or_insert(output);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn take<'a>(&mut self, blocks: impl IntoIterator<Item = &'a VerifiedBlock>) {
        for block in blocks {
            let (source, block) = (Source::Peer(block.author()), block.clone());
            let mut out = Vec::new();
            self.engine
                .step(Timestamp(0), Input::Block { source, block }, &mut out);
            self.note(out);
        }
    }

    pub(crate) fn coin(&mut self, round: usize, author: u16) {
        let mut out = Vec::new();
        let author = ValidatorIndex(author);
        self.engine
            .inject_leaders(Round(round as u64), &[author], &mut out);
        self.note(out);
    }

    /// What it decided about the slot, and whether directly.
    pub(crate) fn decided(&self, leader: u16) -> Option<(Decided, bool)> {
        match self.engine.verdict(Round(1), ValidatorIndex(leader))? {
            Verdict::Skip { direct } => Some(((None, Vec::new(), 0), direct)),
            Verdict::Commit { direct, block } => {
                let (blocks, time) = self.commit.clone().expect("slot 1 comes first");
                Some(((Some(block), blocks, time), direct))
            }
        }
    }
}

/// Real blocks for a DAG.
pub(crate) struct Blocks {
    pub(crate) committee: Committee,
    pub(crate) layers: Vec<Vec<VerifiedBlock>>,
}

impl Blocks {
    pub(crate) fn new(dag: &Dag) -> Self {
        let committee = test_utils::committee(MEMBERS);
        let genesis: Vec<BlockRef> = committee
            .indices()
            .map(|author| committee.genesis_block(author))
            .collect();
        let mut layers: Vec<Vec<VerifiedBlock>> = Vec::new();
        for (below, layer) in dag.layers.iter().enumerate() {
            let made = (0u8..).zip(layer).map(|(nonce, node)| {
                let author = usize::from(node.author);
                let parents: Vec<BlockRef> = match layers.last() {
                    Some(last) => node
                        .parents
                        .iter()
                        .map(|at| last[*at].reference())
                        .collect(),
                    None => own_first(&genesis, author),
                };
                let round = Round(below as u64 + 1);
                let author = ValidatorIndex(node.author);
                test_utils::block(&committee, author, round, &parents, &[], nonce)
            });
            let made = made.collect();
            layers.push(made);
        }
        Self { committee, layers }
    }

    /// A wave of rounds on top, in which the authors of these blocks of the last round see just one another: enough to
    /// commit any of the blocks once the coin names it.
    pub(crate) fn tail(&self, limits: &Limits, company: &[usize]) -> Vec<Vec<VerifiedBlock>> {
        let last = self.layers.last().expect("there is a round 1");
        let mut below: Vec<VerifiedBlock> = company.iter().map(|at| last[*at].clone()).collect();
        let mut tail = Vec::new();
        for _ in 1..limits.wave {
            let references: Vec<BlockRef> = below.iter().map(|block| block.reference()).collect();
            let made = below.iter().enumerate().map(|(at, own)| {
                let parents = own_first(&references, at);
                let round = own.round().next();
                test_utils::block(&self.committee, own.author(), round, &parents, &[], 0)
            });
            below = made.collect();
            tail.push(below.clone());
        }
        tail
    }

    /// Whether each block is below one of these of the last round, or is one.
    fn past(dag: &Dag, company: &[usize]) -> Vec<BTreeSet<usize>> {
        let mut past = vec![company.iter().copied().collect::<BTreeSet<usize>>()];
        for layer in dag.layers.iter().skip(1).rev() {
            let above = past.last().expect("begun with one");
            let parents = above.iter().flat_map(|at| layer[*at].parents.iter());
            past.push(parents.copied().collect());
        }
        past.reverse();
        past
    }
}

fn own_first(references: &[BlockRef], own: usize) -> Vec<BlockRef> {
    let others = references.iter().enumerate().filter(|(at, _)| *at != own);
    let others = others.map(|(_, reference)| *reference);
    std::iter::once(references[own]).chain(others).collect()
}

/// Sets of blocks of the last round that may be alone for a while around an anchor: as many as a quorum, one for each
/// author. `all`, or the first.
pub(crate) fn companies(dag: &Dag, anchor: usize, all: bool) -> Vec<Vec<usize>> {
    let last = dag.last();
    let mut found = Vec::new();
    for first in 0..last.len() {
        for second in first + 1..last.len() {
            let mut company = vec![anchor, first, second];
            company.sort_unstable_by_key(|at| last[*at].author);
            let authors: BTreeSet<u16> = company.iter().map(|at| last[*at].author).collect();
            if authors.len() == QUORUM {
                found.push(company);
            }
        }
    }
    if !all {
        found.truncate(1);
    }
    found
}

/// Has views decide the slot in every way that the DAG allows: each block of the last round becomes a committed leader in
/// turn, and each view gets the same in another order.
pub(crate) fn explore(limits: &Limits, adjust: Adjust, dag: &Dag, all: bool) -> Outcome {
    let blocks = Blocks::new(dag);
    let mut decided: Vec<Ruling> = Vec::new();
    let mut outcome = Outcome::default();
    let mut labels = BTreeSet::new();
    for (at, node) in dag.last().iter().enumerate() {
        // One anchor for each label: another with the same has the same certificates below it.
        if !all && !labels.insert(node.label) {
            continue;
        }
        for company in companies(dag, at, all) {
            let (own, of_anchor) = decide(limits, adjust, dag, &blocks, node.author, &company);
            outcome.stuck |= dag.rounds() == limits.anchor_round() && of_anchor.len() < 3;
            // Whom the coin names as the anchor is the same for all views.
            let made = own.iter().chain(&of_anchor);
            outcome.disagree |= made
                .clone()
                .any(|(one, _)| *one != made.clone().next().expect("it is one").0);
            outcome.both_ways |=
                made.clone().any(|(_, direct)| *direct) && made.clone().any(|(_, direct)| !direct);
            decided.extend(made.cloned());
        }
    }
    for ((block, ..), direct) in &decided {
        match (block, direct) {
            (Some(_), true) => outcome.direct_commit = true,
            (Some(_), false) => outcome.indirect_commit = true,
            (None, true) => outcome.direct_skip = true,
            (None, false) => outcome.indirect_skip = true,
        }
        let first = blocks.layers[0].iter().map(|block| block.reference());
        let mut first = first.filter(|block| block.author == ValidatorIndex(limits.leader));
        outcome.twin |= block.is_some() && *block != first.next();
    }
    outcome
}

/// What is decided without the anchor, if it is, and with it by three views.
fn decide(
    limits: &Limits,
    adjust: Adjust,
    dag: &Dag,
    blocks: &Blocks,
    author: u16,
    company: &[usize],
) -> (Option<Ruling>, Vec<Ruling>) {
    let view = || View::new(&blocks.committee, limits, adjust);
    let tail = blocks.tail(limits, company);
    let anchor = dag.rounds();
    // Knows everything as soon as it is there, the leader of the slot before any block.
    let mut prompt = view();
    prompt.coin(1, limits.leader);
    prompt.take(blocks.layers.iter().flatten());
    let own = prompt.decided(limits.leader);
    prompt.take(tail.iter().flatten());
    prompt.coin(anchor, author);
    // Sees each round the other way round, and learns of the slot last.
    let mut late = view();
    let layers = blocks.layers.iter().chain(&tail);
    layers.for_each(|layer| late.take(layer.iter().rev()));
    late.coin(anchor, author);
    late.coin(1, limits.leader);
    // Has nothing but what the anchor commits on, and gets the rest when it has decided.
    let mut narrow = view();
    let past = Blocks::past(dag, company);
    let part = |inside: bool| {
        let layers = blocks.layers.iter().zip(&past);
        layers.flat_map(move |(layer, past)| {
            let nodes = layer.iter().enumerate();
            let nodes = nodes.filter(move |(at, _)| past.contains(at) == inside);
            nodes.map(|(_, block)| block)
        })
    };
    narrow.coin(1, limits.leader);
    narrow.take(part(true));
    narrow.take(tail.iter().flatten());
    narrow.coin(anchor, author);
    narrow.take(part(false));
    let views = [prompt, late, narrow];
    let decided = views.iter().filter_map(|view| view.decided(limits.leader));
    (own, decided.collect())
}
