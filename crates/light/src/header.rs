//! What follows from a verified header.

use quorate_types::{
    Account, AccountId, AssetId, AssetInfo, Decode, Encode, Header, HeaderHash, MerklePath,
    MerkleProof, Receipt, StateKey, StateProof,
};

use crate::error::{Input, LightError};

/// A header that a committee certified, itself or through a certified successor.
///
/// Only verification makes one, so holding one is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedHeader {
    header: Header,
    hash: HeaderHash,
}

impl VerifiedHeader {
    /// For callers that have just verified `header`, whose hash is `hash`.
    pub(crate) const fn trusted(header: Header, hash: HeaderHash) -> Self {
        Self { header, hash }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The header's hash.
    #[must_use]
    pub const fn hash(&self) -> HeaderHash {
        self.hash
    }

    /// Walks down the chain of hashes: `headers` are encoded headers, the first the one just below this, each next
    /// one a height lower. Gives the last of them, or this header itself if there are none. Takes one SHA-256 a
    /// header and no pairing.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::BrokenChain`], and, for a chain that no honest committee makes,
    /// [`LightError::WrongChain`], [`LightError::WrongShard`], [`LightError::NotConsecutive`].
    pub fn verify_ancestor<T: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = T>,
    ) -> Result<Self, LightError> {
        let mut lowest = self.clone();
        for (position, bytes) in headers.into_iter().enumerate() {
            lowest = lowest.verify_previous(position, bytes.as_ref())?;
        }
        Ok(lowest)
    }

    fn verify_previous(&self, position: usize, bytes: &[u8]) -> Result<Self, LightError> {
        let header: Header = decode(Input::Header(position), bytes)?;
        let found = header.hash();
        if found != self.header.previous {
            return Err(LightError::BrokenChain {
                position,
                expected: self.header.previous,
                found,
            });
        }
        if header.chain != self.header.chain {
            return Err(LightError::WrongChain {
                expected: self.header.chain,
                found: header.chain,
            });
        }
        if header.shard != self.header.shard {
            return Err(LightError::WrongShard {
                expected: self.header.shard,
                found: header.shard,
            });
        }
        if header.height.0.checked_add(1) != Some(self.header.height.0) {
            return Err(LightError::NotConsecutive {
                position,
                successor: self.header.height,
                found: header.height,
            });
        }
        Ok(Self::trusted(header, found))
    }

    /// Checks that an encoded [`Receipt`] is among those of this height. The position that the proof claims is not
    /// proved: the root does not bind the number of receipts.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::ReceiptNotIncluded`].
    pub fn verify_receipt(&self, receipt: &[u8], proof: &[u8]) -> Result<Receipt, LightError> {
        let decoded = decode(Input::Receipt, receipt)?;
        let proof: MerkleProof = decode(Input::MerkleProof, proof)?;
        if proof.verifies(&self.header.receipts_root, receipt) {
            Ok(decoded)
        } else {
            Err(LightError::ReceiptNotIncluded)
        }
    }

    /// As [`VerifiedHeader::verify_receipt`], for a path without position.
    ///
    /// # Errors
    /// [`LightError::ReceiptNotIncluded`].
    pub fn verify_receipt_path(
        &self,
        receipt: &Receipt,
        path: &MerklePath,
    ) -> Result<(), LightError> {
        if path.root(&receipt.to_bytes()) == self.header.receipts_root {
            Ok(())
        } else {
            Err(LightError::ReceiptNotIncluded)
        }
    }

    /// Checks that `account`, an encoded [`Account`], is what the state holds under `id` after this height.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::State`], [`LightError::WrongAccount`].
    pub fn verify_account(
        &self,
        id: &AccountId,
        account: &[u8],
        proof: &[u8],
    ) -> Result<Account, LightError> {
        let decoded: Account = decode(Input::Account, account)?;
        self.verify_present(&StateKey::Account(*id), account, proof)?;
        let found = decoded.id();
        if found != *id {
            return Err(LightError::WrongAccount {
                expected: *id,
                found,
            });
        }
        Ok(decoded)
    }

    /// Checks that there is no account `id` after this height.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::State`].
    pub fn verify_absent_account(&self, id: &AccountId, proof: &[u8]) -> Result<(), LightError> {
        let proof: StateProof = decode(Input::StateProof, proof)?;
        let key = StateKey::Account(*id).hash();
        Ok(proof.verify_absent(&self.header.state_root, &key)?)
    }

    /// Checks that `asset`, an encoded [`AssetInfo`], is what the state holds about asset `id` after this height.
    ///
    /// # Errors
    /// [`LightError::Malformed`], [`LightError::State`].
    pub fn verify_asset(
        &self,
        id: AssetId,
        asset: &[u8],
        proof: &[u8],
    ) -> Result<AssetInfo, LightError> {
        let decoded = decode(Input::Asset, asset)?;
        self.verify_present(&StateKey::Asset(id), asset, proof)?;
        Ok(decoded)
    }

    fn verify_present(&self, key: &StateKey, value: &[u8], proof: &[u8]) -> Result<(), LightError> {
        let proof: StateProof = decode(Input::StateProof, proof)?;
        Ok(proof.verify_present(&self.header.state_root, &key.hash(), value)?)
    }
}

fn decode<T: Decode>(input: Input, bytes: &[u8]) -> Result<T, LightError> {
    T::from_bytes(bytes).map_err(|source| LightError::Malformed { input, source })
}
