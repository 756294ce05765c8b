//! What is in doubt across shards (SETTLEMENT 2.5).

use quorate_types::{
    AccountId, CodecError, Decode, Encode, Reader, Round, ShardId, decode_flag, decode_version,
    encode_flag, encode_list, require_ascending,
};

use crate::limits::PEERS_MAX;

/// An operation that this shard prepared and that is not decided: quote atoms that an account may pay to, or get from,
/// accounts on other shards. The amount is in the account's escrow, not locked: it trades on meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The account.
    pub account: AccountId,
    /// Its number in the account's escrow.
    pub number: u64,
    /// Quote atoms of collateral that it brings, negative if it costs.
    pub cash: i128,
    /// Until which round a certified credit counts against a margin call.
    pub deadline: Round,
    /// The other shards, ascending.
    pub peers: Vec<ShardId>,
    /// Those known to have prepared, ascending.
    pub prepared: Vec<ShardId>,
    /// Whether a peer is known to have refused.
    pub is_refused: bool,
}

impl Doubt {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Whether all peers are known to have prepared, so that nothing can keep it from being applied.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.prepared == self.peers
    }
}

impl Encode for Doubt {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.account.encode(out);
        self.number.encode(out);
        self.cash.encode(out);
        self.deadline.encode(out);
        encode_list(&self.peers, out);
        encode_list(&self.prepared, out);
        encode_flag(self.is_refused, out);
    }
}

impl Decode for Doubt {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "doubt", Self::VERSION)?;
        let doubt = Self {
            account: Decode::decode(reader)?,
            number: Decode::decode(reader)?,
            cash: Decode::decode(reader)?,
            deadline: Decode::decode(reader)?,
            peers: reader.list("peers", PEERS_MAX)?,
            prepared: reader.list("prepared peers", PEERS_MAX)?,
            is_refused: decode_flag(reader, "refusal")?,
        };
        require_ascending(&doubt.peers, "peers")?;
        require_ascending(&doubt.prepared, "prepared peers")?;
        Ok(doubt)
    }
}

/// How an operation across shards ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it was applied; if not, it was released.
    pub is_applied: bool,
    /// When.
    pub round: Round,
}

impl Decision {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
}

impl Encode for Decision {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        encode_flag(self.is_applied, out);
        self.round.encode(out);
    }
}

impl Decode for Decision {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "decision", Self::VERSION)?;
        Ok(Self {
            is_applied: decode_flag(reader, "decision")?,
            round: Decode::decode(reader)?,
        })
    }
}

/// What a peer's certified receipt says of an operation across shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerOutcome {
    /// It holds its part in escrow and will apply it.
    Prepared,
    /// It will never prepare.
    Refused,
}

impl Encode for PeerOutcome {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Prepared => 1,
            Self::Refused => 2,
        });
    }
}

impl Decode for PeerOutcome {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Prepared),
            2 => Ok(Self::Refused),
            found => Err(CodecError::Variant {
                value: "outcome of a peer",
                found,
            }),
        }
    }
}
