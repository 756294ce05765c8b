//! The frozen set of validators that an epoch is staffed from.

use alloc::vec::Vec;

use quorate_types::{IdentityKey, limits::COMMITTEE_MIN};

use crate::VALIDATORS_MAX;
use crate::error::AssignmentError;

/// The identity keys of all validators of an epoch, without order: as a set, whatever order they came in.
///
/// It must be frozen before the seed of the epoch can be known to anybody; otherwise a validator could choose its key,
/// or the moment at which it joins, by where that puts it (SHARDING 2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Ascending, each once.
    keys: Vec<IdentityKey>,
}

impl Registry {
    /// A registry of these keys, in any order.
    ///
    /// # Errors
    /// [`AssignmentError::Validators`] unless there are 4 to [`VALIDATORS_MAX`] keys,
    /// [`AssignmentError::DuplicateKey`] if one is given twice.
    pub fn new(mut keys: Vec<IdentityKey>) -> Result<Self, AssignmentError> {
        let bounds = u32::from(COMMITTEE_MIN)..=VALIDATORS_MAX;
        if !u32::try_from(keys.len()).is_ok_and(|count| bounds.contains(&count)) {
            return Err(AssignmentError::Validators { found: keys.len() });
        }
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(AssignmentError::DuplicateKey { key: pair[0] });
        }
        Ok(Self { keys })
    }

    /// All keys, ascending.
    #[must_use]
    pub fn keys(&self) -> &[IdentityKey] {
        &self.keys
    }

    /// N.
    #[must_use]
    pub fn validators(&self) -> u32 {
        u32::try_from(self.keys.len()).expect("bounded in Registry::new")
    }

    /// Whether this key is registered.
    #[must_use]
    pub fn contains(&self, key: &IdentityKey) -> bool {
        self.keys.binary_search(key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_registry_is_a_set_of_bounded_size() {
        let key = |byte| IdentityKey([byte; 32]);
        let registry = Registry::new(vec![key(3), key(1), key(2), key(4)]).unwrap();
        assert_eq!(registry.keys(), [key(1), key(2), key(3), key(4)]);
        assert_eq!(registry.validators(), 4);
        assert!(registry.contains(&key(2)) && !registry.contains(&key(5)));
        assert_eq!(
            Registry::new(vec![key(1), key(2), key(3)]),
            Err(AssignmentError::Validators { found: 3 })
        );
        assert_eq!(
            Registry::new(vec![key(1); 10_001]),
            Err(AssignmentError::Validators { found: 10_001 })
        );
        assert_eq!(
            Registry::new(vec![key(9), key(2), key(9), key(3)]),
            Err(AssignmentError::DuplicateKey { key: key(9) })
        );
    }
}
