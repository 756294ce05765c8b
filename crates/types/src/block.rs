//! Vertices of the DAG.
//!
//! A block is kept as the bytes it was signed as; [`Block`] gives views into them, so a payload is copied once when
//! it is built and never again. The signature is over a hash of the encoding rather than the encoding itself, so that
//! a payload is hashed once, with the fastest hash at hand.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::{CodecError, Decode, Encode, Reader, codec_struct, decode_version, encode_list};
use crate::domain::DomainTag;
use crate::hash::Blake3;
use crate::ids::{
    BlockId, ChainId, Epoch, IdentitySignature, Round, ShardId, Signature, ValidatorIndex,
};
use crate::limits::{
    BLOCK_BYTES_MAX, COMMITTEE_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_TRANSACTIONS_MAX,
    TRANSACTION_BYTES_MAX,
};

/// Names one block: its slot and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    /// The round; first, so that references sort by round.
    pub round: Round,
    /// The author.
    pub author: ValidatorIndex,
    /// The block's id.
    pub id: BlockId,
}
codec_struct!(BlockRef { round, author, id });

impl BlockRef {
    /// The implicit block of `author` at round 0, which every validator holds.
    #[must_use]
    pub fn genesis(chain: &ChainId, shard: ShardId, epoch: Epoch, author: ValidatorIndex) -> Self {
        let id = Blake3::new(DomainTag::GenesisBlock)
            .chain(chain)
            .chain(shard.0.to_le_bytes())
            .chain(epoch.0.to_le_bytes())
            .chain(author.0.to_le_bytes())
            .finish();
        Self {
            round: Round(0),
            author,
            id: BlockId(id),
        }
    }
}

/// A signed block, decoded and bounded but not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    bytes: Bytes,
    reference: BlockRef,
    chain: ChainId,
    shard: ShardId,
    epoch: Epoch,
    timestamp_ms: u64,
    parents: Vec<BlockRef>,
    coin_share: Signature,
    digest: [u8; 32],
    signature: IdentitySignature,
    transactions: u32,
    payload_start: usize,
}

impl core::fmt::Debug for Block {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Block")
            .field("reference", &self.reference)
            .field("parents", &self.parents)
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}

impl Block {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Decodes a block that takes up all of `bytes` and keeps them. Checks form and bounds only: not the signature,
    /// not the committee, not the rules about parents.
    ///
    /// # Errors
    /// The bytes are no canonical block, or above a limit.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let length = bytes.len() as u64;
        if length > u64::from(BLOCK_BYTES_MAX) {
            return Err(CodecError::TooMany {
                field: "block bytes",
                count: length,
                limit: u64::from(BLOCK_BYTES_MAX),
            });
        }
        let mut reader = Reader::new(&bytes);
        decode_version(&mut reader, "block", Self::VERSION)?;
        let chain = ChainId::decode(&mut reader)?;
        let shard = ShardId::decode(&mut reader)?;
        let epoch = Epoch::decode(&mut reader)?;
        let author = ValidatorIndex::decode(&mut reader)?;
        let round = Round::decode(&mut reader)?;
        let timestamp_ms = u64::decode(&mut reader)?;
        let parents = reader.list("parents", u32::from(COMMITTEE_MAX))?;
        let coin_share = Signature::decode(&mut reader)?;
        let transactions = u32::decode(&mut reader)?;
        let payload_start = reader.offset();
        skip_payload(&mut reader, transactions)?;
        let digest = block_digest(&bytes[..reader.offset()]);
        let signature = IdentitySignature::decode(&mut reader)?;
        reader.finish()?;
        let id = block_id(&digest, &signature);
        Ok(Self {
            reference: BlockRef { round, author, id },
            chain,
            shard,
            epoch,
            timestamp_ms,
            parents,
            coin_share,
            digest,
            signature,
            transactions,
            payload_start,
            bytes,
        })
    }

    /// The round in a block's encoding, without a look at the rest: for bytes that were decoded before.
    ///
    /// # Errors
    /// The bytes do not begin as a block does.
    pub fn encoded_round(bytes: &[u8]) -> Result<Round, CodecError> {
        let mut reader = Reader::new(bytes);
        decode_version(&mut reader, "block", Self::VERSION)?;
        ChainId::decode(&mut reader)?;
        ShardId::decode(&mut reader)?;
        Epoch::decode(&mut reader)?;
        ValidatorIndex::decode(&mut reader)?;
        Round::decode(&mut reader)
    }

    /// The whole signed encoding.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
    /// The block's name.
    #[must_use]
    pub const fn reference(&self) -> BlockRef {
        self.reference
    }
    /// The author.
    #[must_use]
    pub const fn author(&self) -> ValidatorIndex {
        self.reference.author
    }
    /// The round.
    #[must_use]
    pub const fn round(&self) -> Round {
        self.reference.round
    }
    /// The chain it is meant for.
    #[must_use]
    pub const fn chain(&self) -> &ChainId {
        &self.chain
    }
    /// The shard it is meant for.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }
    /// The epoch it is meant for.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// When the author says it made the block, in milliseconds since the Unix epoch. No rule of agreement reads it.
    #[must_use]
    pub const fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }
    /// The parents, in the order in which the commit rule walks them: the author's own previous block first.
    #[must_use]
    pub fn parents(&self) -> &[BlockRef] {
        &self.parents
    }
    /// The author's share of the coin of this round.
    #[must_use]
    pub const fn coin_share(&self) -> &Signature {
        &self.coin_share
    }
    /// BLAKE3 of the unsigned encoding: what [`Block::signature`] signs under its tag.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
    /// The author's Ed25519 signature over the digest.
    #[must_use]
    pub const fn signature(&self) -> &IdentitySignature {
        &self.signature
    }
    /// How many transactions it carries.
    #[must_use]
    pub const fn transaction_count(&self) -> u32 {
        self.transactions
    }
    /// The transactions' bytes, in order.
    #[must_use]
    pub fn payload(&self) -> PayloadIter<'_> {
        PayloadIter {
            reader: Reader::new(&self.bytes[self.payload_start..]),
            left: self.transactions,
        }
    }
    /// Bytes of all transactions together, without their length fields.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let fields = self.transactions as usize * 4 + IdentitySignature::LENGTH;
        self.bytes.len() - self.payload_start - fields
    }
}

/// Walks over a payload and checks its bounds.
fn skip_payload(reader: &mut Reader<'_>, transactions: u32) -> Result<(), CodecError> {
    if transactions > PAYLOAD_TRANSACTIONS_MAX {
        return Err(CodecError::TooMany {
            field: "transactions",
            count: u64::from(transactions),
            limit: u64::from(PAYLOAD_TRANSACTIONS_MAX),
        });
    }
    let mut total = 0u64;
    for _ in 0..transactions {
        let length = reader.count("transaction bytes", TRANSACTION_BYTES_MAX)?;
        reader.take(length)?;
        total += length as u64;
    }
    if total > u64::from(PAYLOAD_BYTES_MAX) {
        return Err(CodecError::TooMany {
            field: "payload bytes",
            count: total,
            limit: u64::from(PAYLOAD_BYTES_MAX),
        });
    }
    Ok(())
}

fn block_digest(unsigned: &[u8]) -> [u8; 32] {
    Blake3::new(DomainTag::BlockDigest).chain(unsigned).finish()
}

fn block_id(digest: &[u8; 32], signature: &IdentitySignature) -> BlockId {
    BlockId(
        Blake3::new(DomainTag::BlockId)
            .chain(digest)
            .chain(signature)
            .finish(),
    )
}

/// The transactions of a block, each as its bytes.
#[derive(Clone, Debug)]
pub struct PayloadIter<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for PayloadIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let length =
            u32::decode(&mut self.reader).expect("bounds were checked when the block was decoded");
        let bytes = self.reader.take(length as usize);
        Some(bytes.expect("bounds were checked when the block was decoded"))
    }
}

/// Builds the unsigned encoding of a block, whose digest is then signed.
#[derive(Clone, Debug)]
pub struct BlockBuilder {
    unsigned: Vec<u8>,
    digest: [u8; 32],
}

impl BlockBuilder {
    /// Encodes all but the signature. `payload` yields the transactions' bytes; the caller keeps within
    /// [`crate::limits`], which decoding enforces.
    #[expect(clippy::too_many_arguments, reason = "one for each field of the block")]
    #[must_use]
    pub fn new<'a>(
        chain: &ChainId,
        shard: ShardId,
        epoch: Epoch,
        author: ValidatorIndex,
        round: Round,
        timestamp_ms: u64,
        parents: &[BlockRef],
        coin_share: &Signature,
        payload: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Self {
        let (count, length) = payload
            .clone()
            .fold((0u32, 0usize), |(count, length), bytes| {
                (count + 1, length + 4 + bytes.len())
            });
        let mut unsigned =
            Vec::with_capacity(256 + parents.len() * 42 + length + IdentitySignature::LENGTH);
        Block::VERSION.encode(&mut unsigned);
        chain.encode(&mut unsigned);
        shard.encode(&mut unsigned);
        epoch.encode(&mut unsigned);
        author.encode(&mut unsigned);
        round.encode(&mut unsigned);
        timestamp_ms.encode(&mut unsigned);
        encode_list(parents, &mut unsigned);
        coin_share.encode(&mut unsigned);
        count.encode(&mut unsigned);
        for bytes in payload {
            let length = u32::try_from(bytes.len()).expect("a transaction is far below 4 GiB");
            length.encode(&mut unsigned);
            unsigned.extend_from_slice(bytes);
        }
        let digest = block_digest(&unsigned);
        Self { unsigned, digest }
    }

    /// What the author must sign, under [`DomainTag::BlockSignature`].
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Adds the signature.
    ///
    /// # Errors
    /// The block is above a limit.
    pub fn finish(self, signature: &IdentitySignature) -> Result<Block, CodecError> {
        let mut bytes = self.unsigned;
        signature.encode(&mut bytes);
        Block::decode(bytes.into())
    }
}
