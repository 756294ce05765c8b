//! The kinds of operation.

use quorate_types::{
    AccountId, AssetId, CodecError, Decode, Encode, FeedId, Hash32, IdentityKey, InstrumentId,
    Reader, Round, ShardId, Signature, codec_struct, encode_list, require_ascending,
};

use super::{
    DepositStatement, Fill, Listing, OracleStatement, ParameterChange, SettlementStatement,
};
use crate::limits::{FEEDS_MAX, FILLS_MAX, PEERS_MAX, TRADE_LEGS_MAX};

/// One instrument of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Lots that the first signer gets from the second, negative if it gives them.
    pub lots: i64,
    /// At which price, in 1e-8 quote per unit of the underlying.
    pub price: i64,
}
codec_struct!(Leg {
    instrument,
    lots,
    price
});

/// The round of a feed that an operation was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedRound {
    /// The feed.
    pub feed: FeedId,
    /// Its round.
    pub round: u64,
}
codec_struct!(NamedRound { feed, round });

/// What an operation does. *Signers*, in order, are those of [`Operation::signers`](super::Operation::signers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Opens the account of `owner` and `sub`, which signs it as number 0 of lane 0.
    CreateAccount {
        /// The key that will own the account.
        owner: IdentityKey,
        /// The sub-account number.
        sub: u32,
    },
    /// Closes the signer's account, which must be empty.
    CloseAccount,
    /// Credits a free balance with value from outside. No signers but the bridge.
    Deposit(DepositStatement, Signature),
    /// Moves the signer's free balance to its collateral.
    Post {
        /// The asset.
        asset: AssetId,
        /// How many atoms.
        amount: u128,
    },
    /// Moves the signer's collateral to its free balance.
    Release {
        /// The asset.
        asset: AssetId,
        /// How many atoms.
        amount: u128,
    },
    /// Sends the signer's free balance outside.
    Withdraw {
        /// The asset.
        asset: AssetId,
        /// How many atoms.
        amount: u128,
        /// To whom, in the words of what is outside.
        destination: Hash32,
    },
    /// A round of a feed. No signers but the oracle.
    OracleUpdate(OracleStatement, Signature),
    /// A trade of all legs or none. Signers: who gets the legs' lots, who gives them.
    Trade(
        /// The legs.
        Vec<Leg>,
    ),
    /// Fills of orders, all or none. Signer: the venue.
    FillBatch {
        /// Number among the venue's batches.
        sequence: u64,
        /// The fills.
        fills: Vec<Fill>,
    },
    /// Grants a venue a line of credit on a feed. Signer: who grants it.
    GrantBudget {
        /// The venue.
        venue: AccountId,
        /// The feed.
        feed: FeedId,
        /// What fills may cost in each scenario, in quote atoms.
        amount: u128,
    },
    /// Ends a line of credit after the unbonding rounds. Signer: who granted it.
    RevokeBudget {
        /// The venue.
        venue: AccountId,
        /// The feed.
        feed: FeedId,
    },
    /// Hands a position over. Signers: who gives it, who takes it.
    Novate(
        /// The position's lots, as the first signer holds them, and the price at which it goes over.
        Leg,
    ),
    /// Pays out what futures and perpetuals gained, ends a margin call that is cured. No signers.
    Mark {
        /// The account.
        account: AccountId,
    },
    /// Applies the funding of the feed's last round. No signers.
    Fund {
        /// The perpetual.
        instrument: InstrumentId,
    },
    /// Records the price of an expiry. No signers but the oracle.
    SettlePrice(SettlementStatement, Signature),
    /// Pays out positions of a settled instrument. No signers.
    ExpirePage {
        /// The instrument.
        instrument: InstrumentId,
        /// Most accounts to pay.
        accounts: u32,
    },
    /// Calls an account below maintenance margin. No signers.
    MarginCall {
        /// The account.
        account: AccountId,
        /// Rounds of all feeds that it is exposed to, ascending.
        rounds: Vec<NamedRound>,
    },
    /// Takes a slice of a whole account over, at the mark less a discount. Signer: the liquidator.
    Liquidate {
        /// The account.
        account: AccountId,
        /// The slice, in percent.
        percent: u32,
        /// The discount, in basis points of the values that change hands.
        discount_bp: u32,
        /// Rounds of all feeds that it is exposed to, ascending.
        rounds: Vec<NamedRound>,
    },
    /// Closes an insolvent account at the cost of insurance, then of the other side. No signers.
    Absorb {
        /// The account.
        account: AccountId,
        /// Rounds of all feeds that it is exposed to, ascending.
        rounds: Vec<NamedRound>,
    },
    /// Changes parameters. No signers but governance.
    SetParameters(ParameterChange, Signature),
    /// Lists an instrument. No signers but governance.
    List(Listing, Signature),
    /// Holds an amount in escrow for an operation across shards. Signer: the account.
    CrossPrepare {
        /// Names the operation on all shards.
        cross: Hash32,
        /// Quote atoms of collateral that it brings, negative if it costs.
        cash: i128,
        /// The other shards, ascending.
        peers: Vec<ShardId>,
        /// The last round at which it may be prepared, and until which a certified credit counts.
        deadline: Round,
    },
    /// Applies what all peers prepared. No signers.
    CrossCommit {
        /// The operation.
        cross: Hash32,
    },
    /// Releases what a peer refused. No signers.
    CrossAbort {
        /// The operation.
        cross: Hash32,
    },
}

impl Body {
    /// How many signers it has.
    #[must_use]
    pub const fn signers(&self) -> usize {
        match self {
            Self::Trade(_) | Self::Novate(_) => 2,
            Self::CreateAccount { .. }
            | Self::CloseAccount
            | Self::Post { .. }
            | Self::Release { .. }
            | Self::Withdraw { .. }
            | Self::FillBatch { .. }
            | Self::GrantBudget { .. }
            | Self::RevokeBudget { .. }
            | Self::Liquidate { .. }
            | Self::CrossPrepare { .. } => 1,
            Self::Deposit(..)
            | Self::OracleUpdate(..)
            | Self::Mark { .. }
            | Self::Fund { .. }
            | Self::SettlePrice(..)
            | Self::ExpirePage { .. }
            | Self::MarginCall { .. }
            | Self::Absorb { .. }
            | Self::SetParameters(..)
            | Self::List(..)
            | Self::CrossCommit { .. }
            | Self::CrossAbort { .. } => 0,
        }
    }

    /// The number of the kind: the first byte of its encoding.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::CreateAccount { .. } => 1,
            Self::CloseAccount => 2,
            Self::Deposit(..) => 3,
            Self::Post { .. } => 4,
            Self::Release { .. } => 5,
            Self::Withdraw { .. } => 6,
            Self::OracleUpdate(..) => 7,
            Self::Trade(_) => 8,
            Self::FillBatch { .. } => 9,
            Self::GrantBudget { .. } => 10,
            Self::RevokeBudget { .. } => 11,
            Self::Novate(_) => 12,
            Self::Mark { .. } => 13,
            Self::Fund { .. } => 14,
            Self::SettlePrice(..) => 15,
            Self::ExpirePage { .. } => 16,
            Self::MarginCall { .. } => 17,
            Self::Liquidate { .. } => 18,
            Self::Absorb { .. } => 19,
            Self::SetParameters(..) => 20,
            Self::List(..) => 21,
            Self::CrossPrepare { .. } => 22,
            Self::CrossCommit { .. } => 23,
            Self::CrossAbort { .. } => 24,
        }
    }
}

/// Appends encodings one after another.
macro_rules! put {
    ($out:ident: $($value:expr),*) => {{ $( $value.encode($out); )* }};
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        match self {
            Self::CreateAccount { owner, sub } => put!(out: owner, sub),
            Self::CloseAccount => {}
            Self::Deposit(statement, signature) => put!(out: statement, signature),
            Self::Post { asset, amount } | Self::Release { asset, amount } => {
                put!(out: asset, amount);
            }
            Self::Withdraw {
                asset,
                amount,
                destination,
            } => put!(out: asset, amount, destination),
            Self::OracleUpdate(statement, signature) => put!(out: statement, signature),
            Self::Trade(legs) => encode_list(legs, out),
            Self::FillBatch { sequence, fills } => {
                sequence.encode(out);
                encode_list(fills, out);
            }
            Self::GrantBudget {
                venue,
                feed,
                amount,
            } => put!(out: venue, feed, amount),
            Self::RevokeBudget { venue, feed } => put!(out: venue, feed),
            Self::Novate(leg) => leg.encode(out),
            Self::Mark { account } => account.encode(out),
            Self::Fund { instrument } => instrument.encode(out),
            Self::SettlePrice(statement, signature) => put!(out: statement, signature),
            Self::ExpirePage {
                instrument,
                accounts,
            } => put!(out: instrument, accounts),
            Self::MarginCall { account, rounds } | Self::Absorb { account, rounds } => {
                account.encode(out);
                encode_list(rounds, out);
            }
            Self::Liquidate {
                account,
                percent,
                discount_bp,
                rounds,
            } => {
                put!(out: account, percent, discount_bp);
                encode_list(rounds, out);
            }
            Self::SetParameters(change, signature) => put!(out: change, signature),
            Self::List(listing, signature) => put!(out: listing, signature),
            Self::CrossPrepare {
                cross,
                cash,
                peers,
                deadline,
            } => {
                put!(out: cross, cash);
                encode_list(peers, out);
                deadline.encode(out);
            }
            Self::CrossCommit { cross } | Self::CrossAbort { cross } => cross.encode(out),
        }
    }
}

impl Decode for Body {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let number = u8::decode(reader)?;
        Ok(match number {
            1 => Self::CreateAccount {
                owner: Decode::decode(reader)?,
                sub: Decode::decode(reader)?,
            },
            2 => Self::CloseAccount,
            3 => Self::Deposit(Decode::decode(reader)?, Decode::decode(reader)?),
            4 => Self::Post {
                asset: Decode::decode(reader)?,
                amount: Decode::decode(reader)?,
            },
            5 => Self::Release {
                asset: Decode::decode(reader)?,
                amount: Decode::decode(reader)?,
            },
            6 => Self::Withdraw {
                asset: Decode::decode(reader)?,
                amount: Decode::decode(reader)?,
                destination: Decode::decode(reader)?,
            },
            7 => Self::OracleUpdate(Decode::decode(reader)?, Decode::decode(reader)?),
            8 => Self::Trade(reader.list("legs", TRADE_LEGS_MAX)?),
            9 => Self::FillBatch {
                sequence: Decode::decode(reader)?,
                fills: reader.list("fills", FILLS_MAX)?,
            },
            10 => Self::GrantBudget {
                venue: Decode::decode(reader)?,
                feed: Decode::decode(reader)?,
                amount: Decode::decode(reader)?,
            },
            11 => Self::RevokeBudget {
                venue: Decode::decode(reader)?,
                feed: Decode::decode(reader)?,
            },
            12 => Self::Novate(Decode::decode(reader)?),
            13 => Self::Mark {
                account: Decode::decode(reader)?,
            },
            14 => Self::Fund {
                instrument: Decode::decode(reader)?,
            },
            15 => Self::SettlePrice(Decode::decode(reader)?, Decode::decode(reader)?),
            16 => Self::ExpirePage {
                instrument: Decode::decode(reader)?,
                accounts: Decode::decode(reader)?,
            },
            found => return decode_rest(found, reader),
        })
    }
}

/// Bodies from 17 on.
fn decode_rest(number: u8, reader: &mut Reader<'_>) -> Result<Body, CodecError> {
    Ok(match number {
        17 => Body::MarginCall {
            account: Decode::decode(reader)?,
            rounds: decode_rounds(reader)?,
        },
        18 => Body::Liquidate {
            account: Decode::decode(reader)?,
            percent: Decode::decode(reader)?,
            discount_bp: Decode::decode(reader)?,
            rounds: decode_rounds(reader)?,
        },
        19 => Body::Absorb {
            account: Decode::decode(reader)?,
            rounds: decode_rounds(reader)?,
        },
        20 => Body::SetParameters(Decode::decode(reader)?, Decode::decode(reader)?),
        21 => Body::List(Decode::decode(reader)?, Decode::decode(reader)?),
        22 => {
            let cross = Decode::decode(reader)?;
            let cash = Decode::decode(reader)?;
            let peers = reader.list("peers", PEERS_MAX)?;
            require_ascending(&peers, "peers")?;
            Body::CrossPrepare {
                cross,
                cash,
                peers,
                deadline: Decode::decode(reader)?,
            }
        }
        23 => Body::CrossCommit {
            cross: Decode::decode(reader)?,
        },
        24 => Body::CrossAbort {
            cross: Decode::decode(reader)?,
        },
        found => {
            return Err(CodecError::Variant {
                value: "body of a settlement operation",
                found,
            });
        }
    })
}

fn decode_rounds(reader: &mut Reader<'_>) -> Result<Vec<NamedRound>, CodecError> {
    let rounds: Vec<NamedRound> = reader.list("rounds", FEEDS_MAX)?;
    if rounds.windows(2).all(|two| two[0].feed < two[1].feed) {
        Ok(rounds)
    } else {
        Err(CodecError::NotCanonical { field: "rounds" })
    }
}
