//! Assets: what collateral counts for, and the totals over the market.

use quorate_types::{
    CodecError, Decode, Encode, FeedId, Reader, codec_struct, decode_option, decode_version,
    encode_option,
};

/// An asset's facts and totals. The special accounts Insurance, Fees and Dust are here, asset by asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Decimal digits behind the point when shown.
    pub decimals: u8,
    /// How it counts as collateral; none for the quote asset, which counts in full.
    pub collateral: Option<Collateral>,
    /// Atoms that came in by deposits.
    pub deposited: u128,
    /// Atoms that left by withdrawals.
    pub withdrawn: u128,
    /// Atoms that came from other shards, less those that went there.
    pub abroad: i128,
    /// Atoms of the insurance fund.
    pub insurance: u128,
    /// Atoms of fees collected.
    pub fees: u128,
    /// What rounding left over, in atoms times [`SCALE`](quorate_margin::SCALE): whole atoms leg by leg from trades, and
    /// parts of atoms from payoffs.
    pub dust: i128,
}

/// How an asset counts as collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collateral {
    /// The feed that prices it.
    pub feed: FeedId,
    /// Atoms of one margin lot; only whole lots count.
    pub lot_atoms: u64,
    /// Units of the asset in one margin lot, in 1e-6.
    pub multiplier: u32,
    /// What initial margin leaves out of its value, in basis points.
    pub haircut_initial_bp: u32,
    /// What maintenance margin leaves out of its value, in basis points; no more than the other.
    pub haircut_maintenance_bp: u32,
}
codec_struct!(Collateral {
    feed,
    lot_atoms,
    multiplier,
    haircut_initial_bp,
    haircut_maintenance_bp
});

impl Asset {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// An asset of which nothing is in the market.
    #[must_use]
    pub const fn new(decimals: u8, collateral: Option<Collateral>) -> Self {
        Self {
            decimals,
            collateral,
            deposited: 0,
            withdrawn: 0,
            abroad: 0,
            insurance: 0,
            fees: 0,
            dust: 0,
        }
    }
}

impl Encode for Asset {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.decimals.encode(out);
        encode_option(self.collateral.as_ref(), out);
        self.deposited.encode(out);
        self.withdrawn.encode(out);
        self.abroad.encode(out);
        self.insurance.encode(out);
        self.fees.encode(out);
        self.dust.encode(out);
    }
}

impl Decode for Asset {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "settlement asset", Self::VERSION)?;
        Ok(Self {
            decimals: Decode::decode(reader)?,
            collateral: decode_option(reader, "collateral")?,
            deposited: Decode::decode(reader)?,
            withdrawn: Decode::decode(reader)?,
            abroad: Decode::decode(reader)?,
            insurance: Decode::decode(reader)?,
            fees: Decode::decode(reader)?,
            dust: Decode::decode(reader)?,
        })
    }
}
