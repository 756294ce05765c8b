//! Orders that venues match, and the fills they report.

use quorate_types::{
    AccountId, Blake3, ChainId, CodecError, Decode, DomainTag, Encode, Hash32, IdentitySignature,
    InstrumentId, Reader, Round, ShardId, codec_struct, decode_flag, decode_version, encode_flag,
};

/// Permission for a venue to trade for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The chain.
    pub chain: ChainId,
    /// The shard.
    pub shard: ShardId,
    /// Whose order it is.
    pub account: AccountId,
    /// The only venue that may fill it.
    pub venue: AccountId,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Whether it buys.
    pub is_buy: bool,
    /// Most lots, over all fills.
    pub lots: u64,
    /// The worst price, in 1e-8 quote.
    pub limit_price: i64,
    /// The highest fee, in millionths of the value traded.
    pub fee_cap_ppm: u32,
    /// Whether fills may only make a position smaller.
    pub is_reduce_only: bool,
    /// The last round at which it is good.
    pub expires: Round,
    /// Tells apart orders that are alike.
    pub nonce: u64,
}

impl Order {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// BLAKE3 of the canonical encoding: its id, and what its signature signs.
    #[must_use]
    pub fn id(&self) -> Hash32 {
        Hash32(
            Blake3::new(DomainTag::OrderId)
                .chain(self.to_bytes())
                .finish(),
        )
    }
}

impl Encode for Order {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.shard.encode(out);
        self.account.encode(out);
        self.venue.encode(out);
        self.instrument.encode(out);
        encode_flag(self.is_buy, out);
        self.lots.encode(out);
        self.limit_price.encode(out);
        self.fee_cap_ppm.encode(out);
        encode_flag(self.is_reduce_only, out);
        self.expires.encode(out);
        self.nonce.encode(out);
    }
}

impl Decode for Order {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "order", Self::VERSION)?;
        Ok(Self {
            chain: Decode::decode(reader)?,
            shard: Decode::decode(reader)?,
            account: Decode::decode(reader)?,
            venue: Decode::decode(reader)?,
            instrument: Decode::decode(reader)?,
            is_buy: decode_flag(reader, "side")?,
            lots: Decode::decode(reader)?,
            limit_price: Decode::decode(reader)?,
            fee_cap_ppm: Decode::decode(reader)?,
            is_reduce_only: decode_flag(reader, "reduce only")?,
            expires: Decode::decode(reader)?,
            nonce: Decode::decode(reader)?,
        })
    }
}

/// An order and its owner's signature over its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedOrder {
    /// The order.
    pub order: Order,
    /// Ed25519.
    pub signature: IdentitySignature,
}
codec_struct!(SignedOrder { order, signature });

/// Two orders that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order that buys.
    pub buy: SignedOrder,
    /// The order that sells.
    pub sell: SignedOrder,
    /// How many lots.
    pub lots: u64,
    /// At which price, in 1e-8 quote.
    pub price: i64,
}
codec_struct!(Fill {
    buy,
    sell,
    lots,
    price
});
