//! Fuzz targets: functions that take any bytes, and panic if the product does something that it must not do with them.
//!
//! There is one for everything that is decoded and for every state machine's inputs. A decoder must not panic, must not
//! allocate out of proportion to its input, and must encode what it accepts to the very bytes that it accepted; where two
//! implementations judge the same bytes, they must agree. A state machine's target reads the bytes as a list of choices: who
//! does what next. What it checks is said at the target.
//!
//! The bytes come from the files in `corpus/`, whose seeds real encoders made, and from seeded mutations of them: an accepted
//! mutant is the base of others. `tests/corpus.rs` runs both; `docs/testing.md` has the commands.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a target stops where it fails")]

mod canonical;
mod choices;
mod mutate;
mod samples;
mod targets;

pub use allocation_counter::{AllocationInfo, measure};
pub use mutate::Mutator;
pub use targets::all;

/// One fuzz target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    run: fn(&[u8]) -> bool,
    seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutations the bounded run tries: fewer where one takes milliseconds.
    pub mutations: u32,
    /// Most bytes that may be allocated at one time, besides [`Target::ALLOCATED_PER_BYTE`] for each byte of input.
    pub allocated_max: u64,
}

impl Target {
    /// A list's capacity is reserved by the bytes that are there, of which each entry takes one at least; in memory it takes
    /// its size. The largest entries (dealings, enrolments) are lists of few.
    pub const ALLOCATED_PER_BYTE: u64 = 256;

    const fn new(name: &'static str, run: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self {
            name,
            run,
            seeds,
            mutations: 1500,
            allocated_max: 64 << 10,
        }
    }

    const fn mutations(mut self, mutations: u32) -> Self {
        self.mutations = mutations;
        self
    }

    const fn allocated_max(mut self, bytes: u64) -> Self {
        self.allocated_max = bytes;
        self
    }

    /// Runs the target on one input. Whether it was accepted as what it should be, or led anywhere.
    ///
    /// # Panics
    /// If the product does what it must not do.
    #[must_use]
    pub fn run(&self, input: &[u8]) -> bool {
        (self.run)(input)
    }

    /// Inputs that real encoders make, all of which the target accepts. The same in every run.
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        (self.seeds)()
    }
}

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    all().into_iter().find(|target| target.name == name)
}
