//! What became of an ordered transaction.

use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, encode_list};
use crate::ids::{AccountId, AssetId, TransactionId};
use crate::limits::DELTAS_MAX;

/// The outcome of one ordered transaction: a leaf of the header's receipts root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub transaction: TransactionId,
    /// What it did.
    pub outcome: Outcome,
}
codec_struct!(Receipt {
    transaction,
    outcome
});

/// Whether a transaction was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was; these balances changed, in ascending order of account and asset.
    Applied {
        /// The changes.
        deltas: Vec<Delta>,
    },
    /// It was not; it burned its sequence number and fee and nothing else. [`RejectCode::BadSequence`],
    /// [`RejectCode::Expired`] and codes that concern form, chain or signature burn nothing.
    Rejected {
        /// Why.
        code: RejectCode,
    },
}

/// A change of one free balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The account.
    pub account: AccountId,
    /// The asset.
    pub asset: AssetId,
    /// Atoms credited, or debited if negative.
    pub change: i128,
}
codec_struct!(Delta {
    account,
    asset,
    change
});

impl Encode for Outcome {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Applied { deltas } => {
                out.push(1);
                encode_list(deltas, out);
            }
            Self::Rejected { code } => {
                out.push(2);
                (*code as u16).encode(out);
            }
        }
    }
}

impl Decode for Outcome {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Applied {
                deltas: reader.list("deltas", DELTAS_MAX)?,
            }),
            2 => {
                let code = u16::decode(reader)?;
                let code = RejectCode::from_number(code).ok_or(CodecError::NotCanonical {
                    field: "reject code",
                })?;
                Ok(Self::Rejected { code })
            }
            found => Err(CodecError::Variant {
                value: "outcome",
                found,
            }),
        }
    }
}

macro_rules! reject_codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Why a transaction was rejected (SETTLEMENT 2.4). The numbers are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum RejectCode {
            $($(#[$doc])* $name = $number,)*
        }

        impl RejectCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The code's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        impl core::fmt::Display for RejectCode {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

reject_codes! {
    /// The bytes are no canonical transaction.
    BadEncoding = 1001, "the bytes are no canonical transaction";
    /// A signature is missing, superfluous or wrong.
    BadSignature = 1002, "a signature is missing, superfluous or wrong";
    /// It was signed for another chain.
    WrongChain = 1003, "signed for another chain";
    /// It was signed for another shard.
    WrongShard = 1004, "signed for another shard";
    /// It was ordered after the last round at which it was valid.
    Expired = 1005, "ordered after its last valid round";
    /// It touches an account that its access list does not name.
    AccessList = 1006, "touches an account outside its access list";
    /// A transaction it depends on was not executed before it.
    DependencyMissing = 1007, "a transaction it depends on was not executed before it";
    /// An account does not exist.
    NoAccount = 2001, "no such account";
    /// The sequence number is not the lane's next one.
    BadSequence = 2002, "not the lane's next sequence number";
    /// The key may not sign this.
    KeyScope = 2003, "the key may not sign this";
    /// The account is closed or being liquidated.
    Frozen = 2004, "the account is closed or being liquidated";
    /// The free balance is too small.
    InsufficientFree = 2005, "the free balance is too small";
    /// The collateral is too small, or reserved for what is in doubt.
    InsufficientCollateral = 2006, "the collateral is too small, or reserved for what is in doubt";
    /// The account exists already.
    AccountExists = 2007, "the account exists already";
    /// The asset does not exist.
    NoAsset = 2008, "no such asset";
    /// The account has as many lanes as it may.
    TooManyLanes = 2009, "the account has as many lanes as it may";
    /// The instrument or its feed does not exist.
    NoInstrument = 3001, "no such instrument or feed";
    /// The instrument does not trade yet.
    NotTrading = 3002, "the instrument does not trade yet";
    /// The instrument has expired.
    InstrumentExpired = 3003, "the instrument has expired";
    /// The price is not a whole number of ticks.
    Tick = 3004, "the price is not a whole number of ticks";
    /// There is no price, or an oracle's round does not price what it must.
    NoPrice = 3005, "there is no price";
    /// The price is too old, or a statement's time is out of bounds.
    StalePrice = 3006, "the price is too old, or from the future";
    /// The price is too far from the mark.
    PriceBand = 3007, "the price is too far from the mark";
    /// The oracle's round is not the one required.
    OldRound = 3008, "not the oracle's round that is required";
    /// The oracle's confidence is too low for its round to count.
    LowConfidence = 3009, "the oracle's confidence is too low";
    /// The account would be below initial margin.
    InitialMargin = 4001, "the account would be below initial margin";
    /// Something pending could fail, or a line granted would not be covered.
    RobustMargin = 4002, "something pending could fail";
    /// The account is short of initial margin, and this does not reduce its risk.
    NotRiskReducing = 4003, "short of initial margin, and this does not reduce risk";
    /// The instrument's open interest would exceed its cap.
    OpenInterestCap = 4004, "the open interest would exceed its cap";
    /// The account would hold positions in too many instruments.
    TooManyPositions = 4005, "too many positions";
    /// The account has as much in doubt, or as many lines granted, as it may.
    InDoubtLimit = 4006, "as much in doubt as is allowed";
    /// An order has expired.
    OrderExpired = 5001, "an order has expired";
    /// An order would be filled beyond its quantity.
    Overfill = 5002, "an order would be filled beyond its quantity";
    /// The price is beyond an order's limit.
    LimitPrice = 5003, "the price is beyond an order's limit";
    /// The fee is above the limit that was signed.
    FeeCap = 5004, "the fee is above the transaction's limit";
    /// Both sides are one account.
    SelfTrade = 5005, "both sides are one account";
    /// The order or transfer may only reduce a position.
    ReduceOnly = 5006, "may only reduce a position";
    /// There is no such line, or it has too little left.
    BudgetExceeded = 5007, "no such line, or it has too little left";
    /// The batch is not the venue's next.
    VenueSequenceGap = 5008, "not the venue's next batch";
    /// Nothing is in doubt under this name.
    CrossUnknown = 6001, "nothing is in doubt under this name";
    /// It was decided already.
    CrossDecided = 6002, "decided already";
    /// The peers' receipts do not allow this decision.
    CrossCertificate = 6003, "the peers' receipts do not allow this";
    /// The deadline has passed, or is too far away.
    CrossDeadline = 6004, "the deadline has passed or is too far away";
    /// It was prepared or consumed already.
    CrossReplay = 6005, "prepared or consumed already";
    /// The account has what it needs to keep its positions.
    NotCallable = 7001, "the account is above maintenance margin";
    /// No margin call has run out.
    GraceRunning = 7002, "no margin call has run out";
    /// A smaller part would do.
    PortionTooLarge = 7003, "a smaller part would do";
    /// The liquidator would be below initial margin.
    LiquidatorMargin = 7004, "the liquidator would be below initial margin";
    /// The auction does not grant this discount yet.
    AuctionPrice = 7005, "the auction does not grant this discount yet";
    /// The account is worth something.
    NotInsolvent = 7006, "the account is not insolvent";
    /// The instrument is not settled.
    NotSettled = 8001, "the instrument is not settled";
    /// The instrument is settled and paid out, or must be paid out first.
    AlreadySettled = 8002, "settled already";
    /// The settlement price is recorded already.
    SettlePriceExists = 8003, "the settlement price is recorded already";
    /// A sum leaves its type's range.
    Overflow = 9001, "a sum leaves its type's range";
    /// The feed is halted.
    Halted = 9002, "the feed is halted";
    /// Not the next version of what is set.
    ParameterVersion = 9003, "not the next version";
}
