//! The codec of this crate's structs and presence bytes.

use quorate_types::{CodecError, Decode, Encode, Reader};

/// Implements the codec of a struct as its fields, one after another.
macro_rules! codec_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl ::quorate_types::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $(::quorate_types::Encode::encode(&self.$field, out);)*
            }
        }
        impl ::quorate_types::Decode for $name {
            fn decode(reader: &mut ::quorate_types::Reader<'_>) -> Result<Self, ::quorate_types::CodecError> {
                Ok(Self { $($field: ::quorate_types::Decode::decode(reader)?,)* })
            }
        }
    };
}
pub(crate) use codec_struct;

/// Writes a presence byte, and the value if there is one.
pub(crate) fn encode_option<T: Encode>(value: Option<&T>, out: &mut Vec<u8>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            value.encode(out);
        }
    }
}

/// Reads what [`encode_option`] wrote.
pub(crate) fn decode_option<T: Decode>(
    reader: &mut Reader<'_>,
    value: &'static str,
) -> Result<Option<T>, CodecError> {
    match u8::decode(reader)? {
        0 => Ok(None),
        1 => T::decode(reader).map(Some),
        found => Err(CodecError::Variant { value, found }),
    }
}

/// How many entries a list in memory has, as a number that can be sent.
pub(crate) fn count_of<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
