//! What groups sign with one threshold signature: oracles, the bridge, governance.

use quorate_margin::{AddOn, Contract};
use quorate_types::{
    AssetId, ChainId, CodecError, Decode, DomainTag, Encode, Epoch, FeedId, Hash32, IdentityKey,
    InstrumentId, Reader, ShardId, codec_struct, decode_version,
};

use crate::codec::codec_versioned;
use crate::entity::{FeedRound, Parameters, PeerOutcome};

/// The bytes that a group signs: the tag, then the statement.
fn signing_bytes(tag: DomainTag, statement: &impl Encode) -> Vec<u8> {
    let mut bytes = tag.bytes().to_vec();
    statement.encode(&mut bytes);
    bytes
}

/// One round of a feed, signed by its oracle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OracleStatement {
    /// The chain.
    pub chain: ChainId,
    /// The feed.
    pub feed: FeedId,
    /// What it says.
    pub round: FeedRound,
}
codec_versioned!(OracleStatement, "oracle statement", 1 { chain, feed, round });

impl OracleStatement {
    /// What the oracle's members sign.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        signing_bytes(DomainTag::OracleRound, self)
    }
}

/// The price at which a feed's instruments of one expiry settle: the oracle's mean over the last half hour, which it
/// computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlementStatement {
    /// The chain.
    pub chain: ChainId,
    /// The feed.
    pub feed: FeedId,
    /// The expiry, in milliseconds.
    pub expiry_ms: u64,
    /// In 1e-8 quote.
    pub price: i64,
}
codec_versioned!(SettlementStatement, "settlement statement", 1 { chain, feed, expiry_ms, price });

impl SettlementStatement {
    /// What the oracle's members sign.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        signing_bytes(DomainTag::SettlementPrice, self)
    }
}

/// Value that came from outside, signed by the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositStatement {
    /// The chain.
    pub chain: ChainId,
    /// The shard.
    pub shard: ShardId,
    /// Where it came from.
    pub source: u32,
    /// Number among the deposits from there, without gaps.
    pub number: u64,
    /// Whose account gets it. It is opened if it does not exist: nobody's deposit waits for somebody else.
    pub owner: IdentityKey,
    /// Which of the owner's accounts.
    pub sub: u32,
    /// The asset.
    pub asset: AssetId,
    /// How many atoms.
    pub amount: u128,
}
codec_versioned!(DepositStatement, "deposit statement", 1 { chain, shard, source, number, owner, sub, asset, amount });

impl DepositStatement {
    /// What the bridge's members sign.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        signing_bytes(DomainTag::Deposit, self)
    }
}

/// New parameters from an epoch on, signed by governance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterChange {
    /// The chain.
    pub chain: ChainId,
    /// The shard.
    pub shard: ShardId,
    /// From which epoch on.
    pub epoch: Epoch,
    /// What they will be; their version follows the one in force.
    pub parameters: Parameters,
}
codec_versioned!(ParameterChange, "parameter change", 1 { chain, shard, epoch, parameters });

impl ParameterChange {
    /// What governance signs.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        signing_bytes(DomainTag::Governance, &Numbered(1, self))
    }
}

/// A new instrument, signed by governance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The chain.
    pub chain: ChainId,
    /// The shard.
    pub shard: ShardId,
    /// Its name, which was never used.
    pub instrument: InstrumentId,
    /// The feed that prices it.
    pub feed: FeedId,
    /// Terms and size of a lot.
    pub contract: Contract,
    /// Prices are whole multiples of this, in 1e-8 quote.
    pub tick: i64,
    /// When trading begins, in milliseconds.
    pub trading_from_ms: u64,
    /// Most lots that may be held long together.
    pub open_interest_cap: u64,
    /// Margin beyond the scan.
    pub add_on: AddOn,
}

impl Listing {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// What governance signs.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        signing_bytes(DomainTag::Governance, &Numbered(2, self))
    }
}

impl Encode for Listing {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.shard.encode(out);
        self.instrument.encode(out);
        self.feed.encode(out);
        crate::entity::encode_contract(self.contract, out);
        self.tick.encode(out);
        self.trading_from_ms.encode(out);
        self.open_interest_cap.encode(out);
        crate::entity::encode_add_on(self.add_on, out);
    }
}

impl Decode for Listing {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "listing", Self::VERSION)?;
        Ok(Self {
            chain: Decode::decode(reader)?,
            shard: Decode::decode(reader)?,
            instrument: Decode::decode(reader)?,
            feed: Decode::decode(reader)?,
            contract: crate::entity::decode_contract(reader)?,
            tick: Decode::decode(reader)?,
            trading_from_ms: Decode::decode(reader)?,
            open_interest_cap: Decode::decode(reader)?,
            add_on: crate::entity::decode_add_on(reader)?,
        })
    }
}

/// What a peer shard's certified receipt says of an operation across shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerReceipt {
    /// The operation.
    pub cross: Hash32,
    /// The peer.
    pub shard: ShardId,
    /// What it did.
    pub outcome: PeerOutcome,
}
codec_struct!(PeerReceipt {
    cross,
    shard,
    outcome
});

/// A statement after a number that tells kinds apart under one tag.
struct Numbered<'a, T>(u8, &'a T);

impl<T: Encode> Encode for Numbered<'_, T> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0);
        self.1.encode(out);
    }
}
