//! What is ordered in the beacon's log.

use alloc::boxed::Box;
use alloc::vec::Vec;

use quorate_types::limits::BLOCK_BYTES_MAX;
use quorate_types::{
    Block, BlockRef, CeremonyId, Certificate, ChainId, CodecError, Committee, CommitteeHash,
    Decode, DomainTag, Encode, EncryptionKey, Epoch, Evidence, IdentityKey, IdentitySignature,
    KeyProof, Reader, ShardId, Signature, TranscriptHash, codec_struct, decode_option,
    decode_version, encode_option,
};

/// One entry of the beacon's log. Anybody may bring one: each proves itself, or comes out of a certified channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An operator registers a validator, or gives it a new encryption key.
    Register(Registration),
    /// An operator takes a validator out of the registry.
    Depart(Departure),
    /// The beacon's signature of the seed message of the next epoch.
    Seed {
        /// The epoch.
        epoch: Epoch,
        /// Over [`quorate_types::epoch_seed_message`].
        signature: Signature,
    },
    /// The beacon's signature over the newest epoch record.
    Certify {
        /// The record's epoch.
        epoch: Epoch,
        /// Over [`quorate_types::EpochRecordHash::signing_bytes`].
        signature: Signature,
    },
    /// A ceremony of an incoming committee is over.
    Propose(KeyProposal),
    /// An incoming member holds its share of the shard's next key.
    Ready(MemberReady),
    /// A shard's certificate.
    Anchor(Certificate),
    /// Two certificates of one term that contradict each other.
    Fraud {
        /// One of them.
        first: Box<Certificate>,
        /// The other one.
        second: Box<Certificate>,
    },
    /// Proof of a validator's misbehaviour.
    Report(Report),
    /// All shards are to abort what waits for a stalled one.
    ForceAbort {
        /// The stalled shard.
        shard: ShardId,
    },
    /// All shards are to take nothing more of a stalled shard's term.
    Freeze {
        /// The stalled shard.
        shard: ShardId,
    },
    /// A shard froze another one.
    FreezeAck(FreezeAck),
    /// A frozen shard gets a new committee and a new key.
    Retire {
        /// The frozen shard.
        shard: ShardId,
    },
}

/// An operator's word that a validator with these keys is to be registered.
///
/// A validator that is registered already gets another encryption key: those are good for one ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The chain.
    pub chain: ChainId,
    /// Who runs the validator.
    pub operator: IdentityKey,
    /// The operator's next sequence number.
    pub sequence: u64,
    /// The validator's identity.
    pub identity: IdentityKey,
    /// The key that shares of its next ceremony are encrypted to.
    pub encryption_key: EncryptionKey,
    /// Proof that the validator holds that key's secret; its context is the identity key's 32 bytes.
    pub proof: KeyProof,
    /// By the identity, over everything before it.
    pub consent: IdentitySignature,
    /// By the operator, over the same.
    pub signature: IdentitySignature,
}
codec_struct!(Registration {
    chain,
    operator,
    sequence,
    identity,
    encryption_key,
    proof,
    consent,
    signature
});

impl Registration {
    /// What operator and identity sign, each under its tag: everything but the signatures.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = self.chain.to_bytes();
        self.operator.encode(&mut out);
        self.sequence.encode(&mut out);
        self.identity.encode(&mut out);
        self.encryption_key.encode(&mut out);
        self.proof.encode(&mut out);
        out
    }
}

/// An operator's word that a validator is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The chain.
    pub chain: ChainId,
    /// Who runs the validator.
    pub operator: IdentityKey,
    /// The operator's next sequence number.
    pub sequence: u64,
    /// The validator's identity.
    pub identity: IdentityKey,
    /// By the operator, over everything before it.
    pub signature: IdentitySignature,
}
codec_struct!(Departure {
    chain,
    operator,
    sequence,
    identity,
    signature
});

impl Departure {
    /// What the operator signs: everything but the signature.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = self.chain.to_bytes();
        self.operator.encode(&mut out);
        self.sequence.encode(&mut out);
        self.identity.encode(&mut out);
        out
    }
}

/// An incoming committee with its key: what a ceremony's transcript comes down to.
///
/// The dealings stay with the members, each of which checks them before it says that it is ready. The beacon checks what it
/// can check cheaply: that the keys lie on one polynomial, and that a quorum of their holders signed the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProposal {
    /// The committee with its keys; members in ascending order of identity, and in the ceremony's.
    pub committee: Committee,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Its transcript's hash.
    pub transcript: TranscriptHash,
    /// The transcript's certificate: under the new group key, over [`KeyProposal::certified_bytes`].
    pub certificate: Signature,
    /// The incoming member that brings it.
    pub proposer: IdentityKey,
    /// By the proposer, over [`KeyProposal::signed_bytes`].
    pub signature: IdentitySignature,
}
codec_struct!(KeyProposal {
    committee,
    ceremony,
    transcript,
    certificate,
    proposer,
    signature
});

impl KeyProposal {
    /// What a ceremony's members sign with their new shares when it ends: tag, ceremony, transcript.
    #[must_use]
    pub fn certified_bytes(&self) -> Vec<u8> {
        let mut out = DomainTag::DkgCompletion.bytes().to_vec();
        self.ceremony.encode(&mut out);
        self.transcript.encode(&mut out);
        out
    }

    /// What the proposer signs.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = self.committee.hash().to_bytes();
        self.ceremony.encode(&mut out);
        self.transcript.encode(&mut out);
        out
    }
}

/// An incoming member's word that it holds its share and the shard's state: signed with its identity and with the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReady {
    /// The shard.
    pub shard: ShardId,
    /// The epoch in which the term is to begin.
    pub epoch: Epoch,
    /// Hash of the transcript that gave the share.
    pub transcript: TranscriptHash,
    /// The member.
    pub member: IdentityKey,
    /// With its share of the new key, over [`MemberReady::shared_bytes`].
    pub share: Signature,
    /// By its identity, over [`MemberReady::signed_bytes`].
    pub signature: IdentitySignature,
}
codec_struct!(MemberReady {
    shard,
    epoch,
    transcript,
    member,
    share,
    signature
});

impl MemberReady {
    /// What the identity signs: the committee's hash, the transcript's, and the member.
    #[must_use]
    pub fn signed_bytes(&self, committee: &CommitteeHash) -> Vec<u8> {
        let mut out = committee.to_bytes();
        self.transcript.encode(&mut out);
        self.member.encode(&mut out);
        out
    }

    /// What the share signs: the tag and the same. It names the member, so shares of several members combine to nothing.
    #[must_use]
    pub fn shared_bytes(&self, committee: &CommitteeHash) -> Vec<u8> {
        let mut out = DomainTag::ShardReady.bytes().to_vec();
        out.extend_from_slice(&self.signed_bytes(committee));
        out
    }
}

/// A shard's word, out of its channel to the beacon, that it takes nothing more of a frozen term.
///
/// The channel authenticates `from`; the certificate proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeAck {
    /// The shard whose channel this came out of.
    pub from: ShardId,
    /// The frozen shard.
    pub shard: ShardId,
    /// The frozen term.
    pub epoch: Epoch,
    /// The highest certificate of that term that it consumed, if it consumed any.
    pub consumed: Option<Certificate>,
}

/// Proof of a validator's misbehaviour: what `quorate_types::Evidence` names, with the signed blocks that show it.
///
/// A bad finality share is no proof: it is signed by nobody, and its connection is known to one receiver alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Two blocks of one author at one round.
    Equivocation {
        /// One of them.
        first: Box<Block>,
        /// The other one.
        second: Box<Block>,
    },
    /// A coin share that does not verify, inside a signed block.
    BadCoinShare {
        /// The block.
        block: Box<Block>,
    },
}

impl Report {
    /// What is said of whom.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        match self {
            Self::Equivocation { first, second } => Evidence::Equivocation {
                first: first.reference(),
                second: second.reference(),
            },
            Self::BadCoinShare { block } => Evidence::BadCoinShare {
                author: block.author(),
                round: block.round(),
            },
        }
    }

    /// The block that names chain, shard, epoch and author.
    #[must_use]
    pub fn block(&self) -> &Block {
        match self {
            Self::Equivocation { first, .. } => first,
            Self::BadCoinShare { block } => block,
        }
    }

    /// Whether two blocks take one slot and differ.
    pub(super) fn is_contradiction(first: &Block, second: &Block) -> bool {
        let slot = |block: &Block| {
            let BlockRef { round, author, .. } = block.reference();
            (*block.chain(), block.shard(), block.epoch(), round, author)
        };
        slot(first) == slot(second) && first.reference() != second.reference()
    }
}

impl Encode for FreezeAck {
    fn encode(&self, out: &mut Vec<u8>) {
        self.from.encode(out);
        self.shard.encode(out);
        self.epoch.encode(out);
        encode_option(self.consumed.as_ref(), out);
    }
}

impl Decode for FreezeAck {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            from: Decode::decode(reader)?,
            shard: Decode::decode(reader)?,
            epoch: Decode::decode(reader)?,
            consumed: decode_option(reader, "consumed certificate")?,
        })
    }
}

fn encode_block(block: &Block, out: &mut Vec<u8>) {
    let length = u32::try_from(block.bytes().len()).expect("blocks are bounded when decoded");
    length.encode(out);
    out.extend_from_slice(block.bytes());
}

fn decode_block(reader: &mut Reader<'_>) -> Result<Box<Block>, CodecError> {
    let length = reader.count("block bytes", BLOCK_BYTES_MAX)?;
    Block::decode(reader.take(length)?.to_vec().into()).map(Box::new)
}

impl Encode for Report {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Equivocation { first, second } => {
                out.push(1);
                encode_block(first, out);
                encode_block(second, out);
            }
            Self::BadCoinShare { block } => {
                out.push(2);
                encode_block(block, out);
            }
        }
    }
}

impl Decode for Report {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Equivocation {
                first: decode_block(reader)?,
                second: decode_block(reader)?,
            }),
            2 => Ok(Self::BadCoinShare {
                block: decode_block(reader)?,
            }),
            found => Err(CodecError::Variant {
                value: "report",
                found,
            }),
        }
    }
}

impl Operation {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;
}

impl Encode for Operation {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        let mut tagged = |variant: u8, encode: &dyn Fn(&mut Vec<u8>)| {
            out.push(variant);
            encode(out);
        };
        match self {
            Self::Register(registration) => tagged(1, &|out| registration.encode(out)),
            Self::Depart(departure) => tagged(2, &|out| departure.encode(out)),
            Self::Seed { epoch, signature } => tagged(3, &|out| {
                epoch.encode(out);
                signature.encode(out);
            }),
            Self::Certify { epoch, signature } => tagged(4, &|out| {
                epoch.encode(out);
                signature.encode(out);
            }),
            Self::Propose(proposal) => tagged(5, &|out| proposal.encode(out)),
            Self::Ready(ready) => tagged(6, &|out| ready.encode(out)),
            Self::Anchor(certificate) => tagged(7, &|out| certificate.encode(out)),
            Self::Fraud { first, second } => tagged(8, &|out| {
                first.encode(out);
                second.encode(out);
            }),
            Self::Report(report) => tagged(9, &|out| report.encode(out)),
            Self::ForceAbort { shard } => tagged(10, &|out| shard.encode(out)),
            Self::Freeze { shard } => tagged(11, &|out| shard.encode(out)),
            Self::FreezeAck(ack) => tagged(12, &|out| ack.encode(out)),
            Self::Retire { shard } => tagged(13, &|out| shard.encode(out)),
        }
    }
}

impl Decode for Operation {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "operation", Self::VERSION)?;
        Ok(match u8::decode(reader)? {
            1 => Self::Register(Decode::decode(reader)?),
            2 => Self::Depart(Decode::decode(reader)?),
            3 => Self::Seed {
                epoch: Decode::decode(reader)?,
                signature: Decode::decode(reader)?,
            },
            4 => Self::Certify {
                epoch: Decode::decode(reader)?,
                signature: Decode::decode(reader)?,
            },
            5 => Self::Propose(Decode::decode(reader)?),
            6 => Self::Ready(Decode::decode(reader)?),
            7 => Self::Anchor(Decode::decode(reader)?),
            8 => Self::Fraud {
                first: Box::new(Decode::decode(reader)?),
                second: Box::new(Decode::decode(reader)?),
            },
            9 => Self::Report(Decode::decode(reader)?),
            10 => Self::ForceAbort {
                shard: Decode::decode(reader)?,
            },
            11 => Self::Freeze {
                shard: Decode::decode(reader)?,
            },
            12 => Self::FreezeAck(Decode::decode(reader)?),
            13 => Self::Retire {
                shard: Decode::decode(reader)?,
            },
            found => {
                return Err(CodecError::Variant {
                    value: "operation",
                    found,
                });
            }
        })
    }
}
