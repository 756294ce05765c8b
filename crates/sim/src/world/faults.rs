//! What befalls validators and links.

use quorate_types::ValidatorIndex;

use super::{Node, World};
use crate::event::{Event, Mend};
use crate::trace::Kind;

/// Most effects that a validator carries out before it dies between two of them.
const FUSE_MAX: u64 = 60;

/// Does a fault to the world.
type Fault = fn(&mut World);

impl World {
    pub(super) fn schedule_fault(&mut self) {
        if self.hub.mix.faults.sum() > 0 {
            let after = self.hub.dice.between(1, 2 * self.hub.mix.fault_interval);
            let at = self.hub.now.plus_micros(after);
            self.hub.queue.push(at, Event::Fault);
        }
    }

    /// One fault, as the mix has it.
    pub(super) fn fault(&mut self) {
        let weights = self.hub.mix.faults;
        let mut left = self.hub.dice.below(weights.sum());
        self.hub
            .trace
            .note(self.hub.now, Kind::Fault, ValidatorIndex(0), left, &[]);
        let kinds: [(u64, Fault); 11] = [
            (weights.crash, Self::crash_one),
            (weights.crash_between_effects, Self::light_one_fuse),
            (weights.crash_all, Self::crash_all),
            (weights.partition, Self::partition),
            (weights.isolate, Self::isolate),
            (weights.cut_one_way, Self::cut_one_way),
            (weights.slow_link, Self::slow_link),
            (weights.back_up, Self::back_up_one),
            (weights.forget, Self::forget_one),
            (weights.fill, Self::fill_one),
            (weights.damage, Self::damage_one),
        ];
        for (weight, fault) in kinds {
            if left < weight {
                fault(self);
                return;
            }
            left -= weight;
        }
    }

    pub(super) fn draw_outage(&mut self) -> u64 {
        self.hub.dice.between(1, self.hub.mix.fault_length)
    }

    pub(super) fn draw_validator(&mut self) -> ValidatorIndex {
        let size = u64::from(self.hub.setup.committee.size());
        ValidatorIndex(u16::try_from(self.hub.dice.below(size)).expect("below n"))
    }

    /// Two different validators.
    fn draw_link(&mut self) -> (ValidatorIndex, ValidatorIndex) {
        let from = self.draw_validator();
        let size = u64::from(self.hub.setup.committee.size());
        let step = self.hub.dice.between(1, size - 1);
        let to = (u64::from(from.0) + step) % size;
        (from, ValidatorIndex(u16::try_from(to).expect("below n")))
    }

    pub(super) fn may_go_down(&self) -> bool {
        let down = |node: &&Node| !matches!(node, Node::Up(_));
        self.nodes.iter().filter(down).count() < usize::from(self.hub.mix.down_max)
    }

    fn crash_one(&mut self) {
        let at = self.draw_validator();
        if self.may_go_down() {
            let outage = self.draw_outage();
            self.crash(at, outage);
        }
    }

    fn light_one_fuse(&mut self) {
        let at = self.draw_validator();
        let effects = self.hub.dice.between(1, FUSE_MAX);
        if self.may_go_down()
            && let Node::Up(process) = &mut self.nodes[at.position()]
        {
            process.light_fuse(effects);
        }
    }

    fn crash_all(&mut self) {
        self.say(None, || "all crash".to_owned());
        for at in self.hub.setup.committee.indices() {
            let outage = self.draw_outage();
            self.crash(at, outage);
        }
    }

    fn partition(&mut self) {
        let size = self.hub.setup.committee.size();
        let sides: Vec<bool> = (0..size).map(|_| self.hub.dice.per_mille(400)).collect();
        let length = self.draw_outage();
        self.say(None, || {
            let apart: Vec<u16> = (0..size).filter(|at| sides[usize::from(*at)]).collect();
            format!("{apart:?} are cut off from the others for {length} µs")
        });
        self.cut_between(&sides, length);
    }

    fn isolate(&mut self) {
        let at = self.draw_validator();
        let size = self.hub.setup.committee.size();
        let sides: Vec<bool> = (0..size).map(|other| other == at.0).collect();
        let length = self.draw_outage();
        self.say(Some(at), || format!("is cut off for {length} µs"));
        self.cut_between(&sides, length);
    }

    fn cut_between(&mut self, sides: &[bool], length: u64) {
        self.hub.counters.partitions += 1;
        for from in self.hub.setup.committee.indices() {
            for to in self.hub.setup.committee.indices() {
                if sides[from.position()] != sides[to.position()] {
                    self.cut(from, to, length);
                }
            }
        }
    }

    fn cut_one_way(&mut self) {
        let (from, to) = self.draw_link();
        let length = self.draw_outage();
        self.say(None, || {
            format!("nothing gets from {from} to {to} for {length} µs")
        });
        self.cut(from, to, length);
    }

    fn cut(&mut self, from: ValidatorIndex, to: ValidatorIndex, length: u64) {
        self.hub.network.cut(from, to);
        let mend = Event::Mend(Mend::Cut(from, to));
        self.hub.queue.push(self.hub.now.plus_micros(length), mend);
    }

    fn slow_link(&mut self) {
        let (from, to) = self.draw_link();
        let length = self.draw_outage();
        self.say(None, || {
            format!("the link from {from} to {to} is slow for {length} µs")
        });
        self.hub.network.slow(from, to);
        let mend = Event::Mend(Mend::Slow(from, to));
        self.hub.queue.push(self.hub.now.plus_micros(length), mend);
    }

    pub(super) fn mend(&mut self, mend: Mend) {
        let (from, to) = match mend {
            Mend::Cut(from, to) | Mend::Slow(from, to) => (from, to),
            Mend::Full(at) => (at, at),
        };
        self.hub
            .trace
            .note(self.hub.now, Kind::Mend, from, u64::from(to.0), &[]);
        match mend {
            Mend::Full(at) => self.give_room(at),
            Mend::Slow(from, to) => self.hub.network.mend_slow(from, to),
            Mend::Cut(from, to) => {
                for (boot, message) in self.hub.network.mend_cut(from, to) {
                    self.hub.transmit(from, to, boot, message);
                }
            }
        }
    }

    pub(super) fn say(&self, at: Option<ValidatorIndex>, what: impl FnOnce() -> String) {
        self.hub.trace.say(self.hub.now, at, what);
    }
}
