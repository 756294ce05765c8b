//! Headers, certificates, accounts and proofs.

use quorate_types::{Account, Certificate, Header, MerkleProof, SparseLeaf, StateProof};

use super::{ConvertError, canonical, copied, encoded};
use crate::types::v1;

impl From<&Header> for v1::Header {
    fn from(header: &Header) -> Self {
        Self {
            canonical: encoded(header),
            height: Some(header.height.0),
            hash: copied(header.hash()),
            chain_id: copied(header.chain),
            shard: Some(header.shard.0),
            epoch: Some(header.epoch.0),
            previous_hash: copied(header.previous),
            leader_round: Some(header.leader_round.0),
            leader_author: Some(header.leader_author.0.into()),
            leader_block_id: copied(header.leader),
            timestamp_ms: Some(header.timestamp_ms),
            transactions_total: Some(header.transactions_total),
            blocks_root: copied(header.blocks_root),
            receipts_root: copied(header.receipts_root),
            outbox_root: copied(header.outbox_root),
            state_root: copied(header.state_root),
            next_committee_hash: copied(header.next_committee),
        }
    }
}

impl TryFrom<&v1::Header> for Header {
    type Error = ConvertError;

    fn try_from(message: &v1::Header) -> Result<Self, ConvertError> {
        canonical(&message.canonical, "header.canonical")
    }
}

impl From<&Certificate> for v1::Certificate {
    fn from(certificate: &Certificate) -> Self {
        Self {
            canonical: encoded(certificate),
            header: Some((&certificate.header).into()),
            signature: copied(certificate.signature),
            signing_bytes: copied(certificate.header.hash().signing_bytes()),
        }
    }
}

impl TryFrom<&v1::Certificate> for Certificate {
    type Error = ConvertError;

    fn try_from(message: &v1::Certificate) -> Result<Self, ConvertError> {
        canonical(&message.canonical, "certificate.canonical")
    }
}

impl From<&Account> for v1::Account {
    fn from(account: &Account) -> Self {
        let lanes = account.lanes.iter().map(|(lane, next)| v1::Lane {
            lane: Some(u32::from(*lane)),
            next_sequence: Some(*next),
        });
        let free = account.free.iter().map(|(asset, atoms)| v1::Balance {
            asset: Some(asset.0),
            atoms: atoms.to_string(),
        });
        Self {
            canonical: encoded(account),
            account_id: copied(account.id()),
            owner: copied(account.owner),
            sub: Some(account.sub),
            lanes: lanes.collect(),
            free: free.collect(),
        }
    }
}

impl TryFrom<&v1::Account> for Account {
    type Error = ConvertError;

    fn try_from(message: &v1::Account) -> Result<Self, ConvertError> {
        canonical(&message.canonical, "account.canonical")
    }
}

impl From<&MerkleProof> for v1::MerkleProof {
    fn from(proof: &MerkleProof) -> Self {
        Self {
            canonical: encoded(proof),
            index: Some(proof.index),
            size: proof.size,
            path: proof.path.iter().map(copied).collect(),
        }
    }
}

impl TryFrom<&v1::MerkleProof> for MerkleProof {
    type Error = ConvertError;

    fn try_from(message: &v1::MerkleProof) -> Result<Self, ConvertError> {
        canonical(&message.canonical, "inclusion.canonical")
    }
}

impl From<&SparseLeaf> for v1::StateLeaf {
    fn from(leaf: &SparseLeaf) -> Self {
        Self {
            key_hash: copied(leaf.key_hash),
            value_hash: copied(leaf.value_hash),
        }
    }
}

impl From<&StateProof> for v1::StateProof {
    fn from(proof: &StateProof) -> Self {
        Self {
            canonical: encoded(proof),
            leaf: proof.leaf.as_ref().map(Into::into),
            siblings: proof.siblings.iter().map(copied).collect(),
        }
    }
}

impl TryFrom<&v1::StateProof> for StateProof {
    type Error = ConvertError;

    fn try_from(message: &v1::StateProof) -> Result<Self, ConvertError> {
        canonical(&message.canonical, "proof.canonical")
    }
}
