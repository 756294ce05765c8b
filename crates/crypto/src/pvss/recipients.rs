//! Those whom a dealing is encrypted to.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{Blake3, DomainTag, EncryptionKey, ValidatorIndex};

use crate::bls::{G1, PointError};

/// The members' encryption keys in order of index, parsed once. Clones share them.
///
/// Proofs of possession are not looked at: whoever gathers the keys verifies each
/// ([`verify_key_proof`](super::verify_key_proof)) with the context that its member signed.
#[derive(Clone, Debug)]
pub struct Recipients(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    points: Vec<G1>,
    digest: [u8; 32],
}

/// Why a list of encryption keys is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientsError {
    /// There is no key, or there are more than a committee may have members.
    #[error("{found} encryption keys, a dealing has 1 to {COMMITTEE_MAX} recipients")]
    Size {
        /// Keys given.
        found: usize,
    },
    /// A key is no point of the prime-order subgroup other than the identity, canonically encoded.
    #[error("encryption key of member {index}: {error}")]
    Key {
        /// Whose key.
        index: ValidatorIndex,
        /// What is wrong.
        error: PointError,
    },
    /// Two members have the same key.
    #[error("member {index} has the encryption key of member {first}")]
    Duplicate {
        /// The later of the two.
        index: ValidatorIndex,
        /// The earlier.
        first: ValidatorIndex,
    },
}

impl Recipients {
    /// Parses the keys of members 0, 1, and so on.
    ///
    /// # Errors
    /// [`RecipientsError`], the first that there is.
    pub fn parse(keys: &[EncryptionKey]) -> Result<Self, RecipientsError> {
        if !(1..=usize::from(COMMITTEE_MAX)).contains(&keys.len()) {
            return Err(RecipientsError::Size { found: keys.len() });
        }
        let mut points = Vec::with_capacity(keys.len());
        let mut seen = BTreeMap::new();
        let mut hash =
            Blake3::new(DomainTag::EncryptionKeys).chain((keys.len() as u64).to_le_bytes());
        for (index, key) in (0..).map(ValidatorIndex).zip(keys) {
            // Encodings are canonical, so that the same bytes and the same point are one thing.
            if let Some(first) = seen.insert(key.0, index) {
                return Err(RecipientsError::Duplicate { index, first });
            }
            let point =
                G1::from_bytes(&key.0).map_err(|error| RecipientsError::Key { index, error })?;
            points.push(point);
            hash = hash.chain(key);
        }
        let digest = hash.finish();
        Ok(Self(Arc::new(Parsed { points, digest })))
    }

    /// The keys in order of member.
    #[must_use]
    pub fn points(&self) -> &[G1] {
        &self.0.points
    }

    /// A hash of all keys, which stands for them in other hashes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// How many recipients there are: 1 to 128.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.points.len()
    }

    /// A member's key.
    #[must_use]
    pub fn point(&self, index: ValidatorIndex) -> Option<&G1> {
        self.0.points.get(usize::from(index.0))
    }
}
