//! Where a restart begins.

use std::collections::BTreeSet;

use quorate_types::{BlockRef, CodecError, Decode, Encode, Height, Reader, Round};

/// Most references in a checkpoint: the largest depth of garbage collection times the largest committee, and the
/// same again for twins.
const OUTPUT_MAX: u32 = 2 * 10_000 * 128;

/// The part of the engine's state that its log of blocks and coins from [`Checkpoint::gc_round`] on does not give
/// back: what was decided, and which of the blocks still of interest were output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Height of the last commit.
    pub height: Height,
    /// Round of the first undecided slot.
    pub slot_round: Round,
    /// Position of the first undecided slot among the slots of its round.
    pub slot_position: u16,
    /// Round of the last committed leader; 0 if there is none.
    pub leader_round: Round,
    /// Blocks below this round are forgotten: `leader_round` less the depth of garbage collection.
    pub gc_round: Round,
    /// Blocks at or above `gc_round` that commits have output.
    pub output: BTreeSet<BlockRef>,
}

impl Checkpoint {
    /// Version of the encoding.
    pub const VERSION: u16 = 1;

    /// Where a chain begins.
    #[must_use]
    pub fn genesis() -> Self {
        Self {
            height: Height(0),
            slot_round: Round(1),
            slot_position: 0,
            leader_round: Round(0),
            gc_round: Round(0),
            output: BTreeSet::new(),
        }
    }
}

impl Encode for Checkpoint {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.height.encode(out);
        self.slot_round.encode(out);
        self.slot_position.encode(out);
        self.leader_round.encode(out);
        self.gc_round.encode(out);
        let count = u32::try_from(self.output.len()).expect("bounded by depth and committee");
        count.encode(out);
        for reference in &self.output {
            reference.encode(out);
        }
    }
}

impl Decode for Checkpoint {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let version = u16::decode(reader)?;
        if version != Self::VERSION {
            return Err(CodecError::Version {
                value: "consensus checkpoint",
                found: version,
                known: Self::VERSION,
            });
        }
        let height = Height::decode(reader)?;
        let slot_round = Round::decode(reader)?;
        let slot_position = u16::decode(reader)?;
        let leader_round = Round::decode(reader)?;
        let gc_round = Round::decode(reader)?;
        let output: Vec<BlockRef> = reader.list("output", OUTPUT_MAX)?;
        let ascending = output.windows(2).all(|pair| pair[0] < pair[1]);
        let placed = slot_round >= leader_round && leader_round >= gc_round;
        if !ascending || !placed {
            return Err(CodecError::NotCanonical {
                field: "consensus checkpoint",
            });
        }
        Ok(Self {
            height,
            slot_round,
            slot_position,
            leader_round,
            gc_round,
            output: output.into_iter().collect(),
        })
    }
}
