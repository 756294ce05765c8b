//! Deliberate mistakes, to prove that tests and the model checker notice them.

/// A rule of the agreement, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// The coin is asked for when a round is entered, before its output is bound.
    CoinBeforeOutput,
    /// The third echo carries the first approved value, whatever the second echoes say.
    UnsupportedEcho3,
    /// A value is approved by f + 1 first echoes instead of n - f.
    LowApproval,
    /// A value is an output with f + 1 third echoes instead of n - f: safe, but the round is not bound when its coin is
    /// revealed, so that an adversary that knows the coin can keep all undecided.
    LowOutput,
    /// Who decides stops answering at once, and its finish counts in all rounds, those it took part in included: old
    /// rounds lack its amplification, and others wait in them for ever.
    HaltOnDecide,
    /// Who decides goes on to the next round, and a finish counts in none: live only once finishes arrive.
    PlayOn,
    /// Finishes of f members, at least one, decide instead of f + 1.
    LowFinish,
}
