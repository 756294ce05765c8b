//! Helpers for canonical encodings: structs as their fields, ordered maps, and values that may be absent.

use std::collections::BTreeMap;

use quorate_types::{CodecError, Decode, Encode, Reader, require_ascending};

/// Implements the codec of a struct as its fields, one after another.
macro_rules! codec_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl quorate_types::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $(quorate_types::Encode::encode(&self.$field, out);)*
            }
        }
        impl quorate_types::Decode for $name {
            fn decode(
                reader: &mut quorate_types::Reader<'_>,
            ) -> Result<Self, quorate_types::CodecError> {
                Ok(Self { $($field: quorate_types::Decode::decode(reader)?,)* })
            }
        }
    };
}
pub(crate) use codec_struct;

/// The same for a value that stands alone: its version comes first.
macro_rules! codec_versioned {
    ($name:ident, $text:literal, $version:literal { $($field:ident),* $(,)? }) => {
        impl $name {
            /// The version of the encoding.
            pub const VERSION: u16 = $version;
        }
        impl quorate_types::Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                quorate_types::Encode::encode(&Self::VERSION, out);
                $(quorate_types::Encode::encode(&self.$field, out);)*
            }
        }
        impl quorate_types::Decode for $name {
            fn decode(
                reader: &mut quorate_types::Reader<'_>,
            ) -> Result<Self, quorate_types::CodecError> {
                quorate_types::decode_version(reader, $text, Self::VERSION)?;
                Ok(Self { $($field: quorate_types::Decode::decode(reader)?,)* })
            }
        }
    };
}
pub(crate) use codec_versioned;

pub(crate) fn encode_map<K: Encode, V: Encode>(map: &BTreeMap<K, V>, out: &mut Vec<u8>) {
    let count = u32::try_from(map.len()).expect("maps are bounded when filled");
    count.encode(out);
    for (key, value) in map {
        key.encode(out);
        value.encode(out);
    }
}

pub(crate) fn decode_map<K: Decode + Ord + Copy, V: Decode>(
    reader: &mut Reader<'_>,
    field: &'static str,
    limit: u32,
) -> Result<BTreeMap<K, V>, CodecError> {
    let count = reader.count(field, limit)?;
    let mut keys = Vec::with_capacity(count.min(reader.remaining()));
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let key = K::decode(reader)?;
        keys.push(key);
        map.insert(key, V::decode(reader)?);
    }
    require_ascending(&keys, field)?;
    Ok(map)
}

pub(crate) fn encode_option<T: Encode>(value: Option<&T>, out: &mut Vec<u8>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            value.encode(out);
        }
    }
}

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

pub(crate) fn encode_flag(flag: bool, out: &mut Vec<u8>) {
    out.push(u8::from(flag));
}

pub(crate) fn decode_flag(
    reader: &mut Reader<'_>,
    value: &'static str,
) -> Result<bool, CodecError> {
    match u8::decode(reader)? {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(CodecError::Variant { value, found }),
    }
}
