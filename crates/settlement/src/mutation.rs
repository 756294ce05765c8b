//! Deliberate defects, which the invariants and the simulation must notice. Compiled in for tests alone.

/// One thing done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(test, feature = "mutants")),
    allow(unreachable_pub, reason = "exported with the feature")
)]
pub enum Mutation {
    /// Credits of trades round up.
    RoundUp,
    /// What rounding leaves over is forgotten.
    DustLost,
    /// A margin call is accepted on M, without what is certified.
    CallWithoutUpper,
    /// Fills of an order are not counted.
    DuplicateFill,
    /// A round's funding can be applied again.
    FundingTwice,
    /// Accounts above maintenance margin can be liquidated.
    LiquidateHealthy,
    /// A loss is taken from an account without positions.
    LossToBystander,
    /// A rejected operation keeps its number.
    SequenceKept,
    /// A deposit can be credited again.
    DepositTwice,
    /// An account's cached values survive a new round.
    StaleCache,
    /// Collateral is released against M, without what is in doubt.
    ReleaseInDoubt,
    /// A payoff is paid and the position kept.
    PayoffTwice,
    /// Debits of payoffs stop at what collateral there is.
    LossForgotten,
    /// A new trade does not test margin.
    MarginUntested,
    /// An aborted operation's escrow is not released.
    EscrowKept,
    /// Instruments trade after their expiry.
    TradeAfterExpiry,
}

#[cfg(any(test, feature = "mutants"))]
impl Mutation {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::RoundUp,
        Self::DustLost,
        Self::CallWithoutUpper,
        Self::DuplicateFill,
        Self::FundingTwice,
        Self::LiquidateHealthy,
        Self::LossToBystander,
        Self::SequenceKept,
        Self::DepositTwice,
        Self::StaleCache,
        Self::ReleaseInDoubt,
        Self::PayoffTwice,
        Self::LossForgotten,
        Self::MarginUntested,
        Self::EscrowKept,
        Self::TradeAfterExpiry,
    ];
}
