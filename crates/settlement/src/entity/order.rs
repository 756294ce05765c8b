//! What is left of orders and lines of credit.

use quorate_margin::CELLS;
use quorate_types::{
    CodecError, Decode, Encode, Reader, Round, decode_option, decode_version, encode_option,
};

use crate::codec::codec_versioned;

/// How much of an order was filled, kept until the order has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFill {
    /// Lots filled.
    pub filled: u64,
    /// Lots that may be filled.
    pub lots: u64,
    /// The last round at which the order is good.
    pub expires: Round,
}
codec_versioned!(OrderFill, "order fill", 1 { filled, lots, expires });

/// A line of credit that an account granted to a venue on one feed (SETTLEMENT 3.6, class B).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its number in its account's escrow.
    pub number: u64,
    /// What fills may cost in each scenario, in quote atoms.
    pub granted: u128,
    /// What is left of that, over all cells of a risk array, whatever the window.
    pub left: Vec<u128>,
    /// The round from which it is gone, once it was revoked.
    pub ends: Option<Round>,
}

impl Budget {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
}

impl Encode for Budget {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.number.encode(out);
        self.granted.encode(out);
        for left in &self.left {
            left.encode(out);
        }
        encode_option(self.ends.as_ref(), out);
    }
}

impl Decode for Budget {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "line of credit", Self::VERSION)?;
        let number = Decode::decode(reader)?;
        let granted: u128 = Decode::decode(reader)?;
        let left = (0..CELLS)
            .map(|_| u128::decode(reader))
            .collect::<Result<Vec<_>, _>>()?;
        if left.iter().any(|left| *left > granted) {
            return Err(CodecError::NotCanonical {
                field: "line of credit",
            });
        }
        Ok(Self {
            number,
            granted,
            left,
            ends: decode_option(reader, "end of a line")?,
        })
    }
}
