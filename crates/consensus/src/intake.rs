//! Blocks on their way into the DAG: first blocks and twins, and blocks that wait for a parent. All of it is bounded.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::limits::BLOCK_BYTES_MAX;
use quorate_types::{BlockId, BlockRef, Evidence, Round, ValidatorIndex};

use crate::authors::AuthorSet;
use crate::dag::lowest_at;
use crate::options::Options;
use crate::verify::VerifiedBlock;

/// Blocks seen and not yet held.
#[derive(Debug)]
pub(crate) struct Intake {
    pending_max: usize,
    pending_per_author_max: usize,
    /// Bytes of one author's waiting blocks, at most.
    pending_bytes_per_author_max: usize,
    twins_per_author_max: usize,
    twins_bytes_per_author_max: usize,
    /// The first block seen of each slot, held or not, and whether a second was.
    slots: BTreeMap<(Round, ValidatorIndex), FirstSeen>,
    /// Second blocks of a slot that no waiting block references.
    twins: BTreeMap<BlockRef, VerifiedBlock>,
    twins_of: Vec<TwinsOf>,
    waiting: BTreeMap<BlockRef, Waiting>,
    waiting_of: Vec<WaitingOf>,
    /// Every block that is not held and that a waiting block has as a parent.
    awaited: BTreeMap<BlockRef, Awaited>,
}

#[derive(Debug)]
struct FirstSeen {
    id: BlockId,
    convicted: bool,
}

/// Most second blocks of one slot that are kept unreferenced: two convict, and honest members reference the first that
/// each has seen.
const TWINS_PER_SLOT_MAX: usize = 4;

/// How much one author's unreferenced twins take up.
#[derive(Clone, Copy, Debug, Default)]
struct TwinsOf {
    count: usize,
    bytes: usize,
}

/// Who waits for a block.
#[derive(Debug, Default)]
struct Awaited {
    /// The waiting blocks that have it as a parent.
    dependents: BTreeSet<BlockRef>,
    /// Their authors, and those of all that wait for them in turn. It only grows, which bounds what keeping it costs: some
    /// author may stay in it whose blocks were given up since.
    authors: AuthorSet,
}

/// The waiting blocks that one author is charged with.
#[derive(Clone, Debug, Default)]
struct WaitingOf {
    blocks: BTreeSet<BlockRef>,
    bytes: usize,
}

/// A block that waits for a parent.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) block: VerifiedBlock,
    /// Whether the log has it.
    pub(crate) stored: bool,
    missing: usize,
    /// In whose part of the room it waits.
    charged: ValidatorIndex,
}

/// How a block stands to its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The slot's first block.
    First,
    /// Another one, which some waiting block references: it is taken like a first.
    ReferencedTwin,
    /// Another one, which nothing references.
    LooseTwin,
}

/// What became of a block that must wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// It waits. In its place others may have had to go.
    Kept {
        /// The blocks that were given up.
        evicted: Vec<BlockRef>,
        /// Parents that nobody waits for since.
        unwanted: Vec<BlockRef>,
    },
    /// It stands too high to push anything out.
    Refused,
}

impl Intake {
    pub(crate) fn new(options: &Options, size: u16) -> Self {
        let largest = usize::try_from(BLOCK_BYTES_MAX).unwrap_or(usize::MAX);
        let size = usize::from(size);
        Self {
            pending_max: options.pending_blocks_max.max(1),
            pending_per_author_max: options.pending_per_author_max.max(1),
            pending_bytes_per_author_max: (options.pending_bytes_max / size).max(largest),
            twins_per_author_max: (options.twins_seen_max / size).max(1),
            twins_bytes_per_author_max: (options.twins_bytes_max / size).max(largest),
            slots: BTreeMap::new(),
            twins: BTreeMap::new(),
            twins_of: vec![TwinsOf::default(); size],
            waiting: BTreeMap::new(),
            waiting_of: vec![WaitingOf::default(); size],
            awaited: BTreeMap::new(),
        }
    }

    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_of.iter().map(|waiting| waiting.bytes).sum()
    }
    pub(crate) fn twin_count(&self) -> usize {
        self.twins.len()
    }
    pub(crate) fn is_waiting(&self, block: &BlockRef) -> bool {
        self.waiting.contains_key(block)
    }
    pub(crate) fn is_awaited(&self, block: &BlockRef) -> bool {
        self.awaited.contains_key(block)
    }

    /// Authors of the blocks that wait for `block`, lowest waiting block first, and then of those that wait for these, and so
    /// on, each once.
    ///
    /// An honest author's block never waits, however far off, for a block that does not exist. So what is done on behalf
    /// of any of these is done for good blocks whenever one of them is honest, though the nearest may be a liar's.
    pub(crate) fn dependent_authors(&self, block: &BlockRef) -> Vec<ValidatorIndex> {
        let Some(awaited) = self.awaited.get(block) else {
            return Vec::new();
        };
        let (mut authors, mut nearest) = (Vec::new(), AuthorSet::default());
        for dependent in &awaited.dependents {
            if nearest.insert(dependent.author) {
                authors.push(dependent.author);
            }
        }
        let farther = awaited.authors.iter();
        authors.extend(farther.filter(|author| !nearest.contains(*author)));
        authors
    }

    /// Adds authors to those who need a block, and so to those who need what it waits for. Each block's set grows at most
    /// once for each member.
    fn need(&mut self, block: BlockRef, authors: AuthorSet) {
        let mut grown = vec![block];
        while let Some(block) = grown.pop() {
            let Some(awaited) = self.awaited.get_mut(&block) else {
                continue;
            };
            let before = awaited.authors;
            awaited.authors = before.union(authors);
            if awaited.authors != before
                && let Some(waiting) = self.waiting.get(&block)
            {
                grown.extend(waiting.block.parents());
            }
        }
    }

    /// How a block stands to its slot, and evidence if it is the first to show that its author equivocates.
    pub(crate) fn see(&mut self, block: &BlockRef) -> (Standing, Option<Evidence>) {
        let slot = (block.round, block.author);
        let first = self.slots.entry(slot).or_insert(FirstSeen {
            id: block.id,
            convicted: false,
        });
        if first.id == block.id {
            return (Standing::First, None);
        }
        let evidence = (!first.convicted).then_some(Evidence::Equivocation {
            first: BlockRef {
                id: first.id,
                ..*block
            },
            second: *block,
        });
        first.convicted = true;
        if self.is_awaited(block) {
            return (Standing::ReferencedTwin, evidence);
        }
        (Standing::LooseTwin, evidence)
    }

    /// Keeps a twin for when a block references it; whether there was room. Each author has room of its own, so that one
    /// liar's twins cost nobody else's.
    pub(crate) fn keep_twin(&mut self, block: VerifiedBlock) -> bool {
        let reference = block.reference();
        if self.twins.contains_key(&reference) {
            return true;
        }
        let highest = BlockRef {
            id: BlockId([u8::MAX; 32]),
            ..reference
        };
        let lowest = BlockRef {
            id: BlockId([0; 32]),
            ..reference
        };
        let of_slot = self.twins.range(lowest..=highest).count();
        let of_author = &mut self.twins_of[reference.author.position()];
        let bytes = of_author.bytes + block.bytes().len();
        let room = of_slot < TWINS_PER_SLOT_MAX
            && of_author.count < self.twins_per_author_max
            && bytes <= self.twins_bytes_per_author_max;
        if room {
            of_author.count += 1;
            of_author.bytes = bytes;
            self.twins.insert(reference, block);
        }
        room
    }

    /// A kept twin, now that a block references it.
    pub(crate) fn take_twin(&mut self, block: &BlockRef) -> Option<VerifiedBlock> {
        let twin = self.twins.remove(block)?;
        self.count_twin_out(&twin);
        Some(twin)
    }

    fn count_twin_out(&mut self, twin: &VerifiedBlock) {
        let of_author = &mut self.twins_of[twin.author().position()];
        of_author.count -= 1;
        of_author.bytes -= twin.bytes().len();
    }

    /// Lets a block wait for its `missing` parents, in its author's part of the room or in that of an author whose blocks
    /// wait for it. If there is no room, the highest waiting blocks go, of the same part or of the fullest: low blocks are
    /// what high ones wait for.
    pub(crate) fn wait(
        &mut self,
        block: VerifiedBlock,
        stored: bool,
        missing: &[BlockRef],
    ) -> Waited {
        let reference = block.reference();
        let bytes = block.bytes().len();
        let Some((charged, evicted)) = self.room_for(&reference, bytes) else {
            return Waited::Refused;
        };
        let mut unwanted = Vec::new();
        for block in &evicted {
            unwanted.extend(self.remove(block));
        }
        for parent in missing {
            let awaited = self.awaited.entry(*parent).or_default();
            awaited.dependents.insert(reference);
        }
        let part = &mut self.waiting_of[charged.position()];
        part.blocks.insert(reference);
        part.bytes += bytes;
        let waiting = Waiting {
            block,
            stored,
            missing: missing.len(),
            charged,
        };
        self.waiting.insert(reference, waiting);
        let mut authors = self
            .awaited
            .get(&reference)
            .map_or_else(AuthorSet::default, |of| of.authors);
        authors.insert(reference.author);
        for parent in missing {
            self.need(*parent, authors);
        }
        Waited::Kept { evicted, unwanted }
    }

    /// In whose part a block of `bytes` bytes waits, and what must go for it: its author's part if there is room, else that of
    /// an author whose blocks wait for it, and only if all of these are full at the cost of what waits there. A liar
    /// cannot keep a block of its own that others took from those that still lack it.
    fn room_for(&self, block: &BlockRef, bytes: usize) -> Option<(ValidatorIndex, Vec<BlockRef>)> {
        let others = self.dependent_authors(block).into_iter();
        let others = others.filter(|author| *author != block.author);
        let mut at_a_cost = None;
        for charged in [block.author].into_iter().chain(others) {
            match self.make_room(block, bytes, charged) {
                Some(evicted) if evicted.is_empty() => return Some((charged, evicted)),
                Some(evicted) => at_a_cost = at_a_cost.or(Some((charged, evicted))),
                None => {}
            }
        }
        at_a_cost
    }

    /// The waiting blocks that must go so that one of `bytes` bytes can wait in the part of `charged`. `None`: one of them
    /// is lower and of the same part, so that it must not wait there. A block of another part goes only if that is
    /// fuller.
    fn make_room(
        &self,
        block: &BlockRef,
        bytes: usize,
        charged: ValidatorIndex,
    ) -> Option<Vec<BlockRef>> {
        let part = &self.waiting_of[charged.position()];
        let mut evicted = Vec::new();
        let (mut count, mut held) = (part.blocks.len(), part.bytes);
        let mut highest = part.blocks.iter().rev();
        while count >= self.pending_per_author_max
            || held + bytes > self.pending_bytes_per_author_max
        {
            let Some(highest) = highest.next() else {
                // Nothing waits: the largest block fits.
                break;
            };
            count -= 1;
            held -= self.waiting[highest].block.bytes().len();
            evicted.push(*highest);
        }
        if evicted.is_empty() && self.waiting.len() >= self.pending_max {
            evicted.extend(self.highest_of_greediest(charged));
        }
        let lower = |evicted: &BlockRef| part.blocks.contains(evicted) && evicted < block;
        (!evicted.iter().any(lower)).then_some(evicted)
    }

    /// The highest waiting block of the fullest part; of that of `charged` if it is one of those.
    fn highest_of_greediest(&self, charged: ValidatorIndex) -> Option<BlockRef> {
        let own = &self.waiting_of[charged.position()];
        let share = |waiting: &&WaitingOf| (waiting.blocks.len(), waiting.blocks.last().copied());
        let most = self.waiting_of.iter().max_by_key(share)?;
        let greediest = if own.blocks.len() == most.blocks.len() {
            own
        } else {
            most
        };
        greediest.blocks.last().copied()
    }

    /// `parent` needs no waiting for any more; returns the blocks that waited for nothing else, ascending.
    pub(crate) fn release(&mut self, parent: &BlockRef) -> Vec<Waiting> {
        let dependents = self.awaited.remove(parent).unwrap_or_default().dependents;
        let mut ready = Vec::new();
        for dependent in dependents {
            let waiting = self
                .waiting
                .get_mut(&dependent)
                .expect("dependents are waiting: removed together");
            waiting.missing -= 1;
            if waiting.missing == 0 {
                ready.extend(self.take_waiting(&dependent));
            }
        }
        ready
    }

    /// Forgets what is below `round`. Returns the missing blocks that need no waiting for any more, and those of them
    /// or of others that nobody waits for now.
    pub(crate) fn forget_below(&mut self, round: Round) -> (Vec<BlockRef>, Vec<BlockRef>) {
        self.slots = self.slots.split_off(&(round, ValidatorIndex(0)));
        let kept = self.twins.split_off(&lowest_at(round));
        for twin in std::mem::replace(&mut self.twins, kept).into_values() {
            self.count_twin_out(&twin);
        }
        let low = self.waiting.keys().copied();
        let low: Vec<BlockRef> = low.take_while(|block| block.round < round).collect();
        let mut unwanted = Vec::new();
        for block in low {
            unwanted.extend(self.remove(&block));
        }
        let awaited = self.awaited.keys().copied();
        let settled = awaited.take_while(|block| block.round < round).collect();
        (settled, unwanted)
    }

    /// Gives a waiting block up; returns the parents that nobody waits for now.
    pub(crate) fn remove(&mut self, block: &BlockRef) -> Vec<BlockRef> {
        let Some(waiting) = self.take_waiting(block) else {
            return Vec::new();
        };
        let mut unwanted = Vec::new();
        for parent in waiting.block.parents() {
            let Some(awaited) = self.awaited.get_mut(parent) else {
                continue;
            };
            awaited.dependents.remove(block);
            if awaited.dependents.is_empty() {
                self.awaited.remove(parent);
                unwanted.push(*parent);
            }
        }
        unwanted
    }

    fn take_waiting(&mut self, block: &BlockRef) -> Option<Waiting> {
        let waiting = self.waiting.remove(block)?;
        let part = &mut self.waiting_of[waiting.charged.position()];
        part.blocks.remove(block);
        part.bytes -= waiting.block.bytes().len();
        Some(waiting)
    }
}
