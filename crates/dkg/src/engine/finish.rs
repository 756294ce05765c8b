//! The end: the union of all accepted proposals, its certificate, and results of others.

use quorate_types::{Signature, TranscriptHash, ValidatorIndex};

use super::{Engine, Role};
use crate::completion::Own;
use crate::io::{DealingName, Effect, Job, Outcome};
use crate::keys::Keys;
use crate::member_set::MemberSet;
use crate::message::{Message, MessageError};
use crate::transcript::Transcript;

impl Engine {
    /// Adds everything up once all agreements decided, and combines the certificate once there are enough shares.
    pub(super) fn progress_completion(&mut self, out: &mut Vec<Effect>) {
        if self.completion.dealings.is_none() {
            let Some(set) = self.accepted_dealers() else {
                return;
            };
            let dealings = self.names_of(set);
            self.completion.dealings = Some(dealings.clone());
            out.push(Effect::Compute(Job::SignCompletion { dealings }));
        }
        for from in self.completion.dissenters() {
            self.completion.drop_share(from);
            self.refuse(from, MessageError::CompletionShare, out);
        }
        let quorum = usize::from(self.ceremony.quorum());
        let due = self.completion.due(quorum);
        if let Some((shares, dealings)) = due.zip(self.completion.dealings.clone()) {
            self.completion.combining = true;
            out.push(Effect::Compute(Job::CombineCompletion { dealings, shares }));
        }
    }

    /// The dealers of all accepted proposals, once every agreement decided and all their dealings are here.
    fn accepted_dealers(&self) -> Option<MemberSet> {
        let mut dealers = MemberSet::EMPTY;
        let decided = |proposal: &crate::proposal::Proposal| proposal.agreement.decision();
        if self.proposals.iter().any(|p| decided(p).is_none()) {
            return None;
        }
        for proposal in self.proposals.iter().filter(|p| decided(p) == Some(true)) {
            let set = proposal.usable(self.thresholds, self.available)?;
            dealers = dealers.union(set);
        }
        (!dealers.is_empty()).then_some(dealers)
    }

    /// Reveals the own share of the certificate. The share it is made with needs no storing: it follows from the
    /// dealings, which the log has, and the encryption key.
    pub(super) fn completion_signed(
        &mut self,
        transcript: TranscriptHash,
        keys: Keys,
        share: Signature,
        out: &mut Vec<Effect>,
    ) {
        if !self.takes_part() {
            return;
        }
        self.completion.own = Some(Own { transcript, keys });
        if self.completion.add(self.me, transcript, share).is_ok() {
            self.say(Message::CompletionShare { transcript, share }, out);
        }
    }

    pub(super) fn completion_combined(
        &mut self,
        certificate: Option<Signature>,
        bad: &[ValidatorIndex],
        out: &mut Vec<Effect>,
    ) {
        self.completion.combining = false;
        for from in bad {
            self.completion.drop_share(*from);
            self.refuse(*from, MessageError::CompletionShare, out);
        }
        let own = self.completion.own.clone();
        let dealings = self.completion.dealings.clone();
        if let (Some(certificate), Some(own), Some(dealings)) = (certificate, own, dealings) {
            self.finish(&dealings, certificate, own.keys, out);
        }
    }

    /// Has claimed results checked whose dealings are all here.
    pub(super) fn progress_claims(&mut self, out: &mut Vec<Effect>) {
        let bodies = &self.bodies;
        let wrong = self
            .completion
            .drop_claims(|claim| claim.dealings.iter().any(|name| bodies.is_invalid(name)));
        for from in wrong.iter() {
            self.refuse(from, MessageError::Complete, out);
        }
        let bodies = &self.bodies;
        for claim in self.completion.claims_mut() {
            let here = |name: &DealingName| bodies.valid(name).is_some();
            if !claim.checking && claim.dealings.iter().all(here) {
                claim.checking = true;
                out.push(Effect::Compute(Job::CheckComplete {
                    dealings: claim.dealings.clone(),
                    certificate: claim.certificate,
                }));
            }
        }
    }

    pub(super) fn complete_checked(
        &mut self,
        dealings: &[DealingName],
        certificate: Signature,
        keys: Option<Keys>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(keys) = keys {
            self.finish(dealings, certificate, keys, out);
            return;
        }
        let wrong = self
            .completion
            .drop_claims(|claim| claim.dealings == dealings && claim.certificate == certificate);
        for from in wrong.iter() {
            self.refuse(from, MessageError::Complete, out);
        }
    }

    /// Hands out the result and passes it on.
    fn finish(
        &mut self,
        dealings: &[DealingName],
        certificate: Signature,
        keys: Keys,
        out: &mut Vec<Effect>,
    ) {
        if self.finished {
            return;
        }
        for name in dealings {
            self.store(name, out);
            // Whoever took the result from others has not seen the broadcasts that delivered its dealings.
            self.available.insert(name.0);
        }
        let bodies: Option<Vec<_>> = dealings
            .iter()
            .map(|name| self.bodies.valid(name).cloned())
            .collect();
        let bodies = bodies.expect("the job named dealings that were valid here");
        let transcript = Transcript {
            definition: self.ceremony.definition().clone(),
            dealings: bodies,
            keys,
            certificate,
        };
        let hash = transcript.hash();
        if self.role == Role::Member && !self.completed_before {
            let message = Message::Complete {
                set: dealings.iter().map(|(dealer, _)| *dealer).collect(),
                hashes: dealings.iter().map(|(_, hash)| *hash).collect(),
                certificate,
            };
            self.say(message, out);
        }
        self.finished = true;
        out.push(Effect::Complete(Box::new(Outcome { transcript, hash })));
    }
}
