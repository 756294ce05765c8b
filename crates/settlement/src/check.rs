//! The invariants of a market's state (SETTLEMENT 2.4), and what breaks them.

use quorate_types::{AccountId, AssetId, Hash32, InstrumentId, RejectCode};

/// An invariant that does not hold: a defect of this program, never of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// 1. Balances, special accounts and what is under way do not add up to what came in, less what left.
    #[error("asset {asset}: {found} atoms where {expected} should be")]
    Conservation {
        /// The asset.
        asset: AssetId,
        /// Deposits, less withdrawals, and what came from other shards.
        expected: i128,
        /// The sum.
        found: i128,
    },
    /// 1. What rounding left over is negative.
    #[error("asset {0} has negative dust")]
    Dust(AssetId),
    /// 2. Lots do not add up to zero.
    #[error("instrument {instrument}: lots add up to {lots}")]
    ZeroSum {
        /// The instrument.
        instrument: InstrumentId,
        /// Their sum.
        lots: i128,
    },
    /// 2. Open interest is not what is held long.
    #[error("instrument {0} has another open interest")]
    OpenInterest(InstrumentId),
    /// 3. Debt beside quote collateral, or of an account that is not being liquidated.
    #[error("account {0} owes what it should not")]
    Debt(AccountId),
    /// 5. An order is filled beyond its quantity.
    #[error("order {0} is filled beyond its quantity")]
    Overfill(Hash32),
    /// 5. Payoffs made and payoffs due do not add up to zero.
    #[error("instrument {0} has paid out too much or too little")]
    Payoffs(InstrumentId),
    /// 6. An account's margin at hand is not what a computation from scratch gives.
    #[error("account {0} has margin at hand that is not its own")]
    Margin(AccountId),
    /// 6. An account's margin cannot be computed.
    #[error("account {account} has no margin: {code}")]
    NoMargin {
        /// The account.
        account: AccountId,
        /// Why.
        code: RejectCode,
    },
    /// 6. More is left of a line than was granted.
    #[error("a line of account {0} has more left than was granted")]
    Budget(AccountId),
    /// 7. An instrument's life does not fit the time, or it is held when it should not be.
    #[error("instrument {0} is not where its life should be")]
    Life(InstrumentId),
    /// 10. Something in doubt has no account, no peers, or was decided already.
    #[error("doubt {0} has no way to end")]
    Doubt(Hash32),
    /// What is derived from the state is not what it gives from scratch.
    #[error("an index is not that of the state")]
    Index,
    /// A sum leaves its type's range.
    #[error("a sum leaves its type's range")]
    Range,
}
