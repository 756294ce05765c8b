//! The innermost rule: support, votes, certificates, and what they decide about one slot.
//!
//! Everything here is a pure function of a [`View`] of the DAG. Names and rounds are those of CONSENSUS, Commit rule,
//! and of Mahi-Mahi (arXiv 2410.08670, sections 3 and 4) with the corrections described in the crate's documentation:
//! a slot is skipped when a quorum supports *no* block of it, and its anchor stands at least w rounds above it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Round, ValidatorIndex};

use crate::authors::AuthorSet;
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;

/// A block's position in the DAG: its slot, and its number among the slot's blocks in the order of acceptance, which is
/// 0 for all blocks of honest authors. The number is this validator's own; it never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) round: Round,
    pub(crate) author: ValidatorIndex,
    pub(crate) twin: u16,
}

/// What the rule reads of a DAG.
pub(crate) trait View {
    /// The blocks of a round, ascending by author.
    fn places(&self, round: Round) -> Vec<Place>;
    /// A block's parents in stored order, less those that were forgotten or are genesis blocks.
    fn parents(&self, block: Place) -> &[Place];
    /// A block's support vector.
    fn supports(&self, block: Place) -> &Supports;
}

/// A block's support vector: for each author, at each of the w-2 rounds below the block, which block of that slot it
/// supports. Votes stand w-2 rounds above their slot and certificates read their parents' votes, so nothing asks for
/// more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Supports {
    /// Row by row from the round just below the block: 0 for none, else the twin's number plus one.
    entries: Box<[u16]>,
}

/// Parameters of the rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// w.
    pub(crate) wave: u64,
    /// n.
    pub(crate) size: u16,
    /// q.
    pub(crate) quorum: u16,
    #[cfg(any(test, feature = "mutants"))]
    pub(crate) mutation: Option<Mutation>,
}

/// What was decided about a slot, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This block of the slot is committed.
    Commit(Place),
    /// No block of the slot is.
    Skip,
}

/// What is known about the votes and certificates of one slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Authors of vote-round blocks that support no block of the slot.
    none: AuthorSet,
    /// Authors of vote-round blocks by the twin they vote for.
    #[cfg(any(test, feature = "mutants"))]
    votes: BTreeMap<u16, AuthorSet>,
    /// Authors of certify-round blocks by the twin they certify.
    certificates: BTreeMap<u16, AuthorSet>,
}

impl Rule {
    /// r + w - 2.
    pub(crate) const fn vote_round(&self, slot: Round) -> Round {
        slot.forward(self.wave - 2)
    }

    /// r + w - 1: also the round whose coin names the slots of r.
    pub(crate) const fn certify_round(&self, slot: Round) -> Round {
        slot.forward(self.wave - 1)
    }

    /// r + w: the first round that may hold the slot's anchor. A directly committed block has certificates by a
    /// quorum at r+w-1, one of which is a parent of every block at r+w.
    pub(crate) fn anchor_round(&self, slot: Round) -> Round {
        #[cfg(any(test, feature = "mutants"))]
        if self.mutation == Some(Mutation::AnchorTooEarly) {
            return self.certify_round(slot);
        }
        slot.forward(self.wave)
    }

    /// How many votes make a certificate: q.
    fn certificate_votes(&self) -> u16 {
        #[cfg(any(test, feature = "mutants"))]
        if self.mutation == Some(Mutation::CertificateBelowQuorum) {
            return self.quorum - 1;
        }
        self.quorum
    }

    /// support(B, .) of a block at `round` with these parents: for each slot the first block met depth-first through
    /// parents in stored order. A walk through a parent finds the parent itself, if it stands in the slot, or what the
    /// parent supports; so the vector is, entry by entry, the first that any parent has.
    ///
    /// Forgotten parents contribute nothing. They stand below the garbage-collection round, where every slot is
    /// decided, and all they support is lower still; nobody asks about those entries again.
    pub(crate) fn supports<V: View>(&self, view: &V, round: Round, parents: &[Place]) -> Supports {
        let width = usize::from(self.size);
        let depth = usize::try_from(self.wave - 2).expect("w is 4 or 5");
        let mut entries = vec![0u16; width * depth].into_boxed_slice();
        for parent in parents {
            // A parent far below supports nothing of interest.
            let gap = usize::try_from(round.0 - parent.round.0).unwrap_or(usize::MAX);
            if gap > depth {
                continue;
            }
            let own = &mut entries[(gap - 1) * width + parent.author.position()];
            if *own == 0 {
                *own = parent.twin + 1;
            }
            let theirs = &view.supports(*parent).entries[..(depth - gap) * width];
            for (entry, found) in entries[gap * width..].iter_mut().zip(theirs) {
                if *entry == 0 {
                    *entry = *found;
                }
            }
        }
        Supports { entries }
    }

    /// support(block, (author, round)).
    pub(crate) fn support<V: View>(
        &self,
        view: &V,
        block: Place,
        round: Round,
        author: ValidatorIndex,
    ) -> Option<Place> {
        let gap = block.round.0.checked_sub(round.0)?;
        let row = usize::try_from(gap.checked_sub(1)?).ok()?;
        let position = row * usize::from(self.size) + author.position();
        let entry = *view.supports(block).entries.get(position)?;
        let twin = entry.checked_sub(1)?;
        Some(Place {
            round,
            author,
            twin,
        })
    }

    /// The block of the slot that `block`, at the slot's certify round, certifies: a quorum of its parents at the vote
    /// round vote for it. At most one parent is of any one author and a quorum is more than half, so it is the only one.
    pub(crate) fn certified<V: View>(
        &self,
        view: &V,
        block: Place,
        round: Round,
        author: ValidatorIndex,
    ) -> Option<Place> {
        let mut votes: BTreeMap<Place, u16> = BTreeMap::new();
        let voters = view
            .parents(block)
            .iter()
            .filter(|parent| parent.round == self.vote_round(round));
        for voter in voters {
            if let Some(leader) = self.support(view, *voter, round, author) {
                *votes.entry(leader).or_default() += 1;
            }
        }
        let needed = self.certificate_votes();
        votes
            .into_iter()
            .find_map(|(leader, count)| (count >= needed).then_some(leader))
    }

    /// Direct commit and direct skip. The two exclude each other, and two twins: quorums share an honest author, who
    /// has one block at the vote round, with one support.
    pub(crate) fn direct(
        &self,
        tally: &Tally,
        round: Round,
        author: ValidatorIndex,
    ) -> Option<Decision> {
        let committed = tally
            .certificates
            .iter()
            .find(|(_, authors)| authors.count() >= self.quorum);
        if let Some((&twin, _)) = committed {
            return Some(Decision::Commit(Place {
                round,
                author,
                twin,
            }));
        }
        self.skipped(tally).then_some(Decision::Skip)
    }

    fn skipped(&self, tally: &Tally) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        if self.mutation == Some(Mutation::SkipPerTwin) && !tally.votes.is_empty() {
            return tally.votes.keys().any(|twin| {
                let others = tally.votes.iter().filter(|(other, _)| *other != twin);
                let against =
                    others.fold(tally.none, |against, (_, authors)| against.union(*authors));
                against.count() >= self.quorum
            });
        }
        tally.none.count() >= self.quorum
    }

    /// The decision that a committed anchor makes about a slot at least w rounds below it: commit what some ancestor
    /// of the anchor at the certify round certifies, else skip.
    pub(crate) fn indirect<V: View>(
        &self,
        view: &V,
        anchor: Place,
        round: Round,
        author: ValidatorIndex,
    ) -> Decision {
        let certify = self.certify_round(round);
        // With the anchor where it belongs it is above the certify round; a misplaced one stands in for its ancestors.
        let mut layer = BTreeSet::from([anchor]);
        while let Some(block) = layer.pop_last() {
            if block.round > certify {
                let parents = view.parents(block).iter();
                layer.extend(parents.filter(|parent| parent.round >= certify));
            } else if let Some(leader) = self.certified(view, block, round, author) {
                return Decision::Commit(leader);
            }
        }
        Decision::Skip
    }
}

impl Tally {
    /// Counts a block at the vote round.
    pub(crate) fn add_vote<V: View>(
        &mut self,
        rule: &Rule,
        view: &V,
        block: Place,
        round: Round,
        author: ValidatorIndex,
    ) {
        match rule.support(view, block, round, author) {
            None => {
                self.none.insert(block.author);
            }
            #[cfg(any(test, feature = "mutants"))]
            Some(leader) => {
                let voters = self.votes.entry(leader.twin).or_default();
                voters.insert(block.author);
            }
            #[cfg(not(any(test, feature = "mutants")))]
            Some(_) => {}
        }
    }

    /// Counts a block at the certify round.
    pub(crate) fn add_certificate<V: View>(
        &mut self,
        rule: &Rule,
        view: &V,
        block: Place,
        round: Round,
        author: ValidatorIndex,
    ) {
        if let Some(leader) = rule.certified(view, block, round, author) {
            let authors = self.certificates.entry(leader.twin).or_default();
            authors.insert(block.author);
        }
    }
}
