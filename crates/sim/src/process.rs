//! A running validator: the driver's part, as the node does it with threads, sockets and disks.
//!
//! What it owes the engine: effects are carried out in order; what a record gates happens once the record, and all before
//! it, are durable; a checkpoint is written only once the log up to it is durable, for it tells of decisions that may rest
//! on blocks at the log's end.

mod disk;
mod log;
mod peers;
mod start;
mod sync;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use quorate_ledger::Ledger;
use quorate_store::disk::MemoryDisk;
use quorate_store::wal::{Position, Wal};
use quorate_sync::Offers;
use quorate_types::{
    Block, BlockRef, Certificate, Commit, FinalityShare, Header, Height, Round, StateKey,
    Timestamp, ValidatorIndex,
};
use quorate_validator::{Effect, Input, Job, Pool, Record, Validator};

use self::log::LogQueue;
pub(crate) use self::start::open_log;
use crate::convictions::Lie;
use crate::event::{Internal, Message};
use crate::failure::Violation;
use crate::hub::Hub;
use crate::liar::Liar;
use crate::options::DriverFault;
use crate::tables::{Batch, TablesModel};
use crate::trace::Kind;

/// What a process leaves behind when it dies.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    pub(crate) disk: MemoryDisk,
    pub(crate) tables: TablesModel,
    /// It is not all of what there was, and the operator says so.
    pub(crate) lost: bool,
    /// Where the last group of the log begins that is known to be durable. A damaged record before it is no torn tail.
    pub(super) settled: Option<Position>,
    /// The disk does not give back what was written.
    pub(crate) damaged: bool,
}

/// A running validator.
pub(crate) struct Process {
    me: ValidatorIndex,
    /// It is not honest.
    liar: Option<Box<Liar>>,
    validator: Validator,
    pool: Pool,
    disk: MemoryDisk,
    tables: TablesModel,
    wal: Wal<MemoryDisk>,
    log: LogQueue,
    /// Where blocks are in the log.
    positions: BTreeMap<BlockRef, Position>,
    ledger: Ledger,
    /// Points at which others can join.
    offers: Offers,
    executor: VecDeque<Work>,
    unsaved: Unsaved,
    /// Checkpoints that wait for the log or the tables, with the records that must be durable before.
    checkpoints: VecDeque<(u64, Batch)>,
    certificates: BTreeMap<Height, Arc<Certificate>>,
    /// Own shares of heights that are not certified here.
    shares: BTreeMap<Height, FinalityShare>,
    /// Own blocks that may leave.
    own_blocks: BTreeMap<Round, Arc<Block>>,
    /// By author, the highest round held.
    held: Vec<Round>,
    /// Nothing at this round or below is of use here.
    useless: Round,
    tick: Option<Timestamp>,
    /// Effects left until it dies.
    fuse: Option<u64>,
    dead: bool,
    /// The disk has no room: nothing more is signed, and nothing is taken from clients.
    disk_full: bool,
    /// It was started with less than it once had.
    lost: bool,
    /// A peer says that it no longer has the blocks that come next here.
    left_behind: bool,
}

/// What the executor does, in order.
#[derive(Debug)]
enum Work {
    Execute(Commit),
    /// Save the state as it is then; the engine's checkpoint, encoded, and the records before it.
    Checkpoint(Vec<u8>, u64),
}

/// What the next checkpoint saves.
#[derive(Debug, Default)]
struct Unsaved {
    changes: BTreeMap<StateKey, Vec<u8>>,
    headers: Vec<Header>,
    certificates: Vec<Arc<Certificate>>,
}

/// Where the clocks of the world begin, in milliseconds since the Unix epoch.
const CLOCK_ORIGIN_MS: u64 = 1_700_000_000_000;
/// How far apart the clocks of two neighbours are.
const CLOCK_SKEW_MS: u64 = 40;
/// How long executing a commit takes, in microseconds.
const EXECUTION: (u64, u64) = (20, 400);
/// Of a liar's blocks, how many of a thousand have no parents but their author's previous block, where nobody looks.
const PARENTLESS: u64 = 500;

impl Process {
    pub(crate) const fn validator(&self) -> &Validator {
        &self.validator
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether it died amid what it did last.
    pub(crate) const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Whether a peer has just said that it no longer has what comes next here.
    pub(crate) const fn take_left_behind(&mut self) -> bool {
        std::mem::replace(&mut self.left_behind, false)
    }

    /// Lets it die after so many more effects.
    pub(crate) const fn light_fuse(&mut self, effects: u64) {
        self.fuse = Some(effects);
    }

    pub(crate) const fn stop_fuse(&mut self) {
        self.fuse = None;
    }

    /// Takes a client's transaction; whether there was room.
    pub(crate) fn submit(&mut self, transaction: Bytes, hub: &mut Hub) -> bool {
        if self.disk_full {
            return false;
        }
        let waiting = !self.pool.is_empty();
        let room = self.pool.push(hub.now, transaction).is_ok();
        if room && !waiting {
            self.step(Input::PayloadWaiting(true), hub);
        }
        room
    }

    /// Something was done that this boot had begun.
    pub(crate) fn internal(&mut self, what: Internal, hub: &mut Hub) {
        match what {
            Internal::Tick => {
                // Only the latest appointment counts.
                if self.tick.is_some_and(|at| at <= hub.now) {
                    self.tick = None;
                    self.step(Input::Tick, hub);
                }
            }
            Internal::LogSynced => self.log_synced(hub),
            Internal::TablesSynced => {
                self.tables.synced();
                hub.counters.checkpoints += 1;
                self.save_next(hub);
            }
            Internal::Job { job, payload } => self.job_done(job, &payload, hub),
            Internal::Executed => self.executed(hub),
            // It does not run while it joins.
            Internal::Join => {}
        }
    }

    /// One input, all its effects, and the next appointment.
    fn step(&mut self, input: Input, hub: &mut Hub) {
        let mut effects = Vec::new();
        self.validator.step(hub.now, input, &mut effects);
        self.carry_out(effects, hub);
    }

    fn carry_out(&mut self, effects: Vec<Effect>, hub: &mut Hub) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            if let Some(left) = &mut self.fuse {
                *left = left.saturating_sub(1);
                self.dead |= *left == 0;
            }
            if self.dead {
                return;
            }
            let mut more = Vec::new();
            self.carry_out_one(effect, hub, &mut more);
            effects.extend(more);
        }
        self.make_appointment(hub);
    }

    fn carry_out_one(&mut self, effect: Effect, hub: &mut Hub, more: &mut Vec<Effect>) {
        match effect {
            Effect::Persist { record, then } => {
                let (now, kind) = (hub.now, u64::from(record.kind()));
                hub.trace.note(now, Kind::Persist, self.me, kind, &[]);
                if let Record::Block(block) = &record {
                    hub.checker.accepted(self.me, block.reference());
                }
                let then = if hub.makes(DriverFault::SendBeforeDurable) {
                    more.extend(then);
                    Vec::new()
                } else {
                    then
                };
                self.append(record, then, hub);
            }
            Effect::SendBlock(block) => self.send_block(block.shared(), hub),
            Effect::SendShare(share) => self.send_share(share, hub),
            Effect::Fetch { peer, blocks } => {
                hub.counters.fetches += 1;
                let count = blocks.len() as u64;
                hub.trace.note(hub.now, Kind::Fetch, self.me, count, &[]);
                let asked = blocks.iter().map(|block| (self.me, peer, *block));
                hub.asked.extend(asked);
                hub.send(self.me, peer, Message::Fetch(Arc::new(blocks)));
            }
            Effect::Compute(job) => self.start_job(job, hub, more),
            Effect::Execute(commit) => {
                self.note_commit(&commit, hub);
                self.enqueue(Work::Execute(commit), hub);
            }
            Effect::Checkpoint(checkpoint) => {
                let bytes = quorate_types::Encode::to_bytes(&checkpoint);
                let number = checkpoint.height.0;
                hub.trace
                    .note(hub.now, Kind::Checkpoint, self.me, number, &[]);
                self.enqueue(Work::Checkpoint(bytes, self.log.appended()), hub);
            }
            Effect::Certified(certificate) => self.certified(*certificate, hub),
            Effect::Reclaim {
                round,
                transactions,
            } => {
                hub.counters.reclaimed += 1;
                hub.trace
                    .note(hub.now, Kind::Reclaim, self.me, round.0, &[]);
                if hub.makes(DriverFault::DropReclaimed) {
                    return;
                }
                let empty = self.pool.is_empty();
                self.pool.restore(hub.now, transactions.into_iter());
                if empty && !self.pool.is_empty() {
                    self.validator
                        .step(hub.now, Input::PayloadWaiting(true), more);
                }
            }
            Effect::Evidence(evidence) => {
                hub.trace.note(hub.now, Kind::Evidence, self.me, 0, &[]);
                hub.checker.evidence(self.me, &evidence);
                if self.liar.is_none() {
                    hub.counters.count_evidence(&evidence);
                }
            }
            Effect::Amnesia { round } => hub.trace.say(hub.now, Some(self.me), || {
                format!("learns of an own block of round {round} that it has forgotten")
            }),
            Effect::Diverged {
                height,
                own,
                certified,
            } => hub.checker.report(Violation::Diverged {
                validator: self.me,
                height,
                own,
                certified,
            }),
        }
    }

    fn note_commit(&self, commit: &Commit, hub: &mut Hub) {
        let (height, leader) = (commit.height.0, commit.leader);
        hub.trace
            .note(hub.now, Kind::Execute, self.me, height, &leader.id.0);
        if self.liar.is_none() {
            hub.trace
                .record(|recording| recording.commit(hub.now, commit));
        }
        hub.trace.say_in_passing(hub.now, Some(self.me), || {
            let blocks = commit.blocks.len();
            format!(
                "commits height {height}: leader {} of round {}, {blocks} blocks",
                leader.author, leader.round
            )
        });
        hub.checker.commit(self.me, commit);
        if let Some(stopwatch) = &mut hub.stopwatch {
            stopwatch.committed(self.me, commit, hub.now);
        }
    }

    fn start_job(&mut self, job: Job, hub: &mut Hub, more: &mut Vec<Effect>) {
        let mut payload = Vec::new();
        if matches!(job, Job::Propose { .. }) && !self.pool.is_empty() && !self.disk_full {
            payload = self.pool.take().transactions;
            if self.pool.is_empty() {
                self.validator
                    .step(hub.now, Input::PayloadWaiting(false), more);
            }
        }
        hub.trace
            .note(hub.now, Kind::Compute, self.me, payload.len() as u64, &[]);
        let mut takes = hub.draw(hub.mix.job);
        if matches!(job, Job::Coin { .. }) && !hub.healed {
            takes += hub.scheduler.coin_delay();
        }
        hub.after(takes, self.me, Internal::Job { job, payload });
    }

    fn job_done(&mut self, job: Job, payload: &[Bytes], hub: &mut Hub) {
        let setup = Arc::clone(&hub.setup);
        let cryptography = setup.cryptography(self.me);
        let input = match job {
            Job::Propose { round, mut parents } => {
                if hub.makes(DriverFault::ParentsUnchecked)
                    && self.liar.is_some()
                    && !hub.mix.real_cryptography
                    && hub.dice.per_mille(PARENTLESS)
                {
                    parents.truncate(1);
                }
                let skew = u64::from(self.me.0) * CLOCK_SKEW_MS;
                let time = CLOCK_ORIGIN_MS + hub.now.0 / 1000 + skew;
                let parents = match &mut self.liar {
                    Some(liar) => liar.choose_parents(round, parents, &setup),
                    None => parents,
                };
                let block = cryptography
                    .propose(round, &parents, time, payload)
                    .expect("the engine proposes valid blocks and the pool keeps to the limits");
                let remade = self
                    .liar
                    .as_mut()
                    .and_then(|liar| liar.remake(&block, &setup, cryptography.as_ref()));
                let block = match remade {
                    Some(remade) => cryptography
                        .recovered_block(Arc::unwrap_or_clone(remade))
                        .expect("what a liar changes in its block is none of the form"),
                    None => block,
                };
                Input::Built(block)
            }
            job => job
                .run(cryptography.as_ref())
                .expect("only proposals take a payload"),
        };
        self.note_verdicts(&input, hub);
        self.step(input, hub);
    }

    /// What cryptography says of a coin and of others' shares.
    fn note_verdicts(&self, input: &Input, hub: &mut Hub) {
        match input {
            Input::Coin { round, verdict } => {
                if let Some(coin) = &verdict.signature {
                    let slots = hub.mix.rule.leaders;
                    hub.trace
                        .record(|recording| recording.coin(hub.now, *round, coin, slots));
                }
                for liar in &verdict.bad {
                    let lie = Lie::CoinShare(*round);
                    hub.checker.found_out(self.me, *liar, lie);
                }
            }
            Input::Finality(verdicts) => {
                for verdict in verdicts {
                    let lie = Lie::FinalityShare(verdict.height);
                    for liar in verdict.bad_shares.iter().chain(&verdict.bad_offer) {
                        hub.checker.found_out(self.me, *liar, lie);
                    }
                }
            }
            _ => {}
        }
    }

    fn certified(&mut self, certificate: Certificate, hub: &mut Hub) {
        let height = certificate.header.height;
        let signature = certificate.signature.0;
        hub.trace
            .note(hub.now, Kind::Certified, self.me, height.0, &signature);
        let setup = Arc::clone(&hub.setup);
        hub.checker.certificate(self.me, &certificate, &setup);
        hub.trace
            .record(|recording| recording.certificate(hub.now, height));
        hub.trace.say_in_passing(hub.now, Some(self.me), || {
            format!("certifies height {height}")
        });
        if let Some(stopwatch) = &mut hub.stopwatch {
            stopwatch.certified(self.me, height, hub.now);
        }
        self.offers.certified(height, hub.now);
        let certificate = Arc::new(certificate);
        self.shares = self.shares.split_off(&height.next());
        self.unsaved.certificates.push(Arc::clone(&certificate));
        self.certificates.insert(height, certificate);
    }

    fn enqueue(&mut self, work: Work, hub: &mut Hub) {
        self.executor.push_back(work);
        if self.executor.len() == 1 {
            self.start_executor(hub);
        }
    }

    fn start_executor(&self, hub: &mut Hub) {
        if !self.executor.is_empty() {
            let takes = hub.draw(EXECUTION);
            hub.after(takes, self.me, Internal::Executed);
        }
    }

    fn executed(&mut self, hub: &mut Hub) {
        let Some(work) = self.executor.pop_front() else {
            return;
        };
        self.start_executor(hub);
        match work {
            Work::Execute(commit) => {
                if let Some(header) = self.execute(&commit, hub) {
                    self.step(Input::Executed(header), hub);
                }
            }
            Work::Checkpoint(checkpoint, records) => {
                self.prepare_save(checkpoint, records, hub);
            }
        }
    }

    /// Executes the next commit. `None`: it cannot be, which the checker is told.
    fn execute(&mut self, commit: &Commit, hub: &mut Hub) -> Option<Header> {
        let height = commit.height;
        let prepared = hub.prepare(commit, &self.ledger.snapshot());
        match self.ledger.execute_prepared(commit, prepared) {
            Ok(execution) => {
                if hub.mix.joins > 0 {
                    self.offers.executed(commit, &execution);
                }
                let header = execution.header;
                let hash = header.hash();
                hub.trace
                    .note(hub.now, Kind::Header, self.me, height.0, &hash.0);
                hub.checker.header(self.me, height, hash);
                self.unsaved.changes.extend(execution.changes);
                self.unsaved.headers.push(header.clone());
                Some(header)
            }
            Err(error) => {
                hub.checker.report(Violation::Execution {
                    validator: self.me,
                    height,
                    error,
                });
                None
            }
        }
    }

    /// Takes down what a checkpoint saves, at the height that the executor has just reached.
    fn prepare_save(&mut self, checkpoint: Vec<u8>, records: u64, hub: &mut Hub) {
        self.check_conservation(hub);
        let unsaved = std::mem::take(&mut self.unsaved);
        let batch = Batch {
            checkpoint,
            head: self.ledger.head().clone(),
            changes: unsaved.changes,
            headers: unsaved.headers,
            certificates: unsaved.certificates,
        };
        self.checkpoints.push_back((records, batch));
        self.save_next(hub);
    }

    pub(crate) fn check_conservation(&self, hub: &mut Hub) {
        if let Err(error) = self.ledger.snapshot().check_conservation() {
            hub.checker.report(Violation::Conservation {
                validator: self.me,
                height: self.ledger.head().height,
                error,
            });
        }
    }

    /// Begins the next transaction of the tables, if the log is durable as far as it must be.
    fn save_next(&mut self, hub: &mut Hub) {
        let ready = self
            .checkpoints
            .front()
            .is_some_and(|(records, _)| *records <= self.log.durable());
        if self.tables.is_syncing() || self.disk_full || !ready {
            return;
        }
        if let Some((_, batch)) = self.checkpoints.pop_front() {
            self.tables.begin(batch);
            let takes = 2 * hub.draw(hub.mix.sync);
            hub.after(takes, self.me, Internal::TablesSynced);
        }
    }

    fn make_appointment(&mut self, hub: &mut Hub) {
        let Some(deadline) = self.validator.deadline() else {
            return;
        };
        // Time goes on between two ticks.
        let at = deadline.max(hub.now.plus_micros(1));
        if self
            .tick
            .is_none_or(|before| at < before || before <= hub.now)
        {
            self.tick = Some(at);
            hub.after(at.micros_since(hub.now), self.me, Internal::Tick);
        }
    }
}
