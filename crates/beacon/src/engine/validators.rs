//! The ledger of validators: who runs which, and which are out for good.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use quorate_types::{
    CodecError, Decode, DomainTag, Encode, EncryptionKey, IdentityKey, Reader, codec_struct,
    decode_map, encode_map,
};

use super::error::BeaconError;
use super::operation::{Departure, Registration};
use super::parameters::Parameters;
use super::verifier::Verifier;
use crate::VALIDATORS_MAX;
#[cfg(test)]
use crate::tests::Mutation;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    /// The next sequence number of each operator that has signed something.
    sequences: BTreeMap<IdentityKey, u64>,
    /// Registered validators, by identity.
    entries: BTreeMap<IdentityKey, Entry>,
    /// Ejected validators and who ran them. They count among those that an operator may run, so there are never more
    /// than registered ones may be.
    ejected: BTreeMap<IdentityKey, IdentityKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    operator: IdentityKey,
    encryption_key: EncryptionKey,
}
codec_struct!(Entry {
    operator,
    encryption_key
});

impl Validators {
    /// Identities and encryption keys of all that are registered.
    pub(super) fn seats(&self) -> BTreeMap<IdentityKey, EncryptionKey> {
        let seat = |(identity, entry): (&IdentityKey, &Entry)| (*identity, entry.encryption_key);
        self.entries.iter().map(seat).collect()
    }

    pub(super) fn sequence(&self, operator: &IdentityKey) -> u64 {
        self.sequences.get(operator).copied().unwrap_or(0)
    }

    pub(super) fn contains(&self, identity: &IdentityKey) -> bool {
        self.entries.contains_key(identity)
    }

    pub(super) fn is_ejected(&self, identity: &IdentityKey) -> bool {
        self.ejected.contains_key(identity)
    }

    /// Everything about a registration but signatures and sequence number.
    fn check_entry(
        &self,
        parameters: &Parameters,
        operator: &IdentityKey,
        identity: &IdentityKey,
        encryption_key: &EncryptionKey,
    ) -> Result<(), BeaconError> {
        let (identity, operator, encryption_key) = (*identity, *operator, *encryption_key);
        if !parameters.operators.contains(&operator) {
            return Err(BeaconError::UnknownOperator { operator });
        }
        if self.is_ejected(&identity) {
            return Err(BeaconError::Ejected { identity });
        }
        if let Some(entry) = self.entries.get(&identity) {
            if entry.operator != operator {
                let operator = entry.operator;
                return Err(BeaconError::ForeignIdentity { identity, operator });
            }
        } else {
            let runs = self.entries.values().map(|entry| entry.operator);
            let run = runs.chain(self.ejected.values().copied());
            let limit = parameters.validators_per_operator;
            let count = run.filter(|other| *other == operator).count();
            if u32::try_from(count).is_ok_and(|count| count >= limit) {
                return Err(BeaconError::OperatorFull { limit });
            }
            let limit = parameters.validators_max();
            if u32::try_from(self.entries.len()).is_ok_and(|count| count >= limit) {
                return Err(BeaconError::RegistryFull { limit });
            }
        }
        let taken = |(other, entry): &(&IdentityKey, &Entry)| {
            **other != identity && entry.encryption_key == encryption_key
        };
        if let Some((owner, _)) = self.entries.iter().find(taken) {
            return Err(BeaconError::ForeignEncryptionKey {
                encryption_key,
                identity: *owner,
            });
        }
        Ok(())
    }

    /// Registers a validator that is there from the start.
    pub(super) fn found(
        &mut self,
        parameters: &Parameters,
        operator: IdentityKey,
        identity: IdentityKey,
        encryption_key: EncryptionKey,
    ) -> Result<(), BeaconError> {
        self.check_entry(parameters, &operator, &identity, &encryption_key)?;
        let entry = Entry {
            operator,
            encryption_key,
        };
        match self.entries.insert(identity, entry) {
            None => Ok(()),
            Some(_) => Err(BeaconError::ForeignIdentity { identity, operator }),
        }
    }

    pub(super) fn register(
        &mut self,
        parameters: &Parameters,
        registration: &Registration,
        verifier: &impl Verifier,
        #[cfg(test)] mutation: Option<Mutation>,
    ) -> Result<(), BeaconError> {
        let Registration {
            operator,
            identity,
            encryption_key,
            ..
        } = registration;
        let entry = self.check_entry(parameters, operator, identity, encryption_key);
        #[cfg(test)]
        let entry = match (entry, mutation) {
            (Err(BeaconError::ForeignIdentity { .. }), Some(Mutation::ForeignIdentity)) => Ok(()),
            (
                Err(BeaconError::ForeignEncryptionKey { .. }),
                Some(Mutation::ForeignEncryptionKey),
            ) => Ok(()),
            (entry, _) => entry,
        };
        entry?;
        let next = self.require_sequence(
            operator,
            registration.sequence,
            #[cfg(test)]
            mutation,
        )?;
        let message = registration.signed_bytes();
        let signature = &registration.signature;
        if !verifier.identity(operator, DomainTag::Registration, &message, signature) {
            return Err(BeaconError::OperatorSignature);
        }
        let consent = &registration.consent;
        if !verifier.identity(identity, DomainTag::RegistrationConsent, &message, consent) {
            return Err(BeaconError::IdentitySignature);
        }
        if !verifier.encryption_key(encryption_key, &identity.0, &registration.proof) {
            return Err(BeaconError::EncryptionKeyProof);
        }
        let entry = Entry {
            operator: *operator,
            encryption_key: *encryption_key,
        };
        self.entries.insert(*identity, entry);
        self.sequences.insert(*operator, next);
        Ok(())
    }

    pub(super) fn depart(
        &mut self,
        parameters: &Parameters,
        departure: &Departure,
        verifier: &impl Verifier,
        #[cfg(test)] mutation: Option<Mutation>,
    ) -> Result<(), BeaconError> {
        let (identity, operator) = (departure.identity, departure.operator);
        if !parameters.operators.contains(&operator) {
            return Err(BeaconError::UnknownOperator { operator });
        }
        let Some(entry) = self.entries.get(&identity) else {
            return Err(BeaconError::UnknownValidator { identity });
        };
        if entry.operator != operator {
            let operator = entry.operator;
            return Err(BeaconError::ForeignIdentity { identity, operator });
        }
        let next = self.require_sequence(
            &operator,
            departure.sequence,
            #[cfg(test)]
            mutation,
        )?;
        let (message, signature) = (departure.signed_bytes(), &departure.signature);
        if !verifier.identity(&operator, DomainTag::Departure, &message, signature) {
            return Err(BeaconError::OperatorSignature);
        }
        self.entries.remove(&identity);
        self.sequences.insert(operator, next);
        Ok(())
    }

    /// Takes a validator out for good. One that had left already had no operator any more, and is nobody's.
    pub(super) fn eject(&mut self, identity: IdentityKey) -> Result<(), BeaconError> {
        if self.is_ejected(&identity) {
            return Err(BeaconError::Ejected { identity });
        }
        let Some(entry) = self.entries.remove(&identity) else {
            return Err(BeaconError::UnknownValidator { identity });
        };
        self.ejected.insert(identity, entry.operator);
        Ok(())
    }

    /// The sequence number after `found`, which must be the operator's next one.
    fn require_sequence(
        &self,
        operator: &IdentityKey,
        found: u64,
        #[cfg(test)] mutation: Option<Mutation>,
    ) -> Result<u64, BeaconError> {
        let expected = self.sequence(operator);
        let refused = BeaconError::Sequence { expected, found };
        #[cfg(test)]
        if mutation == Some(Mutation::SequenceUnchecked) {
            return Ok(expected);
        }
        if found != expected {
            return Err(refused);
        }
        expected.checked_add(1).ok_or(refused)
    }
}

impl Encode for Validators {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_map(&self.sequences, out);
        encode_map(&self.entries, out);
        encode_map(&self.ejected, out);
    }
}

impl Decode for Validators {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            sequences: decode_map(reader, "operators", VALIDATORS_MAX)?,
            entries: decode_map(reader, "validators", VALIDATORS_MAX)?,
            ejected: decode_map(reader, "ejected validators", VALIDATORS_MAX)?,
        })
    }
}
