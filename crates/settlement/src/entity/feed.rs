//! Feeds of prices: who signs them, what is believed, and the last round.

use quorate_margin::{Svi, SviParameters, VOLATILITIES};
use quorate_types::{
    CodecError, Decode, Encode, InstrumentId, Reader, ThresholdKey, codec_struct, decode_option,
    decode_version, encode_list, encode_option,
};

use crate::limits::{CURVES_MAX, FUNDING_MAX};

/// A source of prices for one underlying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The oracle's group key.
    pub key: ThresholdKey,
    /// Step of the grid of price nodes, in 1e-4 of the logarithm.
    pub grid_step: u32,
    /// What deviations are multiplied by in scenarios, in 1e-4, ascending.
    pub volatility_factors: [u32; VOLATILITIES],
    /// A round older than this is stale, in milliseconds.
    pub age_most_ms: u64,
    /// A price further than this from the last one halts the feed, in basis points.
    pub band_bp: u32,
    /// From this uncertainty on confidence is low and initial margin wider, in basis points.
    pub confidence_low_bp: u32,
    /// Beyond this uncertainty a round does not count, in basis points.
    pub confidence_most_bp: u32,
    /// The last round that counts; none before the first.
    pub last: Option<FeedRound>,
    /// The jump that halted it, while it is halted.
    pub halt: Option<Halt>,
}

/// What one round of an oracle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRound {
    /// Its number.
    pub round: u64,
    /// When it was made, in milliseconds of the ledger's time.
    pub timestamp_ms: u64,
    /// The price of the underlying, in 1e-8 quote.
    pub price: i64,
    /// How uncertain that is, in basis points.
    pub confidence_bp: u32,
    /// What prices each expiry, ascending.
    pub curves: Vec<CurvePoint>,
    /// Funding of perpetuals, ascending.
    pub funding: Vec<FundingRate>,
}

/// What prices the instruments of one expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurvePoint {
    /// The expiry, in milliseconds.
    pub expiry_ms: u64,
    /// The forward as a part of the price, in 1e-8.
    pub basis: i64,
    /// The annual rate, in 1e-8.
    pub rate: i64,
    /// The smile.
    pub smile: SviParameters,
}

/// What holders of a perpetual pay to those short of it for one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FundingRate {
    /// The perpetual.
    pub instrument: InstrumentId,
    /// Part of the price, in 1e-8, negative if the short pay.
    pub rate: i64,
}
codec_struct!(FundingRate { instrument, rate });

/// A price that was too far from the last one to be believed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The last round seen, whether it counts or not.
    pub round: u64,
    /// Its time, in milliseconds.
    pub timestamp_ms: u64,
    /// The price that waits to be confirmed.
    pub candidate: i64,
    /// How many later rounds confirmed it.
    pub confirmations: u32,
}
codec_struct!(Halt {
    round,
    timestamp_ms,
    candidate,
    confirmations
});

impl Feed {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// The last round seen, whether it counts or not; none before the first.
    #[must_use]
    pub fn round_seen(&self) -> Option<u64> {
        let halted = self.halt.map(|halt| halt.round);
        halted.or(self.last.as_ref().map(|last| last.round))
    }

    /// Whether initial margin looks at more nodes.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.last
            .as_ref()
            .is_some_and(|last| last.confidence_bp >= self.confidence_low_bp)
    }
}

impl Encode for CurvePoint {
    fn encode(&self, out: &mut Vec<u8>) {
        self.expiry_ms.encode(out);
        self.basis.encode(out);
        self.rate.encode(out);
        self.smile.level.encode(out);
        self.smile.slope.encode(out);
        self.smile.correlation.encode(out);
        self.smile.shift.encode(out);
        self.smile.width.encode(out);
    }
}

impl Decode for CurvePoint {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let point = Self {
            expiry_ms: Decode::decode(reader)?,
            basis: Decode::decode(reader)?,
            rate: Decode::decode(reader)?,
            smile: SviParameters {
                level: Decode::decode(reader)?,
                slope: Decode::decode(reader)?,
                correlation: Decode::decode(reader)?,
                shift: Decode::decode(reader)?,
                width: Decode::decode(reader)?,
            },
        };
        // Numbers that are no smile are no encoding of one.
        match Svi::new(point.smile) {
            Ok(_) => Ok(point),
            Err(_) => Err(CodecError::NotCanonical { field: "smile" }),
        }
    }
}

impl Encode for FeedRound {
    fn encode(&self, out: &mut Vec<u8>) {
        self.round.encode(out);
        self.timestamp_ms.encode(out);
        self.price.encode(out);
        self.confidence_bp.encode(out);
        encode_list(&self.curves, out);
        encode_list(&self.funding, out);
    }
}

impl Decode for FeedRound {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let round = Self {
            round: Decode::decode(reader)?,
            timestamp_ms: Decode::decode(reader)?,
            price: Decode::decode(reader)?,
            confidence_bp: Decode::decode(reader)?,
            curves: reader.list("curves", CURVES_MAX)?,
            funding: reader.list("funding rates", FUNDING_MAX)?,
        };
        let expiries = round.curves.windows(2);
        let perpetuals = round.funding.windows(2);
        if !expiries
            .into_iter()
            .all(|two| two[0].expiry_ms < two[1].expiry_ms)
        {
            return Err(CodecError::NotCanonical { field: "curves" });
        }
        if !perpetuals
            .into_iter()
            .all(|two| two[0].instrument < two[1].instrument)
        {
            return Err(CodecError::NotCanonical {
                field: "funding rates",
            });
        }
        Ok(round)
    }
}

impl Encode for Feed {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.key.encode(out);
        self.grid_step.encode(out);
        for factor in self.volatility_factors {
            factor.encode(out);
        }
        self.age_most_ms.encode(out);
        self.band_bp.encode(out);
        self.confidence_low_bp.encode(out);
        self.confidence_most_bp.encode(out);
        encode_option(self.last.as_ref(), out);
        encode_option(self.halt.as_ref(), out);
    }
}

impl Decode for Feed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "feed", Self::VERSION)?;
        let key = Decode::decode(reader)?;
        let grid_step = Decode::decode(reader)?;
        let mut volatility_factors = [0; VOLATILITIES];
        for factor in &mut volatility_factors {
            *factor = Decode::decode(reader)?;
        }
        Ok(Self {
            key,
            grid_step,
            volatility_factors,
            age_most_ms: Decode::decode(reader)?,
            band_bp: Decode::decode(reader)?,
            confidence_low_bp: Decode::decode(reader)?,
            confidence_most_bp: Decode::decode(reader)?,
            last: decode_option(reader, "round")?,
            halt: decode_option(reader, "halt")?,
        })
    }
}
