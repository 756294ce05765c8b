//! scrypt, AES-128 in counter mode and the checksum, put together as EIP-2335 says.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::passphrase::Passphrase;

/// log2 of scrypt's n for real keys: 128 MiB and about half a second for each guess.
pub const SCRYPT_LOG2_DEFAULT: u8 = 17;
/// log2 of scrypt's n for devnets and tests, whose keys protect nothing: they start in no time.
pub const SCRYPT_LOG2_DEVNET: u8 = 10;
/// Least log2 of n: below it scrypt is no obstacle at all.
const LOG2_LEAST: u8 = 8;
/// Greatest log2 of n that is opened: with r = 8 it takes 1 GiB, and a planted file should not take more.
const LOG2_MOST: u8 = 20;
/// scrypt's r, as in EIP-2335.
const BLOCK_SIZE: u32 = 8;
/// scrypt's p, as in EIP-2335.
const PARALLELISM: u32 = 1;

/// How expensive a guess of the passphrase is: the logarithm of scrypt's parameter n. r is 8 and p is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScryptCost(u8);

/// The cost is outside what this program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scrypt's n must be a power of two from 2^{LOG2_LEAST} to 2^{LOG2_MOST}")]
pub struct ScryptCostError;

impl ScryptCost {
    /// For real keys: [`SCRYPT_LOG2_DEFAULT`].
    pub const DEFAULT: Self = Self(SCRYPT_LOG2_DEFAULT);
    /// For devnets and tests: [`SCRYPT_LOG2_DEVNET`].
    pub const DEVNET: Self = Self(SCRYPT_LOG2_DEVNET);

    /// The cost with n = 2^`log2`.
    ///
    /// # Errors
    /// [`ScryptCostError`].
    pub const fn new(log2: u8) -> Result<Self, ScryptCostError> {
        if log2 < LOG2_LEAST || log2 > LOG2_MOST {
            return Err(ScryptCostError);
        }
        Ok(Self(log2))
    }

    /// n.
    #[must_use]
    pub const fn n(self) -> u64 {
        1 << self.0
    }

    pub(super) fn from_parameters(n: u64, r: u32, p: u32) -> Result<Self, ScryptCostError> {
        if !n.is_power_of_two() || r != BLOCK_SIZE || p != PARALLELISM {
            return Err(ScryptCostError);
        }
        Self::new(u8::try_from(n.trailing_zeros()).map_err(|_| ScryptCostError)?)
    }

    pub(super) const fn r() -> u32 {
        BLOCK_SIZE
    }

    pub(super) const fn p() -> u32 {
        PARALLELISM
    }
}

/// What the derivation and the cipher need besides passphrase and text.
pub(super) struct Parameters {
    pub(super) cost: ScryptCost,
    pub(super) salt: [u8; 32],
    pub(super) initial_vector: [u8; 16],
}

impl Parameters {
    /// Parameters whose salt and initial vector are still to be filled.
    pub(super) const fn fresh(cost: ScryptCost) -> Self {
        Self {
            cost,
            salt: [0; 32],
            initial_vector: [0; 16],
        }
    }
}

/// An encrypted secret.
pub(super) struct Sealed {
    pub(super) message: [u8; 32],
    pub(super) checksum: [u8; 32],
}

/// Encrypts under a passphrase, or a passphrase and a sealing key.
pub(super) fn seal(
    secret: &[u8; 32],
    passphrase: &Passphrase,
    sealing: Option<&[u8; 32]>,
    parameters: &Parameters,
) -> Sealed {
    let key = derive(passphrase, sealing, parameters);
    let mut message = *secret;
    apply(&key, &parameters.initial_vector, &mut message);
    let checksum = checksum(&key, &message);
    Sealed { message, checksum }
}

/// The secret, or `None` for a wrong passphrase or sealing key.
pub(super) fn open(
    sealed: &Sealed,
    passphrase: &Passphrase,
    sealing: Option<&[u8; 32]>,
    parameters: &Parameters,
) -> Option<Zeroizing<[u8; 32]>> {
    let key = derive(passphrase, sealing, parameters);
    let expected = checksum(&key, &sealed.message);
    if !bool::from(expected.ct_eq(&sealed.checksum)) {
        return None;
    }
    let mut secret = Zeroizing::new(sealed.message);
    apply(&key, &parameters.initial_vector, &mut secret);
    Some(secret)
}

/// scrypt of the passphrase, followed by the sealing key if there is one. The
/// document says whether there is one, so the two forms cannot be mixed up.
fn derive(
    passphrase: &Passphrase,
    sealing: Option<&[u8; 32]>,
    parameters: &Parameters,
) -> Zeroizing<[u8; 32]> {
    let mut password = Zeroizing::new(Vec::with_capacity(passphrase.expose_bytes().len() + 32));
    password.extend_from_slice(passphrase.expose_bytes());
    if let Some(sealing) = sealing {
        password.extend_from_slice(sealing);
    }
    let params = scrypt::Params::new(parameters.cost.0, BLOCK_SIZE, PARALLELISM)
        .expect("a cost is within scrypt's range");
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(&password, &parameters.salt, &params, &mut *key)
        .expect("32 bytes are within scrypt's range");
    key
}

/// Encrypts or decrypts: counter mode is its own inverse.
fn apply(key: &[u8; 32], initial_vector: &[u8; 16], text: &mut [u8; 32]) {
    let (cipher_key, _) = key.split_at(16);
    Ctr128BE::<Aes128>::new_from_slices(cipher_key, initial_vector)
        .expect("key and initial vector have 16 bytes")
        .apply_keystream(text);
}

fn checksum(key: &[u8; 32], message: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(&key[16..])
        .chain_update(message)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scrypt_example_of_eip_2335_opens() {
        let bytes = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
        let parameters = Parameters {
            cost: ScryptCost::from_parameters(262_144, 8, 1).unwrap(),
            salt: bytes("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
            initial_vector: hex::decode("264daa3f303d7259501c93d997d84fe6")
                .unwrap()
                .try_into()
                .unwrap(),
        };
        let sealed = Sealed {
            message: bytes("06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f"),
            checksum: bytes("d2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484"),
        };
        // The letters of the mathematical alphabet become plain ones, and the control character goes.
        let passphrase = Passphrase::new("𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡\u{7f}🔑");
        let secret =
            open(&sealed, &passphrase, None, &parameters).expect("it is the right passphrase");
        let known = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        assert_eq!(*secret, bytes(known));
    }

    #[test]
    fn costs_out_of_range_are_refused() {
        for (n, r, p) in [
            (0, 8, 1),
            (1, 8, 1),
            (100_000, 8, 1),
            (1 << 21, 8, 1),
            (1 << 10, 1 << 20, 1),
            (1 << 10, 8, 1 << 20),
        ] {
            assert_eq!(
                ScryptCost::from_parameters(n, r, p),
                Err(ScryptCostError),
                "{n} {r} {p}"
            );
        }
        assert_eq!(
            ScryptCost::from_parameters(1 << 17, 8, 1),
            Ok(ScryptCost::DEFAULT)
        );
    }
}
