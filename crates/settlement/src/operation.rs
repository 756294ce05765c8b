//! What a market is asked to do: signed operations, and what they carry (SETTLEMENT 2.3).

mod body;
mod order;
mod statement;

use quorate_types::{
    AccountId, Blake3, ChainId, CodecError, Decode, DomainTag, Encode, Hash32, IdentitySignature,
    Reader, Round, ShardId, codec_struct, decode_version, encode_list,
};

pub use body::{Body, Leg, NamedRound};
pub use order::{Fill, Order, SignedOrder};
pub use statement::{
    DepositStatement, Listing, OracleStatement, ParameterChange, PeerReceipt, SettlementStatement,
};

/// Signers of one operation: both sides of a trade.
const SIGNERS_MAX: u32 = 2;

/// An operation before it is signed. Those that anybody may ask for have no signers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The chain it is meant for.
    pub chain: ChainId,
    /// The shard it is meant for.
    pub shard: ShardId,
    /// Whose owners sign it, in the order that the body gives them a meaning.
    pub signers: Vec<Signer>,
    /// Last leader round at which it may be applied.
    pub valid_until_round: Round,
    /// Most that it may cost each signer in fees, in quote atoms.
    pub max_fee: u128,
    /// What it does.
    pub body: Body,
}

/// One signer's place in an account's sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The account.
    pub account: AccountId,
    /// Which of its independent sequences.
    pub lane: u16,
    /// The number in it: exactly the lane's next one.
    pub sequence: u64,
}
codec_struct!(Signer {
    account,
    lane,
    sequence
});

impl Operation {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// BLAKE3 of the canonical encoding: what its signatures sign.
    #[must_use]
    pub fn id(&self) -> Hash32 {
        Hash32(
            Blake3::new(DomainTag::SettlementOperation)
                .chain(self.to_bytes())
                .finish(),
        )
    }
}

impl Encode for Operation {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.shard.encode(out);
        encode_list(&self.signers, out);
        self.valid_until_round.encode(out);
        self.max_fee.encode(out);
        self.body.encode(out);
    }
}

impl Decode for Operation {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "settlement operation", Self::VERSION)?;
        Ok(Self {
            chain: Decode::decode(reader)?,
            shard: Decode::decode(reader)?,
            signers: reader.list("signers", SIGNERS_MAX)?,
            valid_until_round: Decode::decode(reader)?,
            max_fee: Decode::decode(reader)?,
            body: Decode::decode(reader)?,
        })
    }
}

/// An operation and one signature for each signer, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOperation {
    /// What is signed.
    pub operation: Operation,
    /// Ed25519 over the operation's id, by each signer's owner.
    pub signatures: Vec<IdentitySignature>,
}

impl Encode for SignedOperation {
    fn encode(&self, out: &mut Vec<u8>) {
        self.operation.encode(out);
        encode_list(&self.signatures, out);
    }
}

impl Decode for SignedOperation {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            operation: Decode::decode(reader)?,
            signatures: reader.list("signatures", SIGNERS_MAX)?,
        })
    }
}
