//! A whole world written down, to be drawn.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use quorate_consensus::leaders;
use quorate_types::{Block, BlockId, BlockRef, Commit, Height, Round, Signature, Timestamp};

use crate::mix::Mix;
use crate::options::SimOptions;
use crate::trace::Moment;

/// What happened in a world, from its begin to its end. Times are in microseconds of the world's clock, and the first time
/// that anybody did it: validators do the same one after another.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Recording {
    /// n.
    pub validators: u16,
    /// The seed.
    pub seed: u64,
    /// What the seed drew.
    pub mix: String,
    /// w: the coin of round r + w - 1 names the leaders of round r.
    pub wave: u64,
    /// By validator, how it lies; nothing for the honest.
    pub lies: Vec<Vec<&'static str>>,
    /// Blocks that were sent, whoever got them.
    pub blocks: Vec<RecordedBlock>,
    /// What coins named.
    pub leaders: Vec<RecordedLeaders>,
    /// What honest validators committed, in order of height.
    pub commits: Vec<RecordedCommit>,
    /// Heights certified.
    pub certificates: Vec<RecordedCertificate>,
    /// When everything healed.
    pub healed: Option<u64>,
    /// Faults, restarts, refusals and the like.
    pub moments: Vec<Moment>,
    /// What became of it, and the broken promise if there is one.
    pub outcome: String,
    /// Whether all promises were kept.
    pub passed: bool,
    #[serde(skip)]
    known: Known,
}

/// What is written down already.
#[derive(Clone, Debug, Default)]
struct Known {
    blocks: BTreeSet<BlockId>,
    named: BTreeSet<Round>,
    certified: Height,
}

/// A block that was sent.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RecordedBlock {
    /// When.
    pub micros: u64,
    /// Enough of its id to tell it from others, in hexadecimal.
    pub id: String,
    /// Whose.
    pub author: u16,
    /// Its round.
    pub round: u64,
    /// The ids of its parents.
    pub parents: Vec<String>,
    /// How many transactions it carries.
    pub transactions: u32,
}

/// The leaders of a round.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RecordedLeaders {
    /// When the coin was known.
    pub micros: u64,
    /// The round.
    pub round: u64,
    /// The leaders, first slot first.
    pub authors: Vec<u16>,
}

/// A commit.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RecordedCommit {
    /// When.
    pub micros: u64,
    /// Its height.
    pub height: u64,
    /// The leader's id.
    pub leader: String,
    /// The ids of what it orders, the leader last.
    pub blocks: Vec<String>,
}

/// A certificate.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RecordedCertificate {
    /// When.
    pub micros: u64,
    /// Of which height.
    pub height: u64,
}

/// A recording in the making, outliving a world that panics.
pub(crate) type Recorder = Arc<Mutex<Recording>>;

impl Recording {
    pub(crate) fn new(options: &SimOptions, seed: u64) -> Self {
        let mix = Mix::draw(seed, options);
        let names = |lies: &Vec<_>| {
            lies.iter()
                .map(|lie: &crate::Behaviour| lie.name())
                .collect()
        };
        Self {
            validators: options.validators,
            seed,
            wave: mix.rule.wave.into(),
            lies: mix.behaviours.iter().map(names).collect(),
            mix: mix.to_string(),
            ..Self::default()
        }
    }

    pub(crate) fn block(&mut self, now: Timestamp, block: &Block) {
        if !self.known.blocks.insert(block.reference().id) {
            return;
        }
        self.blocks.push(RecordedBlock {
            micros: now.0,
            id: short(&block.reference()),
            author: block.author().0,
            round: block.round().0,
            parents: block.parents().iter().map(short).collect(),
            transactions: block.transaction_count(),
        });
    }

    /// The coin of a round is known. It names `slots` leaders.
    pub(crate) fn coin(&mut self, now: Timestamp, round: Round, coin: &Signature, slots: u16) {
        let named = (round.0 + 1).checked_sub(self.wave);
        let Some(named) = named.filter(|named| *named > 0 && self.known.named.insert(round)) else {
            return;
        };
        let authors = leaders(coin, self.validators, slots).into_iter();
        self.leaders.push(RecordedLeaders {
            micros: now.0,
            round: named,
            authors: authors.map(|author| author.0).collect(),
        });
    }

    pub(crate) fn commit(&mut self, now: Timestamp, commit: &Commit) {
        if commit.height.0 != self.commits.len() as u64 + 1 {
            return;
        }
        self.commits.push(RecordedCommit {
            micros: now.0,
            height: commit.height.0,
            leader: short(&commit.leader),
            blocks: commit
                .references()
                .map(|reference| short(&reference))
                .collect(),
        });
    }

    pub(crate) fn certificate(&mut self, now: Timestamp, height: Height) {
        if height <= self.known.certified {
            return;
        }
        self.known.certified = height;
        self.certificates.push(RecordedCertificate {
            micros: now.0,
            height: height.0,
        });
    }
}

fn short(reference: &BlockRef) -> String {
    hex::encode(&reference.id.0[..6])
}
