//! What befalls disks: they are copied, lost, full for a while and damaged.

use quorate_store::wal::WalError;
use quorate_types::ValidatorIndex;

use super::{Node, World};
use crate::event::{Event, Mend};
use crate::failure::{RestartError, Violation};
use crate::process::Remains;

impl World {
    pub(super) fn back_up_one(&mut self) {
        let at = self.draw_validator();
        if let Node::Up(process) = &self.nodes[at.position()] {
            self.backups[at.position()] = Some(process.back_up());
            self.say(Some(at), || "is backed up".to_owned());
        }
    }

    /// Whoever lost its disk counts with those who lie or are gone, until it takes part again.
    fn may_forget(&mut self, at: ValidatorIndex) -> bool {
        let rejoined: Vec<ValidatorIndex> = self
            .forgetful
            .iter()
            .copied()
            .filter(|at| {
                let process = self.process(*at);
                process.is_some_and(|process| process.validator().has_rejoined())
            })
            .collect();
        for at in rejoined {
            self.forgetful.remove(&at);
        }
        let faults = usize::from((self.hub.setup.committee.size() - 1) / 3);
        let liars = usize::from(self.hub.mix.liars());
        self.is_honest(at) && liars + self.forgetful.len() < faults
    }

    pub(super) fn forget_one(&mut self) {
        let at = self.draw_validator();
        if !self.may_go_down()
            || !self.may_forget(at)
            || !matches!(self.nodes[at.position()], Node::Up(_))
        {
            return;
        }
        let outage = self.draw_outage();
        self.crash(at, outage);
        self.replace_disk(at);
    }

    /// The operator puts another disk in the place of one, with the last backup on it, if there is one, and says so.
    fn replace_disk(&mut self, at: ValidatorIndex) {
        let backup = self.backups[at.position()].take();
        let backed_up = backup.is_some();
        self.say(Some(at), || {
            if backed_up {
                "loses its disk; a backup is restored".to_owned()
            } else {
                "loses its disk".to_owned()
            }
        });
        self.hub.counters.forgotten += 1;
        self.forgetful.insert(at);
        let remains = backup.unwrap_or_else(|| Remains {
            lost: true,
            ..Remains::default()
        });
        self.nodes[at.position()] = Node::Down(Box::new(remains));
    }

    pub(super) fn fill_one(&mut self) {
        let at = self.draw_validator();
        let length = self.draw_outage();
        let Node::Up(process) = &self.nodes[at.position()] else {
            return;
        };
        process.fill_disk(&mut self.hub.dice);
        self.say(Some(at), || {
            format!("has no room on its disk for {length} µs")
        });
        let mend = Event::Mend(Mend::Full(at));
        self.hub.queue.push(self.hub.now.plus_micros(length), mend);
    }

    pub(super) fn give_room(&self, at: ValidatorIndex) {
        match &self.nodes[at.position()] {
            Node::Up(process) => process.give_room(),
            Node::Down(remains) => remains.give_room(),
            Node::Joining(joining) => joining.remains.give_room(),
        }
    }

    /// Whoever finds its log damaged has lost its disk, as far as the committee is concerned.
    pub(super) fn damage_one(&mut self) {
        let at = self.draw_validator();
        if !self.may_go_down()
            || !self.may_forget(at)
            || !matches!(self.nodes[at.position()], Node::Up(_))
        {
            return;
        }
        let outage = self.draw_outage();
        self.crash(at, outage);
        if let Node::Down(remains) = &mut self.nodes[at.position()]
            && remains.damage(&mut self.hub.dice)
        {
            self.forgetful.insert(at);
            self.say(Some(at), || "has a damaged log".to_owned());
        }
    }

    /// A validator did not start. Without room it is tried again; a damaged log is of no use any more.
    pub(super) fn refused(&mut self, at: ValidatorIndex, error: RestartError) {
        let damaged = match &self.nodes[at.position()] {
            Node::Down(remains) => remains.damaged,
            Node::Up(_) | Node::Joining(_) => false,
        };
        if error == RestartError::Log(WalError::Full) {
            let outage = self.draw_outage();
            let boot = self.hub.boots[at.position()];
            let restart = Event::Restart { at, boot };
            self.hub
                .queue
                .push(self.hub.now.plus_micros(outage), restart);
        } else if damaged && matches!(error, RestartError::Log(_)) {
            self.say(Some(at), || format!("refuses its log: {error}"));
            self.hub.counters.damaged += 1;
            self.replace_disk(at);
            self.start(at);
        } else {
            self.hub.checker.report(Violation::Restart {
                validator: at,
                error,
            });
        }
    }
}
