//! Dealings: made, validated, broadcast by hash, fetched.

use quorate_types::ValidatorIndex;

use super::Engine;
use crate::dealing::{DealingFault, SignedDealing};
use crate::evidence::DealerEvidence;
use crate::io::{DealingName, Effect, Job, Record};
use crate::member_set::MemberSet;
use crate::message::{Message, MessageError};

impl Engine {
    /// Sends the own dealing. It is validated like any other, which also decrypts the own share of it.
    pub(super) fn dealt(&mut self, dealing: SignedDealing, out: &mut Vec<Effect>) {
        // The result may have come first, and nothing is said after it.
        if !self.takes_part() || dealing.dealer != self.me {
            return;
        }
        let state = &mut self.dealings[self.me.position()];
        if state.announced.is_some() {
            return;
        }
        let hash = dealing.hash();
        state.announced = Some(hash);
        state.signed.insert(hash, dealing.signature);
        self.say(Message::Dealing(dealing.clone()), out);
        self.hold(&dealing, out);
        // The message is in the log, and the dealing with it.
        self.bodies.store(&(self.me, hash));
    }

    /// Keeps a dealing whose signature was checked, and has it validated, if that is new.
    pub(super) fn hold(&mut self, dealing: &SignedDealing, out: &mut Vec<Effect>) {
        let name = (dealing.dealer, dealing.hash());
        if self.bodies.put(name, dealing) {
            out.push(Effect::Compute(Job::Validate(dealing.clone())));
        }
    }

    /// Stores and echoes the first valid dealing of a dealer.
    pub(super) fn validated(
        &mut self,
        name: DealingName,
        verdict: Result<(), DealingFault>,
        evidence: Vec<DealerEvidence>,
        out: &mut Vec<Effect>,
    ) {
        out.extend(evidence.into_iter().map(Effect::Evidence));
        if let Err(fault) = verdict {
            self.invalid(name, fault, out);
            return;
        }
        let Some(dealing) = self.bodies.accept(&name).cloned() else {
            return;
        };
        let (dealer, hash) = name;
        let state = &self.dealings[dealer.position()];
        let echoed = state.broadcast.echo_senders().contains(self.me);
        if !echoed && self.takes_part() {
            self.store(&name, out);
            let state = &mut self.dealings[dealer.position()];
            let signature = dealing.signature;
            state.signed.entry(hash).or_insert(signature);
            if state.broadcast.echo(self.me, hash).is_ok() {
                let message = Message::Echo {
                    dealer,
                    hash,
                    signature,
                };
                self.say(message, out);
            }
        }
    }

    /// Sees to it that the log has a valid dealing: before an echo promises to keep it, and before anything is signed
    /// that depends on it.
    pub(super) fn store(&mut self, name: &DealingName, out: &mut Vec<Effect>) {
        if let Some(dealing) = self.bodies.store(name) {
            out.push(Effect::Persist(Record::Body(dealing)));
        }
    }

    /// Convicts a dealer that signed what is invalid.
    fn invalid(&mut self, name: DealingName, fault: DealingFault, out: &mut Vec<Effect>) {
        let Some(dealing) = self.bodies.reject(&name) else {
            return;
        };
        if fault.convicts() {
            self.refuse(name.0, fault.into(), out);
            out.push(Effect::Evidence(DealerEvidence::InvalidDealing(dealing)));
        }
    }

    /// Readies and deliveries that are due.
    pub(super) fn progress_dealings(&mut self, out: &mut Vec<Effect>) {
        for dealer in self.ceremony.indices() {
            let state = &mut self.dealings[dealer.position()];
            if let Some(hash) = state.broadcast.due_ready(self.me, self.thresholds)
                && state.broadcast.ready(self.me, hash).is_ok()
            {
                self.say(Message::Ready { dealer, hash }, out);
            }
            if let Some(name) = self.name_of(dealer)
                && self.bodies.valid(&name).is_some()
                && self.available.insert(dealer)
            {
                self.store(&name, out);
            }
        }
    }

    /// Takes an answer to a request for a dealing.
    pub(super) fn fetched(
        &mut self,
        from: ValidatorIndex,
        name: DealingName,
        dealing: Option<SignedDealing>,
        out: &mut Vec<Effect>,
    ) {
        self.bodies.denied(&name, from);
        let Some(dealing) = dealing.filter(|_| self.bodies.is_wanted(&name)) else {
            return;
        };
        if (dealing.dealer, dealing.hash()) != name {
            self.refuse(from, MessageError::WrongDealing, out);
            return;
        }
        match self.note_signed(name.0, name.1, dealing.signature, out) {
            Ok(()) => self.hold(&dealing, out),
            Err(error) => self.refuse(from, error, out),
        }
    }

    /// Asks for all dealings that were delivered, or are part of a claimed result, and are not here.
    pub(super) fn request_bodies(&mut self, out: &mut Vec<Effect>) {
        let mut missing: Vec<DealingName> = Vec::new();
        if self.takes_part() {
            missing.extend(self.ceremony.indices().filter_map(|d| self.name_of(d)));
        }
        let claimed = self.completion.claims().iter();
        missing.extend(claimed.flat_map(|claim| claim.dealings.iter().copied()));
        for name in missing {
            if self.bodies.holds(&name) {
                continue;
            }
            let sources = self.sources(&name);
            if let Some(from) = self.bodies.request(name, sources) {
                let (dealer, hash) = name;
                out.push(Effect::Fetch { from, dealer, hash });
            }
        }
    }

    /// Who said that it has a dealing: by an echo, or by a result that includes it.
    pub(super) fn sources(&self, name: &DealingName) -> MemberSet {
        let (dealer, hash) = name;
        let mut sources = self
            .dealings
            .get(dealer.position())
            .map_or_else(MemberSet::default, |state| state.broadcast.echoed(hash));
        for claim in self.completion.claims() {
            if claim.dealings.contains(name) {
                sources = sources.union(claim.by);
            }
        }
        sources.remove(self.me);
        sources
            .iter()
            .filter(|peer| !self.is_refused(*peer))
            .collect()
    }
}
