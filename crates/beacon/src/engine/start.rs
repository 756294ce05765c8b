//! The first state: everything in it is checked, because people bring it.

use alloc::vec::Vec;

use quorate_types::{
    Committee, Epoch, EpochOrigin, EpochRecord, EpochRecordHash, Height, IdentityKey, ShardId,
    ShardKey,
};

use super::error::{BeaconError, BeaconGenesisError};
use super::parameters::{BeaconGenesis, Parameters};
use super::state::{Anchor, Shard, State, Term, Turn};
use super::validators::Validators;
use super::verifier::Verifier;
use super::{Applied, Beacon, Effect};
use crate::assignment::Assignment;
use crate::registry::Registry;

impl<V: Verifier> Beacon<V> {
    /// Starts a beacon at height 0, with the record of epoch 0, which is to be signed.
    ///
    /// # Errors
    /// [`BeaconGenesisError`]: the first thing that is wrong.
    pub fn new(genesis: BeaconGenesis, verifier: V) -> Result<(Self, Applied), BeaconGenesisError> {
        let parameters = genesis.parameters;
        parameters.check()?;
        let mut validators = Validators::default();
        for first in &genesis.validators {
            let identity = first.identity;
            validators
                .found(&parameters, first.operator, identity, first.encryption_key)
                .map_err(|error| BeaconGenesisError::Validator { identity, error })?;
        }
        let registry = Registry::new(validators.seats().into_keys().collect())?;
        let shards = parameters.shards;
        let assignment = Assignment::first(parameters.placement, shards, &registry, &genesis.seed)?;
        if u32::try_from(genesis.committees.len()) != Ok(shards) {
            return Err(BeaconGenesisError::Committees {
                found: genesis.committees.len(),
                shards,
            });
        }
        let mut terms: Vec<Term> = Vec::new();
        for (shard, committee) in (0..).map(ShardId).zip(genesis.committees) {
            let taken = terms
                .iter()
                .any(|term| term.key.group_key == *committee.group_key());
            let members: Vec<IdentityKey> = assignment.members(shard).copied().collect();
            let checked = if taken {
                Err(BeaconError::KeyUsed { shard })
            } else {
                check_committee(
                    &parameters,
                    &verifier,
                    &committee,
                    shard,
                    Epoch(0),
                    &members,
                )
            };
            checked.map_err(|error| BeaconGenesisError::Committee { shard, error })?;
            terms.push(Term::new(committee, Height(1)));
        }
        let record = EpochRecord {
            chain: parameters.chain,
            epoch: Epoch(0),
            origin: EpochOrigin {
                height: Height(0),
                seed: genesis.seed,
                previous: EpochRecordHash::ZERO,
            },
            shards: terms.iter().map(|term| term.key).collect(),
        };
        let effects = alloc::vec![Effect::SignRecord {
            epoch: record.epoch,
            hash: record.hash(),
        }];
        let state = State {
            parameters,
            height: Height(0),
            validators,
            record,
            certificate: None,
            assignment,
            turn: Turn::Resting,
            shards: terms.into_iter().map(Shard::new).collect(),
        };
        Ok((Self::of(state, verifier), Applied { effects }))
    }
}

impl Term {
    /// The term of `committee` from height `first` on.
    pub(super) fn new(committee: Committee, first: Height) -> Self {
        let key = ShardKey {
            shard: committee.shard(),
            epoch: committee.epoch(),
            committee: committee.hash(),
            group_key: *committee.group_key(),
            quorum: committee.quorum(),
            first,
        };
        Self { committee, key }
    }
}

impl Shard {
    const fn new(term: Term) -> Self {
        Self {
            term,
            ended: None,
            anchor: Anchor {
                height: Height(0),
                hash: None,
                epoch: Epoch(0),
            },
            successor: None,
            frozen: None,
            forked: false,
            aborted: None,
        }
    }
}

/// Checks what can be checked of a committee without its ceremony: that it is the one that was drawn, and its keys. That
/// the group key is used nowhere else is the caller's to check.
pub(super) fn check_committee(
    parameters: &Parameters,
    verifier: &impl Verifier,
    committee: &Committee,
    shard: ShardId,
    epoch: Epoch,
    members: &[IdentityKey],
) -> Result<(), BeaconError> {
    if committee.chain() != parameters.chain {
        return Err(BeaconError::WrongChain {
            expected: parameters.chain,
            found: committee.chain(),
        });
    }
    if committee.epoch() != epoch {
        return Err(BeaconError::WrongEpoch {
            expected: epoch,
            found: committee.epoch(),
        });
    }
    let seated = committee.members().iter().map(|member| &member.identity);
    if committee.shard() != shard || !seated.eq(members) {
        return Err(BeaconError::OtherMembers { shard });
    }
    let expected = quorum(parameters, members.len());
    if committee.quorum() != expected {
        return Err(BeaconError::OtherQuorum {
            expected,
            found: committee.quorum(),
        });
    }
    if *committee.group_key() == parameters.beacon_key {
        return Err(BeaconError::KeyUsed { shard });
    }
    let shares: Vec<_> = committee
        .members()
        .iter()
        .map(|member| member.share_key)
        .collect();
    if !verifier.group(committee.group_key(), &shares, committee.quorum()) {
        return Err(BeaconError::Keys { shard });
    }
    Ok(())
}

/// q of a committee of this size.
pub(super) fn quorum(parameters: &Parameters, members: usize) -> u16 {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    let quorum = parameters.quorum.quorum(members);
    quorum
        .ok()
        .and_then(|quorum| u16::try_from(quorum).ok())
        .expect("assignments have committees of 4 to COMMITTEE_MAX members")
}
