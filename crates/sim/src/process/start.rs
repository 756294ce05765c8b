//! From what is on disk to a running validator.

use std::collections::{BTreeMap, VecDeque};

use quorate_consensus::Checkpoint;
use quorate_ledger::Ledger;
use quorate_store::disk::MemoryDisk;
use quorate_store::wal::{Position, Wal, WalOptions};
use quorate_sync::Offers;
use quorate_types::{Decode, Height, Reader, Round, ValidatorIndex};
use quorate_validator::{
    Effect, Greeting, Input, Logged, Pool, PoolLimits, Record, Resume, Validator,
};

use super::log::LogQueue;
use super::{Process, Remains, Unsaved};
use crate::failure::RestartError;
use crate::hub::Hub;
use crate::liar::Liar;
use crate::options::DriverFault;
use crate::tables::Content;

/// A record read back, and where it is.
pub(crate) type Read = (u8, Vec<u8>, Position);

/// Of a thousand restarts, how many lose power while they open the log.
const CRASHES_AT_START: u64 = 100;

impl Process {
    /// Starts a validator for the first time or again.
    pub(crate) fn start(
        me: ValidatorIndex,
        remains: &mut Remains,
        hub: &mut Hub,
    ) -> Result<Self, RestartError> {
        // What is left stays as it is if the log does not open.
        let (wal, records) = open_log(me, &mut remains.disk, hub)?;
        let Remains {
            disk, tables, lost, ..
        } = std::mem::take(remains);
        let content = tables.content();
        let setup = std::sync::Arc::clone(&hub.setup);
        let ledger = match &content.checkpoint {
            None => Ledger::genesis(&setup.genesis)?,
            Some((_, head)) => {
                let entries = content.entries.clone().into_iter();
                Ledger::restore(&setup.genesis, head.clone(), entries)?
            }
        };
        let mut resume = resume(content)?;
        resume.lost = lost;
        let from_round = resume
            .checkpoint
            .as_ref()
            .map_or(Round(0), |checkpoint| checkpoint.gc_round);
        let replay_from = content.replay_from;
        hub.checker.started(me, resume.certified);
        let certificates = content.certificates.clone();
        let size = usize::from(setup.committee.size());
        let mut process = Self {
            me,
            liar: liar(me, hub),
            validator: Validator::new(&setup.committee, me, setup.options, resume),
            pool: Pool::new(PoolLimits::default()),
            disk,
            tables,
            wal,
            log: LogQueue::default(),
            positions: BTreeMap::new(),
            ledger,
            offers: Offers::new(setup.genesis.rule.gc_depth, hub.mix.point_interval),
            executor: VecDeque::new(),
            unsaved: Unsaved::default(),
            checkpoints: VecDeque::new(),
            certificates,
            shares: BTreeMap::new(),
            own_blocks: BTreeMap::new(),
            held: vec![Round(0); size],
            useless: from_round.back(1),
            tick: None,
            fuse: None,
            dead: false,
            disk_full: false,
            lost,
            left_behind: false,
        };
        let mut records = records;
        records.retain(|(_, _, position)| replay_from.is_none_or(|from| *position >= from));
        process.recover(records, from_round, hub)?;
        process.begin(hub);
        Ok(process)
    }

    fn recover(
        &mut self,
        records: Vec<Read>,
        from_round: Round,
        hub: &mut Hub,
    ) -> Result<(), RestartError> {
        let setup = std::sync::Arc::clone(&hub.setup);
        let mut effects = Vec::new();
        for (kind, payload, position) in records {
            let logged = Logged::decode(kind, payload.into())?;
            let needed = logged.round().is_none_or(|round| round >= from_round);
            let record = match logged {
                Logged::Block(block) => {
                    let reference = block.reference();
                    self.positions.insert(reference, position);
                    let held = &mut self.held[reference.author.position()];
                    *held = reference.round.max(*held);
                    let block = setup.cryptography(self.me).recovered_block(*block)?;
                    if reference.author == self.me {
                        self.own_blocks.insert(reference.round, block.shared());
                    }
                    Record::Block(block)
                }
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
            if needed {
                self.validator.recover(hub.now, record, &mut effects);
                self.execute_again(&mut effects, hub);
            }
        }
        Ok(())
    }

    /// Executes, at once, what recovery commits.
    fn execute_again(&mut self, effects: &mut Vec<Effect>, hub: &mut Hub) {
        let mut others = Vec::new();
        while !effects.is_empty() {
            for effect in std::mem::take(effects) {
                let Effect::Execute(commit) = effect else {
                    others.push(effect);
                    continue;
                };
                self.note_commit(&commit, hub);
                if let Some(header) = self.execute(&commit, hub) {
                    self.validator
                        .step(hub.now, Input::Executed(header), effects);
                }
            }
        }
        self.carry_out(others, hub);
    }

    fn begin(&mut self, hub: &mut Hub) {
        let mut effects = Vec::new();
        self.validator.start(hub.now, &mut effects);
        self.carry_out(effects, hub);
        for peer in hub.peers(self.me) {
            self.greet(peer, false, hub);
            if hub.makes(DriverFault::NoGuard) || hub.makes(DriverFault::ForgetLog) {
                let greeting = Greeting::default();
                let from = peer;
                self.step(Input::Greeting { from, greeting }, hub);
            }
        }
        hub.trace.say(hub.now, Some(self.me), || {
            let status = self.validator.status();
            let finality = self.validator.finality();
            format!(
                "starts: own round {}, committed {}, certified {}",
                status.round, status.committed_height, finality.certified
            )
        });
    }
}

/// The liar that a validator is, if the seed has drawn it.
fn liar(me: ValidatorIndex, hub: &Hub) -> Option<Box<Liar>> {
    let lies = &hub.mix.behaviours[me.position()];
    let boot = hub.boots[me.position()];
    let liar = || Liar::new(me, lies, hub.seed, boot, &hub.setup);
    (!lies.is_empty()).then(|| Box::new(liar()))
}

/// Opens a log, or loses power amid opening it before it is opened again; and reads all its records.
pub(crate) fn open_log(
    me: ValidatorIndex,
    disk: &mut MemoryDisk,
    hub: &mut Hub,
) -> Result<(Wal<MemoryDisk>, Vec<Read>), RestartError> {
    let mut store_id = [0; 32];
    store_id[..2].copy_from_slice(&me.0.to_le_bytes());
    let mut options = WalOptions::new(store_id);
    options.segment_bytes = hub.mix.segment_bytes;
    #[cfg(feature = "mutants")]
    {
        options.keep_torn_tail = hub.makes(DriverFault::KeepTornTail);
    }
    if !hub.healed && hub.dice.per_mille(CRASHES_AT_START) {
        disk.power_off_after(hub.dice.between(1, 6));
        let _ = Wal::open(disk.clone(), options, |_| ());
        disk.crash(hub.dice.next());
    }
    let mut records = Vec::new();
    let (wal, recovered) = Wal::open(disk.clone(), options, |record| {
        records.push((record.kind, record.payload.to_vec(), record.position));
    })?;
    hub.counters.torn_bytes += recovered.cut_bytes;
    if hub.makes(DriverFault::ForgetLog) {
        records.clear();
    }
    Ok((wal, records))
}

fn resume(content: &Content) -> Result<Resume, RestartError> {
    let Some((bytes, head)) = &content.checkpoint else {
        return Ok(Resume::default());
    };
    let mut reader = Reader::new(bytes);
    let checkpoint = Checkpoint::decode(&mut reader)?;
    reader.finish()?;
    let last = content.certificates.last_key_value();
    let certified = last.map_or(Height(0), |(height, _)| *height);
    let certified = certified.min(head.height);
    // Headers and checkpoint are of one transaction, so none is above the checkpoint's height.
    let headers = content.headers.range(certified.next()..);
    Ok(Resume {
        checkpoint: Some(checkpoint),
        certified,
        uncertified: headers.map(|(_, header)| header.clone()).collect(),
        lost: false,
    })
}
