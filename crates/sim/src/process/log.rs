//! Group commit: one sync makes durable all that waits, and then happens what waited for it.

use bytes::Bytes;
use quorate_store::disk::MemoryDisk;
use quorate_store::wal::{Position, Wal, WalError};
use quorate_types::BlockRef;
use quorate_validator::{Effect, Record};

use super::{Process, Remains};
use crate::event::Internal;
use crate::hub::Hub;
use crate::options::DriverFault;

/// Records on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct LogQueue {
    waiting: Vec<Entry>,
    /// The group that the disk writes now.
    syncing: Option<Vec<Entry>>,
    appended: u64,
    durable: u64,
    /// Where the last group begins that is durable.
    pub(super) settled: Option<Position>,
}

#[derive(Debug)]
struct Entry {
    kind: u8,
    payload: Bytes,
    block: Option<BlockRef>,
    /// Where it is, once it was handed to the log.
    position: Option<Position>,
    then: Vec<Effect>,
}

/// How long it takes until a write is tried again that found no room, in microseconds.
const FULL_RETRY: u64 = 50_000;
/// Changes of the disk after which the power may go amid a write: a new segment takes the most.
const POWER_OFF_AFTER: (u64, u64) = (1, 9);

impl LogQueue {
    /// How many records were appended in this boot.
    pub(super) const fn appended(&self) -> u64 {
        self.appended
    }

    /// How many of them are durable.
    pub(super) const fn durable(&self) -> u64 {
        self.durable
    }
}

impl Process {
    pub(super) fn append(&mut self, record: Record, then: Vec<Effect>, hub: &mut Hub) {
        let block = match &record {
            Record::Block(block) => {
                let reference = block.reference();
                let held = &mut self.held[reference.author.position()];
                *held = reference.round.max(*held);
                Some(reference)
            }
            Record::Coin { .. }
            | Record::Vote { .. }
            | Record::Lost
            | Record::ProposedPast { .. }
            | Record::Doubtful { .. } => None,
        };
        self.log.appended += 1;
        self.log.waiting.push(Entry {
            kind: record.kind(),
            payload: record.payload(),
            block,
            position: None,
            then,
        });
        self.sync_next(hub);
    }

    fn sync_next(&mut self, hub: &mut Hub) {
        if self.log.syncing.is_some() || self.log.waiting.is_empty() {
            return;
        }
        self.log.syncing = Some(std::mem::take(&mut self.log.waiting));
        let takes = hub.draw(hub.mix.sync);
        hub.after(takes, self.me, Internal::LogSynced);
    }

    pub(super) fn log_synced(&mut self, hub: &mut Hub) {
        let mut group = self.log.syncing.take().unwrap_or_default();
        write(&mut self.wal, &mut group);
        match self.wal.flush() {
            // What waits is kept, and tried again.
            Err(WalError::Full) => {
                self.note_full(hub);
                self.log.syncing = Some(group);
                hub.after(FULL_RETRY, self.me, Internal::LogSynced);
                return;
            }
            flushed => flushed.expect("the disk fails otherwise only when its validator crashes"),
        };
        self.note_room(hub);
        self.log.durable += group.len() as u64;
        self.log.settled = group.first().and_then(|entry| entry.position);
        let mut effects = Vec::new();
        for entry in group {
            if let (Some(block), Some(position)) = (entry.block, entry.position) {
                self.positions.insert(block, position);
            }
            effects.extend(entry.then);
        }
        self.carry_out(effects, hub);
        self.sync_next(hub);
        self.save_next(hub);
    }

    /// Dies. The power goes as well, or only the process: a write under way may then be there in part, or wholly
    /// although nobody was told.
    pub(crate) fn crash(self, hub: &mut Hub) -> Remains {
        let Self {
            log,
            mut wal,
            mut disk,
            mut tables,
            validator,
            lost,
            ..
        } = self;
        let settled = log.settled;
        if let Some(group) = log.syncing {
            write_in_part(&mut wal, &disk, group, hub);
        }
        if hub.dice.per_mille(700) {
            disk.crash(hub.dice.next());
        } else {
            disk.kill();
        }
        if hub.makes(DriverFault::HalfCheckpoint) {
            tables.tear();
        }
        tables.crash(&mut hub.dice);
        Remains {
            disk,
            tables,
            // The operator says it again until it has come to something.
            lost: lost && !validator.may_propose(),
            settled,
            damaged: false,
        }
    }
}

/// Hands to the log what it does not have yet.
fn write(wal: &mut Wal<MemoryDisk>, group: &mut [Entry]) {
    for entry in group {
        if entry.position.is_none() {
            let position = wal.append(entry.kind, &entry.payload);
            entry.position = Some(position.expect("records are far below the limits of the log"));
        }
    }
}

fn write_in_part(
    wal: &mut Wal<MemoryDisk>,
    disk: &MemoryDisk,
    mut group: Vec<Entry>,
    hub: &mut Hub,
) {
    write(wal, &mut group);
    disk.power_off_after(hub.draw(POWER_OFF_AFTER));
    // Whether it succeeds is what is left to chance here.
    let _ = wal.flush();
}
