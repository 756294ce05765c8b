//! Domain values to messages, and back from their canonical bytes.

mod answers;
mod values;

use bytes::Bytes;
use quorate_types::{CodecError, Decode, Encode, RejectCode};

use crate::types::v1;

/// Why a message is no domain value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field or a oneof is absent.
    #[error("absent")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Bytes of the wrong length.
    #[error("{found} bytes, not {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// Bytes in the message.
        found: usize,
        /// Bytes wanted.
        expected: usize,
    },
    /// A number above its type's range.
    #[error("{found} is above {limit}")]
    Number {
        /// The field.
        field: &'static str,
        /// The number in the message.
        found: u64,
        /// The largest number allowed.
        limit: u64,
    },
    /// Bytes that are no canonical encoding.
    #[error("{error}")]
    Codec {
        /// The field.
        field: &'static str,
        /// What is wrong.
        error: CodecError,
    },
}

impl ConvertError {
    /// The field at fault.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Missing { field }
            | Self::Length { field, .. }
            | Self::Number { field, .. }
            | Self::Codec { field, .. } => field,
        }
    }
}

/// Exactly `N` bytes of a field.
///
/// # Errors
/// [`ConvertError::Missing`] if there are none, [`ConvertError::Length`] if there are more or fewer.
pub fn fixed_bytes<const N: usize>(
    bytes: &[u8],
    field: &'static str,
) -> Result<[u8; N], ConvertError> {
    if bytes.is_empty() {
        return Err(ConvertError::Missing { field });
    }
    bytes.try_into().map_err(|_| ConvertError::Length {
        field,
        found: bytes.len(),
        expected: N,
    })
}

/// The code of a rejected receipt, if this program knows its number.
#[must_use]
pub fn reject_code_of(rejected: &v1::Rejected) -> Option<RejectCode> {
    RejectCode::from_number(u16::try_from(rejected.code).ok()?)
}

/// A value from the canonical bytes of a field.
fn canonical<T: Decode>(bytes: &Bytes, field: &'static str) -> Result<T, ConvertError> {
    if bytes.is_empty() {
        return Err(ConvertError::Missing { field });
    }
    T::from_bytes(bytes).map_err(|error| ConvertError::Codec { field, error })
}

fn copied(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

fn encoded(value: &impl Encode) -> Bytes {
    value.to_bytes().into()
}
