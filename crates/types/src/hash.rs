//! Hashes with a domain tag in front, and hexadecimal.

use alloc::string::String;

use sha2::Digest;
use zeroize::Zeroize;

use crate::domain::DomainTag;
use crate::ids::Hash32;

/// BLAKE3 with a domain tag: for content and state that only Quorate reads.
#[derive(Clone, Debug)]
pub struct Blake3(blake3::Hasher);

impl Blake3 {
    /// Starts a hash for `tag`.
    #[must_use]
    pub fn new(tag: DomainTag) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(tag.bytes());
        Self(hasher)
    }

    /// Adds bytes.
    #[must_use]
    pub fn chain(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.update(bytes);
        self
    }

    /// Adds bytes in place, without a copy of the hasher's memory.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    /// The hash.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }

    /// Fills `out` with the hash's extended output.
    pub fn finish_into(&self, out: &mut [u8]) {
        self.0.finalize_xof().fill(out);
    }

    /// Erases what was hashed from this hasher's memory: for secrets.
    pub fn erase(&mut self) {
        self.0.zeroize();
    }
}

/// SHA-256 with a domain tag: for what other systems' verifiers recompute.
#[derive(Clone, Debug)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Starts a hash for `tag`.
    #[must_use]
    pub fn new(tag: DomainTag) -> Self {
        Self(sha2::Sha256::new_with_prefix(tag.bytes()))
    }

    /// Adds bytes.
    #[must_use]
    pub fn chain(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.update(bytes.as_ref());
        self
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// SHA-256 over `prefix` and `parts`, for Merkle nodes (RFC 6962 has one-byte prefixes of its own).
pub(crate) fn sha256_prefixed(prefix: u8, parts: &[&[u8]]) -> Hash32 {
    let mut hasher = sha2::Sha256::new_with_prefix([prefix]);
    for part in parts {
        hasher.update(part);
    }
    Hash32(hasher.finalize().into())
}

/// Lower-case hexadecimal of `bytes`.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Fills `out` from hexadecimal of exactly its length; `None` for anything else.
pub(crate) fn from_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let digits = text.as_bytes();
    if digits.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(())
}
