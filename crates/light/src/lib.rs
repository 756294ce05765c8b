//! The verifying client: what a certificate, a header chain, a receipt or a balance proves, from bytes alone.
//!
//! A client pins one 96-byte key and brings bytes. There are two roots to pin:
//!
//! - [`TrustedBeacon`], the beacon's key, which never changes and speaks for all shards and epochs. One epoch record under it
//!   gives each shard's [`TrustedKey`]; [`TrustedBeacon::verify_bundle`] takes a whole `.proof` file in one step.
//! - [`TrustedKey`], one committee's group key and the chain, shard and epoch it stands for: for networks without a beacon,
//!   of which the caller brings each epoch's key.
//!
//! Verifying a certificate is the only way to a [`VerifiedHeader`] from outside, and everything else is a method of that:
//! older headers by hash chain, receipts and the absence or presence of state by hash path.
//!
//! It does not fetch anything, keeps no state and reads no clock, so it cannot say whether a verified header is the
//! newest. Nor can it say from one epoch record where a term *ended*: whoever stole a key of a term that is over can certify
//! heights above its end to a client that asks for no newer record. Clients that keep records follow them with
//! [`VerifiedRecord::verify_next`]. Old headers under a newer certificate are proved by the chain of headers only; there
//! are no shorter proofs of history yet.
//!
//! Model: whoever holds fewer than q shares of the group key cannot make a certificate. So a verified header was
//! computed by at least q - f honest members of a committee with at most f Byzantine ones. Nothing is assumed of
//! the network or of the server that hands out the bytes.
//!
//! The group operations are the pure-Rust `bls12_381`: no C compiler, no assembly, no `std`. Validators use another
//! library for the same scheme; tests hold the two against each other.
//!
//! ```
//! use quorate_light::{LightError, TrustedKey};
//! use quorate_types::{AccountId, AssetId};
//!
//! /// The atoms of `asset` that `owner`'s account holds, according to a server that is not trusted.
//! fn proved_balance(
//!     key: &TrustedKey,
//!     certificate: &[u8],
//!     account: &AccountId,
//!     value: &[u8],
//!     proof: &[u8],
//!     asset: AssetId,
//! ) -> Result<u128, LightError> {
//!     let header = key.verify_certificate(certificate)?;
//!     Ok(header.verify_account(account, value, proof)?.free_of(asset))
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod beacon;
mod bls;
mod error;
mod header;
mod key;

pub use beacon::{TrustedBeacon, VerifiedBundle, VerifiedEpoch, VerifiedRecord};
pub use bls::{GroupKey, SIGNATURE_DST, verify_message};
pub use error::{Input, LightError, PointError};
pub use header::VerifiedHeader;
pub use key::TrustedKey;
