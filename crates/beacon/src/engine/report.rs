//! Proof of validators' misbehaviour, and what follows from it.

use alloc::vec::Vec;

use quorate_types::{Block, Committee, DomainTag, IdentityKey};

use super::Beacon;
use super::effect::Effect;
use super::error::BeaconError;
use super::operation::Report;
use super::verifier::Verifier;

impl<V: Verifier> Beacon<V> {
    /// Ejects a validator that is convicted of something it did in a shard's running term or the one before. It keeps its
    /// seat until it is replaced, and counts among the faulty.
    pub(super) fn report(
        &mut self,
        report: &Report,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let identity = self.convict(report)?;
        self.state.validators.eject(identity)?;
        effects.push(Effect::Ejected { identity });
        Ok(())
    }

    /// Who is shown to have misbehaved.
    fn convict(&self, report: &Report) -> Result<IdentityKey, BeaconError> {
        let block = report.block();
        self.require_chain(*block.chain())?;
        let committee = self.committee_of(block)?;
        let (shard, author) = (block.shard(), block.author());
        let Some(member) = committee.member(author) else {
            return Err(BeaconError::UnknownMember { shard, author });
        };
        let is_signed = |block: &Block| {
            let (digest, signature) = (block.digest(), block.signature());
            self.verifier.identity(
                &member.identity,
                DomainTag::BlockSignature,
                digest,
                signature,
            )
        };
        let (offence, signed) = match report {
            Report::Equivocation { first, second } => (
                Report::is_contradiction(first, second),
                is_signed(first) && is_signed(second),
            ),
            Report::BadCoinShare { block } => {
                let message = committee.coin_message(block.round());
                let share = block.coin_share();
                (
                    !self.verifier.threshold(&member.share_key, &message, share),
                    is_signed(block),
                )
            }
        };
        if !signed {
            return Err(BeaconError::BlockSignature);
        }
        if !offence {
            return Err(BeaconError::NoOffence);
        }
        Ok(member.identity)
    }

    /// The committee that a block was made in, if its term is known.
    fn committee_of(&self, block: &Block) -> Result<&Committee, BeaconError> {
        let shard = block.shard();
        let state = self.shard(shard)?;
        let ended = state.ended.as_ref().map(|ended| &ended.term);
        [Some(&state.term), ended]
            .into_iter()
            .flatten()
            .find(|term| term.key.epoch == block.epoch())
            .map(|term| &term.committee)
            .ok_or(BeaconError::WrongTerm {
                shard,
                expected: state.term.key.epoch,
                found: block.epoch(),
            })
    }
}
