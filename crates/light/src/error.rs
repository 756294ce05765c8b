//! Why bytes prove nothing.

use quorate_types::{
    AccountId, ChainId, CodecError, Epoch, HeaderHash, Height, ShardId, StateProofError,
    SuccessionError,
};

/// An argument that is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A certificate.
    Certificate,
    /// A header of a chain of headers, by its position in the list.
    Header(usize),
    /// A receipt.
    Receipt,
    /// A path in a list's Merkle tree.
    MerkleProof,
    /// An account.
    Account,
    /// An asset.
    Asset,
    /// A path in the state tree.
    StateProof,
    /// The head of an epoch record and the beacon's signature.
    EpochCertificate,
    /// An epoch record.
    EpochRecord,
    /// A shard's key with its path in an epoch record.
    ShardKeyProof,
    /// A proof bundle.
    ProofBundle,
}

impl core::fmt::Display for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Certificate => f.write_str("certificate"),
            Self::Header(position) => write!(f, "header {position}"),
            Self::Receipt => f.write_str("receipt"),
            Self::MerkleProof => f.write_str("Merkle proof"),
            Self::Account => f.write_str("account"),
            Self::Asset => f.write_str("asset"),
            Self::StateProof => f.write_str("state proof"),
            Self::EpochCertificate => f.write_str("epoch certificate"),
            Self::EpochRecord => f.write_str("epoch record"),
            Self::ShardKeyProof => f.write_str("shard key proof"),
            Self::ProofBundle => f.write_str("proof bundle"),
        }
    }
}

/// Why bytes are no point that can serve as a key or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The bytes are no canonical compressed encoding of a point on the curve.
    #[error("not the canonical encoding of a curve point")]
    Encoding,
    /// The point is on the curve but outside the group of prime order.
    #[error("outside the prime-order subgroup")]
    Subgroup,
    /// The point is the identity, under which or as which anything would verify.
    #[error("the identity")]
    Identity,
}

/// Why something is not proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightError {
    /// An argument is not the canonical encoding of what it should be.
    #[error("malformed {input}: {source}")]
    Malformed {
        /// Which argument.
        input: Input,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The group key is no usable key.
    #[error("unusable group key: {0}")]
    GroupKey(PointError),
    /// The signature is no usable point.
    #[error("unusable signature: {0}")]
    Signature(PointError),
    /// The header is of another chain than the key.
    #[error("header of chain {found}, the key is for {expected}")]
    WrongChain {
        /// The key's or the verified header's chain.
        expected: ChainId,
        /// The header's chain.
        found: ChainId,
    },
    /// The header is of another shard than the key.
    #[error("header of shard {found}, the key is for {expected}")]
    WrongShard {
        /// The key's or the verified header's shard.
        expected: ShardId,
        /// The header's shard.
        found: ShardId,
    },
    /// The header is of another epoch than the key.
    #[error("header of epoch {found}, the key is for {expected}")]
    WrongEpoch {
        /// The key's epoch.
        expected: Epoch,
        /// The header's epoch.
        found: Epoch,
    },
    /// The signature is not the group key's over this message.
    #[error("the signature does not verify under the group key")]
    NotSigned,
    /// The beacon's signature is no usable point.
    #[error("unusable signature of the beacon: {0}")]
    BeaconSignature(PointError),
    /// The beacon did not sign this epoch record.
    #[error("the epoch record is not signed by the beacon")]
    NotSignedByBeacon,
    /// The path does not lead from the shard's key to the epoch record.
    #[error("the path does not lead from the shard's key to the epoch record")]
    KeyNotIncluded,
    /// The height is below those that the key certifies.
    #[error("height {found} under a key whose term begins at {first}")]
    BeforeTerm {
        /// The term's first height.
        first: Height,
        /// The header's height.
        found: Height,
    },
    /// An epoch record does not come right after the one before.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// A header of a chain is not the one that its successor names.
    #[error("header {position} has hash {found}, its successor names {expected}")]
    BrokenChain {
        /// The header's position in the list.
        position: usize,
        /// The hash named.
        expected: HeaderHash,
        /// The header's hash.
        found: HeaderHash,
    },
    /// A header of a chain is not at the height just below its successor's.
    #[error("header {position} of height {found} cannot precede height {successor}")]
    NotConsecutive {
        /// The header's position in the list.
        position: usize,
        /// The height of the header after it on the chain.
        successor: Height,
        /// The header's height.
        found: Height,
    },
    /// The path does not lead from the receipt to the header's receipts root.
    #[error("the path does not lead from the receipt to the header")]
    ReceiptNotIncluded,
    /// The state proof does not show what it should.
    #[error(transparent)]
    State(#[from] StateProofError),
    /// The proved value is an account with another owner or number than the id is derived from.
    #[error("the value under {expected} is the account {found}")]
    WrongAccount {
        /// The account asked about.
        expected: AccountId,
        /// The id derived from the value.
        found: AccountId,
    },
}
