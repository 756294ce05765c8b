//! Cryptography of Quorate: threshold BLS signatures, the groups below them, and Ed25519 identities.
#![deny(unsafe_code)]

mod bisect;
pub mod bls;
#[cfg(feature = "dealer")]
pub mod dealer;
pub mod identity;
pub mod threshold;

pub use bls::{PointError, ScalarError};
pub use identity::{IdentityPublic, IdentitySecret};
pub use threshold::{
    CombineError, Combined, GroupKey, KeysError, ShareError, ShareSecret, ThresholdPublic,
    parse_signature,
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
