//! Encodings of what the engine is made of, in terms of `quorate-types`' codec.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use quorate_types::{CodecError, Decode, Encode, Reader};

/// Implements the codec of a struct as its fields, one after another.
macro_rules! codec_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl quorate_types::Encode for $name {
            fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
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
pub(super) use codec_struct;

/// 0 for none, 1 and the value otherwise.
pub(super) fn encode_option<T: Encode>(value: Option<&T>, out: &mut Vec<u8>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            value.encode(out);
        }
    }
}

pub(super) fn decode_option<T: Decode>(
    reader: &mut Reader<'_>,
    value: &'static str,
) -> Result<Option<T>, CodecError> {
    match u8::decode(reader)? {
        0 => Ok(None),
        1 => T::decode(reader).map(Some),
        found => Err(CodecError::Variant { value, found }),
    }
}

/// 0 or 1.
pub(super) fn decode_flag(
    reader: &mut Reader<'_>,
    value: &'static str,
) -> Result<bool, CodecError> {
    match u8::decode(reader)? {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(CodecError::Variant { value, found }),
    }
}

/// A count and the entries, keys ascending.
pub(super) fn encode_map<K: Encode, V: Encode>(map: &BTreeMap<K, V>, out: &mut Vec<u8>) {
    let count = u32::try_from(map.len()).expect("maps of the engine are bounded when filled");
    count.encode(out);
    for (key, value) in map {
        key.encode(out);
        value.encode(out);
    }
}

pub(super) fn decode_map<K: Decode + Ord, V: Decode>(
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
