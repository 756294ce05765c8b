//! Numbers modulo the group order, public and secret.

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, Mul, Neg, Sub};

use blst::blst_fr;
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::ffi;
use super::points::{G1, G2};

/// Bytes of a weight of a random linear combination: a false statement passes with probability 2^-128.
pub(crate) const WEIGHT_BYTES: usize = 16;
/// Bytes that are reduced to a uniform scalar: 48, so that the bias is below 2^-128 (RFC 9380 section 5.1).
const WIDE_BYTES: usize = 48;

/// Why bytes are no scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// The number is at or above the group order.
    #[error("a scalar is below the group order")]
    NotCanonical,
    /// The number is zero where a secret key is wanted.
    #[error("a secret key is not zero")]
    Zero,
}

/// A public number modulo the group order r. Thirty-two big-endian bytes outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scalar(blst_fr);

impl Scalar {
    /// 0.
    #[must_use]
    pub fn zero() -> Self {
        Self(blst_fr::default())
    }

    /// 1.
    #[must_use]
    pub fn one() -> Self {
        Self::from(1)
    }

    /// Reads canonical big-endian bytes.
    ///
    /// # Errors
    /// [`ScalarError::NotCanonical`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        ffi::fr_from_bytes(bytes)
            .map(Self)
            .ok_or(ScalarError::NotCanonical)
    }

    /// The big-endian number in `bytes`, of any length, modulo r.
    #[must_use]
    pub fn from_wide_bytes(bytes: &[u8]) -> Self {
        Self(ffi::fr_from_wide(bytes))
    }

    /// Canonical big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = self.to_little_endian();
        bytes.reverse();
        bytes
    }

    /// The inverse modulo r, or `None` for 0.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        (*self != Self::zero()).then(|| Self(ffi::fr_inverse(&self.0)))
    }

    pub(crate) fn to_little_endian(self) -> [u8; 32] {
        ffi::fr_to_scalar(&self.0).b
    }

    pub(super) const fn element(&self) -> &blst_fr {
        &self.0
    }
}

impl From<u64> for Scalar {
    fn from(number: u64) -> Self {
        Self(ffi::fr_from_u64(number))
    }
}

impl Add for Scalar {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(ffi::fr_add(&self.0, &other.0))
    }
}

impl Sub for Scalar {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(ffi::fr_sub(&self.0, &other.0))
    }
}

impl Mul for Scalar {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(ffi::fr_mul(&self.0, &other.0))
    }
}

impl Neg for Scalar {
    type Output = Self;
    fn neg(self) -> Self {
        Self::zero() - self
    }
}

impl Sum for Scalar {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::zero(), Add::add)
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scalar(0x")?;
        for byte in self.to_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// A secret number modulo the group order, not zero when it comes from outside. Erased on drop; it cannot be
/// printed, compared or copied, and leaves this type only through [`SecretScalar::expose_bytes`].
pub struct SecretScalar(blst_fr);

impl SecretScalar {
    /// Reads canonical big-endian bytes of a number that is not zero.
    ///
    /// # Errors
    /// [`ScalarError`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        // Neither branch tells anything of a valid secret.
        if bytes.iter().fold(0, |any, byte| any | byte) == 0 {
            return Err(ScalarError::Zero);
        }
        ffi::fr_from_bytes(bytes)
            .map(Self)
            .ok_or(ScalarError::NotCanonical)
    }

    /// A uniform number.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; WIDE_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        Self(ffi::fr_from_wide(bytes.as_ref()))
    }

    /// The secret itself, as big-endian bytes that are erased on drop: for a key store and nothing else.
    #[must_use]
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new(ffi::fr_to_scalar(&self.0).b);
        bytes.reverse();
        bytes
    }

    /// The secret times the generator of G2, in constant time: its public key.
    #[must_use]
    pub fn public_key(&self) -> G2 {
        G2::from_affine(ffi::g2_generator_mul_secret(&self.0))
    }

    /// The secret times a point, in constant time.
    #[must_use]
    pub fn multiply(&self, point: &G1) -> G1 {
        G1::from_affine(ffi::g1_mul_secret(point.affine(), &self.0))
    }

    pub(crate) fn zero() -> Self {
        Self(blst_fr::default())
    }

    /// A second copy of the secret, erased like the first.
    pub(crate) const fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// The number as little-endian words.
    pub(crate) fn words(&self) -> Zeroizing<[u64; 4]> {
        let bytes = Zeroizing::new(ffi::fr_to_scalar(&self.0).b);
        let mut words = Zeroizing::new([0; 4]);
        for (word, part) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(part.try_into().expect("chunks of eight bytes"));
        }
        words
    }

    /// A small secret number, in constant time.
    pub(crate) fn from_small(number: u64) -> Self {
        Self(ffi::fr_from_u64(number))
    }

    /// A small signed number. Its sign is public.
    pub(crate) fn from_signed(number: i64) -> Self {
        let magnitude = ffi::fr_from_u64(number.unsigned_abs());
        if number < 0 {
            return Self(ffi::fr_sub(&blst_fr::default(), &magnitude));
        }
        Self(magnitude)
    }

    /// Adds another secret.
    pub(crate) fn add_assign(&mut self, other: &Self) {
        self.0 = ffi::fr_add(&self.0, &other.0);
    }

    /// Adds another secret times a public number.
    pub(crate) fn add_product(&mut self, factor: &Scalar, other: &Self) {
        let product = Self(ffi::fr_mul(&other.0, &factor.0));
        self.add_assign(&product);
    }

    /// The number as a public one: a proof's response, which a uniform number that is used nowhere else hides.
    pub(crate) const fn publish(&self) -> Scalar {
        Scalar(self.0)
    }

    /// What a prover publishes in a proof of Schnorr's kind: this secret times the challenge, plus a fresh uniform
    /// number that hides it and is used nowhere else.
    pub(crate) fn respond(&self, challenge: &Scalar, nonce: &Self) -> Scalar {
        let product = Self(ffi::fr_mul(&self.0, &challenge.0));
        Scalar(ffi::fr_add(&product.0, &nonce.0))
    }

    /// Replaces the secret by itself times `factor` plus `summand`: a step of Horner's rule.
    pub(crate) fn multiply_add(&mut self, factor: &Scalar, summand: &Self) {
        let product = Self(ffi::fr_mul(&self.0, &factor.0));
        self.0 = ffi::fr_add(&product.0, &summand.0);
    }
}

impl Drop for SecretScalar {
    fn drop(&mut self) {
        ffi::erase(&mut self.0);
    }
}

impl ZeroizeOnDrop for SecretScalar {}
