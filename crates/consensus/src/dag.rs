//! The blocks held: all of whose parents are held too, or below the garbage-collection round.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{BlockId, BlockRef, Round, Signature, Timestamp, ValidatorIndex};

use crate::authors::AuthorSet;
use crate::rule::{Place, Rule, Supports, View};
use crate::verify::VerifiedBlock;

/// Most blocks of one slot. No smaller number would do: a block that a peer's valid block references must be accepted,
/// or this validator could never accept that peer's block and would be cut off. What keeps the number down is that each
/// twin is paid for by one accepted block of a later round, since a block has at most one parent by any author, and
/// that the blocks of one author which wait for a parent are bounded.
const TWINS_PER_SLOT_MAX: u16 = u16::MAX - 1;

/// One block held.
#[derive(Debug)]
pub(crate) struct Vertex {
    pub(crate) block: VerifiedBlock,
    /// In stored order, less genesis blocks and those already forgotten when it was accepted.
    parents: Box<[Place]>,
    supports: Supports,
    /// Whether a commit has output it.
    pub(crate) output: bool,
    /// Whether it is an ancestor of an own block, or one.
    in_own_history: bool,
}

#[derive(Debug)]
struct RoundBlocks {
    authors: AuthorSet,
    /// By author, the slot's blocks in order of acceptance.
    slots: Vec<Vec<Vertex>>,
    /// When blocks of a quorum of authors were there.
    quorum_at: Option<Timestamp>,
}

/// The blocks held, by round.
#[derive(Debug)]
pub(crate) struct Dag {
    rule: Rule,
    rounds: BTreeMap<Round, RoundBlocks>,
    /// By author, the rounds at which it has a block.
    rounds_of: Vec<BTreeSet<Round>>,
    quorum_round: Round,
    gc_round: Round,
    held: usize,
    /// Blocks with a payload that no commit has output.
    unordered_payloads: usize,
}

impl Dag {
    pub(crate) fn new(rule: Rule, gc_round: Round) -> Self {
        Self {
            rule,
            rounds: BTreeMap::new(),
            rounds_of: vec![BTreeSet::new(); usize::from(rule.size)],
            quorum_round: Round(0),
            gc_round,
            held: 0,
            unordered_payloads: 0,
        }
    }

    pub(crate) const fn gc_round(&self) -> Round {
        self.gc_round
    }
    pub(crate) const fn quorum_round(&self) -> Round {
        self.quorum_round
    }
    pub(crate) const fn held(&self) -> usize {
        self.held
    }
    pub(crate) const fn has_unordered_payload(&self) -> bool {
        self.unordered_payloads > 0
    }
    pub(crate) fn highest_round(&self) -> Round {
        self.rounds
            .last_key_value()
            .map_or(Round(0), |(round, _)| *round)
    }

    /// How many authors have a block at `round`; all have one at round 0.
    pub(crate) fn authors_at(&self, round: Round) -> u16 {
        if round == Round(0) {
            return self.rule.size;
        }
        self.rounds
            .get(&round)
            .map_or(0, |blocks| blocks.authors.count())
    }

    /// When blocks of a quorum of authors were held at `round`, if they are.
    pub(crate) fn quorum_at(&self, round: Round) -> Option<Timestamp> {
        self.rounds.get(&round)?.quorum_at
    }

    /// Whether `reference` needs no fetching: held, a genesis block, or below the garbage-collection round.
    pub(crate) fn settled(&self, reference: &BlockRef) -> bool {
        reference.round == Round(0)
            || reference.round < self.gc_round
            || self.place(reference).is_some()
    }

    pub(crate) fn place(&self, reference: &BlockRef) -> Option<Place> {
        let slot = self.slot(reference.round, reference.author);
        let twin = slot
            .iter()
            .position(|vertex| vertex.block.reference() == *reference)?;
        Some(Place {
            round: reference.round,
            author: reference.author,
            twin: u16::try_from(twin).expect("bounded by TWINS_PER_SLOT_MAX"),
        })
    }

    pub(crate) fn vertex(&self, place: Place) -> &Vertex {
        self.slot(place.round, place.author)
            .get(usize::from(place.twin))
            .expect("places are only kept of blocks at or above the garbage-collection round")
    }

    /// The slot's blocks in order of acceptance.
    pub(crate) fn slot(&self, round: Round, author: ValidatorIndex) -> &[Vertex] {
        self.rounds
            .get(&round)
            .map_or(&[], |blocks| &blocks.slots[author.position()])
    }

    /// Accepts a block whose parents are all settled; `None` if the slot has no room for another twin.
    pub(crate) fn insert(
        &mut self,
        block: VerifiedBlock,
        output: bool,
        now: Timestamp,
    ) -> Option<Place> {
        let reference = block.reference();
        let slot_length = self.slot(reference.round, reference.author).len();
        let twin = u16::try_from(slot_length)
            .ok()
            .filter(|twin| *twin < TWINS_PER_SLOT_MAX)?;
        let parents: Box<[Place]> = block
            .parents()
            .iter()
            .filter(|parent| parent.round >= self.gc_round)
            .filter_map(|parent| self.place(parent))
            .collect();
        let supports = self.rule.supports(self, reference.round, &parents);
        let (size, quorum) = (self.rule.size, self.rule.quorum);
        self.unordered_payloads += usize::from(!output && block.transaction_count() > 0);
        self.held += 1;
        self.rounds_of[reference.author.position()].insert(reference.round);
        let blocks = self
            .rounds
            .entry(reference.round)
            .or_insert_with(|| RoundBlocks {
                authors: AuthorSet::default(),
                slots: (0..size).map(|_| Vec::new()).collect(),
                quorum_at: None,
            });
        blocks.authors.insert(reference.author);
        blocks.slots[reference.author.position()].push(Vertex {
            block,
            parents,
            supports,
            output,
            in_own_history: false,
        });
        if blocks.quorum_at.is_none() && blocks.authors.count() >= quorum {
            blocks.quorum_at = Some(now);
            self.quorum_round = self.quorum_round.max(reference.round);
        }
        Some(Place {
            round: reference.round,
            author: reference.author,
            twin,
        })
    }

    /// Notes that `own` and its ancestors are in this validator's own history. Each block is noted once.
    pub(crate) fn note_own(&mut self, own: Place) {
        let mut stack = vec![own];
        while let Some(place) = stack.pop() {
            if place.round < self.gc_round {
                continue;
            }
            let Some(vertex) = self.vertex_mut(place) else {
                continue;
            };
            if !vertex.in_own_history {
                vertex.in_own_history = true;
                stack.extend_from_slice(&vertex.parents);
            }
        }
    }

    /// What an own block at `round` has by `author` as a parent: the slot's first block at the round before, or else
    /// the author's newest block below, unless the own history has it.
    pub(crate) fn parent_candidate(
        &self,
        author: ValidatorIndex,
        round: Round,
    ) -> Option<BlockRef> {
        let before = round.back(1);
        let newest = *self.rounds_of[author.position()]
            .range(..round)
            .next_back()?;
        let vertex = self.slot(newest, author).first()?;
        let wanted = newest == before || !vertex.in_own_history;
        wanted.then(|| vertex.block.reference())
    }

    /// The distinct coin shares at `round`, with their authors, in order of author and acceptance.
    pub(crate) fn coin_shares(
        &self,
        round: Round,
    ) -> impl Iterator<Item = (ValidatorIndex, Signature)> {
        let slots = self.rounds.get(&round).map(|blocks| blocks.slots.iter());
        slots
            .into_iter()
            .flatten()
            .flatten()
            .map(|vertex| (vertex.block.author(), *vertex.block.coin_share()))
    }

    /// Marks as output and returns the not yet output ancestors of `leader` at or above `least`, and `leader` itself,
    /// ascending by round, author and id: so the leader is last.
    ///
    /// The walk stops at blocks that were output: their commit had a leader no higher than this one, so it output all
    /// their ancestors that could be wanted now.
    pub(crate) fn take_output(&mut self, leader: Place, least: Round) -> Vec<VerifiedBlock> {
        let mut output = Vec::new();
        let mut stack = vec![leader];
        while let Some(place) = stack.pop() {
            if place.round < least.max(self.gc_round) {
                continue;
            }
            let Some(vertex) = self.vertex_mut(place) else {
                continue;
            };
            if vertex.output {
                continue;
            }
            vertex.output = true;
            stack.extend_from_slice(&vertex.parents);
            output.push(vertex.block.clone());
        }
        let payloads = output
            .iter()
            .filter(|block| block.transaction_count() > 0)
            .count();
        self.unordered_payloads -= payloads;
        output.sort_unstable_by_key(|block| block.reference());
        output
    }

    /// Forgets everything below `gc_round` and returns the blocks of `author` among it that no commit has output.
    pub(crate) fn forget_below(
        &mut self,
        gc_round: Round,
        author: ValidatorIndex,
    ) -> Vec<BlockRef> {
        let kept = self.rounds.split_off(&gc_round);
        let forgotten = std::mem::replace(&mut self.rounds, kept);
        self.gc_round = gc_round;
        let mut dropped = Vec::new();
        for vertex in forgotten
            .into_values()
            .flat_map(|blocks| blocks.slots)
            .flatten()
        {
            self.held -= 1;
            if !vertex.output {
                self.unordered_payloads -= usize::from(vertex.block.transaction_count() > 0);
                if vertex.block.author() == author {
                    dropped.push(vertex.block.reference());
                }
            }
        }
        for rounds in &mut self.rounds_of {
            *rounds = rounds.split_off(&gc_round);
        }
        dropped
    }

    /// References of all blocks that were output.
    pub(crate) fn output(&self) -> impl Iterator<Item = BlockRef> {
        self.rounds
            .values()
            .flat_map(|blocks| blocks.slots.iter().flatten())
            .filter(|vertex| vertex.output)
            .map(|vertex| vertex.block.reference())
    }

    fn vertex_mut(&mut self, place: Place) -> Option<&mut Vertex> {
        self.rounds
            .get_mut(&place.round)?
            .slots
            .get_mut(place.author.position())?
            .get_mut(usize::from(place.twin))
    }
}

impl View for Dag {
    fn places(&self, round: Round) -> Vec<Place> {
        let slots = self.rounds.get(&round).map(|blocks| blocks.slots.iter());
        let mut places = Vec::new();
        for (author, slot) in (0..).zip(slots.into_iter().flatten()) {
            places.extend((0..).zip(slot).map(|(twin, _)| Place {
                round,
                author: ValidatorIndex(author),
                twin,
            }));
        }
        places
    }

    fn parents(&self, block: Place) -> &[Place] {
        &self.vertex(block).parents
    }

    fn supports(&self, block: Place) -> &Supports {
        &self.vertex(block).supports
    }
}

/// The lowest reference at a round.
pub(crate) const fn lowest_at(round: Round) -> BlockRef {
    BlockRef {
        round,
        author: ValidatorIndex(0),
        id: BlockId([0; 32]),
    }
}
