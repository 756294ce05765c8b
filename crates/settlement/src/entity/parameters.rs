//! Parameters by version, and the clock.

use quorate_types::{
    CodecError, Decode, Encode, Epoch, Reader, Round, codec_struct, decode_option, decode_version,
    encode_option,
};

use crate::codec::codec_versioned;
use crate::limits::{DOUBTS_MAX, POSITIONS_MAX};

/// What governance sets for a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Counts changes, from 1.
    pub version: u32,
    /// What each side of a trade pays, in millionths of the value traded.
    pub fee_ppm: u32,
    /// How far a trade's price may be from the mark, in basis points of the underlying's price.
    pub trade_band_bp: u32,
    /// Rounds between a margin call and liquidation.
    pub grace_rounds: u64,
    /// A shortage beyond this part of the maintenance requirement is liquidated without grace, in basis points.
    pub severe_bp: u32,
    /// The auction's first discount, in basis points of the values that change hands.
    pub auction_start_bp: u32,
    /// What the discount grows by each round, in basis points.
    pub auction_step_bp: u32,
    /// The largest discount, in basis points.
    pub auction_most_bp: u32,
    /// Rounds of auction before an insolvent account is absorbed.
    pub auction_rounds: u64,
    /// The insurance fund's part of what liquidators get, in basis points.
    pub insurance_share_bp: u32,
    /// Rounds between revoking a line of credit and its end.
    pub unbonding_rounds: u64,
    /// Most operations across shards that one account may have in doubt.
    pub doubts_max: u32,
    /// Most rounds that a deadline across shards may be away.
    pub doubt_rounds_max: u64,
    /// Most instruments in which an account may hold positions.
    pub positions_max: u32,
    /// How far an oracle's time may be ahead, in milliseconds.
    pub clock_drift_ms: u64,
    /// Rounds that must confirm a jump before it counts.
    pub halt_confirmations: u32,
}
codec_struct!(Parameters {
    version,
    fee_ppm,
    trade_band_bp,
    grace_rounds,
    severe_bp,
    auction_start_bp,
    auction_step_bp,
    auction_most_bp,
    auction_rounds,
    insurance_share_bp,
    unbonding_rounds,
    doubts_max,
    doubt_rounds_max,
    positions_max,
    clock_drift_ms,
    halt_confirmations,
});

impl Default for Parameters {
    fn default() -> Self {
        Self {
            version: 1,
            fee_ppm: 200,
            trade_band_bp: 500,
            grace_rounds: 20,
            severe_bp: 5_000,
            auction_start_bp: 20,
            auction_step_bp: 5,
            auction_most_bp: 500,
            auction_rounds: 40,
            insurance_share_bp: 2_500,
            unbonding_rounds: 30,
            doubts_max: 16,
            doubt_rounds_max: 200,
            positions_max: 512,
            clock_drift_ms: 2_000,
            halt_confirmations: 2,
        }
    }
}

impl Parameters {
    /// Whether every part of a whole is one, and every bound within this crate's.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.fee_ppm <= 1_000_000
            && self.severe_bp <= 10_000
            && self.auction_start_bp <= self.auction_most_bp
            && self.auction_most_bp <= 10_000
            && self.insurance_share_bp <= 10_000
            && self.doubts_max <= DOUBTS_MAX
            && self.positions_max <= POSITIONS_MAX
    }
}

/// The parameters in force, and those that will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterState {
    /// In force.
    pub current: Parameters,
    /// In force from the epoch on, if a change was accepted.
    pub next: Option<(Epoch, Parameters)>,
}

impl ParameterState {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
}

impl Encode for ParameterState {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.current.encode(out);
        encode_option(self.next.as_ref().map(|next| &next.0), out);
        if let Some((_, parameters)) = &self.next {
            parameters.encode(out);
        }
    }
}

impl Decode for ParameterState {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "parameters", Self::VERSION)?;
        let current = Decode::decode(reader)?;
        let epoch: Option<Epoch> = decode_option(reader, "next parameters")?;
        let next = match epoch {
            Some(epoch) => Some((epoch, Decode::decode(reader)?)),
            None => None,
        };
        Ok(Self { current, next })
    }
}

/// Where the market stands: what the last operation or block saw, and how many withdrawals left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The leader's round.
    pub round: Round,
    /// Milliseconds, monotone.
    pub now_ms: u64,
    /// The epoch.
    pub epoch: Epoch,
    /// Number of the next withdrawal.
    pub outbox_next: u64,
}
codec_versioned!(Clock, "clock", 1 { round, now_ms, epoch, outbox_next });
