//! Slots in order, and which of them are decided.
//!
//! A slot exists once the coin has named it, so nothing is decided before. A block touches the tallies of the slots
//! whose vote or certify round it stands at, and nothing else; only a new decision makes the committer look for
//! anchors. All decisions are final: votes and certificates are only ever added, and an anchor is the first slot that
//! is not skipped, with everything before it skipped for good.

#[cfg(any(test, feature = "test-utils"))]
use std::collections::BTreeMap;
use std::collections::VecDeque;

use quorate_types::{Round, ValidatorIndex};

use crate::rule::{Decision, Place, Rule, Tally, View};
use crate::status::Decided;

/// The slots from the first undecided one on.
#[derive(Debug)]
pub(crate) struct Committer {
    rule: Rule,
    /// Round of the first undecided slot.
    round: Round,
    /// Its position among the slots of its round.
    position: u16,
    /// The slots of `round` and the rounds after it; `None` where the coin is not known.
    rounds: VecDeque<Option<Vec<Slot>>>,
    decided: Decided,
    #[cfg(any(test, feature = "test-utils"))]
    journal: BTreeMap<(Round, ValidatorIndex), (Decision, bool)>,
}

/// Most decisions that tests can look back at.
#[cfg(any(test, feature = "test-utils"))]
const JOURNAL_MAX: usize = 4096;

#[derive(Debug)]
struct Slot {
    author: ValidatorIndex,
    tally: Tally,
    decision: Option<Decision>,
}

/// What the slots at and after some point say about the anchor of a slot below.
#[derive(Clone, Copy, Debug)]
enum Anchor {
    /// The first slot that is not skipped is undecided, or not named.
    Open,
    /// It is committed.
    Committed(Place),
}

impl Committer {
    pub(crate) fn new(rule: Rule, round: Round, position: u16) -> Self {
        Self {
            rule,
            round,
            position,
            rounds: VecDeque::new(),
            decided: Decided::default(),
            #[cfg(any(test, feature = "test-utils"))]
            journal: BTreeMap::new(),
        }
    }

    /// The first undecided slot. All slots of lower rounds are decided.
    pub(crate) const fn next(&self) -> (Round, u16) {
        (self.round, self.position)
    }

    pub(crate) const fn decided(&self) -> Decided {
        self.decided
    }

    /// Whether the slots of `round` are wanted and not named.
    pub(crate) fn wants_leaders(&self, round: Round) -> bool {
        round >= self.round && self.slots(round).is_none()
    }

    /// Names the slots of `round`, in order.
    pub(crate) fn name_leaders<V: View>(
        &mut self,
        view: &V,
        round: Round,
        leaders: &[ValidatorIndex],
    ) {
        if !self.wants_leaders(round) {
            return;
        }
        let votes = view.places(self.rule.vote_round(round));
        let certificates = view.places(self.rule.certify_round(round));
        let named = leaders.iter().map(|&author| {
            let mut tally = Tally::default();
            for &block in &votes {
                tally.add_vote(&self.rule, view, block, round, author);
            }
            for &block in &certificates {
                tally.add_certificate(&self.rule, view, block, round, author);
            }
            Slot {
                author,
                tally,
                decision: None,
            }
        });
        let named = named.collect();
        let offset = self
            .offset(round)
            .expect("wanted rounds are not below the first");
        if self.rounds.len() <= offset {
            self.rounds.resize_with(offset + 1, || None);
        }
        self.rounds[offset] = Some(named);
        self.decide_directly(round);
        // Its slots' anchor may be decided already: coins can come late and out of order.
        self.decide_by_anchors(view);
    }

    /// Counts a block that has just been accepted.
    pub(crate) fn add_block<V: View>(&mut self, view: &V, block: Place) {
        let rule = self.rule;
        let voted = block.round.0.checked_sub(rule.wave - 2).map(Round);
        let certified = block.round.0.checked_sub(rule.wave - 1).map(Round);
        if let Some(round) = voted {
            for slot in self.open_slots(round) {
                slot.tally.add_vote(&rule, view, block, round, slot.author);
            }
            self.decide(view, round);
        }
        if let Some(round) = certified {
            for slot in self.open_slots(round) {
                slot.tally
                    .add_certificate(&rule, view, block, round, slot.author);
            }
            self.decide(view, round);
        }
    }

    /// The next slot of the sequence, if it is decided; the sequence moves on.
    pub(crate) fn take_next(&mut self) -> Option<Decision> {
        let slots = self.rounds.front()?.as_ref()?;
        let decision = slots.get(usize::from(self.position))?.decision?;
        self.position += 1;
        if usize::from(self.position) == slots.len() {
            self.rounds.pop_front();
            self.round = self.round.next();
            self.position = 0;
        }
        Some(decision)
    }

    /// Decides what can be decided after the tallies of `round` changed.
    fn decide<V: View>(&mut self, view: &V, round: Round) {
        if self.decide_directly(round) {
            self.decide_by_anchors(view);
        }
    }

    /// Whether the tallies of `round` decide a slot.
    fn decide_directly(&mut self, round: Round) -> bool {
        let rule = self.rule;
        let mut made = Vec::new();
        for slot in self.open_slots(round) {
            slot.decision = rule.direct(&slot.tally, round, slot.author);
            made.extend(slot.decision.map(|decision| (slot.author, decision)));
        }
        for &(author, decision) in &made {
            self.count(round, author, decision, true);
        }
        !made.is_empty()
    }

    /// From the last slot to the first, so that each slot's anchor is decided, if it can be, before the slot is.
    fn decide_by_anchors<V: View>(&mut self, view: &V) {
        let rule = self.rule;
        let mut made = Vec::new();
        // What a slot sees that looks up to the round at this offset.
        let mut anchors = vec![Anchor::Open; self.rounds.len() + 1];
        for (offset, slots) in self.rounds.iter_mut().enumerate().rev() {
            let Some(slots) = slots else {
                continue;
            };
            let round = self.round.forward(offset as u64);
            let above = rule.anchor_round(round).0 - self.round.0;
            let above = usize::try_from(above).expect("offsets fit memory");
            if let Some(Anchor::Committed(anchor)) = anchors.get(above).copied() {
                for slot in slots.iter_mut().filter(|slot| slot.decision.is_none()) {
                    let decision = rule.indirect(view, anchor, round, slot.author);
                    slot.decision = Some(decision);
                    made.push((round, slot.author, decision));
                }
            }
            let first = slots
                .iter()
                .find(|slot| slot.decision != Some(Decision::Skip));
            anchors[offset] = match first.map(|slot| slot.decision) {
                None => anchors[offset + 1],
                Some(Some(Decision::Commit(leader))) => Anchor::Committed(leader),
                Some(_) => Anchor::Open,
            };
        }
        for (round, author, decision) in made {
            self.count(round, author, decision, false);
        }
    }

    fn count(&mut self, round: Round, author: ValidatorIndex, decision: Decision, direct: bool) {
        let decided = &mut self.decided;
        let counter = match (decision, direct) {
            (Decision::Commit(_), true) => &mut decided.direct_commits,
            (Decision::Commit(_), false) => &mut decided.indirect_commits,
            (Decision::Skip, true) => &mut decided.direct_skips,
            (Decision::Skip, false) => &mut decided.indirect_skips,
        };
        *counter += 1;
        #[cfg(any(test, feature = "test-utils"))]
        self.note(round, author, decision, direct);
        #[cfg(not(any(test, feature = "test-utils")))]
        let _ = (round, author);
    }

    fn offset(&self, round: Round) -> Option<usize> {
        let offset = round.0.checked_sub(self.round.0)?;
        usize::try_from(offset).ok()
    }

    fn slots(&self, round: Round) -> Option<&Vec<Slot>> {
        self.rounds.get(self.offset(round)?)?.as_ref()
    }

    fn open_slots(&mut self, round: Round) -> impl Iterator<Item = &mut Slot> {
        let slots = self
            .offset(round)
            .and_then(|offset| self.rounds.get_mut(offset))
            .and_then(Option::as_mut);
        slots
            .into_iter()
            .flatten()
            .filter(|slot| slot.decision.is_none())
    }

    /// Notes a decision that was just made.
    #[cfg(any(test, feature = "test-utils"))]
    fn note(&mut self, round: Round, author: ValidatorIndex, decision: Decision, direct: bool) {
        self.journal.insert((round, author), (decision, direct));
        while self.journal.len() > JOURNAL_MAX {
            self.journal.pop_first();
        }
    }

    /// What was decided about a slot, and whether directly.
    #[cfg(any(test, feature = "test-utils"))]
    pub(crate) fn decision(
        &self,
        round: Round,
        author: ValidatorIndex,
    ) -> Option<(Decision, bool)> {
        self.journal.get(&(round, author)).copied()
    }
}
