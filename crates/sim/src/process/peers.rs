//! What peers say, and what they are told.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use quorate_types::{Block, BlockRef, Certificate, FinalityShare, Height, Round, ValidatorIndex};
use quorate_validator::{Greeting, Input};

use super::Process;
use crate::event::{Event, Message};
use crate::failure::Refusal;
use crate::hub::Hub;
use crate::liar::Sight;
use crate::options::DriverFault;
use crate::setup::Setup;
use crate::trace::Kind;

/// How long a stream whose next block is too far ahead is left alone, in microseconds.
const UNREAD_FOR: u64 = 20_000;

impl Process {
    pub(crate) fn deliver(&mut self, from: ValidatorIndex, message: Message, hub: &mut Hub) {
        match message {
            Message::Block(block) => self.receive_streamed(from, block, hub),
            Message::Answer(block) => self.receive_answer(from, block, hub),
            Message::Bytes(bytes) => match Block::decode(bytes) {
                Ok(block) => self.receive_streamed(from, Arc::new(block), hub),
                Err(error) => self.refuse(from, error.into(), hub),
            },
            Message::Share(share) => self.step(Input::Share { from, share }, hub),
            Message::Certificate(certificate) => {
                let certificate = (*certificate).clone();
                self.step(Input::Certificate { from, certificate }, hub);
            }
            Message::Fetch(blocks) => {
                for reference in blocks.iter() {
                    if let Some(answer) = self.answer(reference, hub) {
                        hub.send(self.me, from, answer);
                    }
                }
            }
            Message::Hello {
                certified,
                held,
                above,
                round,
                lowest,
                answer,
            } => {
                self.look_ahead(lowest);
                let greeting = Greeting { held, round };
                self.step(Input::Greeting { from, greeting }, hub);
                if !answer {
                    self.greet(from, true, hub);
                }
                self.stream_again(from, certified, above, hub);
            }
        }
        self.speak_late(hub);
    }

    /// If a peer does not keep blocks as old as the newest here, this validator joins.
    fn look_ahead(&mut self, lowest: Round) {
        let held = self.held.iter().max().copied().unwrap_or(Round(0));
        let held = held.max(self.useless).max(self.validator.status().round);
        self.left_behind |= lowest > held.next();
    }

    /// A block of the sender's own stream: it must be the author.
    fn receive_streamed(&mut self, from: ValidatorIndex, block: Arc<Block>, hub: &mut Hub) {
        let author = block.author();
        if author != from {
            self.refuse(from, Refusal::Foreign { author }, hub);
            return;
        }
        self.receive_block(from, block, hub);
    }

    /// A block that must have been asked for.
    fn receive_answer(&mut self, from: ValidatorIndex, block: Arc<Block>, hub: &mut Hub) {
        let reference = block.reference();
        if !hub.asked.contains(&(self.me, from, reference)) {
            self.refuse(from, Refusal::Unasked { block: reference }, hub);
            return;
        }
        self.receive_block(from, block, hub);
    }

    fn refuse(&self, from: ValidatorIndex, why: Refusal, hub: &mut Hub) {
        hub.trace.say(hub.now, Some(self.me), || {
            format!("refuses what {from} sent: {why}")
        });
        hub.counters.refused += u64::from(self.liar.is_none());
        hub.checker.refused(self.me, from, why);
    }

    fn receive_block(&mut self, from: ValidatorIndex, block: Arc<Block>, hub: &mut Hub) {
        if self.validator.block(&block.reference()).is_some() {
            return;
        }
        if block.round() > *self.validator.consensus().window().end() {
            let event = Event::Deliver {
                from,
                to: self.me,
                boot: hub.boots[self.me.position()],
                message: Message::Block(block),
            };
            hub.queue.push(hub.now.plus_micros(UNREAD_FOR), event);
            return;
        }
        if let Some(liar) = &mut self.liar {
            liar.hear(&block);
        }
        let setup = Arc::clone(&hub.setup);
        match setup.cryptography(self.me).verify_block((*block).clone()) {
            Ok(block) => self.step(Input::Block { from, block }, hub),
            Err(error) => self.refuse(from, error.into(), hub),
        }
    }

    /// The answer to a peer that asks for a block.
    fn answer(&mut self, asked: &BlockRef, hub: &Hub) -> Option<Message> {
        let truth = self.find_block(asked);
        let setup = Arc::clone(&hub.setup);
        let sight = sight(&setup, hub, &self.own_blocks, &self.certificates);
        match &mut self.liar {
            Some(liar) => liar.answer(asked, truth, &sight),
            None => truth.map(Message::Answer),
        }
    }

    /// A liar sends what it has held back for long enough.
    fn speak_late(&mut self, hub: &mut Hub) {
        let highest = hub.checker.highest_round();
        let letters = self.liar.as_mut().map(|liar| liar.release(highest));
        for (peer, message) in letters.into_iter().flatten() {
            hub.send(self.me, peer, message);
        }
    }

    /// A block from memory or from the log.
    fn find_block(&self, reference: &BlockRef) -> Option<Arc<Block>> {
        if reference.author == self.me && !self.own_blocks.contains_key(&reference.round) {
            // It has not left yet, for it is not durable.
            return None;
        }
        if let Some(block) = self.validator.block(reference) {
            return Some(block.shared());
        }
        let position = self.positions.get(reference)?;
        let record = self
            .wal
            .read(*position)
            .expect("positions are those of durable records");
        let block = Block::decode(record.payload.into()).expect("the log holds whole blocks");
        Some(Arc::new(block))
    }

    /// Tells a peer what is missing here.
    pub(super) fn greet(&mut self, peer: ValidatorIndex, answer: bool, hub: &mut Hub) {
        let held = self.held[peer.position()];
        let hello = Message::Hello {
            certified: self.validator.finality().certified,
            held,
            above: held.max(self.useless),
            round: self.validator.status().round,
            lowest: self.tables.content().lowest,
            answer,
        };
        let hello = match &mut self.liar {
            Some(liar) => liar.change_greeting(hello),
            None => hello,
        };
        let restarted = hub.boots[self.me.position()] > 1;
        if !(restarted && hub.makes(DriverFault::NoGreeting)) {
            hub.send(self.me, peer, hello);
        }
    }

    fn stream_again(
        &mut self,
        peer: ValidatorIndex,
        certified: Height,
        above: Round,
        hub: &mut Hub,
    ) {
        let liar = self.liar.as_deref();
        let withholds = |round| liar.is_some_and(|liar| liar.withholds(peer, round));
        let blocks: Vec<Arc<Block>> = self
            .own_blocks
            .range((Bound::Excluded(above), Bound::Unbounded))
            .filter(|(round, _)| !withholds(**round))
            .map(|(_, block)| Arc::clone(block))
            .collect();
        for block in blocks {
            hub.checker.own_block(block.reference());
            hub.send(self.me, peer, Message::Block(block));
        }
        let above = (Bound::Excluded(certified), Bound::Unbounded);
        for (_, certificate) in self.certificates.range(above) {
            let message = Message::Certificate(Arc::clone(certificate));
            hub.send(self.me, peer, message);
        }
        for (_, share) in self.shares.range(above) {
            hub.send(self.me, peer, Message::Share(*share));
        }
    }

    pub(super) fn send_block(&mut self, block: Arc<Block>, hub: &mut Hub) {
        let reference = block.reference();
        let round = reference.round;
        hub.trace
            .note(hub.now, Kind::SendBlock, self.me, round.0, &reference.id.0);
        hub.trace.say_in_passing(hub.now, Some(self.me), || {
            let (parents, payload) = (block.parents().len(), block.transaction_count());
            format!("sends its block of round {round}: {parents} parents, {payload} transactions")
        });
        hub.checker.own_block(reference);
        self.own_blocks.insert(round, Arc::clone(&block));
        let setup = Arc::clone(&hub.setup);
        let sight = sight(&setup, hub, &self.own_blocks, &self.certificates);
        let letters = match &mut self.liar {
            Some(liar) => liar.tell(&block, &sight),
            None => {
                let message = |peer| (peer, Message::Block(Arc::clone(&block)));
                hub.peers(self.me).map(message).collect()
            }
        };
        for (peer, message) in letters {
            hub.send(self.me, peer, message);
        }
    }

    pub(super) fn send_share(&mut self, share: FinalityShare, hub: &mut Hub) {
        let height = share.height;
        hub.trace.note(
            hub.now,
            Kind::SendShare,
            self.me,
            height.0,
            &share.header_hash.0,
        );
        hub.checker.share(self.me, &share);
        let setup = Arc::clone(&hub.setup);
        let share = match &mut self.liar {
            Some(liar) => liar.change_share(share, setup.cryptography(self.me).as_ref()),
            None => share,
        };
        for peer in hub.peers(self.me) {
            hub.send(self.me, peer, Message::Share(share));
        }
        if height > self.validator.finality().certified {
            self.shares.insert(height, share);
        }
    }
}

/// What a liar can look at.
const fn sight<'a>(
    setup: &'a Setup,
    hub: &Hub,
    own_blocks: &'a BTreeMap<Round, Arc<Block>>,
    certificates: &'a BTreeMap<Height, Arc<Certificate>>,
) -> Sight<'a> {
    Sight {
        setup,
        highest: hub.checker.highest_round(),
        own_blocks,
        certificates,
    }
}
