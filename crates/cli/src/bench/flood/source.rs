//! What the flooding member streams to those that follow it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quorate_ledger::StateChunk;
use quorate_node::api::{FinalityItem, PeerSource, Standing, SyncSource, ViewError};
use quorate_sync::{CommitRecord, SyncPoint};
use quorate_types::limits::{PAYLOAD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use quorate_types::{BlockId, BlockRef, Certificate, Hash32, Height, Round, ValidatorIndex};
use quorate_validator::{BlsCryptography, Cryptography};
use tokio::sync::watch;

/// How far ahead far rounds are: within what is taken from a stream.
const FAR_ROUNDS: u64 = 200;
/// Rounds whose blocks are remembered.
const ROUNDS_KEPT: usize = 64;

/// How a member floods with blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Style {
    /// The largest valid block of every round, and a twin of it on parents that do not exist.
    Twins,
    /// The largest blocks of rounds far ahead, on parents that do not exist.
    FarRounds,
}

impl Style {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Twins => "twins",
            Self::FarRounds => "far rounds",
        }
    }
}

/// The blocks of one round, by author.
type OfRound = BTreeMap<ValidatorIndex, BlockRef>;

/// The flooding member as the others see it.
pub(super) struct Source {
    style: Style,
    keys: BlsCryptography,
    /// Blocks of the others.
    seen: Mutex<BTreeMap<Round, OfRound>>,
    changed: watch::Sender<u64>,
    streamed: AtomicU64,
}

impl Source {
    pub(super) fn new(style: Style, keys: BlsCryptography) -> Self {
        Self {
            style,
            keys,
            seen: Mutex::default(),
            changed: watch::Sender::new(0),
            streamed: AtomicU64::new(0),
        }
    }

    /// A block of somebody else.
    pub(super) fn see(&self, block: BlockRef) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(block.round)
            .or_default()
            .insert(block.author, block);
        if seen.len() > ROUNDS_KEPT {
            seen.pop_first();
        }
        drop(seen);
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Bytes streamed so far.
    pub(super) fn streamed(&self) -> u64 {
        self.streamed.load(Ordering::Relaxed)
    }

    /// A block of any blocks seen, for fetching.
    pub(super) fn any(&self) -> Vec<BlockRef> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().flat_map(BTreeMap::values).copied().collect()
    }

    /// Blocks of a quorum at the highest round that has them.
    fn newest_quorum(&self) -> Option<(Round, Vec<BlockRef>)> {
        let quorum = usize::from(self.keys.committee().quorum());
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (round, blocks) = seen.iter().rfind(|(_, blocks)| blocks.len() >= quorum)?;
        Some((*round, blocks.values().copied().collect()))
    }

    fn invented(&self, round: Round) -> Vec<BlockRef> {
        let members = self.keys.committee().indices();
        let others = members.filter(|author| *author != self.keys.me());
        let parent = |author| BlockRef {
            round: round.back(1),
            author,
            id: BlockId([9; 32]),
        };
        others.map(parent).collect()
    }

    fn largest(&self, round: Round, parents: &[BlockRef]) -> Option<(Round, Bytes)> {
        let one = Bytes::from(vec![7; TRANSACTION_BYTES_MAX as usize]);
        let payload = vec![one; (PAYLOAD_BYTES_MAX / TRANSACTION_BYTES_MAX) as usize];
        let block = self.keys.propose(round, parents, 0, &payload).ok()?;
        Some((round, block.bytes().clone()))
    }

    fn due(&self, from: Round) -> Vec<(Round, Bytes)> {
        let Some((newest, parents)) = self.newest_quorum() else {
            return Vec::new();
        };
        let next = newest.forward(1);
        let blocks = match self.style {
            Style::Twins if next >= from => {
                vec![
                    self.largest(next, &parents),
                    self.largest(next, &self.invented(next)),
                ]
            }
            Style::FarRounds if next.forward(FAR_ROUNDS) >= from => {
                let round = from.max(next.forward(1));
                vec![self.largest(round, &self.invented(round))]
            }
            _ => Vec::new(),
        };
        let blocks: Vec<_> = blocks.into_iter().flatten().collect();
        let bytes: usize = blocks.iter().map(|(_, bytes)| bytes.len()).sum();
        self.streamed.fetch_add(bytes as u64, Ordering::Relaxed);
        blocks
    }
}

impl PeerSource for Source {
    async fn standing(&self, _: ValidatorIndex) -> Result<Standing, ViewError> {
        Ok(Standing::default())
    }

    async fn own_blocks(&self, from: Round, _: usize) -> Result<Vec<(Round, Bytes)>, ViewError> {
        Ok(self.due(from))
    }

    async fn finality(&self, _: Height, _: u32) -> Result<Vec<FinalityItem>, ViewError> {
        Ok(Vec::new())
    }

    async fn fetch(&self, _: Vec<BlockRef>, _: usize) -> Result<Vec<Bytes>, ViewError> {
        Ok(Vec::new())
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// Nobody joins here.
impl SyncSource for Source {
    async fn point(&self, _: Option<Height>) -> Result<Option<SyncPoint>, ViewError> {
        Ok(None)
    }

    async fn commits(
        &self,
        _: Height,
        _: Height,
        _: usize,
    ) -> Result<Option<Vec<Arc<CommitRecord>>>, ViewError> {
        Ok(None)
    }

    async fn chunk(&self, _: Height, _: Hash32, _: usize) -> Result<Option<StateChunk>, ViewError> {
        Ok(None)
    }

    async fn certificates_to(&self, _: Height, _: u32) -> Result<Vec<Certificate>, ViewError> {
        Err(ViewError::NotReady)
    }
}
