//! A proof in one file: from the beacon's key down to a balance.
//!
//! Source: SHARDING 2.7 and 3.4. Whoever holds the chain's id and the beacon's group key (96 bytes) checks a bundle offline,
//! without a clock and without anything else: the beacon's signature over an epoch record, the path to a shard's key in
//! it, that key's signature over a header, and what the bundle claims under that header. Files of bundles end in
//! `.proof`. `quorate-light` has the checks.

use alloc::vec::Vec;

use crate::account::{Account, AssetInfo};
use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, decode_version};
use crate::epoch::{EpochHead, EpochRecord, ShardKeyProof};
use crate::finality::{Certificate, HeaderContent};
use crate::ids::{AccountId, AssetId, ChainId, Epoch, Hash32, ShardId, Signature};
use crate::merkle::MerklePath;
use crate::receipt::Receipt;
use crate::state_proof::StateProof;

/// A shard's key in an epoch record, with the beacon's signature, and nothing that can be computed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochProof {
    /// The record's epoch.
    pub epoch: Epoch,
    /// Hash of the record's origin.
    pub origin: Hash32,
    /// The beacon's signature over the record's hash.
    pub signature: Signature,
    /// The shard's key and its path.
    pub key: ShardKeyProof,
}
codec_struct!(EpochProof {
    epoch,
    origin,
    signature,
    key
});

impl EpochProof {
    /// The proof of one shard's key in a record that the beacon signed with `signature`; `None` if there is no such shard.
    #[must_use]
    pub fn new(record: &EpochRecord, signature: Signature, shard: ShardId) -> Option<Self> {
        Some(Self {
            epoch: record.epoch,
            origin: record.origin.hash(),
            signature,
            key: record.prove(shard)?,
        })
    }

    /// The head of the record on `chain` that this key stands in: what the signature must be for. `None` if the path has
    /// the wrong length.
    #[must_use]
    pub fn head(&self, chain: ChainId) -> Option<EpochHead> {
        Some(EpochHead {
            chain,
            epoch: self.epoch,
            shards: self.key.shards,
            root: self.key.root()?,
            origin: self.origin,
        })
    }
}

/// What a bundle says of the state or the receipts under its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: the header is final.
    Finality,
    /// The state holds this account after the header's height.
    Account {
        /// The account; its id follows from it.
        account: Account,
        /// Its path in the state tree.
        proof: StateProof,
    },
    /// The state holds no account of this id after the header's height.
    NoAccount {
        /// The id.
        id: AccountId,
        /// Its path in the state tree.
        proof: StateProof,
    },
    /// The state holds this of an asset after the header's height.
    Asset {
        /// The asset's number.
        id: AssetId,
        /// What is held of it.
        asset: AssetInfo,
        /// Its path in the state tree.
        proof: StateProof,
    },
    /// The receipt is one of the header's height.
    Receipt {
        /// The receipt.
        receipt: Receipt,
        /// Its path in the tree of receipts.
        path: MerklePath,
    },
}

/// A claim and everything that proves it to whoever holds the beacon's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofBundle {
    /// The shard's key under the beacon's.
    pub epoch: EpochProof,
    /// The header, less what follows from the key.
    pub header: HeaderContent,
    /// The shard's signature over the header's hash.
    pub signature: Signature,
    /// What is claimed under the header.
    pub claim: Claim,
}

impl ProofBundle {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Puts a bundle together. Nothing is checked: what does not belong together proves nothing.
    #[must_use]
    pub fn new(epoch: EpochProof, certificate: &Certificate, claim: Claim) -> Self {
        Self {
            epoch,
            header: HeaderContent::of(&certificate.header),
            signature: certificate.signature,
            claim,
        }
    }

    /// The shard's certificate on `chain`.
    #[must_use]
    pub fn certificate(&self, chain: ChainId) -> Certificate {
        let key = &self.epoch.key.key;
        Certificate {
            header: self.header.with(chain, key.shard, key.epoch),
            signature: self.signature,
        }
    }
}

impl Encode for Claim {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Finality => out.push(1),
            Self::Account { account, proof } => {
                out.push(2);
                account.encode(out);
                proof.encode(out);
            }
            Self::NoAccount { id, proof } => {
                out.push(3);
                id.encode(out);
                proof.encode(out);
            }
            Self::Asset { id, asset, proof } => {
                out.push(4);
                id.encode(out);
                asset.encode(out);
                proof.encode(out);
            }
            Self::Receipt { receipt, path } => {
                out.push(5);
                receipt.encode(out);
                path.encode(out);
            }
        }
    }
}

impl Decode for Claim {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Finality),
            2 => Ok(Self::Account {
                account: Decode::decode(reader)?,
                proof: Decode::decode(reader)?,
            }),
            3 => Ok(Self::NoAccount {
                id: Decode::decode(reader)?,
                proof: Decode::decode(reader)?,
            }),
            4 => Ok(Self::Asset {
                id: Decode::decode(reader)?,
                asset: Decode::decode(reader)?,
                proof: Decode::decode(reader)?,
            }),
            5 => Ok(Self::Receipt {
                receipt: Decode::decode(reader)?,
                path: Decode::decode(reader)?,
            }),
            found => Err(CodecError::Variant {
                value: "claim",
                found,
            }),
        }
    }
}

impl Encode for ProofBundle {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.epoch.encode(out);
        self.header.encode(out);
        self.signature.encode(out);
        self.claim.encode(out);
    }
}

impl Decode for ProofBundle {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "proof bundle", Self::VERSION)?;
        Ok(Self {
            epoch: Decode::decode(reader)?,
            header: Decode::decode(reader)?,
            signature: Decode::decode(reader)?,
            claim: Decode::decode(reader)?,
        })
    }
}
