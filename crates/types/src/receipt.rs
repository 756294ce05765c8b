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
    /// The account exists already.
    AccountExists = 2007, "the account exists already";
    /// The asset does not exist.
    NoAsset = 2008, "no such asset";
    /// The account has as many lanes as it may.
    TooManyLanes = 2009, "the account has as many lanes as it may";
    /// The free balance is too small.
    InsufficientFree = 2005, "the free balance is too small";
    /// The fee is above the transaction's limit.
    FeeCap = 5004, "the fee is above the transaction's limit";
    /// A sum leaves its type's range.
    Overflow = 9001, "a sum leaves its type's range";
}
