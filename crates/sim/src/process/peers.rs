//! What peers say, and what they are told.

use std::sync::Arc;

use quorate_types::{Block, BlockRef, FinalityShare, Height, Round, ValidatorIndex};
use quorate_validator::{Greeting, Input};

use super::Process;
use crate::event::{Event, Message};
use crate::hub::Hub;
use crate::options::DriverFault;
use crate::trace::Kind;

/// How long a stream whose next block is too far ahead is left alone, in microseconds.
const UNREAD_FOR: u64 = 20_000;

impl Process {
    pub(crate) fn deliver(&mut self, from: ValidatorIndex, message: Message, hub: &mut Hub) {
        match message {
            Message::Block(block) => self.receive_block(from, block, hub),
            Message::Share(share) => self.step(Input::Share { from, share }, hub),
            Message::Certificate(certificate) => {
                let certificate = (*certificate).clone();
                self.step(Input::Certificate { from, certificate }, hub);
            }
            Message::Fetch(blocks) => {
                for reference in blocks.iter() {
                    if let Some(block) = self.find_block(reference) {
                        hub.send(self.me, from, Message::Block(block));
                    }
                }
            }
            Message::Hello {
                certified,
                held,
                round,
                answer,
            } => {
                let greeting = Greeting { held, round };
                self.step(Input::Greeting { from, greeting }, hub);
                if !answer {
                    self.greet(from, true, hub);
                }
                self.stream_again(from, certified, held, hub);
            }
        }
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
        let setup = Arc::clone(&hub.setup);
        let verified = setup.cryptography(self.me).verify_block((*block).clone());
        let block = verified.expect("nobody forges blocks in this world");
        self.step(Input::Block { from, block }, hub);
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
        if let Some(twin) = self.twins.get(&reference.round)
            && twin.reference() == *reference
        {
            return Some(Arc::clone(twin));
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
    pub(super) fn greet(&self, peer: ValidatorIndex, answer: bool, hub: &mut Hub) {
        let hello = Message::Hello {
            certified: self.validator.finality().certified,
            held: self.held[peer.position()],
            round: self.validator.status().round,
            answer,
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
        held: Round,
        hub: &mut Hub,
    ) {
        let blocks: Vec<Arc<Block>> = self
            .own_blocks
            .range(held.next()..)
            .map(|(_, block)| Arc::clone(block))
            .collect();
        for block in blocks {
            hub.checker.own_block(block.reference());
            hub.send(self.me, peer, Message::Block(block));
        }
        for (_, certificate) in self.certificates.range(certified.next()..) {
            let message = Message::Certificate(Arc::clone(certificate));
            hub.send(self.me, peer, message);
        }
        for (_, share) in self.shares.range(certified.next()..) {
            hub.send(self.me, peer, Message::Share(*share));
        }
    }

    pub(super) fn send_block(&mut self, block: Arc<Block>, hub: &mut Hub) {
        let reference = block.reference();
        let round = reference.round;
        hub.trace
            .note(hub.now, Kind::SendBlock, self.me, round.0, &reference.id.0);
        hub.trace.say(hub.now, Some(self.me), || {
            let (parents, payload) = (block.parents().len(), block.transaction_count());
            format!("sends its block of round {round}: {parents} parents, {payload} transactions")
        });
        hub.checker.own_block(reference);
        let twin = self.twins.get(&round).cloned();
        for peer in hub.peers(self.me) {
            let other = twin.as_ref().filter(|_| hub.dice.per_mille(500));
            let sent = Arc::clone(other.unwrap_or(&block));
            hub.send(self.me, peer, Message::Block(sent));
        }
        self.own_blocks.insert(round, block);
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
        for peer in hub.peers(self.me) {
            hub.send(self.me, peer, Message::Share(share));
        }
        if height > self.validator.finality().certified {
            self.shares.insert(height, share);
        }
    }
}
