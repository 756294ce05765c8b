//! The root of trust.

use quorate_types::{Certificate, ChainId, Decode, Epoch, Header, Height, ShardId, ThresholdKey};

use crate::bls::GroupKey;
use crate::error::{Input, LightError};
use crate::header::VerifiedHeader;

/// A committee's group key and what it may speak for: one epoch of one shard of one chain.
///
/// The caller vouches for it; it comes from the genesis file or from whoever the caller trusts to know it.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    chain: ChainId,
    shard: ShardId,
    epoch: Epoch,
    first: Height,
    group_key: GroupKey,
}

impl TrustedKey {
    /// Parses and checks the group key, once.
    ///
    /// # Errors
    /// [`LightError::GroupKey`].
    pub fn new(
        chain: ChainId,
        shard: ShardId,
        epoch: Epoch,
        group_key: &ThresholdKey,
    ) -> Result<Self, LightError> {
        Self::from_height(chain, shard, epoch, group_key, Height(0))
    }

    /// As [`TrustedKey::new`], for a key that certifies no height below `first`.
    ///
    /// # Errors
    /// [`LightError::GroupKey`].
    pub fn from_height(
        chain: ChainId,
        shard: ShardId,
        epoch: Epoch,
        group_key: &ThresholdKey,
        first: Height,
    ) -> Result<Self, LightError> {
        Ok(Self {
            chain,
            shard,
            epoch,
            first,
            group_key: GroupKey::parse(group_key).map_err(LightError::GroupKey)?,
        })
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }
    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }
    /// The epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// The lowest height that the key certifies.
    #[must_use]
    pub const fn first(&self) -> Height {
        self.first
    }
    /// The group key.
    #[must_use]
    pub const fn group_key(&self) -> &GroupKey {
        &self.group_key
    }

    /// Checks an encoded [`Certificate`]: its form, that it is for this chain, shard and epoch, and its signature.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::WrongChain`], [`LightError::WrongShard`], [`LightError::WrongEpoch`],
    /// [`LightError::BeforeTerm`], [`LightError::Signature`], [`LightError::NotSigned`], looked for in this order.
    pub fn verify_certificate(&self, certificate: &[u8]) -> Result<VerifiedHeader, LightError> {
        let certificate =
            Certificate::from_bytes(certificate).map_err(|source| LightError::Malformed {
                input: Input::Certificate,
                source,
            })?;
        self.verify_decoded(certificate)
    }

    pub(crate) fn verify_decoded(
        &self,
        certificate: Certificate,
    ) -> Result<VerifiedHeader, LightError> {
        self.require_scope(&certificate.header)?;
        let hash = certificate.header.hash();
        self.group_key
            .verify(&hash.signing_bytes(), &certificate.signature)?;
        Ok(VerifiedHeader::trusted(certificate.header, hash))
    }

    fn require_scope(&self, header: &Header) -> Result<(), LightError> {
        if header.chain != self.chain {
            return Err(LightError::WrongChain {
                expected: self.chain,
                found: header.chain,
            });
        }
        if header.shard != self.shard {
            return Err(LightError::WrongShard {
                expected: self.shard,
                found: header.shard,
            });
        }
        if header.epoch != self.epoch {
            return Err(LightError::WrongEpoch {
                expected: self.epoch,
                found: header.epoch,
            });
        }
        if header.height < self.first {
            return Err(LightError::BeforeTerm {
                first: self.first,
                found: header.height,
            });
        }
        Ok(())
    }
}
