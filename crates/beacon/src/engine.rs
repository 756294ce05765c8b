//! The beacon as a state machine over its own ordered log.
//!
//! [`Beacon`] is fed with the beacon committee's log: [`Beacon::advance`] begins a height, [`Beacon::apply`] takes its entries in
//! order. It reads nothing else, so all members of the beacon's committee have the same state and get the same [`Effect`]s,
//! and [`Beacon::state_hash`] compares them.
//!
//! # The turn to the next epoch
//!
//! 1. *Resting.* Operators register validators and take them out. When the newest record is certified and
//!    [`Parameters::epoch_length`] heights old, the registry is **frozen** for the next epoch ([`Effect::SignSeed`]).
//! 2. *Frozen.* The beacon's signature of the epoch's seed message comes back as [`Operation::Seed`]. It is asked for only once
//!    the freeze is final, and refused before: who is registered cannot depend on the seed. The seed **draws** the
//!    committees by [`Assignment`] ([`Effect::Staff`]).
//! 3. *Drawn.* Each incoming committee makes a fresh key and brings it ([`Operation::Propose`]); its members say that they
//!    hold share and state ([`Operation::Ready`]). With q of them the shard may turn ([`Effect::Turn`]), and its last
//!    certificate, which names the next committee, ends the term ([`Operation::Anchor`], [`Effect::HandedOver`]).
//! 4. When all shards handed over, or [`Parameters::turn_length`] heights after the seed, the **epoch record** is issued
//!    ([`Effect::SignRecord`]).
//!
//! No shard is waited for. One that did not hand over keeps its committee and key in the new record, and if its next
//! committee was ready it may still hand over to it at any time, and to no other meanwhile. Each seed is used for one draw:
//! an attempt that failed everywhere still ends in a record, so that the next attempt has another seed than one that
//! everybody knows before the freeze.
//!
//! # Stalled and forked shards
//!
//! A shard without a new anchor for [`Parameters::stall_epochs`] records is stalled; one whose running term certified two
//! things that contradict each other ([`Operation::Fraud`]) is forked. For a stalled one all others can be told to abort what waits for it
//! ([`Operation::ForceAbort`]). Either can be frozen ([`Operation::Freeze`]): from then on nothing of its term counts that was
//! not consumed, here as in all other shards, which each answer with what they consumed ([`Operation::FreezeAck`]). When
//! **all** have, and a committee is ready, [`Operation::Retire`] ends the term above the highest height that anybody consumed.
//!
//! Source: SHARDING 1.6 and 2.4 to 2.6; DKG 3.11.

mod anchor;
mod effect;
mod error;
mod operation;
mod parameters;
mod report;
mod stalled;
mod start;
mod state;
mod turn;
mod validators;
mod verifier;

pub use effect::{Applied, Effect, Seat};
pub use error::{BeaconError, BeaconGenesisError, Phase};
pub use operation::{
    Departure, FreezeAck, KeyProposal, MemberReady, Operation, Registration, Report,
};
pub use parameters::{BeaconGenesis, FirstValidator, Parameters, ParametersError};
#[cfg(feature = "crypto")]
pub use verifier::CryptoVerifier;
pub use verifier::Verifier;

use alloc::vec::Vec;

use quorate_types::{
    Blake3, ChainId, CodecError, Committee, Decode, DomainTag, Encode, Epoch, EpochCertificate,
    EpochRecord, Hash32, Height, IdentityKey, ShardId, ShardKey,
};

use crate::assignment::Assignment;
#[cfg(test)]
use crate::tests::Mutation;
use state::{Shard, State, Turn};

/// One replica of the beacon.
#[derive(Clone, Debug)]
pub struct Beacon<V> {
    state: State,
    verifier: V,
    #[cfg(test)]
    pub(crate) mutation: Option<Mutation>,
}

impl<V: Verifier> Beacon<V> {
    /// The replica whose [`Beacon::to_bytes`] these are.
    ///
    /// # Errors
    /// The bytes are no encoding of a state. What they say is believed: compare [`Beacon::state_hash`].
    pub fn restore(bytes: &[u8], verifier: V) -> Result<Self, CodecError> {
        let beacon = Self::of(State::from_bytes(bytes)?, verifier);
        if let Turn::Frozen(frozen) = &beacon.state.turn
            && beacon.registry_of(&frozen.seats).is_err()
        {
            return Err(CodecError::NotCanonical {
                field: "frozen registry",
            });
        }
        Ok(beacon)
    }

    fn of(state: State, verifier: V) -> Self {
        Self {
            state,
            verifier,
            #[cfg(test)]
            mutation: None,
        }
    }

    /// Begins the entries of a height of the log. Heights without entries may be left out.
    ///
    /// # Errors
    /// [`BeaconError::HeightBehind`] unless it is above the newest height.
    pub fn advance(&mut self, height: Height) -> Result<Applied, BeaconError> {
        let current = self.state.height;
        if height <= current {
            return Err(BeaconError::HeightBehind {
                current,
                found: height,
            });
        }
        self.state.height = height;
        let mut effects = Vec::new();
        self.pass_time(&mut effects);
        Ok(Applied { effects })
    }

    /// Takes the next entry of the height that was begun.
    ///
    /// # Errors
    /// [`BeaconError`]: the entry is refused and changed nothing. The log goes on.
    pub fn apply(&mut self, height: Height, operation: &Operation) -> Result<Applied, BeaconError> {
        let current = self.state.height;
        if height != current {
            return Err(BeaconError::HeightNotOpen {
                current,
                found: height,
            });
        }
        let mut effects = Vec::new();
        match operation {
            Operation::Register(registration) => self.register(registration)?,
            Operation::Depart(departure) => self.depart(departure)?,
            Operation::Seed { epoch, signature } => self.seed(*epoch, signature, &mut effects)?,
            Operation::Certify { epoch, signature } => self.certify(*epoch, signature)?,
            Operation::Propose(proposal) => self.propose(proposal)?,
            Operation::Ready(ready) => self.ready(ready, &mut effects)?,
            Operation::Anchor(certificate) => self.anchor(certificate, &mut effects)?,
            Operation::Fraud { first, second } => self.fraud(first, second, &mut effects)?,
            Operation::Report(report) => self.report(report, &mut effects)?,
            Operation::ForceAbort { shard } => self.force_abort(*shard, &mut effects)?,
            Operation::Freeze { shard } => self.freeze_shard(*shard, &mut effects)?,
            Operation::FreezeAck(ack) => self.freeze_ack(ack)?,
            Operation::Retire { shard } => self.retire(*shard, &mut effects)?,
        }
        Ok(Applied { effects })
    }

    /// The canonical encoding of everything that the replica knows.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.state.to_bytes()
    }

    /// BLAKE3 of [`Beacon::to_bytes`] under its tag: what replicas compare.
    #[must_use]
    pub fn state_hash(&self) -> Hash32 {
        Hash32(
            Blake3::new(DomainTag::BeaconState)
                .chain(self.to_bytes())
                .finish(),
        )
    }

    /// The rules.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.state.parameters
    }
    /// The newest height of the log.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.state.height
    }
    /// The newest epoch record.
    #[must_use]
    pub const fn record(&self) -> &EpochRecord {
        &self.state.record
    }
    /// The newest epoch record's head with the beacon's signature, once that is there.
    #[must_use]
    pub fn certificate(&self) -> Option<EpochCertificate> {
        Some(EpochCertificate {
            head: self.state.record.head(),
            signature: self.state.certificate?,
        })
    }
    /// Where the turn to the next epoch is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.state.turn {
            Turn::Resting => Phase::Resting,
            Turn::Frozen(_) => Phase::Frozen,
            Turn::Drawn(_) => Phase::Drawn,
        }
    }
    /// The newest assignment. A shard that did not hand over lags behind it.
    #[must_use]
    pub const fn assignment(&self) -> &Assignment {
        &self.state.assignment
    }
    /// The sitting committee of a shard: of its running term, which may have begun after the newest record.
    #[must_use]
    pub fn committee(&self, shard: ShardId) -> Option<&Committee> {
        Some(&self.shard(shard).ok()?.term.committee)
    }
    /// The key of a shard's running term, which may have begun after the newest record.
    #[must_use]
    pub fn key(&self, shard: ShardId) -> Option<&ShardKey> {
        Some(&self.shard(shard).ok()?.term.key)
    }
    /// The next committee of a shard, once it is ready and until the shard handed over to it.
    #[must_use]
    pub fn successor(&self, shard: ShardId) -> Option<&Committee> {
        Some(&self.shard(shard).ok()?.successor.as_ref()?.committee)
    }
    /// The highest anchored height of a shard, which is irrevocable even if the shard is retired; `None` before the first.
    #[must_use]
    pub fn anchored(&self, shard: ShardId) -> Option<Height> {
        let height = self.shard(shard).ok()?.anchor.height;
        (height > Height(0)).then_some(height)
    }
    /// Whether nothing of a shard's term counts any more.
    #[must_use]
    pub fn is_frozen(&self, shard: ShardId) -> bool {
        self.shard(shard).is_ok_and(|shard| shard.frozen.is_some())
    }
    /// Whether a shard's running term contradicted itself.
    #[must_use]
    pub fn is_forked(&self, shard: ShardId) -> bool {
        self.shard(shard).is_ok_and(|shard| shard.forked)
    }
    /// An operator's next sequence number.
    #[must_use]
    pub fn sequence(&self, operator: &IdentityKey) -> u64 {
        self.state.validators.sequence(operator)
    }
    /// Whether a validator is registered.
    #[must_use]
    pub fn is_registered(&self, identity: &IdentityKey) -> bool {
        self.state.validators.contains(identity)
    }
    /// Whether a validator was ejected.
    #[must_use]
    pub fn is_ejected(&self, identity: &IdentityKey) -> bool {
        self.state.validators.is_ejected(identity)
    }

    fn register(&mut self, registration: &Registration) -> Result<(), BeaconError> {
        self.require_chain(registration.chain)?;
        let State {
            validators,
            parameters,
            ..
        } = &mut self.state;
        validators.register(
            parameters,
            registration,
            &self.verifier,
            #[cfg(test)]
            self.mutation,
        )
    }

    fn depart(&mut self, departure: &Departure) -> Result<(), BeaconError> {
        self.require_chain(departure.chain)?;
        let State {
            validators,
            parameters,
            ..
        } = &mut self.state;
        validators.depart(
            parameters,
            departure,
            &self.verifier,
            #[cfg(test)]
            self.mutation,
        )
    }

    fn require_chain(&self, found: ChainId) -> Result<(), BeaconError> {
        let expected = self.state.parameters.chain;
        if found == expected {
            return Ok(());
        }
        Err(BeaconError::WrongChain { expected, found })
    }

    fn shard(&self, shard: ShardId) -> Result<&Shard, BeaconError> {
        let position = usize::try_from(shard.0).unwrap_or(usize::MAX);
        self.state
            .shards
            .get(position)
            .ok_or(BeaconError::UnknownShard {
                shard,
                shards: self.state.parameters.shards,
            })
    }

    /// For shards that [`Beacon::shard`] found.
    fn shard_mut(&mut self, shard: ShardId) -> &mut Shard {
        let position = usize::try_from(shard.0).unwrap_or(usize::MAX);
        self.state
            .shards
            .get_mut(position)
            .expect("looked up before")
    }

    /// The epoch that the turn leads to.
    fn next_epoch(&self) -> Epoch {
        Epoch(self.state.record.epoch.0.saturating_add(1))
    }

    #[cfg(test)]
    fn is_mutant(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}
