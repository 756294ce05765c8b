//! From what is on disk to a validator that goes on where it was.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use quorate_consensus::Options;
use quorate_ledger::Ledger;
use quorate_store::disk::Disk;
use quorate_store::tables::Tables;
use quorate_store::wal::{Position, RecordRef, Wal};
use quorate_types::{Genesis, Round};
use quorate_validator::{Effect, Logged, Record, Resume, Validator};

use super::archive::{Archive, Restored};
use super::error::NodeError;
use super::execution;
use super::shared::Shared;
use crate::config::Config;

/// A validator that has read its log, and its ledger.
pub(crate) struct Recovered {
    pub(crate) validator: Validator,
    pub(crate) ledger: Ledger,
    /// Effects of recovery that the running node must carry out.
    pub(crate) effects: Vec<Effect>,
}

/// The ledger at the last checkpoint, or at genesis.
pub(crate) fn ledger(
    genesis: &Genesis,
    restored: &Restored,
    tables: &Tables,
) -> Result<Ledger, NodeError> {
    match &restored.head {
        Some(head) => {
            let entries = Archive::state_entries(tables)?;
            Ok(Ledger::restore(genesis, head.clone(), entries.into_iter())?)
        }
        None => Ok(Ledger::genesis(genesis)?),
    }
}

/// Replays the log.
pub(crate) fn run<D: Disk>(
    config: &Config,
    ledger: Ledger,
    restored: Restored,
    wal: &Wal<D>,
    shared: &Arc<Shared>,
    lost: bool,
) -> Result<Recovered, NodeError> {
    let mut options = Options::new(shared.genesis.rule);
    options.pacing.quorum_wait_micros = config.pacing.quorum_wait_ms * 1000;
    options.pacing.busy_interval_micros = config.pacing.busy_interval_ms * 1000;
    options.pacing.idle_interval_micros = config.pacing.idle_interval_ms * 1000;
    let gc_round = restored
        .checkpoint
        .as_ref()
        .map_or(Round(0), |checkpoint| checkpoint.gc_round);
    let replay_from = restored.replay_from;
    let resume = Resume {
        checkpoint: restored.checkpoint,
        certified: restored.certified,
        uncertified: restored.uncertified,
        lost,
    };
    let validator = Validator::new(&shared.committee, shared.me, options, resume);
    // Nothing below the garbage-collection round is of use, so no peer need send it again.
    for received in &shared.received {
        received.fetch_max(gc_round.0.saturating_sub(1), Ordering::Relaxed);
    }
    let mut replay = Replay {
        recovered: Recovered {
            validator,
            ledger,
            effects: Vec::new(),
        },
        gc_round,
        shared,
        records: 0,
    };
    let mut failed = None;
    wal.replay(replay_from, |record| {
        if failed.is_none() {
            failed = replay.record(&record).err();
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => {
            tracing::info!(
                records = replay.records,
                height = %replay.recovered.ledger.head().height,
                round = %replay.recovered.validator.status().round,
                "recovered"
            );
            Ok(replay.recovered)
        }
    }
}

struct Replay<'a> {
    recovered: Recovered,
    gc_round: Round,
    shared: &'a Arc<Shared>,
    records: u64,
}

impl Replay<'_> {
    fn record(&mut self, record: &RecordRef<'_>) -> Result<(), NodeError> {
        let logged = Logged::decode(record.kind, Bytes::copy_from_slice(record.payload))?;
        if logged.round().is_some_and(|round| round < self.gc_round) {
            return Ok(());
        }
        self.records += 1;
        let record = match logged {
            Logged::Block(block) => self.block(*block, record.position)?,
            Logged::Coin { round, signature } => Record::Coin { round, signature },
            Logged::Vote {
                height,
                header_hash,
            } => Record::Vote {
                height,
                header_hash,
            },
            Logged::Lost => Record::Lost,
            Logged::ProposedPast { round } => Record::ProposedPast { round },
            Logged::Doubtful { round } => Record::Doubtful { round },
        };
        let mut out = Vec::new();
        let validator = &mut self.recovered.validator;
        validator.recover(self.shared.now(), record, &mut out);
        self.carry_out(out)
    }

    fn block(&self, block: quorate_types::Block, position: Position) -> Result<Record, NodeError> {
        let block = self.shared.cryptography.recovered_block(block)?;
        self.shared.blocks.insert(&block, position);
        let author = block.author().position();
        self.shared.received[author].fetch_max(block.round().0, Ordering::Relaxed);
        self.shared.held[author].fetch_max(block.round().0, Ordering::Relaxed);
        if block.author() == self.shared.me {
            self.shared.publish_block(block.round());
        }
        Ok(Record::Block(block))
    }

    /// Executes what recovery commits again; everything else waits for the node to run.
    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), NodeError> {
        for effect in effects {
            match effect {
                Effect::Execute(commit) => {
                    let input =
                        execution::replay(&mut self.recovered.ledger, &commit, self.shared)?;
                    let mut out = Vec::new();
                    let validator = &mut self.recovered.validator;
                    validator.step(self.shared.now(), input, &mut out);
                    self.carry_out(out)?;
                }
                Effect::Diverged {
                    height,
                    own,
                    certified,
                } => {
                    return Err(NodeError::Diverged {
                        height,
                        own,
                        certified,
                    });
                }
                // Kept in the file since it was first met.
                Effect::Evidence(_) => {}
                effect => self.recovered.effects.push(effect),
            }
        }
        Ok(())
    }
}
