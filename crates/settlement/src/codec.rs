//! Encodings of values that stand alone.

/// Implements the codec of a struct as its version and its fields, one after another.
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
