//! The keys that entries of the state stand under.

use quorate_types::{
    AccountId, AssetId, Blake3, CodecError, Decode, DomainTag, Encode, FeedId, Hash32,
    InstrumentId, Reader, codec_struct,
};

/// Names a line of credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BudgetKey {
    /// Who granted it.
    pub account: AccountId,
    /// To which venue.
    pub venue: AccountId,
    /// On which feed.
    pub feed: FeedId,
}
codec_struct!(BudgetKey {
    account,
    venue,
    feed
});

/// What an entry of the state is about. First bytes follow those of the ledger's own keys, so that both fit one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKey {
    /// A [`Clock`](crate::Clock).
    Clock,
    /// A [`ParameterState`](crate::ParameterState).
    Parameters,
    /// An [`Asset`](crate::Asset).
    Asset(AssetId),
    /// A [`Feed`](crate::Feed).
    Feed(FeedId),
    /// An [`Instrument`](crate::Instrument).
    Instrument(InstrumentId),
    /// An [`Account`](crate::Account).
    Account(AccountId),
    /// Number of the next deposit of a source.
    Source(u32),
    /// An [`OrderFill`](crate::OrderFill), by order id.
    Order(Hash32),
    /// A [`Budget`](crate::Budget).
    Budget(BudgetKey),
    /// A [`Doubt`](crate::Doubt).
    Doubt(Hash32),
    /// A [`Decision`](crate::Decision).
    Decision(Hash32),
}

impl EntryKey {
    /// The leaf's place in a state tree: BLAKE3 over the key.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        Hash32(
            Blake3::new(DomainTag::StateKey)
                .chain(self.to_bytes())
                .finish(),
        )
    }
}

impl Encode for EntryKey {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Clock => out.push(16),
            Self::Parameters => out.push(17),
            Self::Asset(id) => {
                out.push(18);
                id.encode(out);
            }
            Self::Feed(id) => {
                out.push(19);
                id.encode(out);
            }
            Self::Instrument(id) => {
                out.push(20);
                id.encode(out);
            }
            Self::Account(id) => {
                out.push(21);
                id.encode(out);
            }
            Self::Source(source) => {
                out.push(22);
                source.encode(out);
            }
            Self::Order(id) => {
                out.push(23);
                id.encode(out);
            }
            Self::Budget(key) => {
                out.push(24);
                key.encode(out);
            }
            Self::Doubt(id) => {
                out.push(25);
                id.encode(out);
            }
            Self::Decision(id) => {
                out.push(26);
                id.encode(out);
            }
        }
    }
}

impl Decode for EntryKey {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match u8::decode(reader)? {
            16 => Self::Clock,
            17 => Self::Parameters,
            18 => Self::Asset(Decode::decode(reader)?),
            19 => Self::Feed(Decode::decode(reader)?),
            20 => Self::Instrument(Decode::decode(reader)?),
            21 => Self::Account(Decode::decode(reader)?),
            22 => Self::Source(Decode::decode(reader)?),
            23 => Self::Order(Decode::decode(reader)?),
            24 => Self::Budget(Decode::decode(reader)?),
            25 => Self::Doubt(Decode::decode(reader)?),
            26 => Self::Decision(Decode::decode(reader)?),
            found => {
                return Err(CodecError::Variant {
                    value: "entry key",
                    found,
                });
            }
        })
    }
}
