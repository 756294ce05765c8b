//! Every value that crosses a boundary in Quorate, and its one canonical encoding.
//!
//! This crate says *what* is signed, hashed, stored and sent: identifiers, the [`Committee`] with its quorum
//! parameter, [`Block`]s of the DAG, [`SignedTransaction`]s, [`Receipt`]s, [`Header`]s, [`Certificate`]s and the
//! Merkle proofs that tie them together. It verifies hash paths; it checks no signature (see `quorate-crypto` and
//! `quorate-light`), does no I/O, owns no clock and allocates only in proportion to bytes already received.
//!
//! Model: committees of 4 <= n <= 128 members, at most f = floor((n-1)/3) of them Byzantine, quorum q with
//! n-f <= q <= n.
//!
//! ```
//! use quorate_types::{Decode, Encode, Height};
//! let bytes = Height(7).to_bytes();
//! assert_eq!(bytes, 7u64.to_le_bytes());
//! assert_eq!(Height::from_bytes(&bytes), Ok(Height(7)));
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod account;
mod block;
mod codec;
mod commit;
mod committee;
mod domain;
mod epoch;
mod evidence;
mod finality;
mod genesis;
mod hash;
mod ids;
mod merkle;
mod mmr;
mod proof_bundle;
mod receipt;
mod state_proof;
mod transaction;

pub use account::{Account, AssetInfo, STATE_ACCOUNT, StateKey};
pub use block::{Block, BlockBuilder, BlockRef, PayloadIter};
pub use codec::{
    CodecError, Decode, Encode, Reader, decode_flag, decode_map, decode_option, decode_version,
    encode_flag, encode_list, encode_map, encode_option, macros, require_ascending,
};
pub use commit::{Commit, blocks_root};
pub use committee::{Committee, CommitteeError, Member};
pub use domain::DomainTag;
pub use epoch::{
    EpochCertificate, EpochHead, EpochOrigin, EpochRecord, EpochSeen, ShardKey, ShardKeyProof,
    SuccessionError, epoch_seed, epoch_seed_message,
};
pub use evidence::Evidence;
pub use finality::{Certificate, FinalityShare, Header, HeaderContent};
pub use genesis::{Allocation, Execution, Genesis, GenesisAsset, GenesisError, RuleParameters};
pub use hash::{Blake3, Sha256};
pub use ids::{
    AccountId, AssetId, BlockId, CeremonyId, ChainId, CommitteeHash, DealingHash, EncryptionKey,
    Epoch, EpochRecordHash, FeedId, Hash32, HeaderHash, Height, IdentityKey, IdentitySignature,
    InstrumentId, KeyProof, Round, ShardId, Signature, ThresholdKey, Timestamp, TransactionId,
    TranscriptHash, ValidatorIndex,
};
pub use merkle::{MerklePath, MerkleProof, MerkleTree, merkle_root};
pub use mmr::{Mmr, MmrError, Peaks, RangeProof};
pub use proof_bundle::{Claim, EpochProof, ProofBundle};
pub use receipt::{Delta, Outcome, Receipt, RejectCode};
pub use state_proof::{
    EMPTY_STATE_ROOT, SparseLeaf, StateProof, StateProofError, internal_hash, leaf_hash,
};
pub use transaction::{Body, KeySignature, SignedTransaction, Transaction};
pub mod limits;
