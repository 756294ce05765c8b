//! What reaches a market, as a log keeps it.

use quorate_types::{CodecError, Decode, Encode, Reader, RejectCode};

use super::stamps::Stamps;
use crate::applied::{Applied, Context};
use crate::authentic::Certified;
use crate::market::Market;
use crate::operation::{PeerReceipt, SignedOperation};

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// An operation.
    Operation(Box<SignedOperation>),
    /// A peer shard's receipt that was verified.
    Receipt(PeerReceipt),
    /// The end of a block.
    EndOfBlock,
}

impl Input {
    /// Gives it to a market.
    ///
    /// # Errors
    /// The code of a rejection.
    pub fn apply(&self, market: &mut Market, context: Context) -> Result<Applied, RejectCode> {
        match self {
            Self::Operation(signed) => market.apply_with(context, signed, &Stamps),
            Self::Receipt(receipt) => {
                market.learn(context, &Certified::verified_by_caller(*receipt))
            }
            Self::EndOfBlock => {
                market.end_of_block(context);
                Ok(Applied::default())
            }
        }
    }
}

impl Encode for Input {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Operation(signed) => {
                out.push(1);
                signed.encode(out);
            }
            Self::Receipt(receipt) => {
                out.push(2);
                receipt.encode(out);
            }
            Self::EndOfBlock => out.push(3),
        }
    }
}

impl Decode for Input {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Operation(Box::new(Decode::decode(reader)?))),
            2 => Ok(Self::Receipt(Decode::decode(reader)?)),
            3 => Ok(Self::EndOfBlock),
            found => Err(CodecError::Variant {
                value: "input",
                found,
            }),
        }
    }
}
