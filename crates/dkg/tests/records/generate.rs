//! Seeded values of every record. Their contents are random: codecs ask for no more.

use std::fmt::Debug;

use quorate_crypto::pvss::ChunkOpening;
use quorate_dkg::reshare::Ready;
use quorate_dkg::{
    DealerEvidence, Definition, Enrolment, Keys, MemberSet, Previous, Purpose, SignedDealing,
    SignedHash, Transcript,
};
use quorate_types::{
    CeremonyId, DealingHash, Decode, Encode, EncryptionKey, IdentityKey, IdentitySignature,
    KeyProof, Member, Signature, ThresholdKey, TranscriptHash, ValidatorIndex,
};

/// Bytes that depend on a label and a number alone, for ever: BLAKE3's extended output.
pub(crate) struct Source(blake3::OutputReader);

impl Source {
    pub(crate) fn new(label: &str, seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(label.as_bytes()).update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    fn below(&mut self, limit: u64) -> u64 {
        u64::from_le_bytes(self.bytes()) % limit
    }

    fn list<T: Generate>(&mut self, most: u64) -> Vec<T> {
        (0..self.below(most + 1))
            .map(|_| T::generate(self))
            .collect()
    }

    fn text(&mut self) -> String {
        let letters = ["q", "Q", "7", "-", "é", "量", ":", "\n"];
        (0..self.below(12))
            .map(|_| letters[usize::try_from(self.below(8)).unwrap()])
            .collect()
    }
}

/// A record that can be made from a source.
pub(crate) trait Generate: Sized {
    fn generate(source: &mut Source) -> Self;
}

/// A record with a codec.
pub(crate) trait Record: Generate + Encode + Decode + PartialEq + Debug {}
impl<T: Generate + Encode + Decode + PartialEq + Debug> Record for T {}

/// Calls a macro with every record.
macro_rules! for_each_record {
    ($apply:ident) => {
        $apply! {
            Enrolment, Definition, Purpose, Previous, SignedDealing, SignedHash, Keys, Transcript, DealerEvidence, Ready,
            ChunkOpening, MemberSet,
        }
    };
}
pub(crate) use for_each_record;

macro_rules! generate_bytes {
    ($($name:ident),* $(,)?) => {$(
        impl Generate for $name {
            fn generate(source: &mut Source) -> Self {
                Self(source.bytes())
            }
        }
    )*};
}
generate_bytes!(
    CeremonyId,
    DealingHash,
    EncryptionKey,
    IdentityKey,
    IdentitySignature,
    KeyProof,
    Signature,
    ThresholdKey,
    TranscriptHash,
);

macro_rules! generate_integers {
    ($($integer:ty),*) => {$(
        impl Generate for $integer {
            fn generate(source: &mut Source) -> Self {
                match source.below(3) {
                    0 => Self::MAX,
                    1 => 1,
                    _ => Self::from_le_bytes(source.bytes()),
                }
            }
        }
    )*};
}
generate_integers!(u16, u32);

impl Generate for String {
    fn generate(source: &mut Source) -> Self {
        source.text()
    }
}

impl Generate for ValidatorIndex {
    fn generate(source: &mut Source) -> Self {
        Self(Generate::generate(source))
    }
}

macro_rules! generate_structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Generate for $name {
            fn generate(source: &mut Source) -> Self {
                Self { $($field: Generate::generate(source),)* }
            }
        }
    )*};
}
generate_structs! {
    Enrolment { name, identity, address, encryption_key, proof, signature }
    Member { identity, share_key }
    SignedHash { hash, signature }
    Ready { ceremony, transcript, member, share }
}

impl Generate for Definition {
    fn generate(source: &mut Source) -> Self {
        Self {
            name: source.text(),
            purpose: Generate::generate(source),
            attempt: Generate::generate(source),
            quorum: Generate::generate(source),
            members: source.list(5),
            organiser: Generate::generate(source),
            signature: Generate::generate(source),
        }
    }
}

impl Generate for Purpose {
    fn generate(source: &mut Source) -> Self {
        if source.below(2) == 0 {
            return Self::Genesis;
        }
        Self::Reshare {
            previous: Generate::generate(source),
        }
    }
}

impl Generate for Previous {
    fn generate(source: &mut Source) -> Self {
        Self {
            transcript: Generate::generate(source),
            quorum: Generate::generate(source),
            group_key: Generate::generate(source),
            members: source.list(5),
        }
    }
}

impl Generate for SignedDealing {
    fn generate(source: &mut Source) -> Self {
        let length = source.below(90);
        Self {
            dealer: Generate::generate(source),
            body: (0..length).map(|_| source.bytes::<1>()[0]).collect(),
            signature: Generate::generate(source),
        }
    }
}

impl Generate for Keys {
    fn generate(source: &mut Source) -> Self {
        Self {
            group: Generate::generate(source),
            shares: source.list(6),
        }
    }
}

impl Generate for Transcript {
    fn generate(source: &mut Source) -> Self {
        Self {
            definition: Generate::generate(source),
            dealings: source.list(4),
            keys: Generate::generate(source),
            certificate: Generate::generate(source),
        }
    }
}

impl Generate for ChunkOpening {
    fn generate(source: &mut Source) -> Self {
        Self::from_bytes(&source.bytes::<124>()).unwrap()
    }
}

impl Generate for MemberSet {
    fn generate(source: &mut Source) -> Self {
        Self::from_bytes(&source.bytes::<16>()).unwrap()
    }
}

impl Generate for DealerEvidence {
    fn generate(source: &mut Source) -> Self {
        match source.below(3) {
            0 => Self::TwoDealings {
                dealer: Generate::generate(source),
                first: Generate::generate(source),
                second: Generate::generate(source),
            },
            1 => Self::InvalidDealing(Generate::generate(source)),
            _ => Self::BadChunk {
                dealing: Generate::generate(source),
                opening: Generate::generate(source),
            },
        }
    }
}
