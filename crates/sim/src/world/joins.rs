//! Validators that come back by state sync.

use quorate_sync::{Place, SyncPoint};
use quorate_types::{Decode, ValidatorIndex};

use super::{Node, World};
use crate::event::Internal;
use crate::joining::{Joining, Step};
use crate::process::Process;
use crate::trace::Kind;

/// Pause between two questions, beside what messages take, in microseconds.
const PAUSE: u64 = 200;

impl World {
    /// Starts a validator that is down, or has it join.
    pub(super) fn restart(&mut self, at: ValidatorIndex) {
        let joins = self.hub.mix.joins;
        let joins = !self.hub.healed && joins > 0 && self.hub.dice.per_mille(joins);
        if joins {
            self.have_join(at);
        }
        // Unless it joins: a log that is damaged does not open, whatever comes after.
        self.start(at);
    }

    /// Stops a validator and has it join, if a peer that says that it no longer has what comes next there proves that it is ahead.
    pub(super) fn look_ahead(&mut self, at: ValidatorIndex, peer: ValidatorIndex) {
        let trust = self.hub.setup.trust();
        let Node::Up(other) = &mut self.nodes[peer.position()] else {
            return;
        };
        let point = other.sync_point(None, &self.hub);
        let point = point.and_then(|bytes| SyncPoint::from_bytes(&bytes).ok());
        let place = point.and_then(|point| trust.point(&point).ok());
        let ahead = |process: &Process, place: &Place| {
            let validator = process.validator();
            place.header.height > validator.finality().certified
                && place.gc_round > validator.status().round
        };
        if let (Some(process), Some(place)) = (self.process(at), place)
            && ahead(process, &place)
        {
            self.crash(at, 1);
            self.have_join(at);
        }
    }

    fn have_join(&mut self, at: ValidatorIndex) {
        let node = &mut self.nodes[at.position()];
        if let Node::Down(remains) = node
            && !remains.damaged
        {
            let remains = std::mem::take(remains);
            *node = Node::Joining(Box::new(Joining::new(at, remains, &self.hub)));
            self.hub.trace.note(self.hub.now, Kind::Join, at, 0, &[]);
            self.ask_next(at);
        }
    }

    fn ask_next(&mut self, at: ValidatorIndex) {
        let delay = self.hub.mix.delay;
        let takes = PAUSE + 2 * self.hub.draw(delay);
        self.hub.after(takes, at, Internal::Join);
    }

    /// The next step of a validator that joins.
    pub(super) fn join(&mut self, at: ValidatorIndex) {
        let mut joining = None;
        let mut peers: Vec<Option<&mut Process>> = Vec::new();
        for (position, node) in self.nodes.iter_mut().enumerate() {
            peers.push(match node {
                Node::Up(process) => Some(process.as_mut()),
                Node::Joining(one) if position == at.position() => {
                    joining = Some(one);
                    None
                }
                Node::Down(_) | Node::Joining(_) => None,
            });
        }
        let Some(joining) = joining else {
            return;
        };
        match joining.step(&mut peers, &mut self.hub) {
            Step::Next => self.ask_next(at),
            Step::Start => {
                self.end_joining(at);
                self.start(at);
            }
            Step::Crash => {
                let outage = self.draw_outage();
                self.crash(at, outage);
            }
            Step::Refused(error) => {
                self.end_joining(at);
                self.refused(at, error);
            }
        }
    }

    fn end_joining(&mut self, at: ValidatorIndex) {
        let node = &mut self.nodes[at.position()];
        if let Node::Joining(joining) = node {
            let remains = std::mem::take(&mut joining.remains);
            *node = Node::Down(remains);
        }
    }
}
