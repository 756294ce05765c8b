//! Everything that the engine knows, and its encoding.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{
    CodecError, Committee, Decode, Encode, EncryptionKey, Epoch, EpochRecord, Hash32, HeaderHash,
    Height, IdentityKey, Reader, ShardId, ShardKey, Signature, TranscriptHash, codec_struct,
    decode_flag, decode_map, decode_option, encode_list, encode_map, encode_option,
};

use super::effect::Seat;
use super::parameters::Parameters;
use super::validators::Validators;
use crate::assignment::Assignment;
use crate::{SHARDS_MAX, VALIDATORS_MAX};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) parameters: Parameters,
    /// The newest height of the beacon's log.
    pub(super) height: Height,
    pub(super) validators: Validators,
    /// The newest epoch record.
    pub(super) record: EpochRecord,
    /// The beacon's signature over it.
    pub(super) certificate: Option<Signature>,
    /// The newest assignment. A shard that did not hand over lags behind it.
    pub(super) assignment: Assignment,
    pub(super) turn: Turn,
    pub(super) shards: Vec<Shard>,
}

/// The turn to the epoch after the newest record's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Resting,
    Frozen(Frozen),
    Drawn(Drawn),
}

/// The registry of the next epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frozen {
    pub(super) at: Height,
    pub(super) seats: BTreeMap<IdentityKey, EncryptionKey>,
}

/// Committees that make their keys. Who sits where is in [`State::assignment`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Height of the seed.
    pub(super) at: Height,
    pub(super) seed: Hash32,
    /// What members proposed, by shard and transcript.
    pub(super) candidates: BTreeMap<(ShardId, TranscriptHash), Candidate>,
    /// Which transcript each member is ready with.
    pub(super) ready: BTreeMap<(ShardId, IdentityKey), TranscriptHash>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) proposer: IdentityKey,
    pub(super) committee: Committee,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) term: Term,
    /// The term before, and how it ended.
    pub(super) ended: Option<Ended>,
    /// The highest anchored certificate of the term, or of the one before while there is none.
    pub(super) anchor: Anchor,
    /// The next committee, which is ready.
    pub(super) successor: Option<Successor>,
    pub(super) frozen: Option<BTreeMap<ShardId, Consumed>>,
    pub(super) forked: bool,
    /// The newest epoch in which all were told to abort what waits for this shard.
    pub(super) aborted: Option<Epoch>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) committee: Committee,
    pub(super) key: ShardKey,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) term: Term,
    pub(super) last: Height,
    /// The term's last header, unless the shard was retired.
    pub(super) header: Option<HeaderHash>,
    /// Whether it contradicted itself.
    pub(super) forked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) height: Height,
    /// None while nothing was ever anchored.
    pub(super) hash: Option<HeaderHash>,
    /// The newest epoch record when it was anchored.
    pub(super) epoch: Epoch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) committee: Committee,
    pub(super) transcript: TranscriptHash,
}

/// What a shard says it consumed of a frozen term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Consumed {
    pub(super) height: Option<Height>,
}

impl State {
    pub(super) const VERSION: u16 = 1;
}

impl Encode for State {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.parameters.encode(out);
        self.height.encode(out);
        self.validators.encode(out);
        self.record.encode(out);
        encode_option(self.certificate.as_ref(), out);
        for shard in (0..self.assignment.shards()).map(ShardId) {
            let members: Vec<IdentityKey> = self.assignment.members(shard).copied().collect();
            encode_list(&members, out);
        }
        self.turn.encode(out);
        encode_list(&self.shards, out);
    }
}

impl Decode for State {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        quorate_types::decode_version(reader, "beacon state", Self::VERSION)?;
        let parameters = Parameters::decode(reader)?;
        let height = Decode::decode(reader)?;
        let validators = Validators::decode(reader)?;
        let record: EpochRecord = Decode::decode(reader)?;
        let certificate = decode_option(reader, "record certificate")?;
        let mut committees = Vec::new();
        for _ in 0..parameters.shards {
            let members: Vec<IdentityKey> = reader.list("members", VALIDATORS_MAX)?;
            quorate_types::require_ascending(&members, "members")?;
            committees.push(members.into_iter().collect::<BTreeSet<_>>());
        }
        let assignment = Assignment::restore(parameters.placement, committees).map_err(|_| {
            CodecError::NotCanonical {
                field: "assignment",
            }
        })?;
        let turn = Decode::decode(reader)?;
        let shards: Vec<Shard> = reader.list("shards", SHARDS_MAX)?;
        let counts = [record.shards.len(), shards.len()];
        if counts
            .iter()
            .any(|count| u32::try_from(*count) != Ok(parameters.shards))
        {
            return Err(CodecError::NotCanonical { field: "shards" });
        }
        Ok(Self {
            parameters,
            height,
            validators,
            record,
            certificate,
            assignment,
            turn,
            shards,
        })
    }
}

impl Encode for Turn {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Resting => out.push(1),
            Self::Frozen(frozen) => {
                out.push(2);
                frozen.at.encode(out);
                encode_map(&frozen.seats, out);
            }
            Self::Drawn(drawn) => {
                out.push(3);
                drawn.encode(out);
            }
        }
    }
}

impl Decode for Turn {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::Resting),
            2 => Ok(Self::Frozen(Frozen {
                at: Decode::decode(reader)?,
                seats: decode_map(reader, "seats", VALIDATORS_MAX)?,
            })),
            3 => Drawn::decode(reader).map(Self::Drawn),
            found => Err(CodecError::Variant {
                value: "turn",
                found,
            }),
        }
    }
}

/// Most proposals of a turn: one for each member of each shard.
const CANDIDATES_MAX: u32 = SHARDS_MAX * 128;
const _: () = assert!(COMMITTEE_MAX == 128);

impl Encode for Drawn {
    fn encode(&self, out: &mut Vec<u8>) {
        self.at.encode(out);
        self.seed.encode(out);
        encode_pairs(&self.candidates, out);
        encode_pairs(&self.ready, out);
    }
}

impl Decode for Drawn {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            at: Decode::decode(reader)?,
            seed: Decode::decode(reader)?,
            candidates: decode_pairs(reader, "candidates")?,
            ready: decode_pairs(reader, "ready members")?,
        })
    }
}

/// A key of two parts, for the codec.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair<T>(ShardId, T);

impl<T: Decode> Decode for Pair<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self(Decode::decode(reader)?, Decode::decode(reader)?))
    }
}

fn encode_pairs<K: Encode, V: Encode>(map: &BTreeMap<(ShardId, K), V>, out: &mut Vec<u8>) {
    let count = u32::try_from(map.len()).expect("at most CANDIDATES_MAX, by members and shards");
    count.encode(out);
    for ((shard, key), value) in map {
        shard.encode(out);
        key.encode(out);
        value.encode(out);
    }
}

fn decode_pairs<K: Decode + Ord, V: Decode>(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<BTreeMap<(ShardId, K), V>, CodecError> {
    let map: BTreeMap<Pair<K>, V> = decode_map(reader, field, CANDIDATES_MAX)?;
    Ok(map
        .into_iter()
        .map(|(Pair(shard, key), value)| ((shard, key), value))
        .collect())
}

codec_struct!(Candidate {
    proposer,
    committee
});
codec_struct!(Term { committee, key });
codec_struct!(Successor {
    committee,
    transcript
});
codec_struct!(Seat {
    identity,
    encryption_key
});

impl Encode for Consumed {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_option(self.height.as_ref(), out);
    }
}

impl Decode for Consumed {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: decode_option(reader, "consumed height")?,
        })
    }
}

impl Encode for Ended {
    fn encode(&self, out: &mut Vec<u8>) {
        self.term.encode(out);
        self.last.encode(out);
        encode_option(self.header.as_ref(), out);
        out.push(u8::from(self.forked));
    }
}

impl Decode for Ended {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            term: Decode::decode(reader)?,
            last: Decode::decode(reader)?,
            header: decode_option(reader, "last header")?,
            forked: decode_flag(reader, "fork of an ended term")?,
        })
    }
}

impl Encode for Anchor {
    fn encode(&self, out: &mut Vec<u8>) {
        self.height.encode(out);
        encode_option(self.hash.as_ref(), out);
        self.epoch.encode(out);
    }
}

impl Decode for Anchor {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            height: Decode::decode(reader)?,
            hash: decode_option(reader, "anchored header")?,
            epoch: Decode::decode(reader)?,
        })
    }
}

impl Encode for Shard {
    fn encode(&self, out: &mut Vec<u8>) {
        self.term.encode(out);
        encode_option(self.ended.as_ref(), out);
        self.anchor.encode(out);
        encode_option(self.successor.as_ref(), out);
        match &self.frozen {
            None => out.push(0),
            Some(acks) => {
                out.push(1);
                encode_map(acks, out);
            }
        }
        out.push(u8::from(self.forked));
        encode_option(self.aborted.as_ref(), out);
    }
}

impl Decode for Shard {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            term: Decode::decode(reader)?,
            ended: decode_option(reader, "ended term")?,
            anchor: Decode::decode(reader)?,
            successor: decode_option(reader, "next committee")?,
            frozen: match decode_flag(reader, "freeze")? {
                false => None,
                true => Some(decode_map(reader, "acknowledgements", SHARDS_MAX)?),
            },
            forked: decode_flag(reader, "fork")?,
            aborted: decode_option(reader, "abort")?,
        })
    }
}
