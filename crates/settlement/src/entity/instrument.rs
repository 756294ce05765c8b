//! Instruments: terms, life, and what trades of them add up to.

use quorate_margin::{AddOn, Contract, Terms};
use quorate_types::{CodecError, Decode, Encode, FeedId, Reader, decode_version};

/// An option, future or perpetual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// The feed that prices it.
    pub feed: FeedId,
    /// Terms and size of a lot.
    pub contract: Contract,
    /// Trade prices are whole multiples of this, in 1e-8 quote.
    pub tick: i64,
    /// When trading begins, in milliseconds.
    pub trading_from_ms: u64,
    /// Most lots that may be held long together.
    pub open_interest_cap: u64,
    /// Margin beyond the scan.
    pub add_on: AddOn,
    /// Where it is between listing and being forgotten.
    pub life: Life,
    /// Lots held long, over all accounts: as many as are held short.
    pub open_interest: u64,
    /// What payoffs paid so far, in quote atoms times [`SCALE`](quorate_margin::SCALE), negated: 0 before settlement and again
    /// when everybody was paid.
    pub pool: i128,
    /// Funding of a perpetual since its listing, in quote atoms a lot times [`SCALE`](quorate_margin::SCALE), exactly.
    pub funding_total: i128,
    /// The oracle's round whose funding was last applied.
    pub funded_round: u64,
}

/// The life of an instrument: only forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// Trading has not begun.
    Listed,
    /// It trades.
    Trading,
    /// Its time is over.
    Expired,
    /// Its settlement price is known, and positions are paid out.
    Settled {
        /// In 1e-8 quote.
        price: i64,
    },
    /// Everybody was paid; only the name is left, so that it is not used again.
    Purged,
}

impl Instrument {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// The funding index: whole quote atoms a lot.
    #[must_use]
    pub fn funding_index(&self) -> Option<i64> {
        i64::try_from(quorate_margin::floor_atoms(self.funding_total)).ok()
    }

    /// Whether what was paid stands in positions' entries: futures and perpetuals.
    #[must_use]
    pub const fn is_margined(&self) -> bool {
        matches!(
            self.contract.terms(),
            Terms::Future { .. } | Terms::Perpetual
        )
    }
}

impl Encode for Life {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Listed => out.push(0),
            Self::Trading => out.push(1),
            Self::Expired => out.push(2),
            Self::Settled { price } => {
                out.push(3);
                price.encode(out);
            }
            Self::Purged => out.push(4),
        }
    }
}

impl Decode for Life {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Listed),
            1 => Ok(Self::Trading),
            2 => Ok(Self::Expired),
            3 => Ok(Self::Settled {
                price: Decode::decode(reader)?,
            }),
            4 => Ok(Self::Purged),
            found => Err(CodecError::Variant {
                value: "life of an instrument",
                found,
            }),
        }
    }
}

pub(crate) fn encode_contract(contract: Contract, out: &mut Vec<u8>) {
    match contract.terms() {
        Terms::Call { strike, expiry_ms } => {
            out.push(1);
            strike.encode(out);
            expiry_ms.encode(out);
        }
        Terms::Put { strike, expiry_ms } => {
            out.push(2);
            strike.encode(out);
            expiry_ms.encode(out);
        }
        Terms::Future { expiry_ms } => {
            out.push(3);
            expiry_ms.encode(out);
        }
        Terms::Perpetual => out.push(4),
    }
    contract.multiplier().encode(out);
}

pub(crate) fn decode_contract(reader: &mut Reader<'_>) -> Result<Contract, CodecError> {
    let terms = match u8::decode(reader)? {
        1 => Terms::Call {
            strike: Decode::decode(reader)?,
            expiry_ms: Decode::decode(reader)?,
        },
        2 => Terms::Put {
            strike: Decode::decode(reader)?,
            expiry_ms: Decode::decode(reader)?,
        },
        3 => Terms::Future {
            expiry_ms: Decode::decode(reader)?,
        },
        4 => Terms::Perpetual,
        found => {
            return Err(CodecError::Variant {
                value: "terms",
                found,
            });
        }
    };
    let multiplier = Decode::decode(reader)?;
    Contract::new(terms, multiplier).map_err(|_| CodecError::NotCanonical { field: "contract" })
}

pub(crate) fn encode_add_on(add_on: AddOn, out: &mut Vec<u8>) {
    add_on.short_per_lot.encode(out);
    add_on.per_lot.encode(out);
    add_on.large_per_lot.encode(out);
    add_on.large_from.encode(out);
}

pub(crate) fn decode_add_on(reader: &mut Reader<'_>) -> Result<AddOn, CodecError> {
    Ok(AddOn {
        short_per_lot: Decode::decode(reader)?,
        per_lot: Decode::decode(reader)?,
        large_per_lot: Decode::decode(reader)?,
        large_from: Decode::decode(reader)?,
    })
}

impl Encode for Instrument {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.feed.encode(out);
        encode_contract(self.contract, out);
        self.tick.encode(out);
        self.trading_from_ms.encode(out);
        self.open_interest_cap.encode(out);
        encode_add_on(self.add_on, out);
        self.life.encode(out);
        self.open_interest.encode(out);
        self.pool.encode(out);
        self.funding_total.encode(out);
        self.funded_round.encode(out);
    }
}

impl Decode for Instrument {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "instrument", Self::VERSION)?;
        Ok(Self {
            feed: FeedId::decode(reader)?,
            contract: decode_contract(reader)?,
            tick: Decode::decode(reader)?,
            trading_from_ms: Decode::decode(reader)?,
            open_interest_cap: Decode::decode(reader)?,
            add_on: decode_add_on(reader)?,
            life: Decode::decode(reader)?,
            open_interest: Decode::decode(reader)?,
            pool: Decode::decode(reader)?,
            funding_total: Decode::decode(reader)?,
            funded_round: Decode::decode(reader)?,
        })
    }
}
