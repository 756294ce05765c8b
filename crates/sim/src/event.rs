//! What happens in a world, and in which order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_types::{
    Block, BlockRef, Certificate, FinalityShare, Height, Round, Timestamp, ValidatorIndex,
};
use quorate_validator::Job;

/// What one validator sends another.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// A block on its author's stream.
    Block(Arc<Block>),
    /// A block that was asked for.
    Answer(Arc<Block>),
    /// What may be a block, on the sender's stream: liars send it.
    Bytes(Bytes),
    Share(FinalityShare),
    Certificate(Arc<Certificate>),
    /// Asks for blocks.
    Fetch(Arc<Vec<BlockRef>>),
    /// A connection was made: stream what is missing here.
    Hello {
        /// All heights up to this one are certified here.
        certified: Height,
        /// The highest round of the receiver's own blocks that is held here.
        held: Round,
        /// Blocks of the receiver above this round are wanted here.
        above: Round,
        /// The round of the sender's last own block.
        round: Round,
        /// Blocks below this round are not to be had from the sender.
        lowest: Round,
        /// Whether the sender has had a greeting, so that it needs none back.
        answer: bool,
    },
}

/// What happens at one instant.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message arrives.
    Deliver {
        from: ValidatorIndex,
        to: ValidatorIndex,
        /// The boot of the receiver that it was sent to.
        boot: u64,
        message: Message,
    },
    /// Something is done inside a process; ignored if it was of an earlier boot.
    Internal {
        at: ValidatorIndex,
        boot: u64,
        what: Internal,
    },
    /// A validator that is down starts again.
    Restart { at: ValidatorIndex, boot: u64 },
    /// The next fault is due.
    Fault,
    /// The scheduler lets a message go.
    Release(u64),
    /// A fault ends.
    Mend(Mend),
    /// The next client comes.
    Client,
}

/// What is done inside a process.
#[derive(Clone, Debug)]
pub(crate) enum Internal {
    Tick,
    /// The disk has made the log's current group durable.
    LogSynced,
    /// The disk has made the tables' current transaction durable.
    TablesSynced,
    /// A job of cryptography is done.
    Job {
        job: Job,
        /// The payload of a proposal.
        payload: Vec<Bytes>,
    },
    /// The executor is done with what is first in its queue.
    Executed,
    /// The next step of joining by state sync.
    Join,
}

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// The cut of one direction of a link.
    Cut(ValidatorIndex, ValidatorIndex),
    /// The slowness of one direction of a link.
    Slow(ValidatorIndex, ValidatorIndex),
    /// The fullness of a disk.
    Full(ValidatorIndex),
}

/// Events by time, those of one instant in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    sequence: u64,
    event: Event,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Timestamp, event: Event) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.heap.push(Reverse(Entry {
            at,
            sequence,
            event,
        }));
    }

    /// Messages that are on their way arrive by `latest`, those that would have come later in the order in which they were sent.
    pub(crate) fn hasten(&mut self, latest: Timestamp) {
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        for Reverse(entry) in &mut entries {
            if matches!(entry.event, Event::Deliver { .. }) {
                entry.at = entry.at.min(latest);
            }
        }
        self.heap = entries.into();
    }

    pub(crate) fn pop(&mut self) -> Option<(Timestamp, Event)> {
        let Reverse(entry) = self.heap.pop()?;
        Some((entry.at, entry.event))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
