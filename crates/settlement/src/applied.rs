//! What an operation is applied in, and what it did.

use quorate_types::{AccountId, AssetId, Epoch, FeedId, Hash32, InstrumentId, Round};

/// Where the operation stands in the order: nothing else of the world reaches the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Round of the leader whose commit orders it.
    pub round: Round,
    /// The commit's time: monotone, in milliseconds.
    pub now_ms: u64,
    /// The epoch.
    pub epoch: Epoch,
}

/// One of an account's two buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// Unencumbered.
    Free,
    /// Posted.
    Collateral,
}

/// A change of one balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceDelta {
    /// The account.
    pub account: AccountId,
    /// The asset.
    pub asset: AssetId,
    /// Which of its balances.
    pub bucket: Bucket,
    /// Atoms credited, or debited if negative.
    pub change: i128,
}

/// What an applied operation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// Balances that changed, ascending by account, asset and bucket.
    pub deltas: Vec<BalanceDelta>,
    /// What happened besides.
    pub events: Vec<Event>,
}

/// What happened besides changes of balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A feed has a new round.
    Priced {
        /// The feed.
        feed: FeedId,
        /// The round.
        round: u64,
    },
    /// A jump halted a feed, or a round of a halted feed did not end the halt.
    Halted {
        /// The feed.
        feed: FeedId,
        /// The round.
        round: u64,
    },
    /// Value left: the driver sends it on.
    Withdrawn {
        /// Number of the message.
        number: u64,
        /// Who sent it.
        account: AccountId,
        /// The asset.
        asset: AssetId,
        /// How many atoms.
        amount: u128,
        /// To whom.
        destination: Hash32,
    },
    /// An order was filled.
    Filled {
        /// The order.
        order: Hash32,
        /// Lots filled now.
        lots: u64,
        /// At which price, in 1e-8 quote.
        price: i64,
    },
    /// An account was called.
    Called {
        /// The account.
        account: AccountId,
        /// From when on it may be liquidated.
        deadline: Round,
    },
    /// An account is out of danger.
    Cured {
        /// The account.
        account: AccountId,
    },
    /// A slice of an account changed hands.
    Liquidated {
        /// The account.
        account: AccountId,
        /// What it paid for that, in quote atoms.
        penalty: u128,
    },
    /// An insolvent account was closed.
    Absorbed {
        /// The account.
        account: AccountId,
        /// Quote atoms that insurance paid.
        insurance: u128,
        /// Quote atoms that counterparties paid.
        shared: u128,
        /// Quote atoms that nobody could pay, left as debt.
        left: u128,
    },
    /// A position was paid out.
    PaidOut {
        /// The account.
        account: AccountId,
        /// The instrument.
        instrument: InstrumentId,
        /// Quote atoms that the lots were worth.
        payoff: i128,
    },
    /// All positions of an instrument are paid out.
    Purged {
        /// The instrument.
        instrument: InstrumentId,
    },
    /// An operation across shards was decided here.
    Decided {
        /// The operation.
        cross: Hash32,
        /// Whether it was applied.
        is_applied: bool,
    },
}
