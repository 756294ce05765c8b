//! The commit rule as the text of CONSENSUS has it, with graph walks, nothing remembered and everything decided anew.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Block, BlockRef, Round, ValidatorIndex};

/// All that decisions are a function of.
pub(super) struct Model<'a> {
    pub(super) wave: u64,
    pub(super) quorum: usize,
    pub(super) gc_depth: u64,
    pub(super) blocks: &'a BTreeMap<BlockRef, Block>,
    pub(super) leaders: &'a BTreeMap<Round, Vec<ValidatorIndex>>,
}

/// A commit: leader, time, blocks.
pub(super) type Output = (BlockRef, u64, Vec<BlockRef>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Commit(BlockRef),
    Skip,
    Undecided,
}

impl Model<'_> {
    /// The commit sequence.
    pub(super) fn commits(&self) -> Vec<Output> {
        let slots = self.slots();
        let decisions = self.decisions(&slots);
        let mut commits = Vec::new();
        let mut done: BTreeSet<BlockRef> = BTreeSet::new();
        let mut round = Round(1);
        for (slot, decision) in slots.iter().zip(&decisions) {
            // The sequence ends at the first round that has no coin, and at the first slot that is undecided.
            if slot.0 > round.next() || (slot.0 > round && !self.leaders.contains_key(&round)) {
                break;
            }
            round = slot.0;
            match decision {
                Decision::Undecided => break,
                Decision::Skip => {}
                Decision::Commit(leader) => {
                    commits.push(self.output(leader, &mut done));
                }
            }
        }
        if self.leaders.contains_key(&Round(1)) {
            commits
        } else {
            Vec::new()
        }
    }

    fn output(&self, leader: &BlockRef, done: &mut BTreeSet<BlockRef>) -> Output {
        let least = leader.round.back(self.gc_depth);
        let mut ancestors = BTreeSet::new();
        self.ancestors(leader, &mut ancestors);
        let blocks: Vec<BlockRef> = ancestors
            .into_iter()
            .filter(|block| block.round >= least && done.insert(*block))
            .collect();
        let parents = self.blocks[leader].parents().iter();
        let mut times: Vec<u64> = parents
            .filter(|parent| parent.round >= least)
            .filter_map(|parent| self.blocks.get(parent))
            .map(Block::timestamp_ms)
            .collect();
        times.sort_unstable();
        let time = match times.len() {
            0 => self.blocks[leader].timestamp_ms(),
            count => times[(count - 1) / 2],
        };
        (*leader, time, blocks)
    }

    fn slots(&self) -> Vec<(Round, ValidatorIndex)> {
        let named = self.leaders.iter();
        named
            .flat_map(|(round, authors)| authors.iter().map(|author| (*round, *author)))
            .collect()
    }

    fn decisions(&self, slots: &[(Round, ValidatorIndex)]) -> Vec<Decision> {
        let mut decisions = vec![Decision::Undecided; slots.len()];
        for position in (0..slots.len()).rev() {
            let (round, author) = slots[position];
            decisions[position] = self.direct(round, author);
            if decisions[position] != Decision::Undecided {
                continue;
            }
            let mut at = round.forward(self.wave);
            for later in position + 1..slots.len() {
                if slots[later].0 < at {
                    continue;
                }
                // A round whose coin is not known has undecided slots.
                let unnamed =
                    (at.0..slots[later].0.0).any(|round| !self.leaders.contains_key(&Round(round)));
                if unnamed {
                    break;
                }
                at = slots[later].0;
                match decisions[later] {
                    Decision::Skip => {}
                    Decision::Undecided => break,
                    Decision::Commit(anchor) => {
                        decisions[position] = self.indirect(anchor, round, author);
                        break;
                    }
                }
            }
        }
        decisions
    }

    fn at(&self, round: Round) -> impl Iterator<Item = &BlockRef> {
        self.blocks.keys().filter(move |block| block.round == round)
    }

    fn support(&self, from: &BlockRef, round: Round, author: ValidatorIndex) -> Option<BlockRef> {
        for parent in self.blocks.get(from)?.parents() {
            if parent.round == round && parent.author == author {
                return Some(*parent);
            }
            if parent.round > round
                && let Some(found) = self.support(parent, round, author)
            {
                return Some(found);
            }
        }
        None
    }

    fn certified(&self, block: &BlockRef, leader: &BlockRef) -> bool {
        let vote_round = leader.round.forward(self.wave - 2);
        let votes = self.blocks[block].parents().iter().filter(|parent| {
            parent.round == vote_round
                && self.support(parent, leader.round, leader.author) == Some(*leader)
        });
        votes.count() >= self.quorum
    }

    fn direct(&self, round: Round, author: ValidatorIndex) -> Decision {
        let candidates = self.at(round).filter(|block| block.author == author);
        for leader in candidates {
            let certifiers: BTreeSet<_> = self
                .at(round.forward(self.wave - 1))
                .filter(|block| self.certified(block, leader))
                .map(|block| block.author)
                .collect();
            if certifiers.len() >= self.quorum {
                return Decision::Commit(*leader);
            }
        }
        let against: BTreeSet<_> = self
            .at(round.forward(self.wave - 2))
            .filter(|block| self.support(block, round, author).is_none())
            .map(|block| block.author)
            .collect();
        if against.len() >= self.quorum {
            return Decision::Skip;
        }
        Decision::Undecided
    }

    fn indirect(&self, anchor: BlockRef, round: Round, author: ValidatorIndex) -> Decision {
        let mut ancestors = BTreeSet::new();
        self.ancestors(&anchor, &mut ancestors);
        let candidates = self.at(round).filter(|block| block.author == author);
        for leader in candidates {
            let mut certifiers = self.at(round.forward(self.wave - 1));
            if certifiers.any(|block| ancestors.contains(block) && self.certified(block, leader)) {
                return Decision::Commit(*leader);
            }
        }
        Decision::Skip
    }

    fn ancestors(&self, block: &BlockRef, found: &mut BTreeSet<BlockRef>) {
        if let Some(block) = self.blocks.get(block)
            && found.insert(block.reference())
        {
            for parent in block.parents() {
                self.ancestors(parent, found);
            }
        }
    }
}
