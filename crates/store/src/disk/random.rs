//! The simulated disk's own generator, so that a crash depends on its seed alone.

/// SplitMix64 (Steele, Lea, Flood 2014): enough to choose what a crash destroys, not for secrets.
pub(super) struct SplitMix(u64);

impl SplitMix {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..=max`; the bias of the remainder does not matter here.
    pub(super) fn up_to(&mut self, max: usize) -> usize {
        let bound = u64::try_from(max)
            .expect("usize has at most 64 bits")
            .saturating_add(1);
        usize::try_from(self.next() % bound).expect("at most max, which is a usize")
    }
}
