//! What befalls a validator's disk while it runs and while it is down: no room, decay, copies.

use quorate_store::disk::{Disk, MemoryDisk};

use super::{Process, Remains};
use crate::dice::Dice;
use crate::hub::Hub;

/// Most bytes that fit on a disk that fills up.
const SLACK_MAX: u64 = 4_000;
/// Of a thousand damages, how many turn over some bits; the others bring back what a file was before.
const FLIPS: u64 = 600;

impl Process {
    /// Lets the disk take next to nothing more.
    pub(crate) fn fill_disk(&self, dice: &mut Dice) {
        let used: u64 = names(&self.disk)
            .iter()
            .map(|name| content(&self.disk, name).len() as u64)
            .sum();
        self.disk.set_capacity(Some(used + dice.below(SLACK_MAX)));
    }

    /// The disk has room again.
    pub(crate) fn give_room(&self) {
        self.disk.set_capacity(None);
    }

    pub(super) fn note_full(&mut self, hub: &mut Hub) {
        if !std::mem::replace(&mut self.disk_full, true) {
            hub.counters.filled += 1;
            hub.trace
                .say(hub.now, Some(self.me), || "finds its disk full".to_owned());
        }
    }

    pub(super) fn note_room(&mut self, hub: &Hub) {
        if std::mem::replace(&mut self.disk_full, false) {
            hub.trace.say(hub.now, Some(self.me), || {
                "finds room on its disk".to_owned()
            });
        }
    }

    /// What a copy of the data directory holds at this moment.
    pub(crate) fn back_up(&self) -> Remains {
        let disk = self.disk.copy();
        disk.set_capacity(None);
        Remains {
            disk,
            tables: self.tables.back_up(),
            lost: true,
            ..Remains::default()
        }
    }
}

impl Remains {
    /// The disk has room again.
    pub(crate) fn give_room(&self) {
        self.disk.set_capacity(None);
    }

    /// Damages something in the log that is durable, and that something durable comes after. Returns whether there is any.
    pub(crate) fn damage(&mut self, dice: &mut Dice) -> bool {
        let Some(settled) = self.settled else {
            return false;
        };
        // Nothing is pruned here, so the segments are there from the first on, and their names ascend.
        let names = names(&self.disk);
        let last = usize::try_from(settled.segment).expect("a few segments");
        let stale = last > 0 && !dice.per_mille(FLIPS);
        let segments = if stale { last } else { last + 1 };
        let segment = usize::try_from(dice.below(segments as u64)).expect("a few segments");
        let (Some(name), true) = (names.get(segment), names.len() > last) else {
            return false;
        };
        let mut bytes = content(&self.disk, name);
        let end = if segment == last {
            settled.offset
        } else {
            bytes.len() as u64
        };
        let at = dice.below(end);
        if stale {
            bytes.truncate(usize::try_from(at).expect("a small file"));
            self.disk
                .put(name, bytes)
                .expect("the name is one that the disk listed");
            self.damaged = true;
        } else {
            let mask = u8::try_from(dice.between(1, 255)).expect("a byte");
            self.damaged = self.disk.flip_byte(name, at, mask);
        }
        self.damaged
    }
}

fn names(disk: &MemoryDisk) -> Vec<String> {
    let mut names = disk.list().expect("the disk belongs to this boot");
    names.sort_unstable();
    names
}

fn content(disk: &MemoryDisk, name: &str) -> Vec<u8> {
    disk.content(name).expect("the disk listed it")
}
