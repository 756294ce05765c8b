//! Newtypes for every number and every string of bytes that names something.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::codec::{CodecError, Decode, Encode, Reader};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }
        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                <$inner>::decode(reader).map(Self)
            }
        }
    };
}

number!(
    /// A round of the DAG; 0 is the implicit genesis round.
    Round(u64)
);
number!(
    /// Position of a commit in a shard's ledger; 0 is genesis, which has no certificate.
    Height(u64)
);
number!(
    /// Number of a committee's term.
    Epoch(u64)
);
number!(
    /// Number of a shard.
    ShardId(u32)
);
number!(
    /// Position of a validator in its committee, from 0.
    ValidatorIndex(u16)
);
number!(
    /// Number of an asset in the genesis file.
    AssetId(u32)
);
number!(
    /// Number of a source of prices.
    FeedId(u32)
);
number!(
    /// Number of an instrument: an option, a future or a perpetual.
    InstrumentId(u32)
);
number!(
    /// Microseconds since an origin of the driver's choice. Serves pacing and metrics; no rule reads it.
    Timestamp(u64)
);

impl Round {
    /// The next round.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
    /// The round `count` earlier, or 0.
    #[must_use]
    pub const fn back(self, count: u64) -> Self {
        Self(self.0.saturating_sub(count))
    }
    /// The round `count` later.
    #[must_use]
    pub const fn forward(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl Height {
    /// The next height.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl ValidatorIndex {
    /// The index as a position in a slice.
    #[must_use]
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

impl Timestamp {
    /// Microseconds from `earlier` to here, or 0.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
    /// The instant `micros` later.
    #[must_use]
    pub const fn plus_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

macro_rules! byte_string {
    ($(#[$doc:meta])* $name:ident[$length:literal]) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// Lower-case hexadecimal.
            #[must_use]
            pub fn to_hex(&self) -> String {
                crate::hash::to_hex(&self.0)
            }

            /// Parses hexadecimal of exactly the right length, of either case.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $length];
                crate::hash::from_hex(text, &mut bytes)?;
                Some(Self(bytes))
            }
        }
        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}..)", stringify!($name), crate::hash::to_hex(&self.0[..6]))
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0);
            }
        }
        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                reader.array().map(Self)
            }
        }
    };
}

byte_string!(
    /// A hash with no more specific name: a Merkle root or node.
    Hash32[32]
);
byte_string!(
    /// SHA-256 of the genesis content: names a chain.
    ChainId[32]
);
byte_string!(
    /// BLAKE3 over a block's digest and signature.
    BlockId[32]
);
byte_string!(
    /// BLAKE3 of a transaction's unsigned encoding.
    TransactionId[32]
);
byte_string!(
    /// BLAKE3 of the owner's key and a sub-account number.
    AccountId[32]
);
byte_string!(
    /// SHA-256 of a header.
    HeaderHash[32]
);
byte_string!(
    /// SHA-256 of a committee.
    CommitteeHash[32]
);
byte_string!(
    /// SHA-256 of an epoch record's head.
    EpochRecordHash[32]
);
byte_string!(
    /// An Ed25519 public key: a validator's identity or an account's owner.
    IdentityKey[32]
);
byte_string!(
    /// An Ed25519 signature.
    IdentitySignature[64]
);
byte_string!(
    /// A compressed G1 point: a threshold-BLS share or signature. Not known to be on the curve until parsed by crypto.
    Signature[48]
);
byte_string!(
    /// A compressed G2 point: a group key or the public key of one share. Not known to be on the curve until parsed.
    ThresholdKey[96]
);

byte_string!(
    /// A compressed G1 point: the key that a member's shares are encrypted to in one ceremony. Not known to be on the
    /// curve until parsed by crypto.
    EncryptionKey[48]
);
byte_string!(
    /// A Schnorr proof of possession of an encryption key: commitment in G1 (48), response (32).
    KeyProof[80]
);
byte_string!(
    /// SHA-256 of a ceremony's signed definition.
    CeremonyId[32]
);
byte_string!(
    /// BLAKE3 of a dealing.
    DealingHash[32]
);
byte_string!(
    /// SHA-256 of what a ceremony agreed on.
    TranscriptHash[32]
);

impl Hash32 {
    /// Thirty-two zero bytes: "none".
    pub const ZERO: Self = Self([0; 32]);
}
