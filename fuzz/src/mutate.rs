//! Seeded mutations of inputs.

/// Longest input that a mutation makes.
const BYTES_MAX: usize = 128 << 10;
/// Most accepted mutants that serve as a base of others.
const KEPT_MAX: usize = 64;
/// Bytes and numbers at which codecs tend to break.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    u64::MAX / 2,
    u64::MAX - 1,
    u64::MAX,
];

/// Makes new inputs of old ones: the same of the same seed.
pub struct Mutator {
    state: u64,
    bases: Vec<Vec<u8>>,
    seeds: usize,
}

impl Mutator {
    /// Mutates these seeds.
    #[must_use]
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        Self {
            state: seed,
            seeds: seeds.len(),
            bases: seeds,
        }
    }

    /// A mutant was accepted: others may grow from it.
    pub fn keep(&mut self, accepted: Vec<u8>) {
        if self.bases.len() < self.seeds + KEPT_MAX {
            self.bases.push(accepted);
            return;
        }
        let place = self.seeds + self.below(KEPT_MAX);
        self.bases[place] = accepted;
    }

    /// The next mutant: few changes most of the time.
    pub fn next_input(&mut self) -> Vec<u8> {
        let place = self.below(self.bases.len());
        let mut input = self.bases.get(place).cloned().unwrap_or_default();
        let changes = 1 + self.below(4);
        for _ in 0..changes {
            self.change(&mut input);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        let kind = self.below(10);
        if input.is_empty() || kind == 0 {
            let fresh = self.fresh();
            input.splice(at..at, fresh);
            return;
        }
        match kind {
            1 => input[at] ^= 1 << self.below(8),
            2 => {
                let step = [1, 2, 0xfe, 0xff][self.below(4)];
                input[at] = input[at].wrapping_add(step);
            }
            3 => {
                let value = EDGES[self.below(EDGES.len())].to_le_bytes();
                let width = (1 << self.below(4)).min(input.len() - at);
                input[at..at + width].copy_from_slice(&value[..width]);
            }
            4 => input.truncate(at),
            5 => {
                let end = at + self.below(input.len() - at).min(64);
                input.drain(at..end);
            }
            6 => {
                let end = at + self.below(input.len() - at).min(256);
                let copy = input[at..end].to_vec();
                let to = self.below(input.len());
                input.splice(to..to, copy);
            }
            7 => {
                let end = at + self.below(input.len() - at).min(256);
                let copy = input[at..end].to_vec();
                let to = self.below(input.len() - copy.len() + 1);
                input[to..to + copy.len()].copy_from_slice(&copy);
            }
            8 => {
                let other = self.below(self.bases.len());
                let other = self.bases[other].clone();
                let from = self.below(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let value = self.random().to_le_bytes();
                let width = (1 + self.below(8)).min(input.len() - at);
                input[at..at + width].copy_from_slice(&value[..width]);
            }
        }
    }

    fn fresh(&mut self) -> Vec<u8> {
        let length = 1 + self.below(16);
        (0..length)
            .map(|_| self.random().to_le_bytes()[0])
            .collect()
    }

    /// Below `limit`; 0 if that is 0.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).expect("lengths fit 64 bits");
        usize::try_from(self.random() % limit).expect("below a length")
    }

    /// SplitMix64.
    const fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
