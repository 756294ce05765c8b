//! The canonical codec: fixed little-endian integers, explicit `u32` counts, no padding, no trailing bytes.
//!
//! One value has one encoding. Decoding refuses everything else with a [`CodecError`] that says what was wrong.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Why bytes are not the canonical encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ended inside a value.
    #[error("truncated: {needed} more bytes needed at offset {offset}")]
    Truncated {
        /// Offset at which the missing bytes should start.
        offset: usize,
        /// How many bytes were missing.
        needed: usize,
    },
    /// The value ended before the input did.
    #[error("{extra} trailing bytes")]
    Trailing {
        /// How many bytes were left.
        extra: usize,
    },
    /// A count is above the limit of its field.
    #[error("{field} has {count} entries, the limit is {limit}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// The count in the input.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// A format version this program does not know.
    #[error("{value} has version {found}, this program knows {known}")]
    Version {
        /// What was decoded.
        value: &'static str,
        /// Version in the input.
        found: u16,
        /// Version supported.
        known: u16,
    },
    /// An enum's discriminant is not one of its variants.
    #[error("{value} has unknown variant {found}")]
    Variant {
        /// The enum.
        value: &'static str,
        /// Discriminant in the input.
        found: u8,
    },
    /// A list that must be strictly ascending is not, or a number is not in its one canonical form.
    #[error("{field} is not canonical")]
    NotCanonical {
        /// The field.
        field: &'static str,
    },
}

/// A value with one canonical encoding.
pub trait Encode {
    /// Appends the canonical encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The canonical encoding.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// The inverse of [`Encode`].
pub trait Decode: Sized {
    /// Reads one value.
    ///
    /// # Errors
    /// The input is no canonical encoding.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError>;

    /// Reads one value that takes up all of `bytes`.
    ///
    /// # Errors
    /// The input is no canonical encoding, or has bytes after it.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// A cursor over input bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        if length > self.remaining() {
            return Err(CodecError::Truncated {
                offset: self.offset,
                needed: length - self.remaining(),
            });
        }
        let slice = &self.bytes[self.offset..self.offset + length];
        self.offset += length;
        Ok(slice)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A `u32` count of entries, refused above `limit`.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::TooMany`].
    pub fn count(&mut self, field: &'static str, limit: u32) -> Result<usize, CodecError> {
        let count = u32::decode(self)?;
        if count > limit {
            return Err(CodecError::TooMany {
                field,
                count: u64::from(count),
                limit: u64::from(limit),
            });
        }
        Ok(count as usize)
    }

    /// Reads the entries of a counted list.
    ///
    /// # Errors
    /// As [`Reader::count`] and the entries' own.
    pub fn list<T: Decode>(
        &mut self,
        field: &'static str,
        limit: u32,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count(field, limit)?;
        // The capacity is bounded by bytes already received: every entry takes at least one byte.
        let mut list = Vec::with_capacity(count.min(self.remaining()));
        for _ in 0..count {
            list.push(T::decode(self)?);
        }
        Ok(list)
    }

    /// Refuses bytes after the value.
    ///
    /// # Errors
    /// [`CodecError::Trailing`].
    pub const fn finish(&self) -> Result<(), CodecError> {
        if self.remaining() == 0 {
            return Ok(());
        }
        Err(CodecError::Trailing {
            extra: self.remaining(),
        })
    }
}

/// Appends a counted list.
///
/// # Panics
/// If the list has 2^32 entries or more: every list is bounded far below when it is made.
pub fn encode_list<T: Encode>(list: &[T], out: &mut Vec<u8>) {
    let count = u32::try_from(list.len()).expect("lists are bounded when made");
    count.encode(out);
    for entry in list {
        entry.encode(out);
    }
}

/// Refuses a list that is not strictly ascending.
///
/// # Errors
/// [`CodecError::NotCanonical`].
pub fn require_ascending<T: Ord>(list: &[T], field: &'static str) -> Result<(), CodecError> {
    if list.windows(2).all(|pair| pair[0] < pair[1]) {
        return Ok(());
    }
    Err(CodecError::NotCanonical { field })
}

/// Reads a `u16` version and refuses all but `known`.
///
/// # Errors
/// [`CodecError::Truncated`], [`CodecError::Version`].
pub fn decode_version(
    reader: &mut Reader<'_>,
    value: &'static str,
    known: u16,
) -> Result<(), CodecError> {
    let found = u16::decode(reader)?;
    if found == known {
        return Ok(());
    }
    Err(CodecError::Version {
        value,
        found,
        known,
    })
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Encode for $integer {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Decode for $integer {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok(Self::from_le_bytes(reader.array()?))
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, u128, i64, i128);

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}
impl<const N: usize> Decode for [u8; N] {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.array()
    }
}

/// What [`codec_struct`](crate::codec_struct) needs wherever it is used.
#[doc(hidden)]
pub mod macros {
    pub use alloc::vec::Vec;
}

/// Implements the codec of a struct as its fields, one after another.
#[macro_export]
macro_rules! codec_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::Encode for $name {
            fn encode(&self, out: &mut $crate::macros::Vec<u8>) {
                $($crate::Encode::encode(&self.$field, out);)*
            }
        }
        impl $crate::Decode for $name {
            fn decode(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::CodecError> {
                Ok(Self { $($field: $crate::Decode::decode(reader)?,)* })
            }
        }
    };
}
pub(crate) use codec_struct;

/// Writes 0 for none, 1 and the value otherwise.
pub fn encode_option<T: Encode>(value: Option<&T>, out: &mut Vec<u8>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            value.encode(out);
        }
    }
}

/// Reads what [`encode_option`] wrote; `value` says of what, in errors.
///
/// # Errors
/// [`CodecError`].
pub fn decode_option<T: Decode>(
    reader: &mut Reader<'_>,
    value: &'static str,
) -> Result<Option<T>, CodecError> {
    if decode_flag(reader, value)? {
        T::decode(reader).map(Some)
    } else {
        Ok(None)
    }
}

/// Writes 1 for true, 0 for false.
pub fn encode_flag(flag: bool, out: &mut Vec<u8>) {
    out.push(u8::from(flag));
}

/// Reads what [`encode_flag`] wrote; `value` says of what, in errors.
///
/// # Errors
/// [`CodecError`], if the byte is neither 0 nor 1.
pub fn decode_flag(reader: &mut Reader<'_>, value: &'static str) -> Result<bool, CodecError> {
    match u8::decode(reader)? {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(CodecError::Variant { value, found }),
    }
}

/// Writes a count and the entries, keys ascending.
///
/// # Panics
/// If there are 2^32 entries or more.
pub fn encode_map<K: Encode, V: Encode>(map: &BTreeMap<K, V>, out: &mut Vec<u8>) {
    let count = u32::try_from(map.len()).expect("maps are bounded when they are filled");
    count.encode(out);
    for (key, value) in map {
        key.encode(out);
        value.encode(out);
    }
}

/// Reads what [`encode_map`] wrote, at most `limit` entries.
///
/// # Errors
/// [`CodecError`], if there are more, or keys do not ascend.
pub fn decode_map<K: Decode + Ord, V: Decode>(
    reader: &mut Reader<'_>,
    field: &'static str,
    limit: u32,
) -> Result<BTreeMap<K, V>, CodecError> {
    let count = reader.count(field, limit)?;
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let key = K::decode(reader)?;
        if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(CodecError::NotCanonical { field });
        }
        map.insert(key, V::decode(reader)?);
    }
    Ok(map)
}
