//! Every limit and every interval of the engine, by name.

use quorate_types::RuleParameters;

/// How the engine is set up. [`Options::new`] gives values with reasons; only `rule` must be the same for all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The commit rule's parameters, shared by all members.
    pub rule: RuleParameters,
    /// When to propose within what the protocol allows.
    pub pacing: Pacing,
    /// Most blocks that wait for a parent, over all authors. Beyond it, the author with the most gives way.
    pub pending_blocks_max: usize,
    /// Most blocks that wait for a parent in one author's part: its own, and those that its own wait for. So one liar cannot push
    /// out the others' blocks.
    pub pending_per_author_max: usize,
    /// Most bytes of all blocks that wait for a parent; each author has an equal part of it, and at least the largest
    /// block's.
    pub pending_bytes_max: usize,
    /// Most second blocks of a slot that are kept for when somebody references them; each author has an equal part of it,
    /// and at least one.
    pub twins_seen_max: usize,
    /// Most bytes of them; each author has an equal part of it, and at least the largest block's. What is not kept is
    /// asked for once a block references it.
    pub twins_bytes_max: usize,
    /// Blocks more than this many rounds above the highest round with a quorum are refused.
    pub rounds_ahead_max: u64,
    /// Blocks more than this many rounds above the first undecided slot are refused, and none is proposed there: it
    /// bounds memory while nothing commits. A validator that stays behind this bound needs state sync.
    pub undecided_rounds_max: u64,
    /// Fetching of missing parents.
    pub fetch: FetchOptions,
    /// A deliberate mistake in the commit rule.
    #[cfg(any(test, feature = "mutants"))]
    pub mutation: Option<Mutation>,
}

/// When to propose within what the protocol allows. It delays a block by at most the longest of these intervals, and
/// no rule of agreement reads it. All are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// Extra wait for the last n - q parents once q are there.
    pub quorum_wait_micros: u64,
    /// Least time between own blocks while some payload is not ordered, or while others are a round ahead.
    pub busy_interval_micros: u64,
    /// Least time between own blocks otherwise.
    pub idle_interval_micros: u64,
}

/// Limits on fetching missing parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Most blocks in one request.
    pub refs_per_request_max: usize,
    /// Most blocks asked for at one time on behalf of one author's waiting blocks: parents that a liar invents use up
    /// its own allowance and nobody else's.
    pub in_flight_per_author_max: usize,
    /// How long to wait for an answer before asking the next peer, in microseconds; it doubles each time.
    pub retry_first_micros: u64,
    /// The longest such wait, in microseconds.
    pub retry_most_micros: u64,
}

/// A deliberate mistake in the commit rule: tests must notice each of them.
#[cfg(any(test, feature = "mutants"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// One vote less than a quorum makes a certificate.
    CertificateBelowQuorum,
    /// A slot is skipped when one of its blocks, judged alone, lacks votes, though others of the slot have them.
    SkipPerTwin,
    /// The anchor of a slot is looked for one round too early, where a direct commit is not yet below every block.
    AnchorTooEarly,
    /// A commit leaves out what is below the highest round held here less the depth of garbage collection, instead of the
    /// leader's round less that.
    GarbageByOwnRound,
}

impl Options {
    /// Limits for a committee on a wide-area network.
    #[must_use]
    pub fn new(rule: RuleParameters) -> Self {
        Self {
            rule,
            pacing: Pacing::default(),
            // Thirty-two rounds of the largest committee.
            pending_blocks_max: 4096,
            // As many rounds as may be ahead, and as many again for twins that others reference.
            pending_per_author_max: 512,
            // A second of the fastest network; what does not fit is asked for again when its turn comes.
            pending_bytes_max: 256 << 20,
            twins_seen_max: 256,
            twins_bytes_max: 32 << 20,
            // Some seconds of rounds at full speed; beyond it, streams are read more slowly.
            rounds_ahead_max: 256,
            // That no slot of 4096 rounds is committed has probability (127/128)^4096 < 2^-46 for the largest
            // committee at w = 4 against the strongest scheduler, and less in every other setting.
            undecided_rounds_max: 4096,
            fetch: FetchOptions::default(),
            #[cfg(any(test, feature = "mutants"))]
            mutation: None,
        }
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            quorum_wait_micros: 2_000,
            busy_interval_micros: 5_000,
            idle_interval_micros: 100_000,
        }
    }
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            // References of a whole round of the largest committee.
            refs_per_request_max: 128,
            in_flight_per_author_max: 256,
            retry_first_micros: 50_000,
            retry_most_micros: 2_000_000,
        }
    }
}
