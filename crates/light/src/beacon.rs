//! The chain of trust from the beacon's key down (SHARDING 2.7).

use quorate_types::{
    ChainId, Claim, Decode, Encode, EpochCertificate, EpochHead, EpochRecord, Header, ProofBundle,
    ShardKey, ShardKeyProof, Signature, ThresholdKey,
};

use crate::bls::GroupKey;
use crate::error::{Input, LightError};
use crate::header::VerifiedHeader;
use crate::key::TrustedKey;

/// The beacon's group key and the chain that it speaks for: the one thing to pin for all shards and all epochs.
///
/// The caller vouches for it. It never changes: the beacon's committee hands its key over, it does not make a new one.
#[derive(Clone, Debug)]
pub struct TrustedBeacon {
    chain: ChainId,
    group_key: GroupKey,
}

/// The head of an epoch record that the beacon certified.
///
/// Only verification makes one, so holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedEpoch {
    head: EpochHead,
}

/// A whole epoch record that the beacon certified.
///
/// Only verification makes one, so holding one is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRecord {
    record: EpochRecord,
}

/// What a proof bundle proves.
///
/// Only verification makes one, so holding one is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBundle {
    epoch: VerifiedEpoch,
    key: ShardKey,
    header: VerifiedHeader,
    claim: Claim,
}

impl TrustedBeacon {
    /// Parses and checks the beacon's group key, once.
    ///
    /// # Errors
    /// [`LightError::GroupKey`].
    pub fn new(chain: ChainId, group_key: &ThresholdKey) -> Result<Self, LightError> {
        let group_key = GroupKey::parse(group_key).map_err(LightError::GroupKey)?;
        Ok(Self { chain, group_key })
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }
    /// The group key.
    #[must_use]
    pub const fn group_key(&self) -> &GroupKey {
        &self.group_key
    }

    /// Checks an encoded [`EpochCertificate`]. One pairing, after which each shard's key in that epoch takes a hash path.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::WrongChain`], [`LightError::BeaconSignature`],
    /// [`LightError::NotSignedByBeacon`], looked for in this order.
    pub fn verify_epoch(&self, certificate: &[u8]) -> Result<VerifiedEpoch, LightError> {
        let certificate: EpochCertificate = decode(Input::EpochCertificate, certificate)?;
        self.verify_head(certificate.head, &certificate.signature)
    }

    /// Checks an encoded [`EpochRecord`] against the beacon's signature.
    ///
    /// # Errors
    /// As [`TrustedBeacon::verify_epoch`].
    pub fn verify_record(
        &self,
        record: &[u8],
        signature: &Signature,
    ) -> Result<VerifiedRecord, LightError> {
        let record: EpochRecord = decode(Input::EpochRecord, record)?;
        self.verify_head(record.head(), signature)?;
        Ok(VerifiedRecord { record })
    }

    /// Checks an encoded [`ProofBundle`] all the way down: the epoch record's head, the shard's key in it, the header, and
    /// the claim. Two pairings and hash paths; no state, no network, no clock.
    ///
    /// What is proved is what [`VerifiedBundle`] says, which may not be what was asked for: compare the account or the
    /// transaction, the shard, and the height. A bundle of an old epoch stays good; its header's height tells how old it is.
    ///
    /// # Errors
    /// [`LightError`]: what is wrong at the topmost link that does not hold.
    pub fn verify_bundle(&self, bundle: &[u8]) -> Result<VerifiedBundle, LightError> {
        let bundle: ProofBundle = decode(Input::ProofBundle, bundle)?;
        let head = bundle
            .epoch
            .head(self.chain)
            .ok_or(LightError::KeyNotIncluded)?;
        let epoch = self.verify_head(head, &bundle.epoch.signature)?;
        let key = bundle.epoch.key.key;
        let trusted = epoch.trust(&key)?;
        let header = trusted.verify_decoded(bundle.certificate(self.chain))?;
        verify_claim(&header, &bundle.claim)?;
        Ok(VerifiedBundle {
            epoch,
            key,
            header,
            claim: bundle.claim,
        })
    }

    fn verify_head(
        &self,
        head: EpochHead,
        signature: &Signature,
    ) -> Result<VerifiedEpoch, LightError> {
        if head.chain != self.chain {
            return Err(LightError::WrongChain {
                expected: self.chain,
                found: head.chain,
            });
        }
        self.group_key
            .verify(&head.hash().signing_bytes(), signature)
            .map_err(|error| match error {
                LightError::Signature(point) => LightError::BeaconSignature(point),
                _ => LightError::NotSignedByBeacon,
            })?;
        Ok(VerifiedEpoch { head })
    }
}

impl VerifiedEpoch {
    /// The head.
    #[must_use]
    pub const fn head(&self) -> &EpochHead {
        &self.head
    }

    /// Checks that the key of an encoded [`ShardKeyProof`] stands in this epoch's record, and gives what verifies the shard's
    /// certificates: those of heights from the term's first one on.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::KeyNotIncluded`], [`LightError::GroupKey`].
    pub fn verify_key(&self, proof: &[u8]) -> Result<TrustedKey, LightError> {
        let proof: ShardKeyProof = decode(Input::ShardKeyProof, proof)?;
        if proof.shards != self.head.shards || proof.root() != Some(self.head.root) {
            return Err(LightError::KeyNotIncluded);
        }
        self.trust(&proof.key)
    }

    /// For keys that were just found in the record.
    fn trust(&self, key: &ShardKey) -> Result<TrustedKey, LightError> {
        TrustedKey::from_height(
            self.head.chain,
            key.shard,
            key.epoch,
            &key.group_key,
            key.first,
        )
    }
}

impl VerifiedRecord {
    /// The record.
    #[must_use]
    pub const fn record(&self) -> &EpochRecord {
        &self.record
    }

    /// Checks that an encoded [`EpochRecord`] is the one right after this: certified by the beacon, of the next epoch,
    /// linked by hash, and with keys that go on from these.
    ///
    /// # Errors
    /// As [`TrustedBeacon::verify_record`], and [`LightError::Succession`].
    pub fn verify_next(
        &self,
        beacon: &TrustedBeacon,
        record: &[u8],
        signature: &Signature,
    ) -> Result<Self, LightError> {
        let next = beacon.verify_record(record, signature)?;
        next.record.require_follows(&self.record)?;
        Ok(next)
    }
}

impl VerifiedBundle {
    /// The head of the epoch record that it starts from.
    #[must_use]
    pub const fn epoch(&self) -> &EpochHead {
        self.epoch.head()
    }
    /// The key that certified the header.
    #[must_use]
    pub const fn key(&self) -> &ShardKey {
        &self.key
    }
    /// The header, from which more can be verified.
    #[must_use]
    pub const fn verified_header(&self) -> &VerifiedHeader {
        &self.header
    }
    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        self.header.header()
    }
    /// What holds under the header.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }
}

fn verify_claim(header: &VerifiedHeader, claim: &Claim) -> Result<(), LightError> {
    match claim {
        Claim::Finality => Ok(()),
        Claim::Account { account, proof } => header
            .verify_account(&account.id(), &account.to_bytes(), &proof.to_bytes())
            .map(|_| ()),
        Claim::NoAccount { id, proof } => header.verify_absent_account(id, &proof.to_bytes()),
        Claim::Asset { id, asset, proof } => header
            .verify_asset(*id, &asset.to_bytes(), &proof.to_bytes())
            .map(|_| ()),
        Claim::Receipt { receipt, path } => header.verify_receipt_path(receipt, path),
    }
}

fn decode<T: Decode>(input: Input, bytes: &[u8]) -> Result<T, LightError> {
    T::from_bytes(bytes).map_err(|source| LightError::Malformed { input, source })
}
