//! The commits below a point whose blocks agreement may still meet.

use std::collections::BTreeSet;

use quorate_consensus::Checkpoint;
use quorate_types::{
    BlockRef, CodecError, Decode, Encode, Header, HeaderHash, Height, Reader, Round, blocks_root,
    encode_list,
};

use crate::point::Place;

/// Most blocks of one commit: what the largest committee makes in a hundred times the default depth of garbage collection.
const COMMIT_BLOCKS_MAX: u32 = 128 * 6_400;

/// One commit: its header, and the blocks that it output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    /// The header.
    pub header: Header,
    /// The blocks, in their order.
    pub blocks: Vec<BlockRef>,
}

/// Takes the commits of a tail, newest first, and becomes a checkpoint.
///
/// A leader orders nothing above its own round, so blocks at or above the garbage-collection round were output by commits
/// whose leaders stand there too: the tail ends at the first commit below.
#[derive(Clone, Debug)]
pub struct Tail {
    place: Place,
    /// The header taken last.
    lowest: Header,
    /// The hash that the next record's header must have.
    expected: HeaderHash,
    next: Height,
    output: BTreeSet<BlockRef>,
    complete: bool,
}

/// Why a record is not the next commit of a tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// It is not the header that the one above names.
    #[error("height {height} is not the one that the header above names")]
    Header {
        /// The height wanted.
        height: Height,
    },
    /// Its blocks are not those of its header.
    #[error("the blocks of height {height} are not those of its header")]
    Blocks {
        /// The height.
        height: Height,
    },
    /// Nothing is missing.
    #[error("the tail is complete")]
    Complete,
}

impl Tail {
    /// A tail of which nothing is known.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self {
            lowest: place.header.clone(),
            expected: place.header.hash(),
            next: place.header.height,
            output: BTreeSet::new(),
            complete: false,
            place,
        }
    }

    /// The height of the next record, going down; `None` if nothing is missing.
    #[must_use]
    pub const fn wanted(&self) -> Option<Height> {
        if self.complete { None } else { Some(self.next) }
    }

    /// The round below which no commit matters.
    #[must_use]
    pub const fn gc_round(&self) -> Round {
        self.place.gc_round
    }

    /// Takes the record of [`Tail::wanted`].
    ///
    /// # Errors
    /// [`TailError`]; nothing was taken.
    pub fn push(&mut self, record: CommitRecord) -> Result<(), TailError> {
        let height = self.wanted().ok_or(TailError::Complete)?;
        if record.header.hash() != self.expected {
            return Err(TailError::Header { height });
        }
        if record.header.leader_round < self.place.gc_round {
            self.complete = true;
            return Ok(());
        }
        if blocks_root(record.blocks.iter().copied()) != record.header.blocks_root {
            return Err(TailError::Blocks { height });
        }
        let met_again = record.blocks.into_iter();
        self.output
            .extend(met_again.filter(|block| block.round >= self.place.gc_round));
        self.expected = record.header.previous;
        self.next = Height(height.0 - 1);
        // Genesis outputs nothing.
        self.complete = self.next == Height(0);
        self.lowest = record.header;
        Ok(())
    }

    /// The checkpoint at the point, once nothing is missing.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.complete.then(|| Checkpoint {
            height: self.place.header.height,
            slot_round: self.place.slot_round,
            slot_position: self.place.slot_position,
            leader_round: self.place.header.leader_round,
            gc_round: self.place.gc_round,
            output: self.output.clone(),
        })
    }
}

impl Encode for CommitRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        encode_list(&self.blocks, out);
    }
}

impl Decode for CommitRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            header: Decode::decode(reader)?,
            blocks: reader.list("commit blocks", COMMIT_BLOCKS_MAX)?,
        })
    }
}
