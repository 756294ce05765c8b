//! What a liar says, to whom and when.

use std::sync::Arc;

use quorate_types::{Block, BlockRef, Height, Round, ValidatorIndex};

use super::forge::{Draft, no_block};
use super::{Liar, Sight};
use crate::behaviour::Behaviour;
use crate::event::Message;

/// Something for somebody.
type Letter = (ValidatorIndex, Message);

/// Of a thousand own blocks, how many are followed by something old or out of place.
const REPLAYS: u64 = 300;
/// The same for what is no block, or far ahead.
const SPAM: u64 = 300;
/// Of a thousand own blocks, how many are followed by a greeting that nobody asked for.
const GREETINGS: u64 = 60;
/// Of a thousand peers of a block that is withheld, how many see it at once.
const CONFIDANTS: u64 = 150;

impl Liar {
    /// Says what there is to say when an own block may leave.
    pub(crate) fn tell(&mut self, block: &Arc<Block>, sight: &Sight<'_>) -> Vec<Letter> {
        let round = block.round();
        let mut letters = Vec::new();
        let mut late = Vec::new();
        let mut confidants = u64::from(sight.setup.committee.faults());
        for peer in self.peers(sight) {
            let block = self.version_for(peer, block);
            let waits = self.does(Behaviour::Withholding)
                && (confidants == 0 || !self.dice.per_mille(CONFIDANTS));
            if waits {
                late.push((peer, block));
            } else {
                confidants = confidants.saturating_sub(1);
                letters.push((peer, Message::Block(block)));
            }
        }
        if !late.is_empty() {
            self.withheld.insert(round, late);
        }
        letters.extend(self.replay(block, sight));
        letters.extend(self.spam(block, sight));
        letters.extend(self.greet_unasked(sight));
        letters
    }

    fn peers(&self, sight: &Sight<'_>) -> Vec<ValidatorIndex> {
        let members = sight.setup.committee.indices();
        members.filter(|peer| *peer != self.me).collect()
    }

    fn peer(&mut self, sight: &Sight<'_>) -> ValidatorIndex {
        let peers = self.peers(sight);
        *self.dice.pick(&peers)
    }

    /// The block of a slot that a peer gets.
    fn version_for(&mut self, peer: ValidatorIndex, block: &Arc<Block>) -> Arc<Block> {
        let second = if self.does(Behaviour::Splitting) {
            self.second_half[peer.position()]
        } else {
            self.dice.per_mille(500)
        };
        let twin = self.twins.get(&block.round());
        Arc::clone(twin.filter(|_| second).unwrap_or(block))
    }

    /// Whether its block of a round is still withheld from a peer.
    pub(crate) fn withholds(&self, peer: ValidatorIndex, round: Round) -> bool {
        let late = self.withheld.get(&round);
        late.is_some_and(|late| late.iter().any(|(to, _)| *to == peer))
    }

    /// What is late enough now.
    pub(crate) fn release(&mut self, highest: Round) -> Vec<Letter> {
        let mut letters = Vec::new();
        while let Some(late) = self.withheld.first_entry() {
            if late.key().forward(self.lateness) > highest {
                break;
            }
            let blocks = late.remove().into_iter();
            letters.extend(blocks.map(|(to, block)| (to, Message::Block(block))));
        }
        letters
    }

    fn replay(&mut self, block: &Block, sight: &Sight<'_>) -> Option<Letter> {
        if !self.does(Behaviour::Replaying) || !self.dice.per_mille(REPLAYS) {
            return None;
        }
        let to = self.peer(sight);
        let message = match self.dice.below(3) {
            0 => {
                let count = sight.own_blocks.len() as u64;
                let at = usize::try_from(self.dice.below(count)).unwrap_or(0);
                let old = sight.own_blocks.values().nth(at)?;
                Message::Block(Arc::clone(old))
            }
            1 => {
                let (_, last) = sight.certificates.last_key_value()?;
                let mut changed = (**last).clone();
                changed.header.timestamp_ms += 1;
                if self.dice.per_mille(500) {
                    changed.header.height = changed.header.height.next();
                }
                Message::Certificate(Arc::new(changed))
            }
            _ => {
                let draft = Draft::of(block);
                Message::Block(draft.out_of_place(sight.setup, &mut self.dice))
            }
        };
        Some((to, message))
    }

    fn spam(&mut self, block: &Block, sight: &Sight<'_>) -> Option<Letter> {
        if !self.does(Behaviour::Spamming) || !self.dice.per_mille(SPAM) {
            return None;
        }
        let to = self.peer(sight);
        if self.far_left == 0 || self.dice.per_mille(300) {
            let bytes = no_block(block, &mut self.dice);
            return Some((to, Message::Bytes(bytes)));
        }
        self.far_left -= 1;
        let ahead = match self.dice.below(8) {
            0 => u64::MAX,
            1 => self.dice.between(257, 100_000),
            _ => self.dice.between(2, 256),
        };
        let mut draft = Draft::of(block);
        draft.payload.clear();
        let quorum = sight.setup.committee.quorum();
        draft.move_to(block.round().forward(ahead), quorum, &mut self.dice);
        Some((to, Message::Block(draft.signed(sight.setup))))
    }

    fn greet_unasked(&mut self, sight: &Sight<'_>) -> Option<Letter> {
        if !self.does(Behaviour::FalseGreetings) || !self.dice.per_mille(GREETINGS) {
            return None;
        }
        let truth = Message::Hello {
            certified: sight
                .certificates
                .last_key_value()
                .map_or(Height(0), |(height, _)| *height),
            held: sight.highest,
            above: sight.highest,
            round: sight.highest,
            lowest: Round(0),
            answer: self.dice.per_mille(500),
        };
        let to = self.peer(sight);
        Some((to, self.change_greeting(truth)))
    }

    /// What it says instead of the truth when a connection is made.
    pub(crate) fn change_greeting(&mut self, truth: Message) -> Message {
        let Message::Hello {
            certified,
            held,
            above,
            round,
            lowest,
            answer,
        } = truth
        else {
            return truth;
        };
        if !self.lies_now(Behaviour::FalseGreetings) {
            return truth;
        }
        let mut lie = |truth: u64| match self.dice.below(5) {
            0 => truth,
            1 => 0,
            2 => truth.saturating_add(self.dice.between(1, 50)),
            3 => truth.saturating_sub(self.dice.between(1, 50)),
            _ => u64::MAX,
        };
        Message::Hello {
            certified: Height(lie(certified.0)),
            held: Round(lie(held.0)),
            above: Round(lie(above.0)),
            round: Round(lie(round.0)),
            lowest: Round(lie(lowest.0)),
            answer,
        }
    }

    /// The answer to a peer that asks for a block; `truth` is the block, if it is here.
    pub(crate) fn answer(
        &mut self,
        asked: &BlockRef,
        truth: Option<Arc<Block>>,
        sight: &Sight<'_>,
    ) -> Option<Message> {
        let own_twin = self.twins.get(&asked.round).cloned();
        let twin = own_twin.filter(|twin| twin.reference() == *asked);
        let truth = truth.or(twin);
        if !self.lies_now(Behaviour::JunkAnswers) {
            return truth.map(Message::Answer);
        }
        let some = sight.own_blocks.last_key_value().map(|(_, block)| block);
        match self.dice.below(4) {
            0 => None,
            1 => some.cloned().map(Message::Answer),
            2 => self
                .twins
                .last_key_value()
                .map(|(_, twin)| Message::Answer(Arc::clone(twin))),
            _ => some.map(|block| Message::Bytes(no_block(block, &mut self.dice))),
        }
    }
}
