//! The one source of chance in a world.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Seeded chance: same seed and purpose, same rolls.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha20Rng);

impl Dice {
    /// Dice of a seed for one purpose, independent of those for others.
    pub(crate) fn new(seed: u64, validators: u16, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("quorate simulation dice");
        hasher.update(&seed.to_le_bytes());
        hasher.update(&validators.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Self(ChaCha20Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Below `bound`, or 0. The bias of a 64-bit draw does not matter here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of 128 bits")
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(crate) fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// One of the items, which are not none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len() as u64);
        &items[usize::try_from(at).expect("below a length")]
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The generator, for what takes one.
    pub(crate) const fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn rolls_are_the_seeds_and_stay_in_range() {
        let mut dice = Dice::new(1, 4, "a");
        let mut same = Dice::new(1, 4, "a");
        let mut other = Dice::new(1, 4, "b");
        let rolls: Vec<u64> = (0..50).map(|_| dice.between(3, 5)).collect();
        assert!((3..=5).all(|value| rolls.contains(&value)));
        assert!(rolls.iter().all(|value| (3..=5).contains(value)));
        assert!(rolls.iter().all(|value| *value == same.between(3, 5)));
        assert_ne!(dice.next(), other.next());
        assert_eq!(dice.below(0), 0);
    }
}
