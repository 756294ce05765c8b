//! Cryptography of Quorate: threshold BLS signatures, the groups below them, and Ed25519 identities.
//!
//! - [`ThresholdPublic`] and [`ShareSecret`] ([`threshold`]): t of n members make one signature, the same whoever
//!   signed. Shares are combined optimistically and bad ones named.
//! - [`GroupKey`]: verifies such signatures, which are ordinary BLS signatures (in G1, keys in G2) of the ciphersuite
//!   [`bls::DST`], one by one or many at once.
//! - [`IdentitySecret`] and [`IdentityPublic`] ([`identity`]): Ed25519 under the rules of ZIP 215, always with a
//!   domain tag.
//! - [`bls`]: scalars, points, polynomials and pairings for protocols that need more than signatures.
//!
//! Model: a committee of n members, of which an adversary may know fewer than t secrets. Nothing here knows of time
//! or networks: there is no I/O, no clock, no thread and no randomness but what the caller passes in. All checks of a
//! point are made when it is parsed. Work on secrets takes constant time; secrets are erased on drop and leave their
//! types through `expose_bytes` alone. Encrypting them for a disk is not this crate's part.
//!
//! Domain separation of threshold signatures is the caller's: a message starts with its
//! [`DomainTag`](quorate_types::DomainTag)'s bytes.
//!
//! ```
//! # #[cfg(feature = "dealer")] {
//! use quorate_crypto::{ThresholdPublic, dealer::deal};
//! use quorate_types::{DomainTag, ValidatorIndex};
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//!
//! // Real committees get their keys from a ceremony and their randomness from the system.
//! let dealt = deal(4, 3, &mut ChaCha20Rng::seed_from_u64(1));
//! let keys = ThresholdPublic::parse(&dealt.group, &dealt.shares_public, 3)?;
//!
//! let message = [DomainTag::Finality.bytes().as_slice(), &[7; 32]].concat();
//! let share = |index: u16| (ValidatorIndex(index), dealt.secrets[usize::from(index)].sign_share(&message));
//! let combined = keys.combine(&message, &[share(3), share(0), share(2)])?;
//! assert!(keys.verify(&message, &combined.signature).is_ok());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]

mod bisect;
pub mod bls;
#[cfg(feature = "dealer")]
pub mod dealer;
pub mod identity;
pub mod pvss;
pub mod threshold;

pub use bls::{PointError, ScalarError};
pub use identity::{IdentityPublic, IdentitySecret};
pub use threshold::{
    CombineError, Combined, GroupKey, IndexedShare, KeysError, ShareError, ShareSecret,
    ThresholdPublic, parse_signature,
};

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A threshold signature is no acceptable point.
    #[error("malformed signature: {0}")]
    Point(#[from] PointError),
    /// An identity key is no point of its curve.
    #[error("malformed identity key")]
    Key,
    /// The signature is not one of this message under this key.
    #[error("the signature does not verify")]
    Invalid,
}
