//! What holds of every decoder.

use quorate_types::{Decode, Encode};

/// Decodes, and demands that what is accepted has these bytes as its encoding.
pub(crate) fn canonical<T: Encode + Decode>(bytes: &[u8]) -> Option<T> {
    let value = T::from_bytes(bytes).ok()?;
    assert!(
        value.to_bytes() == bytes,
        "accepted bytes are not the canonical encoding"
    );
    Some(value)
}

/// Encodings, as seeds.
pub(crate) fn encoded<T: Encode>(values: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    values.into_iter().map(|value| value.to_bytes()).collect()
}
