//! The turn to the next epoch: freeze, seed, draw, readiness, record.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use quorate_types::{
    DomainTag, EncryptionKey, Epoch, EpochOrigin, EpochRecord, Hash32, IdentityKey, ShardId,
    Signature, ThresholdKey, epoch_seed, epoch_seed_message,
};

use super::Beacon;
use super::effect::{Effect, Seat};
use super::error::{BeaconError, Phase};
use super::operation::{KeyProposal, MemberReady};
use super::start::{check_committee, quorum};
use super::state::{Candidate, Drawn, Frozen, Successor, Turn};
use super::verifier::Verifier;
use crate::assignment::{Assignment, Placement};
use crate::error::AssignmentError;
use crate::registry::Registry;
#[cfg(test)]
use crate::tests::Mutation;

impl<V: Verifier> Beacon<V> {
    /// What is due because a height began.
    pub(super) fn pass_time(&mut self, effects: &mut Vec<Effect>) {
        match &self.state.turn {
            Turn::Resting => self.freeze_registry(effects),
            Turn::Frozen(_) => {}
            Turn::Drawn(drawn) => {
                let waited = self.state.height.0.saturating_sub(drawn.at.0);
                let over = waited >= self.state.parameters.turn_length;
                #[cfg(test)]
                let over = over && !self.is_mutant(Mutation::WaitForShards);
                if over {
                    self.issue_record(effects);
                }
            }
        }
    }

    /// Freezes the registry, if that is due and there are enough validators to draw from. Otherwise the epoch goes on.
    fn freeze_registry(&mut self, effects: &mut Vec<Effect>) {
        let height = self.state.height;
        let rested = height.0.saturating_sub(self.state.record.origin.height.0);
        if rested < self.state.parameters.epoch_length || self.state.certificate.is_none() {
            return;
        }
        let seats = self.state.validators.seats();
        if self.registry_of(&seats).is_err() {
            return;
        }
        self.state.turn = Turn::Frozen(Frozen { at: height, seats });
        effects.push(Effect::SignSeed {
            epoch: self.next_epoch(),
            frozen_at: height,
        });
    }

    /// The registry of these validators, if committees of all shards can be drawn from it.
    pub(super) fn registry_of(
        &self,
        seats: &BTreeMap<IdentityKey, EncryptionKey>,
    ) -> Result<Registry, AssignmentError> {
        let registry = Registry::new(seats.keys().copied().collect())?;
        let parameters = &self.state.parameters;
        if let Placement::Drawn { .. } | Placement::Partition = parameters.placement {
            // Only whether sizes fit: that does not depend on the seed.
            let any = Hash32::ZERO;
            Assignment::first(parameters.placement, parameters.shards, &registry, &any)?;
        }
        Ok(registry)
    }

    /// Takes the beacon's signature of the seed message and draws the committees.
    pub(super) fn seed(
        &mut self,
        epoch: Epoch,
        signature: &Signature,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let expected = self.next_epoch();
        if epoch != expected {
            return Err(BeaconError::WrongEpoch {
                expected,
                found: epoch,
            });
        }
        #[cfg(test)]
        if self.is_mutant(Mutation::SeedBeforeFreeze) && self.phase() == Phase::Resting {
            let (at, seats) = (self.state.height, self.state.validators.seats());
            self.state.turn = Turn::Frozen(Frozen { at, seats });
        }
        let Turn::Frozen(frozen) = &self.state.turn else {
            return Err(self.wrong_phase(Phase::Frozen));
        };
        let too_early = self.state.height <= frozen.at;
        #[cfg(test)]
        let too_early = too_early && !self.is_mutant(Mutation::SeedBeforeFreeze);
        if too_early {
            return Err(BeaconError::SeedTooEarly {
                frozen_at: frozen.at,
            });
        }
        let parameters = &self.state.parameters;
        let message = epoch_seed_message(&parameters.chain, epoch);
        if !self
            .verifier
            .threshold(&parameters.beacon_key, &message, signature)
        {
            return Err(BeaconError::BeaconSignature);
        }
        let seats = frozen.seats.clone();
        #[cfg(test)]
        let seats = if self.is_mutant(Mutation::LiveRegistry) {
            self.state.validators.seats()
        } else {
            seats
        };
        self.draw(epoch, epoch_seed(signature), &seats, effects);
        Ok(())
    }

    fn draw(
        &mut self,
        epoch: Epoch,
        seed: Hash32,
        seats: &BTreeMap<IdentityKey, EncryptionKey>,
        effects: &mut Vec<Effect>,
    ) {
        let parameters = &self.state.parameters;
        let registry = self.registry_of(seats).expect("checked at the freeze");
        let next = self
            .state
            .assignment
            .next(parameters.quorum, &registry, &seed);
        // Where exits left a shard with too few members, everybody is placed anew.
        self.state.assignment = match next {
            Ok(next) => next.assignment,
            Err(_) => Assignment::first(parameters.placement, parameters.shards, &registry, &seed)
                .expect("sizes fit: checked at the freeze"),
        };
        for shard in (0..self.state.parameters.shards).map(ShardId) {
            let members = self.state.assignment.members(shard);
            let seats: Vec<Seat> = members
                .map(|identity| Seat {
                    identity: *identity,
                    encryption_key: seats[identity],
                })
                .collect();
            effects.push(Effect::Staff {
                shard,
                epoch,
                quorum: quorum(&self.state.parameters, seats.len()),
                seats,
            });
        }
        self.state.turn = Turn::Drawn(Drawn {
            at: self.state.height,
            seed,
            candidates: BTreeMap::new(),
            ready: BTreeMap::new(),
        });
    }

    /// Takes an incoming committee with its key.
    pub(super) fn propose(&mut self, proposal: &KeyProposal) -> Result<(), BeaconError> {
        let (committee, proposer) = (&proposal.committee, proposal.proposer);
        let shard = committee.shard();
        let epoch = self.next_epoch();
        let drawn = self.drawn()?;
        self.require_vacancy(shard)?;
        let members: Vec<IdentityKey> = self.state.assignment.members(shard).copied().collect();
        if !members.contains(&proposer) {
            return Err(BeaconError::NotIncoming {
                shard,
                identity: proposer,
            });
        }
        let of_shard = |transcript| (shard, transcript);
        let bounds = of_shard(quorate_types::TranscriptHash([0; 32]))
            ..=of_shard(quorate_types::TranscriptHash([0xff; 32]));
        for ((_, transcript), candidate) in drawn.candidates.range(bounds) {
            if candidate.proposer == proposer || *transcript == proposal.transcript {
                let proposer = candidate.proposer;
                return Err(BeaconError::ProposedAlready { shard, proposer });
            }
        }
        if self.is_key_used(committee.group_key()) {
            return Err(BeaconError::KeyUsed { shard });
        }
        check_committee(
            &self.state.parameters,
            &self.verifier,
            committee,
            shard,
            epoch,
            &members,
        )?;
        let message = proposal.certified_bytes();
        let certificate = &proposal.certificate;
        if !self
            .verifier
            .threshold(committee.group_key(), &message, certificate)
        {
            return Err(BeaconError::Transcript { shard });
        }
        let message = proposal.signed_bytes();
        let signature = &proposal.signature;
        if !self
            .verifier
            .identity(&proposer, DomainTag::KeyProposal, &message, signature)
        {
            return Err(BeaconError::IdentitySignature);
        }
        let candidate = Candidate {
            proposer,
            committee: committee.clone(),
        };
        self.drawn_mut()
            .candidates
            .insert((shard, proposal.transcript), candidate);
        Ok(())
    }

    /// Takes an incoming member's word; with a quorum of them the shard may turn.
    pub(super) fn ready(
        &mut self,
        ready: &MemberReady,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let (shard, member) = (ready.shard, ready.member);
        let expected = self.next_epoch();
        let drawn = self.drawn()?;
        if ready.epoch != expected {
            return Err(BeaconError::WrongEpoch {
                expected,
                found: ready.epoch,
            });
        }
        self.require_vacancy(shard)?;
        let Some(candidate) = drawn.candidates.get(&(shard, ready.transcript)) else {
            return Err(BeaconError::UnknownTranscript {
                shard,
                transcript: ready.transcript,
            });
        };
        let committee = &candidate.committee;
        let index = committee.index_of(&member);
        #[cfg(test)]
        let index = match index {
            None if self.is_mutant(Mutation::ReadyByAnybody) => {
                Some(quorate_types::ValidatorIndex(0))
            }
            index => index,
        };
        let Some(seat) = index.and_then(|index| committee.member(index)) else {
            return Err(BeaconError::NotIncoming {
                shard,
                identity: member,
            });
        };
        if let Some(transcript) = drawn.ready.get(&(shard, member)) {
            return Err(BeaconError::ReadyAlready {
                member,
                transcript: *transcript,
            });
        }
        let hash = committee.hash();
        let message = ready.signed_bytes(&hash);
        let signature = &ready.signature;
        if !self
            .verifier
            .identity(&member, DomainTag::ShardReady, &message, signature)
        {
            return Err(BeaconError::IdentitySignature);
        }
        let message = ready.shared_bytes(&hash);
        let held = self
            .verifier
            .threshold(&seat.share_key, &message, &ready.share);
        #[cfg(test)]
        let held = held || self.is_mutant(Mutation::ReadyByAnybody);
        if !held {
            return Err(BeaconError::Share { member });
        }
        self.drawn_mut()
            .ready
            .insert((shard, member), ready.transcript);
        self.count_ready(shard, ready.transcript, effects);
        Ok(())
    }

    /// Makes a candidate the shard's next committee once a quorum of it is ready.
    fn count_ready(
        &mut self,
        shard: ShardId,
        transcript: quorate_types::TranscriptHash,
        effects: &mut Vec<Effect>,
    ) {
        let drawn = self.drawn().expect("readiness was just taken");
        let committee = &drawn.candidates[&(shard, transcript)].committee;
        let count = drawn
            .ready
            .iter()
            .filter(|((other, _), named)| *other == shard && **named == transcript)
            .count();
        let enough = count >= usize::from(committee.quorum());
        #[cfg(test)]
        let enough = enough || self.is_mutant(Mutation::SkipReadiness);
        if !enough {
            return;
        }
        let committee = committee.clone();
        effects.push(Effect::Turn {
            shard,
            committee: Box::new(committee.clone()),
            transcript,
        });
        self.shard_mut(shard).successor = Some(Successor {
            committee,
            transcript,
        });
    }

    /// Refuses what would give a shard a second next committee in this turn, or at all while it may still hand over to the
    /// first one. Once the shard is frozen it cannot hand over any more.
    fn require_vacancy(&self, shard: ShardId) -> Result<(), BeaconError> {
        let state = self.shard(shard)?;
        #[cfg(test)]
        if self.is_mutant(Mutation::TwoSuccessors) {
            return Ok(());
        }
        let next = self.next_epoch();
        if state.term.key.epoch == next {
            return Err(BeaconError::SuccessorWaits { shard, epoch: next });
        }
        match &state.successor {
            Some(successor) if state.frozen.is_none() || successor.committee.epoch() == next => {
                let epoch = successor.committee.epoch();
                Err(BeaconError::SuccessorWaits { shard, epoch })
            }
            _ => Ok(()),
        }
    }

    /// Whether a group key is any shard's: sitting, just ended, next or proposed.
    fn is_key_used(&self, key: &ThresholdKey) -> bool {
        #[cfg(test)]
        if self.is_mutant(Mutation::OldKey) {
            return false;
        }
        let proposed = self
            .drawn()
            .into_iter()
            .flat_map(|drawn| drawn.candidates.values());
        self.state.shards.iter().any(|shard| {
            let ended = shard.ended.as_ref().map(|ended| &ended.term.committee);
            let next = shard.successor.as_ref().map(|next| &next.committee);
            let committees = [Some(&shard.term.committee), ended, next];
            committees
                .into_iter()
                .flatten()
                .any(|committee| committee.group_key() == key)
        }) || proposed
            .into_iter()
            .any(|candidate| candidate.committee.group_key() == key)
    }

    /// Issues the record as soon as no shard is left that could still hand over.
    pub(super) fn issue_if_all_turned(&mut self, effects: &mut Vec<Effect>) {
        let next = self.next_epoch();
        let all = self
            .state
            .shards
            .iter()
            .all(|shard| shard.term.key.epoch == next);
        if all && self.phase() == Phase::Drawn {
            self.issue_record(effects);
        }
    }

    fn issue_record(&mut self, effects: &mut Vec<Effect>) {
        let Turn::Drawn(drawn) = &self.state.turn else {
            return;
        };
        let epoch = self.next_epoch();
        #[cfg(test)]
        let epoch = match self.mutation {
            Some(Mutation::TwoRecords) => self.state.record.epoch,
            Some(Mutation::SkipEpoch) => Epoch(epoch.0 + 1),
            _ => epoch,
        };
        let record = EpochRecord {
            chain: self.state.parameters.chain,
            epoch,
            origin: EpochOrigin {
                height: self.state.height,
                seed: drawn.seed,
                previous: self.state.record.hash(),
            },
            shards: self
                .state
                .shards
                .iter()
                .map(|shard| shard.term.key)
                .collect(),
        };
        effects.push(Effect::SignRecord {
            epoch,
            hash: record.hash(),
        });
        self.state.record = record;
        self.state.certificate = None;
        self.state.turn = Turn::Resting;
    }

    /// Takes the beacon's signature over the newest record.
    pub(super) fn certify(
        &mut self,
        epoch: Epoch,
        signature: &Signature,
    ) -> Result<(), BeaconError> {
        let expected = self.state.record.epoch;
        if epoch != expected {
            return Err(BeaconError::WrongEpoch {
                expected,
                found: epoch,
            });
        }
        if self.state.certificate.is_some() {
            return Err(BeaconError::Certified { epoch });
        }
        let message = self.state.record.hash().signing_bytes();
        let key = &self.state.parameters.beacon_key;
        if !self.verifier.threshold(key, &message, signature) {
            return Err(BeaconError::BeaconSignature);
        }
        self.state.certificate = Some(*signature);
        Ok(())
    }

    fn drawn(&self) -> Result<&Drawn, BeaconError> {
        match &self.state.turn {
            Turn::Drawn(drawn) => Ok(drawn),
            Turn::Resting | Turn::Frozen(_) => Err(self.wrong_phase(Phase::Drawn)),
        }
    }

    /// In phase [`Phase::Drawn`].
    fn drawn_mut(&mut self) -> &mut Drawn {
        match &mut self.state.turn {
            Turn::Drawn(drawn) => drawn,
            Turn::Resting | Turn::Frozen(_) => unreachable!("looked at before"),
        }
    }

    const fn wrong_phase(&self, expected: Phase) -> BeaconError {
        BeaconError::Phase {
            expected,
            found: self.phase(),
        }
    }
}
