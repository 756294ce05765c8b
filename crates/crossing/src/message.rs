//! What shards say to each other, and the bytes that it travels as.
//!
//! Source: SHARDING 1.3. A message's bytes are the leaf of its channel's tree. A receipt's leaf has the root over its credits
//! and not the credits themselves, which travel beside it: so one credit is proved to its payee by two short paths.

use quorate_types::{
    AccountId, AssetId, CodecError, Decode, Encode, Epoch, Hash32, Height, Reader, ShardId,
    codec_struct, decode_option, decode_version, encode_option, merkle_root,
};

use crate::limits::{CREDITS_MAX, LEGS_MAX, MESSAGE_BYTES_MAX};
use crate::transaction::{AtomicId, CreditLeg, SignedAtomic};

/// One message of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The shard that says it.
    pub source: ShardId,
    /// The shard that it is for.
    pub destination: ShardId,
    /// Its place in the channel, from 0 without gaps.
    pub sequence: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says. Each is applicable in every state: what does not fit is ignored with an
/// [`Alarm`](crate::Alarm), and credits that cannot be made bounce or are suspended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// Decider to voter: vote on this.
    Prepare(Box<SignedAtomic>),
    /// Voter to decider.
    Vote(Box<Vote>),
    /// Decider to participant: this is how it ended.
    Decision(Decision),
    /// Credits of transfers.
    Receipt(Receipt),
    /// Credits that could not be made, back to who paid them.
    Bounce(Receipt),
    /// Beacon to all: abort what waits for a vote of this shard.
    ForceAbort {
        /// The shard that does not answer.
        shard: ShardId,
    },
    /// Beacon to all others: take no more certificates of this shard and epoch, and say how far you are.
    Freeze {
        /// The shard that no longer moves.
        shard: ShardId,
        /// The epoch of its committee.
        epoch: Epoch,
    },
    /// The answer to the beacon's freeze.
    FreezeAck(FreezeAck),
    /// Beacon to all others: the shard goes on from here with other keys.
    Retire(Retire),
}

/// Final for its transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The transaction.
    pub transaction: AtomicId,
    /// The voter's epoch.
    pub epoch: Epoch,
    /// Digest of the voter's legs; see [`Participant::legs_digest`](crate::Participant::legs_digest).
    pub legs: Hash32,
    /// What it votes.
    pub answer: Answer,
    /// The transaction itself, if the voter has it from a client: the decider may not know it yet.
    pub submitted: Option<Box<SignedAtomic>>,
}

/// YES or NO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The debits are held.
    Yes {
        /// Lock version of each debited account after its hold was made, in the order of the debits.
        lock_versions: Vec<u64>,
    },
    /// Nothing is held, or ever will be.
    No(Reason),
}

/// Why a shard votes NO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A debited account is missing or has too little.
    Funds,
    /// The shard is past the epoch of expiry.
    Expired,
    /// The transaction is not well-formed, not signed, or has no legs here.
    Invalid,
    /// Too many transactions are remembered.
    Full,
}

/// How an atomic transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// All legs happen.
    Commit,
    /// None does.
    Abort,
}

/// The decider's word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The transaction.
    pub transaction: AtomicId,
    /// How it ended.
    pub outcome: Outcome,
    /// The transaction's last epoch: until then the participant remembers.
    pub expiry: Epoch,
    /// What the decision rests on: BLAKE3 over who voted YES; zero for an abort.
    pub votes: Hash32,
    /// What the participant's accounts are paid; nothing for an abort.
    pub credits: Vec<CreditLeg>,
}

/// One transfer's credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credit {
    /// Who is paid.
    pub account: AccountId,
    /// Atoms.
    pub amount: u128,
    /// Who paid, on the shard that says so: a bounce goes there.
    pub payer: AccountId,
    /// The client's own reference.
    pub reference: Hash32,
}
codec_struct!(Credit {
    account,
    amount,
    payer,
    reference
});

/// All transfers of one commit to one shard in one asset, netted: one amount, and a root over the credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// What is credited.
    pub asset: AssetId,
    /// Sum of the credits.
    pub total: u128,
    /// How many credits there are.
    pub count: u32,
    /// RFC 6962 root over them.
    pub root: Hash32,
}
codec_struct!(Receipt {
    asset,
    total,
    count,
    root
});

impl Receipt {
    /// The receipt of these credits, or `None` if they are none, too many, or more than 128 bits together.
    #[must_use]
    pub fn of(asset: AssetId, credits: &[Credit]) -> Option<Self> {
        let count = u32::try_from(credits.len()).ok()?;
        let mut amounts = credits.iter().map(|credit| credit.amount);
        let total = amounts.try_fold(0u128, u128::checked_add)?;
        (1..=CREDITS_MAX).contains(&count).then(|| Self {
            asset,
            total,
            count,
            root: merkle_root(credits.iter().map(Encode::to_bytes)),
        })
    }
}

/// How far a shard is with another that is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FreezeAck {
    /// The frozen shard.
    pub shard: ShardId,
    /// Its frozen epoch.
    pub epoch: Epoch,
    /// The highest of its certified heights that was used here; 0 if none was.
    pub height: Height,
    /// How many of its messages were consumed here.
    pub consumed: u64,
    /// Root of the channel over those messages: shows a fork if the shard's own differs.
    pub root: Hash32,
}
codec_struct!(FreezeAck {
    shard,
    epoch,
    height,
    consumed,
    root
});

/// Where a frozen shard goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retire {
    /// The shard.
    pub shard: ShardId,
    /// The epoch that ends.
    pub epoch: Epoch,
    /// Its last height: the highest that anybody used. What the old committee did above it never happened.
    pub height: Height,
    /// The epoch of the committee that goes on above it.
    pub next: Epoch,
}
codec_struct!(Retire {
    shard,
    epoch,
    height,
    next
});

/// A message as it travels: the bytes that are in the channel's tree, and the credits that a receipt's root stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parcel {
    /// Encoding of a [`Message`].
    pub message: Vec<u8>,
    /// Credits of a receipt or a bounce; empty otherwise.
    pub credits: Vec<Credit>,
}

impl Encode for Parcel {
    fn encode(&self, out: &mut Vec<u8>) {
        quorate_types::encode_list(&self.message, out);
        quorate_types::encode_list(&self.credits, out);
    }
}

impl Decode for Parcel {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let length = reader.count("message", MESSAGE_BYTES_MAX)?;
        let message = reader.take(length)?.to_vec();
        let credits = reader.list("credits", CREDITS_MAX)?;
        Ok(Self { message, credits })
    }
}

impl Message {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.source.encode(out);
        self.destination.encode(out);
        self.sequence.encode(out);
        self.body.encode(out);
    }
}

impl Decode for Message {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "message", Self::VERSION)?;
        Ok(Self {
            source: Decode::decode(reader)?,
            destination: Decode::decode(reader)?,
            sequence: Decode::decode(reader)?,
            body: Decode::decode(reader)?,
        })
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        let kind: u8 = match self {
            Self::Prepare(_) => 1,
            Self::Vote(_) => 2,
            Self::Decision(_) => 3,
            Self::Receipt(_) => 4,
            Self::Bounce(_) => 5,
            Self::ForceAbort { .. } => 6,
            Self::Freeze { .. } => 7,
            Self::FreezeAck(_) => 8,
            Self::Retire(_) => 9,
        };
        kind.encode(out);
        match self {
            Self::Prepare(signed) => signed.encode(out),
            Self::Vote(vote) => vote.encode(out),
            Self::Decision(decision) => decision.encode(out),
            Self::Receipt(receipt) | Self::Bounce(receipt) => receipt.encode(out),
            Self::ForceAbort { shard } => shard.encode(out),
            Self::Freeze { shard, epoch } => {
                shard.encode(out);
                epoch.encode(out);
            }
            Self::FreezeAck(ack) => ack.encode(out),
            Self::Retire(retire) => retire.encode(out),
        }
    }
}

impl Decode for Body {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match u8::decode(reader)? {
            1 => Self::Prepare(Box::new(Decode::decode(reader)?)),
            2 => Self::Vote(Box::new(Decode::decode(reader)?)),
            3 => Self::Decision(Decode::decode(reader)?),
            4 => Self::Receipt(Decode::decode(reader)?),
            5 => Self::Bounce(Decode::decode(reader)?),
            6 => Self::ForceAbort {
                shard: Decode::decode(reader)?,
            },
            7 => Self::Freeze {
                shard: Decode::decode(reader)?,
                epoch: Decode::decode(reader)?,
            },
            8 => Self::FreezeAck(Decode::decode(reader)?),
            9 => Self::Retire(Decode::decode(reader)?),
            found => return Err(unknown("message body", found)),
        })
    }
}

impl Encode for Vote {
    fn encode(&self, out: &mut Vec<u8>) {
        self.transaction.encode(out);
        self.epoch.encode(out);
        self.legs.encode(out);
        self.answer.encode(out);
        encode_option(self.submitted.as_deref(), out);
    }
}

impl Decode for Vote {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            transaction: Decode::decode(reader)?,
            epoch: Decode::decode(reader)?,
            legs: Decode::decode(reader)?,
            answer: Decode::decode(reader)?,
            submitted: decode_option(reader, "submitted transaction")?.map(Box::new),
        })
    }
}

impl Encode for Answer {
    fn encode(&self, out: &mut Vec<u8>) {
        let reason: u8 = match self {
            Self::Yes { lock_versions } => {
                out.push(0);
                quorate_types::encode_list(lock_versions, out);
                return;
            }
            Self::No(Reason::Funds) => 1,
            Self::No(Reason::Expired) => 2,
            Self::No(Reason::Invalid) => 3,
            Self::No(Reason::Full) => 4,
        };
        reason.encode(out);
    }
}

impl Decode for Answer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match u8::decode(reader)? {
            0 => Self::Yes {
                lock_versions: reader.list("lock versions", LEGS_MAX)?,
            },
            1 => Self::No(Reason::Funds),
            2 => Self::No(Reason::Expired),
            3 => Self::No(Reason::Invalid),
            4 => Self::No(Reason::Full),
            found => return Err(unknown("answer", found)),
        })
    }
}

impl Encode for Outcome {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Abort => 0,
            Self::Commit => 1,
        });
    }
}

impl Decode for Outcome {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Abort),
            1 => Ok(Self::Commit),
            found => Err(unknown("outcome", found)),
        }
    }
}

impl Encode for Decision {
    fn encode(&self, out: &mut Vec<u8>) {
        self.transaction.encode(out);
        self.outcome.encode(out);
        self.expiry.encode(out);
        self.votes.encode(out);
        quorate_types::encode_list(&self.credits, out);
    }
}

impl Decode for Decision {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            transaction: Decode::decode(reader)?,
            outcome: Decode::decode(reader)?,
            expiry: Decode::decode(reader)?,
            votes: Decode::decode(reader)?,
            credits: reader.list("decision's credits", LEGS_MAX)?,
        })
    }
}

const fn unknown(value: &'static str, found: u8) -> CodecError {
    CodecError::Variant { value, found }
}
