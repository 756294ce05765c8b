//! What to simulate of key ceremonies.

use std::ops::Range;

use quorate_types::ValidatorIndex;

/// What one call simulates.
#[derive(Clone, Debug)]
pub struct CeremonyOptions {
    /// n, from 4 to 128.
    pub members: u16,
    /// The seeds, in order.
    pub seeds: Range<u64>,
    /// Run every seed twice and compare the hashes of the traces.
    pub check_determinism: bool,
    /// How many seeds run at one time. Worlds share nothing, so it changes no outcome.
    pub threads: usize,
    /// In what order things happen. None: the seed draws it.
    pub schedule: Option<Schedule>,
    /// What liars deal. None: the seed draws it.
    pub dealing: Option<DealingLie>,
    /// Whether honest members crash and restart, and one may lose its disk.
    pub crashes: bool,
    /// A deliberate mistake in every driver.
    pub fault: Option<CeremonyFault>,
    /// A deliberate mistake in every agreement.
    #[cfg(feature = "mutants")]
    pub mutation: Option<quorate_dkg::agreement::Mutation>,
}

impl CeremonyOptions {
    /// Each seed draws its own mix of everything.
    #[must_use]
    pub const fn new(members: u16, seeds: Range<u64>) -> Self {
        Self {
            members,
            seeds,
            check_determinism: false,
            threads: 1,
            schedule: None,
            dealing: None,
            crashes: true,
            fault: None,
            #[cfg(feature = "mutants")]
            mutation: None,
        }
    }
}

/// In what order things happen. All of them let everything happen in the end: what is held back comes once nothing else
/// is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Any order.
    Random,
    /// What was said last is mostly heard first.
    Newest,
    /// Some members hear and are heard rarely.
    Slow,
    /// Two halves of the members rarely hear each other.
    Halves,
    /// One honest member does nothing, hears nothing and is not heard until nothing else is left.
    Starve(ValidatorIndex),
    /// Nobody hears that an agreement was decided until nothing else is left.
    StarveFinishes,
    /// Opinions about proposals are split. Coin shares come to liars first and to others last, and votes for what the coin shows are held back.
    AgainstTheCoin,
}

/// What a liar deals. Whether it also lies otherwise is drawn apart from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealingLie {
    /// An honest dealing.
    Honest,
    /// Nothing.
    Nothing,
    /// One dealing to one half of the members, another to the other half, sometimes both.
    Two,
    /// A polynomial with a coefficient too many.
    WrongDegree,
    /// One member's ciphertext holds something else than its share.
    WrongCiphertext,
    /// A share in one large chunk, which passes the proofs.
    LargeChunk,
    /// The same with a negative chunk.
    NegativeChunk,
    /// A dealing from another attempt at the same ceremony.
    Replay,
    /// A bit of the encoding is flipped.
    Flipped,
    /// Half of the bytes.
    Truncated,
}

impl DealingLie {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Honest,
        Self::Nothing,
        Self::Two,
        Self::WrongDegree,
        Self::WrongCiphertext,
        Self::LargeChunk,
        Self::NegativeChunk,
        Self::Replay,
        Self::Flipped,
        Self::Truncated,
    ];
}

/// A deliberate mistake in the driver of every honest member: tests must notice each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeremonyFault {
    /// Messages are shown to peers before they are durable.
    ShowBeforeDurable,
    /// A restart reads nothing of the log, and nobody is told.
    ForgetLog,
    /// Requests for dealings are never answered.
    NoAnswers,
}
