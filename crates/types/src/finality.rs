//! Headers, finality shares and certificates.

use alloc::vec::Vec;

use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, decode_version};
use crate::domain::DomainTag;
use crate::hash::Sha256;
use crate::ids::{
    BlockId, ChainId, CommitteeHash, Epoch, Hash32, HeaderHash, Height, Round, ShardId, Signature,
    ValidatorIndex,
};

/// What executing the commit at one height gave. Its hash is what a certificate signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The chain.
    pub chain: ChainId,
    /// The shard.
    pub shard: ShardId,
    /// The epoch whose committee certifies this height.
    pub epoch: Epoch,
    /// Position of the commit; genesis is 0.
    pub height: Height,
    /// Hash of the header at `height - 1`; zero at genesis.
    pub previous: HeaderHash,
    /// Round of the leader block that was committed; 0 at genesis.
    pub leader_round: Round,
    /// Author of the leader block.
    pub leader_author: ValidatorIndex,
    /// The leader block.
    pub leader: BlockId,
    /// Median of the timestamps claimed by the leader's parents, never lower than the previous header's.
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// How many transactions the chain has ordered up to and including this height.
    pub transactions_total: u64,
    /// RFC 6962 root over the references (round, author, id) of the commit's blocks, in their order; each id binds its block's
    /// payload.
    pub blocks_root: Hash32,
    /// RFC 6962 root over the commit's receipts, in the order of execution.
    pub receipts_root: Hash32,
    /// RFC 6962 root over messages to other shards; the root of an empty tree while there are none.
    pub outbox_root: Hash32,
    /// Root of the state tree after the commit.
    pub state_root: Hash32,
    /// Hash of the next committee, in the last header of an epoch; zero in all others.
    pub next_committee: CommitteeHash,
}

impl Header {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
    /// The length of the encoding in bytes.
    pub const LENGTH: usize = 2 + 32 + 4 + 8 + 8 + 32 + 8 + 2 + 32 + 8 + 8 + 5 * 32;

    /// The next committee, if this is the last header of its committee's term: then its certificate is the hand-over.
    #[must_use]
    pub fn successor(&self) -> Option<CommitteeHash> {
        (self.next_committee != CommitteeHash::ZERO).then_some(self.next_committee)
    }

    /// SHA-256 of the canonical encoding under its tag.
    #[must_use]
    pub fn hash(&self) -> HeaderHash {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        self.encode(&mut bytes);
        HeaderHash(Sha256::new(DomainTag::Header).chain(bytes).finish())
    }
}

/// A header without what is known from the key that certifies it: version, chain, shard and epoch. 78 bytes less for each
/// [`ProofBundle`](crate::ProofBundle), of which 32 because the next committee's hash is there only if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderContent {
    /// As [`Header::height`].
    pub height: Height,
    /// As [`Header::previous`].
    pub previous: HeaderHash,
    /// As [`Header::leader_round`].
    pub leader_round: Round,
    /// As [`Header::leader_author`].
    pub leader_author: ValidatorIndex,
    /// As [`Header::leader`].
    pub leader: BlockId,
    /// As [`Header::timestamp_ms`].
    pub timestamp_ms: u64,
    /// As [`Header::transactions_total`].
    pub transactions_total: u64,
    /// As [`Header::blocks_root`].
    pub blocks_root: Hash32,
    /// As [`Header::receipts_root`].
    pub receipts_root: Hash32,
    /// As [`Header::outbox_root`].
    pub outbox_root: Hash32,
    /// As [`Header::state_root`].
    pub state_root: Hash32,
    /// As [`Header::next_committee`]; `None` for zero.
    pub next_committee: Option<CommitteeHash>,
}

impl HeaderContent {
    /// What `header` holds besides version, chain, shard and epoch.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self {
            height: header.height,
            previous: header.previous,
            leader_round: header.leader_round,
            leader_author: header.leader_author,
            leader: header.leader,
            timestamp_ms: header.timestamp_ms,
            transactions_total: header.transactions_total,
            blocks_root: header.blocks_root,
            receipts_root: header.receipts_root,
            outbox_root: header.outbox_root,
            state_root: header.state_root,
            next_committee: header.successor(),
        }
    }

    /// The whole header.
    #[must_use]
    pub fn with(&self, chain: ChainId, shard: ShardId, epoch: Epoch) -> Header {
        Header {
            chain,
            shard,
            epoch,
            height: self.height,
            previous: self.previous,
            leader_round: self.leader_round,
            leader_author: self.leader_author,
            leader: self.leader,
            timestamp_ms: self.timestamp_ms,
            transactions_total: self.transactions_total,
            blocks_root: self.blocks_root,
            receipts_root: self.receipts_root,
            outbox_root: self.outbox_root,
            state_root: self.state_root,
            next_committee: self.next_committee.unwrap_or(CommitteeHash::ZERO),
        }
    }
}

impl Encode for HeaderContent {
    fn encode(&self, out: &mut Vec<u8>) {
        self.height.encode(out);
        self.previous.encode(out);
        self.leader_round.encode(out);
        self.leader_author.encode(out);
        self.leader.encode(out);
        self.timestamp_ms.encode(out);
        self.transactions_total.encode(out);
        self.blocks_root.encode(out);
        self.receipts_root.encode(out);
        self.outbox_root.encode(out);
        self.state_root.encode(out);
        match &self.next_committee {
            None => out.push(0),
            Some(committee) => {
                out.push(1);
                committee.encode(out);
            }
        }
    }
}

impl Decode for HeaderContent {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: Decode::decode(reader)?,
            previous: Decode::decode(reader)?,
            leader_round: Decode::decode(reader)?,
            leader_author: Decode::decode(reader)?,
            leader: Decode::decode(reader)?,
            timestamp_ms: Decode::decode(reader)?,
            transactions_total: Decode::decode(reader)?,
            blocks_root: Decode::decode(reader)?,
            receipts_root: Decode::decode(reader)?,
            outbox_root: Decode::decode(reader)?,
            state_root: Decode::decode(reader)?,
            next_committee: decode_successor(reader)?,
        })
    }
}

/// A committee's hash or none, for which zero is no second spelling.
fn decode_successor(reader: &mut Reader<'_>) -> Result<Option<CommitteeHash>, CodecError> {
    match u8::decode(reader)? {
        0 => Ok(None),
        1 => match CommitteeHash::decode(reader)? {
            CommitteeHash::ZERO => Err(CodecError::NotCanonical {
                field: "next committee",
            }),
            committee => Ok(Some(committee)),
        },
        found => Err(CodecError::Variant {
            value: "next committee",
            found,
        }),
    }
}

impl CommitteeHash {
    /// No committee: what all headers name as the next one but the last of a term.
    pub const ZERO: Self = Self([0; 32]);
}

impl HeaderHash {
    /// The message given to BLS for a header with this hash: the tag `finality` and the hash, 40 bytes.
    #[must_use]
    pub fn signing_bytes(&self) -> [u8; 40] {
        let mut message = [0; 40];
        message[..8].copy_from_slice(DomainTag::Finality.bytes());
        message[8..].copy_from_slice(&self.0);
        message
    }
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.shard.encode(out);
        self.epoch.encode(out);
        self.height.encode(out);
        self.previous.encode(out);
        self.leader_round.encode(out);
        self.leader_author.encode(out);
        self.leader.encode(out);
        self.timestamp_ms.encode(out);
        self.transactions_total.encode(out);
        self.blocks_root.encode(out);
        self.receipts_root.encode(out);
        self.outbox_root.encode(out);
        self.state_root.encode(out);
        self.next_committee.encode(out);
    }
}

impl Decode for Header {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "header", Self::VERSION)?;
        Ok(Self {
            chain: Decode::decode(reader)?,
            shard: Decode::decode(reader)?,
            epoch: Decode::decode(reader)?,
            height: Decode::decode(reader)?,
            previous: Decode::decode(reader)?,
            leader_round: Decode::decode(reader)?,
            leader_author: Decode::decode(reader)?,
            leader: Decode::decode(reader)?,
            timestamp_ms: Decode::decode(reader)?,
            transactions_total: Decode::decode(reader)?,
            blocks_root: Decode::decode(reader)?,
            receipts_root: Decode::decode(reader)?,
            outbox_root: Decode::decode(reader)?,
            state_root: Decode::decode(reader)?,
            next_committee: Decode::decode(reader)?,
        })
    }
}

/// One validator's partial signature over a header's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalityShare {
    /// The height signed.
    pub height: Height,
    /// The hash signed.
    pub header_hash: HeaderHash,
    /// The partial signature over [`HeaderHash::signing_bytes`].
    pub signature: Signature,
}
codec_struct!(FinalityShare {
    height,
    header_hash,
    signature
});

/// A header and the committee's one signature over it: final, and with it all heights before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What is final.
    pub header: Header,
    /// BLS signature under the committee's group key over [`HeaderHash::signing_bytes`].
    pub signature: Signature,
}
codec_struct!(Certificate { header, signature });
