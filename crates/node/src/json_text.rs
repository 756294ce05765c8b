//! Values as JSON text, each in one canonical form: `#[serde(with = "text")]`.

use quorate_types::{
    CeremonyId, ChainId, EncryptionKey, IdentityKey, IdentitySignature, KeyProof, ThresholdKey,
    TranscriptHash,
};
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) trait Text: Sized {
    const EXPECTED: &'static str;
    fn to_text(&self) -> String;
    fn from_text(text: &str) -> Option<Self>;
}

macro_rules! hexadecimal {
    ($($name:ident: $expected:literal),*) => {
        $(impl Text for $name {
            const EXPECTED: &'static str = $expected;
            fn to_text(&self) -> String {
                self.to_hex()
            }
            fn from_text(text: &str) -> Option<Self> {
                Self::from_hex(text)
            }
        })*
    };
}
hexadecimal!(
    ChainId: "a chain id: 64 hexadecimal digits",
    IdentityKey: "an identity key: 64 hexadecimal digits",
    ThresholdKey: "a threshold key: 192 hexadecimal digits",
    CeremonyId: "a ceremony's id: 64 hexadecimal digits",
    TranscriptHash: "a transcript's hash: 64 hexadecimal digits",
    EncryptionKey: "an encryption key: 96 hexadecimal digits",
    KeyProof: "a proof of possession: 160 hexadecimal digits",
    IdentitySignature: "a signature: 128 hexadecimal digits"
);

impl Text for u128 {
    const EXPECTED: &'static str = "an amount: decimal digits in quotes, without leading zeros";
    fn to_text(&self) -> String {
        self.to_string()
    }
    fn from_text(text: &str) -> Option<Self> {
        let number: Self = text.parse().ok()?;
        (number.to_string() == text).then_some(number)
    }
}

pub(crate) fn serialize<T: Text, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_text())
}

pub(crate) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::from_text(&text).ok_or_else(|| {
        let found = serde::de::Unexpected::Str(&text);
        serde::de::Error::invalid_value(found, &T::EXPECTED)
    })
}
