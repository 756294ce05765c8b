//! Publicly verifiable secret sharing: dealings that everybody can check and each member can decrypt its shares from.

mod encryption;
mod randomness;
mod recipients;

pub use encryption::{EncryptionSecret, KeyProofError, verify_key_proof};
pub use randomness::hedged_rng;
pub use recipients::{Recipients, RecipientsError};

/// Bytes of a hash that are reduced to a challenge: 48, so that the bias is below 2^-128 (RFC 9380 section 5.1).
const CHALLENGE_BYTES: usize = 48;
