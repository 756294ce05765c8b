//! The one place where randomness enters the program.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

/// A generator seeded by the operating system.
pub(crate) fn generator() -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).expect("the operating system has randomness");
    ChaCha20Rng::from_seed(*seed)
}

/// 32 fresh bytes.
pub(crate) fn bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}
