//! Messages of peers: each is checked before it counts.

use quorate_types::{DealingHash, IdentitySignature, Signature, ValidatorIndex};

use super::Engine;
use crate::agreement::ROUND_MAX;
use crate::dealing::{SignedDealing, verify_hash_signature};
use crate::evidence::{DealerEvidence, SignedHash};
use crate::io::Effect;
use crate::member_set::MemberSet;
use crate::message::{Message, MessageError};
use crate::proposal::Proposal;

impl Engine {
    pub(super) fn received(
        &mut self,
        from: ValidatorIndex,
        position: u64,
        message: Message,
        out: &mut Vec<Effect>,
    ) {
        // Before the start nothing counts, not even the position.
        if from == self.me || !self.started || self.finished || self.is_refused(from) {
            return;
        }
        let expected = self.peers[from.position()].next;
        if position != expected {
            let error = MessageError::Position {
                expected,
                found: position,
            };
            out.push(Effect::Refused { from, error });
            return;
        }
        let limit = self.outbox_max();
        if position >= limit {
            self.refuse(from, MessageError::OutboxFull { limit }, out);
            return;
        }
        self.peers[from.position()].next += 1;
        if let Err(error) = self.receive(from, message, out) {
            self.refuse(from, error, out);
        }
    }

    fn receive(
        &mut self,
        from: ValidatorIndex,
        message: Message,
        out: &mut Vec<Effect>,
    ) -> Result<(), MessageError> {
        if let Message::Complete {
            set,
            hashes,
            certificate,
        } = message
        {
            return self.receive_complete(from, set, &hashes, certificate);
        }
        if !self.takes_part() {
            return self.watch(from, &message, out);
        }
        match message {
            Message::Dealing(dealing) => self.receive_dealing(from, &dealing, out),
            Message::Echo {
                dealer,
                hash,
                signature,
            } => {
                self.note_signed(dealer, hash, signature, out)?;
                let state = &mut self.dealings[dealer.position()];
                state.broadcast.echo(from, hash)
            }
            Message::Ready { dealer, hash } => {
                let state = self.dealings.get_mut(dealer.position());
                let state = state.ok_or(MessageError::UnknownMember(dealer))?;
                state.broadcast.ready(from, hash)
            }
            Message::Proposal { set } => {
                self.check_dealers(set)?;
                let proposal = self.proposal_mut(from)?;
                if proposal.announced.is_some() {
                    return Err(MessageError::Repeated);
                }
                proposal.announced = Some(set);
                Ok(())
            }
            Message::ProposalEcho { proposer, set } => {
                self.check_dealers(set)?;
                self.proposal_mut(proposer)?.broadcast.echo(from, set)
            }
            Message::ProposalReady { proposer, set } => {
                self.check_dealers(set)?;
                self.proposal_mut(proposer)?.broadcast.ready(from, set)
            }
            Message::Agreement { proposer, message } => {
                let mut outputs = Vec::new();
                let agreement = &mut self.proposal_mut(proposer)?.agreement;
                agreement.receive(from, message, &mut outputs)?;
                self.follow(proposer, outputs, out);
                Ok(())
            }
            Message::CoinShare {
                proposer,
                round,
                share,
            } => {
                if !(2..=ROUND_MAX).contains(&round) {
                    return Err(MessageError::CoinRound(round));
                }
                let proposal = self.proposal_mut(proposer)?;
                if proposal.agreement.is_halted() {
                    return Ok(());
                }
                proposal.coins.entry(round).or_default().add(from, share)
            }
            Message::CompletionShare { transcript, share } => {
                self.completion.add(from, transcript, share)
            }
            Message::Complete { .. } => Ok(()),
        }
    }

    /// Who has a result, or must say nothing, still convicts a dealer that signed two dealings: it may be the only one
    /// to read both.
    fn watch(
        &mut self,
        from: ValidatorIndex,
        message: &Message,
        out: &mut Vec<Effect>,
    ) -> Result<(), MessageError> {
        match message {
            Message::Dealing(dealing) if dealing.dealer != from => {
                Err(MessageError::NotTheDealer(dealing.dealer))
            }
            Message::Dealing(dealing) => {
                self.note_signed(from, dealing.hash(), dealing.signature, out)
            }
            Message::Echo {
                dealer,
                hash,
                signature,
            } => self.note_signed(*dealer, *hash, *signature, out),
            _ => Ok(()),
        }
    }

    fn receive_dealing(
        &mut self,
        from: ValidatorIndex,
        dealing: &SignedDealing,
        out: &mut Vec<Effect>,
    ) -> Result<(), MessageError> {
        if dealing.dealer != from {
            return Err(MessageError::NotTheDealer(dealing.dealer));
        }
        let hash = dealing.hash();
        // A second one, if it is another, convicts.
        self.note_signed(from, hash, dealing.signature, out)?;
        if self.dealings[from.position()].announced.is_some() {
            return Err(MessageError::Repeated);
        }
        self.dealings[from.position()].announced = Some(hash);
        self.hold(dealing, out);
        Ok(())
    }

    fn receive_complete(
        &mut self,
        from: ValidatorIndex,
        set: MemberSet,
        hashes: &[DealingHash],
        certificate: Signature,
    ) -> Result<(), MessageError> {
        self.check_dealers(set)?;
        if set.len() != hashes.len() {
            return Err(MessageError::Count {
                hashes: hashes.len(),
                dealers: set.len(),
            });
        }
        self.completion.claim(from, set, hashes, certificate)
    }

    /// Remembers that a dealer signed a hash, after checking that it did. The second hash is evidence; of the own key,
    /// it tells that this member's log was lost.
    pub(super) fn note_signed(
        &mut self,
        dealer: ValidatorIndex,
        hash: DealingHash,
        signature: IdentitySignature,
        out: &mut Vec<Effect>,
    ) -> Result<(), MessageError> {
        let state = self.dealings.get(dealer.position());
        let state = state.ok_or(MessageError::UnknownMember(dealer))?;
        if state.signed.get(&hash) == Some(&signature) {
            return Ok(());
        }
        verify_hash_signature(&self.ceremony, dealer, &hash, &signature)?;
        let state = &mut self.dealings[dealer.position()];
        if state.signed.contains_key(&hash) {
            return Ok(());
        }
        let first = state.signed.iter().next();
        let first = first.map(|(hash, signature)| SignedHash {
            hash: *hash,
            signature: *signature,
        });
        let known = state.signed.len();
        state.signed.insert(hash, signature);
        if dealer == self.me {
            self.fall_silent(out);
        } else if let Some(first) = first.filter(|_| known == 1) {
            let second = SignedHash { hash, signature };
            let evidence = DealerEvidence::two_dealings(dealer, first, second);
            out.extend(evidence.map(Effect::Evidence));
        }
        Ok(())
    }

    /// Proposals and results name at least n - f members.
    fn check_dealers(&self, set: MemberSet) -> Result<(), MessageError> {
        set.check(self.ceremony.size())?;
        let (found, needed) = (set.len(), self.thresholds.quorum);
        if found < needed {
            return Err(MessageError::TooFewDealers { found, needed });
        }
        Ok(())
    }

    fn proposal_mut(&mut self, proposer: ValidatorIndex) -> Result<&mut Proposal, MessageError> {
        let proposal = self.proposals.get_mut(proposer.position());
        proposal.ok_or(MessageError::UnknownMember(proposer))
    }
}
